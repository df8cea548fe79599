//! The order of unsent messages, and what is known of each. Pure.

use crate::{
    model::{MessageId, Millis, Position, RoomId},
    state::RoomState,
};
use serde::{Deserialize, Serialize};

/// What is known of a message that the room has not shown yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// Goes out after those before it.
    #[default]
    Waiting,
    /// On its way.
    Sending,
    /// A try failed; the next one is near.
    Retrying,
    /// The server has it at this position; the room's own event is to come.
    Sent(Position),
    /// The server will not have it, for this reason.
    Refused(String),
}

impl Status {
    /// It changes by itself.
    fn is_passing(&self) -> bool {
        !matches!(self, Self::Refused(_))
    }
}

/// A message that was written here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsent {
    /// Its id for good.
    pub id: MessageId,
    /// Where to.
    pub room: RoomId,
    /// The room's name in addresses.
    pub slug: String,
    /// The text.
    pub body: String,
    /// The message it answers.
    pub reply_to: Option<MessageId>,
    /// When it was written, by this browser's clock.
    pub written_at: Millis,
    /// Kept across reloads only if refused; anything else a new page tries anew.
    #[serde(default, skip_serializing_if = "Status::is_passing")]
    pub status: Status,
}

impl Unsent {
    /// The room shows it as its own, or would: the server has it before what the room's stretch begins with.
    pub fn is_in(&self, state: &RoomState) -> bool {
        let covered = |at| self.room == state.id() && state.covers(at);
        state.message(self.id).is_some() || matches!(self.status, Status::Sent(at) if covered(at))
    }
}

/// Unsent messages, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Queue(Vec<Unsent>);

impl Queue {
    /// A room's, oldest first.
    pub fn of(&self, room: RoomId) -> impl Iterator<Item = &Unsent> {
        self.0.iter().filter(move |unsent| unsent.room == room)
    }

    /// It is still here.
    pub fn contains(&self, id: MessageId) -> bool {
        self.get(id).is_some()
    }

    /// Adds at the end; once.
    pub fn push(&mut self, unsent: Unsent) {
        if !self.contains(unsent.id) {
            self.0.push(unsent);
        }
    }

    /// The room's next message, which is on its way from now on; none while another is.
    pub fn begin(&mut self, room: RoomId) -> Option<Unsent> {
        if self.of(room).any(|unsent| matches!(unsent.status, Status::Sending | Status::Retrying)) {
            return None;
        }
        let next = self.0.iter_mut().find(|unsent| unsent.room == room && unsent.status == Status::Waiting)?;
        next.status = Status::Sending;
        Some(next.clone())
    }

    /// The server has it.
    pub fn sent(&mut self, id: MessageId, at: Position) {
        self.set(id, Status::Sent(at));
    }

    /// It is tried again.
    pub fn failed_for_now(&mut self, id: MessageId) {
        self.set(id, Status::Retrying);
    }

    /// The server will not have it.
    pub fn refused(&mut self, id: MessageId, reason: String) {
        self.set(id, Status::Refused(reason));
    }

    /// One of them.
    pub fn get(&self, id: MessageId) -> Option<&Unsent> {
        self.0.iter().find(|unsent| unsent.id == id)
    }

    /// Waits again; gives its room.
    pub fn retry(&mut self, id: MessageId) -> Option<RoomId> {
        let unsent = self.0.iter_mut().find(|unsent| unsent.id == id)?;
        if matches!(unsent.status, Status::Refused(_)) {
            unsent.status = Status::Waiting;
        }
        Some(unsent.room)
    }

    /// It is no longer unsent.
    pub fn remove(&mut self, id: MessageId) {
        self.0.retain(|unsent| unsent.id != id);
    }

    /// Which of them have come back.
    pub fn arrived(&self, state: &RoomState) -> Vec<MessageId> {
        self.0.iter().filter(|unsent| unsent.is_in(state)).map(|unsent| unsent.id).collect()
    }

    fn set(&mut self, id: MessageId, status: Status) {
        if let Some(unsent) = self.0.iter_mut().find(|unsent| unsent.id == id) {
            unsent.status = status;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::model::{MessagePage, Room, Visibility};

    fn unsent(room: RoomId, body: &str) -> Unsent {
        let (id, slug) = (MessageId::new(), "tea".into());
        Unsent { id, room, slug, body: body.into(), reply_to: None, written_at: 0, status: Status::Waiting }
    }

    #[test]
    fn a_room_sends_one_message_at_a_time_and_in_order() {
        let (tea, ops) = (RoomId::new(), RoomId::new());
        let mut queue = Queue::default();
        for (room, body) in [(tea, "one"), (tea, "two"), (ops, "other")] {
            queue.push(unsent(room, body));
        }
        let first = queue.begin(tea).unwrap();
        assert_eq!(first.body, "one");
        assert_eq!(queue.begin(tea), None);
        assert_eq!(queue.begin(ops).unwrap().body, "other");
        // A try that failed still comes before what was written after it.
        queue.failed_for_now(first.id);
        assert_eq!(queue.begin(tea), None);
        queue.sent(first.id, Position::new(1, 1));
        assert_eq!(queue.begin(tea).unwrap().body, "two");
    }

    #[test]
    fn what_was_refused_waits_for_a_person_and_holds_up_nobody() {
        let room = RoomId::new();
        let mut queue = Queue::default();
        queue.push(unsent(room, "bad"));
        queue.push(unsent(room, "good"));
        let bad = queue.begin(room).unwrap();
        queue.refused(bad.id, "No.".into());
        assert_eq!(queue.begin(room).unwrap().body, "good");
        assert_eq!(queue.begin(room), None);
        assert_eq!(queue.retry(bad.id), Some(room));
        assert_eq!(queue.of(room).next().unwrap().status, Status::Waiting);
    }

    #[test]
    fn a_sent_message_is_settled_once_the_room_is_known_beyond_its_place() {
        let (at, before) = (Position::new(1, 7), Position::new(1, 6));
        let room = Room {
            id: RoomId::new(),
            slug: "tea".into(),
            name: "Tea".into(),
            visibility: Visibility::Public,
            role: None,
            members: 0,
            topic: String::new(),
            archived: false,
            keep_days: 0,
        };
        // The room's page begins after the message: it was sent long ago, and the answer came only now.
        let state = |at, newer| {
            let page = MessagePage { messages: vec![], at, as_of: at, more: true };
            RoomState::new(room.clone(), vec![], &page, true, newer)
        };
        let mut queue = Queue::default();
        queue.push(unsent(room.id, "late"));
        queue.push(unsent(RoomId::new(), "elsewhere"));
        let late = queue.begin(room.id).unwrap();
        assert!(queue.arrived(&state(at, false)).is_empty(), "not sent yet");
        queue.sent(late.id, at);
        assert!(queue.arrived(&state(before, false)).is_empty(), "its event is to come");
        assert!(queue.arrived(&state(at, true)).is_empty(), "the stretch ends before it");
        assert_eq!(queue.arrived(&state(at, false)), [late.id]);
    }

    #[test]
    fn a_reload_does_not_send_again_what_was_refused() {
        let room = RoomId::new();
        let mut refused = unsent(room, "bad");
        refused.status = Status::Refused("No.".into());
        let text = serde_json::to_string(&refused).unwrap();
        let mut queue = Queue::default();
        queue.push(serde_json::from_str(&text).unwrap());
        assert_eq!(queue.begin(room), None);
        assert_eq!(queue.get(refused.id).unwrap().status, refused.status);
    }

    #[test]
    fn a_message_keeps_its_id_over_a_reload() {
        let room = RoomId::new();
        let mut sending = unsent(room, "kept");
        sending.status = Status::Sending;
        let text = serde_json::to_string(&sending).unwrap();
        let kept: Unsent = serde_json::from_str(&text).unwrap();
        assert_eq!((kept.id, kept.status), (sending.id, Status::Waiting));
    }
}
