//! Hearing from the server is a chunk of its own (feature `split`): what was rendered is taken over without waiting for
//! it.

use super::{Command, Link, Live, backoff_ms, socket};
use crate::{
    browser::{random, within_ms},
    markdown::NotLoaded,
};
use futures::{StreamExt, channel::mpsc::Receiver};
use leptos::{prelude::*, task::spawn_local};

/// How long fetching may take.
const FETCH_MS: u64 = 30_000;

/// What is in the chunk: the task that owns the socket.
type Start = fn(Live, Receiver<Command>);

const START: Start = |live, commands| spawn_local(socket::run(live, commands));

/// Fetches the chunk, again and again, and lets it run. Without it the connection is as good as lost.
pub async fn run(live: Live, mut commands: Receiver<Command>) {
    let mut failures = 0;
    let start = loop {
        match within_ms(FETCH_MS, fetch()).await {
            Some(Ok(start)) => break start,
            Some(Err(NotLoaded)) | None => {
                live.link.set(Link::Lost { retry_in_s: 0 });
                // Whatever is asked for is a reason to try; the socket looks itself what is watched.
                if within_ms(backoff_ms(failures, random()), commands.next()).await == Some(None) {
                    return;
                }
                failures += 1;
            }
        }
    };
    start(live, commands);
}

#[cfg(not(feature = "split"))]
async fn fetch() -> Result<Start, NotLoaded> {
    Ok(START)
}

#[cfg(feature = "split")]
use split::fetch;

#[cfg(feature = "split")]
mod split {
    use super::*;
    use leptos::wasm_split::{self, wasm_split};

    /// What this refers to, and nothing else does, is cut out.
    #[wasm_split(live, wasm_split_path = wasm_split, fallible)]
    #[allow(unsafe_code, reason = "names symbols for the tool that splits the file")]
    pub fn fetch() -> Result<Start, NotLoaded> {
        Ok(START)
    }
}
