//! Pages of a room's messages, or of those that answer one of them, by position.

use super::{
    Connection, Row,
    messages::{self, MessageRow, message_columns},
    progress,
};
use crate::store::{
    RoomRow, StoreError, Window,
    row::{position, signed},
};
use app::model::{Message, MessageId, MessagePage, Position, Thread};
use sqlx::{FromRow, Row as _};
use uuid::Uuid;

/// Messages in order, how far the room is folded, and whether there are more in the direction that was asked for.
struct Stretch {
    messages: Vec<Message>,
    folded_to: Position,
    more: bool,
}

/// A message and those that answer it. `conn` must see one moment all along.
pub(super) async fn thread(
    conn: &mut Connection,
    room: &RoomRow,
    id: MessageId,
    window: Window,
    limit: u32,
) -> Result<Option<Thread>, StoreError> {
    let Some(message) = messages::one(conn, room.id, id).await? else { return Ok(None) };
    let page = page(conn, room, Some(id), window, limit).await?;
    Ok(page.map(|page| Thread { message, page }))
}

/// For [`Window::Around`], `conn` must see one moment all along; the others are one statement. `of`: only of the messages
/// that answer this one.
pub(super) async fn page(
    conn: &mut Connection,
    room: &RoomRow,
    of: Option<MessageId>,
    window: Window,
    limit: u32,
) -> Result<Option<MessagePage>, StoreError> {
    let limit = limit.max(1);
    let page = match window {
        Window::Newest => older(before(conn, room, of, Position::new(u32::MAX, u64::MAX), limit).await?),
        Window::Before(position) => older(before(conn, room, of, position, limit).await?),
        Window::After(position) => {
            let stretch = after(conn, room, of, position, limit).await?;
            let (at, as_of, more) = (covered(&stretch), stretch.folded_to, stretch.more);
            MessagePage { messages: stretch.messages, at, as_of, more }
        }
        Window::Around(id) => return around(conn, room, of, id, limit).await,
    };
    Ok(Some(page))
}

fn older(stretch: Stretch) -> MessagePage {
    let Stretch { messages, folded_to, more } = stretch;
    MessagePage { messages, at: folded_to, as_of: folded_to, more }
}

/// A page that stops short of the newest message covers the room only up to its own last one: what subscribes since
/// there gets the rest.
fn covered(stretch: &Stretch) -> Position {
    match stretch.messages.last() {
        Some(last) if stretch.more => last.at,
        _ => stretch.folded_to,
    }
}

async fn around(
    conn: &mut Connection,
    room: &RoomRow,
    of: Option<MessageId>,
    id: MessageId,
    limit: u32,
) -> Result<Option<MessagePage>, StoreError> {
    let place: Option<(i64, i64)> = sqlx::query_as("select epoch, offset_no from messages where room = $1 and id = $2")
        .bind(room.id.0)
        .bind(id.0)
        .fetch_optional(&mut *conn)
        .await?;
    let Some((epoch, offset)) = place else { return Ok(None) };
    let at = position(epoch, offset);
    // The message itself is the newest of the first half.
    let first = before(conn, room, of, Position::new(at.epoch, at.offset + 1), limit / 2 + 1).await?;
    let second = after(conn, room, of, at, limit - (limit / 2 + 1)).await?;
    let messages = first.messages.into_iter().chain(second.messages).collect();
    let all = Stretch { messages, ..second };
    Ok(Some(MessagePage { at: covered(&all), as_of: all.folded_to, messages: all.messages, more: first.more }))
}

/// A page of messages beside the partition's progress: there is one row at least, and one statement sees one moment.
macro_rules! page_of {
    ($of:literal, $comparison:literal, $direction:literal) => {
        concat!(
            "select meta.epoch as log_epoch, progress.next_offset as log_next, page.*
             from meta
             left join progress on progress.partition_no = $5
             left join (
                 select ",
            message_columns!(),
            " from messages m join accounts a on a.id = m.author
              where m.room = $1 and ",
            $of,
            " (m.epoch, m.offset_no) ",
            $comparison,
            " ($2, $3) order by m.epoch ",
            $direction,
            ", m.offset_no ",
            $direction,
            " limit $4
             ) as page on true
             order by page.epoch, page.offset_no"
        )
    };
}

/// The pages of rooms and threads.
pub(super) const OLDER: &str = page_of!("", "<", "desc");
pub(super) const NEWER: &str = page_of!("", ">", "asc");
pub(super) const OLDER_ANSWERS: &str = page_of!("m.reply_to = $6 and", "<", "desc");
pub(super) const NEWER_ANSWERS: &str = page_of!("m.reply_to = $6 and", ">", "asc");

async fn before(
    conn: &mut Connection,
    room: &RoomRow,
    of: Option<MessageId>,
    at: Position,
    limit: u32,
) -> Result<Stretch, StoreError> {
    let query = if of.is_some() { OLDER_ANSWERS } else { OLDER };
    let mut stretch = read(conn, query, room, of, at, limit).await?;
    if stretch.messages.len() > limit as usize {
        stretch.messages.remove(0);
        stretch.more = true;
    }
    Ok(stretch)
}

async fn after(
    conn: &mut Connection,
    room: &RoomRow,
    of: Option<MessageId>,
    at: Position,
    limit: u32,
) -> Result<Stretch, StoreError> {
    let query = if of.is_some() { NEWER_ANSWERS } else { NEWER };
    let mut stretch = read(conn, query, room, of, at, limit).await?;
    if stretch.messages.len() > limit as usize {
        stretch.messages.pop();
        stretch.more = true;
    }
    Ok(stretch)
}

/// One message more than the limit, if there is one: so it is known whether there are more.
async fn read(
    conn: &mut Connection,
    query: &'static str,
    room: &RoomRow,
    of: Option<MessageId>,
    at: Position,
    limit: u32,
) -> Result<Stretch, StoreError> {
    let query = sqlx::query_as(query)
        .bind(room.id.0)
        .bind(i64::from(at.epoch))
        .bind(signed(at.offset))
        .bind(i64::from(limit) + 1)
        .bind(i64::from(room.partition));
    let query = if let Some(of) = of { query.bind(of.0) } else { query };
    let rows: Vec<PageRow> = query.fetch_all(conn).await?;
    let folded_to = rows.first().map_or(Position::START, |row| row.folded_to);
    let messages =
        rows.into_iter().filter_map(|row| row.message).map(Message::try_from).collect::<Result<_, StoreError>>()?;
    Ok(Stretch { messages, folded_to, more: false })
}

struct PageRow {
    folded_to: Position,
    /// `None`: the page is empty.
    message: Option<MessageRow>,
}

impl FromRow<'_, Row> for PageRow {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        let message = match row.try_get::<Option<Uuid>, _>("id")? {
            Some(_) => Some(MessageRow::from_row(row)?),
            None => None,
        };
        Ok(Self { folded_to: progress::folded_to(row.try_get("log_epoch")?, row.try_get("log_next")?), message })
    }
}
