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
pub fn into_chunks(wasm: &Path, script: &str, folder: &Path) -> Result<Vec<u8>> {
    let whole = fs::read(wasm).with_context(|| format!("{} cannot be read", wasm.display()))?;
    let build = name_of(&whole);
    let loader = format!("./chunks.{build}.js");
    let rest = folder.join("rest.wasm");
    let mut options = Options::new(&whole);
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
        fs::rename(&chunk, folder.join(named))?;
    }
    fs::write(folder.join(&loader), loading)?;
    let program = fs::read(&rest)?;
    fs::remove_file(&rest)?;
    Ok(program)
}

/// The same for the same, in few characters.
fn name_of(bytes: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
