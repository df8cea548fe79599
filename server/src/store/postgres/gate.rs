//! The way to a connection, kept narrow while the server is silent.
//!
//! Each question that waits for a silent server would open one more session and
//! give it up, until the server has none left for anybody. So only as many wait
//! as there may be connections, and once one has waited in vain, one at a time.

use super::{ACQUIRE, CONNECTIONS};
use crate::store::StoreError;
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};
use tokio::{sync::Semaphore, time::timeout};

#[derive(Clone)]
pub(super) struct Gate(Arc<State>);

struct State {
    turns: Semaphore,
    /// Somebody waited in vain, and nobody has got through since they began.
    silent: AtomicBool,
    /// How many have got through.
    passed: AtomicU64,
    /// Held by the one who tries whether it still is.
    probe: Semaphore,
}

impl Gate {
    pub fn new() -> Self {
        let (turns, probe) = (Semaphore::new(CONNECTIONS as usize), Semaphore::new(1));
        Self(Arc::new(State { turns, silent: AtomicBool::new(false), passed: AtomicU64::new(0), probe }))
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
            let turn = timeout(ACQUIRE, state.turns.acquire()).await;
            let _turn = turn.map_err(|_| unavailable("all connections are in use"))?;
            let _probe = if state.silent.load(Ordering::Acquire) {
                Some(state.probe.try_acquire().map_err(|_| unavailable("it has not answered lately"))?)
            } else {
                None
            };
            let passed = state.passed.load(Ordering::Acquire);
            let acquired = acquire.await;
            match &acquired {
                Ok(_) => {
                    state.passed.fetch_add(1, Ordering::AcqRel);
                    state.silent.store(false, Ordering::Release);
                }
                // Not if others got through meanwhile: then all connections are busy, and the server is not silent.
                Err(sqlx::Error::PoolTimedOut) if state.passed.load(Ordering::Acquire) == passed => {
                    state.silent.store(true, Ordering::Release);
                }
                Err(_) => {}
            }
            Ok(acquired?)
        });
        task.await.unwrap_or_else(|e| Err(StoreError::Broken(e.to_string())))
    }
}
