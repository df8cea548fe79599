//! The archive: every event of a room as readers see it.

use super::{Connection, progress};
use crate::store::{
    EventPage, PostedRow, RoomRow, StoreError,
    row::{position, signed},
};
use app::model::{Event, KnownEvent, MessageId, Position, RoomId, UserId};
use uuid::Uuid;

/// The log's generation, the partition's progress, and an event's epoch, offset and body if there is one.
type PageRow = (i64, Option<i64>, Option<i64>, Option<i64>, Option<String>);

/// One statement, so that the rows and the progress are of one moment.
pub(super) async fn page(
    conn: &mut Connection,
    room: &RoomRow,
    after: Position,
    limit: u32,
) -> Result<EventPage, StoreError> {
    let limit = limit.max(1) as usize;
    let rows: Vec<PageRow> = sqlx::query_as(
        "select meta.epoch, progress.next_offset, e.epoch, e.offset_no, e.body
         from meta
         left join progress on progress.partition_no = $5
         left join (
             select epoch, offset_no, body from events
             where room = $1 and (epoch, offset_no) > ($2, $3)
             order by epoch, offset_no limit $4
         ) as e on true
         order by e.epoch, e.offset_no",
    )
    .bind(room.id.0)
    .bind(i64::from(after.epoch))
    .bind(signed(after.offset))
    .bind(signed(limit as u64 + 1))
    .bind(i64::from(room.partition))
    .fetch_all(conn)
    .await?;
    let mut at = rows.first().map_or(Position::START, |row| progress::folded_to(row.0, row.1));
    let mut events = Vec::with_capacity(rows.len());
    for (_, _, epoch, offset, body) in rows {
        if let (Some(epoch), Some(offset), Some(body)) = (epoch, offset, body) {
            let at = position(epoch, offset);
            events.push((at, read(&body, at)?));
        }
    }
    let more = events.len() > limit;
    events.truncate(limit);
    if let (true, Some((last, _))) = (more, events.last()) {
        at = *last;
    }
    Ok(EventPage { events, at, more })
}

/// Where the room's last event is.
pub(super) async fn head(conn: &mut Connection, room: RoomId) -> Result<Position, StoreError> {
    let last: Option<(i64, i64)> = sqlx::query_as(
        "select epoch, offset_no from events where room = $1 order by epoch desc, offset_no desc limit 1",
    )
    .bind(room.0)
    .fetch_optional(conn)
    .await?;
    Ok(last.map_or(Position::START, |(epoch, offset)| position(epoch, offset)))
}

pub(super) async fn posted(
    conn: &mut Connection,
    room: RoomId,
    id: MessageId,
) -> Result<Option<PostedRow>, StoreError> {
    let row: Option<(Uuid, i64, i64, bool, String)> = sqlx::query_as(
        "select m.author, m.epoch, m.offset_no, m.deleted, e.body
         from messages m
         join events e on e.room = m.room and e.epoch = m.epoch and e.offset_no = m.offset_no
         where m.room = $1 and m.id = $2",
    )
    .bind(room.0)
    .bind(id.0)
    .fetch_optional(conn)
    .await?;
    let Some((author, epoch, offset, deleted, event)) = row else { return Ok(None) };
    let at = position(epoch, offset);
    let body = match read(&event, at)? {
        Event::Known(KnownEvent::MessagePosted { message }) if !deleted => Some(message.body),
        _ => None,
    };
    Ok(Some(PostedRow { author: UserId(author), at, body }))
}

/// Takes the text out of every event that carries that of a message.
pub(super) async fn blank(conn: &mut Connection, room: RoomId, id: MessageId) -> Result<(), sqlx::Error> {
    let rows: Vec<(i64, i64, String)> =
        sqlx::query_as("select epoch, offset_no, body from events where room = $1 and message = $2")
            .bind(room.0)
            .bind(id.0)
            .fetch_all(&mut *conn)
            .await?;
    for (epoch, offset, body) in rows {
        let event = read(&body, position(epoch, offset)).map_err(|e| sqlx::Error::Decode(e.into()))?;
        sqlx::query("update events set body = $4 where room = $1 and epoch = $2 and offset_no = $3")
            .bind(room.0)
            .bind(epoch)
            .bind(offset)
            .bind(write(&event.without_text()))
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

/// An event as the archive keeps it.
pub(super) fn write(event: &Event) -> String {
    serde_json::to_string(event).expect("an event is plain data")
}

fn read(body: &str, at: Position) -> Result<Event, StoreError> {
    serde_json::from_str(body).map_err(|e| StoreError::Broken(format!("the archive's event at {at}: {e}")))
}
