//! The log's file, read beside the process that writes it: for an operator's commands.

use super::{FILE, examine, offset_of, place};
use crate::log::{
    AppendError, Assigned, BATCH_BYTES, BATCH_ENTRIES, DEADLINE, Entry, Followed, Log, LogError, Range, Retention,
    StartAt,
};
use app::model::RoomId;
use async_trait::async_trait;
use bytes::Bytes;
use futures::TryStreamExt;
use sqlx::{
    ConnectOptions, SqlitePool,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};
use std::path::Path;
use tokio::{sync::mpsc, time::timeout};

const READ_ONLY: &str = "it is open for reading only";

/// Reads `log.db`, whoever writes it. It is not examined, but each entry that is read is verified.
pub struct SqliteLogReader {
    pool: SqlitePool,
    partitions: u32,
}

impl SqliteLogReader {
    /// Opens the `log.db` of a folder, which must be there.
    ///
    /// # Errors
    /// [`LogError::Gone`] if it is not there, [`LogError::Broken`] if it cannot be read.
    pub async fn open(dir: &Path, partitions: u32) -> Result<Self, LogError> {
        let file = dir.join(FILE);
        if !file.is_file() {
            return Err(LogError::Gone(format!("there is no {}", file.display())));
        }
        let options = SqliteConnectOptions::new()
            .filename(&file)
            .read_only(true)
            .busy_timeout(DEADLINE / 2)
            .disable_statement_logging();
        let pool = SqlitePoolOptions::new().max_connections(2).acquire_timeout(DEADLINE).connect_lazy_with(options);
        let last: Option<i64> = sqlx::query_scalar("select max(place) from entries")
            .fetch_one(&pool)
            .await
            .map_err(|e| examine::broken(&file, &e))?;
        let used = last.map_or(0, |last| super::partition_of(last) + 1);
        Ok(Self { pool, partitions: partitions.max(used).max(1) })
    }

    async fn oldest(&self, partition: u32, end: u64) -> Result<u64, LogError> {
        let oldest: Option<i64> = sqlx::query_scalar("select min(place) from entries where place >= ? and place < ?")
            .bind(place(partition, 0))
            .bind(place(partition + 1, 0))
            .fetch_one(&self.pool)
            .await
            .map_err(|e| LogError::Unavailable(e.to_string()))?;
        Ok(oldest.map_or(end, offset_of))
    }

    async fn read_now(&self, partition: u32, from: u64, limit: usize) -> Result<Vec<Entry>, LogError> {
        let end = self.end(partition).await?;
        let oldest = self.oldest(partition, end).await?;
        if from > end || from < oldest {
            let detail = format!("it has the offsets from {oldest} to {end}");
            return Err(LogError::OutOfRange { partition, offset: from, detail });
        }
        let mut rows = sqlx::query(
            "select place, checksum, payload from entries where place >= ? and place < ? order by place limit ?",
        )
        .bind(place(partition, from))
        .bind(place(partition + 1, 0))
        .bind(i64::try_from(limit.min(BATCH_ENTRIES)).unwrap_or(i64::MAX))
        .fetch(&self.pool);
        let (mut entries, mut bytes) = (Vec::new(), 0);
        while bytes < BATCH_BYTES
            && let Some(row) = rows.try_next().await.map_err(|e| LogError::Unavailable(e.to_string()))?
        {
            let expected = entries.last().map_or(from, |last: &Entry| last.offset + 1);
            let payload = Bytes::from(examine::follows(&row, expected).map_err(LogError::Broken)?);
            bytes += payload.len();
            entries.push(Entry { offset: expected, payload });
        }
        Ok(entries)
    }
}

#[async_trait]
impl Log for SqliteLogReader {
    fn partitions(&self) -> u32 {
        self.partitions
    }

    async fn append(&self, _: u32, _: RoomId, _: Bytes) -> Result<u64, AppendError> {
        Err(AppendError::NotPersisted(READ_ONLY.into()))
    }

    async fn join(&self, _: &str, _: StartAt) -> Result<mpsc::Receiver<Assigned>, LogError> {
        Err(LogError::Broken(READ_ONLY.into()))
    }

    async fn read(&self, partition: u32, from: u64, limit: usize) -> Result<Vec<Entry>, LogError> {
        timeout(DEADLINE, self.read_now(partition, from, limit))
            .await
            .map_err(|_| LogError::Unavailable("the disk takes too long".into()))?
    }

    async fn follow(&self, _: &[(u32, u64)]) -> Result<mpsc::Receiver<Followed>, LogError> {
        Err(LogError::Broken(READ_ONLY.into()))
    }

    async fn ranges(&self) -> Result<Vec<Range>, LogError> {
        let mut ranges = Vec::new();
        for partition in 0..self.partitions {
            let end = self.end(partition).await?;
            ranges.push(Range { oldest: self.oldest(partition, end).await?, end });
        }
        Ok(ranges)
    }

    async fn retention(&self) -> Result<Retention, LogError> {
        Ok(Retention::default())
    }

    async fn end(&self, partition: u32) -> Result<u64, LogError> {
        let mut db = self.pool.acquire().await.map_err(|e| LogError::Unavailable(e.to_string()))?;
        examine::end_of(&mut db, partition).await.map_err(|e| LogError::Unavailable(e.to_string()))
    }

    async fn check(&self) -> Result<(), LogError> {
        self.end(0).await.map(drop)
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}
