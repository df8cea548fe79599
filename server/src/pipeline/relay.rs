//! The consumer group `relay`: puts each record once into its room's ring and
//! sends it to the nodes that watch.

use super::{Backoff, Health, Lag, State};
use crate::{
    fanout::{Fanout, Relayed},
    log::{Assigned, Entry, Log, Record, Start, StartAt},
};
use anyhow::Context;
use app::model::{Event, KnownEvent, MessageId, Position, RoomId};
use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
};
use tokio::task::JoinSet;

/// The group's and the part's name.
pub const PART: &str = "relay";

/// How many posts of a partition are remembered, so that a retry that got into the log a second time is shown once. A
/// retry that comes later than that finds the first in the store, and never gets into the log.
const REMEMBERED: usize = 10_000;
/// So many records are read again at the start, to remember the posts among them. The rings drop what they have.
const REWIND: u64 = 1_000;

/// Runs one member of the group until the log fails it. `epoch`: the log's generation.
///
/// # Errors
/// When the log takes the member out, or a partition's task ends in a panic.
pub async fn run(log: Arc<dyn Log>, fanout: Arc<dyn Fanout>, epoch: u32, health: Health) -> anyhow::Result<()> {
    let start: StartAt = Arc::new(|_| Box::pin(async { Ok(Start::Committed { rewind: REWIND }) }));
    let mut assigned = log.join(PART, start).await.context("joining the group")?;
    let mut partitions = JoinSet::new();
    loop {
        tokio::select! {
            next = assigned.recv() => match next {
                Some(assigned) => {
                    partitions.spawn(partition(log.clone(), fanout.clone(), epoch, health.clone(), assigned));
                }
                None => anyhow::bail!("the log took this member out of the group"),
            },
            Some(ended) = partitions.join_next() => ended.context("a partition's task")?,
        }
    }
}

async fn partition(log: Arc<dyn Log>, fanout: Arc<dyn Fanout>, epoch: u32, health: Health, mut assigned: Assigned) {
    let number = assigned.partition;
    let label = number.to_string();
    let relayed = metrics::counter!("partyline_relayed_records_total", "partition" => label.clone());
    let mut lag = Lag::new(metrics::gauge!("partyline_relay_lag_records", "partition" => label));
    let mut posts = Posts::default();
    while let Some(entries) = lag.next(&*log, &mut assigned).await {
        let Some(last) = entries.last().map(|e| e.offset) else { continue };
        let events: Vec<Relayed> = entries.iter().filter_map(|e| relayable(e, epoch, &mut posts)).collect();
        let mut backoff = Backoff::new();
        while let Err(e) = fanout.publish(&events).await {
            tracing::warn!(partition = number, error = %e, "relay waits for the fan-out");
            health.set(PART, State::Waiting { reason: e.to_string() });
            backoff.wait().await;
        }
        health.set(PART, State::Running);
        relayed.increment(events.len() as u64);
        (assigned.commit)(last + 1);
        lag.done = last + 1;
    }
}

/// The event for the watchers; `None`: not a record (persist buries it), or a post that has been seen.
fn relayable(entry: &Entry, epoch: u32, posts: &mut Posts) -> Option<Relayed> {
    let record = Record::decode(&entry.payload).ok()?;
    let at = Position::new(epoch, entry.offset);
    let event = record.event_at(at);
    if let Event::Known(KnownEvent::MessagePosted { message }) = &event
        && !posts.first(record.room, message.id)
    {
        return None;
    }
    let first = matches!(event, Event::Known(KnownEvent::RoomCreated { .. }));
    let payload = serde_json::to_vec(&event).expect("an event is plain data").into();
    Some(Relayed { room: record.room, at, first, payload })
}

/// The latest posts of a partition.
#[derive(Default)]
struct Posts {
    seen: HashSet<(RoomId, MessageId)>,
    order: VecDeque<(RoomId, MessageId)>,
}

impl Posts {
    fn first(&mut self, room: RoomId, id: MessageId) -> bool {
        if !self.seen.insert((room, id)) {
            return false;
        }
        self.order.push_back((room, id));
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        true
    }
}
