//! What somebody has not read.

use super::Connection;
use crate::store::{
    StoreError,
    row::{position, unsigned},
};
use app::{
    direct::is_direct,
    mentions::calls,
    model::{MAX_UNREAD, RoomId, Unread, User},
};
use std::collections::HashMap;
use uuid::Uuid;

/// The longest list of rooms.
const MOST_ROOMS: i64 = 500;
/// Among so many of a room's newest messages those of others are counted: whoever writes there and marks nothing read, as
/// a bot may, would otherwise have all that they ever wrote gone through.
const MOST_COUNTED: i64 = 2 * MAX_UNREAD as i64;
/// In so many of a room's newest messages mentions are looked for.
const MOST_SEARCHED: i64 = 1_000;

#[derive(sqlx::FromRow)]
struct Row {
    room: Uuid,
    read_epoch: i64,
    read_offset: i64,
    expired_epoch: i64,
    expired_offset: i64,
    upto_epoch: Option<i64>,
    upto_offset: Option<i64>,
    unread: i64,
    slug: String,
    level: Option<String>,
}

pub(super) const OF: &str = "select k.room, k.read_epoch, k.read_offset, k.slug, k.level,
            k.expired_epoch, k.expired_offset,
            (select m.epoch from messages m where m.room = k.room
             order by m.epoch desc, m.offset_no desc limit 1) as upto_epoch,
            (select m.offset_no from messages m where m.room = k.room
             order by m.epoch desc, m.offset_no desc limit 1) as upto_offset,
            (select count(*) from (
                 select 1 from (
                     select m.author, m.deleted from messages m
                     where m.room = k.room and (m.epoch, m.offset_no) > (k.read_epoch, k.read_offset)
                     order by m.epoch desc, m.offset_no desc limit $4
                 ) as newest
                 where newest.author <> $1 and not newest.deleted
                 limit $2
             ) as few) as unread
     from (
         select m.room, o.slug, o.expired_epoch, o.expired_offset, l.level, coalesce(r.epoch, m.joined_epoch) as read_epoch,
                coalesce(r.offset_no, m.joined_offset) as read_offset
         from memberships m join rooms o on o.id = m.room
              left join read_markers r on r.room = m.room and r.account = m.account
              left join notification_levels l on l.room = m.room and l.account = m.account
         where m.account = $1 and not o.archived limit $3
     ) as k";

/// Where somebody may be mentioned, among the newest that they have not read.
pub(super) const MENTIONS: &str = "select body from (
         select m.body, m.author, m.deleted from messages m
         where m.room = $1 and (m.epoch, m.offset_no) > ($2, $3)
         order by m.epoch desc, m.offset_no desc limit $5
     ) as newest
     where author <> $4 and not deleted and (lower(body) like $6 escape '\\' or lower(body) like '%@all%') limit $7";

pub(super) async fn of(conn: &mut Connection, user: &User) -> Result<Vec<Unread>, StoreError> {
    let rows: Vec<Row> = sqlx::query_as(OF)
        .bind(user.id.0)
        .bind(i64::from(MAX_UNREAD))
        .bind(MOST_ROOMS)
        .bind(MOST_COUNTED)
        .fetch_all(&mut *conn)
        .await?;
    let mut mentions = HashMap::new();
    for row in rows.iter().filter(|row| row.unread > 0) {
        let meant = if is_direct(&row.slug) { few(row.unread) } else { mentions_in(conn, user, row).await? };
        mentions.insert(row.room, meant);
    }
    let unread = |row: Row| {
        let read = position(row.read_epoch, row.read_offset);
        let newest = row.upto_epoch.zip(row.upto_offset).map(|(epoch, offset)| position(epoch, offset));
        let upto = newest.unwrap_or_else(|| position(row.expired_epoch, row.expired_offset));
        Unread {
            room: RoomId(row.room),
            read,
            upto,
            unread: few(row.unread),
            mentions: mentions.get(&row.room).copied().unwrap_or_default(),
            direct: is_direct(&row.slug),
            // Of a later version: as if nothing had been chosen.
            level: row.level.and_then(|level| level.parse().ok()).unwrap_or_default(),
        }
    };
    Ok(rows.into_iter().map(unread).collect())
}

fn few(count: i64) -> u32 {
    u32::try_from(unsigned(count)).unwrap_or(MAX_UNREAD)
}

async fn mentions_in(conn: &mut Connection, user: &User, row: &Row) -> Result<u32, StoreError> {
    let bodies: Vec<String> = sqlx::query_scalar(MENTIONS)
        .bind(row.room)
        .bind(row.read_epoch)
        .bind(row.read_offset)
        .bind(user.id.0)
        .bind(MOST_SEARCHED)
        .bind(format!("%@{}%", user.username.replace('_', "\\_")))
        .bind(i64::from(MAX_UNREAD))
        .fetch_all(conn)
        .await?;
    let those = bodies.iter().filter(|body| calls(body, &user.username)).count();
    Ok(u32::try_from(those).unwrap_or(MAX_UNREAD).min(few(row.unread)))
}
