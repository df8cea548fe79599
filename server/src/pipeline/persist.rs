//! The consumer group `persist`: folds records into the store, with the
//! partition's progress in the same transaction.
//!
//! A partition waits while the store is away, and keeps its place in the group.
//! A record that can never be applied is buried at once. One that fails for
//! reasons that nobody names is tried again, then singled out, then buried; but
//! if record after record fails so, it is not the records.

use super::{
    Backoff, Health, Lag, State,
    rounds::{Part, Rounds},
};
use crate::{
    log::{Assigned, Entry, Log, LogError, Start, StartAt},
    store::{FoldError, Placed, Store, StoreError},
};
use anyhow::Context;
use std::sync::Arc;
use tokio::task::JoinSet;

/// The group's and the part's name.
pub const PART: &str = "persist";

/// How often it is tried to fold what fails for a reason that nobody names.
const TRIES: u32 = 3;
/// How many records in a row may be buried for such reasons. More: the store is broken, not they.
const UNCLEAR_IN_A_ROW: u32 = 3;

/// Runs one member of the group until the log fails it.
///
/// # Errors
/// When the log takes the member out, or a partition cannot go on.
pub async fn run(log: Arc<dyn Log>, store: Arc<dyn Store>, health: Health) -> anyhow::Result<()> {
    let (asked, told) = (store.clone(), health.clone());
    // The group's own commits are a hint for operators: what counts is how far the store has come.
    let start: StartAt = Arc::new(move |partition| {
        let (store, health) = (asked.clone(), told.clone());
        Box::pin(async move {
            store.progress(partition).await.map(Start::At).map_err(|e| {
                let reason = format!("the store's progress: {e}");
                health.set(PART, State::Waiting { reason: reason.clone() });
                LogError::Unavailable(reason)
            })
        })
    });
    let mut assigned = log.join(PART, start).await.context("joining the group")?;
    let rounds = Arc::new(Rounds::new(store.clone()));
    let mut partitions = JoinSet::new();
    loop {
        tokio::select! {
            next = assigned.recv() => match next {
                Some(assigned) => {
                    health.set(PART, State::Running);
                    let (log, store, rounds) = (log.clone(), store.clone(), rounds.clone());
                    partitions.spawn(partition(log, store, rounds, health.clone(), assigned));
                }
                None => anyhow::bail!("the log took this member out of the group"),
            },
            Some(ended) = partitions.join_next() => ended.context("a partition's task")??,
        }
    }
}

async fn partition(
    log: Arc<dyn Log>,
    store: Arc<dyn Store>,
    rounds: Arc<Rounds>,
    health: Health,
    mut assigned: Assigned,
) -> anyhow::Result<()> {
    let number = assigned.partition;
    let label = number.to_string();
    let folded = metrics::counter!("partyline_persisted_records_total", "partition" => label.clone());
    let mut lag = Lag::new(metrics::gauge!("partyline_persist_lag_records", "partition" => label));
    let mut unclear = 0;
    let _going = Going { health: health.clone(), partition: number };
    // Where the progress was left; unknown at first.
    let mut progress = None;
    while let Some(mut entries) = lag.next(&*log, &mut assigned).await {
        // Somebody else may have come further than what was read here.
        if let Some(progress) = progress {
            entries.retain(|entry| entry.offset >= progress);
        }
        if entries.is_empty() {
            continue;
        }
        let mut part = Part { assigned, from: progress.unwrap_or(entries[0].offset), entries };
        part.fill();
        let mut done = false;
        if progress.is_some() && !part.has_enough() {
            (part, done) = rounds.fold(part).await.context("the rounds have ended")?;
        }
        let mut next = part.next();
        if done {
            unclear = 0;
            health.set(PART, State::Running);
        } else {
            let ours = || !part.assigned.entries.is_closed();
            let entries = &part.entries;
            let mut batch = Batch { store: &*store, health: &health, partition: number, entries, unclear };
            let folded = batch.fold(&ours).await?;
            unclear = batch.unclear;
            // Taken away meanwhile: whoever has it now goes on where the store is.
            let Some(folded) = folded else { break };
            next = folded;
        }
        folded.increment(part.entries.len() as u64);
        assigned = part.assigned;
        (assigned.commit)(next);
        (lag.done, progress) = (next, Some(next));
    }
    Ok(())
}

/// However a partition's task ends, the partition does not stand still here any more.
struct Going {
    health: Health,
    partition: u32,
}

impl Drop for Going {
    fn drop(&mut self) {
        self.health.stuck(PART, self.partition, false);
    }
}

/// Entries of a partition that are to be folded.
struct Batch<'a> {
    store: &'a dyn Store,
    health: &'a Health,
    partition: u32,
    /// Not empty.
    entries: &'a [Entry],
    /// Records that were buried for unclear reasons since one was folded.
    unclear: u32,
}

impl Batch<'_> {
    /// Folds everything, or buries it, however long that takes; the next offset. `None`: the partition is not `ours` any
    /// more.
    async fn fold(&mut self, ours: &(dyn Fn() -> bool + Sync)) -> anyhow::Result<Option<u64>> {
        let (first, last) = (self.entries[0].offset, self.entries[self.entries.len() - 1].offset);
        // How many are folded together: fewer while one that fails is singled out.
        let mut size = self.entries.len();
        let (mut from, mut tries, mut backoff) = (None, 0, Backoff::new());
        loop {
            let step = match from {
                Some(from) => self.some(from, size).await,
                #[cfg(feature = "sabotage")]
                None if crate::sabotage::breaks(crate::sabotage::Promise::NoCompareAndSet) => Ok(first),
                None => self.store.progress(self.partition).await.map_err(FoldError::from),
            };
            if let Ok(next) | Err(FoldError::Moved { actual: next }) = step {
                // A store that was put back, or has failed over to a copy that lacks the latest: what lies between must
                // not be passed over.
                anyhow::ensure!(next >= first, "the store is back at {next}, before what was read last ({first})");
            }
            match step {
                Ok(next) => {
                    if from.is_some() {
                        (self.unclear, tries, size) = (0, 0, (size * 2).min(self.entries.len()));
                        backoff = Backoff::new();
                        self.health.stuck(PART, self.partition, false);
                        self.health.set(PART, State::Running);
                    }
                    if next > last {
                        return Ok(Some(next));
                    }
                    from = Some(next);
                }
                // Another member has been here: a paused old owner that wakes up goes on behind the new one, or not at all.
                Err(FoldError::Moved { actual }) => {
                    metrics::counter!("partyline_persist_overtaken_total").increment(1);
                    if actual > last {
                        return Ok(Some(actual));
                    }
                    from = Some(actual);
                }
                Err(FoldError::Poison { offset, detail }) => {
                    let before = self.entries.iter().filter(|e| Some(e.offset) >= from && e.offset < offset).count();
                    if before > 0 {
                        // They go first, so that only this one is passed over.
                        size = before;
                    } else if self.bury(offset, &detail, ours).await? {
                        from = None;
                        size = self.entries.len();
                    } else {
                        return Ok(None);
                    }
                }
                Err(FoldError::Store(StoreError::Broken(reason))) => {
                    tries += 1;
                    tracing::warn!(partition = self.partition, reason, tries, size, "records were not folded");
                    match from {
                        Some(_) if tries >= TRIES && size > 1 => {
                            size /= 2;
                            // One that is alone gets its three tries again.
                            tries = if size == 1 { 0 } else { tries };
                            continue;
                        }
                        Some(offset) if tries >= TRIES && self.unclear < UNCLEAR_IN_A_ROW => {
                            self.unclear += 1;
                            let offset = self.entries.iter().map(|e| e.offset).find(|o| *o >= offset).unwrap_or(offset);
                            if !self.bury(offset, &format!("tried {TRIES} times: {reason}"), ours).await? {
                                return Ok(None);
                            }
                            (from, tries, size) = (None, 0, self.entries.len());
                            backoff = Backoff::new();
                            continue;
                        }
                        _ if tries >= TRIES => self.stuck(&format!("the store takes no record: {reason}")),
                        _ => self.health.set(PART, State::Waiting { reason }),
                    }
                    from = None;
                    backoff.wait().await;
                }
                Err(FoldError::Store(e @ (StoreError::Unavailable(_) | StoreError::Full))) => {
                    tracing::warn!(partition = self.partition, error = %e, "persist waits for the store");
                    self.health.set(PART, State::Waiting { reason: e.to_string() });
                    // It may not have been away, but this too much for its time.
                    size = (size / 2).max(1);
                    from = None;
                    backoff.wait().await;
                }
            }
            if !ours() {
                return Ok(None);
            }
        }
    }

    /// Folds up to `size` entries from `from` on; the next offset to be folded.
    async fn some(&self, from: u64, size: usize) -> Result<u64, FoldError> {
        let mut records = Vec::with_capacity(size);
        let mut next = from;
        for entry in self.entries.iter().filter(|e| e.offset >= from).take(size) {
            match Placed::decode(entry) {
                Ok(placed) => records.push(placed),
                // What is good before it goes in first; then it is the first of a batch, and is buried.
                Err(_) if !records.is_empty() => break,
                Err(e) => return Err(FoldError::Poison { offset: entry.offset, detail: e.to_string() }),
            }
            next = entry.offset + 1;
        }
        if next > from {
            self.store.fold(self.partition, from, next, &records).await?;
        }
        Ok(next)
    }

    /// A record that cannot be applied goes to the dead letters, with its place and the reason, and the partition goes
    /// on. As long as it cannot be put there, this partition stands still, loudly, and no other does. Whether it is done.
    async fn bury(&self, offset: u64, detail: &str, ours: &(dyn Fn() -> bool + Sync)) -> anyhow::Result<bool> {
        let entry = self.entries.iter().find(|e| e.offset == offset).context("the record is not in its batch")?;
        let mut backoff = Backoff::new();
        loop {
            match self.store.bury(self.partition, offset, &entry.payload, detail).await {
                Ok(()) => {
                    let partition = self.partition;
                    tracing::error!(
                        partition,
                        offset,
                        detail,
                        "a record cannot be applied: it is with the dead letters"
                    );
                    metrics::counter!("partyline_dead_letters_total").increment(1);
                    self.health.stuck(PART, partition, false);
                    return Ok(true);
                }
                Err(FoldError::Moved { .. }) => return Ok(true),
                Err(FoldError::Store(e @ (StoreError::Unavailable(_) | StoreError::Full))) => {
                    self.health.set(PART, State::Waiting { reason: e.to_string() });
                }
                Err(e) => self.stuck(&format!("the record at offset {offset} can neither be applied nor buried: {e}")),
            }
            backoff.wait().await;
            if !ours() {
                return Ok(false);
            }
        }
    }

    fn stuck(&self, reason: &str) {
        tracing::error!(partition = self.partition, reason, "a partition stands still");
        self.health.stuck(PART, self.partition, true);
    }
}
