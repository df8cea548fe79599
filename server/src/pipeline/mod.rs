//! Step 3 of a message's way: two consumer groups read the log, one into the
//! store ([`persist`]), one into the fan-out ([`relay`]). Neither waits for the
//! other, and neither waits for a client.

use crate::log::{Assigned, Entry, Log};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

pub mod expire;
pub mod index;
pub mod persist;
mod posts;
pub mod relay;
mod rounds;
pub mod sweep;
pub mod unnamed;
pub mod watch;

/// The wait before a failed part is started again: doubled each time up to the longest, and back to the shortest once
/// it has run this long without failing.
const RESTART_FIRST: Duration = Duration::from_millis(250);
const RESTART_LONGEST: Duration = Duration::from_secs(10);
const RESTART_FORGIVEN: Duration = Duration::from_secs(60);

/// How a part of the pipeline is doing.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// It has been started.
    Running,
    /// It runs, and waits for something that is away.
    Waiting {
        /// For what; not for everybody to read.
        #[serde(skip)]
        reason: String,
    },
    /// It failed and will be started again.
    Restarting {
        /// Why it failed; not for everybody to read.
        #[serde(skip)]
        reason: String,
    },
    /// It runs, but some partitions stand still until an operator looks: the log says why.
    Stuck {
        /// Which.
        partitions: Vec<u32>,
    },
    /// It was told to stop.
    Stopped,
}

/// How each part is doing, for `/readyz` and the metrics.
#[derive(Clone, Default)]
pub struct Health {
    states: Arc<Mutex<BTreeMap<&'static str, State>>>,
    stuck: Arc<Mutex<BTreeSet<(&'static str, u32)>>>,
}

impl Health {
    /// Notes a part's state.
    pub fn set(&self, part: &'static str, state: State) {
        metrics::gauge!("partyline_part_running", "part" => part).set(f64::from(u8::from(state == State::Running)));
        self.states.lock().unwrap_or_else(PoisonError::into_inner).insert(part, state);
    }

    /// Notes that a partition of a part stands still, or goes on again.
    pub fn stuck(&self, part: &'static str, partition: u32, stuck_now: bool) {
        let mut stuck = self.stuck.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = if stuck_now { stuck.insert((part, partition)) } else { stuck.remove(&(part, partition)) };
        if changed {
            let count = stuck.iter().filter(|(of, _)| *of == part).count();
            metrics::gauge!("partyline_partitions_stuck", "part" => part).set(count as f64);
        }
    }

    /// Every part's state.
    pub fn states(&self) -> BTreeMap<&'static str, State> {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let stuck = self.stuck.lock().unwrap_or_else(PoisonError::into_inner);
        for (part, state) in &mut states {
            let partitions: Vec<u32> = stuck.iter().filter(|(of, _)| of == part).map(|(_, p)| *p).collect();
            if !partitions.is_empty() {
                *state = State::Stuck { partitions };
            }
        }
        states
    }
}

/// Runs a part until `stop`; when it fails, notes why, waits, and starts it again.
pub async fn supervise<F, R>(part: &'static str, health: Health, stop: CancellationToken, run: F)
where
    F: Fn() -> R,
    R: Future<Output = anyhow::Result<()>>,
{
    let mut wait = RESTART_FIRST;
    loop {
        let begun = Instant::now();
        health.set(part, State::Running);
        let reason = tokio::select! {
            () = stop.cancelled() => break,
            ended = run() => match ended {
                Ok(()) if stop.is_cancelled() => break,
                Ok(()) => "it ended by itself".to_owned(),
                Err(e) => format!("{e:#}"),
            },
        };
        if begun.elapsed() > RESTART_FORGIVEN {
            wait = RESTART_FIRST;
        }
        let jittered = wait.mul_f64(rand::random_range(0.5..1.0));
        tracing::error!(part, reason, wait_ms = jittered.as_millis() as u64, "a part failed and is started again");
        metrics::counter!("partyline_part_restarts_total", "part" => part).increment(1);
        health.set(part, State::Restarting { reason });
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(jittered) => {}
        }
        wait = (wait * 2).min(RESTART_LONGEST);
    }
    health.set(part, State::Stopped);
}

/// How far a partition's reader is behind the log's end, as a gauge; asked for every five seconds.
struct Lag {
    gauge: metrics::Gauge,
    done: u64,
    asked: Instant,
}

impl Lag {
    const EVERY: Duration = Duration::from_secs(5);

    fn new(gauge: metrics::Gauge) -> Self {
        Self { gauge, done: 0, asked: Instant::now() }
    }

    /// The next batch; meanwhile the gauge follows the log's end. An empty one every five seconds in which there was none.
    async fn next(&mut self, log: &dyn Log, assigned: &mut Assigned) -> Option<Vec<Entry>> {
        let due = (self.asked + Self::EVERY).into();
        if let Ok(entries) = tokio::time::timeout_at(due, assigned.entries.recv()).await {
            return entries;
        }
        if self.done > 0
            && let Ok(end) = log.end(assigned.partition).await
        {
            self.gauge.set(end.saturating_sub(self.done) as f64);
        }
        self.asked = Instant::now();
        Some(Vec::new())
    }
}

/// Waits between tries of something that is away: 100 ms, doubled up to 5 s.
struct Backoff(Duration);

impl Backoff {
    const FIRST: Duration = Duration::from_millis(100);
    const LONGEST: Duration = Duration::from_secs(5);

    fn new() -> Self {
        Self(Self::FIRST)
    }

    async fn wait(&mut self) {
        tokio::time::sleep(self.0.mul_f64(rand::random_range(0.5..1.0))).await;
        self.0 = (self.0 * 2).min(Self::LONGEST);
    }
}
