//! Who is where. Pure: the time is given.

use super::{MOST_NAMED, MOST_SINGLY, NODE_LIFE, people};
use crate::fanout::PeopleHere;
use app::model::RoomId;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;
use uuid::Uuid;

/// Who goes is here for so long yet: a page that is loaded anew is no leaving.
const GRACE: Duration = Duration::from_secs(5);
/// A node with nothing to tell says that it lives, so often.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);
/// Every room is told anew within so many turns, whatever was lost.
const TURNS: u128 = 30;
/// Most people in one notice, about.
const MOST_TOLD: usize = 1_000;
/// Most rooms in one question.
const MOST_ASKED: usize = 1_000;

/// Everybody, by room.
#[derive(Default)]
pub struct Table {
    rooms: HashMap<RoomId, Room>,
    /// Changed at this node: to be told.
    changed: HashSet<RoomId>,
    /// May look different to who is here.
    look: HashSet<RoomId>,
    /// Watched here from now on: what do the others know?
    ask: HashSet<RoomId>,
    /// People here who may be gone.
    going: HashSet<RoomId>,
    nodes: HashMap<Uuid, Instant>,
    turn: u128,
    told_at: Option<Instant>,
}

#[derive(Default)]
struct Room {
    /// Connections of this node, visitors' too.
    connections: usize,
    here: BTreeMap<Arc<str>, Person>,
    /// At other nodes.
    elsewhere: HashMap<Uuid, PeopleHere>,
    shown: Shown,
}

#[derive(Default)]
struct Person {
    connections: usize,
    gone_at: Option<Instant>,
}

/// What the watchers of a room see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// User names; empty if they are too many.
    pub names: BTreeSet<String>,
    /// How many there are, about, if they are not named.
    pub count: usize,
}

impl Shown {
    fn is_crowd(&self) -> bool {
        self.names.len() < self.count
    }
}

/// What changes for the watchers of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Show {
    /// A few people.
    Singly {
        /// User names that are new.
        came: Vec<String>,
        /// User names that are no longer there.
        went: Vec<String>,
    },
    /// All that is seen.
    Anew(Shown),
}

/// What there is to be done.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// To the other nodes, a notice each.
    pub tell: Vec<Vec<PeopleHere>>,
    /// Questions to the other nodes, a notice each.
    pub ask: Vec<Vec<RoomId>>,
    /// To the watchers here, by room.
    pub show: Vec<(RoomId, Show)>,
}

impl Table {
    pub fn came(&mut self, id: RoomId, name: Option<&Arc<str>>) {
        let room = self.rooms.entry(id).or_default();
        if room.connections == 0 {
            self.ask.insert(id);
        }
        room.connections += 1;
        let Some(name) = name else { return };
        let person = room.here.entry(name.clone()).or_default();
        person.connections += 1;
        if person.connections == 1 && person.gone_at.take().is_none() {
            self.changed.insert(id);
            self.look.insert(id);
        }
    }

    pub fn went(&mut self, id: RoomId, name: Option<&Arc<str>>, now: Instant) {
        let Some(room) = self.rooms.get_mut(&id) else { return };
        room.connections = room.connections.saturating_sub(1);
        if let Some(person) = name.and_then(|name| room.here.get_mut(name)) {
            person.connections = person.connections.saturating_sub(1);
            if person.connections == 0 {
                person.gone_at = Some(now);
            }
        }
        self.going.insert(id);
    }

    pub fn shown(&self, id: RoomId) -> Option<&Shown> {
        self.rooms.get(&id).map(|room| &room.shown).filter(|shown| shown.count > 0)
    }

    /// Another node told who is there at it.
    pub fn told(&mut self, node: Uuid, rooms: Vec<PeopleHere>, now: Instant) {
        self.nodes.insert(node, now);
        for told in rooms {
            // Of what nobody here watches, nothing is kept.
            let Some(room) = self.rooms.get_mut(&told.room) else { continue };
            self.look.insert(told.room);
            if told.count == 0 {
                room.elsewhere.remove(&node);
            } else {
                room.elsewhere.insert(node, told);
            }
        }
    }

    /// Another node wants to know who is here.
    pub fn asked(&mut self, rooms: &[RoomId]) {
        self.changed.extend(rooms.iter().filter(|room| self.rooms.contains_key(room)));
    }

    pub fn ask_all(&mut self) {
        self.ask.extend(self.rooms.keys());
    }

    /// Takes what has come up since the turn before.
    pub fn turn(&mut self, now: Instant) -> Turn {
        self.forget_the_gone(now);
        self.forget_dead_nodes(now);
        self.turn += 1;
        let turn = self.turn % TURNS;
        self.changed.extend(self.rooms.keys().filter(|room| room.0.as_u128() % TURNS == turn));
        let mut tell = self.tell();
        if tell.is_empty() && self.told_at.is_none_or(|at| now >= at + SIGN_OF_LIFE) {
            tell.push(Vec::new());
        }
        if !tell.is_empty() {
            self.told_at = Some(now);
        }
        let ask: Vec<RoomId> = self.ask.drain().filter(|room| self.rooms.contains_key(room)).collect();
        let ask = ask.chunks(MOST_ASKED).map(<[RoomId]>::to_vec).collect();
        let look = std::mem::take(&mut self.look);
        let show = look.into_iter().filter_map(|id| Some((id, self.rooms.get_mut(&id)?.look()?))).collect();
        self.rooms.retain(|_, room| room.connections > 0 || !room.here.is_empty());
        Turn { tell, ask, show }
    }

    fn forget_the_gone(&mut self, now: Instant) {
        let Self { rooms, changed, look, going, .. } = self;
        going.retain(|id| {
            let Some(room) = rooms.get_mut(id) else { return false };
            let before = room.here.len();
            room.here.retain(|_, person| person.gone_at.is_none_or(|at| now < at + GRACE));
            if room.here.len() < before {
                changed.insert(*id);
                look.insert(*id);
            }
            room.here.values().any(|person| person.gone_at.is_some())
        });
    }

    fn forget_dead_nodes(&mut self, now: Instant) {
        let before = self.nodes.len();
        self.nodes.retain(|_, heard| now < *heard + NODE_LIFE);
        if self.nodes.len() == before {
            return;
        }
        for (id, room) in &mut self.rooms {
            let before = room.elsewhere.len();
            room.elsewhere.retain(|node, _| self.nodes.contains_key(node));
            if room.elsewhere.len() < before {
                self.look.insert(*id);
            }
        }
    }

    fn tell(&mut self) -> Vec<Vec<PeopleHere>> {
        let (mut notices, mut size): (Vec<Vec<PeopleHere>>, usize) = (Vec::new(), MOST_TOLD);
        for id in self.changed.drain() {
            let names = self.rooms.get(&id).map(|room| room.here.keys().map(ToString::to_string).collect());
            let told = people(id, names.unwrap_or_default());
            if size >= MOST_TOLD {
                notices.push(Vec::new());
                size = 0;
            }
            size += told.users.len() + 1;
            if let Some(last) = notices.last_mut() {
                last.push(told);
            }
        }
        notices
    }
}

impl Room {
    /// What is different now, if anything is.
    fn look(&mut self) -> Option<Show> {
        let now = self.everybody();
        if now == self.shown {
            return None;
        }
        let before = std::mem::replace(&mut self.shown, now.clone());
        let only = |a: &Shown, b: &Shown| a.names.difference(&b.names).cloned().collect::<Vec<_>>();
        let (came, went) = (only(&now, &before), only(&before, &now));
        let few = came.len() + went.len() <= MOST_SINGLY && !before.is_crowd() && !now.is_crowd();
        Some(if few { Show::Singly { came, went } } else { Show::Anew(now) })
    }

    fn everybody(&self) -> Shown {
        let nameless = self.elsewhere.values().any(|told| told.users.len() < told.count as usize);
        if !nameless {
            let elsewhere = self.elsewhere.values().flat_map(|told| told.users.iter().cloned());
            let names: BTreeSet<String> = self.here.keys().map(ToString::to_string).chain(elsewhere).collect();
            let count = names.len();
            return Shown { names: if count > MOST_NAMED { BTreeSet::new() } else { names }, count };
        }
        let count = self.here.len() + self.elsewhere.values().map(|told| told.count as usize).sum::<usize>();
        Shown { names: BTreeSet::new(), count }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn named(room: RoomId, names: &[&str]) -> PeopleHere {
        people(room, names.iter().map(ToString::to_string).collect())
    }

    fn name(name: &str) -> Arc<str> {
        name.into()
    }

    fn singly(came: &[&str], went: &[&str]) -> Show {
        let list = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        Show::Singly { came: list(came), went: list(went) }
    }

    fn shown(table: &Table, room: RoomId) -> Vec<String> {
        table.shown(room).map(|shown| shown.names.iter().cloned().collect()).unwrap_or_default()
    }

    #[test]
    fn who_comes_is_told_and_shown_once_however_many_tabs_they_have() {
        let (room, now, mut table) = (RoomId::new(), Instant::now(), Table::default());
        let ada = name("ada");
        table.came(room, Some(&ada));
        table.came(room, Some(&ada));
        let turn = table.turn(now);
        assert_eq!(turn.tell, [[named(room, &["ada"])]]);
        assert_eq!(turn.ask, [[room]]);
        assert_eq!(turn.show, [(room, singly(&["ada"], &[]))]);
        table.went(room, Some(&ada), now);
        let later = now + GRACE + SECOND;
        assert_eq!(table.turn(later).show, []);
        table.went(room, Some(&ada), later);
        // A page that is loaded anew.
        table.came(room, Some(&ada));
        assert_eq!(table.turn(later + GRACE + SECOND).show, []);
    }

    #[test]
    fn who_goes_is_gone_after_a_moment_and_the_room_with_them() {
        let (room, now, mut table) = (RoomId::new(), Instant::now(), Table::default());
        let (ada, lin) = (name("ada"), name("lin"));
        table.came(room, Some(&ada));
        table.came(room, Some(&lin));
        table.turn(now);
        table.went(room, Some(&ada), now);
        assert_eq!(table.turn(now + SECOND).show, []);
        let turn = table.turn(now + GRACE);
        assert_eq!(turn.tell.concat(), [named(room, &["lin"])]);
        assert_eq!(turn.show, [(room, singly(&[], &["ada"]))]);
        table.went(room, Some(&lin), now);
        assert_eq!(table.turn(now + GRACE).tell.concat(), [named(room, &[])]);
        assert!(table.rooms.is_empty());
    }

    #[test]
    fn others_nodes_people_are_here_too_until_their_node_is_not_heard_of() {
        let (room, now, mut table) = (RoomId::new(), Instant::now(), Table::default());
        let (here, there) = (name("ada"), Uuid::new_v4());
        table.told(there, vec![named(room, &["bob"])], now);
        table.came(room, Some(&here));
        table.turn(now);
        assert_eq!(shown(&table, room), ["ada"], "of a room that nobody watched nothing was kept");
        table.told(there, vec![named(room, &["ada", "bob"])], now);
        assert_eq!(table.turn(now).show, [(room, singly(&["bob"], &[]))]);
        // A sign of life is enough.
        table.told(there, Vec::new(), now + NODE_LIFE / 2);
        assert_eq!(table.turn(now + NODE_LIFE).show, []);
        let turn = table.turn(now + NODE_LIFE / 2 + NODE_LIFE);
        assert_eq!(turn.show, [(room, singly(&[], &["bob"]))]);
        assert_eq!(shown(&table, room), ["ada"]);
    }

    #[test]
    fn who_asks_is_answered_and_a_lost_notice_is_made_good_in_turn() {
        let (room, now, mut table) = (RoomId::new(), Instant::now(), Table::default());
        table.came(room, Some(&name("ada")));
        table.turn(now);
        table.asked(&[room, RoomId::new()]);
        assert_eq!(table.turn(now).tell.concat(), [named(room, &["ada"])]);
        let told: usize = (0..TURNS).map(|_| table.turn(now).tell.concat().len()).sum();
        assert_eq!(told, 1);
    }

    #[test]
    fn a_crowd_is_a_number() {
        let (room, now, mut table) = (RoomId::new(), Instant::now(), Table::default());
        for n in 0..=MOST_NAMED {
            table.came(room, Some(&name(&format!("p{n}"))));
        }
        let turn = table.turn(now);
        assert_eq!(turn.tell[0][0], PeopleHere { room, users: vec![], count: 201 });
        assert_eq!(turn.show, [(room, Show::Anew(Shown { names: BTreeSet::new(), count: 201 }))]);
        table.told(Uuid::new_v4(), vec![PeopleHere { room, users: vec![], count: 300 }], now);
        assert_eq!(table.turn(now).show, [(room, Show::Anew(Shown { names: BTreeSet::new(), count: 501 }))]);
    }

    #[test]
    fn visitors_watch_and_are_not_seen() {
        let (room, now, mut table) = (RoomId::new(), Instant::now(), Table::default());
        table.came(room, None);
        let turn = table.turn(now);
        assert_eq!((turn.tell.concat(), turn.ask, turn.show), (vec![], vec![vec![room]], vec![]));
        table.told(Uuid::new_v4(), vec![named(room, &["bob"])], now);
        table.turn(now);
        assert_eq!(shown(&table, room), ["bob"]);
        table.went(room, None, now);
        table.turn(now);
        assert!(table.rooms.is_empty());
    }
}
