//! Forgets, beside persist, sessions that have been over for long.

use crate::{store::Store, time::now};
use app::model::Millis;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// How long a session that is over is kept, in ms: 30 days.
const KEPT: Millis = 30 * 24 * 3600 * 1000;
/// Sessions at once: a short transaction, since folding may be waiting.
const AT_ONCE: u32 = 200;
/// Between two times, while there is something to be done.
const PAUSE: Duration = Duration::from_millis(50);
/// And while there is nothing.
const EVERY: Duration = Duration::from_secs(3600);

/// Runs until `stop`. What the store cannot do now is tried again.
pub async fn run(store: Arc<dyn Store>, stop: CancellationToken) {
    loop {
        let done = tokio::select! {
            () = stop.cancelled() => return,
            done = store.forget_sessions(now() - KEPT, AT_ONCE) => done,
        };
        let count = done.unwrap_or_else(|e| {
            tracing::debug!(error = %e, "old sessions wait for the store");
            0
        });
        let wait = if count == AT_ONCE { PAUSE } else { EVERY };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}
