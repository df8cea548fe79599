//! The bundle: script and WebAssembly by wasm-bindgen, the style, the assets.

use crate::{arrange, compress, place::files, short, site::Site, split, unreached};
use anyhow::{Context, Result, ensure};
use std::{
    fs,
    path::{Path, PathBuf},
};
use wasm_bindgen_cli_support::Bindgen;

/// Writes the whole site into an empty folder; returns the size of the WebAssembly in bytes.
pub fn write(site: &Site, folder: &Path) -> Result<u64> {
    let pkg = folder.join(&site.pkg_dir);
    fs::create_dir_all(&pkg)?;
    copy_folder(&site.assets_dir, folder)?;
    style(site, &pkg)?;
    script(site, &pkg)?;
    if site.for_people {
        shorten(site, &pkg)?;
        arrange_all(&pkg)?;
        compress::beside(folder)?;
    }
    Ok(fs::metadata(program(site, &pkg))?.len())
}

/// Leptos asks for `<name>.wasm` when LEPTOS_OUTPUT_NAME is set at its build, as .cargo/config.toml does.
fn program(site: &Site, pkg: &Path) -> PathBuf {
    pkg.join(format!("{}.wasm", site.output_name))
}

fn script(site: &Site, pkg: &Path) -> Result<()> {
    let name = &site.output_name;
    let whole = fs::read(&site.wasm).with_context(|| format!("{} cannot be read", site.wasm.display()))?;
    let main = split::into_chunks(&whole, &format!("./{name}.js"), pkg).context("splitting")?;
    Bindgen::new()
        // Names make a panic's trace readable, and a third of the file.
        .input_module(name, unreached::emptied(&main, &whole, !site.for_people)?)
        .out_name(name)
        // The chunks share the memory, the stack and the table of functions.
        .keep_lld_exports(true)
        .web(true)?
        .typescript(false)
        .generate(pkg)
        .context("wasm-bindgen")?;
    fs::rename(pkg.join(format!("{name}_bg.wasm")), program(site, pkg))?;
    Ok(())
}

/// The names between the program and its script.
fn shorten(site: &Site, pkg: &Path) -> Result<()> {
    let (wasm, script) = (program(site, pkg), pkg.join(format!("{}.js", site.output_name)));
    let named = short::named(&fs::read(&wasm)?, &fs::read_to_string(&script)?).context("shortening names")?;
    fs::write(wasm, named.0)?;
    fs::write(script, named.1)?;
    Ok(())
}

/// The program and its chunks.
fn arrange_all(pkg: &Path) -> Result<()> {
    for file in files(pkg)?.iter().filter(|file| file.extension().is_some_and(|kind| kind == "wasm")) {
        let path = pkg.join(file);
        let arranged = arrange::arranged(&fs::read(&path)?).with_context(|| format!("arranging {}", file.display()))?;
        fs::write(path, arranged)?;
    }
    Ok(())
}

fn style(site: &Site, pkg: &Path) -> Result<()> {
    let path = &site.style_file;
    let css = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    // An import would be a second request at best and a missing file at worst.
    ensure!(!css.contains("@import"), "{}: @import is not followed, keep the style in one file", path.display());
    fs::write(pkg.join(format!("{}.css", site.output_name)), css)?;
    Ok(())
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("{} cannot be read", from.display()))? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn assets_are_copied_with_their_folders() {
        let place = std::env::temp_dir().join(format!("xtask-copy-{}", std::process::id()));
        let (from, to) = (place.join("from"), place.join("to"));
        std::fs::create_dir_all(from.join("icons")).expect("temp");
        std::fs::write(from.join("icons/a.svg"), "a").expect("temp");
        super::copy_folder(&from, &to).expect("copied");
        assert_eq!(std::fs::read_to_string(to.join("icons/a.svg")).expect("there"), "a");
        std::fs::remove_dir_all(place).expect("temp");
    }
}
