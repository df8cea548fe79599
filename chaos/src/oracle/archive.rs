//! The first reading: what was acknowledged, and what the rooms hold in the end.

use super::{Promise, Verdict};
use crate::{
    history::{Client, Line, Room, Shown, What},
    position::Position,
};
use anyhow::ensure;
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// What is known of a message that somebody tried to post.
struct Post {
    room: Room,
    /// In this room's order it comes after this: the latest that had been acknowledged when it first went out.
    floor: Position,
    acknowledged: Option<Position>,
    /// Each id is written by one client, one attempt after the other.
    under_way: bool,
    /// An attempt that failed may have got into the log all the same.
    doubtful: bool,
    /// An attempt failed before it was acknowledged.
    failed: bool,
}

/// A reading of a whole room, page by page.
#[derive(Default)]
struct Reading {
    messages: Vec<(Position, Uuid)>,
    complete: bool,
}

#[derive(Default)]
pub(super) struct Gathering {
    rooms: HashMap<Room, bool>,
    users: HashMap<Client, String>,
    posts: HashMap<Uuid, Post>,
    /// Per room the latest acknowledged position so far.
    latest: HashMap<Room, Position>,
    readings: BTreeMap<(Room, u32), Reading>,
    others: HashMap<Room, BTreeMap<Position, Shown>>,
    members: HashMap<(Room, String), Membership>,
}

/// What is known of somebody's removals and returns.
#[derive(Default)]
struct Membership {
    /// Removals that were seen or acknowledged.
    left: Vec<Position>,
    /// Acknowledged removals, each with the time.
    acknowledged: Vec<(Position, u64)>,
    /// When they were about to be let in again.
    joining: Vec<u64>,
}

impl Membership {
    fn absences(mut self) -> Vec<Absence> {
        self.left.sort_unstable();
        self.left.dedup();
        let (acknowledged, joining) = (&self.acknowledged, &self.joining);
        // Who was removed is let in again only after the removal is acknowledged: one that had to be tried twice may
        // be there twice, the first time before the position that was told.
        let until = |from: Position| {
            let known = acknowledged.iter().find(|(at, _)| *at >= from)?.1;
            joining.iter().copied().find(|micros| *micros > known)
        };
        let absence = |from| Absence { from, until_micros: until(from).unwrap_or(u64::MAX) };
        self.left.iter().map(|from| absence(*from)).collect()
    }
}

/// A time in which somebody is no member.
#[derive(Clone, Copy)]
pub(super) struct Absence {
    /// They see nothing later than this…
    pub from: Position,
    /// …until somebody began to let them in again.
    pub until_micros: u64,
}

/// The rooms as they are in the end.
pub(super) struct Archive {
    /// Every event of a room in order; those that are messages with their ids.
    pub rooms: HashMap<Room, Vec<(Position, Shown)>>,
    /// Those that clients had to respect.
    pub absences: HashMap<(Client, Room), Vec<Absence>>,
}

impl Gathering {
    pub fn take(&mut self, line: Line, verdict: &mut Verdict) {
        match line.what {
            What::Is { user } => drop(self.users.insert(line.client, user)),
            What::Room { r, public, .. } => drop(self.rooms.insert(r, public)),
            What::Post { r, i, .. } => {
                let floor = self.latest.get(&r).copied().unwrap_or_default();
                let fresh =
                    Post { room: r, floor, acknowledged: None, under_way: false, doubtful: false, failed: false };
                self.posts.entry(i).or_insert(fresh).under_way = true;
            }
            What::Ack { r, i, at, n } => self.acknowledged(r, i, at, n, verdict),
            What::No { i, never, .. } => {
                if let Some(post) = self.posts.get_mut(&i) {
                    (post.under_way, post.failed) = (false, true);
                    post.doubtful |= !never;
                }
            }
            What::Event { r, at, e, .. } => {
                if let Shown::Left(user) = &e {
                    self.members.entry((r, user.clone())).or_default().left.push(at);
                }
                if !matches!(e, Shown::M(_)) {
                    let known = self.others.entry(r).or_default().entry(at).or_insert_with(|| e.clone());
                    if *known != e {
                        verdict.found(Promise::Disagreement, || format!("room {r} at {at}: {known:?} and {e:?}"));
                    }
                }
            }
            What::Page { r, more, whole, m, .. } if whole > 0 => {
                let reading = self.readings.entry((r, whole)).or_default();
                reading.messages.extend(m.into_iter().map(|(id, at)| (at, id)));
                reading.complete = !more;
            }
            What::Joining { r, user } => self.members.entry((r, user)).or_default().joining.push(line.micros),
            What::Removed { r, user, at } => {
                let membership = self.members.entry((r, user)).or_default();
                membership.left.push(at);
                membership.acknowledged.push((at, line.micros));
            }
            _ => {}
        }
    }

    fn acknowledged(&mut self, r: Room, i: Uuid, at: Position, n: u16, verdict: &mut Verdict) {
        let latest = self.latest.entry(r).or_default();
        *latest = (*latest).max(at);
        let Some(post) = self.posts.get_mut(&i) else {
            return verdict.found(Promise::Phantom, || format!("{i} was acknowledged and never posted"));
        };
        match post.acknowledged {
            None => {
                if at <= post.floor {
                    let floor = post.floor;
                    verdict.found(Promise::Inverted, || {
                        format!("room {r}: {i} is at {at}, but {floor} was acknowledged before it was written")
                    });
                }
                post.acknowledged = Some(at);
                verdict.acknowledged += 1;
                verdict.retried += u64::from(post.failed);
            }
            Some(first) if first != at => verdict
                .found(Promise::Moved, || format!("room {r}: {i} was acknowledged at {first}, by node {n} at {at}")),
            Some(_) => {}
        }
    }

    /// Compares what was acknowledged with what is there.
    pub fn close(mut self, verdict: &mut Verdict) -> anyhow::Result<Archive> {
        verdict.posted = self.posts.len() as u64;
        let mut rooms = HashMap::new();
        let mut places: HashMap<Uuid, (Room, Position)> = HashMap::with_capacity(self.posts.len());
        for &r in self.rooms.keys() {
            let of_room: Vec<&Reading> =
                self.readings.range((r, 0)..=(r, u32::MAX)).map(|(_, reading)| reading).collect();
            let complete = of_room.last().is_some_and(|last| last.complete);
            ensure!(complete, "room {r} was not read to its end: this history is not whole");
            let last = of_room[of_room.len() - 1];
            for earlier in &of_room[..of_room.len() - 1] {
                only_adds(r, earlier, last, verdict);
            }
            check_order(r, last, &mut places, verdict);
            let mut events: Vec<(Position, Shown)> =
                last.messages.iter().map(|(at, id)| (*at, Shown::M(*id))).collect();
            events.extend(self.others.remove(&r).unwrap_or_default());
            events.sort_unstable();
            rooms.insert(r, events);
        }
        for (id, post) in &self.posts {
            check_post(*id, post, places.get(id), verdict);
        }
        for (id, (r, at)) in &places {
            if !self.posts.contains_key(id) {
                verdict.found(Promise::Phantom, || format!("room {r} at {at}: nobody wrote {id}"));
            }
        }
        let mut absences = HashMap::new();
        for ((r, user), membership) in self.members {
            // Anyone may read a public room, member or not.
            if self.rooms.get(&r) == Some(&false) {
                let of_user = membership.absences();
                let clients = self.users.iter().filter(|(_, name)| **name == user).map(|(client, _)| *client);
                absences.extend(clients.map(|client| ((client, r), of_user.clone())));
            }
        }
        Ok(Archive { rooms, absences })
    }
}

fn check_order(r: Room, reading: &Reading, places: &mut HashMap<Uuid, (Room, Position)>, verdict: &mut Verdict) {
    let mut before = Position::START;
    for &(at, id) in &reading.messages {
        if at <= before {
            verdict.found(Promise::Inverted, || format!("room {r}: the history has {id} at {at} after {before}"));
        }
        before = at;
        if let Some((other, first)) = places.insert(id, (r, at)) {
            verdict.found(Promise::Doubled, || format!("{id} is in room {other} at {first} and in room {r} at {at}"));
        }
    }
}

fn only_adds(r: Room, earlier: &Reading, last: &Reading, verdict: &mut Verdict) {
    let kept = last.messages.get(..earlier.messages.len());
    if kept != Some(&earlier.messages[..]) {
        let different = earlier.messages.iter().zip(&last.messages).find(|(a, b)| a != b);
        verdict.found(Promise::Disagreement, || format!("room {r}: two readings differ, first in {different:?}"));
    }
}

fn check_post(id: Uuid, post: &Post, place: Option<&(Room, Position)>, verdict: &mut Verdict) {
    let r = post.room;
    match (post.acknowledged, place) {
        (Some(at), None) => {
            verdict.found(Promise::Lost, || format!("room {r}: {id} was acknowledged at {at} and is not there"));
        }
        (Some(at), Some(&(other, found))) if (r, at) != (other, found) => verdict.found(Promise::Moved, || {
            format!("room {r}: {id} was acknowledged at {at} and is in room {other} at {found}")
        }),
        (None, Some((_, at))) if !(post.under_way || post.doubtful) => verdict.found(Promise::Phantom, || {
            format!("room {r} at {at}: of {id} each answer said that the log does not have it")
        }),
        _ => {}
    }
}
