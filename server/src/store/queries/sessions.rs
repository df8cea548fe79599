//! Sessions and their refresh tokens.

use super::Connection;
use crate::store::{NewSession, Rotation, StoreError, row::UserRow};
use app::model::{Millis, SessionId, User, UserId};
use uuid::Uuid;

pub(super) async fn create(tx: &mut Connection, new: &NewSession) -> Result<(), StoreError> {
    sqlx::query("insert into sessions (id, account, created_at, expires_at) values ($1, $2, $3, $4)")
        .bind(new.id.0)
        .bind(new.user.0)
        .bind(new.created_at)
        .bind(new.expires_at)
        .execute(&mut *tx)
        .await?;
    add_token(tx, &new.refresh_hash, new.id.0).await
}

async fn add_token(tx: &mut Connection, hash: &[u8; 32], session: Uuid) -> Result<(), StoreError> {
    sqlx::query("insert into refresh_tokens (hash, session) values ($1, $2)")
        .bind(hash.as_slice())
        .bind(session)
        .execute(tx)
        .await?;
    Ok(())
}

pub(super) async fn live(conn: &mut Connection, id: SessionId, now: Millis) -> Result<Option<User>, StoreError> {
    let row: Option<UserRow> = sqlx::query_as(
        "select a.id as account, a.username, a.display_name, a.guest, a.admin
         from sessions s join accounts a on a.id = s.account
         where s.id = $1 and s.ended_at is null and s.expires_at > $2 and a.suspended_at is null",
    )
    .bind(id.0)
    .bind(now)
    .fetch_optional(conn)
    .await?;
    Ok(row.map(User::from))
}

pub(super) async fn rotate(
    tx: &mut Connection,
    old: &[u8; 32],
    new: &[u8; 32],
    now: Millis,
) -> Result<Rotation, StoreError> {
    // Of several who bring the same token at once, the database lets one through.
    let used: Option<Uuid> = sqlx::query_scalar(
        "update refresh_tokens set used_at = $2 where hash = $1 and used_at is null returning session",
    )
    .bind(old.as_slice())
    .bind(now)
    .fetch_optional(&mut *tx)
    .await?;
    let Some(session) = used.map(SessionId) else { return end_if_reused(tx, old, now).await };
    let Some(user) = live(tx, session, now).await? else { return Ok(Rotation::Unknown) };
    add_token(tx, new, session.0).await?;
    Ok(Rotation::Rotated { session, user })
}

async fn end_if_reused(tx: &mut Connection, hash: &[u8; 32], now: Millis) -> Result<Rotation, StoreError> {
    let ended: Option<Uuid> = sqlx::query_scalar(
        "update sessions set ended_at = $2
         where id = (select session from refresh_tokens where hash = $1) and ended_at is null and expires_at > $2
         returning id",
    )
    .bind(hash.as_slice())
    .bind(now)
    .fetch_optional(tx)
    .await?;
    Ok(ended.map_or(Rotation::Unknown, |id| Rotation::Reused { session: SessionId(id) }))
}

pub(super) async fn end(conn: &mut Connection, id: SessionId) -> Result<(), StoreError> {
    sqlx::query("update sessions set ended_at = $2 where id = $1 and ended_at is null")
        .bind(id.0)
        .bind(crate::time::now())
        .execute(conn)
        .await?;
    Ok(())
}

/// Which were not ended yet; one that has expired by itself may be among them.
pub(super) async fn end_all(conn: &mut Connection, user: UserId) -> Result<Vec<SessionId>, StoreError> {
    let ended: Vec<Uuid> =
        sqlx::query_scalar("update sessions set ended_at = $2 where account = $1 and ended_at is null returning id")
            .bind(user.0)
            .bind(crate::time::now())
            .fetch_all(conn)
            .await?;
    Ok(ended.into_iter().map(SessionId).collect())
}
