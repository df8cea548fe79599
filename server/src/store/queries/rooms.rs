//! Rooms.

use super::Connection;
use crate::store::{
    NewRoom, RoomKey, RoomRow, StoreError,
    row::{RoomColumns, role_word, room_columns, signed, small, unknown_word, unsigned},
};
use app::{
    direct::SIGN,
    model::{DirectoryPage, DirectoryQuery, Position, Role, Room, RoomChange, RoomId, UserId, Visibility},
};
use uuid::Uuid;

/// The longest list of rooms.
const MOST: i64 = 500;
/// Rooms of a page of the directory.
const PAGE: usize = 50;

pub(super) async fn create(conn: &mut Connection, new: &NewRoom) -> Result<bool, StoreError> {
    // Whatever is taken, id or name: see `accounts::create`.
    let made = sqlx::query(
        "insert into rooms (id, slug, name, visibility, partition_no, created_at, words)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict do nothing",
    )
    .bind(new.id.0)
    .bind(&new.slug)
    .bind(&new.name)
    .bind(new.visibility.as_str())
    .bind(i64::from(new.partition))
    .bind(new.created_at)
    .bind(words(&new.name, ""))
    .execute(conn)
    .await?;
    Ok(made.rows_affected() == 1)
}

pub(super) async fn by_key(conn: &mut Connection, key: &RoomKey) -> Result<Option<RoomRow>, StoreError> {
    let query = match key {
        RoomKey::Id(id) => {
            sqlx::query_as(concat!("select ", room_columns!(), " from rooms r where r.id = $1")).bind(id.0)
        }
        RoomKey::Slug(slug) => {
            sqlx::query_as(concat!("select ", room_columns!(), " from rooms r where r.slug = $1")).bind(slug)
        }
    };
    let row: Option<RoomColumns> = query.fetch_optional(conn).await?;
    row.map(RoomRow::try_from).transpose()
}

/// What becomes different about a room. `None`: there is no such room.
pub(super) async fn change(
    tx: &mut Connection,
    room: RoomId,
    change: &RoomChange,
    at: Position,
) -> Result<Option<()>, sqlx::Error> {
    let old: Option<(String, String)> =
        sqlx::query_as("select name, topic from rooms where id = $1").bind(room.0).fetch_optional(&mut *tx).await?;
    let Some((name, topic)) = old else { return Ok(None) };
    let (name, topic) = (change.name.as_ref().unwrap_or(&name), change.topic.as_ref().unwrap_or(&topic));
    sqlx::query(
        "update rooms set name = $2, topic = $3, words = $4, visibility = coalesce($5, visibility),
                archived = coalesce($6, archived), changed_epoch = $7, changed_offset = $8,
                keep_days = coalesce($9, keep_days), look_at = case when $9 is null then look_at else 0 end
         where id = $1",
    )
    .bind(room.0)
    .bind(name)
    .bind(topic)
    .bind(words(name, topic))
    .bind(change.visibility.map(Visibility::as_str))
    .bind(change.archived)
    .bind(i64::from(at.epoch))
    .bind(signed(at.offset))
    .bind(change.keep_days.map(i64::from))
    .execute(tx)
    .await?;
    Ok(Some(()))
}

/// What a room is found by in the list.
fn words(name: &str, topic: &str) -> String {
    format!("{name}\n{topic}").to_lowercase()
}

#[derive(sqlx::FromRow)]
struct KnownRow {
    id: Uuid,
    slug: String,
    name: String,
    visibility: String,
    topic: String,
    archived: bool,
    keep_days: i64,
    role: Option<String>,
    members: i64,
}

impl TryFrom<KnownRow> for Room {
    type Error = StoreError;
    fn try_from(row: KnownRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: RoomId(row.id),
            slug: row.slug,
            name: row.name,
            visibility: row.visibility.parse().map_err(unknown_word)?,
            role: row.role.as_deref().map(str::parse::<Role>).transpose().map_err(unknown_word)?,
            members: unsigned(row.members),
            topic: row.topic,
            archived: row.archived,
            keep_days: small(row.keep_days),
        })
    }
}

pub(super) async fn known_to(
    conn: &mut Connection,
    user: Option<UserId>,
    archived: bool,
) -> Result<Vec<Room>, StoreError> {
    // Slugs are the names in lower case, so their order is the order for people. Each half is cut before the two are
    // put together, and only what is left has its members counted.
    let rows: Vec<KnownRow> = sqlx::query_as(concat!(
        "select k.*, (select count(*) from memberships c where c.room = k.id) as members
         from (
             select * from (
                 select r.id, r.slug, r.name, r.visibility, r.topic, r.archived, r.keep_days, ",
        role_word!(),
        " as role, 0 as half
                 from memberships m join rooms r on r.id = m.room
                 where m.account = $1 and r.archived = $4
                 order by r.slug limit $3
             ) as own
             union all
             select * from (
                 select r.id, r.slug, r.name, r.visibility, r.topic, r.archived, r.keep_days, null as role, 1 as half
                 from rooms r
                 where r.visibility <> 'private' and (r.visibility = 'public' or $2) and r.archived = $4
                   and not exists (select 1 from memberships m where m.room = r.id and m.account = $1)
                 order by r.slug limit $3
             ) as others
             order by half, slug limit $3
         ) as k
         order by k.half, k.slug"
    ))
    .bind(user.map(|u| u.0))
    .bind(user.is_some())
    .bind(MOST)
    .bind(archived)
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Room::try_from).collect()
}

/// A page of the rooms that somebody may know of, but for direct conversations.
pub(super) async fn directory(
    conn: &mut Connection,
    user: Option<UserId>,
    query: &DirectoryQuery,
) -> Result<DirectoryPage, StoreError> {
    let wanted = query.q.trim().trim_start_matches('#').to_lowercase();
    let slug: String = wanted.chars().map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
    let slug = slug.split_whitespace().collect::<Vec<_>>().join("-");
    // What has neither letter nor digit is in no slug.
    let slug = if slug.is_empty() { wanted.clone() } else { slug };
    let rows: Vec<KnownRow> = sqlx::query_as(concat!(
        "select k.*, (select count(*) from memberships c where c.room = k.id) as members
         from (
             select r.id, r.slug, r.name, r.visibility, r.topic, r.archived, r.keep_days, ",
        role_word!(),
        " as role
             from rooms r left join memberships m on m.room = r.id and m.account = $1
             where (m.account is not null or r.visibility = 'public' or (r.visibility = 'members' and $2))
               and r.archived = $3 and r.slug > $4 and r.slug not like $5
               and (r.words like $6 escape '!' or r.slug like $7 escape '!')
             order by r.slug limit $8
         ) as k
         order by k.slug"
    ))
    .bind(user.map(|u| u.0))
    .bind(user.is_some())
    .bind(query.archived)
    .bind(query.after.as_deref().unwrap_or_default())
    .bind(format!("{SIGN}%"))
    .bind(containing(&wanted))
    .bind(containing(&slug))
    .bind(PAGE as i64 + 1)
    .fetch_all(conn)
    .await?;
    let more = rows.len() > PAGE;
    let rooms = rows.into_iter().take(PAGE).map(Room::try_from).collect::<Result<_, _>>()?;
    Ok(DirectoryPage { rooms, more })
}

/// A pattern for what has this text in it; `!` escapes.
fn containing(text: &str) -> String {
    let escaped = text.replace('!', "!!").replace('%', "!%").replace('_', "!_");
    format!("%{escaped}%")
}
