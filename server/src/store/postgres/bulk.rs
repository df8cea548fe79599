//! Many rows at once, for PostgreSQL: one array a column, so that the statement
//! is the same, and planned once, however many rows there are.

use super::Connection;
use crate::{
    search::terms::line,
    store::{
        Stretch,
        chain::Link,
        row::{ChainRow, Inserted, NewEvent, NewMessage, not_forgotten, signed},
        search::{NewTerms, author_term, room_term},
    },
};
use std::fmt::Write;
use uuid::Uuid;

/// Moves the progress of those partitions that have a row and are where they are said to be; these, with the epoch.
/// Their rows are locked in one order everywhere, and none is waited for: it would hold up the others.
pub(super) async fn advance(tx: &mut Connection, stretches: &[Stretch<'_>]) -> Result<Vec<(i64, i64)>, sqlx::Error> {
    sqlx::query_as(
        "with locked as materialized (
             select partition_no from progress where partition_no = any($1) order by partition_no for update nowait
         )
         update progress p set next_offset = x.next
         from unnest($1, $2, $3) as x (partition_no, at, next) join locked using (partition_no)
         where p.partition_no = x.partition_no and p.next_offset = x.at
         returning p.partition_no, (select epoch from meta)",
    )
    .bind(stretches.iter().map(|stretch| i64::from(stretch.partition)).collect::<Vec<i64>>())
    .bind(stretches.iter().map(|stretch| signed(stretch.from)).collect::<Vec<i64>>())
    .bind(stretches.iter().map(|stretch| signed(stretch.next)).collect::<Vec<i64>>())
    .fetch_all(tx)
    .await
}

/// Inserts the messages whose ids are new in their rooms.
pub(super) async fn insert_messages(tx: &mut Connection, rows: &[NewMessage<'_>]) -> Result<Inserted, sqlx::Error> {
    let these: Vec<(Uuid, i64)> = sqlx::query_as(concat!(
        "insert into messages (room, id, epoch, offset_no, author, body, sent_at, reply_to, terms, deleted)
         select room, id, epoch, offset_no, author, body, sent_at, reply_to, terms::tsvector, false
         from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9)
              as x (room, id, epoch, offset_no, author, body, sent_at, reply_to, terms)
         where ",
        not_forgotten!(),
        " on conflict (room, id) do nothing
         returning room, offset_no",
    ))
    .bind(rows.iter().map(|row| row.room).collect::<Vec<Uuid>>())
    .bind(rows.iter().map(|row| row.id).collect::<Vec<Uuid>>())
    .bind(rows.iter().map(|row| row.epoch).collect::<Vec<i64>>())
    .bind(rows.iter().map(|row| row.offset).collect::<Vec<i64>>())
    .bind(rows.iter().map(|row| row.author).collect::<Vec<Uuid>>())
    .bind(rows.iter().map(|row| row.body).collect::<Vec<&str>>())
    .bind(rows.iter().map(|row| row.sent_at).collect::<Vec<i64>>())
    .bind(rows.iter().map(|row| row.reply_to).collect::<Vec<Option<Uuid>>>())
    .bind(rows.iter().map(|row| row.terms.as_str()).collect::<Vec<&str>>())
    .fetch_all(tx)
    .await?;
    Ok(if these.len() == rows.len() { Inserted::All } else { Inserted::These(these.into_iter().collect()) })
}

/// Writes the terms of messages that are there.
pub(super) async fn index(tx: &mut Connection, rows: &[NewTerms]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update messages m set terms = x.terms::tsvector
         from unnest($1, $2, $3) as x (room, id, terms)
         where m.room = x.room and m.id = x.id and m.terms is distinct from x.terms::tsvector",
    )
    .bind(rows.iter().map(|row| row.room).collect::<Vec<Uuid>>())
    .bind(rows.iter().map(|row| row.id).collect::<Vec<Uuid>>())
    .bind(rows.iter().map(|row| row.terms.as_str()).collect::<Vec<&str>>())
    .execute(tx)
    .await?;
    Ok(())
}

/// What a message is found by, as `tsvector` is written: words with their places, room and author without. Terms are
/// letters and the like (see `search/terms.rs`): nothing in them needs to be escaped.
pub(super) fn terms(room: Uuid, author: Uuid, body: &str) -> String {
    let mut vector = format!("'{}' '{}'", room_term(room), author_term(author));
    for (place, word) in (1..).zip(line(body).split_terminator(' ')) {
        write!(vector, " '{word}':{place}").expect("writing to a String cannot fail");
    }
    vector
}

/// Inserts events into the archive.
pub(super) async fn insert_events(tx: &mut Connection, rows: &[NewEvent]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into events (room, epoch, offset_no, kind, message, body, digest)
         select * from unnest($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(rows.iter().map(|row| row.room).collect::<Vec<Uuid>>())
    .bind(rows.iter().map(|row| row.epoch).collect::<Vec<i64>>())
    .bind(rows.iter().map(|row| row.offset).collect::<Vec<i64>>())
    .bind(rows.iter().map(|row| &*row.kind).collect::<Vec<&str>>())
    .bind(rows.iter().map(|row| row.message).collect::<Vec<Option<Uuid>>>())
    .bind(rows.iter().map(|row| row.body.as_str()).collect::<Vec<&str>>())
    .bind(rows.iter().map(|row| &row.digest[..]).collect::<Vec<&[u8]>>())
    .execute(tx)
    .await?;
    Ok(())
}

/// The chains of rooms, each with the first event that is to be added to it: see `chains::Found`.
pub(super) async fn find_chains<T>(tx: &mut Connection, firsts: &[Link]) -> Result<Vec<T>, sqlx::Error>
where
    T: Send + Unpin + for<'r> sqlx::FromRow<'r, super::Row>,
{
    sqlx::query_as(concat!(
        "with x as (select * from unnest($1, $2, $3) as x (room, epoch, offset_no)) ",
        chains_of_x!()
    ))
    .bind(firsts.iter().map(|link| link.room).collect::<Vec<Uuid>>())
    .bind(firsts.iter().map(|link| i64::from(link.at.epoch)).collect::<Vec<i64>>())
    .bind(firsts.iter().map(|link| signed(link.at.offset)).collect::<Vec<i64>>())
    .fetch_all(tx)
    .await
}

/// The postings of messages, each named by its room and its id, in no order.
pub(super) async fn postings<T>(conn: &mut Connection, asked: &[(Uuid, Uuid)]) -> Result<Vec<T>, sqlx::Error>
where
    T: Send + Unpin + for<'r> sqlx::FromRow<'r, super::Row>,
{
    sqlx::query_as(concat!("with x as (select * from unnest($1, $2) as x (room, message)) ", postings_of_x!()))
        .bind(asked.iter().map(|(room, _)| *room).collect::<Vec<Uuid>>())
        .bind(asked.iter().map(|(_, message)| *message).collect::<Vec<Uuid>>())
        .fetch_all(conn)
        .await
}

/// Writes chains over those that were.
pub(super) async fn write_chains(tx: &mut Connection, rows: &[ChainRow]) -> Result<(), sqlx::Error> {
    sqlx::query(concat!(
        "insert into chains (room, first_epoch, first_offset, last_epoch, last_offset, events, digest)
         select * from unnest($1, $2, $3, $4, $5, $6, $7) ",
        over_the_old_chain!()
    ))
    .bind(rows.iter().map(|row| row.room).collect::<Vec<Uuid>>())
    .bind(rows.iter().map(|row| i64::from(row.chain.first.epoch)).collect::<Vec<i64>>())
    .bind(rows.iter().map(|row| signed(row.chain.first.offset)).collect::<Vec<i64>>())
    .bind(rows.iter().map(|row| i64::from(row.chain.last.epoch)).collect::<Vec<i64>>())
    .bind(rows.iter().map(|row| signed(row.chain.last.offset)).collect::<Vec<i64>>())
    .bind(rows.iter().map(|row| signed(row.chain.events)).collect::<Vec<i64>>())
    .bind(rows.iter().map(|row| &row.chain.digest[..]).collect::<Vec<&[u8]>>())
    .execute(tx)
    .await?;
    Ok(())
}

/// What the archive has of rooms in a stretch of a generation of the log.
pub(super) async fn archived<T>(
    conn: &mut Connection,
    rooms: &[Uuid],
    epoch: u32,
    from: u64,
    to: u64,
) -> Result<Vec<T>, sqlx::Error>
where
    T: Send + Unpin + for<'r> sqlx::FromRow<'r, super::Row>,
{
    sqlx::query_as(concat!(archived_where!(), " epoch = $1 and offset_no >= $2 and offset_no < $3 and room = any($4)"))
        .bind(i64::from(epoch))
        .bind(signed(from))
        .bind(signed(to))
        .bind(rooms)
        .fetch_all(conn)
        .await
}
