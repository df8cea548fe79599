//! Indexes, beside persist, the messages that the version before has written:
//! all of them after an update, and during one those that its nodes still write.

use crate::store::Store;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// Messages at once: a short transaction, since folding may be waiting.
const AT_ONCE: u32 = 200;
/// Between two times, while there is something to be done.
const PAUSE: Duration = Duration::from_millis(20);
/// And while there is nothing.
const EVERY: Duration = Duration::from_secs(10);

/// Runs until `stop`. What the store cannot do now is tried again.
pub async fn run(store: Arc<dyn Store>, stop: CancellationToken) {
    let mut indexed = 0_u64;
    loop {
        let done = tokio::select! {
            () = stop.cancelled() => return,
            done = store.index(AT_ONCE) => done,
        };
        let count = done.unwrap_or_else(|e| {
            tracing::debug!(error = %e, "indexing waits for the store");
            0
        });
        metrics::counter!("partyline_indexed_later_total").increment(count.into());
        indexed += u64::from(count);
        let wait = if count == AT_ONCE { PAUSE } else { EVERY };
        if wait == EVERY && indexed > 0 {
            tracing::info!(indexed, "messages of the version before can be found now");
            indexed = 0;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}
