//! Redis goes and comes back.

use crate::support::setting;
use app::model::{Position, RoomId};
use chaos::proxy::{Proxy, Way};
use server::{
    config::RedisConfig,
    fanout::{Batch, Fanout, Relayed, RingEvent, Signal, redis::RedisFanout},
};
use std::time::{Duration, Instant};
use tokio::{sync::mpsc, time::timeout};

/// A node behind a proxy, and another that reaches Redis all the time.
async fn nodes() -> (Proxy, RedisFanout, RedisFanout) {
    let url = setting("PARTYLINE_TEST_REDIS_URL");
    let (proxy, through) = Proxy::in_url(&url).await.unwrap();
    let namespace = format!("test-{}", uuid::Uuid::new_v4());
    let config = |url: String| RedisConfig { url: url.into(), namespace: namespace.clone(), ca: None };
    let node = RedisFanout::connect(&config(through)).await.unwrap();
    let other = RedisFanout::connect(&config(url)).await.unwrap();
    (proxy, node, other)
}

fn event(room: RoomId, offset: u64) -> Relayed {
    Relayed { room, at: Position::new(1, offset), first: offset == 0, payload: offset.to_string().into() }
}

fn heard_event(room: RoomId, offset: u64) -> Signal {
    let prev = offset.checked_sub(1).map_or(Position::START, |o| Position::new(1, o));
    let payload = offset.to_string().into();
    Signal::Event { room, event: RingEvent { at: Position::new(1, offset), prev: Some(prev), payload } }
}

async fn next(heard: &mut mpsc::Receiver<Signal>) -> Signal {
    timeout(Duration::from_secs(10), heard.recv()).await.expect("a signal in time").expect("the fan-out is there")
}

/// Takes no longer than the caller of the port may be held up, and fails.
async fn fails_in_time<T: std::fmt::Debug, E: std::fmt::Debug>(call: impl Future<Output = Result<T, E>>) {
    let begun = Instant::now();
    call.await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_millis(2_500), "{:?}", begun.elapsed());
}

async fn goes_and_comes_back(way: Way) {
    let (proxy, node, other) = nodes().await;
    let mut heard = node.signals().unwrap();
    let (before, meanwhile, left) = (RoomId::new(), RoomId::new(), RoomId::new());
    node.watch(before).await.unwrap();
    node.watch(left).await.unwrap();
    other.publish(&Batch::of(0, &[event(before, 0)])).await.unwrap();
    assert_eq!(next(&mut heard).await, heard_event(before, 0));

    proxy.set(way);
    fails_in_time(node.publish(&Batch::of(0, &[event(before, 1)]))).await;
    fails_in_time(node.watch(meanwhile)).await;
    fails_in_time(node.heads(&[before])).await;
    fails_in_time(node.ring(before, Position::START)).await;
    fails_in_time(node.check()).await;
    timeout(Duration::from_millis(2_500), node.unwatch(left)).await.unwrap();
    other.publish(&Batch::of(0, &[event(before, 1)])).await.unwrap();
    other.publish(&Batch::of(1, &[event(meanwhile, 0)])).await.unwrap();

    proxy.set(Way::Open);
    assert_eq!(next(&mut heard).await, Signal::Gap);
    // What was missed is in the ring.
    let ring = node.ring(before, Position::new(1, 0)).await.unwrap();
    assert_eq!((ring.top, ring.complete), (Some(Position::new(1, 1)), true));
    // Heard are the rooms that are wanted by now.
    node.publish(&Batch::of(2, &[event(left, 0)])).await.unwrap();
    node.publish(&Batch::of(1, &[event(meanwhile, 1)])).await.unwrap();
    node.publish(&Batch::of(0, &[event(before, 1), event(before, 2)])).await.unwrap();
    assert_eq!(next(&mut heard).await, heard_event(meanwhile, 1));
    assert_eq!(next(&mut heard).await, heard_event(before, 2));
    node.check().await.unwrap();
}

#[tokio::test]
async fn a_node_that_lost_redis_says_so_at_once_and_hears_again_what_it_wanted() {
    goes_and_comes_back(Way::Closed).await;
}

#[tokio::test]
async fn a_node_whose_packets_vanish_says_so_in_time_and_hears_again_what_it_wanted() {
    goes_and_comes_back(Way::Hole).await;
}
