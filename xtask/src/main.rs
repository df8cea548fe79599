//! `cargo xtask build|site|run`: the whole program from one command.
//!
//! It makes what `cargo leptos build` makes, out of the same description in
//! `Cargo.toml` and into the same folders, but needs no tool beside cargo:
//! wasm-bindgen is linked in as a library. A newcomer therefore waits half a
//! minute for this program instead of twenty for cargo-leptos.

mod arrange;
mod build;
mod bundle;
mod compress;
mod place;
mod short;
mod site;
mod split;
mod unreached;

use anyhow::{Result, bail, ensure};
use std::{
    env,
    process::{Command, ExitCode},
};

const USAGE: &str = "\
Usage: cargo xtask <command> [--release] [-- arguments of the server]

  build   the server and the site that it serves
  site    only the site: the browser's part, the style, the assets
  run     build, then the server with what follows --

  --release   optimised for people rather than for a quick build";

struct Arguments {
    command: String,
    release: bool,
    server: Vec<String>,
}

fn main() -> ExitCode {
    match work() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Plain words: whoever starts a build is helped by no trace of ours.
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn work() -> Result<()> {
    let arguments = parse(env::args().skip(1))?;
    let site = site::Site::from_cargo(arguments.release)?;
    // Paths in the description are relative to the workspace, wherever the command was typed.
    let asked_from = env::current_dir()?;
    env::set_current_dir(&site.root)?;
    match arguments.command.as_str() {
        "build" => build::all(&site),
        "site" => build::site_only(&site),
        "run" => {
            build::all(&site)?;
            let mut server = Command::new(&site.server_binary);
            server.args(&arguments.server).envs(site.environment()).current_dir(asked_from);
            become_program(server)
        }
        _ => bail!("{USAGE}"),
    }
}

fn parse(mut rest: impl Iterator<Item = String>) -> Result<Arguments> {
    let mut arguments = Arguments { command: String::new(), release: false, server: Vec::new() };
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--" => arguments.server = rest.by_ref().collect(),
            "--release" => arguments.release = true,
            word if arguments.command.is_empty() && !word.starts_with('-') => arguments.command = argument,
            _ => bail!("{USAGE}"),
        }
    }
    ensure!(arguments.command == "run" || arguments.server.is_empty(), "only `run` passes arguments on\n\n{USAGE}");
    Ok(arguments)
}

/// The server takes this process over, so that Ctrl-C, signals and the exit
/// code are its own.
#[cfg(unix)]
fn become_program(mut program: Command) -> Result<()> {
    use std::os::unix::process::CommandExt;
    Err(anyhow::Error::new(program.exec()).context("the server could not be started"))
}

#[cfg(not(unix))]
fn become_program(mut program: Command) -> Result<()> {
    let status = program.status()?;
    std::process::exit(status.code().unwrap_or(1));
}

#[cfg(test)]
mod tests {
    use super::parse;

    fn words(line: &str) -> anyhow::Result<super::Arguments> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn what_follows_two_dashes_is_the_servers() {
        let it = words("run --release -- --listen 127.0.0.1:4000 --release").expect("good");
        assert_eq!((it.command.as_str(), it.release), ("run", true));
        assert_eq!(it.server, ["--listen", "127.0.0.1:4000", "--release"]);
    }

    #[test]
    fn unknown_words_are_refused() {
        for bad in ["build now", "--fast", "build -- --listen"] {
            assert!(words(bad).is_err(), "{bad}");
        }
    }
}
