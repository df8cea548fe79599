//! What follows from an event that is not a posted message.

use super::{Connection, archive, pins, retention, rooms, search};
use crate::{
    log::Record,
    store::row::{kept_role, signed},
};
use app::model::{KnownEvent, MessageId, Millis, Position, Role, RoomChanged, RoomId, UserId};

/// Whether the event belongs into the archive.
pub(super) async fn apply(
    tx: &mut Connection,
    at: Position,
    record: &Record,
    event: &KnownEvent,
) -> Result<bool, sqlx::Error> {
    let room = record.room;
    match event {
        KnownEvent::MessagePosted { .. } => {}
        // One record makes the room and its owner: a crash cannot come between.
        KnownEvent::RoomCreated { by } => join(tx, room, by.id, Role::Owner, at).await?,
        KnownEvent::MessageEdited { id, body, edited_at, .. } => {
            // One that comes to nothing is not kept: its text would outlive a deletion that came before it.
            return edit(tx, room, *id, record.by, body, *edited_at).await;
        }
        KnownEvent::MessageDeleted { id, .. } => delete(tx, room, *id).await?,
        KnownEvent::ReactionAdded { id, emoji, by } => react(tx, room, *id, emoji, by.id, at).await?,
        KnownEvent::ReactionRemoved { id, emoji, by } => take_back(tx, room, *id, emoji, by.id).await?,
        KnownEvent::MessagePinned { id, by, pinned_at } => pins::pin(tx, room, *id, (by.id, *pinned_at, at)).await?,
        KnownEvent::MessageUnpinned { id, .. } => pins::unpin(tx, room, *id).await?,
        KnownEvent::MemberJoined { user, role } => join(tx, room, user.id, *role, at).await?,
        KnownEvent::MemberLeft { user, by } => leave(tx, room, user.id, (user.id != by.id).then_some(at)).await?,
        KnownEvent::MessagesExpired { up_to } => retention::expire(tx, room, *up_to, at).await?,
        KnownEvent::RoomChanged(RoomChanged { change, .. }) => drop(rooms::change(tx, room, change, at).await?),
    }
    Ok(true)
}

/// Only the author edits, and only what is not deleted. From then on it is found by the new text.
async fn edit(
    tx: &mut Connection,
    room: RoomId,
    id: MessageId,
    by: UserId,
    body: &str,
    edited_at: Millis,
) -> Result<bool, sqlx::Error> {
    let edited = sqlx::query(
        "update messages set body = $4, edited_at = $5 where room = $1 and id = $2 and author = $3 and not deleted",
    )
    .bind(room.0)
    .bind(id.0)
    .bind(by.0)
    .bind(body)
    .bind(edited_at)
    .execute(&mut *tx)
    .await?;
    let edited = edited.rows_affected() == 1;
    if edited {
        search::index_one(tx, room, id).await?;
    }
    Ok(edited)
}

/// The text goes, with what was put under it, and is not found any more; the place remains.
async fn delete(tx: &mut Connection, room: RoomId, id: MessageId) -> Result<(), sqlx::Error> {
    sqlx::query("update messages set body = '', deleted = $3 where room = $1 and id = $2")
        .bind(room.0)
        .bind(id.0)
        .bind(true)
        .execute(&mut *tx)
        .await?;
    sqlx::query("delete from reactions where room = $1 and message = $2")
        .bind(room.0)
        .bind(id.0)
        .execute(&mut *tx)
        .await?;
    pins::unpin(tx, room, id).await?;
    archive::blank(tx, room, id).await
}

/// Under a message that is not there, or not any more, nothing is put.
async fn react(
    tx: &mut Connection,
    room: RoomId,
    id: MessageId,
    emoji: &str,
    by: UserId,
    at: Position,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into reactions (room, message, emoji, account, epoch, offset_no)
         select $1, $2, $3, $4, $5, $6
         where exists (select 1 from messages where room = $1 and id = $2 and not deleted)
         on conflict (room, message, emoji, account) do nothing",
    )
    .bind(room.0)
    .bind(id.0)
    .bind(emoji)
    .bind(by.0)
    .bind(i64::from(at.epoch))
    .bind(signed(at.offset))
    .execute(tx)
    .await?;
    Ok(())
}

async fn take_back(
    tx: &mut Connection,
    room: RoomId,
    id: MessageId,
    emoji: &str,
    by: UserId,
) -> Result<(), sqlx::Error> {
    sqlx::query("delete from reactions where room = $1 and message = $2 and emoji = $3 and account = $4")
        .bind(room.0)
        .bind(id.0)
        .bind(emoji)
        .bind(by.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// Who is in already gets the new role and keeps the place of joining. Who was taken out is back.
async fn join(tx: &mut Connection, room: RoomId, user: UserId, role: Role, at: Position) -> Result<(), sqlx::Error> {
    let (word, moderator) = kept_role(role);
    sqlx::query(
        "insert into memberships (room, account, role, moderator, joined_epoch, joined_offset)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (room, account) do update set role = excluded.role, moderator = excluded.moderator",
    )
    .bind(room.0)
    .bind(user.0)
    .bind(word)
    .bind(moderator)
    .bind(i64::from(at.epoch))
    .bind(signed(at.offset))
    .execute(&mut *tx)
    .await?;
    sqlx::query("delete from removals where room = $1 and account = $2").bind(room.0).bind(user.0).execute(tx).await?;
    Ok(())
}

/// `taken_out`: where somebody else took them out.
async fn leave(
    tx: &mut Connection,
    room: RoomId,
    user: UserId,
    taken_out: Option<Position>,
) -> Result<(), sqlx::Error> {
    sqlx::query("delete from memberships where room = $1 and account = $2")
        .bind(room.0)
        .bind(user.0)
        .execute(&mut *tx)
        .await?;
    if let Some(at) = taken_out {
        remove(tx, room, user, at).await?;
    }
    Ok(())
}

/// Nobody whom the store does not know is removed: a record may name anybody.
pub(super) async fn remove(tx: &mut Connection, room: RoomId, user: UserId, at: Position) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into removals (room, account, epoch, offset_no)
         select $1, $2, $3, $4 where exists (select 1 from accounts where id = $2)
         on conflict (room, account) do update set epoch = excluded.epoch, offset_no = excluded.offset_no",
    )
    .bind(room.0)
    .bind(user.0)
    .bind(i64::from(at.epoch))
    .bind(signed(at.offset))
    .execute(tx)
    .await?;
    Ok(())
}
