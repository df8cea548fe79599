//! Partitions that were given to a member and are not read yet: where to begin is still being asked.
//!
//! Asking may take long (the store is away, say). It is done beside the member's
//! polling, so that the group never takes the member for dead meanwhile, and a
//! partition that is taken away again is just forgotten.

use crate::log::{LogError, Start, StartAt, lease::named};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};
use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;

/// How long the brokers are not asked again after they could not say what a partition has.
const PAUSE: Duration = Duration::from_millis(500);

/// What is known of the starts.
#[derive(Default)]
pub(super) struct Starting {
    asked: BTreeMap<i32, AbortOnDropHandle<Result<Start, LogError>>>,
    named: BTreeMap<i32, Start>,
    not_before: Option<Instant>,
}

impl Starting {
    pub fn ask(&mut self, runtime: &Handle, partition: i32, start: &StartAt) {
        let start = start.clone();
        let asking = runtime.spawn(async move { named(&start, partition.cast_unsigned()).await });
        self.asked.insert(partition, AbortOnDropHandle::new(asking));
    }

    /// The partition is not ours any more.
    pub fn forget(&mut self, partition: i32) {
        self.asked.remove(&partition);
        self.named.remove(&partition);
    }

    /// Those whose starts are named and that may be begun.
    ///
    /// # Errors
    /// Where a start cannot be named.
    pub fn ready(&mut self, runtime: &Handle) -> Result<Vec<(i32, Start)>, LogError> {
        let done: Vec<i32> = self.asked.iter().filter(|(_, asking)| asking.is_finished()).map(|(p, _)| *p).collect();
        for partition in done {
            let Some(asking) = self.asked.remove(&partition) else { continue };
            let named = runtime.block_on(asking).map_err(|e| LogError::Broken(e.to_string()))?;
            self.named.insert(partition, named?);
        }
        if self.not_before.is_some_and(|then| Instant::now() < then) {
            return Ok(Vec::new());
        }
        Ok(self.named.iter().map(|(partition, start)| (*partition, *start)).collect())
    }

    /// Not just now.
    pub fn later(&mut self) {
        self.not_before = Some(Instant::now() + PAUSE);
    }
}
