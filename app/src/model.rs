//! The nouns of the chat, as both the server and the browser speak of them.
//!
//! Whatever arrives from outside is parsed here into a type that cannot hold a
//! bad value; code behind the edge never checks again.

use crate::json::tagged;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, str::FromStr};
use uuid::Uuid;

mod emoji;
mod file;
mod level;
mod names;
mod people;
mod pins;
mod rest;
mod room;
mod search;

pub use emoji::Emoji;
pub use file::{FileAddress, FileName, MAX_FILE_BYTES, MAX_FILE_NAME_CHARS, MAX_SIDE, Uploaded};
pub use level::NotificationLevel;
pub use names::{DisplayName, RoomName, Username};
pub use people::{AccountChange, AccountInfo, AccountList, AuditEntry, AuditLog, RoomInfo, RoomList, SessionInfo};
pub use pins::{MAX_PINS, Pin, PinList};
pub use rest::Rest;
pub use room::{DirectoryPage, DirectoryQuery, Invite, RoomChange, RoomChanged, Topic};
pub use search::{FoundIn, Piece, SearchHit, SearchPage, SearchQuery};

/// Longest message body, in bytes of UTF-8.
pub const MAX_BODY_BYTES: usize = 16 * 1024;
/// Longest room name, in characters.
pub const MAX_ROOM_NAME_CHARS: usize = 80;
/// Longest topic of a room, in characters.
pub const MAX_TOPIC_CHARS: usize = 250;
/// Longest time that a room's messages are kept if they are not kept for ever, in days.
pub const MAX_KEEP_DAYS: u32 = 3650;
/// Longest display name, in characters.
pub const MAX_DISPLAY_NAME_CHARS: usize = 60;
/// Shortest password, in characters.
pub const MIN_PASSWORD_CHARS: usize = 8;
/// Longest password, in bytes: bounds the work of hashing it.
pub const MAX_PASSWORD_BYTES: usize = 256;
/// Longest search, in characters.
pub const MAX_SEARCH_CHARS: usize = 256;
/// Longest emoji of a reaction, in bytes: a flag or a family is a sequence of code points.
pub const MAX_EMOJI_BYTES: usize = 64;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id. It is a UUIDv7, which is roughly, and only roughly, in order of time.
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(s: &str) -> Result<Self, Self::Err> {
                s.parse().map(Self)
            }
        }
    };
}

id!(
    /// A room.
    RoomId
);
id!(
    /// An account.
    UserId
);
id!(
    /// A message. Made by the sender's client: it is the idempotency key all the way.
    MessageId
);
id!(
    /// A file that somebody has uploaded.
    FileId
);
id!(
    /// A signed-in session.
    SessionId
);

/// A place in a room's order: `epoch.offset`, opaque to clients.
///
/// `epoch` is the generation of the log (from 1 on), `offset` the record's
/// offset in the room's partition. [`Position::START`] comes before everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// The generation of the log.
    pub epoch: u32,
    /// The record's offset in its partition; it rises with gaps, since a partition carries many rooms.
    pub offset: u64,
}

impl Position {
    /// Before the first event of any room.
    pub const START: Self = Self { epoch: 0, offset: 0 };

    /// After everything of the log before the generation `epoch`, and before the first record of that.
    pub const fn before(epoch: u32) -> Self {
        match epoch {
            0 | 1 => Self::START,
            // As far as a database's numbers go, so that it comes back from there unchanged.
            later => Self { epoch: later - 1, offset: i64::MAX as u64 },
        }
    }

    /// The position of the record at `offset` in generation `epoch` of the log.
    pub const fn new(epoch: u32, offset: u64) -> Self {
        Self { epoch, offset }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.offset)
    }
}

/// The text is not a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a position")]
pub struct NotAPosition;

impl FromStr for Position {
    type Err = NotAPosition;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        let (epoch, offset) = s.split_once('.').ok_or(NotAPosition)?;
        if !digits(epoch) || !digits(offset) {
            return Err(NotAPosition);
        }
        Ok(Self { epoch: epoch.parse().map_err(|_| NotAPosition)?, offset: offset.parse().map_err(|_| NotAPosition)? })
    }
}

impl Serialize for Position {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Milliseconds since 1970-01-01T00:00:00Z. For display only: order is the position's.
pub type Millis = i64;

/// Who may see and write what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Anyone may read, visitors too; members write.
    Public,
    /// Listed for everyone with an account; members read and write.
    Members,
    /// Unlisted; by invitation.
    Private,
}

impl Visibility {
    /// The word in the database and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Members => "members",
            Self::Private => "private",
        }
    }
}

impl FromStr for Visibility {
    type Err = Invalid;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        match s {
            "public" => Ok(Self::Public),
            "members" => Ok(Self::Members),
            "private" => Ok(Self::Private),
            _ => Err(Invalid("visibility is public, members or private")),
        }
    }
}

/// What a member may do in a room; each more than the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Writes.
    Member,
    /// Also deletes anyone's messages, lets members in and takes them out, and says what the room is called and about.
    Moderator,
    /// Also says who is a moderator or an owner, who may see the room, how long messages are kept, and whether it is
    /// archived.
    Owner,
}

impl Role {
    /// The word in the database and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Moderator => "moderator",
            Self::Owner => "owner",
        }
    }

    /// Runs the room, as an owner or for one.
    pub const fn runs(self) -> bool {
        matches!(self, Self::Moderator | Self::Owner)
    }
}

impl FromStr for Role {
    type Err = Invalid;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        match s {
            "member" => Ok(Self::Member),
            "moderator" => Ok(Self::Moderator),
            "owner" => Ok(Self::Owner),
            _ => Err(Invalid("role is member, moderator or owner")),
        }
    }
}

/// A person as others see them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct User {
    /// Stable id.
    pub id: UserId,
    /// Unique, lower case.
    pub username: String,
    /// As the person wants to be called.
    pub display_name: String,
    /// Came in with one click, has no password.
    #[serde(default)]
    pub guest: bool,
    /// Runs this installation.
    #[serde(default)]
    pub admin: bool,
}

/// A room as one viewer sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// Stable id.
    pub id: RoomId,
    /// The name in addresses.
    pub slug: String,
    /// The name for people.
    pub name: String,
    /// Who may see and write.
    pub visibility: Visibility,
    /// The viewer's role, if a member.
    pub role: Option<Role>,
    /// How many members there are.
    pub members: u64,
    /// What it is about; empty: nothing is said.
    #[serde(default)]
    pub topic: String,
    /// It is read, and nothing happens in it any more.
    #[serde(default)]
    pub archived: bool,
    /// So many days its messages are kept; 0: for ever.
    #[serde(default)]
    pub keep_days: u32,
}

/// What somebody has not read of a room that they are in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unread {
    /// The room.
    pub room: RoomId,
    /// Everything up to here is read; where they joined, if they never said so.
    pub read: Position,
    /// What is counted here is up to this position: a subscription since it brings the rest.
    pub upto: Position,
    /// Messages of others after `read`, among the newest two hundred there, [`MAX_UNREAD`] at most.
    pub unread: u32,
    /// How many of others' mention the reader, among the newest thousand after `read`, `unread` at most. In a direct
    /// conversation each does.
    pub mentions: u32,
    /// It is a direct conversation.
    #[serde(default)]
    pub direct: bool,
    /// How much of it the reader wants to be told of. What is counted here does not depend on it.
    #[serde(default)]
    pub level: NotificationLevel,
}

/// Nobody needs to know more exactly how much they have not read.
pub const MAX_UNREAD: u32 = 100;

/// A message as it stands now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The sender's id for it.
    pub id: MessageId,
    /// Where it was posted.
    pub at: Position,
    /// Who posted it.
    pub author: User,
    /// The text; empty once deleted.
    pub body: String,
    /// When the server accepted it.
    pub sent_at: Millis,
    /// When it was last edited.
    #[serde(default)]
    pub edited_at: Option<Millis>,
    /// Deleted: the place remains, the text does not.
    #[serde(default)]
    pub deleted: bool,
    /// The message it answers.
    #[serde(default)]
    pub reply_to: Option<MessageId>,
    /// By emoji, in order of the first use.
    #[serde(default)]
    pub reactions: Vec<Reaction>,
    /// The room keeps it in view.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pinned: bool,
    /// How many messages answer this one and are not deleted.
    #[serde(default, skip_serializing_if = "is_none")]
    pub replies: u32,
}

impl Message {
    /// One that is being posted: where is known once the log has it.
    pub fn new(id: MessageId, author: User, body: impl Into<String>, sent_at: Millis) -> Self {
        Self {
            id,
            at: Position::START,
            author,
            body: body.into(),
            sent_at,
            edited_at: None,
            deleted: false,
            reply_to: None,
            reactions: Vec::new(),
            pinned: false,
            replies: 0,
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_none(count: &u32) -> bool {
    *count == 0
}

/// One emoji under a message and who put it there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reaction {
    /// The emoji itself.
    pub emoji: String,
    /// User names, in order of time.
    pub users: Vec<String>,
}

/// A stretch of a room's history, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessagePage {
    /// Oldest first.
    pub messages: Vec<Message>,
    /// Everything up to here is in this answer or before it: subscribe `since` it.
    pub at: Position,
    /// The rows are as of this: every edit, deletion and reaction up to here is in them. Later than `at` if the answer
    /// stops short of the newest message; [`Position::START`] from a server that does not say.
    #[serde(default = "start")]
    pub as_of: Position,
    /// There is more in the direction that was asked for.
    pub more: bool,
}

impl MessagePage {
    /// Takes away the `count` messages that adjoin what was read before: the last ones of an older stretch, the first
    /// ones of a newer. As if no more had been asked for.
    pub fn take_part(&mut self, count: usize, older: bool) -> Self {
        let all = self.messages.len();
        let rest = self.messages.split_off(if older { all.saturating_sub(count) } else { count.min(all) });
        let messages = if older { rest } else { std::mem::replace(&mut self.messages, rest) };
        let more = self.more || !self.messages.is_empty();
        Self { messages, at: self.at, as_of: self.as_of, more }
    }
}

fn start() -> Position {
    Position::START
}

/// A message and a stretch of those that answer it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thread {
    /// What is answered.
    pub message: Message,
    /// The answers; as of the same moment as the message.
    pub page: MessagePage,
}

/// Which stretch of a room's history. At most one of `before`, `after`, `around`; none: the newest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryQuery {
    /// Older than this.
    pub before: Option<Position>,
    /// Newer than this.
    pub after: Option<Position>,
    /// This message in the middle.
    pub around: Option<MessageId>,
    /// How many messages: 1 to 200, 50 if not given.
    pub limit: Option<u32>,
    /// Wait, 500 ms at most, until the store has reached this.
    pub at_least: Option<Position>,
}

/// A person in a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Who.
    pub user: User,
    /// As what.
    pub role: Role,
}

/// The answer to a write inside a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// Where the log has it.
    pub at: Position,
}

/// The answer to a posted message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posted {
    /// The message's id.
    pub id: MessageId,
    /// Where the log has it.
    pub at: Position,
    /// It was there already: this was a retry.
    #[serde(skip)]
    pub repeated: bool,
}

/// What happened in a room. Each is one record of the log.
///
/// What this version does not know, a kind or a field, is carried as it is, so
/// that nodes of two versions can run side by side.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A kind that this version knows, and what else a later version has put into it.
    Known(KnownEvent, Rest),
    /// A kind of a later version.
    Unknown(serde_json::Value),
}

tagged! { "kind", "KnownEvent";
    /// The kinds of event that this version knows.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum KnownEvent {
        /// The room's first event.
        RoomCreated {
            /// Who made it.
            by: User,
        },
        /// A message was posted. In the log `message.at` is [`Position::START`]; readers fill it from the record's place.
        MessagePosted {
            /// The message.
            message: Message,
        },
        /// A message's text was replaced.
        MessageEdited {
            /// Which.
            id: MessageId,
            /// The new text.
            body: String,
            /// When.
            edited_at: Millis,
            /// Where it was posted, for whoever has to know how old it is and does not have it.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            posted_at: Option<Position>,
        },
        /// A message was deleted.
        MessageDeleted {
            /// Which.
            id: MessageId,
            /// Who did it.
            by: User,
            /// What it answered, for whoever counts replies and does not have it.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            reply_to: Option<MessageId>,
        },
        /// A reaction was put under a message.
        ReactionAdded {
            /// Under which message.
            id: MessageId,
            /// The emoji.
            emoji: String,
            /// Who.
            by: User,
        },
        /// A reaction was taken back.
        ReactionRemoved {
            /// Under which message.
            id: MessageId,
            /// The emoji.
            emoji: String,
            /// Who.
            by: User,
        },
        /// A message is kept in view, unless it was already.
        MessagePinned {
            /// Which.
            id: MessageId,
            /// Who did it.
            by: User,
            /// When.
            pinned_at: Millis,
        },
        /// A message is not kept in view any more.
        MessageUnpinned {
            /// Which.
            id: MessageId,
            /// Who did it.
            by: User,
        },
        /// The room's messages have become too old, up to there: nothing of them remains.
        MessagesExpired {
            /// This one too.
            up_to: Position,
        },
        /// The room is called, about, or seen by, something else.
        RoomChanged(RoomChanged),
        /// Somebody became a member, or one of another role.
        MemberJoined {
            /// Who.
            user: User,
            /// As what.
            role: Role,
        },
        /// Somebody is no longer a member: they see nothing later than this.
        MemberLeft {
            /// Who.
            user: User,
            /// Who removed them; the person themselves if they left.
            by: User,
        },
    }
}

impl Event {
    /// The message whose text this event carries.
    pub fn text_of(&self) -> Option<MessageId> {
        match self {
            Self::Known(KnownEvent::MessagePosted { message }, _) => Some(message.id),
            Self::Known(KnownEvent::MessageEdited { id, .. }, _) => Some(*id),
            _ => None,
        }
    }

    /// Whether this event, which happened at `at`, carries the text of a message that was posted at or before `up_to`.
    pub fn is_text_up_to(&self, at: Position, up_to: Position) -> bool {
        match self {
            Self::Known(KnownEvent::MessagePosted { .. }, _) => at <= up_to,
            Self::Known(KnownEvent::MessageEdited { posted_at, .. }, _) => posted_at.unwrap_or(at) <= up_to,
            _ => false,
        }
    }

    /// The event as it is once that message is deleted: its place remains, the text does not.
    pub fn without_text(mut self) -> Self {
        match &mut self {
            Self::Known(KnownEvent::MessagePosted { message }, rest) => {
                message.body.clear();
                message.deleted = true;
                // A later version may keep text there too.
                *rest = Rest::default();
            }
            Self::Known(KnownEvent::MessageEdited { body, .. }, rest) => {
                body.clear();
                *rest = Rest::default();
            }
            _ => {}
        }
        self
    }
}

impl From<KnownEvent> for Event {
    fn from(e: KnownEvent) -> Self {
        Self::Known(e, Rest::default())
    }
}

/// The input breaks a rule; the text says which, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub &'static str);

/// A text that may be posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageBody(String);

/// Why a text may not be posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadBody {
    /// Nothing but white space.
    #[error("a message needs some text")]
    Empty,
    /// More than [`MAX_BODY_BYTES`].
    #[error("a message may have 16 KiB at most")]
    TooLong,
}

impl MessageBody {
    /// Takes the text as it is, but for line ends (`\r\n` and `\r` become `\n`), NUL characters and white space at its
    /// end. What it gives, it takes as it is.
    ///
    /// # Errors
    /// [`BadBody::Empty`] if nothing is left, [`BadBody::TooLong`] over [`MAX_BODY_BYTES`].
    pub fn parse(text: &str) -> Result<Self, BadBody> {
        // PostgreSQL's text cannot hold NUL: both stores refuse it alike by never getting it.
        let text = text.replace('\0', "").replace("\r\n", "\n").replace('\r', "\n");
        let text = text.trim_end();
        if text.chars().all(|c| c.is_whitespace() || names::deceives(c)) {
            return Err(BadBody::Empty);
        }
        if text.len() > MAX_BODY_BYTES {
            return Err(BadBody::TooLong);
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text itself.
    pub fn into_string(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_position_survives_its_text_and_keeps_its_order(a: (u32, u64), b: (u32, u64)) {
            let (a, b) = (Position::new(a.0, a.1), Position::new(b.0, b.1));
            prop_assert_eq!(a.to_string().parse(), Ok(a));
            prop_assert_eq!(serde_json::from_str::<Position>(&serde_json::to_string(&a).expect("json")).ok(), Some(a));
            prop_assert_eq!(a.cmp(&b), (a.epoch, a.offset).cmp(&(b.epoch, b.offset)));
        }

        #[test]
        fn a_text_that_is_a_position_is_the_one_text_of_it_but_for_zeros(text in "[0-9.+ -]{0,24}") {
            if let Ok(at) = text.parse::<Position>() {
                let plain = |digits: &str| digits.trim_start_matches('0').to_owned();
                let (epoch, offset) = text.split_once('.').expect("it has a dot");
                prop_assert_eq!((plain(epoch), plain(offset)), (plain(&at.epoch.to_string()), plain(&at.offset.to_string())));
            }
        }
    }

    #[test]
    fn positions_are_ordered_by_epoch_then_offset_and_survive_the_wire() {
        let ordered = ["0.0", "1.0", "1.9", "1.10", "2.0"].map(|s| s.parse::<Position>().expect("a position"));
        assert!(ordered.is_sorted());
        assert_eq!(serde_json::to_string(&ordered[3]).expect("json"), "\"1.10\"");
        assert_eq!(serde_json::from_str::<Position>("\"1.10\"").expect("json"), ordered[3]);
        for bad in ["", "1", "1.", ".1", "1.-1", "+1.1", "1.1.1", "a.b", "99999999999.1"] {
            assert!(bad.parse::<Position>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_event_of_an_unknown_kind_is_carried_unchanged() {
        let text = r#"{"kind":"poll_opened","question":"Tea?"}"#;
        let event: Event = serde_json::from_str(text).expect("json");
        assert!(matches!(event, Event::Unknown(_)));
        assert_eq!(serde_json::to_string(&event).expect("json"), text);
    }

    #[test]
    fn a_body_is_kept_but_for_line_ends_and_trailing_space() {
        assert_eq!(MessageBody::parse("  a\r\nb \n\n").expect("good").as_str(), "  a\nb");
        assert_eq!(MessageBody::parse("a\r\0\nb\r\r\nc").expect("good").as_str(), "a\nb\n\nc");
        assert_eq!(MessageBody::parse(" \n\t"), Err(BadBody::Empty));
        assert!(MessageBody::parse(&"x".repeat(MAX_BODY_BYTES)).is_ok());
        assert_eq!(MessageBody::parse(&"x".repeat(MAX_BODY_BYTES + 1)), Err(BadBody::TooLong));
    }
}
