//! The fan-out through Redis.
//!
//! A room's ring is a stream whose entry ids are positions; `publish.lua` appends
//! and publishes in one step, so that `prev` is true whoever relays. Two
//! connections: [`commands`] asks, [`listen`] hears.

mod claims;
mod client;
mod commands;
pub mod facts;
mod keys;
mod listen;

use self::{
    claims::RedisClaims,
    client::client,
    commands::Commands,
    keys::{Keys, id, position, prev},
    listen::Listener,
};
use super::{
    Batch, Fanout, FanoutError, Notice, PublishError, RING_EVENTS, Ring, RingEvent, Signal,
    claims::{Claim, Claimed, Fate},
    signals::Signals,
};
use crate::config::RedisConfig;
use app::model::{Position, RoomId};
use async_trait::async_trait;
use bytes::Bytes;
use redis::{
    from_redis_value,
    streams::{StreamId, StreamRangeReply},
};
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::{mpsc, watch};

/// When a ring goes that nothing was added to. Then the next event's `prev` is unknown, which is repaired.
const IDLE_RING: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How much is published in one go: what Redis does in far less than an answer's deadline.
const PUBLISH_EVENTS: usize = 512;
/// The same, in bytes of payload.
const PUBLISH_BYTES: usize = 1024 * 1024;
/// How many heads are asked for in one go.
const HEADS: usize = 1000;
/// From nothing to both connections: an operator's mistake must show soon.
const START: Duration = Duration::from_secs(5);

/// Rings, live channels and notices in Redis, shared by all nodes of a namespace.
pub struct RedisFanout {
    keys: Keys,
    commands: Commands,
    listener: Listener,
    signals: Arc<Signals>,
    claims: Arc<RedisClaims>,
}

impl RedisFanout {
    /// Connects, within 5 s.
    ///
    /// # Errors
    /// [`FanoutError`] if the settings do not fit, or Redis is not reached, not trusted or does not let us in. The text
    /// shows no password and no PEM.
    pub async fn connect(config: &RedisConfig) -> Result<Self, FanoutError> {
        let client = client(config)?;
        let keys = Keys::new(&config.namespace);
        let signals = Arc::new(Signals::new());
        let started = async {
            let claims = Arc::new(RedisClaims::default());
            let lost = claims.clone();
            let listener = Listener::start(client.clone(), keys.clone(), signals.clone(), lost).await?;
            let fanout = Self { keys, commands: Commands::new(client)?, listener, signals, claims };
            fanout.check().await?;
            Ok(fanout)
        };
        tokio::time::timeout(START, started)
            .await
            .unwrap_or_else(|_| Err(FanoutError(format!("no connection to Redis within {} s", START.as_secs()))))
    }

    /// For a node that is going to claim: whether this Redis remembers anything is known before its first claim.
    pub async fn greet(&self) {
        self.claims.greet(&self.commands, &self.keys).await;
    }

    /// One script call: that nothing is taken by a Redis that went back, the rings and the marker are one step. (In a
    /// Redis Cluster it would have to be one for each slot, each with a marker of its own.)
    async fn publish_piece(&self, batch: &Batch<'_>) -> Result<(), PublishError> {
        let mut rings: HashMap<RoomId, usize> = HashMap::new();
        let mut keys = vec![self.keys.relayed(batch.partition)];
        for event in batch.events {
            rings.entry(event.room).or_insert_with(|| {
                keys.push(self.keys.ring(event.room));
                keys.len()
            });
        }
        let mut calls = redis::pipe();
        let call = calls.cmd("EVALSHA").arg(self.commands.publish_script()).arg(keys.len()).arg(keys);
        call.arg(RING_EVENTS).arg(IDLE_RING.as_secs()).arg(batch.after.map_or("-".into(), id)).arg(id(batch.upto));
        for event in batch.events {
            call.arg(rings[&event.room]).arg(id(event.at)).arg(u8::from(event.first)).arg(&event.payload[..]);
        }
        let (went_back_to,): (Option<Vec<u8>>,) = self.commands.ask(&calls).await?;
        match went_back_to {
            None => Ok(()),
            Some(marker) => Err(PublishError::WentBack { marker: prev(&marker).ok_or_else(foreign)? }),
        }
    }
}

#[async_trait]
impl Fanout for RedisFanout {
    async fn publish(&self, batch: &Batch<'_>) -> Result<(), PublishError> {
        for piece in batch.pieces(PUBLISH_EVENTS, PUBLISH_BYTES) {
            self.publish_piece(&piece).await?;
        }
        Ok(())
    }

    async fn relayed(&self, partitions: &[u32]) -> Result<Vec<Option<Position>>, FanoutError> {
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let mut ask = redis::pipe();
        ask.cmd("MGET").arg(partitions.iter().map(|p| self.keys.relayed(*p)).collect::<Vec<_>>());
        let (markers,): (Vec<Option<Vec<u8>>>,) = self.commands.ask(&ask).await?;
        markers.into_iter().map(|marker| marker.map(|id| position(&id).ok_or_else(foreign)).transpose()).collect()
    }

    async fn watch(&self, room: RoomId) -> Result<(), FanoutError> {
        self.listener.watch(room).await
    }

    async fn unwatch(&self, room: RoomId) {
        self.listener.unwatch(room).await;
    }

    async fn ring(&self, room: RoomId, after: Position) -> Result<Ring, FanoutError> {
        let key = self.keys.ring(room);
        let mut ask = redis::pipe();
        // The head first: an event that comes in between is in `entries`, and the answer is whole all the same.
        ask.cmd("EVALSHA").arg(self.commands.head_script()).arg(1).arg(&key);
        ask.cmd("XRANGE").arg(&key).arg(format!("({}", id(after))).arg("+");
        let (head, entries): (Option<Vec<u8>>, StreamRangeReply) = self.commands.ask(&ask).await?;
        let events = entries.ids.into_iter().map(ring_event).collect::<Result<Vec<_>, _>>()?;
        let head = head.map(|id| position(&id).ok_or_else(foreign)).transpose()?;
        Ok(Ring::after(after, events.last().map(|e| e.at).max(head), events))
    }

    async fn heads(&self, rooms: &[RoomId]) -> Result<Vec<Option<Position>>, FanoutError> {
        let mut heads = Vec::with_capacity(rooms.len());
        for some in rooms.chunks(HEADS) {
            let mut ask = redis::pipe();
            for room in some {
                ask.cmd("EVALSHA").arg(self.commands.head_script()).arg(1).arg(self.keys.ring(*room));
            }
            let answers: Vec<Option<Vec<u8>>> = self.commands.ask(&ask).await?;
            for answer in answers {
                heads.push(answer.map(|id| position(&id).ok_or_else(foreign)).transpose()?);
            }
        }
        Ok(heads)
    }

    async fn tell(&self, notice: &Notice) -> Result<(), FanoutError> {
        let text = serde_json::to_vec(notice).map_err(|e| FanoutError(e.to_string()))?;
        let mut ask = redis::pipe();
        ask.publish(self.keys.notices(), text).ignore();
        self.commands.ask(&ask).await
    }

    async fn claim(&self, claim: &Claim) -> Result<Claimed, FanoutError> {
        self.claims.claim(&self.commands, &self.keys, claim).await
    }

    async fn settle(&self, claim: &Claim, fate: Fate) -> Result<(), FanoutError> {
        self.claims.settle(&self.commands, &self.keys, claim, fate).await
    }

    async fn release(&self, claim: &Claim) -> Result<(), FanoutError> {
        self.claims.release(&self.commands, &self.keys, claim).await
    }

    fn claims_lost_at(&self) -> Option<Instant> {
        self.claims.lost_at()
    }

    fn signals(&self) -> Option<mpsc::Receiver<Signal>> {
        self.signals.take()
    }

    fn hearing(&self) -> watch::Receiver<bool> {
        self.listener.hearing()
    }

    async fn check(&self) -> Result<(), FanoutError> {
        self.listener.check()?;
        let mut ask = redis::pipe();
        ask.ping().ignore();
        self.commands.ask(&ask).await
    }
}

fn ring_event(mut entry: StreamId) -> Result<RingEvent, FanoutError> {
    let mut field = |name| entry.map.remove(name).and_then(|value| from_redis_value::<Vec<u8>>(value).ok());
    let (before, payload) = (field("prev").ok_or_else(foreign)?, field("payload").ok_or_else(foreign)?);
    Ok(RingEvent {
        at: position(entry.id.as_bytes()).ok_or_else(foreign)?,
        prev: prev(&before).ok_or_else(foreign)?,
        payload: Bytes::from(payload),
    })
}

/// Are these settings of any use? Nothing is connected.
pub(crate) fn usable(config: &RedisConfig) -> Result<(), FanoutError> {
    client(config).map(drop)
}

/// What Redis brings, for [`crate::fuzz`].
pub(crate) fn fuzz(data: &[u8]) {
    if let Some(event) = keys::published(data.to_vec()) {
        let before = event.prev.map_or("-".into(), id);
        let written = [id(event.at).as_bytes(), b" ", before.as_bytes(), b" ", &event.payload].concat();
        assert_eq!(keys::published(written), Some(event));
    }
    let mut parts = data.splitn(3, |byte| *byte == b' ');
    let mut part = || parts.next().unwrap_or_default();
    let entry_id = String::from_utf8_lossy(part()).into_owned();
    let map = ["prev", "payload"].map(|name| (name.to_owned(), redis::Value::BulkString(part().to_vec()))).into();
    if let Ok(event) = ring_event(StreamId { id: entry_id, map, ..StreamId::default() }) {
        assert_eq!(position(id(event.at).as_bytes()), Some(event.at));
    }
    let keys = Keys::new("party{line}");
    if let Some(room) = keys.room_of(data) {
        assert_eq!(keys.room_of(keys.live(room).as_bytes()), Some(room));
    }
}

fn foreign() -> FanoutError {
    FanoutError("a ring holds what Partyline did not put there: is its namespace shared with another program?".into())
}
