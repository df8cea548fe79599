//! What is broken: an installation of real processes, started here.

pub mod installation;
pub mod node;
pub mod services;

pub use installation::{Installation, Mode};
pub use node::{Node, Role};
pub use services::{Service, Services};

use anyhow::Context;
use std::{net::SocketAddr, process::Command};

/// A signal for a process that this program has started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ends it at once.
    Kill,
    /// Asks it to end.
    Term,
    /// Holds it.
    Stop,
    /// Lets it go on.
    Cont,
}

impl Signal {
    fn send(self, pid: u32) -> anyhow::Result<()> {
        let name = match self {
            Self::Kill => "-KILL",
            Self::Term => "-TERM",
            Self::Stop => "-STOP",
            Self::Cont => "-CONT",
        };
        let sent = Command::new("kill").args([name, &pid.to_string()]).status().context("kill")?;
        anyhow::ensure!(sent.success(), "kill {name} {pid}: {sent}");
        Ok(())
    }
}

/// Ports that are free just now, all different.
///
/// # Errors
/// This machine has none.
pub fn free_ports<const N: usize>() -> anyhow::Result<[u16; N]> {
    let listeners: Vec<std::net::TcpListener> = (0..N)
        .map(|_| std::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))))
        .collect::<Result<_, _>>()
        .context("free ports")?;
    let mut ports = [0; N];
    for (port, listener) in ports.iter_mut().zip(&listeners) {
        *port = listener.local_addr()?.port();
    }
    Ok(ports)
}
