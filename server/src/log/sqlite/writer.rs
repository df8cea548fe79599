//! The one task that writes: appends in groups, then what consumer groups have committed.

use super::{Keep, Shared, acknowledged::Acknowledged, examine, place, retention::Forgetting};
use crate::log::{AppendError, BATCH_ENTRIES};
use bytes::Bytes;
use sqlx::{Connection, QueryBuilder, Sqlite, SqliteConnection};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};
use tokio_util::sync::CancellationToken;

/// How long a group's commit may stay in memory only.
const COMMITS_EVERY: Duration = Duration::from_secs(1);
/// Where more than one append came at a time, the next group is begun so long after the last: what a group costs is hardly
/// its entries. Whoever appends alone, one after another, waits for nothing.
const GATHER: Duration = Duration::from_millis(2);
/// Most rows of one insert. Fewer go in one too, up to [`EXACTLY`], or as often as that: few enough texts that each is
/// prepared once, few enough statements that a thousand rows cost little more than their bytes.
const ROWS_AT_ONCE: usize = 64;
const EXACTLY: usize = 16;

/// An entry that waits to be written, and who waits for it.
pub(super) struct Append {
    pub partition: u32,
    pub payload: Bytes,
    pub reply: oneshot::Sender<Result<u64, AppendError>>,
}

pub(super) struct Writer {
    db: SqliteConnection,
    appends: mpsc::Receiver<Append>,
    shared: Arc<Shared>,
    /// Per partition, the offset that comes next.
    next: Vec<u64>,
    acknowledged: Acknowledged,
    forgetting: Forgetting,
    /// A transaction failed: see [`Writer::recover`].
    unsure: bool,
}

/// Where a transaction failed.
enum Failure {
    /// Before the commit: nothing is written.
    Before(sqlx::Error),
    /// In the commit: it may be on the disk.
    Commit(sqlx::Error),
    /// An earlier one did, and nobody knows yet what the disk has.
    Unsure(&'static str),
}

impl Failure {
    fn refusal(&self) -> AppendError {
        match self {
            // SQLite says so before it has written the transaction's last page, without which there is none.
            Self::Before(e) | Self::Commit(e) if disk_is_full(e) => AppendError::Full,
            Self::Before(e) => AppendError::NotPersisted(e.to_string()),
            Self::Commit(e) => AppendError::Unknown(e.to_string()),
            Self::Unsure(why) => AppendError::NotPersisted((*why).to_owned()),
        }
    }
}

/// `SQLITE_FULL`, or the same while the index of the write-ahead log grows (`SQLITE_IOERR_SHMSIZE`).
fn disk_is_full(error: &sqlx::Error) -> bool {
    const FULL: i64 = 13;
    const SHMSIZE: i64 = 4874;
    code(error).is_some_and(|code| code & 0xff == FULL || code == SHMSIZE)
}

/// `SQLITE_BUSY`: somebody else is writing.
fn is_locked(error: &sqlx::Error) -> bool {
    const BUSY: i64 = 5;
    code(error).is_some_and(|code| code & 0xff == BUSY)
}

fn code(error: &sqlx::Error) -> Option<i64> {
    error.as_database_error()?.code()?.parse().ok()
}

impl Writer {
    pub fn new(
        db: SqliteConnection,
        appends: mpsc::Receiver<Append>,
        shared: Arc<Shared>,
        acknowledged: Acknowledged,
        retention: Keep,
    ) -> Self {
        let next = shared.ends.iter().map(|end| *end.borrow()).collect();
        Self { db, appends, shared, next, acknowledged, forgetting: Forgetting::new(retention), unsure: false }
    }

    /// Writes until it is stopped or nobody is left to append; then writes what still waits.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut tick = interval(COMMITS_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut batch = Vec::with_capacity(BATCH_ENTRIES);
        // When the last group was begun, and how many were in it.
        let (mut begun, mut size) = (Instant::now(), 0);
        loop {
            tokio::select! {
                taken = self.appends.recv_many(&mut batch, BATCH_ENTRIES) => {
                    if taken == 0 {
                        break;
                    }
                    if size > 1 {
                        sleep_until(begun + GATHER).await;
                        while batch.len() < BATCH_ENTRIES
                            && let Ok(append) = self.appends.try_recv()
                        {
                            batch.push(append);
                        }
                    }
                    (begun, size) = (Instant::now(), batch.len());
                    self.write(&mut batch).await;
                }
                () = stop.cancelled(), if !self.appends.is_closed() => self.appends.close(),
                _ = tick.tick() => {
                    self.write_commits().await;
                    self.forget().await;
                }
                () = self.shared.groups.left() => self.write_commits().await,
            }
        }
        self.write_commits().await;
        if let Err(error) = self.db.close().await {
            tracing::warn!(%error, "the log's file was not closed well");
        }
    }

    async fn write(&mut self, batch: &mut Vec<Append>) {
        if self.unsure
            && let Err(failure) = self.recover().await
        {
            return refuse(batch, &failure);
        }
        let mut next = self.next.clone();
        let offsets: Vec<u64> = batch
            .iter()
            .map(|append| {
                let next = &mut next[append.partition as usize];
                *next += 1;
                *next - 1
            })
            .collect();
        if let Err(failure) = self.transaction(batch, &offsets).await {
            tracing::error!(error = %failure.refusal(), entries = batch.len(), "the log did not take a batch");
            self.unsure = true;
            return refuse(batch, &failure);
        }
        self.next = next;
        self.acknowledged.note(&self.next);
        for (append, offset) in batch.iter().zip(&offsets) {
            self.shared.latest.push(append.partition, *offset, append.payload.clone());
        }
        self.publish_ends();
        for (append, offset) in batch.drain(..).zip(offsets) {
            // Whoever no longer waits learns it from the log.
            let _ = append.reply.send(Ok(offset));
        }
    }

    async fn transaction(&mut self, batch: &[Append], offsets: &[u64]) -> Result<(), Failure> {
        let mut rows: Vec<(i64, &Bytes)> = batch
            .iter()
            .zip(offsets)
            .map(|(append, offset)| (place(append.partition, *offset), &append.payload))
            .collect();
        // In the table's order, so that each page is touched once.
        rows.sort_unstable_by_key(|(place, _)| *place);
        let committed = insert(&mut self.db, &rows).await;
        if committed.is_err() {
            // SQLite may have rolled back by itself; then this has nothing to do and says so.
            let _ = sqlx::query("rollback").execute(&mut self.db).await;
        }
        committed
    }

    /// After a failed transaction: makes sure of the file, and looks up where each partition ends.
    ///
    /// A write or a sync that failed leaves pages of the write-ahead log of which nobody knows whether the disk has them;
    /// a later sync says nothing about them. So nothing is added to it: what it holds goes into the table, synced, and
    /// the next transaction begins an empty one.
    async fn recover(&mut self) -> Result<(), Failure> {
        let emptied = sqlx::query_scalar::<_, i64>("pragma wal_checkpoint(truncate)").fetch_one(&mut self.db).await;
        if emptied.map_err(Failure::Before)? != 0 {
            return Err(Failure::Unsure("a reader keeps the write-ahead log"));
        }
        let mut found = Vec::with_capacity(self.next.len());
        for partition in 0..u32::try_from(self.next.len()).expect("opened with a u32") {
            found.push(examine::end_of(&mut self.db, partition).await.map_err(Failure::Before)?);
        }
        if found.iter().zip(&self.next).any(|(found, acknowledged)| found < acknowledged) {
            let _ = self.shared.damage.set("entries that were acknowledged are not in the file any more".into());
            return Err(Failure::Unsure("entries that were acknowledged are not in the file any more"));
        }
        self.next = found;
        self.unsure = false;
        self.publish_ends();
        Ok(())
    }

    /// Lets go of what is old and done.
    async fn forget(&mut self) {
        if self.unsure {
            return;
        }
        if let Err(error) = self.forgetting.step(&mut self.db, &self.shared).await {
            let _ = sqlx::query("rollback").execute(&mut self.db).await;
            self.unsure = true;
            tracing::warn!(%error, "what is old was not removed from the log; trying again");
        }
    }

    fn publish_ends(&self) {
        for (end, next) in self.shared.ends.iter().zip(&self.next) {
            end.send_if_modified(|end| std::mem::replace(end, *next) != *next);
        }
    }

    async fn write_commits(&mut self) {
        if self.unsure {
            return;
        }
        let unwritten = self.shared.groups.take_unwritten();
        if unwritten.is_empty() {
            return;
        }
        let mut upsert = QueryBuilder::<Sqlite>::new("insert into groups (name, partition, next) ");
        upsert.push_values(&unwritten, |mut row, (name, partition, next)| {
            row.push_bind(name.as_str()).push_bind(i64::from(*partition)).push_bind(next.cast_signed());
        });
        upsert.push(" on conflict do update set next = excluded.next");
        if let Err(error) = upsert.build().persistent(false).execute(&mut self.db).await {
            // A hint only: without it, entries are delivered again.
            tracing::warn!(%error, "what groups have committed was not written; trying again");
            self.unsure = true;
            self.shared.groups.put_back(unwritten);
        }
    }
}

/// Inserts rows in a transaction. It begins with the first and is committed with the last: a way to the connection's
/// thread and back costs more than a row.
async fn insert(db: &mut SqliteConnection, mut rows: &[(i64, &Bytes)]) -> Result<(), Failure> {
    let mut begin = "begin immediate; ";
    while !rows.is_empty() {
        let size = match rows.len() {
            ROWS_AT_ONCE.. => ROWS_AT_ONCE,
            few if few <= EXACTLY => few,
            _ => EXACTLY,
        };
        let (now, later) = rows.split_at(size);
        let mut insert = QueryBuilder::<Sqlite>::new(std::mem::take(&mut begin));
        insert.push("insert into entries (place, checksum, payload) ");
        insert.push_values(now, |mut row, (place, payload)| {
            row.push_bind(*place).push_bind(examine::checksum(payload)).push_bind(&payload[..]);
        });
        let last = later.is_empty();
        if last {
            insert.push("; commit");
        }
        // Who commits has the lock: where somebody else has it, nothing was written. Of what else fails here it is not
        // known where it did, so nobody is told that it is not there.
        let failed = |e| if last && !is_locked(&e) { Failure::Commit(e) } else { Failure::Before(e) };
        insert.build().execute(&mut *db).await.map_err(failed)?;
        rows = later;
    }
    Ok(())
}

fn refuse(batch: &mut Vec<Append>, failure: &Failure) {
    for append in batch.drain(..) {
        let _ = append.reply.send(Err(failure.refusal()));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::log::Log;
    use crate::log::sqlite::{FILE, SqliteLog, groups::Groups, latest::Latest};
    use sqlx::{ConnectOptions, SqlitePool, sqlite::SqliteConnectOptions};
    use std::sync::{OnceLock, atomic::AtomicU64};
    use tokio::sync::watch;

    /// A writer whose file may have no more than its present pages.
    async fn writer_on_a_full_disk(dir: &std::path::Path) -> Writer {
        SqliteLog::open(dir, 1).await.unwrap().close().await;
        let options = SqliteConnectOptions::new().filename(dir.join(FILE));
        let mut db = options.connect().await.unwrap();
        sqlx::query("pragma max_page_count = 1").execute(&mut db).await.unwrap();
        let shared = Shared {
            readers: SqlitePool::connect_lazy_with(options),
            latest: Latest::new(1),
            ends: vec![watch::Sender::new(0)],
            firsts: vec![AtomicU64::new(0)],
            groups: Groups::new(1, Default::default()),
            damage: OnceLock::new(),
        };
        let (acknowledged, _) = Acknowledged::open(dir).unwrap();
        Writer::new(db, mpsc::channel(1).1, Arc::new(shared), acknowledged, Keep::FOREVER)
    }

    async fn append(writer: &mut Writer, payload: Vec<u8>) -> Result<u64, AppendError> {
        let (reply, answer) = oneshot::channel();
        writer.write(&mut vec![Append { partition: 0, payload: payload.into(), reply }]).await;
        answer.await.unwrap()
    }

    #[tokio::test]
    async fn a_full_disk_is_named_and_once_there_is_room_the_log_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = writer_on_a_full_disk(dir.path()).await;
        for _ in 0..3 {
            let refused = append(&mut writer, vec![0; 100_000]).await.unwrap_err();
            assert!(matches!(refused, AppendError::Full), "{refused}");
        }
        assert_eq!(*writer.shared.ends[0].borrow(), 0, "nothing for readers");

        sqlx::query("pragma max_page_count = 1000").execute(&mut writer.db).await.unwrap();
        assert_eq!(append(&mut writer, vec![0; 100_000]).await.unwrap(), 0, "no offset was lost");
        assert_eq!(*writer.shared.ends[0].borrow(), 1);
    }
}
