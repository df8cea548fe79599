//! Pages of a room's messages, by position.

use super::{
    Connection,
    messages::{MessageRow, add_reactions, select_messages},
    progress,
};
use crate::store::{
    RoomRow, StoreError, Window,
    row::{position, signed},
};
use app::model::{Message, MessageId, MessagePage, Position, RoomId};

/// Messages in order, and whether there are more: older ones, newer ones.
struct Stretch {
    messages: Vec<Message>,
    older: bool,
    newer: bool,
}

/// `conn` must see one moment all along.
pub(super) async fn page(
    conn: &mut Connection,
    room: &RoomRow,
    window: Window,
    limit: u32,
) -> Result<Option<MessagePage>, StoreError> {
    let folded_to = progress::folded_to(conn, room.partition).await?;
    let limit = limit.max(1);
    let Stretch { mut messages, older, newer } = match window {
        Window::Newest => before(conn, room.id, Position::new(u32::MAX, u64::MAX), limit).await?,
        Window::Before(position) => before(conn, room.id, position, limit).await?,
        Window::After(position) => after(conn, room.id, position, limit).await?,
        Window::Around(id) => match around(conn, room.id, id, limit).await? {
            Some(stretch) => stretch,
            None => return Ok(None),
        },
    };
    add_reactions(conn, room.id, &mut messages).await?;
    // A page that stops short of the newest message covers the room only up to its own last one: what subscribes
    // since there gets the rest.
    let at = match messages.last() {
        Some(last) if newer => last.at,
        _ => folded_to,
    };
    let more = if matches!(window, Window::After(_)) { newer } else { older };
    Ok(Some(MessagePage { messages, at, more }))
}

async fn before(conn: &mut Connection, room: RoomId, at: Position, limit: u32) -> Result<Stretch, StoreError> {
    let rows = sqlx::query_as(select_messages!(
        "where m.room = $1 and (m.epoch, m.offset_no) < ($2, $3) order by m.epoch desc, m.offset_no desc limit $4"
    ))
    .bind(room.0)
    .bind(i64::from(at.epoch))
    .bind(signed(at.offset))
    .bind(i64::from(limit) + 1)
    .fetch_all(conn)
    .await?;
    let (mut messages, older) = cut(rows, limit);
    messages.reverse();
    Ok(Stretch { messages, older, newer: false })
}

async fn after(conn: &mut Connection, room: RoomId, at: Position, limit: u32) -> Result<Stretch, StoreError> {
    let rows = sqlx::query_as(select_messages!(
        "where m.room = $1 and (m.epoch, m.offset_no) > ($2, $3) order by m.epoch, m.offset_no limit $4"
    ))
    .bind(room.0)
    .bind(i64::from(at.epoch))
    .bind(signed(at.offset))
    .bind(i64::from(limit) + 1)
    .fetch_all(conn)
    .await?;
    let (messages, newer) = cut(rows, limit);
    Ok(Stretch { messages, older: false, newer })
}

/// Takes off the one row too many, which was asked for to learn whether there are more.
fn cut(mut rows: Vec<MessageRow>, limit: u32) -> (Vec<Message>, bool) {
    let limit = limit as usize;
    let more = rows.len() > limit;
    rows.truncate(limit);
    (rows.into_iter().map(Message::from).collect(), more)
}

async fn around(conn: &mut Connection, room: RoomId, id: MessageId, limit: u32) -> Result<Option<Stretch>, StoreError> {
    let place: Option<(i64, i64)> = sqlx::query_as("select epoch, offset_no from messages where room = $1 and id = $2")
        .bind(room.0)
        .bind(id.0)
        .fetch_optional(&mut *conn)
        .await?;
    let Some((epoch, offset)) = place else { return Ok(None) };
    let at = position(epoch, offset);
    // The message itself is the newest of the first half.
    let first = before(conn, room, Position::new(at.epoch, at.offset + 1), limit / 2 + 1).await?;
    let second = after(conn, room, at, limit - (limit / 2 + 1)).await?;
    let messages = first.messages.into_iter().chain(second.messages).collect();
    Ok(Some(Stretch { messages, older: first.older, newer: second.newer }))
}
