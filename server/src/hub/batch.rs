//! What has happened in a room since it was last said, on its way to all who watch it: one write a socket.

use super::connection::Connection;
use crate::websocket::Frame;
use app::model::Position;
use bytes::{Bytes, BytesMut};
use std::sync::Arc;
use tokio::task::JoinSet;

/// A batch is full with so many bytes.
const MAX_BYTES: usize = 64 * 1024;
/// After so many sockets others get their turn.
const TURN: usize = 256;
/// So many sockets are written to by one task; the rest of a larger room by others, at the same time.
const TASK: usize = 2_048;

/// Events that have come and that nobody has been sent yet, in their order.
#[derive(Default)]
pub struct Batch {
    events: Vec<(Position, Frame)>,
    bytes: usize,
}

impl Batch {
    /// Most events in one.
    pub const MAX_EVENTS: usize = 64;

    /// Adds the next event.
    pub fn push(&mut self, at: Position, frame: Frame) {
        self.bytes += frame.size();
        self.events.push((at, frame));
    }

    /// Adds all of another one.
    pub fn add(&mut self, other: &Self) {
        self.bytes += other.bytes;
        self.events.extend_from_slice(&other.events);
    }

    /// There is room for all of another one.
    pub fn has_room_for(&self, other: &Self) -> bool {
        self.events.len() + other.events.len() <= Self::MAX_EVENTS
    }

    /// It is to be sent before more is added.
    pub fn is_full(&self) -> bool {
        self.events.len() >= Self::MAX_EVENTS || self.bytes >= MAX_BYTES
    }

    /// Nothing has come.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Sends it to everybody: the number of their connection, the connection, up to where they know everything. Says whose
    /// connections are over.
    pub async fn send(self, to: Vec<(u64, &Arc<Connection>, Position)>) -> Vec<u64> {
        if to.is_empty() {
            return Vec::new();
        }
        metrics::counter!("partyline_deliveries_total").increment((to.len() * self.events.len()) as u64);
        let sealed = Arc::new(Sealed::new(self));
        if to.len() <= TASK {
            return sealed.send_to(&to).await;
        }
        let mut tasks = JoinSet::new();
        for some in to.chunks(TASK) {
            let some: Vec<_> =
                some.iter().map(|(id, connection, knows)| (*id, Arc::clone(connection), *knows)).collect();
            let sealed = sealed.clone();
            tasks.spawn(async move { sealed.send_to(&some).await });
        }
        // The next batch waits for all of this one: that is what keeps the order.
        tasks.join_all().await.concat()
    }
}

/// What passes: who types, who is here. It may be left out, and is not in the order of the events.
#[derive(Default)]
pub struct Passing {
    /// For all who read along.
    typing: Vec<Frame>,
    /// For those of them who are shown who is here.
    present: Vec<Frame>,
}

impl Passing {
    /// Somebody types.
    pub fn typing(&mut self, frame: Frame) {
        if !self.typing.contains(&frame) {
            self.typing.push(frame);
        }
    }

    /// Who is here has changed.
    pub fn present(&mut self, frames: Vec<Frame>) {
        self.present.extend(frames);
    }

    /// Sends it in one write each. `to`: a connection, and whether it is shown who is here.
    pub async fn send(self, to: impl Iterator<Item = (&Arc<Connection>, bool)>) {
        if self.typing.is_empty() && self.present.is_empty() {
            return;
        }
        let some = together(self.typing.iter());
        let all = together(self.typing.iter().chain(&self.present));
        for (n, (connection, shown)) in to.enumerate() {
            match shown {
                true => connection.send_bytes_if_idle(&all, self.typing.len() + self.present.len()),
                false if some.is_empty() => {}
                false => connection.send_bytes_if_idle(&some, self.typing.len()),
            }
            if n % TURN == TURN - 1 {
                tokio::task::yield_now().await;
            }
        }
    }
}

fn together<'a>(frames: impl Iterator<Item = &'a Frame>) -> Bytes {
    let mut together = BytesMut::new();
    frames.for_each(|frame| together.extend_from_slice(frame.bytes()));
    together.freeze()
}

/// A batch to which nothing is added, with all of it in one piece.
struct Sealed {
    events: Vec<(Position, Frame)>,
    together: Bytes,
}

impl Sealed {
    fn new(Batch { events, .. }: Batch) -> Self {
        let together = match &events[..] {
            [(_, one)] => one.bytes().clone(),
            several => together(several.iter().map(|(_, frame)| frame)),
        };
        Self { events, together }
    }

    /// `false`: the connection is over.
    fn give(&self, connection: &Connection, knows: Position) -> bool {
        match self.events.first() {
            Some((first, _)) if knows < *first => connection.send_bytes(&self.together, self.events.len()),
            _ => self.events.iter().filter(|(at, _)| *at > knows).all(|(_, frame)| connection.send(frame)),
        }
    }

    async fn send_to(&self, to: &[(u64, impl AsRef<Connection>, Position)]) -> Vec<u64> {
        let mut gone = Vec::new();
        for turn in to.chunks(TURN) {
            let over = turn.iter().filter(|(_, connection, knows)| !self.give(connection.as_ref(), *knows));
            gone.extend(over.map(|(id, ..)| *id));
            if turn.len() == TURN {
                tokio::task::yield_now().await;
            }
        }
        gone
    }
}
