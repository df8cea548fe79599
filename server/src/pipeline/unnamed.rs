//! Forgets, beside persist, files that were uploaded and are named by no message:
//! somebody has thought better of it, or their message says something else now.

use crate::{store::Store, time::now};
use app::model::Millis;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// How long a file waits for the message that names it.
const KEPT_MS: Millis = 24 * 60 * 60 * 1000;
/// Files at once: a short transaction, since folding may be waiting.
const AT_ONCE: u32 = 20;
/// Between two times, while there is something to be done.
const PAUSE: Duration = Duration::from_millis(100);
/// And while there is nothing.
const EVERY: Duration = Duration::from_secs(10 * 60);

/// Runs until `stop`. What the store cannot do now is tried again.
pub async fn run(store: Arc<dyn Store>, stop: CancellationToken) {
    loop {
        let done = tokio::select! {
            () = stop.cancelled() => return,
            done = store.forget_files(now() - KEPT_MS, AT_ONCE) => done,
        };
        let count = done.unwrap_or_else(|e| {
            tracing::debug!(error = %e, "files that no message names wait for the store");
            0
        });
        metrics::counter!("partyline_files_forgotten_total").increment(count.into());
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(if count == AT_ONCE { PAUSE } else { EVERY }) => {}
        }
    }
}
