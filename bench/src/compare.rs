//! Partyline beside the floor and beside its peers, all in one run: `end2end/BENCHMARKS.md`.

use crate::{goals, program::Mode, report, scenario, scenario::Scenario};
use anyhow::{Context, Result};
use clap::Args;
use std::{
    path::{Path, PathBuf},
    str::FromStr,
};

/// What is measured, and how often.
#[derive(Args)]
pub struct Compare {
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
    /// How many records are caught up with
    #[arg(long, default_value_t = 100_000)]
    records: u64,
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

/// Measures everything and writes the tables.
///
/// # Errors
/// If a server cannot be started or ends.
pub fn run(program: &Path, c: &Compare) -> Result<()> {
    let scenarios = if c.only.is_empty() { Scenario::ALL.to_vec() } else { c.only.clone() };
    let modes = if c.cluster { vec![Mode::Embedded, Mode::Cluster] } else { vec![Mode::Embedded] };
    let size = scenario::Size { seconds: c.seconds, records: c.records };
    let mut reports = vec![];
    for repeat in 1..=c.repeats {
        for scenario in &scenarios {
            let mut add = |report: report::Report| {
                eprintln!("{repeat}/{} {}", c.repeats, serde_json::Value::Object(report.0.clone()));
                reports.push(report);
            };
            for mode in &modes {
                scenario.floor(*mode, size)?.into_iter().for_each(&mut add);
                scenario.ours(program, *mode, size)?.into_iter().for_each(&mut add);
            }
            for peer in &c.peer {
                scenario.peer(&peer.name, &peer.addr, peer.pid, size)?.into_iter().for_each(&mut add);
            }
        }
        // After each: what is broken off half-way has measured something.
        if let Some(path) = &c.out {
            std::fs::write(path, format!("{}{}", scenario::about(repeat, c.seconds), all(&reports)))?;
        }
    }
    println!("{}", all(&reports));
    Ok(())
}

fn all(reports: &[report::Report]) -> String {
    format!("{}{}", goals::table(reports), report::tables(reports))
}
