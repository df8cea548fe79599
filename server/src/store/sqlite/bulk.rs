//! Many rows at once, for SQLite: statements of many values, so that a batch
//! costs few trips to the thread that the connection lives on.

use super::Connection;
use crate::store::row::{NewEvent, NewMessage};
use sqlx::{QueryBuilder, Sqlite};

/// Rows a statement: most of the gain is had by then, and the statement stays short.
const ROWS: usize = 50;

/// Inserts the messages whose ids are new in their rooms; the offsets of those that were.
pub(super) async fn insert_messages(tx: &mut Connection, rows: &[NewMessage<'_>]) -> Result<Vec<i64>, sqlx::Error> {
    let mut inserted = Vec::with_capacity(rows.len());
    for rows in rows.chunks(ROWS) {
        let mut query = QueryBuilder::<Sqlite>::new(
            "insert into messages (room, id, epoch, offset_no, author, body, sent_at, deleted, reply_to) ",
        );
        query.push_values(rows, |mut values, row| {
            values
                .push_bind(row.room)
                .push_bind(row.id)
                .push_bind(row.epoch)
                .push_bind(row.offset)
                .push_bind(row.author)
                .push_bind(row.body)
                .push_bind(row.sent_at)
                .push_bind(false)
                .push_bind(row.reply_to);
        });
        query.push(" on conflict (room, id) do nothing returning offset_no");
        inserted.extend(query.build_query_scalar::<i64>().fetch_all(&mut *tx).await?);
    }
    Ok(inserted)
}

/// Inserts events into the archive.
pub(super) async fn insert_events(tx: &mut Connection, rows: &[NewEvent]) -> Result<(), sqlx::Error> {
    for rows in rows.chunks(ROWS) {
        let mut query =
            QueryBuilder::<Sqlite>::new("insert into events (room, epoch, offset_no, kind, message, body) ");
        query.push_values(rows, |mut values, row| {
            values
                .push_bind(row.room)
                .push_bind(row.epoch)
                .push_bind(row.offset)
                .push_bind(&row.kind)
                .push_bind(row.message)
                .push_bind(&row.body);
        });
        query.build().execute(&mut *tx).await?;
    }
    Ok(())
}
