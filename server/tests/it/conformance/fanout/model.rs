//! Rings against a model: the list of all that a ring ever took.

use super::fleet::{Fleet, payload, ring_event};
use app::model::{Position, RoomId};
use proptest::{
    collection::vec,
    prelude::{Just, any, prop_assert_eq, prop_oneof},
    test_runner::{Config, TestRunner},
};
use server::fanout::{Relayed, RingEvent};

/// An event of the model's room: how far from the base, of which epoch, as its first?
type Planned = (u64, u32, bool);

/// What a ring has to say, told from the list of all that it ever took.
fn ring_agrees_with_the_model(fleet: Fleet, runtime: &tokio::runtime::Runtime) {
    // Where digits get more, where doubles end, and where 64 bits end.
    let base = prop_oneof![Just(0), Just(90), Just((1 << 53) - 20), Just(u64::MAX - 40)];
    let batches = vec(vec((0_u64..40, 1_u32..3, any::<bool>()), 1..6), 1..12);
    let mut runner = TestRunner::new(Config { cases: 48, failure_persistence: None, ..Config::default() });
    let fleet = std::cell::RefCell::new(fleet);
    let outcome = runner.run(&(base, batches), |(base, batches): (u64, Vec<Vec<Planned>>)| {
        fleet.borrow_mut().partition += 1;
        let fleet = fleet.borrow();
        let room = RoomId::new();
        let mut taken: Vec<(RingEvent, bool)> = Vec::new();
        for batch in batches {
            let events: Vec<Relayed> = batch
                .into_iter()
                .map(|(step, epoch, first)| {
                    let at = Position::new(epoch, base + step);
                    Relayed { room, at, first, payload: payload(at) }
                })
                .collect();
            runtime.block_on(fleet.publish(&events));
            for Relayed { at, first, .. } in events {
                let top = taken.last().map(|(event, _)| event.at);
                if Some(at) > top {
                    taken.push((ring_event(at, top.or(first.then_some(Position::START))), first));
                }
            }
        }
        let (oldest, since_the_start) = (taken[0].0.at, taken[0].1);
        let asked = taken.iter().map(|(event, _)| event.at).chain([Position::START, Position::new(2, base + 17)]);
        for after in asked.collect::<Vec<_>>() {
            let ring = runtime.block_on(fleet.nodes[0].ring(room, after)).unwrap();
            let later: Vec<RingEvent> = taken.iter().map(|t| t.0.clone()).filter(|e| e.at > after).collect();
            prop_assert_eq!(ring.events, later);
            prop_assert_eq!(ring.top, taken.last().map(|t| t.0.at));
            prop_assert_eq!(ring.complete, since_the_start || after >= oldest);
        }
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn local_ring_agrees_with_the_model() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    ring_agrees_with_the_model(runtime.block_on(Fleet::local()), &runtime);
}

#[test]
fn redis_ring_agrees_with_the_model() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    ring_agrees_with_the_model(runtime.block_on(Fleet::redis()), &runtime);
}
