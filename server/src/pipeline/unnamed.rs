//! Forgets, beside persist, files that were uploaded and are named by no message:
//! somebody has thought better of it, or their message says something else now.

use crate::{log::Log, store::Store, time::now};
use app::model::Millis;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// How long a file waits for the message that names it.
const KEPT_MS: Millis = 24 * 60 * 60 * 1000;
/// Files at once: a short transaction, since folding may be waiting.
const AT_ONCE: u32 = 20;
/// How long the store may take to have what the log has, between two looks.
const BEHIND: Duration = Duration::from_secs(2);
/// Between two times.
const EVERY: Duration = Duration::from_secs(10 * 60);

/// Runs until `stop`. What log and store cannot do now is tried again.
pub async fn run(log: Arc<dyn Log>, store: Arc<dyn Store>, stop: CancellationToken) {
    loop {
        let forgetting = async {
            if let Err(e) = forget(&*log, &*store).await {
                tracing::debug!(error = %e, "files that no message names are left for now");
            }
            tokio::time::sleep(EVERY).await;
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = forgetting => {}
        }
    }
}

async fn forget(log: &dyn Log, store: &dyn Store) -> anyhow::Result<()> {
    // Which files are named, a store that is behind does not know.
    let mut ends = Vec::new();
    for partition in 0..log.partitions() {
        ends.push(log.end(partition).await?);
    }
    let unnamed_before = now() - KEPT_MS;
    tokio::time::sleep(BEHIND).await;
    for (partition, end) in (0..).zip(ends) {
        let progress = store.progress(partition).await?;
        anyhow::ensure!(progress >= end, "partition {partition} is folded up to {progress} of {end}");
    }
    loop {
        let count = store.forget_files(unnamed_before, AT_ONCE).await?;
        metrics::counter!("partyline_files_forgotten_total").increment(count.into());
        if count < AT_ONCE {
            return Ok(());
        }
    }
}
