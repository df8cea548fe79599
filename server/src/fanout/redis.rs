//! The fan-out through Redis.
//!
//! A room's ring is a stream whose entry ids are positions; `publish.lua` appends
//! and publishes in one step, so that `prev` is true whoever relays. Two
//! connections: [`commands`] asks, [`listen`] hears.

mod client;
mod commands;
mod keys;
mod listen;

use self::{
    client::client,
    commands::Commands,
    keys::{Keys, id, position, prev},
    listen::Listener,
};
use super::{Fanout, FanoutError, Notice, RING_EVENTS, Relayed, Ring, RingEvent, Signal, signals::Signals};
use crate::config::RedisConfig;
use app::model::{Position, RoomId};
use async_trait::async_trait;
use bytes::Bytes;
use redis::{
    from_redis_value,
    streams::{StreamId, StreamRangeReply},
};
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc;

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
            let listener = Listener::start(client.clone(), keys.clone(), signals.clone()).await?;
            let fanout = Self { keys, commands: Commands::new(client)?, listener, signals };
            fanout.check().await?;
            Ok(fanout)
        };
        tokio::time::timeout(START, started)
            .await
            .unwrap_or_else(|_| Err(FanoutError(format!("no connection to Redis within {} s", START.as_secs()))))
    }

    /// One script call for each room: Redis may refuse a call (memory is full, say) and take the next one, and then a
    /// room's later event must not get in without the earlier.
    async fn publish_some(&self, events: &[Relayed]) -> Result<(), FanoutError> {
        let mut rooms: Vec<(RoomId, Vec<&Relayed>)> = Vec::new();
        let mut places = std::collections::HashMap::new();
        for event in events {
            let place = *places.entry(event.room).or_insert_with(|| {
                rooms.push((event.room, Vec::new()));
                rooms.len() - 1
            });
            rooms[place].1.push(event);
        }
        let mut calls = redis::pipe();
        for (room, events) in rooms {
            let call = calls.cmd("EVALSHA").arg(self.commands.publish_script()).arg(1).arg(self.keys.ring(room));
            call.arg(self.keys.live(room)).arg(RING_EVENTS).arg(IDLE_RING.as_secs());
            for event in events {
                call.arg(id(event.at)).arg(u8::from(event.first)).arg(&event.payload[..]);
            }
            call.ignore();
        }
        self.commands.ask(&calls).await
    }
}

#[async_trait]
impl Fanout for RedisFanout {
    async fn publish(&self, events: &[Relayed]) -> Result<(), FanoutError> {
        let mut rest = events;
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = rest.iter().take(PUBLISH_EVENTS).take_while(|event| {
                bytes += event.payload.len();
                bytes <= PUBLISH_BYTES
            });
            let (some, later) = rest.split_at(fits.count().max(1));
            self.publish_some(some).await?;
            rest = later;
        }
        Ok(())
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

    fn signals(&self) -> Option<mpsc::Receiver<Signal>> {
        self.signals.take()
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

fn foreign() -> FanoutError {
    FanoutError("a ring holds what Partyline did not put there: is its namespace shared with another program?".into())
}
