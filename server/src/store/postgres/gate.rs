//! The way to a connection, kept narrow while the server is silent.
//!
//! Each question that waits for a silent server would open one more session and
//! give it up, until the server has none left for anybody. So only as many wait
//! as there may be connections, and once one has waited in vain, one at a time.

use super::{ACQUIRE, CONNECTIONS};
use crate::store::StoreError;
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{sync::Semaphore, time::timeout};

#[derive(Clone)]
pub(super) struct Gate(Arc<State>);

struct State {
    turns: Semaphore,
    /// Since then somebody has waited in vain, and nobody has got through since they began.
    silent: Mutex<Option<Instant>>,
    /// How many have got through.
    passed: AtomicU64,
    /// Held by the one who tries whether it still is.
    probe: Semaphore,
}

impl Gate {
    /// `silent`: the server is known to be, and is asked by one at a time until it answers.
    pub fn new(silent: bool) -> Self {
        let (turns, probe) = (Semaphore::new(CONNECTIONS as usize), Semaphore::new(1));
        let silent = Mutex::new(silent.then(Instant::now));
        Self(Arc::new(State { turns, silent, passed: AtomicU64::new(0), probe }))
    }

    /// How long the server has been silent.
    pub fn silent_for(&self) -> Option<Duration> {
        self.0.silent().map(|since| since.elapsed())
    }

    /// A connection, or a transaction that has begun. On a task of its own, which a caller that gives up does not end; it
    /// ends by itself after twice [`ACQUIRE`] at most.
    ///
    /// sqlx (0.9) forgets a `begin` that is given up before its answer comes, and the connection would go back to the
    /// pool in the middle of a transaction that nobody ends. Given up here, it begins all the same and is rolled back.
    pub async fn pass<T, F>(&self, acquire: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = sqlx::Result<T>> + Send + 'static,
    {
        let state = self.0.clone();
        let task = tokio::spawn(async move {
            let unavailable = |why: &str| StoreError::Unavailable(why.into());
            let passed = state.passed.load(Ordering::Acquire);
            let Ok(_turn) = timeout(ACQUIRE, state.turns.acquire()).await else {
                state.in_vain(passed);
                return Err(unavailable("all connections are in use"));
            };
            let _probe = if state.silent().is_some() {
                Some(state.probe.try_acquire().map_err(|_| unavailable("it has not answered lately"))?)
            } else {
                None
            };
            let passed = state.passed.load(Ordering::Acquire);
            let acquired = acquire.await;
            match &acquired {
                Ok(_) => {
                    state.passed.fetch_add(1, Ordering::AcqRel);
                    *state.silent() = None;
                }
                Err(sqlx::Error::PoolTimedOut) => state.in_vain(passed),
                Err(_) => {}
            }
            Ok(acquired?)
        });
        task.await.unwrap_or_else(|e| Err(StoreError::Broken(e.to_string())))
    }
}

impl State {
    fn silent(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody waited since so many had got through. If others did meanwhile, all connections are busy, and the server
    /// is not silent.
    fn in_vain(&self, passed: u64) {
        if self.passed.load(Ordering::Acquire) == passed {
            self.silent().get_or_insert_with(Instant::now);
        }
    }
}
