//! The store in a SQLite file.
//!
//! One connection writes, the others read beside it (WAL). `synchronous=FULL`:
//! what is folded could be folded again from the log, but accounts, sessions and
//! rooms are written here first, and acknowledged.

use super::{StoreError, failure::within};
use crate::wal;
use sqlx::{
    Connection as _, Sqlite, SqlitePool, Transaction,
    migrate::Migrator,
    pool::PoolConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{path::Path, sync::atomic::AtomicU32, time::Duration};

/// The pairs (emoji, user name) of rows `r`, as JSON.
macro_rules! json_of_reactions {
    () => {
        "json_group_array(json_array(r.emoji, r.username))"
    };
}

/// The postings of the messages of `x`, and whether each is deleted; nothing if it has become too old.
macro_rules! postings_of_x {
    () => {
        "select e.room, e.message, e.epoch, e.offset_no, e.body, m.deleted
         from x
         join events e on e.room = x.room and e.message = x.message and e.kind = 'message_posted'
         left join messages m on m.room = e.room and m.id = e.message"
    };
}

/// Each room of `x` with its chain, and whether the archive has events between the chain's end and `x`'s place: the
/// version before, which knows no chains, has written them.
macro_rules! chains_of_x {
    () => {
        "select x.room, c.first_epoch, c.first_offset, c.last_epoch, c.last_offset, c.events, c.digest,
                exists (
                    select 1 from events e
                    where e.room = x.room and (e.epoch, e.offset_no) < (x.epoch, x.offset_no)
                      and (e.epoch, e.offset_no) > (coalesce(c.last_epoch, 0), coalesce(c.last_offset, 0))
                ) as gap
         from x left join chains c on c.room = x.room"
    };
}

macro_rules! over_the_old_chain {
    () => {
        "on conflict (room) do update set
             first_epoch = excluded.first_epoch, first_offset = excluded.first_offset,
             last_epoch = excluded.last_epoch, last_offset = excluded.last_offset,
             events = excluded.events, digest = excluded.digest"
    };
}

/// The database's clock, in milliseconds since 1970.
macro_rules! database_clock {
    () => {
        "select cast((julianday('now') - 2440587.5) * 86400000 as integer)"
    };
}

macro_rules! archived_where {
    () => {
        "select room, epoch, offset_no, digest, case when digest is null then body end as body from events where"
    };
}

/// A message `m` that is not in the index, or not where it is now (see [`search::place`]).
macro_rules! not_indexed {
    () => {
        "(m.place is null or m.place < 1 << 62)"
    };
}

/// A join of what stands before it with what stands after it, in this order: SQLite would go through all messages of a
/// room for the few that are pinned.
macro_rules! join_in_turn {
    () => {
        "cross join"
    };
}

macro_rules! for_this_node_alone {
    () => {
        ""
    };
}

mod bulk;
mod lookup;
#[allow(clippy::duplicate_mod)] // The same text, compiled for either database: there is no second copy to keep in step.
#[path = "queries/mod.rs"]
mod queries;

type Adapter = SqliteStore;
type Connection = sqlx::SqliteConnection;
type Row = sqlx::sqlite::SqliteRow;

/// How many may read at once: reading blocks a thread each.
const READERS: u32 = 4;
/// What the writer keeps of the file, in KiB as SQLite counts them: all pages that a large transaction changes, else it
/// writes some of them twice.
const CACHE: &str = "-16384";
/// So many pages, 8 MiB, go into the WAL before they are brought into the file: one that is changed often goes once. More
/// would gain more, and make whoever commits last wait longer on a slow disk.
const CHECKPOINT_PAGES: &str = "2048";
const BUSY: Duration = Duration::from_secs(5);
/// The structure of a file up to this size is examined before it is used: a second's work. In a larger one, SQLite
/// finds damage when it comes upon it.
const EXAMINED_BYTES: u64 = 256 * 1024 * 1024;

/// The store in one file of the data folder.
pub struct SqliteStore {
    writer: SqlitePool,
    readers: SqlitePool,
    /// The log's generation, as the last fold has found it.
    epoch: AtomicU32,
}

fn migrations() -> Migrator {
    let mut migrations = sqlx::migrate!("migrations/sqlite");
    // A file that a later version has used opens all the same: migrations only add.
    migrations.set_ignore_missing(true);
    migrations
}

impl SqliteStore {
    /// What is read most, by name: in a long room no statement of these may go through all of it.
    pub const READS: &[(&str, &str)] = queries::READS;

    /// Opens `store.db` in a folder, and makes or brings up to date its tables.
    ///
    /// # Errors
    /// [`StoreError::Broken`] if the file cannot be used (the text names it, and what is damaged),
    /// [`StoreError::Full`] if there is no space for it.
    pub async fn open(dir: &Path) -> Result<Self, StoreError> {
        Self::open_with(dir, true).await
    }

    /// Opens the `store.db` that is there, as it is.
    ///
    /// # Errors
    /// [`StoreError::Broken`] if it is not there or cannot be used.
    pub async fn attach(dir: &Path) -> Result<Self, StoreError> {
        Self::open_with(dir, false).await
    }

    async fn open_with(dir: &Path, make: bool) -> Result<Self, StoreError> {
        let file = dir.join("store.db");
        wal::examine(&file).map_err(StoreError::Broken)?;
        let options = SqliteConnectOptions::new()
            .filename(&file)
            .create_if_missing(make)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            // Else a statement of many rows makes a file, and removes it.
            .pragma("temp_store", "memory")
            .busy_timeout(BUSY);
        let pool = |connections| {
            // The connections are kept: opening one again gains nothing, and closing the last one ends the WAL.
            SqlitePoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(BUSY)
                .idle_timeout(None)
                .max_lifetime(None)
                // SQLite ends a transaction by itself when the disk is full, and then the rollback fails: sqlx would take
                // the connection for one that is still in it, and begin no other, for ever.
                .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
        };
        let opened = within(async {
            let writing = options
                .clone()
                .pragma("cache_size", CACHE)
                .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
                .statement_cache_capacity(bulk::PREPARED);
            let writer = pool(1).connect_with(writing).await?;
            if std::fs::metadata(&file).is_ok_and(|file| file.len() <= EXAMINED_BYTES) {
                let found: String = sqlx::query_scalar("pragma quick_check(1)").fetch_one(&writer).await?;
                if found != "ok" {
                    return Err(StoreError::Broken(found));
                }
            }
            if make {
                migrations().run(&writer).await?;
            }
            // A file does not hang up: no need to ask each time whether it is there. Those who write do, which leaves
            // another process a moment between two transactions.
            let readers = pool(READERS).test_before_acquire(false);
            let readers = readers.connect_with(options.pragma("query_only", "on")).await?;
            Ok(Self { writer, readers, epoch: AtomicU32::default() })
        });
        opened.await.map_err(|e| match e {
            StoreError::Broken(found) => StoreError::Broken(format!("{}: {found}", file.display())),
            other => other,
        })
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
