//! The bundle: script and WebAssembly by wasm-bindgen, the style, the assets.

use crate::{compress, site::Site, split, unreached};
use anyhow::{Context, Result, ensure};
use std::{fs, path::Path};
use wasm_bindgen_cli_support::Bindgen;

/// Writes the whole site into an empty folder; returns the size of the WebAssembly in bytes.
pub fn write(site: &Site, folder: &Path) -> Result<u64> {
    let pkg = folder.join(&site.pkg_dir);
    fs::create_dir_all(&pkg)?;
    copy_folder(&site.assets_dir, folder)?;
    style(site, &pkg)?;
    let size = script(site, &pkg)?;
    if site.for_people {
        compress::beside(folder)?;
    }
    Ok(size)
}

fn script(site: &Site, pkg: &Path) -> Result<u64> {
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
    // Leptos asks for `<name>.wasm` when LEPTOS_OUTPUT_NAME is set at its build, as .cargo/config.toml does.
    let wasm = pkg.join(format!("{name}.wasm"));
    fs::rename(pkg.join(format!("{name}_bg.wasm")), &wasm)?;
    Ok(fs::metadata(wasm)?.len())
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
