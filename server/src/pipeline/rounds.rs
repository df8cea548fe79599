//! The usual way to fold: what all partitions of this node have at a moment goes
//! into the store in one transaction, since what a transaction costs is hardly
//! its rows. What does not go in so is left to [`super::persist`], which looks
//! partition by partition for what is wrong.

use crate::{
    log::{Assigned, BATCH_BYTES, BATCH_ENTRIES, Entry},
    store::{Placed, Store, Stretch},
};
use app::model::{Event, KnownEvent};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::{Instant, sleep_until},
};
use tokio_util::task::AbortOnDropHandle;

/// While records keep coming, a round begins so long after the one before it: [`GATHER_EACH`] for each record of that
/// one, within [`GATHER`]. A transaction of many costs little more than one of few. The first after a rest waits for
/// nothing, nor does one after a full one.
const GATHER: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(30));
const GATHER_EACH: Duration = Duration::from_millis(3);
/// So many at a time: who comes while one is under way need not wait for its end.
const UNDER_WAY: usize = 2;
/// Partitions that wait for a round. Full: they wait for a place.
const WAITING: usize = 64;
/// Records that are no posts are folded one by one: a part with more of them, or with one that clears a room of what is
/// old, is for the partition's own time.
const OTHERS: usize = 50;
/// Whoever has so many entries, or so many bytes of them, fills a transaction alone.
const ENOUGH: usize = BATCH_ENTRIES / 2;
const ENOUGH_BYTES: usize = BATCH_BYTES / 2;
/// Whoever has fewer entries than this, and fewer bytes, takes one batch more that waits; it may have more then.
const MOST: usize = BATCH_ENTRIES;
const MOST_BYTES: usize = 2 * BATCH_BYTES;

/// A partition that has something to be folded.
pub(super) struct Part {
    /// Where it comes from. More is taken from there when the round begins.
    pub(super) assigned: Assigned,
    /// Where the partition's progress was left.
    pub(super) from: u64,
    /// What is to be folded; not empty.
    pub(super) entries: Vec<Entry>,
}

impl Part {
    /// Adds batches that have come meanwhile, until it has [`MOST`]. How many bytes it has now.
    pub(super) fn fill(&mut self) -> usize {
        while self.entries.len() < MOST
            && bytes(&self.entries) < MOST_BYTES
            && let Ok(more) = self.assigned.entries.try_recv()
        {
            self.entries.extend(more);
        }
        bytes(&self.entries)
    }

    /// It fills a transaction alone.
    pub(super) fn has_enough(&self) -> bool {
        self.entries.len() >= ENOUGH || bytes(&self.entries) >= ENOUGH_BYTES
    }

    /// The offset after the last entry.
    pub(super) fn next(&self) -> u64 {
        self.entries.last().map_or(self.from, |entry| entry.offset + 1)
    }
}

/// A part, and whether it was folded.
type Back = oneshot::Sender<(Part, bool)>;

/// Folds rounds until it is dropped.
pub(super) struct Rounds {
    waiting: mpsc::Sender<(Part, Back)>,
    _task: AbortOnDropHandle<()>,
}

impl Rounds {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        let (waiting, parts) = mpsc::channel(WAITING);
        Self { waiting, _task: AbortOnDropHandle::new(tokio::spawn(run(store, parts))) }
    }

    /// Folds it in the next round. Back comes what was taken, and whether all of it is in the store now; `None`: the
    /// rounds have ended.
    pub(super) async fn fold(&self, part: Part) -> Option<(Part, bool)> {
        let (back, folded) = oneshot::channel();
        self.waiting.send((part, back)).await.ok()?;
        folded.await.ok()
    }
}

async fn run(store: Arc<dyn Store>, mut waiting: mpsc::Receiver<(Part, Back)>) {
    let mut under_way = JoinSet::new();
    let mut due = Instant::now();
    while let Some(first) = waiting.recv().await {
        sleep_until(due).await;
        while under_way.len() >= UNDER_WAY {
            under_way.join_next().await;
        }
        let begun = Instant::now();
        let (mut round, mut entries, mut bytes, mut full) = (Vec::new(), 0, 0, false);
        let mut next = Some(first);
        while let Some((mut part, back)) = next {
            bytes += part.fill();
            entries += part.entries.len();
            round.push((part, back));
            full = entries >= BATCH_ENTRIES || bytes >= BATCH_BYTES;
            next = if full { None } else { waiting.try_recv().ok() };
        }
        due = if full { begun } else { begun + (GATHER_EACH * entries as u32).clamp(GATHER.0, GATHER.1) };
        under_way.spawn(fold(store.clone(), round));
    }
}

async fn fold(store: Arc<dyn Store>, round: Vec<(Part, Back)>) {
    // What has a record that cannot be read is no part of it, nor is what would keep the others waiting.
    let decode = |part: &Part| part.entries.iter().map(Placed::decode).collect::<Result<Vec<_>, _>>().ok();
    let records: Vec<_> = round.iter().map(|(part, _)| decode(part).filter(|records| is_light(records))).collect();
    let mut stretches = Vec::with_capacity(round.len());
    for ((part, _), records) in round.iter().zip(&records) {
        if let Some(records) = records {
            stretches.push(Stretch { partition: part.assigned.partition, from: part.from, next: part.next(), records });
        }
    }
    stretches.sort_unstable_by_key(|stretch| stretch.partition);
    let folded = match store.fold_together(&stretches).await {
        Ok(()) => true,
        Err(error) => {
            tracing::debug!(%error, partitions = stretches.len(), "a round was not folded");
            false
        }
    };
    for ((part, back), records) in round.into_iter().zip(records) {
        let _ = back.send((part, folded && records.is_some()));
    }
}

fn bytes(entries: &[Entry]) -> usize {
    entries.iter().map(|entry| entry.payload.len()).sum()
}

/// It takes little time to fold.
fn is_light(records: &[Placed]) -> bool {
    let others = || records.iter().filter(|placed| !is_post(placed));
    let clears = |placed: &Placed| matches!(placed.record.event, Event::Known(KnownEvent::MessagesExpired { .. }, _));
    others().count() <= OTHERS && !others().any(clears)
}

fn is_post(placed: &Placed) -> bool {
    matches!(placed.record.event, Event::Known(KnownEvent::MessagePosted { .. }, _))
}
