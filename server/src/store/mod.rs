//! The store: the source of truth for reading, step 3 of a message's way.
//!
//! [`sqlite`] keeps it in a file, [`postgres`] in a database; both run the same
//! queries (`queries/`, compiled once for each). Accounts, sessions, the list
//! of rooms and links into them are written by the service; everything that happens
//! inside a room is folded from the log.

use crate::log::{Entry, NotARecord, Record};
use app::{
    backend::Member,
    model::{
        DirectoryPage, DirectoryQuery, Event, FileId, Invite, Message, MessageId, MessagePage, Millis,
        NotificationLevel, PinList, Position, Role, Room, RoomChange, RoomId, SessionId, Thread, Unread, User, UserId,
        Visibility,
    },
};
use async_trait::async_trait;
use bytes::Bytes;
use std::collections::HashMap;
use uuid::Uuid;

pub mod chain;
mod failure;
mod files;
mod people;
pub mod postgres;
mod replay;
mod row;
mod search;
pub mod sqlite;
mod upkeep;

pub use files::{FileRow, NewFile, PART_BYTES};
pub use people::{Act, Acted, People};
pub use replay::{Differences, Replay};
pub use search::{Found, FoundAt, NotAPlace, Search};
pub use upkeep::{Archived, DeadLetter, Revived, Schema, Upkeep};

/// The store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Not reachable, or it took too long: try again.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// Its disk is full: reading goes on.
    #[error("the store's disk is full")]
    Full,
    /// It cannot be used as it is: an operator must look.
    #[error("the store refused: {0}")]
    Broken(String),
}

/// Why records were not folded.
#[derive(Debug, thiserror::Error)]
pub enum FoldError {
    /// Somebody else has moved the partition's progress: read it again and go on from there.
    #[error("the partition's progress is at {actual}, not where the batch begins")]
    Moved {
        /// The next offset to be folded.
        actual: u64,
    },
    /// This record can never be applied.
    #[error("the record at offset {offset} cannot be applied: {detail}")]
    Poison {
        /// Which.
        offset: u64,
        /// Why.
        detail: String,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A record and its place in the partition.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    /// The offset.
    pub offset: u64,
    /// What happened, as far as this version understands it.
    pub record: Record,
    /// All of it, as the log has it.
    pub payload: Bytes,
}

impl Placed {
    /// What the log has at an offset.
    ///
    /// # Errors
    /// [`NotARecord`] if it is not a record.
    pub fn decode(entry: &Entry) -> Result<Self, NotARecord> {
        let record = Record::decode(&entry.payload)?;
        Ok(Self { offset: entry.offset, record, payload: entry.payload.clone() })
    }

    /// A record as this version writes it.
    pub fn new(offset: u64, record: Record) -> Self {
        Self { offset, payload: record.encode(), record }
    }
}

/// Records of a partition that are folded together.
#[derive(Clone, Copy, Debug)]
pub struct Stretch<'a> {
    /// Which partition.
    pub partition: u32,
    /// Where its progress is.
    pub from: u64,
    /// Where its progress will be.
    pub next: u64,
    /// In order, all from `from` on and before `next`; may be empty.
    pub records: &'a [Placed],
}

impl Stretch<'_> {
    /// It leads forward, and has nothing that lies outside of it.
    fn goes_on(&self) -> bool {
        self.from <= self.next && self.records.iter().all(|placed| (self.from..self.next).contains(&placed.offset))
    }
}

/// An account to be made.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// The account.
    pub user: User,
    /// As `argon2` writes it; `None`: a guest.
    pub password_hash: Option<String>,
    /// When.
    pub created_at: Millis,
    /// Only if there is no administrator yet.
    pub only_first_admin: bool,
}

/// What became of a [`NewAccount`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountMade {
    /// It is there.
    Made,
    /// The user name is taken.
    NameTaken,
    /// There is an administrator already; nothing was made.
    AdminExists,
}

/// An account with what signing in needs.
#[derive(Clone, Debug)]
pub struct Account {
    /// The account.
    pub user: User,
    /// `None`: a guest, who cannot sign in again.
    pub password_hash: Option<String>,
    /// An administrator does not let them in.
    pub suspended: bool,
}

/// A session to be begun.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Its id.
    pub id: SessionId,
    /// Whose.
    pub user: UserId,
    /// SHA-256 of the refresh token.
    pub refresh_hash: [u8; 32],
    /// When.
    pub created_at: Millis,
    /// It ends by itself then.
    pub expires_at: Millis,
}

/// What became of a refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// The new token is good; the old one is not any more.
    Rotated {
        /// The session.
        session: SessionId,
        /// Whose.
        user: User,
    },
    /// It had been used before: somebody has stolen it, and the session is ended.
    Reused {
        /// The session.
        session: SessionId,
    },
    /// Nobody knows it, or its session is over.
    Unknown,
}

/// A room to be made.
#[derive(Clone, Debug)]
pub struct NewRoom {
    /// Its id.
    pub id: RoomId,
    /// The name in addresses.
    pub slug: String,
    /// The name for people.
    pub name: String,
    /// Who may see and write.
    pub visibility: Visibility,
    /// Its partition of the log, for ever.
    pub partition: u32,
    /// When.
    pub created_at: Millis,
}

/// A room as the service needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomRow {
    /// Its id.
    pub id: RoomId,
    /// The name in addresses.
    pub slug: String,
    /// The name for people.
    pub name: String,
    /// Who may see and write.
    pub visibility: Visibility,
    /// Its partition of the log.
    pub partition: u32,
    /// What it is about.
    pub topic: String,
    /// Nothing happens in it any more.
    pub archived: bool,
    /// So many days its messages are kept; 0: for ever.
    pub keep_days: u32,
    /// Where it was changed last; [`Position::START`]: it is as it was made.
    pub changed: Position,
}

impl RoomRow {
    /// Becomes what a change at `at` says.
    pub fn change(&mut self, change: &RoomChange, at: Position) {
        let RoomChange { name, topic, visibility, archived, keep_days } = change;
        if let Some(name) = name {
            self.name.clone_from(name);
        }
        if let Some(topic) = topic {
            self.topic.clone_from(topic);
        }
        self.visibility = visibility.unwrap_or(self.visibility);
        self.archived = archived.unwrap_or(self.archived);
        self.keep_days = keep_days.unwrap_or(self.keep_days);
        self.changed = at;
    }

    /// As somebody who is `role` in it sees it.
    pub fn seen_by(self, role: Option<Role>, members: u64) -> Room {
        let Self { id, slug, name, visibility, topic, archived, keep_days, .. } = self;
        Room { id, slug, name, visibility, role, members, topic, archived, keep_days }
    }
}

/// A link to be made that lets people into a room.
#[derive(Clone, Debug)]
pub struct NewInvite {
    /// Its id.
    pub id: Uuid,
    /// Into which room.
    pub room: RoomId,
    /// SHA-256 of the secret in the link.
    pub secret_hash: [u8; 32],
    /// Who makes it.
    pub by: UserId,
    /// When.
    pub created_at: Millis,
    /// It is good until then.
    pub expires_at: Millis,
    /// So many may come in by it; `None`: any number.
    pub uses: Option<u32>,
}

/// A link that is good, found by its secret.
#[derive(Clone, Debug, PartialEq)]
pub struct InviteRow {
    /// The link.
    pub invite: Invite,
    /// Where it leads.
    pub room: RoomRow,
    /// Everything in the log before this was known when it was made.
    pub made: Position,
}

/// How a room is named by a caller.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RoomKey {
    /// By id.
    Id(RoomId),
    /// By slug.
    Slug(String),
}

impl RoomKey {
    /// An id if it looks like one, else a slug.
    pub fn parse(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Slug(text.to_lowercase()), Self::Id)
    }
}

/// Which messages of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// The newest.
    Newest,
    /// The newest of those older than this.
    Before(Position),
    /// The oldest of those newer than this.
    After(Position),
    /// Around this message, itself included.
    Around(MessageId),
}

/// A stretch of a room's archive.
#[derive(Clone, Debug, PartialEq)]
pub struct EventPage {
    /// In order.
    pub events: Vec<(Position, Event)>,
    /// Everything up to here is in the answer or before it; if `more`, the last event's position.
    pub at: Position,
    /// The limit cut the answer.
    pub more: bool,
    /// The events as the archive has them, whole: with what this version does not know of them.
    pub texts: Vec<String>,
}

impl EventPage {
    /// The events for readers, whole.
    pub fn bodies(self) -> impl Iterator<Item = (Position, Bytes)> {
        self.events.into_iter().zip(self.texts).map(|((at, _), text)| (at, Bytes::from(text)))
    }
}

/// What was posted under an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostedRow {
    /// Who posted it.
    pub author: UserId,
    /// Where.
    pub at: Position,
    /// The text as posted, edits aside; `None`: deleted.
    pub body: Option<String>,
}

/// What is remembered, and how it is asked for.
///
/// Guarantees, each a test of the conformance suite under its name:
/// - *idempotent*: of several records that post the same message id in a room, the first in the log stands.
/// - *progress moves with the rows*: in one transaction, and only from where the batch begins (compare-and-set).
/// - *one snapshot*: a page's `at` and rows are of one moment.
/// - *unknown kinds are kept* in the archive.
/// - *deleting blanks*: the text is gone from projection and archive.
/// - *too old is gone*: of messages up to where they have become too old nothing is left but the places of their events
///   in the archive, without texts; it only moves forward, and what was posted before is not posted again.
/// - *found by what it says now*: a message is found in the transaction that folds it, by its last text alone, and not
///   once it is deleted; only by who may read its room.
/// - *named by what it says*: a file is named by the first message of its uploader's that has its address in the text as
///   it stands, in the file's room; it goes with that message, and else once none has named it for long.
/// - *one use is one entry*: of many who come in by a link at once, no more do than it is good for.
/// - *ended is ended*: a session that was ended is never live again; a reused refresh token ends its session.
///
/// No call waits longer than 10 s.
#[async_trait]
pub trait Store: People {
    /// Is it there?
    async fn check(&self) -> Result<(), StoreError>;
    /// The generation of the log that positions are of; 1 at first.
    async fn epoch(&self) -> Result<u32, StoreError>;

    /// The next offset of a partition to be folded; 0 at first.
    async fn progress(&self, partition: u32) -> Result<u64, StoreError>;
    /// Folds records of a partition in order and moves its progress from `from` to `next`. `records` may be empty.
    ///
    /// Everything goes into the archive but what changes nothing and carries a text: the repetition of a posted message,
    /// an edit by somebody else or after the deletion. A deletion takes the reactions and the pin with it; what becomes
    /// too old goes with everything, its files too.
    ///
    /// # Errors
    /// [`FoldError::Poison`] names the first record that cannot be applied (its room or person is not in the store, a
    /// text has NUL); nothing was folded.
    async fn fold(&self, partition: u32, from: u64, next: u64, records: &[Placed]) -> Result<(), FoldError>;
    /// Folds stretches of different partitions, in their order, in one transaction: all or none. Where another transaction
    /// has one of them just then, it may refuse at once rather than have the others wait.
    ///
    /// # Errors
    /// As [`Store::fold`], but not of which partition, and [`FoldError::Poison`] may name a record near the culprit: fold
    /// them one by one then.
    async fn fold_together(&self, stretches: &[Stretch<'_>]) -> Result<(), FoldError>;
    /// Keeps what could not be folded, with its place, and moves the progress past it.
    async fn bury(&self, partition: u32, offset: u64, payload: &[u8], reason: &str) -> Result<(), FoldError>;

    /// Makes an account.
    async fn create_account(&self, new: &NewAccount) -> Result<AccountMade, StoreError>;
    /// An account by its user name.
    async fn account(&self, username: &str) -> Result<Option<Account>, StoreError>;
    /// Is there an administrator?
    async fn has_admin(&self) -> Result<bool, StoreError>;

    /// Begins a session.
    async fn create_session(&self, new: &NewSession) -> Result<(), StoreError>;
    /// Whose live session that is at `now`.
    async fn session(&self, id: SessionId, now: Millis) -> Result<Option<User>, StoreError>;
    /// Takes a refresh token for a new one.
    async fn rotate(&self, old: &[u8; 32], new: &[u8; 32], now: Millis) -> Result<Rotation, StoreError>;
    /// Ends a session.
    async fn end_session(&self, id: SessionId) -> Result<(), StoreError>;
    /// Ends all of an account's sessions; which were not ended before (some may have expired by themselves).
    async fn end_sessions(&self, user: UserId) -> Result<Vec<SessionId>, StoreError>;

    /// Makes a room; `false`: the slug is taken.
    async fn create_room(&self, new: &NewRoom) -> Result<bool, StoreError>;
    /// One room.
    async fn room(&self, key: &RoomKey) -> Result<Option<RoomRow>, StoreError>;
    /// The rooms that a person (or a visitor) may know of: one's own, then the others, each by name; 500 at most. Those in
    /// use, or the archived ones.
    async fn rooms(&self, user: Option<UserId>, archived: bool) -> Result<Vec<Room>, StoreError>;
    /// A page of the same, all by name in the address, direct conversations left out.
    async fn directory(&self, user: Option<UserId>, query: &DirectoryQuery) -> Result<DirectoryPage, StoreError>;
    /// What somebody has not read, of each room that they are in, 500 at most.
    async fn unread(&self, user: &User) -> Result<Vec<Unread>, StoreError>;
    /// How many members a room has.
    async fn member_count(&self, room: RoomId) -> Result<u64, StoreError>;
    /// Somebody's role in a room.
    async fn role(&self, room: RoomId, user: UserId) -> Result<Option<Role>, StoreError>;
    /// How many own a room.
    async fn owners(&self, room: RoomId) -> Result<u64, StoreError>;
    /// Where in the log somebody was taken out of a room by somebody else, unless they have come back.
    async fn removal(&self, room: RoomId, user: UserId) -> Result<Option<Position>, StoreError>;
    /// The members of a room by display name, 500 at most.
    async fn members(&self, room: RoomId) -> Result<Vec<Member>, StoreError>;

    /// Makes a link into a room; `false`: a hundred are good already.
    async fn create_invite(&self, new: &NewInvite) -> Result<bool, StoreError>;
    /// A room's links that are good at `now`, the newest first.
    async fn invites(&self, room: RoomId, now: Millis) -> Result<Vec<Invite>, StoreError>;
    /// Takes a room's link back; `false`: there is no such.
    async fn revoke_invite(&self, room: RoomId, id: Uuid) -> Result<bool, StoreError>;
    /// The link with this secret, if it is good at `now`.
    async fn invite(&self, secret_hash: &[u8; 32], now: Millis) -> Result<Option<InviteRow>, StoreError>;
    /// Somebody comes in by a link; `false`: it is no longer good. Of many at once no more get `true` than may come in.
    async fn take_invite(&self, id: Uuid, now: Millis) -> Result<bool, StoreError>;
    /// They did not come in after all.
    async fn give_back_invite(&self, id: Uuid) -> Result<(), StoreError>;

    /// A stretch of a room's messages. `None`: [`Window::Around`] a message that is not there.
    ///
    /// `at` is the partition's progress; but of a page after or around something that stops short of the newest message
    /// it is the place of the page's last one, so that who subscribes since `at` gets the rest. `more`: there are newer
    /// ones after [`Window::After`], older ones in all other cases.
    async fn history(&self, room: &RoomRow, window: Window, limit: u32) -> Result<Option<MessagePage>, StoreError>;
    /// A message and a stretch of those that answer it, deleted ones too, as of one moment: like [`Store::history`] of a
    /// room that had no others. `None`: the message is not there.
    async fn thread(
        &self,
        room: &RoomRow,
        id: MessageId,
        window: Window,
        limit: u32,
    ) -> Result<Option<Thread>, StoreError>;
    /// One message as it stands.
    async fn message(&self, room: RoomId, id: MessageId) -> Result<Option<Message>, StoreError>;
    /// What a room keeps in view, the last pinned first.
    async fn pins(&self, room: &RoomRow) -> Result<PinList, StoreError>;
    /// What was posted under these ids, whoever did: those among them that were.
    async fn posted_among(
        &self,
        asked: &[(RoomId, MessageId)],
    ) -> Result<HashMap<(RoomId, MessageId), PostedRow>, StoreError>;
    /// What was posted under this id.
    async fn posted(&self, room: RoomId, id: MessageId) -> Result<Option<PostedRow>, StoreError> {
        Ok(self.posted_among(&[(room, id)]).await?.remove(&(room, id)))
    }
    /// Messages that were posted, in the order of rooms and ids, those after this one; so many at most.
    async fn posted_after(
        &self,
        last: Option<(RoomId, MessageId)>,
        limit: u32,
    ) -> Result<Vec<(RoomId, MessageId)>, StoreError>;
    /// The position of the room's last event in the archive; [`Position::START`] if there is none.
    async fn head(&self, room: &RoomRow) -> Result<Position, StoreError>;
    /// Rooms that keep their messages for some time and were not looked at since `now`, so many at most: each is told to
    /// one who asks, and not again before `again`.
    async fn forgetting(&self, now: Millis, again: Millis, limit: u32) -> Result<Vec<RoomRow>, StoreError>;
    /// A room that is forgetting is to be looked at then.
    async fn look_again(&self, room: RoomId, at: Millis) -> Result<(), StoreError>;
    /// The oldest messages that a room has, so many at most: where, and when they were sent.
    async fn oldest(&self, room: RoomId, limit: u32) -> Result<Vec<(Position, Millis)>, StoreError>;
    /// The archive of a room after a position, in order.
    async fn events(&self, room: &RoomRow, after: Position, limit: u32) -> Result<EventPage, StoreError>;

    /// The latest events of a room's archive at or before a position, in order; `at` is the partition's progress, and
    /// `more`: there may be older ones.
    async fn latest_events(&self, room: &RoomRow, upto: Position, limit: u32) -> Result<EventPage, StoreError>;

    /// Messages that have everything that is searched for, in rooms that whoever searches may read. Newest first: by
    /// position where positions can be compared, else by when they were sent.
    async fn search(&self, search: &Search) -> Result<Found, StoreError>;
    /// Indexes so many of the messages that the version before has written; how many there were.
    async fn index(&self, limit: u32) -> Result<u32, StoreError>;

    /// Somebody has read up to here; moves forward only.
    async fn mark_read(&self, room: RoomId, user: UserId, at: Position) -> Result<(), StoreError>;
    /// How much of a room somebody wants to be told of.
    async fn set_level(&self, room: RoomId, user: UserId, level: NotificationLevel) -> Result<(), StoreError>;
    /// How far a member has read: where they joined, if they never said so.
    async fn read_marker(&self, room: RoomId, user: UserId) -> Result<Option<Position>, StoreError>;

    /// Keeps a file; it is durable when this returns. No message names it yet.
    async fn save_file(&self, new: &NewFile) -> Result<(), StoreError>;
    /// What is known of a file.
    async fn file(&self, id: FileId) -> Result<Option<FileRow>, StoreError>;
    /// A piece of a file's content, [`PART_BYTES`] long but for the last; `None`: there is no such piece, or not any more.
    async fn file_part(&self, id: FileId, part: u32) -> Result<Option<Bytes>, StoreError>;
    /// Forgets files that no message has named since before a time, so many at most; how many there were.
    async fn forget_files(&self, unnamed_before: Millis, limit: u32) -> Result<u32, StoreError>;
}
