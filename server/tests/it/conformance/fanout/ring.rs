//! What a watcher hears and what rings say is never a lie: whoever follows the receiver's rule ends with every event,
//! once and in order, whatever the relays do again and whatever rings are lost.

use super::fleet::{Fleet, next, payload, relayed};
use crate::support::setting;
use app::model::{Position, RoomId};
use proptest::{
    collection::vec,
    prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof},
    sample::Index,
    test_runner::{Config, TestCaseError, TestRunner},
};
use server::fanout::{Notice, RING_EVENTS, Relayed, Signal};

#[derive(Clone, Debug)]
enum Step {
    /// The relay publishes the next events, in one batch.
    Relay(usize),
    /// A burst that is longer than a ring.
    Burst,
    /// The relay was started anew, and begins again so many events before.
    Again(usize),
    /// Another relay publishes some old stretch: a paused owner that woke up.
    Late(Index, usize),
    /// The ring is gone: memory was short, or the process was started anew.
    LoseRing,
    /// The watcher does not hear the next events: fan-out is at most once.
    Deaf(usize),
    /// The watcher looks after what it may have missed.
    CompareHeads,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (1..6_usize).prop_map(Step::Relay),
        1 => Just(Step::Burst),
        3 => (0..8_usize).prop_map(Step::Again),
        2 => (any::<Index>(), 1..6_usize).prop_map(|(i, n)| Step::Late(i, n)),
        2 => Just(Step::LoseRing),
        2 => (1..6_usize).prop_map(Step::Deaf),
        2 => Just(Step::CompareHeads),
    ]
}

/// The room's events as the log has them, the relay's place in them, and a watcher.
struct World<'a> {
    fleet: &'a mut Fleet,
    room: RoomId,
    /// Whether the room's making is among the events.
    from_the_start: bool,
    log: Vec<Position>,
    relayed: usize,
    /// What the watcher has applied, and where it is.
    seen: Vec<Position>,
    mine: Position,
}

impl World<'_> {
    fn events(&self, range: std::ops::Range<usize>) -> Vec<Relayed> {
        let first = |n: usize| n == 0 && self.from_the_start;
        range.map(|n| Relayed { first: first(n), ..relayed(self.room, self.log[n].offset) }).collect()
    }

    async fn publish(&self, range: std::ops::Range<usize>) {
        if !range.is_empty() {
            self.fleet.publish(&self.events(range)).await;
        }
    }

    /// Everything that was published is heard, by the receiver's rule.
    async fn hear(&mut self) -> Result<(), TestCaseError> {
        let barrier = Notice::Typing { room: RoomId::new(), user: "ada".into() };
        self.fleet.nodes[0].tell(&barrier).await.unwrap();
        for node in 0..self.fleet.heard.len() {
            loop {
                match next(&mut self.fleet.heard[node]).await {
                    Signal::Notice(notice) if notice == barrier => break,
                    Signal::Event { event, .. } if node == 0 => {
                        prop_assert_eq!(&event.payload, &payload(event.at));
                        if event.at <= self.mine {
                            continue;
                        }
                        match event.prev {
                            Some(prev) if prev <= self.mine => self.apply(event.at),
                            _ => self.repair().await?,
                        }
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn apply(&mut self, at: Position) {
        self.seen.push(at);
        self.mine = at;
    }

    /// From the ring if it is complete, else from the log.
    async fn repair(&mut self) -> Result<(), TestCaseError> {
        let ring = self.fleet.nodes[0].ring(self.room, self.mine).await.unwrap();
        let top = ring.top.unwrap_or(Position::START);
        if ring.complete {
            for event in ring.events {
                prop_assert!(event.at > self.mine, "in order, and after what was asked");
                self.apply(event.at);
            }
            prop_assert_eq!(self.mine, top.max(self.mine));
        } else {
            let missed: Vec<_> = self.log[..self.relayed].iter().filter(|at| **at > self.mine).copied().collect();
            missed.into_iter().for_each(|at| self.apply(at));
        }
        Ok(())
    }

    async fn step(&mut self, step: &Step, lose: &mut impl AsyncFnMut(RoomId)) -> Result<(), TestCaseError> {
        match step {
            Step::Relay(count) => self.relay(*count).await,
            Step::Burst => self.relay(RING_EVENTS + 5).await,
            Step::Again(back) => {
                let from = self.relayed.saturating_sub(*back);
                self.publish(from..self.relayed).await;
            }
            Step::Late(i, count) => {
                let from = i.index(self.relayed.clamp(1, 24));
                self.publish(from..(from + count).min(self.relayed)).await;
            }
            Step::LoseRing => lose(self.room).await,
            Step::Deaf(count) => {
                let before = (self.mine, self.seen.len());
                self.relay(*count).await;
                self.hear().await?;
                self.mine = before.0;
                self.seen.truncate(before.1);
            }
            Step::CompareHeads => {
                let head = self.fleet.nodes[0].heads(&[self.room]).await.unwrap()[0];
                prop_assert!(
                    head.is_none_or(|head| self.log[..self.relayed].contains(&head)),
                    "a head that was relayed"
                );
                if head.is_some_and(|head| head > self.mine) {
                    self.repair().await?;
                }
            }
        }
        self.hear().await
    }

    async fn relay(&mut self, count: usize) {
        let upto = (self.relayed + count).min(self.log.len());
        let from = std::mem::replace(&mut self.relayed, upto);
        self.publish(from..upto).await;
    }
}

fn never_a_lie(mut fleet: Fleet, runtime: &tokio::runtime::Runtime, mut lose: impl AsyncFnMut(RoomId)) {
    let gaps = vec(1..4_u64, 40..900);
    let mut runner = TestRunner::new(Config { cases: 64, failure_persistence: None, ..Config::default() });
    let fleet = std::cell::RefCell::new(&mut fleet);
    let lose = std::cell::RefCell::new(&mut lose);
    let outcome = runner.run(&(gaps, vec(step(), 1..40), any::<bool>()), |(gaps, steps, from_the_start)| {
        let mut fleet = fleet.borrow_mut();
        let mut lose = lose.borrow_mut();
        runtime.block_on(async {
            let room = RoomId::new();
            fleet.partition += 1;
            fleet.watch(room).await;
            let mut offset = 0;
            let log: Vec<Position> = gaps
                .iter()
                .map(|gap| {
                    offset += gap;
                    Position::new(1, offset)
                })
                .collect();
            let mut world =
                World { fleet: &mut fleet, room, from_the_start, log, relayed: 0, seen: vec![], mine: Position::START };
            for step in &steps {
                world.step(step, &mut **lose).await?;
                // Nothing is passed over, and nothing comes twice.
                prop_assert_eq!(&world.seen[..], &world.log[..world.seen.len()]);
                let rings = world.fleet.nodes[0].ring(room, Position::START).await.unwrap();
                let places: Vec<Position> = rings.events.iter().map(|e| e.at).collect();
                prop_assert!(!rings.complete || places == world.log[..places.len()], "complete means all");
            }
            world.relay(usize::MAX / 2).await;
            world.hear().await?;
            if world.seen.len() < world.log.len() {
                // The last of a quiet room: found by its head.
                world.repair().await?;
            }
            prop_assert_eq!(world.seen, world.log);
            let node = world.fleet.nodes.clone();
            for node in node {
                node.unwatch(room).await;
            }
            Ok(())
        })
    });
    outcome.unwrap();
}

#[test]
fn local_ring_never_lies() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let fleet = runtime.block_on(Fleet::local());
    // In process a ring is lost with the process only, and with it all that follow it.
    never_a_lie(fleet, &runtime, async |_| {});
}

#[test]
fn redis_ring_never_lies() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let fleet = runtime.block_on(Fleet::redis());
    let namespace = fleet.namespace.clone();
    let client = redis::Client::open(setting("PARTYLINE_TEST_REDIS_URL")).unwrap();
    let operator = runtime.block_on(client.get_multiplexed_async_connection()).unwrap();
    never_a_lie(fleet, &runtime, async |room| {
        let ring = format!("{namespace}:{{{room}}}:ring");
        let () = redis::cmd("DEL").arg(ring).query_async(&mut operator.clone()).await.unwrap();
    });
}
