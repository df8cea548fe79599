//! The newest entries, in memory: who keeps up with the log is not sent to the disk for what has just been written.

use crate::log::{BATCH_BYTES, Entry};
use bytes::Bytes;
use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Bytes of payload that are kept, over all partitions; a partition may always have [`BATCH_BYTES`].
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// The newest entries of each partition.
pub(super) struct Latest {
    runs: Vec<Mutex<Run>>,
    max_bytes: usize,
}

/// Entries without a gap.
#[derive(Default)]
struct Run {
    first: u64,
    payloads: VecDeque<Bytes>,
    bytes: usize,
}

impl Latest {
    /// Nothing yet.
    pub fn new(partitions: usize) -> Self {
        let max_bytes = (MAX_BYTES / partitions.max(1)).max(BATCH_BYTES);
        Self { runs: (0..partitions).map(|_| Mutex::default()).collect(), max_bytes }
    }

    fn run(&self, partition: u32) -> MutexGuard<'_, Run> {
        self.runs[partition as usize].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An entry that is on the disk, with the next offset of its partition.
    pub fn push(&self, partition: u32, offset: u64, payload: Bytes) {
        let mut run = self.run(partition);
        if run.first + run.payloads.len() as u64 != offset {
            // After a failed write the disk may have had more than was acknowledged.
            *run = Run { first: offset, ..Run::default() };
        }
        run.bytes += payload.len();
        run.payloads.push_back(payload);
        while run.bytes > self.max_bytes
            && let Some(oldest) = run.payloads.pop_front()
        {
            run.bytes -= oldest.len();
            run.first += 1;
        }
    }

    /// Entries from an offset on, as many as go into a batch; `None`: only the disk has it.
    pub fn read(&self, partition: u32, from: u64, limit: usize) -> Option<Vec<Entry>> {
        let run = self.run(partition);
        let skip = usize::try_from(from.checked_sub(run.first)?).ok()?;
        if skip >= run.payloads.len() {
            return None;
        }
        let mut bytes = 0;
        let entries = (from..).zip(run.payloads.range(skip..)).take(limit).take_while(|(_, payload)| {
            let room = bytes < BATCH_BYTES;
            bytes += payload.len();
            room
        });
        Some(entries.map(|(offset, payload)| Entry { offset, payload: payload.clone() }).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offsets(latest: &Latest, from: u64, limit: usize) -> Option<Vec<u64>> {
        Some(latest.read(0, from, limit)?.into_iter().map(|entry| entry.offset).collect())
    }

    #[test]
    fn it_has_what_came_last_in_order_and_says_what_it_does_not_have() {
        let latest = Latest::new(1);
        assert_eq!(offsets(&latest, 0, 10), None);
        (5..9).for_each(|offset| latest.push(0, offset, vec![offset as u8].into()));
        assert_eq!(offsets(&latest, 5, 10), Some(vec![5, 6, 7, 8]));
        assert_eq!(offsets(&latest, 7, 1), Some(vec![7]));
        assert_eq!(latest.read(0, 8, 1).map(|entries| entries[0].payload.clone()), Some(vec![8].into()));
        assert_eq!((offsets(&latest, 4, 10), offsets(&latest, 9, 10)), (None, None));
    }

    #[test]
    fn after_a_gap_nothing_from_before_it_is_taken_for_what_follows() {
        let latest = Latest::new(1);
        latest.push(0, 0, Bytes::from_static(b"a"));
        latest.push(0, 3, Bytes::from_static(b"d"));
        assert_eq!((offsets(&latest, 0, 10), offsets(&latest, 3, 10)), (None, Some(vec![3])));
    }

    #[test]
    fn it_is_bounded_and_so_is_a_batch() {
        let latest = Latest::new(1);
        let payload = Bytes::from(vec![0; BATCH_BYTES / 2]);
        (0..100).for_each(|offset| latest.push(0, offset, payload.clone()));
        assert!(latest.run(0).bytes <= MAX_BYTES);
        assert_eq!(offsets(&latest, 0, 10), None);
        assert_eq!(offsets(&latest, 98, 10), Some(vec![98, 99]));
        assert_eq!(offsets(&latest, 95, 10), Some(vec![95, 96]));
    }
}
