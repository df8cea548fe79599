//! Loads a running chat the way people do, and measures it: against the floor and against its peers in one run, as it
//! grows, and over a long time.
//!
//! Every payload carries when it was sent, its number and its room, so what is late, missing, doubled or disordered is
//! seen whatever the server wraps it in. Loopback only.

#![allow(clippy::disallowed_methods, reason = "a thread that waits here holds up nobody")]

mod catch_up;
mod compare;
mod database;
mod document;
mod floor;
mod goals;
mod growth;
mod http;
mod measure;
mod plot;
mod procstat;
mod program;
mod publisher;
mod report;
mod scenario;
mod soak;
mod stamp;
mod subscribers;
mod target;
mod targets;
mod timed;
mod ws;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::{net::SocketAddr, path::PathBuf};

/// Measures Partyline, the floor beneath it, and servers like it that run on this machine. Without a command: `compare`.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    compare: Compare,
}

#[derive(clap::Args)]
struct Compare {
    #[command(flatten)]
    program: Program,
    #[command(flatten)]
    compare: compare::Compare,
}

/// The program under load.
#[derive(clap::Args)]
struct Program {
    /// The program, built with `--release`
    #[arg(long, default_value = "target/release/partyline")]
    partyline: PathBuf,
}

#[derive(Subcommand)]
enum Command {
    /// Partyline beside the floor and its peers
    Compare(Compare),
    /// What costs as people, rooms, nodes and messages become more
    Growth {
        #[command(flatten)]
        program: Program,
        #[command(flatten)]
        growth: growth::Growth,
    },
    /// The same mix for a long time: does it grow, does it lose anything?
    Soak {
        #[command(flatten)]
        program: Program,
        #[command(flatten)]
        soak: soak::Soak,
    },
    /// The other end of the floor's sockets: started by this program itself
    #[command(hide = true)]
    Readers {
        /// Where they connect
        to: SocketAddr,
        /// How many
        sockets: usize,
    },
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    rustix::process::setrlimit(rustix::process::Resource::Nofile, {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum }
    })?;
    match arguments.command.unwrap_or(Command::Compare(arguments.compare)) {
        Command::Compare(c) => compare::run(&c.program.partyline, &c.compare),
        Command::Growth { program, growth } => growth::run(&program.partyline, &growth),
        Command::Soak { program, soak } => soak::run(&program.partyline, &soak),
        Command::Readers { to, sockets } => floor::send::read(to, sockets),
    }
}
