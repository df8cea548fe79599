//! What becomes of messages that are too old. The row goes, with everything that hangs on it; the archive keeps the
//! events' places and digests, without the texts.

use super::{Connection, archive, rooms};
use crate::store::{
    RoomKey, RoomRow, StoreError,
    row::{position, signed},
};
use app::model::{Event, KnownEvent, Millis, Position, RoomId};
use uuid::Uuid;

/// Of those who ask at once one is told of a room.
pub(super) async fn forgetting(
    conn: &mut Connection,
    now: Millis,
    again: Millis,
    limit: u32,
) -> Result<Vec<RoomRow>, StoreError> {
    let due: Vec<Uuid> = sqlx::query_scalar(
        "update rooms set look_at = $2
         where keep_days > 0 and look_at <= $1
           and id in (select id from rooms where keep_days > 0 and look_at <= $1 order by look_at limit $3)
         returning id",
    )
    .bind(now)
    .bind(again)
    .bind(i64::from(limit))
    .fetch_all(&mut *conn)
    .await?;
    let mut found = Vec::with_capacity(due.len());
    for id in due {
        found.extend(rooms::by_key(conn, &RoomKey::Id(RoomId(id))).await?);
    }
    Ok(found)
}

pub(super) async fn look_again(conn: &mut Connection, room: RoomId, at: Millis) -> Result<(), StoreError> {
    sqlx::query("update rooms set look_at = $2 where id = $1").bind(room.0).bind(at).execute(conn).await?;
    Ok(())
}

pub(super) async fn oldest(
    conn: &mut Connection,
    room: RoomId,
    limit: u32,
) -> Result<Vec<(Position, Millis)>, StoreError> {
    let rows: Vec<(i64, i64, i64)> = sqlx::query_as(
        "select epoch, offset_no, sent_at from messages where room = $1 order by epoch, offset_no limit $2",
    )
    .bind(room.0)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|(epoch, offset, sent_at)| (position(epoch, offset), sent_at)).collect())
}

/// Up to where a room's messages are gone.
pub(super) async fn expired(conn: &mut Connection, room: RoomId) -> Result<Position, sqlx::Error> {
    let row: Option<(i64, i64)> = sqlx::query_as("select expired_epoch, expired_offset from rooms where id = $1")
        .bind(room.0)
        .fetch_optional(conn)
        .await?;
    Ok(row.map_or(Position::START, |(epoch, offset)| position(epoch, offset)))
}

pub(super) async fn set_expired(conn: &mut Connection, room: RoomId, up_to: Position) -> Result<(), sqlx::Error> {
    sqlx::query("update rooms set expired_epoch = $2, expired_offset = $3 where id = $1")
        .bind(room.0)
        .bind(i64::from(up_to.epoch))
        .bind(signed(up_to.offset))
        .execute(conn)
        .await?;
    Ok(())
}

/// Moves forward only. What was posted later than the event itself it cannot mean.
pub(super) async fn expire(
    tx: &mut Connection,
    room: RoomId,
    up_to: Position,
    at: Position,
) -> Result<(), sqlx::Error> {
    let (before, up_to) = (expired(tx, room).await?, up_to.min(at));
    if up_to <= before {
        return Ok(());
    }
    set_expired(tx, room, up_to).await?;
    blank(tx, room, before, up_to).await?;
    for query in [
        "delete from reactions where room = $1 and message in (
             select id from messages where room = $1 and (epoch, offset_no) <= ($2, $3)
         )",
        "delete from pins where room = $1 and message in (
             select id from messages where room = $1 and (epoch, offset_no) <= ($2, $3)
         )",
        "delete from files where room = $1 and message in (
             select id from messages where room = $1 and (epoch, offset_no) <= ($2, $3)
         )",
        "delete from messages where room = $1 and (epoch, offset_no) <= ($2, $3)",
    ] {
        sqlx::query(query)
            .bind(room.0)
            .bind(i64::from(up_to.epoch))
            .bind(signed(up_to.offset))
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

/// Takes the texts out of what the archive has of messages that were posted in a stretch, edits included, wherever they
/// are.
async fn blank(tx: &mut Connection, room: RoomId, after: Position, up_to: Position) -> Result<(), sqlx::Error> {
    let rows: Vec<(i64, i64, String)> = sqlx::query_as(
        "select e.epoch, e.offset_no, e.body
         from events p join events e on e.room = p.room and e.message = p.message
         where p.room = $1 and p.kind = 'message_posted' and p.message is not null
           and (p.epoch, p.offset_no) > ($2, $3) and (p.epoch, p.offset_no) <= ($4, $5)",
    )
    .bind(room.0)
    .bind(i64::from(after.epoch))
    .bind(signed(after.offset))
    .bind(i64::from(up_to.epoch))
    .bind(signed(up_to.offset))
    .fetch_all(&mut *tx)
    .await?;
    archive::blank_these(tx, room, rows).await
}

/// Files that were named by messages which are not there any more, once those that should be there are.
pub(super) async fn forget_files(tx: &mut Connection, room: RoomId) -> Result<(), sqlx::Error> {
    sqlx::query(
        "delete from files where room = $1 and message is not null
           and not exists (select 1 from messages m where m.room = files.room and m.id = files.message)",
    )
    .bind(room.0)
    .execute(tx)
    .await?;
    Ok(())
}

/// Where the archive says first that what was posted there has become too old. It looks at all such events of the room:
/// for what is rare.
pub(super) async fn expired_at(
    conn: &mut Connection,
    room: RoomId,
    posted: Position,
) -> Result<Option<Position>, StoreError> {
    let rows: Vec<(i64, i64, String)> = sqlx::query_as(
        "select epoch, offset_no, body from events where room = $1 and kind = 'messages_expired'
         order by epoch, offset_no",
    )
    .bind(room.0)
    .fetch_all(conn)
    .await?;
    for (epoch, offset, body) in rows {
        let at = position(epoch, offset);
        if let Event::Known(KnownEvent::MessagesExpired { up_to }, _) = archive::read(&body, at)?
            && posted <= up_to.min(at)
        {
            return Ok(Some(at));
        }
    }
    Ok(None)
}
