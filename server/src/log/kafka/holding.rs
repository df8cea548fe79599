//! The partitions in a member's hands, and what was read for them but not handed over.

use crate::log::{BATCH_BYTES, BATCH_ENTRIES, Entry, lease::Done};
use std::collections::{BTreeMap, VecDeque};
use tokio::sync::mpsc;

/// So many batches may wait beside those that a holder has: then its partition is paused, until none does. Seldom, since
/// librdkafka drops what it has read ahead of a partition that is paused.
const MOST_WAITING: usize = 4;

/// The partitions in a member's hands.
#[derive(Default)]
pub(super) struct Holding(BTreeMap<i32, Held>);

struct Held {
    entries: mpsc::Sender<Vec<Entry>>,
    done: Done,
    /// Read, but the holder has no room for it. [`MOST_WAITING`], and what one round of polling reads.
    waiting: VecDeque<Vec<Entry>>,
    /// The payloads of the last batch that waits.
    last_bytes: usize,
    paused: bool,
}

/// What [`Holding::hand_over`] found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// Partitions of which enough waits: read no further.
    pub full: Vec<i32>,
    /// Partitions of which nothing waits any more: read on.
    pub free: Vec<i32>,
}

impl Holding {
    pub fn add(&mut self, partition: i32, entries: mpsc::Sender<Vec<Entry>>, done: Done) {
        let held = Held { entries, done, waiting: VecDeque::new(), last_bytes: 0, paused: false };
        self.0.insert(partition, held);
    }

    /// Closes the holder's `entries`. Whether there was a holder.
    pub fn remove(&mut self, partition: i32) -> bool {
        self.0.remove(&partition).is_some()
    }

    /// A holder dropped its partition.
    pub fn is_given_up(&self) -> bool {
        self.0.values().any(|held| held.entries.is_closed())
    }

    pub fn is_someone_slow(&self) -> bool {
        self.0.values().any(|held| !held.waiting.is_empty())
    }

    /// What was read. Of a partition that is not held: nothing.
    pub fn take(&mut self, partition: i32, entry: Entry) {
        let Some(held) = self.0.get_mut(&partition) else { return };
        let size = entry.payload.len();
        match held.waiting.back_mut() {
            Some(batch) if !is_full(batch, held.last_bytes) => {
                held.last_bytes += size;
                batch.push(entry);
            }
            _ => {
                held.last_bytes = size;
                held.waiting.push_back(vec![entry]);
            }
        }
    }

    /// Gives each holder what it has room for.
    pub fn hand_over(&mut self) -> Changes {
        let mut changes = Changes::default();
        for (partition, held) in &mut self.0 {
            while let Some(batch) = held.waiting.front() {
                // The last place is for one that does not grow any more.
                let may_grow = held.waiting.len() == 1 && !is_full(batch, held.last_bytes);
                if may_grow && held.entries.capacity() == 1 {
                    break;
                }
                let Ok(place) = held.entries.try_reserve() else { break };
                place.send(held.waiting.pop_front().expect("it was looked at"));
            }
            if !held.paused && held.waiting.len() >= MOST_WAITING {
                held.paused = true;
                changes.full.push(*partition);
            } else if held.paused && held.waiting.is_empty() {
                held.paused = false;
                changes.free.push(*partition);
            }
        }
        changes
    }

    /// Per partition, the offset before which everything is done, if the holder noted one since the last call.
    pub fn take_done(&self) -> Vec<(i32, u64)> {
        self.0.iter().filter_map(|(partition, held)| Some((*partition, held.done.take()?))).collect()
    }
}

fn is_full(batch: &[Entry], bytes: usize) -> bool {
    batch.len() >= BATCH_ENTRIES || bytes >= BATCH_BYTES
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::log::{Assigned, WAITING_BATCHES, lease::lease};
    use bytes::Bytes;

    fn entry(offset: usize) -> Entry {
        Entry { offset: offset as u64, payload: Bytes::from_static(b"x") }
    }

    /// Somebody holds one partition.
    fn one_holder(partition: u8) -> (Holding, Assigned) {
        let mut holding = Holding::default();
        let done = Done::nothing();
        let (entries, assigned) = lease(partition.into(), done.clone());
        holding.add(partition.into(), entries, done);
        (holding, assigned)
    }

    #[test]
    fn a_holder_without_room_pauses_its_partition_and_gets_everything_in_order_later() {
        let (mut holding, mut assigned) = one_holder(3);
        let batches = WAITING_BATCHES + MOST_WAITING;
        for offset in 0..batches * BATCH_ENTRIES {
            holding.take(3, entry(offset));
        }
        assert_eq!(holding.hand_over(), Changes { full: vec![3], free: vec![] });
        assert_eq!(holding.hand_over(), Changes::default(), "said once");

        let mut got = Vec::new();
        while got.len() < batches * BATCH_ENTRIES {
            got.extend(assigned.entries.try_recv().unwrap());
            let changes = holding.hand_over();
            let left = batches - got.len() / BATCH_ENTRIES;
            let free = if left == WAITING_BATCHES { vec![3] } else { vec![] };
            assert_eq!(changes, Changes { full: vec![], free });
        }
        assert_eq!(got, (0..batches * BATCH_ENTRIES).map(entry).collect::<Vec<_>>());
    }

    #[test]
    fn few_entries_go_at_once_until_one_place_is_left_where_they_gather() {
        let (mut holding, mut assigned) = one_holder(3);
        for offset in 0..WAITING_BATCHES + 5 {
            holding.take(3, entry(offset));
            assert_eq!(holding.hand_over(), Changes::default());
        }
        assert!(holding.is_someone_slow());
        for offset in 0..WAITING_BATCHES - 1 {
            assert_eq!(assigned.entries.try_recv().unwrap(), [entry(offset)]);
        }
        assert_eq!(holding.hand_over(), Changes::default());
        assert_eq!(assigned.entries.try_recv().unwrap().len(), 6);
        assert!(!holding.is_someone_slow());
    }

    #[test]
    fn what_a_holder_has_done_is_told_once_and_a_dropped_partition_is_noticed() {
        let (holding, assigned) = one_holder(0);
        (assigned.commit)(7);
        (assigned.commit)(9);
        assert_eq!(holding.take_done(), [(0, 9)]);
        assert_eq!(holding.take_done(), []);
        assert!(!holding.is_given_up());
        drop(assigned);
        assert!(holding.is_given_up());
    }
}
