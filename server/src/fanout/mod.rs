//! The fan-out: step 3 of a message's way, from the relay to every node.
//!
//! It may lose what it carries: [`crate::hub`] finds holes by `prev` and repairs
//! them from the ring, the store or the log. [`local`] works within one process,
//! [`redis`] between any number of nodes.

use app::model::{Position, Role, RoomId, SessionId, UserId};
use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

pub mod local;
pub mod redis;
mod signals;

/// How many events of a room its ring keeps.
pub const RING_EVENTS: usize = 256;
/// How many signals wait for the hub; what comes then is lost and [`Signal::Gap`] follows.
pub const SIGNALS: usize = 4096;

/// An event on its way from the relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relayed {
    /// The room.
    pub room: RoomId,
    /// Its place.
    pub at: Position,
    /// It is the room's first event: `prev` is [`Position::START`] even if the ring is empty.
    pub first: bool,
    /// The event as JSON, ready to be put into a frame.
    pub payload: Bytes,
}

/// An event as the ring has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RingEvent {
    /// Its place.
    pub at: Position,
    /// The room's event before it, if the ring knew.
    pub prev: Option<Position>,
    /// The event as JSON.
    pub payload: Bytes,
}

/// What a room's ring has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ring {
    /// The newest event's place; `None`: the ring is empty and the head unknown.
    pub top: Option<Position>,
    /// The events after the asked position, in order.
    pub events: Vec<RingEvent>,
    /// Nothing between the asked position and `top` is missing from `events`.
    pub complete: bool,
}

impl Ring {
    /// Judges whether the events, all that the ring has after `after`, are all that there were.
    fn after(after: Position, top: Option<Position>, events: Vec<RingEvent>) -> Self {
        let complete = top.is_some_and(|top| {
            let mut known = after;
            for event in &events {
                match event.prev {
                    Some(prev) if prev <= known => known = event.at,
                    // A hole before this event, or nobody knew what came before it.
                    _ => return false,
                }
            }
            known >= top
        });
        Self { top, events, complete }
    }
}

/// Said to all nodes, kept nowhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Notice {
    /// These sessions ended: close their sockets, forget them.
    SessionsEnded {
        /// Which.
        sessions: Vec<SessionId>,
    },
    /// Somebody types in a room.
    Typing {
        /// The room.
        room: RoomId,
        /// The user name.
        user: String,
    },
    /// Somebody's role in a room is now this, by a record that the log has.
    MemberChanged {
        /// The room.
        room: RoomId,
        /// Who.
        user: UserId,
        /// As what; `None`: no member any more.
        role: Option<Role>,
        /// The record's position.
        at: Position,
    },
    /// Of a later version: ignored.
    #[serde(other)]
    Unknown,
}

/// What a node hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// An event of a watched room.
    Event {
        /// The room.
        room: RoomId,
        /// What.
        event: RingEvent,
    },
    /// A notice to all nodes.
    Notice(Notice),
    /// Something may have been missed (the connection was lost and is there again): compare heads.
    Gap,
}

/// The fan-out is away. Nothing stored is affected; the caller goes on and tries again.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the fan-out is not available: {0}")]
pub struct FanoutError(pub String);

/// Carries events to the nodes that watch a room, and keeps each room's latest.
///
/// Guarantees, each a test of the conformance suite under its name:
/// - *at most once*: an event reaches a watcher at most once, in the order of publishing within a room.
/// - *ring drops what is not new*: `at` ≤ top is dropped, neither kept nor sent.
/// - *prev is the top before*: atomically with the append to the ring; unknown top: `None`, but of a room's first event
///   [`Position::START`].
/// - *ring says when it is incomplete*: never a silent short answer.
/// - *heads are the rings' tops*.
/// - *notices reach every node*, the sender's too.
/// - *gap after reconnection*: once a lost connection is back and rooms are watched again, [`Signal::Gap`] follows.
#[async_trait]
pub trait Fanout: Send + Sync + 'static {
    /// Puts events into their rings and sends them to the watchers. All of one room are in order.
    ///
    /// # Errors
    /// [`FanoutError`]; any part of the batch may have been done, of each room its beginning, and doing it again is
    /// harmless. Go on with later events of a room only after that: what is left out would be a hole that `prev` hides.
    async fn publish(&self, events: &[Relayed]) -> Result<(), FanoutError>;

    /// Begins to hear of a room. When it returns, what is published later arrives.
    ///
    /// # Errors
    /// [`FanoutError`]; the room is remembered and watched as soon as the connection is back, then [`Signal::Gap`] comes.
    async fn watch(&self, room: RoomId) -> Result<(), FanoutError>;

    /// Hears of it no more. It may take the connection's deadline if the connection is being lost just then.
    async fn unwatch(&self, room: RoomId);

    /// A room's ring after a position.
    ///
    /// # Errors
    /// [`FanoutError`]
    async fn ring(&self, room: RoomId, after: Position) -> Result<Ring, FanoutError>;

    /// The rings' tops, in the order of the rooms.
    ///
    /// # Errors
    /// [`FanoutError`]
    async fn heads(&self, rooms: &[RoomId]) -> Result<Vec<Option<Position>>, FanoutError>;

    /// Tells every node.
    ///
    /// # Errors
    /// [`FanoutError`]; it may have been told.
    async fn tell(&self, notice: &Notice) -> Result<(), FanoutError>;

    /// What this node hears. Taken once, by the hub. At most [`SIGNALS`] wait; what comes then is lost and
    /// [`Signal::Gap`] follows as soon as there is room.
    fn signals(&self) -> Option<mpsc::Receiver<Signal>>;

    /// Is it there?
    ///
    /// # Errors
    /// [`FanoutError`] if not.
    async fn check(&self) -> Result<(), FanoutError>;
}
