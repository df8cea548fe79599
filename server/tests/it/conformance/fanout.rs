//! What [`server::fanout::Fanout`] promises, by both adapters: each guarantee under its name.

pub mod fleet;
mod model;
mod redis_only;
mod ring;

use app::model::{Position, RoomId, SessionId, UserId};
use bytes::Bytes;
use fleet::{Fleet, at, first, next, payload, relayed, ring_event};
use server::fanout::{Batch, Notice, PublishError, RING_EVENTS, Relayed, RingEvent, SIGNALS, Signal};
use std::sync::Arc;
use tokio::task::JoinSet;

macro_rules! conformance {
    ($($name:ident),* $(,)?) => {
        mod local {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(super::fleet::Fleet::local().await).await;
            })*
        }
        mod redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(super::fleet::Fleet::redis().await).await;
            })*
        }
    };
}

conformance! {
    at_most_once_and_in_order_of_publishing,
    watchers_hear_of_their_rooms_only,
    ring_drops_what_is_not_new,
    prev_is_the_top_before,
    prev_of_a_rooms_first_event_is_the_start,
    ring_says_when_it_is_incomplete,
    ring_keeps_the_latest_events,
    heads_are_the_rings_tops,
    notices_reach_every_node,
    what_overflows_is_lost_and_a_gap_follows,
    publishers_that_race_deliver_each_event_once,
    a_new_epoch_is_later_than_any_offset,
    large_batches_arrive_whole,
    signals_are_taken_once_and_check_says_yes,
    a_marker_is_the_latest_that_was_relayed_of_its_partition,
    a_fan_out_that_went_back_takes_nothing,
}

async fn at_most_once_and_in_order_of_publishing(mut fleet: Fleet) {
    let room = RoomId::new();
    fleet.watch(room).await;
    fleet.watch(room).await;
    let batch = [first(room, 3), relayed(room, 5), relayed(room, 6)];
    for _ in 0..3 {
        for node in &fleet.nodes {
            node.publish(&Batch::of(0, &batch)).await.unwrap();
        }
    }
    let expected = [ring_event(at(3), Position::START), ring_event(at(5), at(3)), ring_event(at(6), at(5))];
    fleet.all_hear(room, &expected).await;
}

async fn watchers_hear_of_their_rooms_only(mut fleet: Fleet) {
    let (watched, other, left) = (RoomId::new(), RoomId::new(), RoomId::new());
    fleet.watch(left).await;
    fleet.watch(watched).await;
    for node in &fleet.nodes {
        node.unwatch(left).await;
        node.unwatch(other).await;
    }
    fleet.publish(&[first(other, 1), first(left, 2), first(watched, 3)]).await;
    fleet.all_hear(watched, &[ring_event(at(3), Position::START)]).await;
    // And again after leaving.
    fleet.watch(left).await;
    fleet.publish(&[relayed(left, 4)]).await;
    fleet.all_hear(left, &[ring_event(at(4), at(2))]).await;
}

async fn ring_drops_what_is_not_new(mut fleet: Fleet) {
    let room = RoomId::new();
    fleet.publish(&[first(room, 10)]).await;
    fleet.watch(room).await;
    let changed = Relayed { payload: "changed".into(), ..relayed(room, 10) };
    fleet.publish(&[changed, relayed(room, 9), first(room, 2)]).await;
    fleet.nothing_more().await;
    let (events, complete) = fleet.ring_events(room, Position::START).await;
    assert_eq!((events, complete), (vec![ring_event(at(10), Position::START)], true));
}

async fn prev_is_the_top_before(mut fleet: Fleet) {
    let room = RoomId::new();
    fleet.watch(room).await;
    fleet.publish(&[relayed(room, 4)]).await;
    fleet.publish(&[relayed(room, 7), relayed(room, 8)]).await;
    let expected = [ring_event(at(4), None), ring_event(at(7), at(4)), ring_event(at(8), at(7))];
    fleet.all_hear(room, &expected).await;
    assert_eq!(fleet.ring_events(room, Position::START).await.0, expected);
}

async fn prev_of_a_rooms_first_event_is_the_start(mut fleet: Fleet) {
    let room = RoomId::new();
    fleet.watch(room).await;
    fleet.publish(&[first(room, 0)]).await;
    let expected = [ring_event(at(0), Position::START)];
    fleet.all_hear(room, &expected).await;
    assert_eq!(fleet.ring_events(room, Position::START).await, (expected.to_vec(), true));
}

async fn ring_says_when_it_is_incomplete(fleet: Fleet) {
    let (empty, cut, whole) = (RoomId::new(), RoomId::new(), RoomId::new());
    fleet.publish(&[relayed(cut, 10), relayed(cut, 20), first(whole, 1), relayed(whole, 5)]).await;
    for (room, after, events, complete) in [
        (empty, Position::START, 0, false),
        (empty, at(3), 0, false),
        // Nobody knows what came before 10.
        (cut, Position::START, 2, false),
        (cut, at(9), 2, false),
        (cut, at(10), 1, true),
        (cut, at(15), 1, true),
        (cut, at(20), 0, true),
        (cut, at(21), 0, true),
        (whole, Position::START, 2, true),
        (whole, at(1), 1, true),
        (whole, at(5), 0, true),
    ] {
        let ring = fleet.nodes[0].ring(room, after).await.unwrap();
        assert_eq!((ring.events.len(), ring.complete), (events, complete), "after {after}");
        let top = [(cut, at(20)), (whole, at(5))].into_iter().find(|(r, _)| *r == room).map(|(_, top)| top);
        assert_eq!(ring.top, top);
    }
}

async fn ring_keeps_the_latest_events(fleet: Fleet) {
    let room = RoomId::new();
    let events: Vec<Relayed> =
        (0..RING_EVENTS as u64 + 10).map(|o| Relayed { first: o == 0, ..relayed(room, o) }).collect();
    fleet.publish(&events).await;
    let (kept, complete) = fleet.ring_events(room, Position::START).await;
    assert_eq!((kept.len(), complete), (RING_EVENTS, false));
    assert_eq!(kept[0], ring_event(at(10), at(9)));
    // What links back to the oldest one is there.
    let (kept, complete) = fleet.ring_events(room, at(9)).await;
    assert_eq!((kept.len(), complete), (RING_EVENTS, true));
    let (kept, complete) = fleet.ring_events(room, at(8)).await;
    assert_eq!((kept.len(), complete), (RING_EVENTS, false));
}

async fn heads_are_the_rings_tops(fleet: Fleet) {
    let rooms: Vec<RoomId> = (0..1_500).map(|_| RoomId::new()).collect();
    let events: Vec<Relayed> = rooms.iter().step_by(2).zip(7..).map(|(room, o)| relayed(*room, o)).collect();
    fleet.publish(&events).await;
    let heads = fleet.nodes.last().unwrap().heads(&rooms).await.unwrap();
    let expected: Vec<_> = (0..1_500).map(|i| (i % 2 == 0).then(|| at(7 + i / 2))).collect();
    assert_eq!(heads, expected);
    assert_eq!(fleet.nodes[0].heads(&[]).await.unwrap(), []);
}

async fn notices_reach_every_node(mut fleet: Fleet) {
    let notices = [
        Notice::SessionsEnded { sessions: vec![SessionId::new(), SessionId::new()] },
        Notice::Typing { room: RoomId::new(), user: "lin".into() },
        Notice::MemberChanged {
            room: RoomId::new(),
            user: UserId::new(),
            role: None,
            at: Position::new(1, 7),
            removed: false,
        },
    ];
    for notice in &notices {
        for node in &fleet.nodes {
            node.tell(notice).await.unwrap();
        }
        for heard in &mut fleet.heard {
            for _ in &fleet.nodes {
                assert_eq!(next(heard).await, Signal::Notice(notice.clone()));
            }
        }
    }
    fleet.nothing_more().await;
}

async fn what_overflows_is_lost_and_a_gap_follows(mut fleet: Fleet) {
    let room = RoomId::new();
    fleet.watch(room).await;
    let events: Vec<Relayed> = (0..SIGNALS as u64 + 500).map(|offset| relayed(room, offset)).collect();
    fleet.publish(&events).await;
    // Watching answers behind what was published before: then everything has arrived, or is lost.
    fleet.watch(RoomId::new()).await;
    for heard in &mut fleet.heard {
        for offset in 0..SIGNALS as u64 {
            assert!(matches!(next(heard).await, Signal::Event { event, .. } if event.at == at(offset)));
        }
        assert_eq!(next(heard).await, Signal::Gap);
    }
    // And it goes on.
    let last = SIGNALS as u64 + 500;
    fleet.publish(&[relayed(room, last)]).await;
    fleet.all_hear(room, &[ring_event(at(last), at(last - 1))]).await;
}

async fn publishers_that_race_deliver_each_event_once(mut fleet: Fleet) {
    const EVENTS: u64 = 240;
    let room = RoomId::new();
    fleet.watch(room).await;
    let events: Arc<Vec<Relayed>> =
        Arc::new((0..EVENTS).map(|n| Relayed { first: n == 0, ..relayed(room, 3 * n) }).collect());
    let mut publishers = JoinSet::new();
    for publisher in 0..8 {
        let (node, events) = (fleet.nodes[publisher % fleet.nodes.len()].clone(), events.clone());
        publishers.spawn(async move {
            // Each in batches of its own size, some of it again and again.
            for batch in events.windows(publisher + 1) {
                node.publish(&Batch::of(0, batch)).await.unwrap();
            }
        });
    }
    publishers.join_all().await;
    let expected: Vec<RingEvent> =
        (0..EVENTS).map(|n| ring_event(at(3 * n), if n == 0 { Position::START } else { at(3 * (n - 1)) })).collect();
    fleet.all_hear(room, &expected).await;
    assert_eq!(fleet.ring_events(room, Position::START).await, (expected, true));
}

async fn a_new_epoch_is_later_than_any_offset(mut fleet: Fleet) {
    let room = RoomId::new();
    fleet.watch(room).await;
    let (old, new) = (at(u64::MAX), Position::new(2, 0));
    let relay = |at| Relayed { room, at, first: false, payload: payload(at) };
    fleet.publish(&[relay(old), relay(new), relay(old)]).await;
    fleet.all_hear(room, &[ring_event(old, None), ring_event(new, old)]).await;
    assert_eq!(fleet.nodes[0].heads(&[room]).await.unwrap(), [Some(new)]);
}

async fn large_batches_arrive_whole(mut fleet: Fleet) {
    let (room, other) = (RoomId::new(), RoomId::new());
    fleet.watch(room).await;
    let payload = Bytes::from(vec![b'x'; 60_000]);
    let mut events = Vec::new();
    for offset in 0..100 {
        events.push(Relayed { payload: payload.clone(), ..relayed(room, offset) });
        events.push(relayed(other, offset));
    }
    fleet.publish(&events).await;
    let expected: Vec<RingEvent> =
        (0..100).map(|o| RingEvent { at: at(o), prev: o.checked_sub(1).map(at), payload: payload.clone() }).collect();
    fleet.all_hear(room, &expected).await;
    assert_eq!(fleet.nodes[0].heads(&[other]).await.unwrap(), [Some(at(99))]);
}

async fn signals_are_taken_once_and_check_says_yes(fleet: Fleet) {
    for node in &fleet.nodes {
        assert!(node.signals().is_none());
        node.check().await.unwrap();
    }
}

async fn a_marker_is_the_latest_that_was_relayed_of_its_partition(fleet: Fleet) {
    let node = fleet.nodes.last().unwrap();
    assert_eq!(node.relayed(&[]).await.unwrap(), []);
    assert_eq!(node.relayed(&[3, 4]).await.unwrap(), [None, None]);
    let events: Vec<Relayed> = (0..700).map(|_| RoomId::new()).zip(0..).map(|(room, o)| first(room, o)).collect();
    let batch = |upto, events| Batch { partition: 3, after: None, upto, events };
    fleet.nodes[0].publish(&batch(at(720), &events)).await.unwrap();
    assert_eq!(node.relayed(&[4, 3]).await.unwrap(), [None, Some(at(720))]);
    // An old owner comes late, with what has long been relayed.
    fleet.nodes[0].publish(&batch(at(5), &events[..5])).await.unwrap();
    fleet.nodes[0].publish(&batch(at(9), &[])).await.unwrap();
    assert_eq!(node.relayed(&[3]).await.unwrap(), [Some(at(720))]);
    fleet.nodes[0].publish(&batch(Position::new(2, 0), &[])).await.unwrap();
    assert_eq!(node.relayed(&[3]).await.unwrap(), [Some(Position::new(2, 0))], "a new epoch is later");
    assert!(*node.hearing().borrow());
}

async fn a_fan_out_that_went_back_takes_nothing(mut fleet: Fleet) {
    let room = RoomId::new();
    fleet.watch(room).await;
    let node = fleet.nodes[0].clone();
    let (five, six, seven) = ([first(room, 5)], [relayed(room, 6)], [relayed(room, 7)]);
    let batch = |after, upto, events| Batch { partition: 0, after, upto, events };
    // It knows nothing, and the relay knows that it did.
    let refused = node.publish(&batch(Some(at(4)), at(5), &five)).await;
    assert!(matches!(refused, Err(PublishError::WentBack { marker: None })), "{refused:?}");
    node.publish(&batch(None, at(5), &five)).await.unwrap();
    let refused = node.publish(&batch(Some(at(6)), at(7), &seven)).await;
    assert!(matches!(refused, Err(PublishError::WentBack { marker: Some(marker) }) if marker == at(5)), "{refused:?}");
    node.publish(&batch(Some(at(5)), at(6), &six)).await.unwrap();
    node.publish(&batch(Some(at(6)), at(7), &seven)).await.unwrap();
    let expected = [ring_event(at(5), Position::START), ring_event(at(6), at(5)), ring_event(at(7), at(6))];
    fleet.all_hear(room, &expected).await;
}
