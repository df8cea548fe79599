//! The archive: every event of a room as readers see it.

use super::{Connection, bulk, progress};
use crate::store::{
    EventPage, PostedRow, RoomRow, StoreError,
    row::{position, signed},
};
use app::model::{Event, KnownEvent, MessageId, Position, RoomId, UserId};
use std::collections::HashMap;
use uuid::Uuid;

/// The log's generation, the partition's progress, and an event's epoch, offset and body if there is one.
type PageRow = (i64, Option<i64>, Option<i64>, Option<i64>, Option<String>);

/// One statement, so that the rows and the progress are of one moment.
pub(super) const PAGE: &str = "select meta.epoch, progress.next_offset, e.epoch, e.offset_no, e.body
     from meta
     left join progress on progress.partition_no = $5
     left join (
         select epoch, offset_no, body from events
         where room = $1 and (epoch, offset_no) > ($2, $3)
         order by epoch, offset_no limit $4
     ) as e on true
     order by e.epoch, e.offset_no";
pub(super) const LATEST: &str = "select meta.epoch, progress.next_offset, e.epoch, e.offset_no, e.body
     from meta
     left join progress on progress.partition_no = $5
     left join (
         select epoch, offset_no, body from events
         where room = $1 and (epoch, offset_no) <= ($2, $3)
         order by epoch desc, offset_no desc limit $4
     ) as e on true
     order by e.epoch, e.offset_no";

pub(super) async fn page(
    conn: &mut Connection,
    room: &RoomRow,
    after: Position,
    limit: u32,
) -> Result<EventPage, StoreError> {
    let limit = limit.max(1) as usize;
    let rows: Vec<PageRow> = sqlx::query_as(PAGE)
        .bind(room.id.0)
        .bind(i64::from(after.epoch))
        .bind(signed(after.offset))
        .bind(signed(limit as u64 + 1))
        .bind(i64::from(room.partition))
        .fetch_all(conn)
        .await?;
    let mut page = read_page(rows)?;
    page.more = page.events.len() > limit;
    page.events.truncate(limit);
    page.texts.truncate(limit);
    if let (true, Some((last, _))) = (page.more, page.events.last()) {
        page.at = *last;
    }
    Ok(page)
}

pub(super) async fn latest(
    conn: &mut Connection,
    room: &RoomRow,
    upto: Position,
    limit: u32,
) -> Result<EventPage, StoreError> {
    let rows: Vec<PageRow> = sqlx::query_as(LATEST)
        .bind(room.id.0)
        .bind(i64::from(upto.epoch))
        .bind(signed(upto.offset))
        .bind(i64::from(limit))
        .bind(i64::from(room.partition))
        .fetch_all(conn)
        .await?;
    let mut page = read_page(rows)?;
    page.more = page.events.len() == limit as usize;
    Ok(page)
}

fn read_page(rows: Vec<PageRow>) -> Result<EventPage, StoreError> {
    let at = rows.first().map_or(Position::START, |row| progress::folded_to(row.0, row.1));
    let mut events = Vec::with_capacity(rows.len());
    let mut texts = Vec::with_capacity(rows.len());
    for (_, _, epoch, offset, body) in rows {
        if let (Some(epoch), Some(offset), Some(body)) = (epoch, offset, body) {
            let at = position(epoch, offset);
            events.push((at, read(&body, at)?));
            texts.push(body);
        }
    }
    Ok(EventPage { events, at, more: false, texts })
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

/// A posting: its room, message, epoch, offset and event, and whether the message is deleted (`None`: too old).
type Posting = (Uuid, Uuid, i64, i64, String, Option<bool>);

pub(super) async fn posted_among(
    conn: &mut Connection,
    asked: &[(RoomId, MessageId)],
) -> Result<HashMap<(RoomId, MessageId), PostedRow>, StoreError> {
    let keys: Vec<(Uuid, Uuid)> = asked.iter().map(|(room, id)| (room.0, id.0)).collect();
    let mut first: HashMap<(RoomId, MessageId), PostedRow> = HashMap::new();
    for (room, id, epoch, offset, event, deleted) in bulk::postings::<Posting>(conn, &keys).await? {
        let (key, at) = ((RoomId(room), MessageId(id)), position(epoch, offset));
        if first.get(&key).is_some_and(|known| known.at <= at) {
            continue;
        }
        if let Event::Known(KnownEvent::MessagePosted { message }, _) = read(&event, at)? {
            // Without a row it has become too old.
            let body = (deleted == Some(false)).then_some(message.body);
            first.insert(key, PostedRow { author: message.author.id, at, body });
        }
    }
    Ok(first)
}

pub(super) async fn posted_after(
    conn: &mut Connection,
    last: Option<(RoomId, MessageId)>,
    limit: u32,
) -> Result<Vec<(RoomId, MessageId)>, StoreError> {
    let (room, id) = last.map_or((Uuid::nil(), Uuid::nil()), |(room, id)| (room.0, id.0));
    // An edit has the id of what it edits.
    let rows: Vec<(Uuid, Uuid)> = sqlx::query_as(
        "select distinct room, message from events
         where message is not null and (room, message) > ($1, $2) order by room, message limit $3",
    )
    .bind(room)
    .bind(id)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|(room, id)| (RoomId(room), MessageId(id))).collect())
}

/// Where the archive has a message's posting, and whose it is, whatever the projection says.
pub(super) async fn posted_in_archive(
    conn: &mut Connection,
    room: RoomId,
    id: MessageId,
) -> Result<Option<(Position, UserId)>, StoreError> {
    let row: Option<(i64, i64, String)> = sqlx::query_as(
        "select epoch, offset_no, body from events where room = $1 and message = $2 and kind = 'message_posted'
         order by epoch, offset_no limit 1",
    )
    .bind(room.0)
    .bind(id.0)
    .fetch_optional(conn)
    .await?;
    let Some((epoch, offset, body)) = row else { return Ok(None) };
    let at = position(epoch, offset);
    Ok(match read(&body, at)? {
        Event::Known(KnownEvent::MessagePosted { message }, _) => Some((at, message.author.id)),
        _ => None,
    })
}

/// Where the archive has a message's deletion. It looks at all deletions of the room: for what is rare.
pub(super) async fn deleted_at(
    conn: &mut Connection,
    room: RoomId,
    id: MessageId,
) -> Result<Option<Position>, StoreError> {
    let rows: Vec<(i64, i64, String)> = sqlx::query_as(
        "select epoch, offset_no, body from events where room = $1 and kind = 'message_deleted'
         and body like $2 order by epoch, offset_no",
    )
    .bind(room.0)
    .bind(format!("%{id}%"))
    .fetch_all(conn)
    .await?;
    for (epoch, offset, body) in rows {
        let at = position(epoch, offset);
        if matches!(read(&body, at)?, Event::Known(KnownEvent::MessageDeleted { id: deleted, .. }, _) if deleted == id)
        {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

/// Takes the text out of every event that carries that of a message, and with it what this version does not know of
/// the event, which may be part of the text.
pub(super) async fn blank(conn: &mut Connection, room: RoomId, id: MessageId) -> Result<(), sqlx::Error> {
    let rows: Vec<(i64, i64, String)> =
        sqlx::query_as("select epoch, offset_no, body from events where room = $1 and message = $2")
            .bind(room.0)
            .bind(id.0)
            .fetch_all(&mut *conn)
            .await?;
    blank_these(conn, room, rows).await
}

/// The same of events as they are now, each with its place.
pub(super) async fn blank_these(
    conn: &mut Connection,
    room: RoomId,
    rows: Vec<(i64, i64, String)>,
) -> Result<(), sqlx::Error> {
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

pub(super) fn read(body: &str, at: Position) -> Result<Event, StoreError> {
    serde_json::from_str(body).map_err(|e| StoreError::Broken(format!("the archive's event at {at}: {e}")))
}
