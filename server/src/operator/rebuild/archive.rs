//! `--from-log`: the archive as the log says, as far as the log goes back.

use super::super::{Sources, epoch};
use crate::{
    log::{Entry, Range},
    store::Placed,
};
use app::model::RoomId;
use std::collections::BTreeSet;

const READ_AT_ONCE: usize = 1_000;

/// Puts back what the archive lacks, and what is not as the log has it; how many events.
pub(super) async fn put_right(sources: &Sources, room: Option<&str>) -> anyhow::Result<u64> {
    let (log, store) = (&*sources.log, &*sources.store);
    epoch::may_put_right(log, store).await?;
    let only = match room {
        Some(_) => sources.next_rooms(room, None).await?.pop(),
        None => None,
    };
    let epoch = store.epoch().await?;
    let mut put = 0;
    let mut touched: BTreeSet<RoomId> = BTreeSet::new();
    for partition in 0..log.partitions() {
        if only.as_ref().is_some_and(|room| room.partition != partition) {
            continue;
        }
        let progress = store.progress(partition).await?;
        let mut from = Range::of(partition, &log.ranges().await?).oldest;
        while from < progress {
            let entries = log.read(partition, from, READ_AT_ONCE).await?;
            let Some(last) = entries.last() else { break };
            from = last.offset + 1;
            let of_room = |placed: &Placed| only.as_ref().is_none_or(|room| room.id == placed.record.room);
            let folded = entries.iter().filter(|e: &&Entry| e.offset < progress);
            let records: Vec<Placed> = folded.filter_map(|e| Placed::decode(e).ok()).filter(of_room).collect();
            for room in store.restore(partition, epoch, &records).await? {
                put += 1;
                touched.insert(room);
            }
        }
    }
    for id in touched {
        if let Some(room) = store.room(&crate::store::RoomKey::Id(id)).await? {
            store.seal(&room).await?;
        }
    }
    Ok(put)
}
