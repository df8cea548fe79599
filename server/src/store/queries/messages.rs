//! Messages as they stand, with their authors and reactions.

use super::Connection;
use crate::store::{
    StoreError,
    row::{UserRow, position, small},
};
use app::model::{Message, MessageId, Reaction, RoomId};
use uuid::Uuid;

/// The columns of a message `m` by an author `a`.
macro_rules! message_columns {
    () => {
        concat!(
            "m.id, m.epoch, m.offset_no, m.body, m.sent_at, m.edited_at, m.deleted, m.reply_to,
             a.id as account, a.username, a.display_name, a.guest, a.admin,
             (select ",
            json_of_reactions!(),
            " from (
                  select x.emoji, who.username from reactions x join accounts who on who.id = x.account
                  where x.room = m.room and x.message = m.id
                  order by x.epoch, x.offset_no
              ) as r) as reactions,
             exists (select 1 from pins p where p.room = m.room and p.message = m.id) as pinned,
             (select count(*) from messages x
              where x.room = m.room and x.reply_to = m.id and not x.deleted) as replies"
        )
    };
}
pub(in super::super) use message_columns;

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
    reactions: Option<String>,
    pinned: bool,
    replies: i64,
}

impl TryFrom<MessageRow> for Message {
    type Error = StoreError;
    fn try_from(row: MessageRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: MessageId(row.id),
            at: position(row.epoch, row.offset_no),
            author: row.author.into(),
            body: row.body,
            sent_at: row.sent_at,
            edited_at: row.edited_at,
            deleted: row.deleted,
            reply_to: row.reply_to.map(MessageId),
            reactions: reactions(row.reactions.as_deref().unwrap_or("[]"))?,
            pinned: row.pinned,
            replies: small(row.replies),
        })
    }
}

/// By emoji, from pairs of emoji and user name in order of time.
fn reactions(json: &str) -> Result<Vec<Reaction>, StoreError> {
    let pairs: Vec<(String, String)> =
        serde_json::from_str(json).map_err(|e| StoreError::Broken(format!("reactions: {e}")))?;
    let mut reactions: Vec<Reaction> = Vec::new();
    for (emoji, user) in pairs {
        match reactions.iter_mut().find(|r| r.emoji == emoji) {
            Some(reaction) => reaction.users.push(user),
            None => reactions.push(Reaction { emoji, users: vec![user] }),
        }
    }
    Ok(reactions)
}

pub(super) async fn one(conn: &mut Connection, room: RoomId, id: MessageId) -> Result<Option<Message>, StoreError> {
    let row: Option<MessageRow> = sqlx::query_as(concat!(
        "select ",
        message_columns!(),
        " from messages m join accounts a on a.id = m.author where m.room = $1 and m.id = $2"
    ))
    .bind(room.0)
    .bind(id.0)
    .fetch_optional(conn)
    .await?;
    row.map(Message::try_from).transpose()
}
