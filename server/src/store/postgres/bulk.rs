//! Many rows at once, for PostgreSQL: one array a column, so that the statement
//! is the same, and planned once, however many rows there are.

use super::Connection;
use crate::store::row::{NewEvent, NewMessage};
use uuid::Uuid;

/// Inserts the messages whose ids are new in their rooms; the offsets of those that were.
pub(super) async fn insert_messages(tx: &mut Connection, rows: &[NewMessage<'_>]) -> Result<Vec<i64>, sqlx::Error> {
    sqlx::query_scalar(
        "insert into messages (room, id, epoch, offset_no, author, body, sent_at, reply_to, deleted)
         select *, false from unnest($1, $2, $3, $4, $5, $6, $7, $8)
         on conflict (room, id) do nothing
         returning offset_no",
    )
    .bind(rows.iter().map(|row| row.room).collect::<Vec<Uuid>>())
    .bind(rows.iter().map(|row| row.id).collect::<Vec<Uuid>>())
    .bind(rows.iter().map(|row| row.epoch).collect::<Vec<i64>>())
    .bind(rows.iter().map(|row| row.offset).collect::<Vec<i64>>())
    .bind(rows.iter().map(|row| row.author).collect::<Vec<Uuid>>())
    .bind(rows.iter().map(|row| row.body).collect::<Vec<&str>>())
    .bind(rows.iter().map(|row| row.sent_at).collect::<Vec<i64>>())
    .bind(rows.iter().map(|row| row.reply_to).collect::<Vec<Option<Uuid>>>())
    .fetch_all(tx)
    .await
}

/// Inserts events into the archive.
pub(super) async fn insert_events(tx: &mut Connection, rows: &[NewEvent]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into events (room, epoch, offset_no, kind, message, body)
         select * from unnest($1, $2, $3, $4, $5, $6)",
    )
    .bind(rows.iter().map(|row| row.room).collect::<Vec<Uuid>>())
    .bind(rows.iter().map(|row| row.epoch).collect::<Vec<i64>>())
    .bind(rows.iter().map(|row| row.offset).collect::<Vec<i64>>())
    .bind(rows.iter().map(|row| row.kind.as_str()).collect::<Vec<&str>>())
    .bind(rows.iter().map(|row| row.message).collect::<Vec<Option<Uuid>>>())
    .bind(rows.iter().map(|row| row.body.as_str()).collect::<Vec<&str>>())
    .execute(tx)
    .await?;
    Ok(())
}
