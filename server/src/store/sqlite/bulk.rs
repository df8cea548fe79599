//! Many rows at once, for SQLite: statements of many values, so that a batch
//! costs few trips to the thread that the connection lives on.

use super::Connection;
use crate::store::{
    Stretch,
    chain::Link,
    row::{ChainRow, NewEvent, NewMessage, not_forgotten, signed},
    search::{IndexedText, NewTerms},
};
use sqlx::{QueryBuilder, Sqlite};
use std::collections::HashSet;
use uuid::Uuid;

/// Rows a statement: most of the gain is had by then, and the statement stays short.
const ROWS: usize = 50;

/// None: nothing is gained by moving the progress of several partitions together.
pub(super) async fn advance(_: &mut Connection, _: &[Stretch<'_>]) -> Result<Vec<(i64, i64)>, sqlx::Error> {
    Ok(Vec::new())
}

/// Inserts the messages whose ids are new in their rooms; the rooms and offsets of those that were.
pub(super) async fn insert_messages(
    tx: &mut Connection,
    rows: &[NewMessage<'_>],
) -> Result<Vec<(Uuid, i64)>, sqlx::Error> {
    let mut inserted = Vec::with_capacity(rows.len());
    for rows in rows.chunks(ROWS) {
        let mut query = QueryBuilder::<Sqlite>::new(
            "with x (room, id, epoch, offset_no, author, body, sent_at, deleted, reply_to, place) as (",
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
                .push_bind(row.reply_to)
                .push_bind(row.place);
        });
        query.push(concat!(
            ") insert into messages (room, id, epoch, offset_no, author, body, sent_at, deleted, reply_to, place)
               select * from x where ",
            not_forgotten!(),
            " on conflict (room, id) do nothing returning room, offset_no"
        ));
        let new: HashSet<(Uuid, i64)> = query.build_query_as().fetch_all(&mut *tx).await?.into_iter().collect();
        let indexed =
            rows.iter().filter(|row| new.contains(&(row.room, row.offset))).map(|row| (row.place, &row.terms));
        write_terms(tx, indexed).await?;
        inserted.extend(new);
    }
    Ok(inserted)
}

/// Writes the terms of messages that are there.
pub(super) async fn index(tx: &mut Connection, rows: &[NewTerms]) -> Result<(), sqlx::Error> {
    for rows in rows.chunks(ROWS) {
        write_terms(tx, rows.iter().map(|row| (row.place, &row.terms))).await?;
        for row in rows {
            sqlx::query("update messages set place = $3 where room = $1 and id = $2 and place is not $3")
                .bind(row.room)
                .bind(row.id)
                .bind(row.place)
                .execute(&mut *tx)
                .await?;
        }
    }
    Ok(())
}

async fn write_terms<'a>(
    tx: &mut Connection,
    rows: impl Iterator<Item = (i64, &'a IndexedText)>,
) -> Result<(), sqlx::Error> {
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return Ok(());
    }
    let mut query = QueryBuilder::<Sqlite>::new("insert or replace into message_terms (rowid, terms) ");
    query.push_values(rows, |mut values, (place, terms)| {
        values.push_bind(place).push_bind(format!("{} {} {}", terms.room, terms.author, terms.words));
    });
    query.build().execute(tx).await?;
    Ok(())
}

/// Inserts events into the archive.
pub(super) async fn insert_events(tx: &mut Connection, rows: &[NewEvent]) -> Result<(), sqlx::Error> {
    for rows in rows.chunks(ROWS) {
        let mut query =
            QueryBuilder::<Sqlite>::new("insert into events (room, epoch, offset_no, kind, message, body, digest) ");
        query.push_values(rows, |mut values, row| {
            values
                .push_bind(row.room)
                .push_bind(row.epoch)
                .push_bind(row.offset)
                .push_bind(&row.kind)
                .push_bind(row.message)
                .push_bind(&row.body)
                .push_bind(&row.digest[..]);
        });
        query.build().execute(&mut *tx).await?;
    }
    Ok(())
}

/// The chains of rooms, each with the first event that is to be added to it: see `chains::Found`.
pub(super) async fn find_chains<T>(tx: &mut Connection, firsts: &[Link]) -> Result<Vec<T>, sqlx::Error>
where
    T: Send + Unpin + for<'r> sqlx::FromRow<'r, super::Row>,
{
    let mut found = Vec::with_capacity(firsts.len());
    for firsts in firsts.chunks(ROWS) {
        let mut query = QueryBuilder::<Sqlite>::new("with x (room, epoch, offset_no) as (");
        query.push_values(firsts, |mut values, link| {
            values.push_bind(link.room).push_bind(i64::from(link.at.epoch)).push_bind(signed(link.at.offset));
        });
        query.push(concat!(") ", chains_of_x!()));
        found.extend(query.build_query_as::<T>().fetch_all(&mut *tx).await?);
    }
    Ok(found)
}

/// The postings of messages, each named by its room and its id, in no order.
pub(super) async fn postings<T>(conn: &mut Connection, asked: &[(Uuid, Uuid)]) -> Result<Vec<T>, sqlx::Error>
where
    T: Send + Unpin + for<'r> sqlx::FromRow<'r, super::Row>,
{
    let mut found = Vec::new();
    for asked in asked.chunks(ROWS) {
        let mut query = QueryBuilder::<Sqlite>::new("with x (room, message) as (");
        // Of each length there is a statement: of few lengths, few.
        let last = asked.last().copied().into_iter().cycle();
        let padded = asked.iter().copied().chain(last).take(if asked.len() == 1 { 1 } else { ROWS });
        query.push_values(padded, |mut values, (room, message)| {
            values.push_bind(room).push_bind(message);
        });
        query.push(concat!(") ", postings_of_x!()));
        found.extend(query.build_query_as::<T>().fetch_all(&mut *conn).await?);
    }
    Ok(found)
}

/// Writes chains over those that were.
pub(super) async fn write_chains(tx: &mut Connection, rows: &[ChainRow]) -> Result<(), sqlx::Error> {
    for rows in rows.chunks(ROWS) {
        let mut query = QueryBuilder::<Sqlite>::new(
            "insert into chains (room, first_epoch, first_offset, last_epoch, last_offset, events, digest) ",
        );
        query.push_values(rows, |mut values, ChainRow { room, chain }| {
            values
                .push_bind(*room)
                .push_bind(i64::from(chain.first.epoch))
                .push_bind(signed(chain.first.offset))
                .push_bind(i64::from(chain.last.epoch))
                .push_bind(signed(chain.last.offset))
                .push_bind(signed(chain.events))
                .push_bind(&chain.digest[..]);
        });
        query.push(concat!(" ", over_the_old_chain!()));
        query.build().execute(&mut *tx).await?;
    }
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
    let mut found = Vec::new();
    for rooms in rooms.chunks(ROWS) {
        let mut query = QueryBuilder::<Sqlite>::new(concat!(archived_where!(), " epoch = "));
        query.push_bind(i64::from(epoch)).push(" and offset_no >= ").push_bind(signed(from));
        query.push(" and offset_no < ").push_bind(signed(to)).push(" and room in (");
        let mut list = query.separated(", ");
        for room in rooms {
            list.push_bind(*room);
        }
        query.push(")");
        found.extend(query.build_query_as::<T>().fetch_all(&mut *conn).await?);
    }
    Ok(found)
}
