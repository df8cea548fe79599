//! One server a file.

mod centrifugo;
mod nats;
mod partyline;

use crate::target::{Options, Target};
use anyhow::{Result, bail};

pub use partyline::Partyline;

/// A server that runs already. `rooms`: how many are needed.
pub fn load(name: &str, options: &Options, rooms: usize) -> Result<Box<dyn Target>> {
    Ok(match name {
        "centrifugo" => Box::new(centrifugo::Centrifugo::new(options)?),
        "nats" => Box::new(nats::Nats::new(options)?),
        "partyline" => {
            let addr = crate::target::addr(crate::target::opt(options, "addr", "127.0.0.1:3000"))?;
            Box::new(Partyline::prepare(&[addr], rooms)?)
        }
        _ => bail!("unknown server {name}: partyline, centrifugo, nats"),
    })
}
