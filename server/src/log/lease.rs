//! The log's end of a partition that a member of a group holds.

use super::{Assigned, DEADLINE, Entry, LogError, Start, StartAt, WAITING_BATCHES};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{sync::mpsc, time::timeout};

const NOTHING: u64 = u64::MAX;

/// What the holder of a partition said is done, and nobody has written out yet.
#[derive(Clone)]
pub(super) struct Done(Arc<AtomicU64>);

impl Done {
    pub fn nothing() -> Self {
        Self(Arc::new(AtomicU64::new(NOTHING)))
    }

    pub fn note(&self, next: u64) {
        self.0.store(next, Ordering::Release);
    }

    /// The offset before which everything is done, if it was noted since the last call.
    pub fn take(&self) -> Option<u64> {
        let next = self.0.swap(NOTHING, Ordering::AcqRel);
        (next != NOTHING).then_some(next)
    }
}

/// What the member gets, and the sender that feeds it.
pub(super) fn lease(partition: u32, done: Done) -> (mpsc::Sender<Vec<Entry>>, Assigned) {
    let (sender, entries) = mpsc::channel(WAITING_BATCHES);
    (sender, Assigned { partition, entries, commit: Box::new(move |next| done.note(next)) })
}

/// Where to begin a partition, asked for until there is an answer: nobody else could name it either, so the member keeps
/// the partition meanwhile.
pub(super) async fn named(start: &StartAt, partition: u32) -> Result<Start, LogError> {
    const LONGEST: Duration = Duration::from_secs(2);
    let mut pause = Duration::from_millis(100);
    loop {
        match timeout(DEADLINE, start(partition)).await {
            Ok(Err(LogError::Unavailable(reason))) => tracing::warn!(partition, reason, "no start is named yet"),
            Ok(answer) => return answer,
            Err(_) => tracing::warn!(partition, "no start is named in time"),
        }
        tokio::time::sleep(pause.mul_f64(rand::random_range(0.5..1.0))).await;
        pause = (pause * 2).min(LONGEST);
    }
}
