//! Looking terms up in PostgreSQL.
//!
//! A word that is in many messages has been said just now: the newest messages
//! are gone through first. A word that is not among them is rare, as a rule, and
//! the index (GIN), which knows no order, has few messages to be put in order.

use super::{
    Connection,
    queries::{HitRow, hit_columns, message_columns},
};
use crate::{
    search::Phrase,
    store::{
        Search, StoreError,
        row::{room_columns, signed},
        search::{FoundAt, author_term},
    },
};

/// How the terms of messages are compared and ordered: one way in both queries. `m` is a message, `r` its room.
macro_rules! among {
    ($messages:expr) => {
        concat!(
            "select ",
            hit_columns!(),
            " from (
                  select m.room, m.id
                  from ",
            $messages,
            " join rooms r on r.id = m.room
                  where (r.visibility = 'public'
                         or exists (select 1 from memberships x where x.room = m.room and x.account = $7))
                    and ($8::uuid is null or m.author = $8)
                    and ($9::uuid is null or m.room = $9)
                    and m.room <> all($10)
                  order by m.sent_at desc, m.room desc, m.epoch desc, m.offset_no desc limit $6
              ) as found
              join messages m on m.room = found.room and m.id = found.id
              join accounts a on a.id = m.author
              join rooms r on r.id = m.room
              order by m.sent_at desc, m.room desc, m.epoch desc, m.offset_no desc"
        )
    };
}

/// How many of the newest messages are gone through: some milliseconds' work.
macro_rules! the_newest {
    () => {
        "(
             select * from (
                 select room, id, author, sent_at, epoch, offset_no, terms, deleted from messages
                 where (sent_at, room, epoch, offset_no) < ($2, $3, $4, $5)
                 order by sent_at desc, room desc, epoch desc, offset_no desc limit 20000
             ) as newest
             where terms @@ $1::tsquery and not deleted
         ) as m"
    };
}

/// Materialized: else the planner might take the index by time, and go through everything.
macro_rules! all_that_fit {
    () => {
        "indexed as m"
    };
}

const NEAR: &str = among!(the_newest!());
const FAR: &str = concat!(
    "with indexed as materialized (
         select room, id, author, sent_at, epoch, offset_no from messages
         where terms @@ $1::tsquery and terms @@ $11::tsquery and not deleted
           and (sent_at, room, epoch, offset_no) < ($2, $3, $4, $5)
     ) ",
    among!(all_that_fit!())
);

/// One more than the limit, if there is one. `rooms`: terms that all messages have that may be read.
pub(super) async fn find(
    conn: &mut Connection,
    search: &Search,
    rooms: Option<&[String]>,
) -> Result<Vec<HitRow>, StoreError> {
    let terms = conditions(search);
    let wanted = search.limit.max(1) as usize + 1;
    let found = run(conn, NEAR, search, &terms, None).await?;
    if found.len() >= wanted {
        return Ok(found);
    }
    // Where no room is named, the same condition twice: it costs nothing.
    let rooms = rooms.map_or_else(|| terms.clone(), any);
    run(conn, FAR, search, &terms, Some(&rooms)).await
}

async fn run(
    conn: &mut Connection,
    query: &'static str,
    search: &Search,
    terms: &str,
    rooms: Option<&str>,
) -> Result<Vec<HitRow>, StoreError> {
    let mut after = search.after.unwrap_or(FoundAt::NEWEST);
    if let Some(sent_before) = search.sent_before
        && sent_before <= after.sent_at
    {
        // Before everything of that time.
        after = FoundAt {
            sent_at: sent_before,
            room: app::model::RoomId(uuid::Uuid::nil()),
            at: app::model::Position::START,
        };
    }
    let query = sqlx::query_as(query)
        .bind(terms)
        .bind(after.sent_at)
        .bind(after.room.0)
        .bind(i64::from(after.at.epoch))
        .bind(signed(after.at.offset))
        .bind(i64::from(search.limit.max(1)) + 1)
        .bind(search.who.map(|who| who.0))
        .bind(search.author.map(|author| author.0))
        .bind(search.room.map(|room| room.0))
        .bind(search.not_in.iter().map(|room| room.0).collect::<Vec<_>>());
    let query = match rooms {
        Some(rooms) => query.bind(rooms),
        None => query,
    };
    Ok(query.fetch_all(conn).await?)
}

/// As `tsquery` is written. Terms are letters and the like (see `search/terms.rs`): nothing in them needs to be escaped.
fn conditions(search: &Search) -> String {
    let phrases = search.phrases.iter().map(phrase);
    let author = search.author.map(|author| format!("'{}'", author_term(author.0)));
    phrases.chain(author).collect::<Vec<_>>().join(" & ")
}

fn phrase(phrase: &Phrase) -> String {
    let mut text = format!("('{}'", phrase.terms.join("' <-> '"));
    text.push_str(if phrase.prefix { ":*)" } else { ")" });
    text
}

fn any(terms: &[String]) -> String {
    format!("'{}'", terms.join("' | '"))
}
