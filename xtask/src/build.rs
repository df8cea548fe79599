//! The steps, each with its time.

use crate::{bundle, place, site::Site};
use anyhow::{Context, Result, ensure};
use std::{env, fs, path::PathBuf, process::Command, time::Instant};

/// The server, the browser's part, the bundle.
pub fn all(site: &Site) -> Result<()> {
    let total = Instant::now();
    step("1/3 server", || server(site))?;
    step("2/3 browser part", || browser(site))?;
    let size = step("3/3 bundle", || assemble(site))?;
    eprintln!("built in {:.0?}: {} (WebAssembly {} KiB)", total.elapsed(), site.server_binary.display(), size / 1024);
    Ok(())
}

/// Without the server, for those who have it already.
pub fn site_only(site: &Site) -> Result<()> {
    step("1/2 browser part", || browser(site))?;
    let size = step("2/2 bundle", || assemble(site))?;
    eprintln!("site: {} (WebAssembly {} KiB)", site.site_root.display(), size / 1024);
    Ok(())
}

fn step<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    eprintln!("{name} …");
    let start = Instant::now();
    let result = work().with_context(|| format!("{name} failed"))?;
    eprintln!("{name}: {:.1?}", start.elapsed());
    Ok(result)
}

fn server(site: &Site) -> Result<()> {
    let (package, bin) = &site.server;
    cargo(site, "build", |cargo| {
        cargo.args(["--package", package, "--bin", bin, "--profile", &site.server_profile]);
    })
}

fn browser(site: &Site) -> Result<()> {
    cargo(site, "rustc", |cargo| {
        cargo
            .args(["--package", &site.browser_package, "--lib", "--no-default-features", "--features", "split"])
            .args(["--target", "wasm32-unknown-unknown", "--profile", &site.browser_profile])
            .arg("--target-dir")
            .arg(&site.browser_target_dir)
            // Who splits the file has to know what refers to what in it, and how it is called.
            .args(["--", "-Clink-arg=--emit-relocs", "-Cstrip=none"]);
    })
}

fn cargo(site: &Site, command: &str, say_what: impl FnOnce(&mut Command)) -> Result<()> {
    let mut cargo = Command::new(&site.cargo);
    cargo.arg(command);
    // What cargo told this program about itself. ring's build script looks at it: left in place, the cryptography and
    // everything above it would be compiled again, and once more by the next plain cargo.
    for (name, _) in env::vars_os() {
        if ["CARGO_MANIFEST_", "CARGO_PKG_"].iter().any(|own| name.to_string_lossy().starts_with(own)) {
            cargo.env_remove(name);
        }
    }
    say_what(&mut cargo);
    ensure!(cargo.status()?.success(), "cargo {command} failed");
    Ok(())
}

/// Puts the site together beside its place, then moves it there file by file.
/// Returns the size of the WebAssembly in bytes.
fn assemble(site: &Site) -> Result<u64> {
    let staged = Staged::beside(site)?;
    let size = bundle::write(site, &staged.0)?;
    place::replace(&staged.0, &site.site_root)?;
    Ok(size)
}

/// A folder that goes away with its owner, also when a step fails.
struct Staged(PathBuf);

impl Staged {
    /// On the same file system as the site, so that files can be renamed into it.
    fn beside(site: &Site) -> Result<Self> {
        let folder = site.site_root.with_extension(format!("staged-{}", std::process::id()));
        fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // What is left is in the target folder, which is made to be thrown away.
        let _ = fs::remove_dir_all(&self.0);
    }
}
