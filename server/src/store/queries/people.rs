//! Accounts as their owners change them, and sessions that have long been over.

use super::{Adapter, Connection, administration};
use crate::store::{Act, Acted, People, StoreError, failure::within, row::UserRow};
use app::model::{AccountInfo, AuditEntry, Millis, RoomInfo, SessionId, SessionInfo, User, UserId};
use async_trait::async_trait;
use uuid::Uuid;

/// The longest list of sessions.
const MOST: i64 = 100;

#[async_trait]
impl People for Adapter {
    async fn sessions_of(&self, user: UserId, now: Millis) -> Result<Vec<SessionInfo>, StoreError> {
        within(async { sessions_of(&mut *self.reader().await?, user, now).await }).await
    }

    async fn end_session_of(&self, user: UserId, id: SessionId, now: Millis) -> Result<bool, StoreError> {
        within(async {
            let ended = sqlx::query(
                "update sessions set ended_at = $3
                 where id = $1 and account = $2 and ended_at is null and expires_at > $3",
            )
            .bind(id.0)
            .bind(user.0)
            .bind(now)
            .execute(&mut *self.writer().await?)
            .await?;
            Ok(ended.rows_affected() == 1)
        })
        .await
    }

    async fn end_other_sessions(&self, user: UserId, keep: SessionId) -> Result<Vec<SessionId>, StoreError> {
        within(async { end_others(&mut *self.writer().await?, user, keep).await }).await
    }

    async fn forget_sessions(&self, before: Millis, limit: u32) -> Result<u32, StoreError> {
        within(async {
            let over = over(&mut *self.reader().await?, before, limit).await?;
            if over.is_empty() {
                return Ok(0);
            }
            let mut tx = self.begin().await?;
            for session in &over {
                sqlx::query("delete from refresh_tokens where session = $1").bind(session).execute(&mut *tx).await?;
                sqlx::query("delete from sessions where id = $1").bind(session).execute(&mut *tx).await?;
            }
            tx.commit().await?;
            Ok(u32::try_from(over.len()).unwrap_or(limit))
        })
        .await
    }

    async fn rename(&self, user: UserId, display_name: &str) -> Result<Option<User>, StoreError> {
        within(async {
            let row: Option<UserRow> = sqlx::query_as(
                "update accounts set display_name = $2 where id = $1
                 returning id as account, username, display_name, guest, admin",
            )
            .bind(user.0)
            .bind(display_name)
            .fetch_optional(&mut *self.writer().await?)
            .await?;
            Ok(row.map(User::from))
        })
        .await
    }

    async fn change_password(
        &self,
        user: UserId,
        old: &str,
        new: &str,
        keep: SessionId,
    ) -> Result<Option<Vec<SessionId>>, StoreError> {
        within(async {
            let mut tx = self.begin().await?;
            let changed = sqlx::query("update accounts set password_hash = $3 where id = $1 and password_hash = $2")
                .bind(user.0)
                .bind(old)
                .bind(new)
                .execute(&mut *tx)
                .await?;
            if changed.rows_affected() == 0 {
                return Ok(None);
            }
            let ended = end_others(&mut tx, user, keep).await?;
            tx.commit().await?;
            Ok(Some(ended))
        })
        .await
    }

    async fn act(&self, act: &Act) -> Result<Acted, StoreError> {
        within(async {
            let mut tx = self.begin().await?;
            let acted = administration::act(&mut tx, act).await?;
            match acted {
                Acted::Done(_) => tx.commit().await?,
                _ => tx.rollback().await?,
            }
            Ok(acted)
        })
        .await
    }

    async fn accounts(&self, q: &str, after: &str, limit: u32, now: Millis) -> Result<Vec<AccountInfo>, StoreError> {
        within(async { administration::accounts(&mut *self.reader().await?, q, after, limit, now).await }).await
    }

    async fn audit_log(&self, before: Option<i64>, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        within(async { administration::log(&mut *self.reader().await?, before, limit).await }).await
    }

    async fn all_rooms(&self, after: &str, limit: u32) -> Result<Vec<RoomInfo>, StoreError> {
        within(async { administration::rooms(&mut *self.reader().await?, after, limit).await }).await
    }
}

#[derive(sqlx::FromRow)]
struct SessionRow {
    id: Uuid,
    created_at: i64,
    renewed_at: Option<i64>,
    expires_at: i64,
}

async fn sessions_of(conn: &mut Connection, user: UserId, now: Millis) -> Result<Vec<SessionInfo>, StoreError> {
    let rows: Vec<SessionRow> = sqlx::query_as(
        "select s.id, s.created_at, s.expires_at,
                (select max(t.used_at) from refresh_tokens t where t.session = s.id) as renewed_at
         from sessions s
         where s.account = $1 and s.ended_at is null and s.expires_at > $2
         order by s.created_at desc, s.id limit $3",
    )
    .bind(user.0)
    .bind(now)
    .bind(MOST)
    .fetch_all(conn)
    .await?;
    let info = |row: SessionRow| SessionInfo {
        id: SessionId(row.id),
        begun_at: row.created_at,
        renewed_at: row.renewed_at,
        expires_at: row.expires_at,
        current: false,
    };
    Ok(rows.into_iter().map(info).collect())
}

async fn end_others(conn: &mut Connection, user: UserId, keep: SessionId) -> Result<Vec<SessionId>, StoreError> {
    let ended: Vec<Uuid> = sqlx::query_scalar(
        "update sessions set ended_at = $3 where account = $1 and id <> $2 and ended_at is null returning id",
    )
    .bind(user.0)
    .bind(keep.0)
    .bind(crate::time::now())
    .fetch_all(conn)
    .await?;
    Ok(ended.into_iter().map(SessionId).collect())
}

/// Sessions that ended or expired before then.
async fn over(conn: &mut Connection, before: Millis, limit: u32) -> Result<Vec<Uuid>, StoreError> {
    let over = sqlx::query_scalar("select id from sessions where ended_at < $1 or expires_at < $1 limit $2")
        .bind(before)
        .bind(i64::from(limit))
        .fetch_all(conn)
        .await?;
    Ok(over)
}
