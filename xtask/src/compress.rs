//! Compresses once, as well as can be, what the server would otherwise compress
//! in a hurry for every visitor. It serves `<file>.br` to browsers that take it.

use crate::place::files;
use anyhow::{Context, Result};
use brotli::enc::BrotliEncoderParams;
use std::{fs, path::Path};

/// Kinds of file that are not compressed in themselves.
const TEXT_LIKE: &[&str] = &["css", "html", "js", "json", "svg", "txt", "wasm"];
/// Below this the headers outweigh what is saved.
const WORTH_IT_BYTES: usize = 1024;

/// Writes `<file>.br` beside every file below a folder that becomes smaller by it.
pub fn beside(folder: &Path) -> Result<()> {
    for file in files(folder)? {
        if !file.extension().is_some_and(|kind| TEXT_LIKE.iter().any(|known| kind == *known)) {
            continue;
        }
        let path = folder.join(&file);
        let plain = fs::read(&path)?;
        if plain.len() < WORTH_IT_BYTES {
            continue;
        }
        let packed = pack(&plain).with_context(|| format!("{} cannot be compressed", file.display()))?;
        if packed.len() < plain.len() {
            let mut name = path.into_os_string();
            name.push(".br");
            fs::write(name, packed)?;
        }
    }
    Ok(())
}

fn pack(plain: &[u8]) -> Result<Vec<u8>> {
    let best = BrotliEncoderParams { quality: 11, lgwin: 22, size_hint: plain.len(), ..Default::default() };
    let mut packed = Vec::new();
    brotli::BrotliCompress(&mut &plain[..], &mut packed, &best)?;
    Ok(packed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_text_gets_a_smaller_twin_and_nothing_else_does() {
        let folder = std::env::temp_dir().join(format!("xtask-compress-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("temp");
        let text = "the same words again and again. ".repeat(200);
        for name in ["big.css", "photo.png"] {
            fs::write(folder.join(name), &text).expect("temp");
        }
        fs::write(folder.join("small.txt"), "short").expect("temp");
        beside(&folder).expect("compressed");

        let names: Vec<_> = files(&folder).expect("read").into_iter().map(|p| p.display().to_string()).collect();
        assert_eq!(names, ["big.css", "big.css.br", "photo.png", "small.txt"]);
        let mut unpacked = Vec::new();
        let packed = fs::read(folder.join("big.css.br")).expect("there");
        brotli::BrotliDecompress(&mut &packed[..], &mut unpacked).expect("brotli");
        assert_eq!(unpacked, text.as_bytes());
        fs::remove_dir_all(folder).expect("temp");
    }
}
