//! The log in a SQLite file: what a single process needs, and as durable as its disk.
//!
//! One task writes ([`writer`]); it commits everything that waits in one
//! transaction, so that a thousand senders share one fsync. Readers have
//! connections of their own, which write-ahead logging keeps out of the
//! writer's way, and who keeps up does not need them ([`latest`]). Groups live in this process ([`groups`]). What was acknowledged
//! is noted beside the file ([`acknowledged`]), so that no end of it can get lost
//! in silence, and what is old and done is let go of ([`retention`]).

mod acknowledged;
mod examine;
mod follow;
mod groups;
mod latest;
mod reader;
mod retention;
mod share;
mod writer;

use self::acknowledged::Acknowledged;
use super::{
    AppendError, Assigned, BATCH_BYTES, BATCH_ENTRIES, DEADLINE, Entry, Followed, Log, LogError, Range, Retention,
    StartAt,
};
use crate::wal;
use app::model::RoomId;
use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use groups::Groups;
use latest::Latest;
pub use reader::SqliteLogReader;
pub use retention::Keep;
use sqlx::{
    ConnectOptions, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{
    fs::{File, TryLockError},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
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
    examiner: AbortOnDropHandle<()>,
    lock: Mutex<Option<File>>,
    file: PathBuf,
    /// Which file it was when it was opened.
    identity: (u64, u64),
}

/// The device and the number of a file, by which it is told from another one of the same name.
fn identity(file: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(file).ok().map(|found| (found.dev(), found.ino()))
}

/// What readers, members and the writer have in common.
struct Shared {
    readers: SqlitePool,
    latest: Latest,
    /// Per partition, the offset that comes next: moves after the commit, and wakes who waits for entries.
    ends: Vec<watch::Sender<u64>>,
    /// Per partition, the oldest offset that is kept.
    firsts: Vec<AtomicU64>,
    groups: Groups,
    /// What was found to be damaged while the log served.
    damage: OnceLock<String>,
}

impl SqliteLog {
    /// [`SqliteLog::open_with`] that keeps everything.
    ///
    /// # Errors
    /// As there.
    pub async fn open(dir: &Path, partitions: u32) -> Result<Self, LogError> {
        Self::open_with(dir, partitions, Keep::FOREVER).await
    }

    /// Opens `log.db` in a folder, making both if need be, and examines it: its structure, its newest entries, and that
    /// it has all that was acknowledged. Older entries of a long log are examined while it serves; damage there is logged
    /// and makes [`Log::check`] fail.
    ///
    /// The folder belongs to one process at a time. Partitions that were there before stay, even if fewer are asked for.
    ///
    /// # Errors
    /// [`LogError::Broken`] if another process has it, if it is damaged (the text names the place), or if it cannot be
    /// written.
    pub async fn open_with(dir: &Path, partitions: u32, retention: Keep) -> Result<Self, LogError> {
        let (log, _) = Self::open_noted(dir, partitions, retention, true).await?;
        Ok(log)
    }

    /// Opens what there is, even if it lacks what was acknowledged; says what it lacks.
    ///
    /// # Errors
    /// As [`SqliteLog::open_with`].
    pub async fn open_as_it_is(dir: &Path, partitions: u32) -> Result<(Self, Option<String>), LogError> {
        Self::open_noted(dir, partitions, Keep::FOREVER, false).await
    }

    async fn open_noted(
        dir: &Path,
        partitions: u32,
        retention: Keep,
        whole: bool,
    ) -> Result<(Self, Option<String>), LogError> {
        std::fs::create_dir_all(dir).map_err(|e| LogError::Broken(format!("{}: {e}", dir.display())))?;
        let lock = lock(dir)?;
        let file = dir.join(FILE);
        wal::examine(&file).map_err(LogError::Broken)?;
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
        let (mut acknowledged, noted) = Acknowledged::open(dir)?;
        let ends: Vec<u64> = found.spans.iter().map(|span| span.next).collect();
        let lacks = (0..).zip(&noted).find_map(|(partition, noted)| {
            let end = ends.get(partition).copied().unwrap_or(0);
            (end < *noted).then(|| {
                format!(
                    "{}: partition {partition} ends before offset {end}, but entries before {noted} were acknowledged: the \
                     end of the file or of its write-ahead log is lost, or an older file was put in its place. Put it back; \
                     or, if it is gone for good, `partyline doctor --new-epoch` declares a new log",
                    file.display()
                )
            })
        });
        match &lacks {
            None => acknowledged.prepare(&ends)?,
            Some(what) if whole => return Err(LogError::Broken(what.clone())),
            Some(_) => {}
        }
        let identity = identity(&file).ok_or_else(|| examine::broken(&file, &"it vanished while it was opened"))?;
        let readers = SqlitePoolOptions::new()
            .max_connections(4)
            .acquire_timeout(DEADLINE)
            .test_before_acquire(false)
            .connect_lazy_with(options.read_only(true));
        let shared = Arc::new(Shared {
            readers,
            latest: Latest::new(found.spans.len()),
            firsts: found.spans.iter().map(|span| AtomicU64::new(span.first)).collect(),
            ends: ends.into_iter().map(watch::Sender::new).collect(),
            groups: Groups::new(found.spans.len(), found.committed),
            damage: OnceLock::new(),
        });
        let (appends, waiting) = mpsc::channel(WAITING_APPENDS);
        let stop = CancellationToken::new();
        let writer = Writer::new(connection, waiting, shared.clone(), acknowledged, retention);
        let writer = tokio::spawn(writer.run(stop.clone()));
        let examiner = AbortOnDropHandle::new(tokio::spawn(examine::examine_rest(shared.clone(), found.spans)));
        let log = Self {
            shared,
            appends,
            stop,
            writer: Mutex::new(Some(writer)),
            examiner,
            lock: Mutex::new(Some(lock)),
            file,
            identity,
        };
        Ok((log, lacks))
    }

    /// What was acknowledged and is lost, is lost: the log begins where it ends now.
    ///
    /// # Errors
    /// [`LogError::Broken`] if the note cannot be removed.
    pub fn forget_what_was_acknowledged(dir: &Path) -> Result<(), LogError> {
        acknowledged::remove(dir)
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

    /// The oldest offset that is kept.
    fn first(&self, partition: u32) -> Result<u64, LogError> {
        self.end(partition)?;
        Ok(self.firsts[partition as usize].load(Ordering::Acquire))
    }

    /// Refuses an offset that is no longer kept, or beyond the end.
    fn in_range(&self, partition: u32, offset: u64) -> Result<(), LogError> {
        let (first, end) = (self.first(partition)?, *self.end(partition)?.borrow());
        if offset < first || offset > end {
            let detail = format!("it has those from {first} on and before {end}");
            return Err(LogError::OutOfRange { partition, offset, detail });
        }
        Ok(())
    }

    async fn read(&self, partition: u32, from: u64, limit: usize) -> Result<Vec<Entry>, LogError> {
        self.in_range(partition, from)?;
        if let Some(entries) = self.latest.read(partition, from, limit) {
            return Ok(entries);
        }
        let rows = sqlx::query(
            "select place, checksum, payload from entries where place >= ? and place < ? order by place limit ?",
        )
        .bind(place(partition, from))
        .bind(place(partition + 1, 0))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch(&self.readers);
        let mut rows = rows.map_err(|e| LogError::Unavailable(e.to_string())).boxed();
        let (mut entries, mut bytes, mut offset) = (Vec::new(), 0, from);
        while bytes < BATCH_BYTES
            && let Some(row) = rows.try_next().await?
        {
            let payload = match examine::follows(&row, offset) {
                Ok(payload) => Bytes::from(payload),
                Err(place) => {
                    // Unless it was let go of since it was looked for.
                    self.in_range(partition, from)?;
                    return Err(LogError::Broken(place));
                }
            };
            bytes += payload.len();
            entries.push(Entry { offset, payload });
            offset += 1;
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

    async fn follow(&self, from: &[(u32, u64)]) -> Result<mpsc::Receiver<Followed>, LogError> {
        follow::follow(&self.shared, from, &self.stop)
    }

    async fn end(&self, partition: u32) -> Result<u64, LogError> {
        Ok(*self.shared.end(partition)?.borrow())
    }

    async fn ranges(&self) -> Result<Vec<Range>, LogError> {
        let firsts = self.shared.firsts.iter().map(|first| first.load(Ordering::Acquire));
        Ok(firsts.zip(&self.shared.ends).map(|(oldest, end)| Range { oldest, end: *end.borrow() }).collect())
    }

    async fn retention(&self) -> Result<Retention, LogError> {
        // By time too, but never what a group has not done.
        Ok(Retention::default())
    }

    async fn check(&self) -> Result<(), LogError> {
        if self.appends.is_closed() {
            return Err(LogError::Unavailable("the writer stopped".into()));
        }
        if let Some(place) = self.shared.damage.get() {
            return Err(LogError::Broken(place.clone()));
        }
        if identity(&self.file) != Some(self.identity) {
            // What is appended goes into a file that nobody will ever open again.
            return Err(LogError::Gone(format!("{} was removed or replaced", self.file.display())));
        }
        timeout(Duration::from_secs(2), sqlx::query("select 1").execute(&self.shared.readers))
            .await
            .map_err(|_| LogError::Unavailable("the disk takes too long".into()))?
            .map_err(|e| LogError::Unavailable(e.to_string()))?;
        Ok(())
    }

    async fn close(&self) {
        self.shared.groups.close();
        self.examiner.abort();
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
