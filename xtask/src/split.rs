//! Takes apart what the browser loads: the program, and chunks that it fetches when it needs them.
//!
//! A chunk refers to places in the memory of the program that it was cut out of, and does anything in another. So its
//! name carries the build: a page of another build does not find it, and does without.

use anyhow::{Context, Result, anyhow};
use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::Path,
};
use wasm_split_cli_support::{Options, transform};

/// Writes the chunks, and the script that fetches them, into a folder; returns the rest of the program. `script`: where
/// the program's own script will be, seen from that folder.
pub fn into_chunks(whole: &[u8], script: &str, folder: &Path) -> Result<Vec<u8>> {
    let build = name_of(whole);
    let loader = format!("./chunks.{build}.js");
    let rest = folder.join("rest.wasm");
    let mut options = Options::new(whole);
    options.output_dir = folder;
    options.main_out_path = &rest;
    options.main_module = script;
    options.link_name = &loader;
    let split = transform(options).map_err(|error| anyhow!("{error:#}"))?;

    let mut loading = fs::read_to_string(folder.join(&loader))?;
    for chunk in split.split_modules {
        let name = chunk.file_stem().and_then(|name| name.to_str()).context("a chunk without a name")?;
        let named = format!("{}.{build}.wasm", name.trim_start_matches("split_"));
        loading = loading.replace(&format!("\"./{name}.wasm\""), &format!("\"./{named}\""));
        let bytes = without_names(&fs::read(&chunk)?).with_context(|| format!("{name} is no WebAssembly"))?;
        fs::write(folder.join(named), bytes)?;
        fs::remove_file(&chunk)?;
    }
    fs::write(folder.join(&loader), loading)?;
    let program = fs::read(&rest)?;
    fs::remove_file(&rest)?;
    Ok(program)
}

/// The module without what is for people alone (sections of kind 0): names are half of a chunk. `None`: it is no module.
fn without_names(module: &[u8]) -> Option<Vec<u8>> {
    const CUSTOM: u8 = 0;
    let (header, mut rest) = module.split_at_checked(8)?;
    let mut kept = header.to_vec();
    while let Some(kind) = rest.first() {
        // The length is in groups of seven bits, the lowest first.
        let groups = 1 + rest[1..].iter().position(|byte| byte & 0x80 == 0)?;
        let length = rest[1..=groups]
            .iter()
            .rev()
            .try_fold(0_usize, |sum, byte| sum.checked_mul(128)?.checked_add(usize::from(byte & 0x7f)))?;
        let (section, later) = rest.split_at_checked(1 + groups + length)?;
        if *kind != CUSTOM {
            kept.extend_from_slice(section);
        }
        rest = later;
    }
    Some(kept)
}

/// The same for the same, in few characters.
fn name_of(bytes: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::without_names;

    #[test]
    fn names_go_and_everything_else_stays() {
        let header = b"\0asm\x01\0\0\0".to_vec();
        let section = |kind: u8, content: &[u8]| {
            let length = content.len();
            [&[kind, (length & 0x7f) as u8 | 0x80, (length >> 7) as u8][..], content].concat()
        };
        let (code, names) = (section(10, &[7; 300]), section(0, &[8; 200]));
        let module = [header.clone(), names.clone(), code.clone(), names].concat();
        assert_eq!(without_names(&module), Some([header, code].concat()));
        assert_eq!(without_names(&module[..module.len() - 1]), None);
        assert_eq!(without_names(b"MZ"), None);
    }
}
