//! Who is in a room, and how far they have read.

use super::Connection;
use crate::store::{
    StoreError,
    row::{UserRow, position, role_word, signed, unknown_word, unsigned},
};
use app::{
    backend::Member,
    model::{NotificationLevel, Position, Role, RoomId, UserId},
};

/// The longest list of members.
const MOST: i64 = 500;

pub(super) async fn count(conn: &mut Connection, room: RoomId) -> Result<u64, StoreError> {
    let count: i64 =
        sqlx::query_scalar("select count(*) from memberships where room = $1").bind(room.0).fetch_one(conn).await?;
    Ok(unsigned(count))
}

pub(super) async fn role(conn: &mut Connection, room: RoomId, user: UserId) -> Result<Option<Role>, StoreError> {
    let word: Option<String> = sqlx::query_scalar(concat!(
        "select ",
        role_word!(),
        " from memberships m where m.room = $1 and m.account = $2"
    ))
    .bind(room.0)
    .bind(user.0)
    .fetch_optional(conn)
    .await?;
    word.as_deref().map(str::parse).transpose().map_err(unknown_word)
}

#[derive(sqlx::FromRow)]
struct MemberRow {
    #[sqlx(flatten)]
    user: UserRow,
    role: String,
}

pub(super) async fn of(conn: &mut Connection, room: RoomId) -> Result<Vec<Member>, StoreError> {
    let rows: Vec<MemberRow> = sqlx::query_as(concat!(
        "select a.id as account, a.username, a.display_name, a.guest, a.admin, ",
        role_word!(),
        " as role
         from memberships m join accounts a on a.id = m.account
         where m.room = $1
         order by a.display_name, a.username limit $2"
    ))
    .bind(room.0)
    .bind(MOST)
    .fetch_all(conn)
    .await?;
    let member = |row: MemberRow| Ok(Member { user: row.user.into(), role: row.role.parse().map_err(unknown_word)? });
    let mut members = rows.into_iter().map(member).collect::<Result<Vec<_>, StoreError>>()?;
    // The databases sort by code point, all of A to Z before a; people do not.
    members.sort_by_cached_key(|m| (m.user.display_name.to_lowercase(), m.user.username.clone()));
    Ok(members)
}

/// How many own the room.
pub(super) async fn owners(conn: &mut Connection, room: RoomId) -> Result<u64, StoreError> {
    let count: i64 = sqlx::query_scalar("select count(*) from memberships where room = $1 and role = 'owner'")
        .bind(room.0)
        .fetch_one(conn)
        .await?;
    Ok(unsigned(count))
}

/// Where somebody was taken out, unless they are back or left by themselves.
pub(super) async fn removal(conn: &mut Connection, room: RoomId, user: UserId) -> Result<Option<Position>, StoreError> {
    let row: Option<(i64, i64)> =
        sqlx::query_as("select epoch, offset_no from removals where room = $1 and account = $2")
            .bind(room.0)
            .bind(user.0)
            .fetch_optional(conn)
            .await?;
    Ok(row.map(|(epoch, offset)| position(epoch, offset)))
}

pub(super) async fn mark_read(
    conn: &mut Connection,
    room: RoomId,
    user: UserId,
    at: Position,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into read_markers (room, account, epoch, offset_no) values ($1, $2, $3, $4)
         on conflict (room, account) do update set epoch = excluded.epoch, offset_no = excluded.offset_no
         where (read_markers.epoch, read_markers.offset_no) < (excluded.epoch, excluded.offset_no)",
    )
    .bind(room.0)
    .bind(user.0)
    .bind(i64::from(at.epoch))
    .bind(signed(at.offset))
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn set_level(
    conn: &mut Connection,
    room: RoomId,
    user: UserId,
    level: NotificationLevel,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into notification_levels (room, account, level) values ($1, $2, $3)
         on conflict (room, account) do update set level = excluded.level",
    )
    .bind(room.0)
    .bind(user.0)
    .bind(level.as_str())
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn read_marker(
    conn: &mut Connection,
    room: RoomId,
    user: UserId,
) -> Result<Option<Position>, StoreError> {
    let row: Option<(i64, i64)> = sqlx::query_as(
        "select coalesce(r.epoch, m.joined_epoch), coalesce(r.offset_no, m.joined_offset)
             from memberships m left join read_markers r on r.room = m.room and r.account = m.account
             where m.room = $1 and m.account = $2",
    )
    .bind(room.0)
    .bind(user.0)
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|(epoch, offset)| position(epoch, offset)))
}
