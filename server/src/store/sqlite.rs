//! The store in a SQLite file.
//!
//! One connection writes, the others read beside it (WAL). `synchronous=FULL`:
//! what is folded could be folded again from the log, but accounts, sessions and
//! rooms are written here first, and acknowledged.

use super::{StoreError, failure::within};
use sqlx::{
    Sqlite, SqlitePool, Transaction,
    pool::PoolConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{path::Path, time::Duration};

mod bulk;
#[allow(clippy::duplicate_mod)] // The same text, compiled for either database: there is no second copy to keep in step.
#[path = "queries/mod.rs"]
mod queries;

type Adapter = SqliteStore;
type Connection = sqlx::SqliteConnection;

/// How many may read at once: reading blocks a thread each.
const READERS: u32 = 4;
const BUSY: Duration = Duration::from_secs(5);

/// The store in one file of the data folder.
pub struct SqliteStore {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl SqliteStore {
    /// Opens `store.db` in a folder, and makes or brings up to date its tables.
    ///
    /// # Errors
    /// [`StoreError::Broken`] if the file cannot be used, [`StoreError::Full`] if there is no space for it.
    pub async fn open(dir: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(dir.join("store.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY);
        let pool = |connections| {
            // The connections are kept: opening one again gains nothing, and closing the last one ends the WAL.
            SqlitePoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(BUSY)
                .idle_timeout(None)
                .max_lifetime(None)
        };
        within(async {
            let writer = pool(1).connect_with(options.clone()).await?;
            let mut migrations = sqlx::migrate!("migrations/sqlite");
            // A file that a later version has used opens all the same: migrations only add.
            migrations.set_ignore_missing(true).run(&writer).await?;
            let readers = pool(READERS).connect_with(options.pragma("query_only", "on")).await?;
            Ok(Self { writer, readers })
        })
        .await
    }

    async fn reader(&self) -> Result<PoolConnection<Sqlite>, StoreError> {
        Ok(self.readers.acquire().await?)
    }

    async fn writer(&self) -> Result<PoolConnection<Sqlite>, StoreError> {
        Ok(self.writer.acquire().await?)
    }

    /// A transaction whose reads are of one moment.
    async fn snapshot(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        Ok(self.readers.begin().await?)
    }

    /// A transaction that writes. Immediate: one that began to read first could be refused the lock half-way.
    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        Ok(self.writer.begin_with("begin immediate").await?)
    }
}
