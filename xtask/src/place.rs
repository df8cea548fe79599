//! Moves a finished site into its place under a running server.
//!
//! Each file is renamed over the old one, so that at no moment a request finds
//! nothing; exchanging whole folders would leave a gap between two renames.

use anyhow::{Context, Result};
use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

/// Makes `site` hold exactly what `staged` holds. Files that are equal keep
/// their time, so that browsers keep their copy.
pub fn replace(staged: &Path, site: &Path) -> Result<()> {
    let new = files(staged)?;
    let old = if site.is_dir() { files(site)? } else { BTreeSet::new() };
    for file in &new {
        let (from, to) = (staged.join(file), site.join(file));
        if !(old.contains(file) && fs::read(&from)? == fs::read(&to)?) {
            move_over(&from, &to).with_context(|| format!("{} cannot be replaced", to.display()))?;
        }
    }
    for file in old.difference(&new) {
        // Already gone if a file took the place of its folder.
        match fs::remove_file(site.join(file)) {
            Err(e) if !matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Err(e.into());
            }
            _ => {}
        }
    }
    Ok(())
}

fn move_over(from: &Path, to: &Path) -> io::Result<()> {
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    if to.is_dir() {
        fs::remove_dir_all(to)?;
    }
    fs::rename(from, to)
}

/// Every file below a folder, relative to it.
pub fn files(folder: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(below) = folders.pop() {
        for entry in fs::read_dir(folder.join(&below))? {
            let entry = entry?;
            let path = below.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else {
                found.insert(path);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str, content: &[(&str, &str)]) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("xtask-place-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        for (file, text) in content {
            let path = folder.join(file);
            fs::create_dir_all(path.parent().expect("inside")).expect("temp");
            fs::write(path, text).expect("temp");
        }
        folder
    }

    #[test]
    fn the_site_becomes_what_was_staged() {
        let site = folder("site", &[("pkg/a.js", "old"), ("pkg/same.css", "same"), ("gone.txt", "x"), ("icons", "x")]);
        let before = fs::metadata(site.join("pkg/same.css")).expect("there").modified().expect("time");
        let staged = folder("staged", &[("pkg/a.js", "new"), ("pkg/same.css", "same"), ("fresh.txt", "y")]);
        replace(&staged, &site).expect("replaced");

        let names: Vec<_> = files(&site).expect("read").into_iter().map(|p| p.display().to_string()).collect();
        assert_eq!(names, ["fresh.txt", "pkg/a.js", "pkg/same.css"]);
        assert_eq!(fs::read_to_string(site.join("pkg/a.js")).expect("there"), "new");
        assert_eq!(fs::metadata(site.join("pkg/same.css")).expect("there").modified().expect("time"), before);
        for place in [site, staged] {
            fs::remove_dir_all(place).expect("temp");
        }
    }
}
