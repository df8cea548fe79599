//! A log that is watched for going back: offsets that were given once are never given again, or nothing that is named
//! by them is true any more.

use super::{AppendError, Assigned, Entry, Followed, Log, LogError, Range, Retention, StartAt};
use app::model::RoomId;
use async_trait::async_trait;
use bytes::Bytes;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Either adapter, until it loses what it had: from then on it takes nothing and gives nothing out.
pub struct GuardedLog {
    inner: Arc<dyn Log>,
    /// Per partition, the offset that nothing new may be given below.
    ends: Mutex<Vec<u64>>,
    lost: OnceLock<String>,
    stop: CancellationToken,
}

impl GuardedLog {
    /// Nothing is known of it yet.
    pub fn new(inner: Arc<dyn Log>) -> Self {
        Self { inner, ends: Mutex::default(), lost: OnceLock::new(), stop: CancellationToken::new() }
    }

    /// The partition has been seen to end here, or later.
    pub fn seen(&self, partition: u32, end: u64) {
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        let partition = partition as usize;
        if ends.len() <= partition {
            ends.resize(partition + 1, 0);
        }
        ends[partition] = ends[partition].max(end);
    }

    /// Where the partition has been seen to end.
    pub fn end_seen(&self, partition: u32) -> u64 {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner).get(partition as usize).copied().unwrap_or(0)
    }

    /// It cannot be trusted any more, for ever. Says so once.
    pub fn lose(&self, reason: &str) {
        if self.lost.set(reason.to_owned()).is_ok() {
            tracing::error!(reason, "the log has lost what it had: this node takes no messages any more");
            metrics::gauge!("partyline_log_lost").set(1.0);
            self.stop.cancel();
        }
    }

    /// Waits until it is lost; says why.
    pub async fn lost(&self) -> String {
        self.stop.cancelled().await;
        self.lost.get().cloned().unwrap_or_default()
    }

    fn trusted(&self) -> Result<(), &str> {
        self.lost.get().map_or(Ok(()), |reason| Err(reason))
    }

    fn usable(&self) -> Result<(), LogError> {
        self.trusted().map_err(|reason| LogError::Broken(reason.to_owned()))
    }
}

#[async_trait]
impl Log for GuardedLog {
    fn partitions(&self) -> u32 {
        self.inner.partitions()
    }

    async fn append(&self, partition: u32, room: RoomId, payload: Bytes) -> Result<u64, AppendError> {
        self.trusted().map_err(|reason| AppendError::NotPersisted(reason.to_owned()))?;
        let floor = self.end_seen(partition);
        let offset = self.inner.append(partition, room, payload).await?;
        if offset < floor {
            let reason = format!("partition {partition} gave offset {offset} after it had ended at {floor}");
            self.lose(&reason);
            return Err(AppendError::Unknown(reason));
        }
        self.seen(partition, offset + 1);
        Ok(offset)
    }

    async fn join(&self, group: &str, start: StartAt) -> Result<mpsc::Receiver<Assigned>, LogError> {
        self.usable()?;
        self.inner.join(group, start).await
    }

    async fn read(&self, partition: u32, from: u64, limit: usize) -> Result<Vec<Entry>, LogError> {
        self.usable()?;
        self.inner.read(partition, from, limit).await
    }

    async fn follow(&self, from: &[(u32, u64)]) -> Result<mpsc::Receiver<Followed>, LogError> {
        self.usable()?;
        self.inner.follow(from).await
    }

    async fn end(&self, partition: u32) -> Result<u64, LogError> {
        self.usable()?;
        self.inner.end(partition).await
    }

    async fn ranges(&self) -> Result<Vec<Range>, LogError> {
        self.usable()?;
        self.inner.ranges().await
    }

    async fn retention(&self) -> Result<Retention, LogError> {
        self.inner.retention().await
    }

    async fn check(&self) -> Result<(), LogError> {
        self.usable()?;
        self.inner.check().await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}
