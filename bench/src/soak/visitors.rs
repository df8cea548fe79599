//! Who reads back, and who edits, a few times a second: one thread, one thing after another.

use crate::{
    target::Target,
    targets::Partyline,
    timed::{Answer, Asker},
};
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{JoinHandle, sleep},
    time::Duration,
};

const PAUSE: Duration = Duration::from_millis(100);
/// One in so many reads is followed by an edit of what was read.
const EDIT_EVERY: u64 = 5;
/// And one in so many by a page of the room, as a browser opens it.
const OPEN_EVERY: u64 = 20;

/// What they did.
#[derive(Default)]
pub struct Visits {
    /// Pages of history.
    pub reads: u64,
    /// Edits.
    pub edits: u64,
    /// The first that was not answered as it should be.
    pub wrong: Option<String>,
}

/// Visits `rooms` in turn until `stop`.
pub fn spawn(addr: SocketAddr, target: Arc<Partyline>, rooms: usize, stop: Arc<AtomicBool>) -> JoinHandle<Visits> {
    std::thread::spawn(move || {
        let mut visits = Visits::default();
        let mut asker = None;
        while !stop.load(Relaxed) {
            if let Err(error) = visit(&mut asker, addr, &target, rooms, &mut visits) {
                visits.wrong.get_or_insert(format!("{error:#}"));
                asker = None;
            }
            sleep(PAUSE);
        }
        visits
    })
}

fn visit(
    asker: &mut Option<Asker>,
    addr: SocketAddr,
    target: &Partyline,
    rooms: usize,
    visits: &mut Visits,
) -> Result<()> {
    let asker = match asker {
        Some(asker) => asker,
        none => none.insert(Asker::connect(addr)?),
    };
    let room = target.room_name("", (visits.reads * 7 % rooms as u64) as usize)?;
    // Who made the rooms wrote everything in them, and may edit it.
    let token = target.token(0);
    let token = Some(token.as_str());
    let answer = asker.get(&format!("/api/v1/rooms/{room}/messages"), token)?;
    visits.reads += 1;
    let newest = in_order(&answer)?;
    if let Some(id) = newest.filter(|_| visits.reads.is_multiple_of(EDIT_EVERY)) {
        let body = json!({"body": format!("edited for the {}th time", visits.edits + 1)}).to_string();
        let answer = asker.ask("PATCH", &format!("/api/v1/rooms/{room}/messages/{id}"), token, &body)?;
        if answer.status != 200 {
            bail!("an edit: {} {}", answer.status, String::from_utf8_lossy(&answer.body));
        }
        visits.edits += 1;
    }
    if visits.reads.is_multiple_of(OPEN_EVERY) {
        asker.get(&format!("/rooms/{room}"), token)?;
    }
    Ok(())
}

/// The id of the newest message of a page whose places rise.
fn in_order(answer: &Answer) -> Result<Option<String>> {
    let page: Value = serde_json::from_slice(&answer.body)?;
    let messages = page["messages"].as_array().context("no messages")?;
    let place = |message: &Value| -> Option<(u64, u64)> {
        let (epoch, offset) = message["at"].as_str()?.split_once('.')?;
        Some((epoch.parse().ok()?, offset.parse().ok()?))
    };
    let places: Vec<_> = messages.iter().map(|message| place(message).context("no place")).collect::<Result<_>>()?;
    ensure!(places.is_sorted_by(|a, b| a < b), "a page that is not in order: {places:?}");
    Ok(messages.last().and_then(|message| message["id"].as_str()).map(str::to_owned))
}
