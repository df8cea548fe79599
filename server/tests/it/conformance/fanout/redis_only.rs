//! What only a fan-out with connections can show.

use super::fleet::{Fleet, at, first, next, relayed, ring_event};
use crate::support::setting;
use app::model::{Position, RoomId};
use redis::{Client, aio::MultiplexedConnection, cmd, pipe};
use server::fanout::{RING_EVENTS, Relayed, Signal};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// A connection of an operator.
async fn operator() -> MultiplexedConnection {
    let client = Client::open(setting("PARTYLINE_TEST_REDIS_URL")).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

/// In process there is no connection to lose: of a gap there, see `what_overflows_is_lost_and_a_gap_follows`.
#[tokio::test]
async fn gap_after_reconnection() {
    let mut fleet = Fleet::redis().await;
    let rooms: Vec<RoomId> = (0..600).map(|_| RoomId::new()).collect();
    for room in &rooms {
        fleet.watch(*room).await;
    }
    let mut operator = operator().await;
    let name = format!(" name={}:notices ", fleet.namespace);
    let list: String = cmd("CLIENT").arg("LIST").query_async(&mut operator).await.unwrap();
    let ours: Vec<&str> = list.lines().filter(|line| line.contains(&name)).collect();
    assert_eq!(ours.len(), fleet.nodes.len());
    for line in ours {
        let id = line.split(' ').find_map(|word| word.strip_prefix("id=")).unwrap();
        let _: i64 = cmd("CLIENT").arg("KILL").arg("ID").arg(id).query_async(&mut operator).await.unwrap();
    }
    for heard in &mut fleet.heard {
        assert_eq!(next(heard).await, Signal::Gap);
    }
    // By the time of the gap every room is heard again.
    let events: Vec<Relayed> = rooms.iter().zip(0..).map(|(room, offset)| first(*room, offset)).collect();
    fleet.publish(&events).await;
    for heard in &mut fleet.heard {
        for (room, offset) in rooms.iter().zip(0..) {
            let event = ring_event(at(offset), Position::START);
            assert_eq!(next(heard).await, Signal::Event { room: *room, event });
        }
    }
    fleet.nothing_more().await;
    for node in &fleet.nodes {
        node.check().await.unwrap();
    }
}

#[tokio::test]
async fn publishes_after_it_forgot_the_scripts() {
    let mut fleet = Fleet::redis().await;
    let room = RoomId::new();
    fleet.watch(room).await;
    fleet.publish(&[first(room, 1)]).await;
    let _: () = cmd("SCRIPT").arg("FLUSH").query_async(&mut operator().await).await.unwrap();
    fleet.publish(&[relayed(room, 2)]).await;
    fleet.all_hear(room, &[ring_event(at(1), Position::START), ring_event(at(2), at(1))]).await;
}

#[tokio::test]
async fn rings_expire_when_idle_and_keep_their_length() {
    let fleet = Fleet::redis().await;
    let room = RoomId::new();
    let events: Vec<Relayed> = (0..600).map(|offset| relayed(room, offset)).collect();
    fleet.publish(&events).await;
    let key = format!("{}:{{{room}}}:ring", fleet.namespace);
    let mut ask = pipe();
    let (length, seconds): (usize, u64) = ask.xlen(&key).ttl(&key).query_async(&mut operator().await).await.unwrap();
    assert_eq!(length, RING_EVENTS);
    assert!((6 * 24 * 3600..=7 * 24 * 3600).contains(&seconds), "{seconds} s");
}

#[tokio::test]
async fn installations_with_other_namespaces_hear_nothing_of_each_other() {
    let (mut one, mut two) = (Fleet::redis().await, Fleet::redis().await);
    let room = RoomId::new();
    one.watch(room).await;
    two.watch(room).await;
    one.publish(&[first(room, 1)]).await;
    one.all_hear(room, &[ring_event(at(1), Position::START)]).await;
    two.nothing_more().await;
    assert_eq!(two.nodes[0].heads(&[room]).await.unwrap(), [None]);
}

#[tokio::test]
async fn loses_its_connections_with_the_last_owner() {
    let fleet = Fleet::redis().await;
    let name = format!(" name={}:notices ", fleet.namespace);
    drop(fleet);
    let mut operator = operator().await;
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let list: String = cmd("CLIENT").arg("LIST").query_async(&mut operator).await.unwrap();
        if !list.contains(&name) {
            return;
        }
        assert!(Instant::now() < deadline, "still connected: {list}");
        sleep(Duration::from_millis(10)).await;
    }
}
