//! Looking terms up in SQLite. The index (FTS5) has the newest message first, in the order of the log, so a search ends
//! as soon as it has enough.

use super::{
    Connection,
    queries::{HitRow, hit_columns, message_columns},
};
use crate::{
    search::Phrase,
    store::{
        Search, StoreError,
        row::room_columns,
        search::{author_term, place},
    },
};
use app::model::Millis;
use sqlx::{QueryBuilder, Sqlite};

/// Messages are in the log in the order in which they were sent, give or take so much.
const OUT_OF_ORDER_MS: Millis = 60_000;

/// One more than the limit, if there is one. `rooms`: terms that all messages have that may be read.
pub(super) async fn find(
    conn: &mut Connection,
    search: &Search,
    rooms: Option<&[String]>,
) -> Result<Vec<HitRow>, StoreError> {
    let before = before(conn, search).await?;
    let mut query = QueryBuilder::<Sqlite>::new(concat!(
        "select ",
        hit_columns!(),
        " from (
              select m.place
              from message_terms
              cross join messages m on m.place = -message_terms.rowid
              cross join rooms r on r.id = m.room
              where message_terms match "
    ));
    query.push_bind(conditions(search, rooms)).push(" and message_terms.rowid > ").push_bind(-before);
    query
        .push(
            " and not m.deleted and (r.visibility = 'public'
                  or exists (select 1 from memberships x where x.room = m.room and x.account = ",
        )
        .push_bind(search.who.map(|who| who.0))
        .push("))");
    if let Some(author) = search.author {
        query.push(" and m.author = ").push_bind(author.0);
    }
    if let Some(room) = search.room {
        query.push(" and m.room = ").push_bind(room.0);
    }
    if let Some(sent_before) = search.sent_before {
        query.push(" and m.sent_at < ").push_bind(sent_before);
    }
    for room in &search.not_in {
        query.push(" and m.room <> ").push_bind(room.0);
    }
    query.push(" order by message_terms.rowid limit ").push_bind(i64::from(search.limit.max(1)) + 1);
    query.push(
        ") as found
         join messages m on m.place = found.place
         join accounts a on a.id = m.author
         join rooms r on r.id = m.room
         order by m.place desc",
    );
    Ok(query.build_query_as().fetch_all(conn).await?)
}

/// The place that everything found is before.
async fn before(conn: &mut Connection, search: &Search) -> Result<i64, StoreError> {
    let mut before = i64::MAX;
    if let Some(after) = search.after {
        let partition: Option<i64> = sqlx::query_scalar("select partition_no from rooms where id = $1")
            .bind(after.room.0)
            .fetch_optional(&mut *conn)
            .await?;
        before = place(crate::store::row::small(partition.unwrap_or(0)), after.at);
    }
    if let Some(sent_before) = search.sent_before {
        // Not to go through everything that was sent since.
        let place: Option<i64> = sqlx::query_scalar(
            "select place from messages where sent_at >= $1 and place >= 1 << 62 order by sent_at limit 1",
        )
        .bind(sent_before.saturating_add(OUT_OF_ORDER_MS))
        .fetch_optional(conn)
        .await?;
        before = before.min(place.unwrap_or(i64::MAX));
    }
    Ok(before)
}

/// As FTS5 is asked. Terms are letters and the like (see `search/terms.rs`): nothing in them needs to be escaped.
fn conditions(search: &Search, rooms: Option<&[String]>) -> String {
    let phrases = search.phrases.iter().map(phrase);
    let author = search.author.map(|author| format!("\"{}\"", author_term(author.0)));
    let rooms = rooms.map(|rooms| format!("(\"{}\")", rooms.join("\" OR \"")));
    phrases.chain(author).chain(rooms).collect::<Vec<_>>().join(" AND ")
}

fn phrase(phrase: &Phrase) -> String {
    format!("\"{}\"{}", phrase.terms.join(" "), if phrase.prefix { " *" } else { "" })
}
