//! What the log has and the store may lack: looked through once for all who ask, and forgotten when the store has it.

use super::{retries::Done, roles::Standing};
use crate::log::{Log, Record};
use app::model::{Event, KnownEvent, MessageId, Position, Role, RoomChange, RoomChanged, RoomId, UserId};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::OwnedMutexGuard;

/// So many posts, members and rooms of a partition at most.
const CAPACITY: usize = 50_000;
/// For so long the store is not waited for again after it had not caught up in time.
const BEHIND: Duration = Duration::from_secs(1);

/// The tails of all partitions.
#[derive(Default)]
pub struct Tails(Mutex<HashMap<u32, Partition>>);

#[derive(Default)]
struct Partition {
    behind_until: Option<Instant>,
    /// Held by whoever reads: the others find what was read.
    tail: Arc<tokio::sync::Mutex<Tail>>,
}

/// From an offset on: the first of each message, the last change of each member, and all changes of each room.
#[derive(Default)]
pub struct Tail {
    read: Option<Read>,
    posts: HashMap<(RoomId, MessageId), Done>,
    members: HashMap<(RoomId, UserId), Standing>,
    rooms: HashMap<RoomId, (RoomChange, Position)>,
    /// There was too much from here on.
    too_much_from: Option<u64>,
}

/// It has everything from `from` to before `next`, and that is all that the log had at `at`.
struct Read {
    from: u64,
    next: u64,
    /// `None`: somebody gave up waiting in the midst of reading.
    at: Option<Instant>,
}

impl Tails {
    fn partitions(&self) -> MutexGuard<'_, HashMap<u32, Partition>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The store had not caught up a moment ago: no use in waiting for it.
    pub fn is_behind(&self, partition: u32) -> bool {
        let partitions = self.partitions();
        partitions.get(&partition).and_then(|p| p.behind_until).is_some_and(|until| Instant::now() < until)
    }

    /// The store did not catch up in time.
    pub fn fell_behind(&self, partition: u32) {
        self.partitions().entry(partition).or_default().behind_until = Some(Instant::now() + BEHIND);
    }

    /// The store has everything: what was read is not needed any more.
    pub fn caught_up(&self, partition: u32) {
        self.partitions().remove(&partition);
    }

    /// All that the log had from `from` on at some moment after `since`. `None`: the log does not answer, or there is too
    /// much.
    pub async fn read(
        &self,
        log: &dyn Log,
        epoch: u32,
        partition: u32,
        from: u64,
        since: Instant,
    ) -> Option<OwnedMutexGuard<Tail>> {
        let tail = self.partitions().entry(partition).or_default().tail.clone();
        let mut tail = tail.lock_owned().await;
        if tail.read.as_ref().is_none_or(|read| read.at.is_none_or(|at| at < since) || read.from > from) {
            tail.read_on(log, epoch, partition, from).await?;
        }
        Some(tail)
    }
}

impl Tail {
    /// The message's first record.
    pub fn post(&self, room: RoomId, id: MessageId) -> Option<Done> {
        self.posts.get(&(room, id)).cloned()
    }

    /// What was changed about a room, and where last.
    pub fn change(&self, room: RoomId) -> Option<&(RoomChange, Position)> {
        self.rooms.get(&room)
    }

    /// What somebody became in a room.
    pub fn standing(&self, room: RoomId, user: UserId) -> Option<Standing> {
        self.members.get(&(room, user)).copied()
    }

    fn note(&mut self, record: Record, at: Position) {
        let Record { room, by, event, .. } = record;
        let Event::Known(event, _) = event else { return };
        let mut becomes = |user, role, removed| {
            self.members.insert((room, user), Standing { role, removed, at });
        };
        match event {
            KnownEvent::MessagePosted { message } => {
                let done = Done::new(by, at, Some(&message.body));
                self.posts.entry((room, message.id)).or_insert(done);
            }
            KnownEvent::RoomCreated { by } => becomes(by.id, Some(Role::Owner), false),
            KnownEvent::MemberJoined { user, role } => becomes(user.id, Some(role), false),
            KnownEvent::MemberLeft { user, by } => becomes(user.id, None, user.id != by.id),
            KnownEvent::RoomChanged(RoomChanged { change, .. }) => {
                let (before, _) = self.rooms.remove(&room).unwrap_or((RoomChange::default(), at));
                self.rooms.insert(room, (before.then(change), at));
            }
            _ => {}
        }
    }

    fn len(&self) -> usize {
        self.posts.len() + self.members.len() + self.rooms.len()
    }

    async fn read_on(&mut self, log: &dyn Log, epoch: u32, partition: u32, from: u64) -> Option<()> {
        // Not to be read again and again for everybody who comes, only to be too much again.
        if self.too_much_from.is_some_and(|then| from < then + (CAPACITY / 2) as u64) {
            return None;
        }
        let at = Instant::now();
        let end = log.end(partition).await.ok()?;
        let known = self.read.take().filter(|read| read.from <= from && from <= read.next && self.len() < CAPACITY);
        if known.is_none() {
            self.posts.clear();
            self.members.clear();
            self.rooms.clear();
        }
        let (from, mut next) = known.map_or((from, from), |read| (read.from, read.next));
        self.read = Some(Read { from, next, at: None });
        while next < end {
            let limit = usize::try_from(end - next).unwrap_or(usize::MAX);
            let entries = log.read(partition, next, limit).await.ok()?;
            let Some(last) = entries.last().map(|e| e.offset) else { break };
            for entry in entries {
                if let Ok(record) = Record::decode(&entry.payload) {
                    self.note(record, Position::new(epoch, entry.offset));
                }
            }
            next = last + 1;
            if self.len() > CAPACITY {
                *self = Self { too_much_from: Some(from), ..Self::default() };
                return None;
            }
            // Who gives up here leaves it to the next.
            self.read = Some(Read { from, next, at: None });
        }
        (self.read, self.too_much_from) = (Some(Read { from, next: next.max(end), at: Some(at) }), None);
        Some(())
    }
}
