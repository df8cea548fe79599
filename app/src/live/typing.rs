//! Who types in which room, until they have not typed for a while or their message is there. Pure.

use crate::model::{Event, KnownEvent, Millis, RoomId};
use std::collections::HashMap;

/// How long somebody who typed is shown as typing.
pub const TYPING_MS: Millis = 6_000;

/// User names, and until when they are shown, by room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Typing(HashMap<RoomId, Vec<(String, Millis)>>);

impl Typing {
    /// The user names in one room, in order of the latest key.
    pub fn of(&self, room: RoomId) -> Vec<String> {
        self.0.get(&room).map(|who| who.iter().map(|(name, _)| name.clone()).collect()).unwrap_or_default()
    }

    /// Somebody types.
    pub fn heard(&mut self, room: RoomId, user: String, now: Millis) {
        let who = self.0.entry(room).or_default();
        who.retain(|(name, _)| *name != user);
        who.push((user, now + TYPING_MS));
    }

    /// Somebody has said it. `true`: they were shown until now.
    pub fn said(&mut self, room: RoomId, user: &str) -> bool {
        self.keep(|of, name, _| of != room || name != user)
    }

    /// Forgets who has stopped. `true`: somebody has.
    pub fn forget(&mut self, now: Millis) -> bool {
        self.keep(|_, _, until| until > now)
    }

    fn keep(&mut self, keep: impl Fn(RoomId, &str, Millis) -> bool) -> bool {
        let before: usize = self.0.values().map(Vec::len).sum();
        self.0.iter_mut().for_each(|(room, who)| who.retain(|(name, until)| keep(*room, name, *until)));
        self.0.retain(|_, who| !who.is_empty());
        before != self.0.values().map(Vec::len).sum::<usize>()
    }
}

/// Whose message an event is.
pub fn author(event: &Event) -> Option<&str> {
    match event {
        Event::Known(KnownEvent::MessagePosted { message }, _) => Some(&message.author.username),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_types_is_shown_for_six_seconds_after_the_last_key() {
        let (room, mut typing) = (RoomId::new(), Typing::default());
        typing.heard(room, "ada".into(), 0);
        typing.heard(room, "lin".into(), 1_000);
        typing.heard(room, "ada".into(), 2_000);
        assert_eq!(typing.of(room), ["lin", "ada"]);
        assert!(!typing.forget(6_999));
        assert!(typing.forget(7_000));
        assert_eq!(typing.of(room), ["ada"]);
        assert!(typing.forget(8_000));
        assert_eq!(typing, Typing::default());
    }

    #[test]
    fn who_has_said_it_types_no_longer_in_that_room() {
        let (room, other, mut typing) = (RoomId::new(), RoomId::new(), Typing::default());
        for room in [room, other] {
            typing.heard(room, "ada".into(), 0);
        }
        typing.heard(room, "lin".into(), 0);
        assert!(typing.said(room, "ada"));
        assert!(!typing.said(room, "ada"));
        assert_eq!((typing.of(room), typing.of(other)), (vec!["lin".to_owned()], vec!["ada".to_owned()]));
    }
}
