//! An event as a node keeps it for who resumes: its frame, and the little that
//! the room's task must know of it.

use crate::{fanout::RingEvent, websocket::Frame};
use app::{
    model::{Event, KnownEvent, MessageId, Position, Role, RoomChange, RoomChanged, RoomId, UserId},
    protocol::ServerFrame,
};
use std::collections::HashSet;

/// A kept event.
pub(super) struct Kept {
    pub at: Position,
    pub frame: Frame,
    /// Whose membership it changed.
    pub membership: Option<Membership>,
    /// What it changed about the room.
    pub change: Option<RoomChange>,
    /// The message that it deleted.
    pub deletes: Option<MessageId>,
    /// Up to where it said that messages have become too old.
    pub expires: Option<Position>,
    /// The message that it posted.
    pub posts: Option<MessageId>,
}

/// What somebody is in a room after an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Membership {
    pub user: UserId,
    /// `None`: no member any more.
    pub role: Option<Role>,
    /// Somebody else took them out.
    pub removed: bool,
}

impl Kept {
    /// The frame is written by hand around the payload, which is JSON already: one copy, however many watchers.
    pub fn new(room: RoomId, at: Position, prev: Position, payload: &[u8]) -> Self {
        let posts = posted(payload);
        let text = String::from_utf8_lossy(payload);
        let frame = format!(r#"{{"type":"event","room":"{room}","at":"{at}","prev":"{prev}","event":{text}}}"#);
        let frame = Frame::text(&frame);
        let rare = rare(payload);
        let membership = rare.as_ref().and_then(membership);
        let (mut change, mut deletes, mut expires) = (None, None, None);
        match rare {
            Some(KnownEvent::MessageDeleted { id, .. }) => deletes = Some(id),
            Some(KnownEvent::MessagesExpired { up_to }) => expires = Some(up_to),
            Some(KnownEvent::RoomChanged(RoomChanged { change: changed, .. })) => change = Some(changed),
            _ => {}
        }
        Self { at, frame, membership, change, deletes, expires, posts }
    }

    /// Takes the text of this message out, if there is any; how many bytes that were. Looked for in the frame first:
    /// deletions are rare, events are not.
    pub fn blank(&mut self, deleted: MessageId) -> usize {
        if !self.frame.as_str().contains(&deleted.to_string()) {
            return 0;
        }
        self.blank_if(|event, _| event.text_of() == Some(deleted))
    }

    /// The same, of a message that was posted up to there. All are looked into: it is once an hour at most.
    pub fn blank_up_to(&mut self, up_to: Position) -> usize {
        self.blank_if(|event, at| event.is_text_up_to(at, up_to))
    }

    fn blank_if(&mut self, goes: impl Fn(&Event, Position) -> bool) -> usize {
        let Ok(ServerFrame::Event { room, at, prev, event }) = serde_json::from_str(self.frame.as_str()) else {
            return 0;
        };
        if !goes(&event, at) {
            return 0;
        }
        let before = self.frame.size();
        self.frame = super::connection::encode(&ServerFrame::Event { room, at, prev, event: event.without_text() });
        before.saturating_sub(self.frame.size())
    }
}

/// Whose membership an event changes.
pub(super) fn membership(event: &KnownEvent) -> Option<Membership> {
    match event {
        KnownEvent::MemberJoined { user, role } => {
            Some(Membership { user: user.id, role: Some(*role), removed: false })
        }
        KnownEvent::MemberLeft { user, by } => {
            Some(Membership { user: user.id, role: None, removed: user.id != by.id })
        }
        _ => None,
    }
}

/// The message that an event posts. Read off the text's beginning, as [`Event`] is written: nearly every event is one,
/// and parsing it whole would cost more than all the rest.
pub(super) fn posted(payload: &[u8]) -> Option<MessageId> {
    let text = payload.strip_prefix(br#"{"kind":"message_posted","message":{"id":""#)?;
    std::str::from_utf8(text.get(..36)?).ok()?.parse().ok()
}

/// Whether a record or an event may be one that changes who is a member, or the room; told by the text.
pub(super) fn may_change_access(payload: &[u8]) -> bool {
    std::str::from_utf8(payload)
        .is_ok_and(|text| text.contains(r#""kind":"member_"#) || text.contains(r#""kind":"room_changed""#))
}

/// An event of the kinds that the task looks into. Told by the text first: nearly every event is a message.
fn rare(payload: &[u8]) -> Option<KnownEvent> {
    let text = std::str::from_utf8(payload).ok()?;
    let takes_texts = [r#""kind":"message_deleted""#, r#""kind":"messages_expired""#];
    if !may_change_access(payload) && !takes_texts.iter().any(|kind| text.contains(kind)) {
        return None;
    }
    match serde_json::from_str(text).ok()? {
        Event::Known(known, _) => Some(known),
        Event::Unknown(_) => None,
    }
}

/// Takes the texts out of what is deleted, or becomes too old, later among these events, or in what is kept after them.
pub(super) fn blank_gone<'k>(events: &mut [RingEvent], kept: impl Iterator<Item = &'k Kept>) {
    let (mut deleted, mut expired) = (HashSet::new(), None);
    for event in events.iter() {
        match rare(&event.payload) {
            Some(KnownEvent::MessageDeleted { id, .. }) => drop(deleted.insert(id)),
            Some(KnownEvent::MessagesExpired { up_to }) => expired = expired.max(Some(up_to)),
            _ => {}
        }
    }
    for kept in kept {
        deleted.extend(kept.deletes);
        expired = expired.max(kept.expires);
    }
    if deleted.is_empty() && expired.is_none() {
        return;
    }
    for event in events {
        let Ok(parsed) = serde_json::from_slice::<Event>(&event.payload) else { continue };
        let too_old = expired.is_some_and(|up_to| parsed.is_text_up_to(event.at, up_to));
        if too_old || parsed.text_of().is_some_and(|id| deleted.contains(&id)) {
            event.payload = serde_json::to_vec(&parsed.without_text()).expect("an event is plain data").into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use app::model::{Message, User, UserId};

    #[test]
    fn a_posted_message_is_known_by_the_beginning_of_its_text() {
        let author =
            User { id: UserId::new(), username: "ada".into(), display_name: "Ada".into(), guest: false, admin: false };
        let message = Message {
            id: MessageId::new(),
            at: Position::new(1, 2),
            author,
            body: "hello".into(),
            sent_at: 0,
            edited_at: None,
            deleted: false,
            reply_to: Some(MessageId::new()),
            reactions: Vec::new(),
            pinned: false,
            replies: 0,
        };
        let id = message.id;
        let bytes = |event: KnownEvent| serde_json::to_vec(&Event::from(event)).expect("plain data");
        assert_eq!(posted(&bytes(KnownEvent::MessagePosted { message })), Some(id));
        let edited = KnownEvent::MessageEdited { id, body: "hi".into(), edited_at: 0, posted_at: None };
        assert_eq!(posted(&bytes(edited)), None);
    }
}
