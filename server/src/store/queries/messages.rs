//! Messages as they stand, with their authors and reactions.

use super::Connection;
use crate::store::{
    StoreError,
    row::{UserRow, position, signed},
};
use app::model::{Message, MessageId, Position, Reaction, RoomId};
use std::collections::HashMap;
use uuid::Uuid;

/// A query for messages `m` with their authors; what follows narrows and sorts it.
macro_rules! select_messages {
    ($rest:literal) => {
        concat!(
            "select m.id, m.epoch, m.offset_no, m.body, m.sent_at, m.edited_at, m.deleted, m.reply_to,
                    a.id as account, a.username, a.display_name, a.guest, a.admin
             from messages m join accounts a on a.id = m.author ",
            $rest
        )
    };
}
pub(super) use select_messages;

#[derive(sqlx::FromRow)]
pub(super) struct MessageRow {
    id: Uuid,
    epoch: i64,
    offset_no: i64,
    body: String,
    sent_at: i64,
    edited_at: Option<i64>,
    deleted: bool,
    reply_to: Option<Uuid>,
    #[sqlx(flatten)]
    author: UserRow,
}

impl From<MessageRow> for Message {
    fn from(row: MessageRow) -> Self {
        Self {
            id: MessageId(row.id),
            at: position(row.epoch, row.offset_no),
            author: row.author.into(),
            body: row.body,
            sent_at: row.sent_at,
            edited_at: row.edited_at,
            deleted: row.deleted,
            reply_to: row.reply_to.map(MessageId),
            reactions: Vec::new(),
        }
    }
}

pub(super) async fn one(conn: &mut Connection, room: RoomId, id: MessageId) -> Result<Option<Message>, StoreError> {
    let row: Option<MessageRow> = sqlx::query_as(select_messages!("where m.room = $1 and m.id = $2"))
        .bind(room.0)
        .bind(id.0)
        .fetch_optional(&mut *conn)
        .await?;
    let mut found: Vec<Message> = row.into_iter().map(Message::from).collect();
    add_reactions(conn, room, &mut found).await?;
    Ok(found.pop())
}

/// Fills in the reactions of messages that stand side by side in a room, oldest first.
pub(super) async fn add_reactions(
    conn: &mut Connection,
    room: RoomId,
    messages: &mut [Message],
) -> Result<(), StoreError> {
    let (Some(first), Some(last)) = (messages.first().map(|m| m.at), messages.last().map(|m| m.at)) else {
        return Ok(());
    };
    let mut by_message = reactions(conn, room, first, last).await?;
    for message in messages {
        message.reactions = by_message.remove(&message.id).unwrap_or_default();
    }
    Ok(())
}

async fn reactions(
    conn: &mut Connection,
    room: RoomId,
    first: Position,
    last: Position,
) -> Result<HashMap<MessageId, Vec<Reaction>>, StoreError> {
    let rows: Vec<(Uuid, String, String)> = sqlx::query_as(
        "select r.message, r.emoji, a.username
         from messages m
         join reactions r on r.room = m.room and r.message = m.id
         join accounts a on a.id = r.account
         where m.room = $1 and (m.epoch, m.offset_no) >= ($2, $3) and (m.epoch, m.offset_no) <= ($4, $5)
         order by r.epoch, r.offset_no",
    )
    .bind(room.0)
    .bind(i64::from(first.epoch))
    .bind(signed(first.offset))
    .bind(i64::from(last.epoch))
    .bind(signed(last.offset))
    .fetch_all(conn)
    .await?;
    let mut by_message: HashMap<MessageId, Vec<Reaction>> = HashMap::new();
    for (message, emoji, user) in rows {
        let reactions = by_message.entry(MessageId(message)).or_default();
        match reactions.iter_mut().find(|r| r.emoji == emoji) {
            Some(reaction) => reaction.users.push(user),
            None => reactions.push(Reaction { emoji, users: vec![user] }),
        }
    }
    Ok(by_message)
}
