//! The fan-out within one process.

use super::{
    Batch, Fanout, FanoutError, Notice, PublishError, RING_EVENTS, Relayed, Ring, RingEvent, Signal,
    claims::{Claim, Claimed, Fate, LocalClaims},
    signals::Signals,
};
use app::model::{Position, RoomId};
use async_trait::async_trait;
use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};
use tokio::sync::{mpsc, watch};

/// A ring keeps fewer than [`RING_EVENTS`] if they are larger together, but the newest always.
const RING_BYTES: usize = 1024 * 1024;
/// How many rooms that nobody watches keep their rings, those used last: the others are read from the store.
const IDLE_RINGS: usize = 10_000;
/// And how large those rings are together at most.
const IDLE_BYTES: usize = 64 * 1024 * 1024;
/// What an event takes besides its payload, about.
const EVENT_BYTES: usize = 128;

/// Rings and watchers in memory.
pub struct LocalFanout {
    signals: Signals,
    rooms: Mutex<Rooms>,
    /// In one process everything is heard.
    hearing: watch::Sender<bool>,
    claims: LocalClaims,
}

#[derive(Default)]
struct Rooms {
    watched: HashSet<RoomId>,
    rings: HashMap<RoomId, LocalRing>,
    markers: HashMap<u32, Position>,
    /// The rings of rooms that nobody watches, by when they were used.
    idle: BTreeMap<u64, RoomId>,
    idle_bytes: usize,
    clock: u64,
}

/// Never empty: its last event is the room's head.
struct LocalRing {
    events: VecDeque<RingEvent>,
    bytes: usize,
    used: u64,
}

impl LocalFanout {
    /// Nothing in it yet.
    pub fn new() -> Self {
        Self {
            signals: Signals::new(),
            rooms: Mutex::default(),
            hearing: watch::Sender::new(true),
            claims: LocalClaims::default(),
        }
    }

    fn rooms(&self) -> MutexGuard<'_, Rooms> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for LocalFanout {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Fanout for LocalFanout {
    async fn publish(&self, batch: &Batch<'_>) -> Result<(), PublishError> {
        let marker = self.rooms().markers.get(&batch.partition).copied();
        if batch.after > marker {
            return Err(PublishError::WentBack { marker });
        }
        for event in batch.events {
            // Offered under the lock: watchers hear in the ring's order.
            let mut rooms = self.rooms();
            if let Some(added) = rooms.add(event, marker)
                && rooms.watched.contains(&event.room)
            {
                self.signals.offer(Signal::Event { room: event.room, event: added });
            }
        }
        let mut rooms = self.rooms();
        let marker = rooms.markers.entry(batch.partition).or_insert(batch.upto);
        *marker = batch.upto.max(*marker);
        Ok(())
    }

    async fn relayed(&self, partitions: &[u32]) -> Result<Vec<Option<Position>>, FanoutError> {
        let rooms = self.rooms();
        Ok(partitions.iter().map(|partition| rooms.markers.get(partition).copied()).collect())
    }

    async fn watch(&self, room: RoomId) -> Result<(), FanoutError> {
        let mut rooms = self.rooms();
        rooms.leave_idle(room);
        rooms.watched.insert(room);
        Ok(())
    }

    async fn unwatch(&self, room: RoomId) {
        let mut rooms = self.rooms();
        if rooms.watched.remove(&room) {
            rooms.enter_idle(room);
        }
    }

    async fn ring(&self, room: RoomId, after: Position) -> Result<Ring, FanoutError> {
        let rooms = self.rooms();
        let Some(ring) = rooms.rings.get(&room) else { return Ok(Ring::default()) };
        let events = ring.events.iter().skip_while(|e| e.at <= after).cloned().collect();
        Ok(Ring::after(after, ring.top(), events))
    }

    async fn heads(&self, asked: &[RoomId]) -> Result<Vec<Option<Position>>, FanoutError> {
        let rooms = self.rooms();
        Ok(asked.iter().map(|room| rooms.rings.get(room).and_then(LocalRing::top)).collect())
    }

    async fn tell(&self, notice: &Notice) -> Result<(), FanoutError> {
        self.signals.offer(Signal::Notice(notice.clone()));
        Ok(())
    }

    async fn claim(&self, claim: &Claim) -> Result<Claimed, FanoutError> {
        Ok(self.claims.claim(claim))
    }

    async fn settle(&self, claim: &Claim, fate: Fate) -> Result<(), FanoutError> {
        self.claims.settle(claim, fate);
        Ok(())
    }

    async fn release(&self, claim: &Claim) -> Result<(), FanoutError> {
        self.claims.release(claim);
        Ok(())
    }

    fn claims_lost_at(&self) -> Option<Instant> {
        self.claims.lost_at()
    }

    fn signals(&self) -> Option<mpsc::Receiver<Signal>> {
        self.signals.take()
    }

    fn hearing(&self) -> watch::Receiver<bool> {
        self.hearing.subscribe()
    }

    async fn check(&self) -> Result<(), FanoutError> {
        Ok(())
    }
}

impl Rooms {
    /// Appends to the room's ring, unless it is not new. What is not after the marker was decided before.
    fn add(&mut self, event: &Relayed, marker: Option<Position>) -> Option<RingEvent> {
        let top = self.rings.get(&event.room).and_then(LocalRing::top);
        if Some(event.at) <= top.max(marker) {
            return None;
        }
        let prev = top.or(event.first.then_some(Position::START));
        let added = RingEvent { at: event.at, prev, payload: event.payload.clone() };
        self.leave_idle(event.room);
        self.rings.entry(event.room).or_insert_with(LocalRing::empty).push(added.clone());
        if !self.watched.contains(&event.room) {
            self.enter_idle(event.room);
        }
        Some(added)
    }

    /// The room's ring must stay: it is watched, or about to change.
    fn leave_idle(&mut self, room: RoomId) {
        if let Some(ring) = self.rings.get(&room)
            && self.idle.remove(&ring.used).is_some()
        {
            self.idle_bytes -= ring.bytes;
        }
    }

    /// The room's ring may go when memory is short, after all that were used before it.
    fn enter_idle(&mut self, room: RoomId) {
        let Some(ring) = self.rings.get_mut(&room) else { return };
        self.clock += 1;
        ring.used = self.clock;
        self.idle.insert(ring.used, room);
        self.idle_bytes += ring.bytes;
        while self.idle.len() > IDLE_RINGS || self.idle_bytes > IDLE_BYTES {
            let Some((_, oldest)) = self.idle.pop_first() else { return };
            self.idle_bytes -= self.rings.remove(&oldest).map_or(0, |ring| ring.bytes);
        }
    }
}

impl LocalRing {
    fn empty() -> Self {
        // 0 is never a time of use, so a ring that is watched from its beginning is not found among the idle.
        Self { events: VecDeque::new(), bytes: 0, used: 0 }
    }

    fn top(&self) -> Option<Position> {
        self.events.back().map(|e| e.at)
    }

    fn push(&mut self, event: RingEvent) {
        self.bytes += size(&event);
        self.events.push_back(event);
        while self.events.len() > RING_EVENTS || (self.bytes > RING_BYTES && self.events.len() > 1) {
            self.bytes -= self.events.pop_front().map_or(0, |e| size(&e));
        }
    }
}

fn size(event: &RingEvent) -> usize {
    event.payload.len() + EVENT_BYTES
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use bytes::Bytes;

    fn event(room: RoomId, offset: u64, size: usize) -> Relayed {
        Relayed { room, at: Position::new(1, offset), first: offset == 0, payload: Bytes::from(vec![b'x'; size]) }
    }

    #[tokio::test]
    async fn a_ring_of_large_events_keeps_fewer_and_says_so() {
        let (fanout, room) = (LocalFanout::new(), RoomId::new());
        for offset in 0..10 {
            fanout.publish(&Batch::of(0, &[event(room, offset, RING_BYTES / 4)])).await.unwrap();
        }
        let ring = fanout.ring(room, Position::START).await.unwrap();
        assert_eq!(ring.top, Some(Position::new(1, 9)));
        assert_eq!(ring.events.len(), 3);
        assert!(!ring.complete);
        fanout.publish(&Batch::of(0, &[event(room, 10, 2 * RING_BYTES)])).await.unwrap();
        let ring = fanout.ring(room, Position::new(1, 9)).await.unwrap();
        assert_eq!((ring.events.len(), ring.complete), (1, true), "the newest stays, however large");
    }

    #[tokio::test]
    async fn rings_of_rooms_that_nobody_watches_go_least_recently_used_first() {
        let fanout = LocalFanout::new();
        let (watched, oldest, used_again) = (RoomId::new(), RoomId::new(), RoomId::new());
        fanout.watch(watched).await.unwrap();
        for (room, offset) in [watched, oldest, used_again].into_iter().zip(0..) {
            fanout.publish(&Batch::of(0, &[event(room, offset, 1)])).await.unwrap();
        }
        let others: Vec<Relayed> = (0..IDLE_RINGS - 2).map(|_| event(RoomId::new(), 3, 1)).collect();
        fanout.publish(&Batch::of(0, &others)).await.unwrap();
        fanout.publish(&Batch::of(0, &[event(used_again, 4, 1), event(RoomId::new(), 5, 1)])).await.unwrap();
        let heads = fanout.heads(&[watched, oldest, used_again]).await.unwrap();
        assert_eq!(heads, [Some(Position::new(1, 0)), None, Some(Position::new(1, 4))]);
        fanout.unwatch(watched).await;
        let rooms = fanout.rooms();
        assert_eq!((rooms.idle.len(), rooms.rings.len()), (IDLE_RINGS, IDLE_RINGS));
        assert_eq!(rooms.idle_bytes, rooms.rings.values().map(|r| r.bytes).sum::<usize>());
    }
}
