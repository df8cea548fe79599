//! The log: step 2 of a message's way. What it has, happened; nothing else did.
//!
//! [`sqlite`] keeps it in a file, [`kafka`] in a topic. Nothing outside this
//! folder knows which.

use app::model::{Event, KnownEvent, Millis, Position, RoomId, UserId};
use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use post::Post;
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc;
use uuid::Uuid;

pub mod guard;
pub mod kafka;
mod lease;
pub mod misfit;
mod post;
pub mod sqlite;

/// No call waits longer.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);
/// Most entries of a batch, handed to a member or written at once.
pub(crate) const BATCH_ENTRIES: usize = 1_000;
/// A batch is closed when its payloads reach this size: with 8 waiting for each of 16 partitions, 32 MiB at most.
pub(crate) const BATCH_BYTES: usize = 256 * 1024;
/// Most batches that wait for a member, per partition.
const WAITING_BATCHES: usize = 4;

/// One thing that happened in a room, as the log keeps it (JSON).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The format's version: 1.
    pub v: u8,
    /// Where it happened. Also the record's key.
    pub room: RoomId,
    /// Who did it.
    pub by: UserId,
    /// The command's idempotency key; of a posted message, the message's id.
    pub id: Uuid,
    /// When a node accepted it.
    pub accepted_at: Millis,
    /// What happened.
    pub event: Event,
}

/// The bytes are not a record.
#[derive(Debug, thiserror::Error)]
#[error("not a record: {0}")]
pub struct NotARecord(#[source] serde_json::Error);

impl Record {
    /// The bytes for the log.
    pub fn encode(&self) -> Bytes {
        serde_json::to_vec(self).expect("a record is plain data").into()
    }

    /// A record from the log's bytes.
    ///
    /// # Errors
    /// [`NotARecord`] if they are not one.
    pub fn decode(payload: &[u8]) -> Result<Self, NotARecord> {
        match Post::read(payload).and_then(Post::into_record) {
            Some(post) => Ok(post),
            None => Self::decode_any(payload),
        }
    }

    /// The same, whatever kind it is of and whichever version wrote it.
    pub(crate) fn decode_any(payload: &[u8]) -> Result<Self, NotARecord> {
        serde_json::from_slice(payload).map_err(NotARecord)
    }

    /// The event as this version understands it: a posted message knows its place. For readers see [`event_json`].
    pub fn event_at(&self, at: Position) -> Event {
        let mut event = self.event.clone();
        if let Event::Known(KnownEvent::MessagePosted { message }, _) = &mut event {
            message.at = at;
        }
        event
    }
}

/// The event of a record's bytes as readers and the archive have it: whole, with what this version does not know of it,
/// and a posted message knows its place. The names of an object are in order, so that the same event is the same text
/// whichever version writes it.
///
/// # Errors
/// [`NotARecord`] if the bytes are not one.
pub fn event_json(payload: &[u8], at: Position) -> Result<String, NotARecord> {
    match Post::read(payload) {
        Some(post) => Ok(post.into_event_json(at)),
        None => event_json_any(payload, at),
    }
}

/// The same, whatever kind it is of and whichever version wrote it.
pub(crate) fn event_json_any(payload: &[u8], at: Position) -> Result<String, NotARecord> {
    #[derive(Deserialize)]
    struct Whole {
        event: serde_json::Value,
    }
    let mut event = serde_json::from_slice::<Whole>(payload).map_err(NotARecord)?.event;
    if event.get("kind").is_some_and(|kind| kind == "message_posted")
        && let Some(message) = event.get_mut("message").and_then(serde_json::Value::as_object_mut)
    {
        message.insert("at".into(), at.to_string().into());
    }
    Ok(event.to_string())
}

/// A record's bytes and their place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The offset in the partition.
    pub offset: u64,
    /// What [`Record::decode`] reads.
    pub payload: Bytes,
}

/// Why an append was not acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The log does not have it and never will: retry when the log is back.
    #[error("the log did not take the record: {0}")]
    NotPersisted(String),
    /// The log may have it: retry with the same idempotency key.
    #[error("the log did not answer: {0}")]
    Unknown(String),
    /// The disk is full; nothing was written.
    #[error("the log's disk is full")]
    Full,
}

/// The log did not answer a read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Not reachable just now: try again.
    #[error("the log is not available: {0}")]
    Unavailable(String),
    /// The offset is no longer, or not yet, in the log: an operator must decide.
    #[error("partition {partition} has no offset {offset}: {detail}")]
    OutOfRange {
        /// The partition.
        partition: u32,
        /// The offset that was asked for.
        offset: u64,
        /// What the log has instead.
        detail: String,
    },
    /// It is not there any more, or another one is in its place: whoever goes on would write into nowhere.
    #[error("the log is gone: {0}")]
    Gone(String),
    /// It cannot be used: damaged, or not set up as asked.
    #[error("the log cannot be used: {0}")]
    Broken(String),
}

/// What a partition has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The oldest entry's offset, or `end` if there is none.
    pub oldest: u64,
    /// The offset that the next entry will get.
    pub end: u64,
}

impl Range {
    /// A partition's among all of them; empty if it is not there.
    pub fn of(partition: u32, ranges: &[Self]) -> Self {
        ranges.get(partition as usize).copied().unwrap_or(Self { oldest: 0, end: 0 })
    }
}

/// When the log forgets its oldest entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// After so long.
    pub time: Option<Duration>,
    /// When a partition has more than so many bytes.
    pub bytes: Option<u64>,
}

/// Where a group member begins to read a partition that it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At this offset.
    At(u64),
    /// So many records before what the group has committed, or the oldest record if it never has.
    Committed {
        /// How many records again.
        rewind: u64,
    },
}

/// Asked for each partition that a member is given, before its first record. [`LogError::Unavailable`]: asked again, less
/// and less often, while the partition stays the member's; anything else fails the member.
pub type StartAt = Arc<dyn Fn(u32) -> BoxFuture<'static, Result<Start, LogError>> + Send + Sync>;

/// A partition in the hands of one member of a group.
pub struct Assigned {
    /// Which.
    pub partition: u32,
    /// Its entries in order, in batches of at most 1,000, from [`Start`] on. Closed when the partition is taken away
    /// or the member fails. At most 4 batches wait; then the log stops reading this partition for this member. Dropping
    /// it while the partition is still assigned gives up the membership, so that another member gets the partition.
    pub entries: mpsc::Receiver<Vec<Entry>>,
    /// Notes that everything before this offset is done. A hint: written out within 5 s and when the member leaves;
    /// without effect once the partition is taken away.
    pub commit: Box<dyn Fn(u64) + Send + Sync>,
}

/// What comes of following partitions: entries of one of them, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed {
    /// Which.
    pub partition: u32,
    /// Its next entries, at least one.
    pub entries: Vec<Entry>,
}

/// An ordered, durable record of what happened, in partitions.
///
/// Guarantees, each a test of the conformance suite under its name:
/// - *order*: offsets of a partition rise in the order of acknowledgement; every reader sees that order.
/// - *durable when append returns*: an acknowledged entry survives `SIGKILL` of this process and of the log's.
/// - *redelivery*: a member that did not commit sees the entries again; it never misses one.
/// - *groups*: a group's members share the partitions, each partition one member; two groups do not touch.
/// - *follow leaves nothing out*: of each partition every entry from the asked offset on, in order, as soon as it is there.
/// - *bounded*: no call waits longer than 10 s; what waits inside is bounded in number.
#[async_trait]
pub trait Log: Send + Sync + 'static {
    /// How many partitions new rooms are spread over, at least 1. It may grow.
    fn partitions(&self) -> u32;

    /// Appends to a partition and returns the entry's offset once it is durable.
    ///
    /// # Errors
    /// [`AppendError`] tells whether the entry may be in the log.
    ///
    /// # Cancel safety
    /// Dropped, the entry may or may not be appended.
    async fn append(&self, partition: u32, room: RoomId, payload: Bytes) -> Result<u64, AppendError>;

    /// Becomes a member of a group. Each partition that the member is given arrives on the receiver; dropping the
    /// receiver leaves the group. The receiver closes when the member has failed: join again.
    ///
    /// # Errors
    /// [`LogError`] if the log cannot be reached.
    async fn join(&self, group: &str, start: StartAt) -> Result<mpsc::Receiver<Assigned>, LogError>;

    /// Up to `limit` entries of a partition from `from` on, without a group: 1,000 and about 256 KiB at most, so that fewer
    /// than asked for do not mean the end. Empty: nothing there yet.
    ///
    /// # Errors
    /// [`LogError::OutOfRange`] if `from` is older than the oldest entry or beyond the end.
    async fn read(&self, partition: u32, from: u64, limit: usize) -> Result<Vec<Entry>, LogError>;

    /// Follows partitions, each from an offset on, without a group: what is there and whatever comes. At most 4 batches
    /// of 1,000 entries wait; then it reads no further. While the log is away it waits; it closes when it cannot go on, an
    /// offset that is not there for example. Dropping the receiver ends it.
    ///
    /// # Errors
    /// [`LogError`] if it cannot begin.
    async fn follow(&self, from: &[(u32, u64)]) -> Result<mpsc::Receiver<Followed>, LogError>;

    /// The offset that the next entry of the partition will get.
    ///
    /// # Errors
    /// [`LogError`] if the log cannot be reached.
    async fn end(&self, partition: u32) -> Result<u64, LogError>;

    /// What each partition has, all asked for together; of those that have come since the start too.
    ///
    /// # Errors
    /// [`LogError`] if the log cannot be reached.
    async fn ranges(&self) -> Result<Vec<Range>, LogError>;

    /// When it forgets.
    ///
    /// # Errors
    /// [`LogError`] if the log cannot be reached.
    async fn retention(&self) -> Result<Retention, LogError>;

    /// Is it there?
    ///
    /// # Errors
    /// [`LogError`] if not.
    async fn check(&self) -> Result<(), LogError>;

    /// Waits, 10 s at most, until what was handed in is acknowledged or refused. After it, nothing may be appended.
    async fn close(&self);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_the_same_text_whatever_the_order_and_keeps_what_is_not_known() {
        let one =
            br#"{"v":1,"event":{"kind":"message_posted","tint":{"b":1,"a":[2]},"message":{"body":"x","at":"0.0"}}}"#;
        let two =
            br#"{"event":{"message":{"at":"0.0","body":"x"},"tint":{"a":[2],"b":1},"kind":"message_posted"},"v":1}"#;
        let text = event_json(one, Position::new(1, 7)).expect("an event");
        assert_eq!(text, r#"{"kind":"message_posted","message":{"at":"1.7","body":"x"},"tint":{"a":[2],"b":1}}"#);
        assert_eq!(event_json(two, Position::new(1, 7)).expect("an event"), text);
        assert!(event_json(b"{}", Position::START).is_err());
    }
}
