//! Rooms.

use super::Connection;
use crate::store::{
    NewRoom, RoomKey, RoomRow, StoreError,
    row::{small, unknown_word, unsigned},
};
use app::model::{Role, Room, RoomId, UserId};
use uuid::Uuid;

/// The longest list of rooms.
const MOST: i64 = 500;

pub(super) async fn create(conn: &mut Connection, new: &NewRoom) -> Result<bool, StoreError> {
    // Whatever is taken, id or name: see `accounts::create`.
    let made = sqlx::query(
        "insert into rooms (id, slug, name, visibility, partition_no, created_at)
         values ($1, $2, $3, $4, $5, $6)
         on conflict do nothing",
    )
    .bind(new.id.0)
    .bind(&new.slug)
    .bind(&new.name)
    .bind(new.visibility.as_str())
    .bind(i64::from(new.partition))
    .bind(new.created_at)
    .execute(conn)
    .await?;
    Ok(made.rows_affected() == 1)
}

pub(super) async fn by_key(conn: &mut Connection, key: &RoomKey) -> Result<Option<RoomRow>, StoreError> {
    let query = match key {
        RoomKey::Id(id) => {
            sqlx::query_as("select id, slug, name, visibility, partition_no from rooms where id = $1").bind(id.0)
        }
        RoomKey::Slug(slug) => {
            sqlx::query_as("select id, slug, name, visibility, partition_no from rooms where slug = $1").bind(slug)
        }
    };
    let row: Option<(Uuid, String, String, String, i64)> = query.fetch_optional(conn).await?;
    row.map(|(id, slug, name, visibility, partition)| {
        let visibility = visibility.parse().map_err(unknown_word)?;
        Ok(RoomRow { id: RoomId(id), slug, name, visibility, partition: small(partition) })
    })
    .transpose()
}

#[derive(sqlx::FromRow)]
struct KnownRow {
    id: Uuid,
    slug: String,
    name: String,
    visibility: String,
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
        })
    }
}

pub(super) async fn known_to(conn: &mut Connection, user: Option<UserId>) -> Result<Vec<Room>, StoreError> {
    // Slugs are the names in lower case, so their order is the order for people. Each half is cut before the two are
    // put together, and only what is left has its members counted.
    let rows: Vec<KnownRow> = sqlx::query_as(
        "select k.id, k.slug, k.name, k.visibility, k.role,
                (select count(*) from memberships c where c.room = k.id) as members
         from (
             select * from (
                 select r.id, r.slug, r.name, r.visibility, m.role, 0 as half
                 from memberships m join rooms r on r.id = m.room
                 where m.account = $1
                 order by r.slug limit $3
             ) as own
             union all
             select * from (
                 select r.id, r.slug, r.name, r.visibility, null as role, 1 as half
                 from rooms r
                 where r.visibility <> 'private' and (r.visibility = 'public' or $2)
                   and not exists (select 1 from memberships m where m.room = r.id and m.account = $1)
                 order by r.slug limit $3
             ) as others
             order by half, slug limit $3
         ) as k
         order by k.half, k.slug",
    )
    .bind(user.map(|u| u.0))
    .bind(user.is_some())
    .bind(MOST)
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Room::try_from).collect()
}
