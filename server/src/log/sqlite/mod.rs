//! The log in a SQLite file: what a single process needs, and as durable as its disk.
//!
//! One task writes ([`writer`]); it commits everything that waits in one
//! transaction, so that a thousand senders share one fsync. Readers have
//! connections of their own, which write-ahead logging keeps out of the
//! writer's way. Groups live in this process ([`groups`]).

mod examine;
mod groups;
mod share;
mod wal;
mod writer;

use super::{AppendError, Assigned, BATCH_BYTES, BATCH_ENTRIES, DEADLINE, Entry, Log, LogError, StartAt};
use app::model::RoomId;
use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use groups::Groups;
use sqlx::{
    ConnectOptions, Row, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{
    fs::{File, TryLockError},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use writer::{Append, Writer};

const FILE: &str = "log.db";
const LOCK: &str = "partyline.lock";
/// Appends that wait for the writer. Full: the next ones wait, and are refused after [`QUEUE_PATIENCE`].
const WAITING_APPENDS: usize = 4_096;
/// Half of what an append may take: the other half is the writer's.
const QUEUE_PATIENCE: Duration = Duration::from_secs(5);
/// A place is a partition and an offset in one integer, so that the table is its own index.
const OFFSET_BITS: u32 = 40;

/// The log in a SQLite file.
pub struct SqliteLog {
    shared: Arc<Shared>,
    appends: mpsc::Sender<Append>,
    stop: CancellationToken,
    writer: Mutex<Option<JoinHandle<()>>>,
    lock: Mutex<Option<File>>,
}

/// What readers, members and the writer have in common.
struct Shared {
    readers: SqlitePool,
    /// Per partition, the offset that comes next: moves after the commit, and wakes who waits for entries.
    ends: Vec<watch::Sender<u64>>,
    groups: Groups,
}

impl SqliteLog {
    /// Opens `log.db` in a folder, making both if need be, and examines it from the first entry to the last.
    ///
    /// The folder belongs to one process at a time. Partitions that were there before stay, even if fewer are asked for.
    ///
    /// # Errors
    /// [`LogError::Broken`] if another process has it, if it is damaged (the text names the place), or if it cannot be
    /// written.
    pub async fn open(dir: &Path, partitions: u32) -> Result<Self, LogError> {
        std::fs::create_dir_all(dir).map_err(|e| LogError::Broken(format!("{}: {e}", dir.display())))?;
        let lock = lock(dir)?;
        let file = dir.join(FILE);
        wal::examine(&file)?;
        let options =
            SqliteConnectOptions::new().filename(&file).busy_timeout(QUEUE_PATIENCE).disable_statement_logging();
        let mut connection = options
            .clone()
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // An acknowledgement depends on it: each commit reaches the disk before it returns.
            .synchronous(SqliteSynchronous::Full)
            .connect()
            .await
            .map_err(|e| examine::broken(&file, &e))?;
        let found = examine::examine(&mut connection, &file, partitions).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(4)
            .acquire_timeout(DEADLINE)
            .test_before_acquire(false)
            .connect_lazy_with(options.read_only(true));
        let shared = Arc::new(Shared {
            readers,
            ends: found.ends.iter().map(|end| watch::Sender::new(*end)).collect(),
            groups: Groups::new(found.ends.len(), found.committed),
        });
        let (appends, waiting) = mpsc::channel(WAITING_APPENDS);
        let stop = CancellationToken::new();
        let writer = Writer::new(connection, waiting, shared.clone());
        let writer = tokio::spawn(writer.run(stop.clone()));
        Ok(Self { shared, appends, stop, writer: Mutex::new(Some(writer)), lock: Mutex::new(Some(lock)) })
    }
}

/// Two writers would give the same offset twice: the second process must not even begin.
fn lock(dir: &Path) -> Result<File, LogError> {
    let path = dir.join(LOCK);
    let broken = |e: std::io::Error| LogError::Broken(format!("{}: {e}", path.display()));
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(broken)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(LogError::Broken(format!("{} is in use by another process", dir.display())))
        }
        Err(TryLockError::Error(e)) => Err(broken(e)),
    }
}

fn place(partition: u32, offset: u64) -> i64 {
    i64::from(partition) << OFFSET_BITS | i64::try_from(offset).expect("offsets are below 2^40")
}

fn offset_of(place: i64) -> u64 {
    u64::try_from(place & ((1 << OFFSET_BITS) - 1)).expect("masked")
}

fn partition_of(place: i64) -> u32 {
    u32::try_from(place >> OFFSET_BITS).expect("made by `place`")
}

impl Shared {
    fn end(&self, partition: u32) -> Result<&watch::Sender<u64>, LogError> {
        self.ends.get(partition as usize).ok_or_else(|| {
            LogError::Broken(format!("there is no partition {partition}: there are {}", self.ends.len()))
        })
    }

    /// Refuses an offset that is beyond the end; a partition begins at 0 for ever.
    fn in_range(&self, partition: u32, offset: u64) -> Result<(), LogError> {
        let end = *self.end(partition)?.borrow();
        if offset > end {
            let detail = format!("it has the offsets before {end}");
            return Err(LogError::OutOfRange { partition, offset, detail });
        }
        Ok(())
    }

    async fn read(&self, partition: u32, from: u64, limit: usize) -> Result<Vec<Entry>, LogError> {
        self.in_range(partition, from)?;
        let rows = sqlx::query(
            "select place, checksum, payload from entries where place >= ? and place < ? order by place limit ?",
        )
        .bind(place(partition, from))
        .bind(place(partition + 1, 0))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch(&self.readers);
        let mut rows = rows.map_err(|e| LogError::Unavailable(e.to_string())).boxed();
        let (mut entries, mut bytes) = (Vec::new(), 0);
        while bytes < BATCH_BYTES
            && let Some(row) = rows.try_next().await?
        {
            let payload = Bytes::from(row.get::<Vec<u8>, _>("payload"));
            examine::verify(row.get("place"), row.get("checksum"), &payload)?;
            bytes += payload.len();
            entries.push(Entry { offset: offset_of(row.get("place")), payload });
        }
        Ok(entries)
    }
}

#[async_trait]
impl Log for SqliteLog {
    fn partitions(&self) -> u32 {
        u32::try_from(self.shared.ends.len()).expect("opened with a u32")
    }

    async fn append(&self, partition: u32, _room: RoomId, payload: Bytes) -> Result<u64, AppendError> {
        self.shared.end(partition).map_err(|e| AppendError::NotPersisted(e.to_string()))?;
        let place = match timeout(QUEUE_PATIENCE, self.appends.reserve()).await {
            Ok(Ok(place)) => place,
            Ok(Err(_)) => return Err(AppendError::NotPersisted("the log is closed".into())),
            Err(_) => return Err(AppendError::NotPersisted("too many appends are waiting".into())),
        };
        let (reply, answer) = oneshot::channel();
        place.send(Append { partition, payload, reply });
        match timeout(DEADLINE - QUEUE_PATIENCE, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(AppendError::Unknown("the writer stopped".into())),
            Err(_) => Err(AppendError::Unknown("the disk takes too long".into())),
        }
    }

    async fn join(&self, group: &str, start: StartAt) -> Result<mpsc::Receiver<Assigned>, LogError> {
        groups::join(&self.shared, group, start)
    }

    async fn read(&self, partition: u32, from: u64, limit: usize) -> Result<Vec<Entry>, LogError> {
        timeout(DEADLINE, self.shared.read(partition, from, limit.min(BATCH_ENTRIES)))
            .await
            .map_err(|_| LogError::Unavailable("the disk takes too long".into()))?
    }

    async fn end(&self, partition: u32) -> Result<u64, LogError> {
        Ok(*self.shared.end(partition)?.borrow())
    }

    async fn check(&self) -> Result<(), LogError> {
        if self.appends.is_closed() {
            return Err(LogError::Unavailable("the writer stopped".into()));
        }
        timeout(Duration::from_secs(2), sqlx::query("select 1").execute(&self.shared.readers))
            .await
            .map_err(|_| LogError::Unavailable("the disk takes too long".into()))?
            .map_err(|e| LogError::Unavailable(e.to_string()))?;
        Ok(())
    }

    async fn close(&self) {
        self.shared.groups.close();
        self.stop.cancel();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut writer) = writer
            && timeout(DEADLINE, &mut writer).await.is_err()
        {
            tracing::error!("the log's writer did not finish in {DEADLINE:?}");
            writer.abort();
        }
        self.shared.readers.close().await;
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Drop for SqliteLog {
    fn drop(&mut self) {
        self.shared.groups.close();
        if let Some(writer) = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take() {
            writer.abort();
        }
    }
}
