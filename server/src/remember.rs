//! What a node remembers of the store for a short while, so that a message
//! costs no query, and so that known members may go on when the store is away.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::Mutex,
    time::{Duration, Instant},
};

/// A bounded memory of answers: fresh for a while, usable for longer in need.
pub struct Remembered<K, V> {
    fresh: Duration,
    usable: Duration,
    capacity: usize,
    inner: Mutex<Inner<K, V>>,
}

struct Inner<K, V> {
    answers: HashMap<K, (Instant, V)>,
    forgets: u64,
}

/// When a question was asked: an answer to it is not kept if something was forgotten since.
#[derive(Clone, Copy)]
pub struct Asked(u64);

impl<K: Eq + Hash + Clone, V: Clone> Remembered<K, V> {
    /// Answers count as good for `fresh`, and for `usable` where nobody can be asked.
    pub fn new(fresh: Duration, usable: Duration, capacity: usize) -> Self {
        Self { fresh, usable, capacity, inner: Mutex::new(Inner { answers: HashMap::new(), forgets: 0 }) }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner<K, V>> {
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// An answer that is still good.
    pub fn fresh(&self, key: &K) -> Option<V> {
        self.younger_than(key, self.fresh)
    }

    /// An answer that will do if nobody can be asked.
    pub fn usable(&self, key: &K) -> Option<V> {
        self.younger_than(key, self.usable)
    }

    fn younger_than(&self, key: &K, age: Duration) -> Option<V> {
        let inner = self.lock();
        let (at, value) = inner.answers.get(key)?;
        (at.elapsed() < age).then(|| value.clone())
    }

    /// To be called before asking.
    pub fn asking(&self) -> Asked {
        Asked(self.lock().forgets)
    }

    /// Keeps an answer, unless something was forgotten while it was on its way: it may be from before.
    pub fn keep(&self, asked: Asked, key: K, value: V) {
        let mut inner = self.lock();
        if inner.forgets != asked.0 {
            return;
        }
        if inner.answers.len() >= self.capacity {
            let usable = self.usable;
            inner.answers.retain(|_, (at, _)| at.elapsed() < usable);
            if inner.answers.len() >= self.capacity {
                inner.answers.clear();
            }
        }
        inner.answers.insert(key, (Instant::now(), value));
    }

    /// Knows better than whoever is being asked: answers that are on their way are not kept.
    pub fn set(&self, key: K, value: V) {
        self.lock().forgets += 1;
        self.keep(self.asking(), key, value);
    }

    /// Forgets what no longer holds.
    pub fn forget(&self, gone: impl Fn(&K) -> bool) {
        let mut inner = self.lock();
        inner.forgets += 1;
        inner.answers.retain(|key, _| !gone(key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_was_on_its_way_when_something_was_forgotten_is_not_kept() {
        let memory = Remembered::new(Duration::from_secs(60), Duration::from_secs(60), 2);
        let asked = memory.asking();
        memory.forget(|k| *k == 1);
        memory.keep(asked, 1, "old");
        assert_eq!(memory.fresh(&1), None);
        memory.keep(memory.asking(), 1, "new");
        assert_eq!(memory.fresh(&1), Some("new"));
    }

    #[test]
    fn it_never_holds_more_than_its_capacity() {
        let memory = Remembered::new(Duration::from_secs(60), Duration::from_secs(60), 2);
        for k in 0..100 {
            memory.keep(memory.asking(), k, k);
        }
        assert!(memory.lock().answers.len() <= 2);
        assert_eq!(memory.fresh(&99), Some(99));
    }
}
