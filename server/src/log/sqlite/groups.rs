//! Groups whose members are all in this process.
//!
//! The members' partitions are shared anew whenever one joins or leaves. Each
//! assigned partition has a task that feeds its holder; taking the partition
//! away is ending the task, which closes the holder's `entries`.

use super::{Shared, share::share};
use crate::log::{
    Assigned, BATCH_ENTRIES, LogError, Start, StartAt,
    lease::{Done, lease, named},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};
use tokio::{
    sync::{Notify, mpsc},
    task::AbortHandle,
};

/// All groups, with what they have committed.
pub(super) struct Groups {
    state: Mutex<State>,
    /// A member left: what it committed is to be written now.
    left: Notify,
}

struct State {
    partitions: usize,
    groups: BTreeMap<String, Group>,
    committed: BTreeMap<(String, u32), u64>,
    /// Committed but not written yet.
    unwritten: BTreeSet<(String, u32)>,
    members_ever: u64,
    closed: bool,
}

#[derive(Default)]
struct Group {
    members: BTreeMap<u64, Member>,
    held: BTreeMap<u32, Held>,
}

struct Member {
    assigned: mpsc::Sender<Assigned>,
    start: StartAt,
    _watch: Task,
}

/// A partition in a member's hands.
struct Held {
    member: u64,
    done: Done,
    _feed: Task,
}

/// Ended when its owner is dropped.
struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Groups {
    pub fn new(partitions: usize, committed: BTreeMap<(String, u32), u64>) -> Self {
        let (groups, unwritten) = Default::default();
        let state = State { partitions, groups, committed, unwritten, members_ever: 0, closed: false };
        Self { state: Mutex::new(state), left: Notify::new() }
    }

    /// Ends every membership. What was committed is still to be written.
    pub fn close(&self) {
        let mut state = self.state();
        state.gather();
        state.groups.clear();
        state.closed = true;
    }

    /// How far a group has come in a partition, under its name or `name-N`, as it is called in later generations of the
    /// log.
    pub fn done(&self, group: &str, partition: u32) -> u64 {
        let mut state = self.state();
        state.gather();
        let is_it = |name: &str| name.strip_prefix(group).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
        let of_it = state.committed.iter().filter(|((name, of), _)| *of == partition && is_it(name));
        of_it.map(|(_, done)| *done).max().unwrap_or(0)
    }

    /// Waits for a member to leave.
    pub async fn left(&self) {
        self.left.notified().await;
    }

    /// What was committed since the last call, to be written.
    pub fn take_unwritten(&self) -> Vec<(String, u32, u64)> {
        let mut state = self.state();
        state.gather();
        let keys = std::mem::take(&mut state.unwritten);
        keys.into_iter().map(|key| (key.0.clone(), key.1, state.committed[&key])).collect()
    }

    /// Writing failed: to be written with the next ones.
    pub fn put_back(&self, unwritten: Vec<(String, u32, u64)>) {
        self.state().unwritten.extend(unwritten.into_iter().map(|(group, partition, _)| (group, partition)));
    }

    fn leave(&self, shared: &Arc<Shared>, group: &str, member: u64) {
        let mut state = self.state();
        state.gather();
        if let Some(found) = state.groups.get_mut(group)
            && found.members.remove(&member).is_some()
        {
            state.reshare(shared, group);
            self.left.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Becomes a member of a group.
pub(super) fn join(shared: &Arc<Shared>, group: &str, start: StartAt) -> Result<mpsc::Receiver<Assigned>, LogError> {
    let mut state = shared.groups.state();
    if state.closed {
        return Err(LogError::Unavailable("the log is closed".into()));
    }
    state.members_ever += 1;
    let member = state.members_ever;
    let (assigned, receiver) = mpsc::channel(state.partitions);
    let watch = {
        let (shared, group, assigned) = (Arc::downgrade(shared), group.to_owned(), assigned.clone());
        Task(
            tokio::spawn(async move {
                assigned.closed().await;
                // Weak: waiting for a member that never leaves must not keep the log open.
                if let Some(shared) = Weak::upgrade(&shared) {
                    shared.groups.leave(&shared, &group, member);
                }
            })
            .abort_handle(),
        )
    };
    let members = &mut state.groups.entry(group.to_owned()).or_default().members;
    members.insert(member, Member { assigned, start, _watch: watch });
    state.reshare(shared, group);
    Ok(receiver)
}

impl State {
    /// Notes what the holders of partitions have committed.
    fn gather(&mut self) {
        for (name, group) in &self.groups {
            for (partition, held) in &group.held {
                if let Some(next) = held.done.take() {
                    let key = (name.clone(), *partition);
                    self.unwritten.insert(key.clone());
                    self.committed.insert(key, next);
                }
            }
        }
    }

    fn reshare(&mut self, shared: &Arc<Shared>, name: &str) {
        self.gather();
        let Some(group) = self.groups.get_mut(name) else { return };
        if group.members.is_empty() {
            self.groups.remove(name);
            return;
        }
        let partitions = 0..u32::try_from(self.partitions).expect("opened with a u32");
        let held: Vec<_> = partitions.clone().map(|p| group.held.get(&p).map(|h| h.member)).collect();
        let members: Vec<_> = group.members.keys().copied().collect();
        for (partition, member) in partitions.zip(share(&held, &members)) {
            let member = member.expect("there are members");
            if group.held.get(&partition).is_some_and(|h| h.member == member) {
                continue;
            }
            let committed = self.committed.get(&(name.to_owned(), partition)).copied();
            let done = Done::nothing();
            let feed = Feed {
                partition,
                committed,
                done: done.clone(),
                start: group.members[&member].start.clone(),
                assigned: group.members[&member].assigned.clone(),
            };
            let (shared, name) = (shared.clone(), name.to_owned());
            let task = tokio::spawn(async move {
                if let Err(error) = feed.run(&shared).await {
                    tracing::error!(group = name, partition, %error, "a member of a group failed");
                }
                shared.groups.leave(&shared, &name, member);
            });
            // The previous holder's task ends here, and with it the holder's `entries`.
            group.held.insert(partition, Held { member, done, _feed: Task(task.abort_handle()) });
        }
    }
}

/// What the task of an assigned partition needs.
struct Feed {
    partition: u32,
    committed: Option<u64>,
    done: Done,
    start: StartAt,
    assigned: mpsc::Sender<Assigned>,
}

impl Feed {
    /// Feeds the holder until it is gone.
    async fn run(self, shared: &Shared) -> Result<(), LogError> {
        let partition = self.partition;
        let start = named(&self.start, partition).await?;
        let mut next = match start {
            Start::At(offset) => offset,
            Start::Committed { rewind } => {
                let oldest = shared.first(partition)?;
                // No further back than there is; but what was not done may not be passed over.
                self.committed.map_or(oldest, |next| next.saturating_sub(rewind).max(oldest.min(next)))
            }
        };
        shared.in_range(partition, next)?;
        let (entries, assigned) = lease(partition, self.done);
        if self.assigned.send(assigned).await.is_err() {
            return Ok(());
        }
        let mut end = shared.end(partition)?.subscribe();
        loop {
            tokio::select! {
                () = entries.closed() => return Ok(()),
                grown = end.wait_for(|end| *end > next) => if grown.is_err() { return Ok(()) },
            }
            // Room first: what waits for the holder is at most what its queue holds.
            let Ok(room) = entries.reserve().await else { return Ok(()) };
            let batch = shared.read(partition, next, BATCH_ENTRIES).await?;
            if let Some(last) = batch.last() {
                next = last.offset + 1;
                room.send(batch);
            }
        }
    }
}
