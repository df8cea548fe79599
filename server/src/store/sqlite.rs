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

/// The pairs (emoji, user name) of rows `r`, as JSON.
macro_rules! json_of_reactions {
    () => {
        "json_group_array(json_array(r.emoji, r.username))"
    };
}

mod bulk;
#[allow(clippy::duplicate_mod)] // The same text, compiled for either database: there is no second copy to keep in step.
#[path = "queries/mod.rs"]
mod queries;

type Adapter = SqliteStore;
type Connection = sqlx::SqliteConnection;
type Row = sqlx::sqlite::SqliteRow;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{NewRoom, RoomKey, Store};
    use app::model::{RoomId, Visibility};

    async fn create_room(store: &SqliteStore, name: &str) -> Result<bool, StoreError> {
        let (slug, name) = (name.to_owned(), name.repeat(100));
        let new =
            NewRoom { id: RoomId::new(), slug, name, visibility: Visibility::Public, partition: 0, created_at: 0 };
        store.create_room(&new).await
    }

    async fn limit_pages(store: &SqliteStore, pragma: &'static str) -> i64 {
        let mut writer = store.writer().await.expect("a connection");
        sqlx::query_scalar(pragma).fetch_one(&mut *writer).await.expect("the number of pages")
    }

    #[tokio::test]
    async fn when_the_disk_is_full_reading_goes_on_and_once_there_is_room_writing_does() {
        let dir = tempfile::tempdir().expect("a folder");
        let store = SqliteStore::open(dir.path()).await.expect("a store");
        // What SQLite answers at this limit is what it answers when the file system has no space.
        limit_pages(&store, "pragma max_page_count = 60").await;
        let mut made = 0;
        let refused = loop {
            match create_room(&store, &format!("room-{made}")).await {
                Ok(_) => made += 1,
                Err(e) => break e,
            }
            assert!(made < 1_000, "the limit is never met");
        };
        assert!(matches!(refused, StoreError::Full), "{refused:?}");
        assert!(store.room(&RoomKey::Slug("room-0".into())).await.expect("reading goes on").is_some());
        assert!(store.room(&RoomKey::Slug(format!("room-{made}"))).await.expect("read").is_none());

        limit_pages(&store, "pragma max_page_count = 1000").await;
        assert!(create_room(&store, &format!("room-{made}")).await.expect("written"));
    }
}
