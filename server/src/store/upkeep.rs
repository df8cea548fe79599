//! What an operator's commands ask of a store, beyond what serving needs.

use super::{Store, StoreError, chain::Digest, replay::Replay};
use crate::store::{Placed, RoomRow};
use app::model::{Millis, Position, RoomId};
use async_trait::async_trait;

/// An event of the archive, as the log's records are compared with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archived {
    /// The room.
    pub room: RoomId,
    /// Where.
    pub at: Position,
    /// The event's digest; `None`: the version before has written it.
    pub digest: Option<Digest>,
    /// The event itself, where there is no digest.
    pub body: Option<String>,
}

/// A record that could not be folded.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct DeadLetter {
    /// Where the log had it.
    pub partition: u32,
    /// And when: the position in its partition.
    pub at: Position,
    /// Why it could not be folded.
    pub reason: String,
    /// When it was given up.
    pub buried_at: Millis,
    /// Its bytes.
    #[serde(skip)]
    pub payload: Vec<u8>,
}

/// What became of a dead letter that was tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revived {
    /// It is in the archive now, at its place.
    Archived,
    /// It would change nothing: a message that is there already, an edit in vain. It is a dead letter no more.
    Vain,
    /// It still cannot be applied.
    Refused(String),
    /// There is no such dead letter.
    Unknown,
}

/// The version of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schema {
    /// What the database has.
    pub there: i64,
    /// What this program knows.
    pub known: i64,
}

/// A store as an operator sees it. No call waits longer than 60 s.
#[async_trait]
pub trait Upkeep: Store {
    /// The version of the tables.
    async fn schema(&self) -> Result<Schema, StoreError>;
    /// The database's clock.
    async fn clock(&self) -> Result<Millis, StoreError>;
    /// Rooms by id after one, so many at most.
    async fn rooms_after(&self, after: Option<RoomId>, limit: u32) -> Result<Vec<RoomRow>, StoreError>;
    /// How many partitions rooms are spread over: the greatest one and one more.
    async fn partitions_used(&self) -> Result<u32, StoreError>;

    /// Goes a step further through a room: compares archive, chain and projections. With `mend`, rows of messages,
    /// reactions, pins and members that are not as the archive says are put right, under the lock that folding takes, so that
    /// nothing is folded in between. A step is short; what is mended stays right whatever happens before the next.
    async fn replay(&self, room: &RoomRow, replay: &mut Replay, mend: bool) -> Result<(), StoreError>;
    /// The archive of some rooms in `from..to` of a generation of the log, in no particular order.
    async fn archived(&self, rooms: &[RoomId], epoch: u32, from: u64, to: u64) -> Result<Vec<Archived>, StoreError>;
    /// How many events of a room the archive has in `from..to` of a generation of the log.
    async fn archived_count(&self, room: RoomId, epoch: u32, from: u64, to: u64) -> Result<u64, StoreError>;
    /// The last event that a partition's chains know of in a generation of the log.
    async fn last_sealed(&self, partition: u32, epoch: u32) -> Result<Option<Archived>, StoreError>;
    /// Does folding this record at its place leave nothing in the archive: the repetition of a posted message, an edit
    /// in vain?
    async fn is_vain(&self, at: Position, placed: &Placed) -> Result<bool, StoreError>;
    /// Gives events that have none their digests.
    async fn fill(&self, digests: &[(RoomId, Position, Digest)]) -> Result<(), StoreError>;
    /// Puts records that were folded once, and come to something, back into the archive where it lacks them or has
    /// something else; the room of each. The rooms' chains are to be sealed after it. Dead letters stay dead.
    async fn restore(&self, partition: u32, epoch: u32, records: &[Placed]) -> Result<Vec<RoomId>, StoreError>;
    /// Makes a room's chain anew, over all events after the last one without a digest.
    async fn seal(&self, room: &RoomRow) -> Result<(), StoreError>;

    /// The dead letters in order, after one, so many at most.
    async fn dead_letters(&self, after: Option<(u32, Position)>, limit: u32) -> Result<Vec<DeadLetter>, StoreError>;
    /// Puts a dead letter into the archive at the place that it has in the log, as if it had been folded then. What
    /// follows from it for messages and members, [`Upkeep::replay`] brings about.
    async fn revive(&self, partition: u32, at: Position, placed: &Placed) -> Result<Revived, StoreError>;
    /// Forgets a dead letter; `false`: there is none there.
    async fn discard(&self, partition: u32, at: Position) -> Result<bool, StoreError>;

    /// Gives an account another password and writes that into the audit log; `false`: there is no such account, or it is
    /// a guest's.
    async fn set_password(&self, username: &str, hash: &str) -> Result<bool, StoreError>;

    /// Declares that positions are of another log from now on: the generation after `from`, folded from these offsets of
    /// its partitions on. `false`: the generation is another one by now.
    async fn begin_epoch(&self, from: u32, begins: &[u64]) -> Result<bool, StoreError>;
}
