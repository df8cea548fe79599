//! What is measured: each a situation that a chat is in.

use crate::{
    floor,
    measure::{self, Load, Server},
    program::{Mode, Program},
    publisher::Plan,
    report::Report,
    target::Options,
    targets::{self, Partyline},
};
use anyhow::Result;
use clap::ValueEnum;
use std::{path::Path, sync::Arc};

/// Bytes of a message's text.
const TEXT_BYTES: usize = 128;

/// Which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// One room of 1,000 people, 20 messages a second
    Large,
    /// One room of 100 people, 2,000 messages a second
    Busy,
    /// 1,000 rooms of 5 people, 1,000 messages a second over all
    Rooms,
    /// Messages as fast as 64 connections get them acknowledged, nobody listening
    Publish,
    /// 10,000 connections in one room, at rest
    Idle,
    /// 10,000 connections over 2,000 rooms, at rest
    Spread,
}

impl Scenario {
    /// Every one.
    pub const ALL: [Self; 6] = [Self::Large, Self::Busy, Self::Rooms, Self::Publish, Self::Idle, Self::Spread];

    fn name(self) -> &'static str {
        match self {
            Self::Large => "one room × 1,000 people, 20 messages a second",
            Self::Busy => "one room × 100 people, 2,000 messages a second",
            Self::Rooms => "1,000 rooms × 5 people, 1,000 messages a second",
            Self::Publish => "publishing flat out, 64 connections, 100 rooms",
            Self::Idle => "10,000 connections at rest in one room",
            Self::Spread => "10,000 connections at rest over 2,000 rooms",
        }
    }

    fn rooms(self) -> usize {
        match self {
            Self::Large | Self::Busy | Self::Idle => 1,
            Self::Rooms => 1_000,
            Self::Publish => 100,
            Self::Spread => 2_000,
        }
    }

    fn load(self, seconds: f64) -> Option<Load> {
        let (subs, rate, conns) = match self {
            Self::Large => (1_000, 20.0, 1),
            Self::Busy => (100, 2_000.0, 16),
            Self::Rooms => (5_000, 1_000.0, 16),
            Self::Publish => (0, 0.0, 64),
            Self::Idle | Self::Spread => return None,
        };
        let plan = Plan { rate, conns, warmup_s: 2.0, measure_s: seconds, payload: TEXT_BYTES };
        Some(Load { scenario: self.name().into(), rooms: self.rooms(), subs, plan, drain_s: 3.0 })
    }

    /// What the kernel asks for at least, where that can be said.
    pub fn floor(self, seconds: f64) -> Result<Option<Report>> {
        match self {
            Self::Large => Ok(Some(floor::measure(1_000, 20.0, seconds, self.name())?)),
            Self::Busy => Ok(Some(floor::measure(100, 2_000.0, seconds, self.name())?)),
            _ => Ok(None),
        }
    }

    /// Partyline, started for this alone.
    pub fn ours(self, program: &Path, mode: Mode, seconds: f64) -> Result<Report> {
        let program = Program::start(program, mode)?;
        let label = match mode {
            Mode::Embedded => "Partyline, embedded",
            Mode::Cluster => "Partyline, one node of a cluster",
        };
        let target = Arc::new(Partyline::prepare(program.addr, self.rooms())?);
        self.run(&Server { label: label.into(), target, pid: Some(program.pid()) }, seconds)
    }

    /// A server that runs already.
    pub fn peer(self, name: &str, addr: &str, pid: Option<u32>, seconds: f64) -> Result<Report> {
        let options = Options::from([("addr".to_owned(), addr.to_owned())]);
        let target = Arc::from(targets::load(name, &options, self.rooms())?);
        self.run(&Server { label: name.into(), target, pid }, seconds)
    }

    fn run(self, server: &Server, seconds: f64) -> Result<Report> {
        match self.load(seconds) {
            Some(load) => measure::load(server, &load),
            None => measure::idle(server, self.name(), 10_000, self.rooms()),
        }
    }
}

/// What stands above the tables.
pub fn about(repeats: usize, seconds: f64) -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!(
        "# Partyline in figures\n\nMade by `make bench` (medians of {repeats} runs of {seconds} s, least and most behind them) on {cores} cores,\n\
         load and servers on the same machine: compare what stands in one table, not tables of two machines.\n\
         Messages have {TEXT_BYTES} bytes of text. CPU is all that the server's process used, its part of the kernel's\n\
         work included. The floor puts ready bytes on as many sockets by bare `send`, and does nothing else. Everything\n\
         of Partyline is on: accounts, rights, positions, resume; an acknowledged message is on the disk.\n"
    )
}
