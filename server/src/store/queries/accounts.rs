//! Accounts.

use super::Connection;
use crate::store::{Account, AccountMade, NewAccount, StoreError, row::UserRow};

pub(super) async fn create(tx: &mut Connection, new: &NewAccount) -> Result<AccountMade, StoreError> {
    if new.only_first_admin {
        // Two who follow the same one-time link must not both become administrator: the one row of `meta` is the lock
        // that makes the second wait for the first and then see it.
        sqlx::query("update meta set epoch = epoch").execute(&mut *tx).await?;
        if has_admin(tx).await? {
            return Ok(AccountMade::AdminExists);
        }
    }
    // Whatever is taken: nodes that start at once make the same account, and PostgreSQL may find its id taken before its
    // name.
    let made = sqlx::query(
        "insert into accounts (id, username, display_name, password_hash, admin, guest, created_at)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict do nothing",
    )
    .bind(new.user.id.0)
    .bind(&new.user.username)
    .bind(&new.user.display_name)
    .bind(&new.password_hash)
    .bind(new.user.admin)
    .bind(new.user.guest)
    .bind(new.created_at)
    .execute(tx)
    .await?;
    Ok(if made.rows_affected() == 0 { AccountMade::NameTaken } else { AccountMade::Made })
}

#[derive(sqlx::FromRow)]
struct AccountRow {
    #[sqlx(flatten)]
    user: UserRow,
    password_hash: Option<String>,
    suspended: bool,
}

pub(super) async fn by_username(conn: &mut Connection, username: &str) -> Result<Option<Account>, StoreError> {
    let row: Option<AccountRow> = sqlx::query_as(
        "select id as account, username, display_name, guest, admin, password_hash,
                suspended_at is not null as suspended
         from accounts where username = $1",
    )
    .bind(username)
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Account { user: row.user.into(), password_hash: row.password_hash, suspended: row.suspended }))
}

pub(super) async fn has_admin(conn: &mut Connection) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar("select exists (select 1 from accounts where admin)").fetch_one(conn).await?)
}
