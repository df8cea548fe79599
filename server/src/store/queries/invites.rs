//! Links that let people into rooms.

use super::Connection;
use crate::store::{
    InviteRow, NewInvite, RoomRow, StoreError,
    row::{RoomColumns, UserRow, position, room_columns, small},
};
use app::model::{Invite, Millis, RoomId};
use uuid::Uuid;

/// How many of a room are good at once.
const MOST: i64 = 100;

/// `false`: there are as many as there may be. Those that are no longer good make room.
pub(super) async fn create(tx: &mut Connection, new: &NewInvite) -> Result<bool, StoreError> {
    sqlx::query("delete from invites where room = $1 and (expires_at <= $2 or used >= uses)")
        .bind(new.room.0)
        .bind(new.created_at)
        .execute(&mut *tx)
        .await?;
    let made = sqlx::query(
        "insert into invites (id, room, secret_hash, made_by, created_at, expires_at, uses, epoch, offset_no)
         select $1, r.id, $3, $4, $5, $6, $7, meta.epoch,
                coalesce((select p.next_offset from progress p where p.partition_no = r.partition_no), 0)
         from rooms r cross join meta
         where r.id = $2 and (select count(*) from invites i where i.room = $2) < $8",
    )
    .bind(new.id)
    .bind(new.room.0)
    .bind(&new.secret_hash[..])
    .bind(new.by.0)
    .bind(new.created_at)
    .bind(new.expires_at)
    .bind(new.uses.map(i64::from))
    .bind(MOST)
    .execute(tx)
    .await?;
    Ok(made.rows_affected() == 1)
}

#[derive(sqlx::FromRow)]
struct Row {
    invite: Uuid,
    #[sqlx(flatten)]
    by: UserRow,
    created_at: i64,
    expires_at: i64,
    uses: Option<i64>,
    used: i64,
}

impl From<Row> for Invite {
    fn from(row: Row) -> Self {
        Self {
            id: row.invite,
            by: row.by.into(),
            created_at: row.created_at,
            expires_at: row.expires_at,
            uses: row.uses.map(small),
            used: small(row.used),
        }
    }
}

macro_rules! invite_columns {
    () => {
        "i.id as invite, i.created_at, i.expires_at, i.uses, i.used,
         a.id as account, a.username, a.display_name, a.guest, a.admin"
    };
}

/// What is good at `now`, of an invite `i`; `$2` is `now`.
macro_rules! is_good {
    () => {
        "i.expires_at > $2 and (i.uses is null or i.used < i.uses)"
    };
}

pub(super) async fn of(conn: &mut Connection, room: RoomId, now: Millis) -> Result<Vec<Invite>, StoreError> {
    let rows: Vec<Row> = sqlx::query_as(concat!(
        "select ",
        invite_columns!(),
        " from invites i join accounts a on a.id = i.made_by where i.room = $1 and ",
        is_good!(),
        " order by i.created_at desc, i.id limit $3"
    ))
    .bind(room.0)
    .bind(now)
    .bind(MOST)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Invite::from).collect())
}

pub(super) async fn revoke(conn: &mut Connection, room: RoomId, id: Uuid) -> Result<bool, StoreError> {
    let gone =
        sqlx::query("delete from invites where room = $1 and id = $2").bind(room.0).bind(id).execute(conn).await?;
    Ok(gone.rows_affected() == 1)
}

#[derive(sqlx::FromRow)]
struct OpenRow {
    #[sqlx(flatten)]
    invite: Row,
    #[sqlx(flatten)]
    room: RoomColumns,
    epoch: i64,
    offset_no: i64,
}

pub(super) async fn by_secret(
    conn: &mut Connection,
    secret_hash: &[u8; 32],
    now: Millis,
) -> Result<Option<InviteRow>, StoreError> {
    let row: Option<OpenRow> = sqlx::query_as(concat!(
        "select ",
        invite_columns!(),
        ", i.epoch, i.offset_no, ",
        room_columns!(),
        " from invites i join accounts a on a.id = i.made_by join rooms r on r.id = i.room
         where i.secret_hash = $1 and ",
        is_good!()
    ))
    .bind(&secret_hash[..])
    .bind(now)
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        let room = RoomRow::try_from(row.room)?;
        Ok(InviteRow { invite: row.invite.into(), room, made: position(row.epoch, row.offset_no) })
    })
    .transpose()
}

/// One statement decides: of two who come at once by the last use, one gets in.
pub(super) async fn take(conn: &mut Connection, id: Uuid, now: Millis) -> Result<bool, StoreError> {
    let taken = sqlx::query(concat!("update invites as i set used = used + 1 where i.id = $1 and ", is_good!()))
        .bind(id)
        .bind(now)
        .execute(conn)
        .await?;
    Ok(taken.rows_affected() == 1)
}

pub(super) async fn give_back(conn: &mut Connection, id: Uuid) -> Result<(), StoreError> {
    sqlx::query("update invites set used = used - 1 where id = $1 and used > 0").bind(id).execute(conn).await?;
    Ok(())
}
