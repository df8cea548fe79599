//! Nodes of one installation, and what they hear.

use crate::support::setting;
use app::model::{Position, RoomId};
use bytes::Bytes;
use server::{
    config::RedisConfig,
    fanout::{Batch, Fanout, Notice, Relayed, RingEvent, Signal, local::LocalFanout, redis::RedisFanout},
};
use std::{sync::Arc, time::Duration};
use tokio::{sync::mpsc, time::timeout};

/// The nodes of one installation, and what each hears.
pub struct Fleet {
    pub namespace: String,
    pub nodes: Vec<Arc<dyn Fanout>>,
    pub heard: Vec<mpsc::Receiver<Signal>>,
    /// Whose events [`Self::publish`] publishes. Events of another story need another one: its marker says what is old.
    pub partition: u32,
}

impl Fleet {
    pub async fn local() -> Self {
        Self::of(String::new(), vec![Arc::new(LocalFanout::new())])
    }

    pub async fn redis() -> Self {
        let namespace = format!("test-{}", uuid::Uuid::new_v4());
        let config =
            RedisConfig { url: setting("PARTYLINE_TEST_REDIS_URL").into(), namespace: namespace.clone(), ca: None };
        let mut nodes: Vec<Arc<dyn Fanout>> = Vec::new();
        for _ in 0..3 {
            nodes.push(Arc::new(RedisFanout::connect(&config).await.unwrap()));
        }
        Self::of(namespace, nodes)
    }

    fn of(namespace: String, nodes: Vec<Arc<dyn Fanout>>) -> Self {
        let heard = nodes.iter().map(|node| node.signals().unwrap()).collect();
        Self { namespace, nodes, heard, partition: 0 }
    }

    pub async fn watch(&self, room: RoomId) {
        for node in &self.nodes {
            node.watch(room).await.unwrap();
        }
    }

    /// Each time through another node, as far as there are some.
    pub async fn publish(&self, events: &[Relayed]) {
        let node = &self.nodes[events.len() % self.nodes.len()];
        node.publish(&Batch::of(self.partition, events)).await.unwrap();
    }

    pub async fn ring_events(&self, room: RoomId, after: Position) -> (Vec<RingEvent>, bool) {
        let ring = self.nodes[0].ring(room, after).await.unwrap();
        (ring.events, ring.complete)
    }

    /// Every node hears exactly these events, and then nothing.
    pub async fn all_hear(&mut self, room: RoomId, events: &[RingEvent]) {
        for heard in &mut self.heard {
            for event in events {
                assert_eq!(next(heard).await, Signal::Event { room, event: event.clone() });
            }
        }
        self.nothing_more().await;
    }

    /// No node hears anything but what is said now.
    pub async fn nothing_more(&mut self) {
        let said = Notice::Typing { room: RoomId::new(), user: "ada".into() };
        self.nodes[0].tell(&said).await.unwrap();
        for heard in &mut self.heard {
            assert_eq!(next(heard).await, Signal::Notice(said.clone()));
        }
    }
}

pub async fn next(heard: &mut mpsc::Receiver<Signal>) -> Signal {
    timeout(Duration::from_secs(10), heard.recv()).await.expect("a signal in time").expect("the fan-out is there")
}

pub fn at(offset: u64) -> Position {
    Position::new(1, offset)
}

pub fn payload(at: Position) -> Bytes {
    // Spaces and zero bytes must come through.
    format!("{{\"at\": \"{at}\", \"\0\"}}").into()
}

pub fn relayed(room: RoomId, offset: u64) -> Relayed {
    Relayed { room, at: at(offset), first: false, payload: payload(at(offset)) }
}

pub fn first(room: RoomId, offset: u64) -> Relayed {
    Relayed { first: true, ..relayed(room, offset) }
}

pub fn ring_event(at: Position, prev: impl Into<Option<Position>>) -> RingEvent {
    RingEvent { at, prev: prev.into(), payload: payload(at) }
}
