//! Comparing heads: what the rings have with what this node has. So a quiet
//! room's lost last message is found, and so a node knows up to where it is
//! complete.

use super::{
    Sources,
    room::ToRoom,
    rooms::{Rooms, TaskId},
};
use app::model::{Position, RoomId};
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

/// How many rooms are asked for in one go.
const HEADS_AT_ONCE: usize = 512;

/// What came of it.
#[derive(Default)]
pub(super) struct Compared {
    /// Per partition, the offset before which each of `rooms` is complete: the partition's marker as it was before the
    /// heads were asked for.
    pub complete_before: BTreeMap<u32, u64>,
    /// The tasks of the rooms that were compared.
    pub rooms: HashSet<TaskId>,
    /// Those of them that have no ring.
    pub quiet: HashSet<TaskId>,
    /// No room was left out.
    pub all: bool,
}

/// Tells every watched room its ring's top. `quiet`: rooms without a ring that have been looked at since they had one.
pub(super) async fn compare(sources: Arc<Sources>, rooms: Arc<Rooms>, quiet: HashSet<TaskId>) -> Compared {
    let watched = rooms.all();
    let mut compared = Compared { all: true, ..Compared::default() };
    // The markers first: every ring has at least what they say.
    let Some(markers) = markers(&sources, &watched).await else { return Compared::default() };
    for some in watched.chunks(HEADS_AT_ONCE) {
        let ids: Vec<RoomId> = some.iter().map(|(room, ..)| *room).collect();
        let heads = match sources.fanout.heads(&ids).await {
            Ok(heads) => heads,
            Err(e) => {
                tracing::debug!(error = %e, "some heads could not be compared");
                compared.all = false;
                continue;
            }
        };
        for ((room, partition, task), head) in some.iter().zip(heads) {
            let head = match head {
                Some(head) => Some(head),
                // A ring that expired, or a fan-out that was emptied: whatever was relayed, it is not in the ring. Looked
                // at once; from then on an event would make a ring.
                None => {
                    compared.quiet.insert(*task);
                    markers.get(partition).copied().filter(|_| !quiet.contains(task))
                }
            };
            let told = match head {
                Some(head) => rooms.hand_patiently(*room, ToRoom::Head(head)).await,
                None => true,
            };
            if told {
                compared.rooms.insert(*task);
            } else {
                compared.quiet.remove(task);
                compared.all = false;
            }
        }
    }
    let epoch = sources.epoch;
    compared.complete_before =
        markers.iter().filter(|(_, at)| at.epoch == epoch).map(|(partition, at)| (*partition, at.offset + 1)).collect();
    compared
}

async fn markers(sources: &Sources, watched: &[(RoomId, u32, TaskId)]) -> Option<BTreeMap<u32, Position>> {
    let partitions: Vec<u32> = sources.partitions(watched).into_iter().collect();
    match sources.fanout.relayed(&partitions).await {
        Ok(markers) => Some(partitions.into_iter().zip(markers).filter_map(|(p, at)| Some((p, at?))).collect()),
        Err(e) => {
            tracing::debug!(error = %e, "heads could not be compared");
            None
        }
    }
}

impl Sources {
    /// The log's partitions; rooms may be in some that were added while we run.
    pub(super) fn partitions(&self, watched: &[(RoomId, u32, TaskId)]) -> BTreeSet<u32> {
        (0..self.log.partitions()).chain(watched.iter().map(|(_, partition, _)| *partition)).collect()
    }
}
