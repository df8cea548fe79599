//! Rows, and the way between the model's types and what both databases have: 64-bit signed numbers, text, ids.

use super::{
    RoomRow, StoreError,
    chain::{self, Chain, Digest, Link},
};
use app::model::{Invalid, Millis, Position, Role, RoomId, User, UserId};
use std::{borrow::Cow, collections::HashSet};
use uuid::Uuid;

/// An offset for the database. Beyond its numbers there is no offset either, so the greatest stands for all of them.
pub(super) fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// A count or an offset from the database, which has no negative ones.
pub(super) fn unsigned(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

/// An epoch or a partition from the database, which were `u32` when they went in.
pub(super) fn small(n: i64) -> u32 {
    u32::try_from(n).unwrap_or(0)
}

pub(super) fn position(epoch: i64, offset: i64) -> Position {
    Position::new(small(epoch), unsigned(offset))
}

/// A word that the schema allows but this version does not know.
pub(super) fn unknown_word(e: Invalid) -> StoreError {
    StoreError::Broken(format!("a word of another version: {e}"))
}

/// The columns of an account that others may see.
#[derive(sqlx::FromRow)]
pub(super) struct UserRow {
    account: Uuid,
    username: String,
    display_name: String,
    guest: bool,
    admin: bool,
}

impl From<UserRow> for User {
    fn from(row: UserRow) -> Self {
        Self {
            id: UserId(row.account),
            username: row.username,
            display_name: row.display_name,
            guest: row.guest,
            admin: row.admin,
        }
    }
}

/// The columns of a [`RoomColumns`], of a room `r`.
macro_rules! room_columns {
    () => {
        "r.id as room_id, r.slug as room_slug, r.name as room_name, r.visibility, r.partition_no, r.topic, r.archived,
         r.keep_days, r.changed_epoch, r.changed_offset"
    };
}
pub(super) use room_columns;

/// A room as the service needs it.
#[derive(sqlx::FromRow)]
pub(super) struct RoomColumns {
    room_id: Uuid,
    room_slug: String,
    room_name: String,
    visibility: String,
    partition_no: i64,
    topic: String,
    archived: bool,
    keep_days: i64,
    changed_epoch: i64,
    changed_offset: i64,
}

impl TryFrom<RoomColumns> for RoomRow {
    type Error = StoreError;
    fn try_from(row: RoomColumns) -> Result<Self, StoreError> {
        Ok(Self {
            id: RoomId(row.room_id),
            slug: row.room_slug,
            name: row.room_name,
            visibility: row.visibility.parse().map_err(unknown_word)?,
            partition: small(row.partition_no),
            topic: row.topic,
            archived: row.archived,
            keep_days: small(row.keep_days),
            changed: position(row.changed_epoch, row.changed_offset),
        })
    }
}

/// Of `x`, a message to be inserted: that none of its id was there before and has become too old. Asked only where
/// anything has.
macro_rules! not_forgotten {
    () => {
        "case when (select r.expired_epoch from rooms r where r.id = x.room) > 0 then not exists (
             select 1 from events e
             where e.room = x.room and e.message = x.id and e.kind = 'message_posted'
               and (e.epoch, e.offset_no) < (x.epoch, x.offset_no)
         ) else true end"
    };
}
pub(super) use not_forgotten;

/// What a member `m` is. Moderators are kept beside the role: the version before has no word for them.
macro_rules! role_word {
    () => {
        "case when m.role = 'member' and m.moderator then 'moderator' else m.role end"
    };
}
pub(super) use role_word;

/// A role as it is kept: the word, and whether it is a moderator's.
pub(super) fn kept_role(role: Role) -> (&'static str, bool) {
    match role {
        Role::Moderator => (Role::Member.as_str(), true),
        role => (role.as_str(), false),
    }
}

/// A posted message to be inserted.
pub(super) struct NewMessage<'a> {
    pub(super) room: Uuid,
    pub(super) id: Uuid,
    pub(super) epoch: i64,
    pub(super) offset: i64,
    pub(super) author: Uuid,
    pub(super) body: &'a str,
    pub(super) sent_at: Millis,
    pub(super) reply_to: Option<Uuid>,
    /// See [`super::search::place`].
    pub(super) place: i64,
    /// As the database takes them: see `bulk::terms`.
    pub(super) terms: String,
}

/// Which of many messages were inserted, by room and offset.
pub(super) enum Inserted {
    All,
    These(HashSet<(Uuid, i64)>),
}

impl Inserted {
    pub(super) fn has(&self, room: Uuid, offset: i64) -> bool {
        match self {
            Self::All => true,
            Self::These(these) => these.contains(&(room, offset)),
        }
    }
}

/// An event to be archived.
pub(super) struct NewEvent {
    pub(super) room: Uuid,
    pub(super) epoch: i64,
    pub(super) offset: i64,
    pub(super) kind: Cow<'static, str>,
    /// The message whose text it carries.
    pub(super) message: Option<Uuid>,
    pub(super) body: String,
    /// Of the body as it is now: blanking it later leaves this.
    pub(super) digest: Digest,
}

impl NewEvent {
    pub(super) fn new(room: Uuid, at: Position, kind: Cow<'static, str>, message: Option<Uuid>, body: String) -> Self {
        let digest = chain::digest(&body);
        Self { room, epoch: i64::from(at.epoch), offset: signed(at.offset), kind, message, body, digest }
    }

    pub(super) fn link(&self) -> Link {
        Link { room: self.room, at: position(self.epoch, self.offset), digest: self.digest }
    }
}

/// A room's chain as the database is to have it.
pub(super) struct ChainRow {
    pub(super) room: Uuid,
    pub(super) chain: Chain,
}
