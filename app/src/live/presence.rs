//! Who listens in which room just now, as the server told. Pure.

use crate::model::RoomId;
use std::collections::{HashMap, HashSet};

/// User names by room; of a crowd only the number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presence(HashMap<RoomId, Here>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Here {
    users: HashSet<String>,
    /// More than are named.
    crowd: Option<u32>,
}

impl Presence {
    /// Who is in a room, all of them.
    pub fn all(&mut self, room: RoomId, users: Vec<String>, count: u32) {
        let users: HashSet<String> = users.into_iter().collect();
        let crowd = (users.len() < count as usize).then_some(count);
        self.0.insert(room, Here { users, crowd });
    }

    /// Somebody came or went.
    pub fn one(&mut self, room: RoomId, user: String, online: bool) {
        let here = self.0.entry(room).or_default();
        here.crowd = None;
        if online {
            here.users.insert(user);
        } else {
            here.users.remove(&user);
        }
    }

    /// Nothing is known any more. `true`: something was.
    pub fn forget(&mut self) -> bool {
        !std::mem::take(&mut self.0).is_empty()
    }

    /// Whether somebody is there, by user name. In a crowd nobody is told apart.
    pub fn has(&self, room: RoomId, user: &str) -> bool {
        self.0.get(&room).is_some_and(|here| here.users.contains(user))
    }

    /// How many are there.
    pub fn count(&self, room: RoomId) -> u32 {
        let here = self.0.get(&room);
        here.map_or(0, |here| here.crowd.unwrap_or_else(|| u32::try_from(here.users.len()).unwrap_or(u32::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_come_and_go() {
        let (room, mut presence) = (RoomId::new(), Presence::default());
        presence.all(room, vec!["ada".into(), "bob".into()], 2);
        presence.one(room, "lin".into(), true);
        presence.one(room, "ada".into(), false);
        assert_eq!(presence.count(room), 2);
        assert!(presence.has(room, "lin") && presence.has(room, "bob") && !presence.has(room, "ada"));
        assert_eq!(presence.count(RoomId::new()), 0);
        assert!(presence.forget() && !presence.forget());
        assert_eq!(presence.count(room), 0);
    }

    #[test]
    fn a_crowd_is_a_number_until_it_is_one_no_longer() {
        let (room, mut presence) = (RoomId::new(), Presence::default());
        presence.all(room, vec![], 300);
        assert!(presence.count(room) == 300 && !presence.has(room, "ada"));
        presence.all(room, vec!["ada".into()], 1);
        assert!(presence.count(room) == 1 && presence.has(room, "ada"));
    }
}
