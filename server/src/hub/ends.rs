//! Where partitions end, as far as this node has asked: who comes with a
//! position that the log does not have must not be told that nothing is missing.

use super::lock;
use crate::log::Log;
use app::model::Position;
use std::{collections::HashMap, sync::Mutex, time::Duration};

/// A log that does not answer in time cannot tell; then the position is believed.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Default)]
pub(super) struct Ends {
    known: Mutex<HashMap<u32, u64>>,
    /// One at a time: a crowd that comes back asks once.
    asking: tokio::sync::Mutex<()>,
}

impl Ends {
    /// Whether the log ends before this position: it was put back, or nobody ever got this position from it.
    pub async fn are_before(&self, log: &dyn Log, partition: u32, at: Position) -> bool {
        let known = || lock(&self.known).get(&partition).is_some_and(|end| at.offset < *end);
        if at == Position::START || known() {
            return false;
        }
        let asked = async {
            let _turn = self.asking.lock().await;
            if known() {
                return false;
            }
            let Ok(end) = log.end(partition).await else { return false };
            lock(&self.known).insert(partition, end);
            at.offset >= end
        };
        tokio::time::timeout(PATIENCE, asked).await.unwrap_or(false)
    }
}
