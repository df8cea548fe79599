//! What is to be built: `[[workspace.metadata.leptos]]`, as cargo reports it.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// The site's description with every path made absolute.
pub struct Site {
    /// Worth some minutes of a build: as small and as fast as it gets.
    pub for_people: bool,
    /// The cargo that runs us: a nested one must be the same.
    pub cargo: String,
    /// The workspace.
    pub root: PathBuf,
    /// The package and the name of the server's program.
    pub server: (String, String),
    /// Where cargo puts that program.
    pub server_binary: PathBuf,
    /// The server's profile.
    pub server_profile: String,
    /// The package that becomes WebAssembly.
    pub browser_package: String,
    /// Its profile.
    pub browser_profile: String,
    /// Its target folder, apart from the server's: cargo-leptos keeps it there too.
    pub browser_target_dir: PathBuf,
    /// Where cargo puts the WebAssembly.
    pub wasm: PathBuf,
    /// Names the script, the WebAssembly and the style: `<name>.js`.
    pub output_name: String,
    /// What the server serves.
    pub site_root: PathBuf,
    /// The folder of script, WebAssembly and style within it.
    pub pkg_dir: String,
    /// One file of CSS.
    pub style_file: PathBuf,
    /// Copied as they are.
    pub assets_dir: PathBuf,
}

impl Site {
    /// Asks cargo.
    pub fn from_cargo(release: bool) -> Result<Self> {
        let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let mut metadata = Command::new(&cargo);
        metadata.args(["metadata", "--no-deps", "--format-version", "1"]);
        // As cargo says now, not as it was when this was compiled: target folders get copied along with workspaces.
        if let Some(here) = env::var_os("CARGO_MANIFEST_DIR") {
            metadata.current_dir(here);
        }
        let output = metadata.output().with_context(|| format!("{cargo} cannot be run"))?;
        ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
        let metadata = serde_json::from_slice(&output.stdout).context("cargo metadata gave no JSON")?;
        Self::from_metadata(&metadata, cargo, release)
    }

    fn from_metadata(metadata: &Value, cargo: String, release: bool) -> Result<Self> {
        let path = |name: &str| metadata[name].as_str().map(PathBuf::from).with_context(|| format!("no {name}"));
        let (root, target) = (path("workspace_root")?, path("target_directory")?);
        let leptos = &metadata["metadata"]["leptos"][0];
        let given = |name: &str| leptos[name].as_str().map(str::to_owned);
        let needed = |name: &str| given(name).with_context(|| format!("Cargo.toml's leptos metadata lacks {name}"));
        let profile = |part: &str| {
            let (kind, fallback) = if release { ("release", "release") } else { ("dev", "dev") };
            given(&format!("{part}-profile-{kind}")).unwrap_or_else(|| fallback.to_owned())
        };

        let (server_profile, browser_profile) = (profile("bin"), profile("lib"));
        let bin_target = needed("bin-target")?;
        let browser_package = needed("lib-package")?;
        let browser_target_dir = target.join("front");
        let wasm = browser_target_dir
            .join("wasm32-unknown-unknown")
            .join(folder(&browser_profile))
            .join(format!("{}.wasm", browser_package.replace('-', "_")));
        let server_binary =
            target.join(folder(&server_profile)).join(format!("{bin_target}{}", env::consts::EXE_SUFFIX));
        Ok(Self {
            for_people: release,
            cargo,
            server: (needed("bin-package")?, bin_target),
            server_binary,
            server_profile,
            browser_package,
            browser_profile,
            browser_target_dir,
            wasm,
            output_name: given("output-name").map_or_else(|| needed("name"), Ok)?,
            site_root: root.join(needed("site-root")?),
            pkg_dir: needed("site-pkg-dir")?,
            style_file: root.join(needed("style-file")?),
            assets_dir: root.join(needed("assets-dir")?),
            root,
        })
    }

    /// What tells the server where the site is, wherever it is started.
    pub fn environment(&self) -> [(&'static str, &Path); 3] {
        [
            ("LEPTOS_OUTPUT_NAME", Path::new(&self.output_name)),
            ("LEPTOS_SITE_ROOT", &self.site_root),
            ("LEPTOS_SITE_PKG_DIR", Path::new(&self.pkg_dir)),
        ]
    }
}

/// Cargo's folder of a profile: its name, but for `dev`.
fn folder(profile: &str) -> &str {
    if profile == "dev" { "debug" } else { profile }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspaces_own_description_is_understood() {
        let dev = Site::from_cargo(false).expect("this workspace");
        assert!(dev.server_binary.ends_with("debug/partyline"), "{:?}", dev.server_binary);
        assert!(dev.wasm.ends_with("front/wasm32-unknown-unknown/wasm-dev/frontend.wasm"), "{:?}", dev.wasm);
        let release = Site::from_cargo(true).expect("this workspace");
        assert!(release.server_binary.ends_with("release/partyline"));
        assert!(release.wasm.ends_with("wasm-release/frontend.wasm"));
        assert_eq!(release.output_name, "partyline");
    }

    #[test]
    fn what_is_missing_is_named() {
        let metadata = serde_json::json!({ "workspace_root": "/w", "target_directory": "/w/target", "metadata": {} });
        let error = Site::from_metadata(&metadata, "cargo".into(), false).err().expect("refused");
        assert!(error.to_string().contains("bin-target"), "{error}");
    }
}
