//! Loads a running chat the way people do, and measures it against the floor and against its peers, in one run.
//!
//! Every payload carries when it was sent, its number and its room, so what is late, missing, doubled or disordered is
//! seen whatever the server wraps it in. Loopback only.

#![allow(clippy::disallowed_methods, reason = "a thread that waits here holds up nobody")]

mod floor;
mod http;
mod measure;
mod procstat;
mod program;
mod publisher;
mod report;
mod scenario;
mod stamp;
mod subscribers;
mod target;
mod targets;
mod ws;

use anyhow::{Context, Result};
use clap::Parser;
use program::Mode;
use scenario::Scenario;
use std::{path::PathBuf, str::FromStr};

/// Measures Partyline, the floor beneath it, and servers like it that run on this machine.
#[derive(Parser)]
struct Arguments {
    /// The program, built with `--release`
    #[arg(long, default_value = "target/release/partyline")]
    partyline: PathBuf,
    /// What is measured besides the embedded Partyline: a cluster of one node on the services of `end2end/services env`
    #[arg(long)]
    cluster: bool,
    /// A server that runs already: `centrifugo=127.0.0.1:8000@PID`; several may be given
    #[arg(long)]
    peer: Vec<Peer>,
    /// Scenarios; all if none is named
    #[arg(long, value_delimiter = ',')]
    only: Vec<Scenario>,
    /// How often each is measured
    #[arg(long, default_value_t = 3)]
    repeats: usize,
    /// How long a window is
    #[arg(long, default_value_t = 8.0)]
    seconds: f64,
    /// The file that the tables are written to, besides the output
    #[arg(long)]
    out: Option<PathBuf>,
}

/// A server that is not ours.
#[derive(Clone)]
struct Peer {
    name: String,
    addr: String,
    pid: Option<u32>,
}

impl FromStr for Peer {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, at) = text.split_once('=').context("NAME=ADDRESS@PID")?;
        let (addr, pid) = match at.split_once('@') {
            Some((addr, pid)) => (addr, Some(pid.parse().context("a process id")?)),
            None => (at, None),
        };
        Ok(Self { name: name.into(), addr: addr.into(), pid })
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    rustix::process::setrlimit(rustix::process::Resource::Nofile, {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum }
    })?;
    let scenarios = if arguments.only.is_empty() { Scenario::ALL.to_vec() } else { arguments.only.clone() };
    let modes = if arguments.cluster { vec![Mode::Embedded, Mode::Cluster] } else { vec![Mode::Embedded] };
    let mut reports = vec![];
    for repeat in 1..=arguments.repeats {
        for scenario in &scenarios {
            let mut add = |report: report::Report| {
                eprintln!("{repeat}/{} {}", arguments.repeats, serde_json::Value::Object(report.0.clone()));
                reports.push(report);
            };
            if let Some(floor) = scenario.floor(arguments.seconds)? {
                add(floor);
            }
            for mode in &modes {
                add(scenario.ours(&arguments.partyline, *mode, arguments.seconds)?);
            }
            for peer in &arguments.peer {
                add(scenario.peer(&peer.name, &peer.addr, peer.pid, arguments.seconds)?);
            }
        }
    }
    let tables = report::tables(&reports);
    println!("{tables}");
    if let Some(path) = &arguments.out {
        std::fs::write(path, format!("{}{tables}", scenario::about(arguments.repeats, arguments.seconds)))?;
    }
    Ok(())
}
