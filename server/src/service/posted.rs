//! Every id that a message was ever posted under. Where one process takes all
//! posts, it can tell by itself that an id is new, and need not ask the store.
//!
//! In Bloom filters: what they do not have was never posted; of what is new they
//! take one in some hundreds for known, and then the store is asked.

use crate::{pipeline::watch::Watch, store::Store};
use app::model::{MessageId, RoomId};
use fastbloom::BloomFilter;
use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// Ids in the first filter: 260 KiB. Each further one has twice as many.
const FIRST: usize = 1 << 17;
/// Most filters: 16 million ids, 35 MiB. What comes then is not known to be new.
const FILTERS: usize = 7;
/// How often a filter takes what is new for known.
const FALSE_POSITIVES: f64 = 0.001;
/// Ids that are read from the store at once.
const PAGE: u32 = 10_000;
/// Between tries, while the store is away or behind.
const AGAIN: Duration = Duration::from_secs(1);

/// The ids of all messages, as far as they are known.
#[derive(Default)]
pub struct PostedIds {
    filters: Mutex<Filters>,
    /// Those from before this process are among them.
    complete: AtomicBool,
}

#[derive(Default)]
struct Filters {
    filters: Vec<BloomFilter>,
    /// How many more go into the last.
    left: usize,
}

impl Filters {
    /// Whether it was not there.
    fn insert(&mut self, key: &(RoomId, MessageId)) -> bool {
        if self.filters.iter().any(|filter| filter.contains(key)) {
            return false;
        }
        if self.left == 0 {
            if self.filters.len() == FILTERS {
                return false;
            }
            self.left = FIRST << self.filters.len();
            self.filters.push(BloomFilter::with_false_pos(FALSE_POSITIVES).expected_items(self.left));
        }
        self.left -= 1;
        self.filters.last_mut().is_some_and(|filter| !filter.insert(key))
    }
}

impl PostedIds {
    /// Notes that a message is going to be posted. `true`: for certain, none ever was under this id.
    pub fn note(&self, room: RoomId, id: MessageId) -> bool {
        let new = self.insert(&(room, id));
        new && self.complete.load(Ordering::Acquire)
    }

    fn insert(&self, key: &(RoomId, MessageId)) -> bool {
        self.filters.lock().unwrap_or_else(PoisonError::into_inner).insert(key)
    }

    /// Learns what was posted before this process, which notes all that comes from now on. Until it has, nothing is new
    /// for certain.
    pub async fn learn(&self, store: &dyn Store, watch: &Watch, partitions: u32) {
        let begun = Instant::now();
        // What is in the log only would not be found in the store.
        for partition in 0..partitions {
            while watch.cover(partition, begun, AGAIN).await.is_err() {
                tokio::time::sleep(AGAIN).await;
            }
        }
        let mut last = None;
        loop {
            match store.posted_after(last, PAGE).await {
                Ok(page) => {
                    for key in &page {
                        self.insert(key);
                    }
                    last = page.last().copied();
                    if page.len() < PAGE as usize {
                        break;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "the ids of older messages cannot be read yet");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
        self.complete.store(true, Ordering::Release);
        tracing::info!("the ids of all messages are known: the store need not be asked which are new");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_never_new_again_and_what_was_not_is_new_once_all_is_known() {
        let (ids, room) = (PostedIds::default(), RoomId::new());
        let noted: Vec<MessageId> = (0..2 * FIRST).map(|_| MessageId::new()).collect();
        assert!(!ids.note(room, noted[0]), "there may have been others before");
        ids.complete.store(true, Ordering::Release);
        let new = noted.iter().filter(|id| ids.note(room, **id)).count();
        assert!(new >= 2 * FIRST - 1 - FIRST / 100, "{new}");
        assert!(noted.iter().all(|id| !ids.note(room, *id)));
        assert!(ids.note(RoomId::new(), noted[0]), "another room's");
    }
}
