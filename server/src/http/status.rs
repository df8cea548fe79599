//! What the installation can do just now, for the people in front of the pages:
//! told to every socket when it changes.

use crate::{log::Log, store::Store};
use app::protocol::Status;
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

/// How often log and store are asked.
const EVERY: Duration = Duration::from_secs(2);
/// Who does not answer within this is away.
const DEADLINE: Duration = Duration::from_secs(2);

/// Asks until `stop`, and says what has changed.
pub async fn watch(log: Arc<dyn Log>, store: Arc<dyn Store>, says: watch::Sender<Status>, stop: CancellationToken) {
    let mut again = tokio::time::interval(EVERY);
    again.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = again.tick() => {}
        }
        let (log, store) =
            tokio::join!(tokio::time::timeout(DEADLINE, log.check()), tokio::time::timeout(DEADLINE, store.check()),);
        let now = Status { posting: matches!(log, Ok(Ok(()))), history: matches!(store, Ok(Ok(()))) };
        says.send_if_modified(|before| {
            let changed = *before != now;
            if changed {
                tracing::warn!(posting = now.posting, history = now.history, "what works has changed");
            }
            *before = now;
            changed
        });
    }
}
