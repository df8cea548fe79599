//! Who and what a text names: `@ada`, `#garden`.
//!
//! The page that shows a mention and the server that counts it read the text alike.

use crate::{
    markdown::{Piece, Renderer, read},
    model::Username,
};

/// Most names that one message can call.
pub const MAX_MENTIONS: usize = 50;

/// Who is called by this name: everyone in the room. Nobody's user name.
pub const EVERYONE: &str = "all";

/// The user names that a message calls, each once, in the order of the text; [`MAX_MENTIONS`] at most. Nobody is named
/// in code or in a link.
///
/// A name may end with a full stop or a hyphen, and so may a sentence: `@ada.` gives `ada.` and `ada`. Who is in the
/// room decides; if both are, the longer is meant.
pub fn mentions(body: &str) -> Vec<String> {
    let mut names: Vec<String> = vec![];
    if may_name(body) {
        read(body, &mut |piece| {
            if let Piece::Text(text, before) = piece {
                gather(text, before, &mut names);
            }
        });
    }
    names
}

/// The text calls this person, or everyone. Before the browser can read markup it takes the text as it was written: somebody who is
/// named in code counts as called.
pub fn calls(body: &str, username: &str) -> bool {
    let names = match Renderer::there() {
        _ if !may_name(body) => return false,
        Some(by) => (by.mentions)(body),
        None => as_written(body),
    };
    names.iter().any(|name| name == username || name == EVERYONE)
}

fn as_written(body: &str) -> Vec<String> {
    let mut names = vec![];
    gather(body, None, &mut names);
    names
}

fn gather(text: &str, before: Option<char>, names: &mut Vec<String>) {
    for part in parts(text, before) {
        let Part::Name(written) = part else { continue };
        for name in readings(written) {
            if names.len() < MAX_MENTIONS && !names.contains(&name) {
                names.push(name);
            }
        }
    }
}

/// Most messages name nobody and need not be read for it. An `&` may stand for an `@`.
pub fn may_name(body: &str) -> bool {
    body.contains(['@', '&'])
}

/// A stretch of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// Names nothing.
    Plain(&'a str),
    /// An `@` and what may be a user name, at its longest.
    Name(&'a str),
    /// A `#` and what may be a room's slug.
    Room(&'a str),
}

/// Takes a text apart; together the parts are the text. `before`: the character before it.
pub fn parts(text: &str, before: Option<char>) -> Vec<Part<'_>> {
    let mut parts = vec![];
    let (mut plain, mut from) = (0, 0);
    while let Some(at) = text[from..].find(['@', '#']).map(|at| from + at) {
        let glued = text[..at].chars().next_back().or(before).is_some_and(is_glue);
        let found = if glued { None } else { named(&text[at..]) };
        from = at + 1;
        if let Some((part, length)) = found {
            if plain < at {
                parts.push(Part::Plain(&text[plain..at]));
            }
            parts.push(part);
            (plain, from) = (at + length, at + length);
        }
    }
    if plain < text.len() {
        parts.push(Part::Plain(&text[plain..]));
    }
    parts
}

/// Before an `@` it makes it something else: an address of e-mail, or a sign that was meant as such.
fn is_glue(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '\\')
}

fn named(text: &str) -> Option<(Part<'_>, usize)> {
    let (sign, rest) = text.split_at(1);
    if sign == "@" {
        let end = rest.find(|c: char| !matches!(c, 'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' | '.'));
        let longest = &rest[..end.unwrap_or(rest.len())];
        // A sentence may go on with any number of dots.
        let written = if longest.len() > 32 { longest.trim_end_matches(is_stop) } else { longest };
        (!readings(written).is_empty()).then_some((Part::Name(&text[..1 + written.len()]), 1 + written.len()))
    } else {
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '-')).unwrap_or(rest.len());
        let slug = rest[..end].trim_end_matches('-');
        // A mere number is more often one of a list than a room.
        let is_slug = slug.starts_with(char::is_alphanumeric) && slug.contains(char::is_alphabetic);
        (is_slug && !slug.contains("--")).then_some((Part::Room(&text[..1 + slug.len()]), 1 + slug.len()))
    }
}

fn is_stop(c: char) -> bool {
    matches!(c, '.' | '-')
}

/// The user names that `@name` may mean, the longest first.
pub fn readings(written: &str) -> Vec<String> {
    let longest = written.trim_start_matches('@');
    let shorter = longest.trim_end_matches(is_stop);
    let mut names: Vec<_> = [longest, shorter]
        .into_iter()
        .filter_map(|name| Username::parse(name).ok())
        .map(|name| name.as_str().to_owned())
        .collect();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mention_is_an_at_sign_that_begins_a_word_and_a_user_name() {
        for (text, names) in [
            ("@ada", &["ada"] as &[&str]),
            ("Thanks, @Ada! (and @lin-2, @x_y)", &["ada", "lin-2", "x_y"]),
            ("ask @ada.", &["ada.", "ada"]),
            ("@ada... @lin.-", &["ada...", "ada", "lin.-", "lin"]),
            ("@a.da's", &["a.da"]),
            ("@ada @ADA @ada", &["ada"]),
            ("@ada@lin", &["ada"]),
            ("@@ada, @adaさん", &["ada"]),
            ("ada@example.com, x_@ada, ä@ada", &[]),
            ("@ @a @-ada @_ada @.ada @", &[]),
            ("no name at all", &[]),
        ] {
            assert_eq!(mentions(text), names, "{text}");
            // Text without markup reads the same before markup can be read.
            assert_eq!(as_written(text), names, "{text}");
        }
        let long = "x".repeat(32);
        assert_eq!(mentions(&format!("@{long}, @{long}..., @{long}x")), [long.as_str()]);
    }

    #[test]
    fn markup_does_not_hide_a_mention() {
        assert_eq!(mentions("**@ada** _@lin_ ~~@noor~~ > @kim"), ["ada", "lin", "noor", "kim"]);
        assert_eq!(mentions("# @ada\n> @lin\n\n- @noor\n\n|a|\n|-|\n|@kim|"), ["ada", "lin", "noor", "kim"]);
        assert_eq!(mentions("@a_b_c and @__ini__t"), ["a_b_c"]);
        assert_eq!(mentions("<b>@ada</b>\n\n<div>\n@lin\n</div>"), ["ada", "lin"]);
    }

    #[test]
    fn nobody_is_named_in_code_or_in_a_link() {
        for text in [
            "`@ada`",
            "```\n@ada\n```",
            "    @ada",
            "[@ada](https://a.example)",
            "![@ada](https://a.example)",
            "[a](https://a.example/@ada)",
            "https://a.example/@ada and https://a.example/_x_/@ada",
            "<https://a.example/@ada>",
            "<ada@example.com>",
            r"\@ada",
            "[@ada](/rooms/garden)",
        ] {
            assert_eq!(mentions(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn all_are_everyone() {
        for (text, called) in
            [("@all", true), ("@ALL: tea.", true), ("@allan", false), ("`@all`", false), ("all", false)]
        {
            assert_eq!(calls(text, "ada"), called, "{text}");
        }
    }

    #[test]
    fn one_message_calls_fifty_people_at_most() {
        let text: String = (0..99).map(|n| format!("@user{n} ")).collect();
        assert_eq!(mentions(&text).len(), MAX_MENTIONS);
        assert_eq!(mentions(&text)[49], "user49");
    }

    #[test]
    fn a_room_is_a_number_sign_that_begins_a_word_and_a_slug() {
        let rooms = |text| {
            let rooms = parts(text, None).into_iter().filter_map(|part| match part {
                Part::Room(slug) => Some(slug.to_owned()),
                _ => None,
            });
            rooms.collect::<Vec<_>>()
        };
        assert_eq!(rooms("#tea, #Köln-bonn. and (#a--b #c-)"), ["#tea", "#Köln-bonn", "#c"]);
        assert_eq!(rooms("C#tea a#b #1 # #- ##"), [""; 0]);
    }

    #[test]
    fn the_parts_of_a_text_are_the_text() {
        for text in ["", "@", "a @b @cd#ef gh", "@ada#tea", "ä@ö #ü @ada."] {
            let again: String = parts(text, None)
                .iter()
                .map(|part| match part {
                    Part::Plain(t) | Part::Name(t) | Part::Room(t) => *t,
                })
                .collect();
            assert_eq!(again, text);
        }
    }
}
