//! The consumer group `relay`: puts each record once into its room's ring and
//! sends it to the nodes that watch.
//!
//! It knows how far it has come, and the fan-out knows too, by a marker that lives
//! with the rings. A fan-out that was put back to an earlier state says so, and
//! what it lacks is read from the log and published again before anything new.

use super::{
    Backoff, Health, Lag, State,
    posts::{Post, Posts},
};
use crate::{
    fanout::{Batch, Fanout, PublishError, Relayed},
    log::{Assigned, Entry, Log, LogError, Record, Start, StartAt, event_json},
    store::Store,
};
use anyhow::Context;
use app::model::{Event, KnownEvent, MessageId, Position, RoomId};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// The part's name.
pub const PART: &str = "relay";

/// So many records are read again at the start, to remember the posts among them. The rings drop what they have.
const REWIND: u64 = 1_000;
/// How many records are read at once to be published again.
const AGAIN_AT_ONCE: usize = 1_000;
/// How long a batch waits to hear from the store which of its posts are repetitions: live does not wait for the store.
const STORE_PATIENCE: Duration = Duration::from_millis(300);
/// A store that did not answer is not asked again so soon.
const STORE_AWAY: Duration = Duration::from_secs(5);
/// How many posts the store is asked for at once.
const ASKED_AT_ONCE: usize = 100;

/// The group's name in a generation of the log: what was committed of the log before says nothing about a new one.
pub fn group(epoch: u32) -> String {
    if epoch <= 1 { PART.to_owned() } else { format!("{PART}-{epoch}") }
}

/// Runs one member of the group until the log fails it. `epoch`: the log's generation.
///
/// # Errors
/// When the log takes the member out, or a partition's task ends in a panic.
pub async fn run(
    log: Arc<dyn Log>,
    store: Arc<dyn Store>,
    fanout: Arc<dyn Fanout>,
    epoch: u32,
    health: Health,
) -> anyhow::Result<()> {
    let start: StartAt = Arc::new(|_| Box::pin(async { Ok(Start::Committed { rewind: REWIND }) }));
    let mut assigned = log.join(&group(epoch), start).await.context("joining the group")?;
    let mut partitions = JoinSet::new();
    loop {
        tokio::select! {
            next = assigned.recv() => match next {
                Some(assigned) => {
                    let relay = Relay {
                        log: log.clone(),
                        store: store.clone(),
                        fanout: fanout.clone(),
                        health: health.clone(),
                        epoch,
                        partition: assigned.partition,
                        posts: Posts::default(),
                        confirmed: None,
                        ask_store_from: Instant::now(),
                    };
                    partitions.spawn(relay.run(assigned));
                }
                None => anyhow::bail!("the log took this member out of the group"),
            },
            Some(ended) = partitions.join_next() => ended.context("a partition's task")??,
        }
    }
}

/// One partition in this member's hands.
struct Relay {
    log: Arc<dyn Log>,
    store: Arc<dyn Store>,
    fanout: Arc<dyn Fanout>,
    health: Health,
    epoch: u32,
    partition: u32,
    posts: Posts,
    /// Everything up to here is in the rings, as far as we were told. `None`: nobody has told us yet.
    confirmed: Option<Position>,
    ask_store_from: Instant,
}

impl Relay {
    async fn run(mut self, mut assigned: Assigned) -> anyhow::Result<()> {
        let label = self.partition.to_string();
        let relayed = metrics::counter!("partyline_relayed_records_total", "partition" => label.clone());
        let mut lag = Lag::new(metrics::gauge!("partyline_relay_lag_records", "partition" => label));
        let mut begun = false;
        while let Some(entries) = lag.next(&*self.log, &mut assigned).await {
            let Some(last) = entries.last().map(|e| e.offset) else {
                self.look_after_a_quiet_partition().await?;
                continue;
            };
            let first = entries[0].offset;
            if !begun {
                begun = true;
                if first == 0 {
                    self.posts.have_all();
                }
                let marker = self.marker().await;
                // Committed, and yet not in the rings: they were put back while nobody relayed.
                if marker.is_some_and(|marker| marker.epoch == self.epoch && marker.offset + 1 < first) {
                    self.again(marker, first).await?;
                }
                self.confirmed = self.confirmed.max(marker);
            }
            let events = self.events(&entries).await;
            self.publish(&events, first, Position::new(self.epoch, last)).await?;
            relayed.increment(events.len() as u64);
            (assigned.commit)(last + 1);
            lag.done = last + 1;
        }
        Ok(())
    }

    /// Has the fan-out still what it had?
    async fn look_after_a_quiet_partition(&mut self) -> anyhow::Result<()> {
        let Some(confirmed) = self.confirmed else { return Ok(()) };
        let nothing = Batch { partition: self.partition, after: self.confirmed, upto: confirmed, events: &[] };
        match self.fanout.publish(&nothing).await {
            Err(PublishError::WentBack { marker }) => self.again(marker, confirmed.offset + 1).await,
            Ok(()) | Err(PublishError::Away(_)) => Ok(()),
        }
    }

    async fn marker(&self) -> Option<Position> {
        let mut backoff = Backoff::new();
        loop {
            match self.fanout.relayed(&[self.partition]).await {
                Ok(markers) => return markers.into_iter().next().flatten(),
                Err(e) => self.wait(&mut backoff, &e).await,
            }
        }
    }

    async fn wait(&self, backoff: &mut Backoff, why: &(dyn std::fmt::Display + Sync)) {
        tracing::warn!(partition = self.partition, error = %why, "relay waits");
        self.health.set(PART, State::Waiting { reason: why.to_string() });
        backoff.wait().await;
    }

    /// Publishes until it is done; `first` is the first offset that the batch stands for.
    async fn publish(&mut self, events: &[Relayed], first: u64, upto: Position) -> anyhow::Result<()> {
        let mut backoff = Backoff::new();
        loop {
            let batch = Batch { partition: self.partition, after: self.confirmed, upto, events };
            match self.fanout.publish(&batch).await {
                Ok(()) => break,
                Err(PublishError::Away(e)) => self.wait(&mut backoff, &e).await,
                Err(PublishError::WentBack { marker }) => self.again(marker, first).await?,
            }
        }
        self.confirmed = self.confirmed.max(Some(upto));
        self.health.set(PART, State::Running);
        Ok(())
    }

    /// The fan-out went back to `marker`: publishes what comes after it once more, before `end`.
    async fn again(&mut self, marker: Option<Position>, end: u64) -> anyhow::Result<()> {
        metrics::counter!("partyline_fanout_went_back_total").increment(1);
        let mut marker = marker;
        let mut backoff = Backoff::new();
        'from_marker: loop {
            let known = marker.filter(|marker| marker.epoch == self.epoch);
            let mut from = known.map_or(end.saturating_sub(REWIND), |marker| marker.offset + 1);
            tracing::warn!(self.partition, from, end, "the fan-out was put back: what it lacks is published again");
            self.confirmed = marker;
            while from < end {
                let entries = match self.log.read(self.partition, from, AGAIN_AT_ONCE).await {
                    Ok(entries) => entries,
                    Err(e @ LogError::Unavailable(_)) => {
                        self.wait(&mut backoff, &e).await;
                        continue;
                    }
                    // Rings of which the log has no memory hide what lies between.
                    Err(e) => return Err(e).context("the fan-out was put back further than the log reaches: empty it"),
                };
                let entries: Vec<Entry> = entries.into_iter().filter(|e| e.offset < end).collect();
                let Some(last) = entries.last().map(|e| e.offset) else { break };
                let events = self.events(&entries).await;
                let upto = Position::new(self.epoch, last);
                let batch = Batch { partition: self.partition, after: self.confirmed, upto, events: &events };
                match self.fanout.publish(&batch).await {
                    Ok(()) => (self.confirmed, from) = (Some(upto), last + 1),
                    Err(PublishError::Away(e)) => self.wait(&mut backoff, &e).await,
                    Err(PublishError::WentBack { marker: to }) => {
                        marker = to;
                        continue 'from_marker;
                    }
                }
            }
            return Ok(());
        }
    }

    /// What of these entries the watchers hear of.
    async fn events(&mut self, entries: &[Entry]) -> Vec<Relayed> {
        let mut events = Vec::with_capacity(entries.len());
        let mut unknown = Vec::new();
        for entry in entries {
            // Not a record: persist buries it.
            let Ok(record) = Record::decode(&entry.payload) else { continue };
            let at = Position::new(self.epoch, entry.offset);
            if let Event::Known(KnownEvent::MessagePosted { message }, _) = &record.event {
                match self.posts.note(record.room, message.id, at, record.accepted_at) {
                    Post::First => {}
                    Post::Repeated => continue,
                    // What was relayed before, the ring drops: nothing depends on it.
                    Post::Unknown if self.confirmed >= Some(at) => {}
                    Post::Unknown => unknown.push((record.room, message.id, at)),
                }
            }
            let first = matches!(record.event, Event::Known(KnownEvent::RoomCreated { .. }, _));
            // Whole, with what this version does not know of it.
            let Ok(payload) = event_json(&entry.payload, at) else { continue };
            events.push(Relayed { room: record.room, at, first, payload: payload.into() });
        }
        let repeated = self.repeated(unknown).await;
        events.retain(|e| !repeated.contains(&e.at));
        events
    }

    /// Which of these posts the store has at earlier places.
    async fn repeated(&mut self, posts: Vec<(RoomId, MessageId, Position)>) -> Vec<Position> {
        if posts.is_empty() || Instant::now() < self.ask_store_from {
            return Vec::new();
        }
        let deadline = tokio::time::Instant::now() + STORE_PATIENCE;
        let mut repeated = Vec::new();
        for posts in posts.chunks(ASKED_AT_ONCE) {
            let asked: Vec<_> = posts.iter().map(|(room, id, _)| (*room, *id)).collect();
            let Ok(Ok(found)) = tokio::time::timeout_at(deadline, self.store.posted_among(&asked)).await else {
                self.ask_store_from = Instant::now() + STORE_AWAY;
                break;
            };
            let earlier = |(room, id, at): &&(RoomId, MessageId, Position)| {
                found.get(&(*room, *id)).is_some_and(|first| first.at < *at)
            };
            repeated.extend(posts.iter().filter(earlier).map(|(_, _, at)| *at));
        }
        repeated
    }
}
