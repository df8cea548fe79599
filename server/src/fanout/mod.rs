//! The fan-out: step 3 of a message's way, from the relay to every node.
//!
//! It may lose what it carries: [`crate::hub`] finds holes by `prev` and repairs
//! them from the ring, the store or the log. [`local`] works within one process,
//! [`redis`] between any number of nodes.

use app::model::{NotificationLevel, Position, Role, RoomChange, RoomId, SessionId, UserId};
use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

pub mod claims;
pub mod local;
pub mod redis;
mod signals;

use claims::{Claim, Claimed, Fate};
use std::time::Instant;

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

/// Events of one partition, all that it has between two places, in its order.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// Which partition.
    pub partition: u32,
    /// What this relay knows to be relayed: a fan-out that does not know of it has gone back, and takes nothing.
    /// `None`: the relay knows nothing yet.
    pub after: Option<Position>,
    /// With these events, everything of the partition up to here is relayed.
    pub upto: Position,
    /// The events; some records come to none.
    pub events: &'a [Relayed],
}

impl<'a> Batch<'a> {
    /// These events, and whatever was before them.
    pub fn of(partition: u32, events: &'a [Relayed]) -> Self {
        let upto = events.iter().map(|e| e.at).max().unwrap_or(Position::START);
        Self { partition, after: None, upto, events }
    }

    /// The same in pieces, each after the one before it.
    fn pieces(&self, most_events: usize, most_bytes: usize) -> Vec<Self> {
        let mut pieces = Vec::new();
        let (mut after, mut rest) = (self.after, self.events);
        loop {
            let mut bytes = 0;
            let fits = rest.iter().take(most_events).take_while(|event| {
                bytes += event.payload.len();
                bytes <= most_bytes
            });
            let (events, later) = rest.split_at(fits.count().max(1).min(rest.len()));
            let upto =
                if later.is_empty() { self.upto } else { events.iter().map(|e| e.at).max().unwrap_or(self.upto) };
            pieces.push(Self { partition: self.partition, after, upto, events });
            if later.is_empty() {
                return pieces;
            }
            (after, rest) = (Some(upto), later);
        }
    }
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
        /// Somebody else took them out: they do not come back by themselves.
        #[serde(default)]
        removed: bool,
    },
    /// A room is another, by a record that the log has.
    RoomChanged {
        /// The room.
        room: RoomId,
        /// The record's position.
        at: Position,
        /// What became different.
        #[serde(flatten)]
        change: RoomChange,
    },
    /// Somebody has read a room up to a position: their other devices show it so.
    Read {
        /// The room.
        room: RoomId,
        /// Who.
        user: UserId,
        /// Up to here.
        at: Position,
    },
    /// Somebody has chosen how much of a room they want to be told of: so do their other devices.
    Level {
        /// The room.
        room: RoomId,
        /// Who.
        user: UserId,
        /// How much.
        level: NotificationLevel,
    },
    /// Who listens in these rooms at a node; none: the node lives.
    Here {
        /// Which node.
        node: Uuid,
        /// All of its people, room by room.
        rooms: Vec<PeopleHere>,
    },
    /// A node wants to be told who listens in these rooms.
    WhoIsHere {
        /// Which node.
        node: Uuid,
        /// Which rooms.
        rooms: Vec<RoomId>,
    },
    /// Of a later version: ignored.
    #[serde(other)]
    Unknown,
}

/// The people who listen in a room at one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeopleHere {
    /// The room.
    pub room: RoomId,
    /// Their user names; empty if they are too many.
    pub users: Vec<String>,
    /// How many they are.
    pub count: u32,
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

/// Why events were not published.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PublishError {
    /// Any part of the batch may have been done, its beginning; doing it again is harmless.
    #[error(transparent)]
    Away(#[from] FanoutError),
    /// It was put back to an earlier state (restored, emptied, failed over to a copy that lacks the latest), and took
    /// nothing: what comes after `marker` must be published again first, or `prev` would lie.
    #[error("the fan-out went back to {marker:?}")]
    WentBack {
        /// Everything up to here is in the rings; `None`: it knows nothing of this partition.
        marker: Option<Position>,
    },
}

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
/// - *one claim*: of all that claim a message id, one is told that it is its own; the others learn what became of it.
/// - *gap after reconnection*: once a lost connection is back and rooms are watched again, [`Signal::Gap`] follows.
/// - *marker is behind no ring*: what [`Fanout::relayed`] says is in the rings, whatever state the fan-out was put back to.
/// - *a fan-out that went back takes nothing* until what it lacks is published again.
/// - *silence is told*: within half a second or so of hearing nothing any more, [`Fanout::hearing`] says `false`.
#[async_trait]
pub trait Fanout: Send + Sync + 'static {
    /// Puts events into their rings, sends them to the watchers and moves the partition's marker, which never goes back
    /// by this. All of one room are in order.
    ///
    /// # Errors
    /// [`PublishError`]. Go on with later events of a room only after having published these: what is left out would be a
    /// hole that `prev` hides.
    async fn publish(&self, batch: &Batch<'_>) -> Result<(), PublishError>;

    /// The partitions' markers: everything up to there is relayed, and was put into the rings. `None`: not known.
    ///
    /// # Errors
    /// [`FanoutError`]
    async fn relayed(&self, partitions: &[u32]) -> Result<Vec<Option<Position>>, FanoutError>;

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

    /// Claims a message id, unless somebody has. Kept for [`claims::CLAIM_LIFE`], unless lost. The same claim made again
    /// is still its own.
    ///
    /// # Errors
    /// [`FanoutError`]; it may have been claimed.
    async fn claim(&self, claim: &Claim) -> Result<Claimed, FanoutError>;

    /// Says what became of a claim. [`Fate::Posted`] holds whoever had claimed it; anything else only if it was this one.
    ///
    /// # Errors
    /// [`FanoutError`]; it may have been said.
    async fn settle(&self, claim: &Claim, fate: Fate) -> Result<(), FanoutError>;

    /// Nothing was posted: the id is free again, if this claim still has it.
    ///
    /// # Errors
    /// [`FanoutError`]; it may have been released.
    async fn release(&self, claim: &Claim) -> Result<(), FanoutError>;

    /// Claims that were made before this, at whatever node, may be lost; `None`: none are, as far as this node can tell.
    fn claims_lost_at(&self) -> Option<Instant>;

    /// What this node hears. Taken once, by the hub. At most [`SIGNALS`] wait; what comes then is lost and
    /// [`Signal::Gap`] follows as soon as there is room.
    fn signals(&self) -> Option<mpsc::Receiver<Signal>>;

    /// Whether what is published arrives here. `false` from the moment on when nothing is heard any more: the connection
    /// is lost, or silent for longer than it may be. After `true` comes [`Signal::Gap`].
    fn hearing(&self) -> watch::Receiver<bool>;

    /// Is it there?
    ///
    /// # Errors
    /// [`FanoutError`] if not.
    async fn check(&self) -> Result<(), FanoutError>;
}
