//! What administrators see and do.

use super::{Connection, sessions};
use crate::store::{
    Act, Acted, StoreError,
    row::{UserRow, unknown_word, unsigned},
};
use app::{
    direct,
    model::{AccountInfo, AuditEntry, Millis, RoomId, RoomInfo, UserId},
};
use uuid::Uuid;

#[derive(sqlx::FromRow)]
struct SubjectRow {
    id: Uuid,
    guest: bool,
    admin: bool,
    suspended_at: Option<i64>,
}

pub(super) async fn act(tx: &mut Connection, act: &Act) -> Result<Acted, StoreError> {
    // One at a time, as in `accounts::create`: two administrators who unmake each other must not both succeed.
    sqlx::query("update meta set epoch = epoch").execute(&mut *tx).await?;
    if let Some(by) = act.by
        && !may_act(tx, by).await?
    {
        return Ok(Acted::NotAllowed);
    }
    let found: Option<SubjectRow> =
        sqlx::query_as("select id, guest, admin, suspended_at from accounts where username = $1")
            .bind(&act.subject)
            .fetch_optional(&mut *tx)
            .await?;
    let Some(subject) = found else { return Ok(Acted::NoAccount) };
    let user = UserId(subject.id);
    let (was_admin, was_suspended) = (subject.admin, subject.suspended_at.is_some());
    let admin = act.change.admin.unwrap_or(was_admin);
    let suspended = act.change.suspended.unwrap_or(was_suspended);
    if admin && subject.guest {
        return Ok(Acted::Guest);
    }
    if suspended && act.by == Some(user) {
        return Ok(Acted::Oneself);
    }
    if was_admin && !was_suspended && (!admin || suspended) && !other_admin(tx, user).await? {
        return Ok(Acted::LastAdmin);
    }
    sqlx::query("update accounts set admin = $2, suspended_at = $3 where id = $1")
        .bind(user.0)
        .bind(admin)
        .bind(suspended.then(|| subject.suspended_at.unwrap_or(act.at)))
        .execute(&mut *tx)
        .await?;
    // Reinstating too: a node of the version before lets somebody in all the same, and that session ends here.
    let ends = act.end_sessions || suspended != was_suspended || (was_admin && !admin);
    let live = if ends { live_sessions(tx, user, act.at).await? } else { 0 };
    let ended = if ends { sessions::end_all(&mut *tx, user).await? } else { Vec::new() };
    let done = [
        (suspended && !was_suspended, "suspend"),
        (!suspended && was_suspended, "reinstate"),
        (admin && !was_admin, "make_admin"),
        (!admin && was_admin, "unmake_admin"),
        (act.end_sessions, "end_sessions"),
    ];
    let detail = match live {
        0 => String::new(),
        1 => "1 session ended".into(),
        n => format!("{n} sessions ended"),
    };
    for (_, action) in done.into_iter().filter(|(done, _)| *done) {
        record(tx, act.by, act.at, action, &act.subject, &detail).await?;
    }
    Ok(Acted::Done(ended))
}

/// Writes into the audit log; part of the transaction that does it. Nothing secret may be in `detail`.
pub(super) async fn record(
    tx: &mut Connection,
    by: Option<UserId>,
    at: Millis,
    action: &str,
    subject: &str,
    detail: &str,
) -> Result<(), StoreError> {
    sqlx::query("insert into audit_log (at, actor, action, subject, detail) values ($1, $2, $3, $4, $5)")
        .bind(at)
        .bind(by.map(|by| by.0))
        .bind(action)
        .bind(subject)
        .bind(detail)
        .execute(tx)
        .await?;
    Ok(())
}

async fn may_act(conn: &mut Connection, user: UserId) -> Result<bool, StoreError> {
    let query = "select exists (select 1 from accounts where id = $1 and admin and suspended_at is null)";
    Ok(sqlx::query_scalar(query).bind(user.0).fetch_one(conn).await?)
}

/// Is there another administrator who can come in?
async fn other_admin(conn: &mut Connection, user: UserId) -> Result<bool, StoreError> {
    let query = "select exists (select 1 from accounts where admin and suspended_at is null and id <> $1)";
    Ok(sqlx::query_scalar(query).bind(user.0).fetch_one(conn).await?)
}

async fn live_sessions(conn: &mut Connection, user: UserId, now: Millis) -> Result<i64, StoreError> {
    let query = "select count(*) from sessions where account = $1 and ended_at is null and expires_at > $2";
    Ok(sqlx::query_scalar(query).bind(user.0).bind(now).fetch_one(conn).await?)
}

#[derive(sqlx::FromRow)]
struct AccountRow {
    #[sqlx(flatten)]
    user: UserRow,
    created_at: i64,
    suspended_at: Option<i64>,
    sessions: i64,
}

pub(super) async fn accounts(
    conn: &mut Connection,
    q: &str,
    after: &str,
    limit: u32,
    now: Millis,
) -> Result<Vec<AccountInfo>, StoreError> {
    let escaped = q.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    // The databases do not agree on which letters have two cases: as written, and in lower case.
    let rows: Vec<AccountRow> = sqlx::query_as(
        "select a.id as account, a.username, a.display_name, a.guest, a.admin, a.created_at, a.suspended_at,
                (select count(*) from sessions s
                 where s.account = a.id and s.ended_at is null and s.expires_at > $1) as sessions
         from accounts a
         where a.username > $2
           and (a.username like $3 escape '\\' or lower(a.display_name) like $3 escape '\\'
                or a.display_name like $4 escape '\\')
         order by a.username limit $5",
    )
    .bind(now)
    .bind(after)
    .bind(format!("%{}%", escaped.to_lowercase()))
    .bind(format!("%{escaped}%"))
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    let info = |row: AccountRow| AccountInfo {
        user: row.user.into(),
        created_at: row.created_at,
        suspended_at: row.suspended_at,
        sessions: unsigned(row.sessions),
    };
    Ok(rows.into_iter().map(info).collect())
}

pub(super) async fn log(conn: &mut Connection, before: Option<i64>, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
    let rows: Vec<(i64, i64, Option<String>, String, String, String)> = sqlx::query_as(
        "select l.id, l.at, a.username, l.action, l.subject, l.detail
         from audit_log l left join accounts a on a.id = l.actor
         where l.id < $1 order by l.id desc limit $2",
    )
    .bind(before.unwrap_or(i64::MAX))
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    let entry = |(id, at, by, action, subject, detail)| AuditEntry { id, at, by, action, subject, detail };
    Ok(rows.into_iter().map(entry).collect())
}

pub(super) async fn rooms(conn: &mut Connection, after: &str, limit: u32) -> Result<Vec<RoomInfo>, StoreError> {
    let rows: Vec<(Uuid, String, String, String, i64, Option<i64>)> = sqlx::query_as(
        "select r.id, r.slug, r.name, r.visibility,
                (select count(*) from memberships m where m.room = r.id),
                (select m.sent_at from messages m where m.room = r.id order by m.epoch desc, m.offset_no desc limit 1)
         from rooms r
         where r.slug > $1 and substr(r.slug, 1, 1) <> $2
         order by r.slug limit $3",
    )
    .bind(after)
    .bind(direct::SIGN.to_string())
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|(id, slug, name, visibility, members, last_message_at)| {
            let visibility = visibility.parse().map_err(unknown_word)?;
            Ok(RoomInfo { id: RoomId(id), slug, name, visibility, members: unsigned(members), last_message_at })
        })
        .collect()
}
