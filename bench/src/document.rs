//! `GROWTH.md`, part by part: a run replaces what it has measured and leaves the rest as it was.

use anyhow::{Context, Result};
use std::{fmt::Write, fs, path::Path};

/// The parts in their order.
const PARTS: [&str; 8] =
    ["subscribers", "rooms", "nodes", "history-embedded", "history-cluster", "soak-embedded", "soak-cluster", "end"];

const ABOUT: &str = "# What grows\n\nMade by `make growth` and `make soak`, load and servers on one machine. CPU is all that the server's process used,\n\
                     its part of the kernel's work included; messages have 128 bytes of text. `bench/src/growth/` says how.\n";

/// Puts a part, Markdown without its mark, into `GROWTH.md` of a folder, and pictures into `growth/` beside it.
///
/// # Errors
/// If they cannot be written.
pub fn put(folder: &Path, part: &str, text: &str, pictures: &[(String, String)]) -> Result<()> {
    let file = folder.join("GROWTH.md");
    let beside = folder.join("growth");
    fs::create_dir_all(&beside).with_context(|| format!("cannot make {}", beside.display()))?;
    for (name, svg) in pictures {
        fs::write(beside.join(name), svg)?;
    }
    let old = fs::read_to_string(&file).unwrap_or_default();
    fs::write(&file, merged(&old, part, text)).with_context(|| format!("cannot write {}", file.display()))
}

/// The document with another text for one of its parts.
fn merged(old: &str, part: &str, text: &str) -> String {
    let mut document = ABOUT.to_owned();
    for name in PARTS {
        let kept = if name == part { Some(text.trim()) } else { of(old, name) };
        if let Some(kept) = kept.filter(|kept| !kept.is_empty()) {
            let _ = write!(document, "\n{}\n{kept}\n", mark(name));
        }
    }
    document
}

fn mark(part: &str) -> String {
    format!("<!-- {part} -->")
}

fn of<'a>(document: &'a str, part: &str) -> Option<&'a str> {
    let (_, rest) = document.split_once(&mark(part))?;
    Some(rest.split("\n<!-- ").next().unwrap_or(rest).trim())
}

/// A table; each row has as many cells as there are heads.
pub fn table(heads: &[&str], rows: &[Vec<String>]) -> String {
    let mut text = format!("| {} |\n|{}\n", heads.join(" | "), "---|".repeat(heads.len()));
    for row in rows {
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_replaces_itself_and_leaves_the_others_in_their_order() {
        let one = merged("", "nodes", "## Nodes\n\nold");
        let two = merged(&one, "subscribers", "## Subscribers\n\nfirst");
        let three = merged(&two, "nodes", "## Nodes\n\nnew");
        assert!(three.starts_with(ABOUT), "{three}");
        assert!(three.ends_with("<!-- subscribers -->\n## Subscribers\n\nfirst\n\n<!-- nodes -->\n## Nodes\n\nnew\n"));
    }
}
