//! CPU and memory of a process, and of the whole machine, out of /proc.

use anyhow::{Context, Result};
use std::{fs, time::Instant};

fn tick() -> f64 {
    rustix::param::clock_ticks_per_second() as f64
}

/// User and system CPU seconds of a process, all its threads, dead ones included.
fn cpu(pid: u32) -> Result<(f64, f64)> {
    let s = fs::read_to_string(format!("/proc/{pid}/stat")).with_context(|| format!("no process {pid}"))?;
    let f: Vec<&str> = s[s.rfind(')').context("no name in stat")? + 2..].split(' ').collect();
    Ok((f[11].parse::<f64>()? / tick(), f[12].parse::<f64>()? / tick()))
}

/// Resident bytes of processes, together; 0 of one that is not there.
pub fn rss_of(pids: &[u32]) -> u64 {
    pids.iter().map(|pid| rss_of_one(*pid)).sum()
}

fn rss_of_one(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.trim().trim_end_matches(" kB").trim().parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// Open file descriptors and threads of a process.
///
/// # Errors
/// If there is none.
pub fn open_of(pid: u32) -> Result<(u64, u64)> {
    let count = |what: &str| -> Result<u64> {
        let entries = fs::read_dir(format!("/proc/{pid}/{what}")).with_context(|| format!("no process {pid}"))?;
        Ok(entries.count() as u64)
    };
    Ok((count("fd")?, count("task")?))
}

/// What the whole machine did.
#[derive(Clone, Copy, Default)]
pub struct Machine {
    /// Busy seconds over all cores, stolen ones excluded.
    pub busy: f64,
}

fn machine() -> Machine {
    let s = fs::read_to_string("/proc/stat").unwrap_or_default();
    let v: Vec<f64> = s
        .lines()
        .next()
        .unwrap_or("")
        .split_whitespace()
        .skip(1)
        .map(|x| x.parse::<f64>().unwrap_or(0.0) / tick())
        .collect();
    if v.len() < 8 {
        return Machine::default();
    }
    Machine { busy: v[0] + v[1] + v[2] + v[5] + v[6] }
}

/// A reading of everything that a measured window needs at its two ends.
pub struct Snap {
    /// When.
    pub at: Instant,
    /// The server's user and system CPU seconds.
    pub server: (f64, f64),
    /// This program's.
    pub own: (f64, f64),
    /// Everybody's.
    pub machine: Machine,
}

/// Reads them; `servers`: all the processes of the server.
pub fn snap(servers: &[u32]) -> Snap {
    let of = |pid| cpu(pid).unwrap_or_default();
    let all = servers.iter().map(|pid| of(*pid)).fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    Snap { at: Instant::now(), server: all, own: of(std::process::id()), machine: machine() }
}
