//! Following partitions without a group: a task for each, woken by the writer.

use super::Shared;
use crate::log::{BATCH_ENTRIES, Followed, LogError, WAITING_BATCHES};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub(super) fn follow(
    shared: &Arc<Shared>,
    from: &[(u32, u64)],
    stop: &CancellationToken,
) -> Result<mpsc::Receiver<Followed>, LogError> {
    for (partition, offset) in from {
        shared.in_range(*partition, *offset)?;
    }
    let (followed, receiver) = mpsc::channel(WAITING_BATCHES);
    // The first that fails ends all: who follows must not believe that the others are complete.
    let stop = stop.child_token();
    for (partition, offset) in from.iter().copied() {
        let (shared, followed, stop) = (shared.clone(), followed.clone(), stop.clone());
        // It ends with its receiver.
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = followed.closed() => {}
                failed = read_on(&shared, partition, offset, &followed) => {
                    if let Err(error) = failed {
                        tracing::warn!(partition, %error, "a partition cannot be followed");
                    }
                    stop.cancel();
                }
            }
        });
    }
    Ok(receiver)
}

async fn read_on(
    shared: &Shared,
    partition: u32,
    mut next: u64,
    followed: &mpsc::Sender<Followed>,
) -> Result<(), LogError> {
    let mut end = shared.end(partition)?.subscribe();
    loop {
        if end.wait_for(|end| *end > next).await.is_err() {
            return Ok(());
        }
        let Ok(room) = followed.reserve().await else { return Ok(()) };
        let entries = shared.read(partition, next, BATCH_ENTRIES).await?;
        if let Some(last) = entries.last() {
            next = last.offset + 1;
            room.send(Followed { partition, entries });
        }
    }
}
