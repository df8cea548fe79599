//! The log's end of a partition that a member of a group holds.

use super::{Assigned, Entry, WAITING_BATCHES};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tokio::sync::mpsc;

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
