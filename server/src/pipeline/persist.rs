//! The consumer group `persist`: folds records into the store, with the
//! partition's progress in the same transaction.

use super::{Backoff, Health, Lag, State};
use crate::{
    log::{Assigned, Entry, Log, LogError, Record, Start, StartAt},
    store::{FoldError, Placed, Store},
};
use anyhow::Context;
use std::sync::Arc;
use tokio::task::JoinSet;

/// The group's and the part's name.
pub const PART: &str = "persist";

/// Runs one member of the group until the log fails it.
///
/// # Errors
/// When the log takes the member out, or a partition cannot go on.
pub async fn run(log: Arc<dyn Log>, store: Arc<dyn Store>, health: Health) -> anyhow::Result<()> {
    let asked = store.clone();
    // The group's own commits are a hint for operators: what counts is how far the store has come.
    let start: StartAt = Arc::new(move |partition| {
        let store = asked.clone();
        Box::pin(async move {
            let progress = store.progress(partition).await;
            progress.map(Start::At).map_err(|e| LogError::Unavailable(format!("the store's progress: {e}")))
        })
    });
    let mut assigned = log.join(PART, start).await.context("joining the group")?;
    let mut partitions = JoinSet::new();
    loop {
        tokio::select! {
            next = assigned.recv() => match next {
                Some(assigned) => {
                    partitions.spawn(partition(log.clone(), store.clone(), health.clone(), assigned));
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
    health: Health,
    mut assigned: Assigned,
) -> anyhow::Result<()> {
    let number = assigned.partition;
    let label = number.to_string();
    let folded = metrics::counter!("partyline_persisted_records_total", "partition" => label.clone());
    let mut lag = Lag::new(metrics::gauge!("partyline_persist_lag_records", "partition" => label));
    while let Some(entries) = lag.next(&*log, &mut assigned).await {
        let (Some(first), Some(last)) = (entries.first().map(|e| e.offset), entries.last().map(|e| e.offset)) else {
            continue;
        };
        let mut from = None;
        let mut backoff = Backoff::new();
        loop {
            let step = match from {
                Some(from) => fold(&*store, number, from, &entries).await,
                None => store.progress(number).await.map_err(FoldError::from),
            };
            if let Ok(next) | Err(FoldError::Moved { actual: next }) = step {
                // A store that was put back, or has failed over to a copy that lacks the latest: what lies between must
                // not be passed over.
                anyhow::ensure!(next >= first, "the store is back at {next}, before what was read last ({first})");
            }
            match step {
                Ok(next) if next > last => {
                    health.set(PART, State::Running);
                    folded.increment(entries.len() as u64);
                    (assigned.commit)(next);
                    break;
                }
                Ok(next) => from = Some(next),
                // Another member has been here: a paused old owner that wakes up goes on behind the new one, or not at all.
                Err(FoldError::Moved { actual }) => from = Some(actual),
                Err(FoldError::Poison { offset, detail }) => {
                    bury(&*store, number, &entries, offset, &detail).await?;
                    from = None;
                }
                Err(FoldError::Store(e)) => {
                    tracing::warn!(partition = number, error = %e, "persist waits for the store");
                    health.set(PART, State::Waiting { reason: e.to_string() });
                    from = None;
                    backoff.wait().await;
                }
            }
        }
        lag.done = last + 1;
    }
    Ok(())
}

/// Folds what of the batch comes at or after `from`; the next offset to be folded.
async fn fold(store: &dyn Store, partition: u32, from: u64, entries: &[Entry]) -> Result<u64, FoldError> {
    let mut records = Vec::with_capacity(entries.len());
    let mut next = from;
    for entry in entries.iter().filter(|e| e.offset >= from) {
        match Record::decode(&entry.payload) {
            Ok(record) => records.push(Placed { offset: entry.offset, record }),
            // What is good before it goes in first; then it is the first of a batch, and is buried.
            Err(_) if !records.is_empty() => break,
            Err(e) => return Err(FoldError::Poison { offset: entry.offset, detail: e.to_string() }),
        }
        next = entry.offset + 1;
    }
    if next > from {
        store.fold(partition, from, next, &records).await?;
    }
    Ok(next)
}

/// A record that can never be applied goes to the dead letters, and the partition goes on. If it cannot be put there,
/// the partition stops, loudly.
async fn bury(store: &dyn Store, partition: u32, entries: &[Entry], offset: u64, detail: &str) -> anyhow::Result<()> {
    tracing::error!(partition, offset, detail, "a record cannot be applied: it goes to the dead letters");
    metrics::counter!("partyline_dead_letters_total").increment(1);
    let entry = entries.iter().find(|e| e.offset == offset).context("the poisonous record is not in its batch")?;
    // Everything before it is folded on its own first, so that only this one is passed over.
    let before: Vec<Entry> = entries.iter().filter(|e| e.offset < offset).cloned().collect();
    let progress = store.progress(partition).await.context("the store's progress")?;
    if before.iter().any(|e| e.offset >= progress) {
        fold(store, partition, progress, &before).await.context("folding what comes before a dead letter")?;
    }
    match store.bury(partition, offset, &entry.payload, detail).await {
        Ok(()) | Err(FoldError::Moved { .. }) => Ok(()),
        Err(e) => Err(e).context("writing a dead letter"),
    }
}
