//! What a node remembers of the store for a short while, so that a message
//! costs no query, and so that known members may go on when the store is away.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash, RandomState},
    sync::Mutex,
    time::{Duration, Instant},
};

/// How long whoever is asked may take while an old answer would do.
const PATIENCE: Duration = Duration::from_millis(300);
/// How long nobody is asked again after not having answered, while an old answer would do.
const AWAY: Duration = Duration::from_secs(1);

/// How long somebody who knows nothing waits for an answer that another is waiting for already, before asking too. Long:
/// a crowd that loses patience with a slow store makes it slower.
const TURN: Duration = Duration::from_secs(5);
/// Among so many turns those who ask are spread.
const TURNS: usize = 64;

/// A bounded memory of answers: fresh for a while, usable for longer in need.
pub struct Remembered<K, V> {
    fresh: Duration,
    usable: Duration,
    capacity: usize,
    inner: Mutex<Inner<K, V>>,
    /// A crowd that wants to know the same asks once. Held while somebody is asked: that is their purpose.
    turns: [tokio::sync::Mutex<()>; TURNS],
    hasher: RandomState,
}

struct Inner<K, V> {
    answers: HashMap<K, (Instant, V)>,
    /// Counts what was learned otherwise: an answer that was asked for before is not kept.
    changes: u64,
    away_until: Option<Instant>,
    /// What was learned before this is not fresh any more.
    doubted: Option<Instant>,
}

impl<K: Eq + Hash + Clone, V: Clone> Remembered<K, V> {
    /// Answers count as good for `fresh`, and for `usable` where nobody answers.
    pub fn new(fresh: Duration, usable: Duration, capacity: usize) -> Self {
        let inner = Inner { answers: HashMap::new(), changes: 0, away_until: None, doubted: None };
        let turns = std::array::from_fn(|_| tokio::sync::Mutex::default());
        Self { fresh, usable, capacity, inner: Mutex::new(inner), turns, hasher: RandomState::new() }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner<K, V>> {
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// What is known, as long as it is usable; and whether it is fresh.
    pub fn known(&self, key: &K) -> Option<(V, bool)> {
        let inner = self.lock();
        let (at, value) = inner.answers.get(key)?;
        let age = at.elapsed();
        let fresh = age < self.fresh && inner.doubted.is_none_or(|doubted| *at > doubted);
        (age < self.usable).then(|| (value.clone(), fresh))
    }

    /// What is known and fresh; else what `ask` says; and if it says nothing in time, what is usable.
    ///
    /// # Errors
    /// Those of `ask`, if nothing usable is known.
    pub async fn recall<E>(&self, key: K, ask: impl Future<Output = Result<Option<V>, E>>) -> Result<Option<V>, E> {
        let away = || self.lock().away_until.is_some_and(|until| Instant::now() < until);
        let old = match self.known(&key) {
            Some((value, fresh)) if fresh || away() => return Ok(Some(value)),
            known => known.map(|(old, _)| old),
        };
        let turn = &self.turns[self.hasher.hash_one(&key) as usize % TURNS];
        let _turn = match (tokio::time::timeout(if old.is_some() { PATIENCE } else { TURN }, turn.lock()).await, old) {
            (Err(_), Some(old)) => return Ok(Some(old)),
            (turn, _) => turn.ok(),
        };
        let changes = self.lock().changes;
        let answer = match self.known(&key) {
            Some((value, fresh)) if fresh || away() => return Ok(Some(value)),
            Some((old, _)) => match tokio::time::timeout(PATIENCE, ask).await {
                Ok(Ok(answer)) => answer,
                Ok(Err(_)) | Err(_) => {
                    self.lock().away_until = Some(Instant::now() + AWAY);
                    return Ok(Some(old));
                }
            },
            None => ask.await?,
        };
        let mut inner = self.lock();
        inner.away_until = None;
        if inner.changes == changes {
            match &answer {
                Some(value) => self.insert(&mut inner, key, value.clone()),
                // An old yes must not outlive a no.
                None => drop(inner.answers.remove(&key)),
            }
        }
        Ok(answer)
    }

    /// Learned otherwise, and more recent than any answer that is on its way. `newer` compares it with what is known.
    pub fn learn(&self, key: K, value: V, newer: impl Fn(&V) -> bool) {
        let mut inner = self.lock();
        inner.changes += 1;
        if inner.answers.get(&key).is_none_or(|(_, known)| newer(known)) {
            self.insert(&mut inner, key, value);
        }
    }

    /// Learned otherwise of answers that are looked for among all.
    pub fn update(&self, learn: impl Fn(&mut V)) {
        let mut inner = self.lock();
        inner.changes += 1;
        inner.answers.values_mut().for_each(|(_, value)| learn(value));
    }

    /// Something may have been missed: nothing counts as fresh until it has been asked for again.
    pub fn doubt(&self) {
        let mut inner = self.lock();
        inner.changes += 1;
        inner.doubted = Some(Instant::now());
    }

    /// Forgets what no longer holds.
    pub fn forget(&self, gone: impl Fn(&K) -> bool) {
        let mut inner = self.lock();
        inner.changes += 1;
        inner.answers.retain(|key, _| !gone(key));
    }

    fn insert(&self, inner: &mut Inner<K, V>, key: K, value: V) {
        if inner.answers.len() >= self.capacity {
            inner.answers.retain(|_, (at, _)| at.elapsed() < self.usable);
            if inner.answers.len() >= self.capacity {
                inner.answers.clear();
            }
        }
        inner.answers.insert(key, (Instant::now(), value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{convert::Infallible, future::pending, future::ready};

    const LONG: Duration = Duration::from_secs(60);

    fn says<V>(value: V) -> impl Future<Output = Result<Option<V>, Infallible>> {
        ready(Ok(Some(value)))
    }

    #[tokio::test]
    async fn an_answer_that_was_on_its_way_when_something_was_learned_is_not_kept() {
        let memory = Remembered::new(LONG, LONG, 2);
        let late = async {
            memory.learn(1, "new", |_| true);
            Ok::<_, Infallible>(Some("old"))
        };
        assert_eq!(memory.recall(1, late).await, Ok(Some("old")));
        assert_eq!(memory.known(&1), Some(("new", true)));
        memory.learn(1, "older", |_| false);
        assert_eq!(memory.known(&1), Some(("new", true)));
        memory.forget(|k| *k == 1);
        assert_eq!(memory.known(&1), None);
    }

    #[tokio::test]
    async fn an_old_answer_stands_in_for_nobody_and_gives_way_to_a_no() {
        let memory = Remembered::new(Duration::ZERO, LONG, 2);
        assert_eq!(memory.recall(1, says("yes")).await, Ok(Some("yes")));
        assert_eq!(memory.recall(1, pending::<Result<_, Infallible>>()).await, Ok(Some("yes")));
        assert_eq!(memory.recall(2, ready(Err("away"))).await, Err("away"));
        memory.lock().away_until = None;
        assert_eq!(memory.recall(1, ready(Ok::<_, Infallible>(None))).await, Ok(None));
        assert_eq!(memory.known(&1), None);
    }

    #[tokio::test]
    async fn a_crowd_that_wants_to_know_the_same_asks_once() {
        let memory = Remembered::new(LONG, LONG, 2);
        let asked = std::sync::atomic::AtomicUsize::new(0);
        let ask = || async {
            asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            tokio::task::yield_now().await;
            Ok::<_, Infallible>(Some("yes"))
        };
        let answers = futures::future::join_all((0..100).map(|_| memory.recall(1, ask()))).await;
        assert!(answers.iter().all(|answer| *answer == Ok(Some("yes"))));
        assert_eq!(asked.into_inner(), 1);
    }

    #[tokio::test]
    async fn it_never_holds_more_than_its_capacity() {
        let memory = Remembered::new(LONG, LONG, 2);
        for k in 0..100 {
            assert_eq!(memory.recall(k, says(k)).await, Ok(Some(k)));
        }
        assert!(memory.lock().answers.len() <= 2);
        assert_eq!(memory.known(&99), Some((99, true)));
    }
}
