//! What an operator wants to know of PostgreSQL.

use super::{PostgresStore, StoreError};
use crate::store::failure::within;

/// What was found.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Facts {
    /// Its version, as `server_version_num`: 150004.
    pub version: i32,
    /// The connection is encrypted.
    pub tls: bool,
    /// A copy that cannot be written to.
    pub standby: bool,
    /// May we make tables, as migrations do?
    pub may_create: bool,
    /// `fsync` and `synchronous_commit` are on.
    pub durable: bool,
    /// How many connections it takes.
    pub connections: i32,
    /// `UTF8`.
    pub encoding: String,
}

impl PostgresStore {
    /// Asks PostgreSQL.
    ///
    /// # Errors
    /// As every call's.
    pub async fn facts(&self) -> Result<Facts, StoreError> {
        within(async {
            Ok(sqlx::query_as(
                "select current_setting('server_version_num')::int as version,
                        coalesce((select ssl from pg_stat_ssl where pid = pg_backend_pid()), false) as tls,
                        pg_is_in_recovery() as standby,
                        has_schema_privilege(current_schema(), 'create') as may_create,
                        current_setting('fsync') = 'on' and current_setting('synchronous_commit') <> 'off' as durable,
                        current_setting('max_connections')::int as connections,
                        current_setting('server_encoding') as encoding",
            )
            .fetch_one(&mut *self.reader().await?)
            .await?)
        })
        .await
    }
}
