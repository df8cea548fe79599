//! Many rows at once, for SQLite: statements of many values, so that a batch
//! costs few trips to the thread that the connection lives on.

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
use sqlx::{QueryBuilder, Sqlite};
use std::collections::HashSet;
use uuid::Uuid;

/// Rows a statement, at most.
const ROWS: usize = 256;

/// Few go in one statement.
const FEW: usize = 16;
/// Statements that are kept prepared: of each length there is one, for each table.
pub(super) const PREPARED: usize = 256;

/// Runs of a power of two, the longest first, and the last few: so there are not many lengths.
fn runs<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let power = 1 << rows.len().checked_ilog2()?;
        let (run, rest) = rows.split_at(if rows.len() <= FEW { rows.len() } else { power.min(ROWS) });
        rows = rest;
        Some(run)
    })
}

/// Executes a statement for each run of rows. The next is made while the thread is at one. How many rows it has changed.
async fn execute<'r, T>(
    tx: &mut Connection,
    rows: &'r [T],
    statement: impl Fn(&'r [T]) -> QueryBuilder<Sqlite>,
) -> Result<u64, sqlx::Error> {
    let mut statements = runs(rows).map(statement);
    let (mut next, mut changed) = (statements.next(), 0);
    while let Some(mut now) = next {
        let (done, made) = tokio::join!(now.build().execute(&mut *tx), async { statements.next() });
        changed += done?.rows_affected();
        next = made;
    }
    Ok(changed)
}

/// None: nothing is gained by moving the progress of several partitions together.
pub(super) async fn advance(_: &mut Connection, _: &[Stretch<'_>]) -> Result<Vec<(i64, i64)>, sqlx::Error> {
    Ok(Vec::new())
}

/// Inserts the messages whose ids are new in their rooms.
pub(super) async fn insert_messages(tx: &mut Connection, rows: &[NewMessage<'_>]) -> Result<Inserted, sqlx::Error> {
    let new = execute(tx, rows, |rows| {
        let mut query = QueryBuilder::new(
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
            " on conflict (room, id) do nothing"
        ));
        query
    });
    let all = new.await? == rows.len() as u64;
    let inserted = if all { Inserted::All } else { Inserted::These(those_there(tx, rows).await?) };
    let there = rows.iter().filter(|row| inserted.has(row.room, row.offset));
    write_terms(tx, there.map(|row| (row.place, row.terms.as_str())).collect()).await?;
    Ok(inserted)
}

/// Those of which the table has this very record, not another of the same id. A record comes once, which its partition's
/// progress sees to: so they were inserted just now.
async fn those_there(tx: &mut Connection, rows: &[NewMessage<'_>]) -> Result<HashSet<(Uuid, i64)>, sqlx::Error> {
    let mut there = HashSet::new();
    for rows in runs(rows) {
        let mut query = QueryBuilder::<Sqlite>::new("with x (room, id, epoch, offset_no) as (");
        query.push_values(rows, |mut values, row| {
            values.push_bind(row.room).push_bind(row.id).push_bind(row.epoch).push_bind(row.offset);
        });
        query.push(") select room, offset_no from messages join x using (room, id, epoch, offset_no)");
        there.extend(query.build_query_as::<(Uuid, i64)>().fetch_all(&mut *tx).await?);
    }
    Ok(there)
}

/// Writes the terms of messages that are there.
pub(super) async fn index(tx: &mut Connection, rows: &[NewTerms]) -> Result<(), sqlx::Error> {
    write_terms(tx, rows.iter().map(|row| (row.place, row.terms.as_str())).collect()).await?;
    for row in rows {
        sqlx::query("update messages set place = $3 where room = $1 and id = $2 and place is not $3")
            .bind(row.room)
            .bind(row.id)
            .bind(row.place)
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

/// The newest first, as the index has them: at each step back it would write out what it has.
async fn write_terms(tx: &mut Connection, mut rows: Vec<(i64, &str)>) -> Result<(), sqlx::Error> {
    rows.sort_unstable_by_key(|(place, _)| -place);
    let write = execute(tx, &rows, |rows| {
        let mut query = QueryBuilder::new("insert or replace into message_terms (rowid, terms) ");
        query.push_values(rows, |mut values, (place, terms)| {
            values.push_bind(-place).push_bind(*terms);
        });
        query
    });
    write.await.map(drop)
}

/// What a message is found by, as the index takes it: words in the order of the text.
pub(super) fn terms(room: Uuid, author: Uuid, body: &str) -> String {
    format!("{} {} {}", room_term(room), author_term(author), line(body))
}

/// Inserts events into the archive.
pub(super) async fn insert_events(tx: &mut Connection, rows: &[NewEvent]) -> Result<(), sqlx::Error> {
    let insert = execute(tx, rows, |rows| {
        let mut query = QueryBuilder::new("insert into events (room, epoch, offset_no, kind, message, body, digest) ");
        query.push_values(rows, |mut values, row| {
            values
                .push_bind(row.room)
                .push_bind(row.epoch)
                .push_bind(row.offset)
                .push_bind(&*row.kind)
                .push_bind(row.message)
                .push_bind(&row.body)
                .push_bind(&row.digest[..]);
        });
        query
    });
    insert.await.map(drop)
}

/// The chains of rooms, each with the first event that is to be added to it: see `chains::Found`.
pub(super) async fn find_chains<T>(tx: &mut Connection, firsts: &[Link]) -> Result<Vec<T>, sqlx::Error>
where
    T: Send + Unpin + for<'r> sqlx::FromRow<'r, super::Row>,
{
    let mut found = Vec::with_capacity(firsts.len());
    for firsts in runs(firsts) {
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
        // One question: to ask for the last more than once costs less than another way to the thread.
        let last = asked.last().copied().into_iter().cycle();
        let padded = asked.iter().copied().chain(last).take(asked.len().next_power_of_two());
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
    let write = execute(tx, rows, |rows| {
        let mut query = QueryBuilder::new(
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
        query
    });
    write.await.map(drop)
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
    for rooms in runs(rooms) {
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
