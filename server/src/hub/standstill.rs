//! Does the relay stand still? Then the fan-out answers, and nothing comes from
//! it: its members are cut off, held, or being told again which partitions are
//! theirs. The markers say so, since they stay where they are before the log's end.

use super::{Sources, rooms::Rooms};
use crate::log::Range;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// How often it is looked at. A marker that has not moved between two looks, before the log's end at both, stands still.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Per partition that lacks something, the offset that its marker is before.
pub(super) type Lacking = BTreeMap<u32, u64>;

/// What the partitions of watched rooms lack. Nothing is known of a log or a fan-out that does not answer.
pub(super) async fn look(sources: Arc<Sources>, rooms: Arc<Rooms>) -> Lacking {
    let mut partitions: Vec<u32> = rooms.all().into_iter().map(|(_, partition, _)| partition).collect();
    partitions.sort_unstable();
    partitions.dedup();
    if partitions.is_empty() {
        return Lacking::new();
    }
    // The markers first: what is relayed in between is not missed.
    let Ok(markers) = sources.fanout.relayed(&partitions).await else { return Lacking::new() };
    let Ok(ranges) = sources.log.ranges().await else { return Lacking::new() };
    let next = |marker: Option<app::model::Position>| match marker {
        Some(at) if at.epoch == sources.epoch => at.offset + 1,
        _ => 0,
    };
    let relayed = partitions.into_iter().zip(markers.into_iter().map(next));
    relayed.filter(|(partition, next)| *next < Range::of(*partition, &ranges).end).collect()
}

/// Whether some partition lacks the same as before.
pub(super) fn is_it(before: &Lacking, now: &Lacking) -> bool {
    now.iter().any(|(partition, next)| before.get(partition) == Some(next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_that_moves_does_not_stand_still_however_far_behind_it_is() {
        let (before, moved) = (Lacking::from([(1, 5), (2, 7)]), Lacking::from([(1, 6), (3, 7)]));
        assert!(!is_it(&before, &moved));
        assert!(!is_it(&Lacking::new(), &before));
        assert!(is_it(&before, &Lacking::from([(1, 6), (2, 7)])));
    }
}
