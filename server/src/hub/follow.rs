//! Following the log itself while the fan-out is away.
//!
//! Every record of every partition comes by here, from a place on at or before
//! which each watched room is complete. So an event's `prev` need not be known: it
//! is no later than the last one that was handed to the room, or the place where
//! the following began, and the room's rule for holes holds as always.

use super::{
    Sources,
    kept::{self, Membership},
    room::ToRoom,
    rooms::{Rooms, TaskId},
};
use crate::{
    fanout::{Notice, RingEvent, Signal},
    log::{Entry, Followed, LogError, Record},
};
use app::model::{Event, KnownEvent, Position, RoomChange, RoomChanged, RoomId};
use futures::future::try_join_all;
use serde::Deserialize;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};
use tokio::sync::mpsc;

/// A following under way.
pub(super) struct Follow {
    sources: Arc<Sources>,
    rooms: Arc<Rooms>,
    followed: mpsc::Receiver<Followed>,
    /// Per partition, the offset that comes next.
    next: BTreeMap<u32, u64>,
    /// The tasks of rooms that get everything, and up to where they have been handed it.
    handed: HashMap<TaskId, Position>,
    /// Up to where the fan-out must have come for this to end.
    needed: Option<BTreeMap<u32, u64>>,
}

/// What of a record is looked at before anything else: most are of rooms that nobody watches here.
#[derive(Deserialize)]
struct Whose {
    room: RoomId,
}

impl Follow {
    /// Begins where `complete` rooms are complete, per partition; at the log's end where that is not known.
    pub async fn begin(
        sources: &Arc<Sources>,
        rooms: &Arc<Rooms>,
        complete_before: &BTreeMap<u32, u64>,
        complete: &HashSet<TaskId>,
    ) -> Result<Self, LogError> {
        let watched = rooms.all();
        let partitions = sources.partitions(&watched);
        let unknown = partitions.iter().filter(|p| !complete_before.contains_key(p));
        let ends = try_join_all(unknown.map(async |p| Ok::<_, LogError>((*p, sources.log.end(*p).await?)))).await?;
        let next: BTreeMap<u32, u64> = complete_before.iter().map(|(p, next)| (*p, *next)).chain(ends).collect();
        let from: Vec<(u32, u64)> = next.iter().map(|(p, next)| (*p, *next)).collect();
        let followed = sources.log.follow(&from).await?;
        let mut follow = Self {
            sources: sources.clone(),
            rooms: rooms.clone(),
            followed,
            next,
            handed: HashMap::new(),
            needed: None,
        };
        for (_, partition, task) in watched {
            if complete.contains(&task) && complete_before.contains_key(&partition) {
                follow.handed.insert(task, follow.before(partition));
            }
        }
        follow.look_after_newcomers();
        Ok(follow)
    }

    /// The latest position that everything handed so far is at or before.
    fn before(&self, partition: u32) -> Position {
        let next = self.next.get(&partition).copied().unwrap_or(0);
        next.checked_sub(1).map_or(Position::START, |offset| Position::new(self.sources.epoch, offset))
    }

    /// What comes next. `None`: it cannot go on from here.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn next(&mut self) -> Option<Followed> {
        self.followed.recv().await
    }

    /// Hands entries to their rooms.
    pub fn hand(&mut self, followed: Followed) {
        let Followed { partition, entries } = followed;
        let mut newcomer = false;
        for entry in entries {
            newcomer |= self.hand_one(&entry);
            self.next.insert(partition, entry.offset + 1);
        }
        if newcomer {
            self.look_after_newcomers();
        }
    }

    /// Whether its room is watched, and not among those that get everything.
    fn hand_one(&mut self, entry: &Entry) -> bool {
        let Ok(Whose { room }) = serde_json::from_slice(&entry.payload) else { return false };
        let task = self.rooms.task(room);
        if task.is_none() && !kept::may_change_access(&entry.payload) {
            return false;
        }
        let Ok(record) = Record::decode(&entry.payload) else { return false };
        let at = Position::new(self.sources.epoch, entry.offset);
        let event = record.event_at(at);
        match &event {
            Event::Known(KnownEvent::RoomChanged(RoomChanged { change, .. }), _) => {
                self.sources.room_changed(room, change, at)
            }
            Event::Known(known, _) => {
                if let Some(changed) = kept::membership(known) {
                    self.sources.member_changed(room, changed, at);
                }
            }
            Event::Unknown(_) => {}
        }
        let Some(task) = task else { return false };
        let Some(prev) = self.handed.get(&task).copied() else { return true };
        let payload = serde_json::to_vec(&event).expect("an event is plain data").into();
        if self.rooms.hand(room, ToRoom::Event(RingEvent { at, prev: Some(prev), payload })) {
            self.handed.insert(task, at);
        } else {
            // It has a hole now; it is told so as soon as it has room.
            self.handed.remove(&task);
        }
        false
    }

    /// Rooms that get everything from here on: what is before that they find themselves.
    pub fn look_after_newcomers(&mut self) {
        let watched = self.rooms.all();
        let tasks: HashSet<TaskId> = watched.iter().map(|(.., task)| *task).collect();
        self.handed.retain(|task, _| tasks.contains(task));
        for (room, partition, task) in watched {
            // Of a partition that was made meanwhile nothing is followed; its rooms wait for the fan-out.
            if !self.handed.contains_key(&task) && self.next.contains_key(&partition) {
                let complete = self.before(partition);
                if self.rooms.hand(room, ToRoom::Head(complete)) {
                    self.handed.insert(task, complete);
                }
            }
        }
    }

    /// The tasks of the rooms that get everything.
    pub fn rooms(&self) -> HashSet<TaskId> {
        self.handed.keys().copied().collect()
    }

    /// From where another following goes on if this one cannot, and which rooms are complete there.
    pub fn into_progress(self) -> (BTreeMap<u32, u64>, HashSet<TaskId>) {
        let rooms = self.rooms();
        (self.next, rooms)
    }

    /// The fan-out is heard again: once it has come up to here, it can be relied on.
    pub fn heard_again(&mut self) {
        self.needed.get_or_insert_with(|| self.next.clone());
    }

    /// It is gone again.
    pub fn not_heard(&mut self) {
        self.needed = None;
    }

    /// Whether the fan-out has come so far that nothing needs to be followed any more.
    pub fn is_needless(&self, complete_before: &BTreeMap<u32, u64>) -> bool {
        let has_come = |(p, needed): (&u32, &u64)| *needed == 0 || complete_before.get(p).is_some_and(|c| c >= needed);
        self.needed.as_ref().is_some_and(|needed| needed.iter().all(has_come))
    }
}

impl Sources {
    /// Tells this node's memory of members what an event says of them, in case nobody else tells it.
    pub(super) fn member_changed(&self, room: RoomId, changed: Membership, at: Position) {
        let Membership { user, role, removed } = changed;
        self.tell_node(&Signal::Notice(Notice::MemberChanged { room, user, role, at, removed }));
    }

    /// The same of its memory of rooms.
    pub(super) fn room_changed(&self, room: RoomId, change: &RoomChange, at: Position) {
        self.tell_node(&Signal::Notice(Notice::RoomChanged { room, at, change: change.clone() }));
    }
}
