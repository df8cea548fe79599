//! What is measured: each a situation that a chat is in.

use crate::{
    catch_up, floor,
    measure::{self, Load, Server},
    program::{Mode, Place},
    publisher::Plan,
    report::Report,
    target::Options,
    targets::{self, Partyline},
};
use anyhow::Result;
use clap::ValueEnum;
use std::{path::Path, sync::Arc};

/// Bytes of a message's text.
pub const TEXT_BYTES: usize = 128;

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
    /// A store that is behind comes up to the log
    CatchUp,
    /// 10,000 connections in one room, at rest
    Idle,
    /// 10,000 connections over 2,000 rooms, at rest
    Spread,
}

/// How much of it.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// How long a window is.
    pub seconds: f64,
    /// Records that are caught up with.
    pub records: u64,
}

impl Scenario {
    /// Every one.
    pub const ALL: [Self; 7] =
        [Self::Large, Self::Busy, Self::Rooms, Self::Publish, Self::CatchUp, Self::Idle, Self::Spread];

    /// What the reports call it. `mode`: where the two are measured against floors of their own, they have tables of
    /// their own.
    pub fn name(self, mode: Mode) -> &'static str {
        match (self, mode) {
            (Self::Large, _) => "one room × 1,000 people, 20 messages a second",
            (Self::Busy, _) => "one room × 100 people, 2,000 messages a second",
            (Self::Rooms, _) => "1,000 rooms × 5 people, 1,000 messages a second",
            (Self::Publish, Mode::Embedded) => "publishing flat out, 64 connections, 100 rooms",
            (Self::Publish, Mode::Cluster) => "publishing flat out, 64 connections, 100 rooms, Kafka beneath",
            (Self::CatchUp, Mode::Embedded) => "a store that is behind, SQLite",
            (Self::CatchUp, Mode::Cluster) => "a store that is behind, PostgreSQL",
            (Self::Idle, _) => "10,000 connections at rest in one room",
            (Self::Spread, _) => "10,000 connections at rest over 2,000 rooms",
        }
    }

    fn rooms(self) -> usize {
        match self {
            Self::Large | Self::Busy | Self::Idle => 1,
            Self::Rooms => 1_000,
            Self::Publish | Self::CatchUp => 100,
            Self::Spread => 2_000,
        }
    }

    fn load(self, mode: Mode, size: Size) -> Option<Load> {
        let (subs, rate, conns) = match self {
            Self::Large => (1_000, 20.0, 1),
            Self::Busy => (100, 2_000.0, 16),
            Self::Rooms => (5_000, 1_000.0, 16),
            Self::Publish => (0, 0.0, 64),
            Self::Idle | Self::Spread | Self::CatchUp => return None,
        };
        let plan =
            Plan { rate, conns, warmup_s: 2.0, measure_s: size.seconds, payload: TEXT_BYTES, most: u64::MAX, first: 0 };
        Some(Load { scenario: self.name(mode).into(), rooms: self.rooms(), subs, plan, drain_s: 3.0 })
    }

    /// What the machine alone asks for at least, where that can be said.
    ///
    /// # Errors
    /// If it cannot be measured.
    pub fn floor(self, mode: Mode, size: Size) -> Result<Option<Report>> {
        let name = self.name(mode);
        Ok(match (self, mode) {
            (Self::Large, Mode::Embedded) => Some(floor::send::measure(1_000, 20.0, size.seconds, name)?),
            (Self::Busy, Mode::Embedded) => Some(floor::send::measure(100, 2_000.0, size.seconds, name)?),
            (Self::Publish, Mode::Embedded) => Some(floor::commit::measure(size.seconds, name)?),
            (Self::Publish, Mode::Cluster) => Some(floor::kafka::measure(name)?),
            _ => None,
        })
    }

    /// Partyline, started for this alone.
    ///
    /// # Errors
    /// If it cannot be started, or ends.
    pub fn ours(self, program: &Path, mode: Mode, size: Size) -> Result<Vec<Report>> {
        if self == Self::CatchUp {
            return catch_up::measure(program, mode, size.records, TEXT_BYTES, self.name(mode));
        }
        let place = Place::new(program, mode)?;
        let node = place.start()?;
        let people = Partyline::prepare(&[node.addr], 0)?;
        // What hashing their passwords took of memory is given back at some time or other: not to be in the figures.
        drop(node);
        let node = place.start()?;
        let target = Arc::new(people.again(node.addr, self.rooms())?);
        self.run(&Server { label: mode.label().into(), target, pids: vec![node.pid()] }, mode, size).map(|r| vec![r])
    }

    /// A server that runs already. Of what is not its trade, nothing.
    ///
    /// # Errors
    /// If it does not answer.
    pub fn peer(self, name: &str, addr: &str, pid: Option<u32>, size: Size) -> Result<Option<Report>> {
        if self == Self::CatchUp {
            return Ok(None);
        }
        let options = Options::from([("addr".to_owned(), addr.to_owned())]);
        let target = Arc::from(targets::load(name, &options, self.rooms())?);
        let server = Server { label: name.into(), target, pids: pid.into_iter().collect() };
        self.run(&server, Mode::Embedded, size).map(Some)
    }

    fn run(self, server: &Server, mode: Mode, size: Size) -> Result<Report> {
        match self.load(mode, size) {
            Some(load) => measure::load(server, &load),
            None => measure::idle(server, self.name(mode), 10_000, self.rooms()),
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
         work included. Everything of Partyline is on: accounts, rights, positions, resume; an acknowledged message is on\n\
         the disk. A floor is the same work without a chat: ready bytes put on as many sockets by bare `send`; rows like\n\
         the log's committed in groups; Kafka's own tool; the rows of a store put into like tables once more.\n\
         A store comes to be behind in a cluster because nodes without `persist` take the records and one with it starts\n\
         later; embedded, because the node ends and gets back the store that it had before. Counted is from the first\n\
         record that is seen to be folded to the last.\n"
    )
}
