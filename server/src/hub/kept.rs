//! An event as a node keeps it for who resumes: its frame, and the little that
//! the room's task must know of it.

use crate::fanout::RingEvent;
use app::{
    model::{Event, KnownEvent, MessageId, Position, RoomId, UserId},
    protocol::ServerFrame,
};
use axum::extract::ws::Utf8Bytes;
use std::collections::HashSet;

/// A kept event.
pub(super) struct Kept {
    pub at: Position,
    pub frame: Utf8Bytes,
    /// Whose membership it changed, and whether they are a member after it.
    pub membership: Option<(UserId, bool)>,
    /// The message that it deleted.
    pub deletes: Option<MessageId>,
}

impl Kept {
    /// The frame is written by hand around the payload, which is JSON already: one copy, however many watchers.
    pub fn new(room: RoomId, at: Position, prev: Position, payload: &[u8]) -> Self {
        let text = String::from_utf8_lossy(payload);
        let frame = format!(r#"{{"type":"event","room":"{room}","at":"{at}","prev":"{prev}","event":{text}}}"#).into();
        let (membership, deletes) = match rare(payload) {
            Some(KnownEvent::MemberJoined { user, .. }) => (Some((user.id, true)), None),
            Some(KnownEvent::MemberLeft { user, .. }) => (Some((user.id, false)), None),
            Some(KnownEvent::MessageDeleted { id, .. }) => (None, Some(id)),
            _ => (None, None),
        };
        Self { at, frame, membership, deletes }
    }

    /// Takes the text of this message out, if there is any; how many bytes that were. Looked for in the frame first:
    /// deletions are rare, events are not.
    pub fn blank(&mut self, deleted: MessageId) -> usize {
        if !self.frame.as_str().contains(&deleted.to_string()) {
            return 0;
        }
        let Ok(ServerFrame::Event { room, at, prev, event }) = serde_json::from_str(self.frame.as_str()) else {
            return 0;
        };
        if event.text_of() != Some(deleted) {
            return 0;
        }
        let before = self.frame.len();
        self.frame = super::connection::encode(&ServerFrame::Event { room, at, prev, event: event.without_text() });
        before.saturating_sub(self.frame.len())
    }
}

/// An event of the kinds that the task looks into. Told by the text first: nearly every event is a message.
fn rare(payload: &[u8]) -> Option<KnownEvent> {
    let text = std::str::from_utf8(payload).ok()?;
    if !text.contains(r#""kind":"member_"#) && !text.contains(r#""kind":"message_deleted""#) {
        return None;
    }
    match serde_json::from_str(text).ok()? {
        Event::Known(known) => Some(known),
        Event::Unknown(_) => None,
    }
}

/// Takes the texts out of what is deleted later among these events, or in what is kept after them.
pub(super) fn blank_deleted<'k>(events: &mut [RingEvent], kept: impl Iterator<Item = &'k Kept>) {
    let among = events.iter().filter_map(|e| match rare(&e.payload) {
        Some(KnownEvent::MessageDeleted { id, .. }) => Some(id),
        _ => None,
    });
    let deleted: HashSet<MessageId> = among.chain(kept.filter_map(|k| k.deletes)).collect();
    if deleted.is_empty() {
        return;
    }
    for event in events {
        let Ok(parsed) = serde_json::from_slice::<Event>(&event.payload) else { continue };
        if parsed.text_of().is_some_and(|id| deleted.contains(&id)) {
            event.payload = serde_json::to_vec(&parsed.without_text()).expect("an event is plain data").into();
        }
    }
}
