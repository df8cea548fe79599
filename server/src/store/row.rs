//! Rows, and the way between the model's types and what both databases have: 64-bit signed numbers, text, ids.

use super::StoreError;
use app::model::{Invalid, Millis, Position, User, UserId};
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
}

/// An event to be archived.
pub(super) struct NewEvent {
    pub(super) room: Uuid,
    pub(super) epoch: i64,
    pub(super) offset: i64,
    pub(super) kind: String,
    /// The message whose text it carries.
    pub(super) message: Option<Uuid>,
    pub(super) body: String,
}
