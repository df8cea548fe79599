//! The frames of the WebSocket `/ws`, subprotocol `partyline.v1`.

use crate::{
    json::tagged,
    model::{Event, NotificationLevel, Position, RoomId},
};
use serde::{Deserialize, Serialize};

/// The subprotocol's name.
pub const SUBPROTOCOL: &str = "partyline.v1";
/// The prefix of a second subprotocol entry that carries an access token.
pub const BEARER_PREFIX: &str = "bearer.";
/// How often the server pings, in milliseconds.
pub const HEARTBEAT_MS: u64 = 20_000;
/// After how much silence either side gives the connection up, in milliseconds.
pub const SILENCE_MS: u64 = 45_000;
/// Longest frame that the server reads, in bytes.
pub const MAX_CLIENT_FRAME_BYTES: usize = 4 * 1024;

/// Close codes.
pub mod close {
    /// The node goes away: come back elsewhere.
    pub const GOING_AWAY: u16 = 1001;
    /// The client does what no client of this protocol does.
    pub const POLICY: u16 = 1008;
    /// The frame was too big.
    pub const TOO_BIG: u16 = 1009;
    /// The session ended or the token expired.
    pub const SESSION_ENDED: u16 = 4401;
    /// The client reads too slowly: resume.
    pub const TOO_SLOW: u16 = 4408;
}

/// What a client sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientFrame {
    /// Hear of a room. Without `since` from its head on.
    Subscribe {
        /// The room's id.
        room: RoomId,
        /// Everything up to here is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Position>,
        /// Only what is new is to be counted: the server need not keep much of the past for it, and who missed more than
        /// that is told so (`resync`).
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        counting: bool,
    },
    /// Hear of it no more.
    Unsubscribe {
        /// The room's id.
        room: RoomId,
    },
    /// Answered with [`ServerFrame::Pong`].
    Ping,
}

tagged! { "type", "ServerFrame";
    /// What the server sends.
    #[allow(clippy::large_enum_variant, reason = "nearly all frames are events, the largest; a box would only add a step")]
    #[derive(Clone, Debug, PartialEq)]
    pub enum ServerFrame {
        /// The first frame.
        Hello {
            /// The program's version.
            version: String,
            /// How often the server pings.
            heartbeat_ms: u64,
        },
        /// The subscription stands; missed events follow, then live ones.
        Subscribed {
            /// The room.
            room: RoomId,
            /// Live events come after this.
            at: Position,
            /// Everything missed since the given position follows.
            recovered: bool,
        },
        /// Something happened.
        Event {
            /// The room.
            room: RoomId,
            /// Where.
            at: Position,
            /// The room's event before this one; unknown: a receiver that cannot tell repairs.
            prev: Option<Position>,
            /// What.
            event: Event,
        },
        /// The missed events cannot be given: read the history again, then subscribe again.
        Resync {
            /// The room.
            room: RoomId,
            /// Why.
            reason: ResyncReason,
        },
        /// Somebody types. Not in the log.
        Typing {
            /// The room.
            room: RoomId,
            /// The user name.
            user: String,
        },
        /// Somebody listens in a room, with whatever device, or does so no longer. Not in the log.
        Presence {
            /// The room.
            room: RoomId,
            /// The user name.
            user: String,
            /// They do.
            online: bool,
        },
        /// Who listens in a room, all of them. Said after [`ServerFrame::Subscribed`] to those who are signed in and do not
        /// only count, and when much has changed at once. Not in the log.
        Present {
            /// The room.
            room: RoomId,
            /// The user names; empty if they are more than two hundred.
            users: Vec<String>,
            /// How many they are.
            count: u32,
        },
        /// The reader has read a room up to here, on any of their devices. Not in the log.
        Read {
            /// The room.
            room: RoomId,
            /// Up to here.
            at: Position,
        },
        /// The reader has chosen how much of a room they want to be told of, on any of their devices. Not in the log.
        Level {
            /// The room.
            room: RoomId,
            /// How much.
            level: NotificationLevel,
        },
        /// What the reader is in a room has changed: the list of their rooms is another. Not in the log.
        Membership {
            /// The room.
            room: RoomId,
        },
        /// Something was wrong with a frame; the connection stays.
        Error {
            /// For people.
            reason: String,
            /// The room it was about.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            room: Option<RoomId>,
        },
        /// The node drains: come back elsewhere.
        Reconnect {
            /// Wait so long first, in milliseconds.
            after_ms: u64,
        },
        /// What the installation can do just now; said when it changes, and after [`ServerFrame::Hello`] unless all is well.
        Status(Status),
        /// The answer to a ping.
        Pong,
        /// A frame of a later version: ignored.
        #[serde(other)]
        Unknown,
    }
}

/// What works. Live delivery does as long as the socket stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Messages are taken; if not, what is posted gets `503`.
    pub posting: bool,
    /// The history can be read.
    pub history: bool,
}

impl Status {
    /// All is well.
    pub const WELL: Self = Self { posting: true, history: true };
}

/// Why a subscription cannot be resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResyncReason {
    /// Too much was missed.
    TooOld,
    /// The position is of another generation of the log.
    Epoch,
}
