//! Finding messages, and indexing those that are not yet. The terms themselves are looked up by the adapters: `lookup`.

use super::{Connection, bulk, lookup, messages::MessageRow};
use crate::store::{
    Found, RoomRow, Search, StoreError,
    row::RoomColumns,
    search::{NAMED_ROOMS, NewTerms, place_of, room_term},
};
use app::model::{Message, MessageId, RoomId};
use uuid::Uuid;

/// A message and its room.
#[derive(sqlx::FromRow)]
pub(in super::super) struct HitRow {
    #[sqlx(flatten)]
    message: MessageRow,
    #[sqlx(flatten)]
    room: RoomColumns,
}

/// The columns of a [`HitRow`], of a message `m` by an author `a` in a room `r`.
macro_rules! hit_columns {
    () => {
        concat!(message_columns!(), ", ", room_columns!())
    };
}
pub(in super::super) use hit_columns;

impl TryFrom<HitRow> for (RoomRow, Message) {
    type Error = StoreError;
    fn try_from(row: HitRow) -> Result<Self, StoreError> {
        Ok((row.room.try_into()?, row.message.try_into()?))
    }
}

/// Whether whoever searches may read a message is a condition of the query, in every case; the rooms' terms only keep
/// the index from bringing what would be passed over.
pub(super) async fn find(conn: &mut Connection, search: &Search) -> Result<Found, StoreError> {
    let rooms = match search.room {
        Some(room) => Some(vec![room_term(room.0)]),
        None => named_rooms(conn, search).await?,
    };
    if rooms.as_ref().is_some_and(Vec::is_empty) {
        return Ok(Found { hits: Vec::new(), more: false });
    }
    let limit = search.limit.max(1) as usize;
    let rows = lookup::find(conn, search, rooms.as_deref()).await?;
    let more = rows.len() > limit;
    let hits = rows.into_iter().take(limit).map(TryInto::try_into).collect::<Result<_, StoreError>>()?;
    Ok(Found { hits, more })
}

/// The terms of the rooms that may be read; `None`: there are too many to name them.
async fn named_rooms(conn: &mut Connection, search: &Search) -> Result<Option<Vec<String>>, StoreError> {
    let rooms: Vec<Uuid> = sqlx::query_scalar(
        "select room from memberships where account = $1
         union all
         select id from rooms where visibility = 'public'
         limit $2",
    )
    .bind(search.who.map(|who| who.0))
    .bind(NAMED_ROOMS as i64 + 1)
    .fetch_all(conn)
    .await?;
    if rooms.len() > NAMED_ROOMS {
        return Ok(None);
    }
    let mut terms: Vec<String> = rooms.into_iter().map(room_term).collect();
    terms.sort_unstable();
    terms.dedup();
    Ok(Some(terms))
}

/// What the index is made of.
#[derive(sqlx::FromRow)]
struct Text {
    room: Uuid,
    id: Uuid,
    author: Uuid,
    body: String,
    epoch: i64,
    offset_no: i64,
    partition_no: i64,
}

impl From<Text> for NewTerms {
    fn from(row: Text) -> Self {
        Self {
            room: row.room,
            id: row.id,
            place: place_of(row.partition_no, row.epoch, row.offset_no),
            terms: bulk::terms(row.room, row.author, &row.body),
        }
    }
}

macro_rules! text_columns {
    () => {
        "select m.room, m.id, m.author, m.body, m.epoch, m.offset_no, r.partition_no
         from messages m join rooms r on r.id = m.room "
    };
}

pub(super) async fn index_one(tx: &mut Connection, room: RoomId, id: MessageId) -> Result<(), sqlx::Error> {
    let row: Option<Text> =
        sqlx::query_as(concat!(text_columns!(), "where m.room = $1 and m.id = $2 and not m.deleted"))
            .bind(room.0)
            .bind(id.0)
            .fetch_optional(&mut *tx)
            .await?;
    let rows: Vec<NewTerms> = row.into_iter().map(NewTerms::from).collect();
    bulk::index(tx, &rows).await
}

pub(super) async fn any_unindexed(conn: &mut Connection) -> Result<bool, StoreError> {
    let query = concat!("select exists (select 1 from messages m where ", not_indexed!(), " and not m.deleted)");
    Ok(sqlx::query_scalar(query).fetch_one(conn).await?)
}

/// The newest first: they are what is looked for most.
pub(super) async fn index_some(tx: &mut Connection, limit: u32) -> Result<u32, StoreError> {
    let rows: Vec<Text> = sqlx::query_as(concat!(
        text_columns!(),
        "where ",
        not_indexed!(),
        " and not m.deleted order by m.sent_at desc limit $1 ",
        for_this_node_alone!()
    ))
    .bind(i64::from(limit))
    .fetch_all(&mut *tx)
    .await?;
    let rows: Vec<NewTerms> = rows.into_iter().map(NewTerms::from).collect();
    bulk::index(tx, &rows).await?;
    Ok(rows.len() as u32)
}
