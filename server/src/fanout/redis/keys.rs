//! Names and encodings in Redis.

use crate::fanout::RingEvent;
use app::model::{MessageId, Position, RoomId};
use bytes::Bytes;

/// The names of one installation's keys and channels.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    namespace: String,
}

impl Keys {
    pub(super) fn new(namespace: &str) -> Self {
        Self { namespace: namespace.to_owned() }
    }

    /// A room's ring, a stream. The room in braces is the hash tag: in a Redis Cluster it alone decides the slot, so
    /// that ring and channel of a room are together.
    pub(super) fn ring(&self, room: RoomId) -> String {
        format!("{}:{{{room}}}:ring", self.namespace)
    }

    /// The channel of a room's events.
    pub(super) fn live(&self, room: RoomId) -> String {
        format!("{}:{{{room}}}:live", self.namespace)
    }

    /// The marker of a partition: everything up to this position is in the rings.
    pub(super) fn relayed(&self, partition: u32) -> String {
        format!("{}:relayed:{partition}", self.namespace)
    }

    /// The claim on a message id, beside its room's ring.
    pub(super) fn claim(&self, room: RoomId, id: MessageId) -> String {
        format!("{}:{{{room}}}:claim:{id}", self.namespace)
    }

    /// How many claims there have been. It only rises, unless Redis has forgotten.
    pub(super) fn claims(&self) -> String {
        format!("{}:claims", self.namespace)
    }

    /// The channel of notices to all nodes.
    pub(super) fn notices(&self) -> String {
        format!("{}:notices", self.namespace)
    }

    /// Whose channel it is, if it is a room's.
    pub(super) fn room_of(&self, channel: &[u8]) -> Option<RoomId> {
        let name = std::str::from_utf8(channel).ok()?;
        name.strip_prefix(&self.namespace)?.strip_prefix(":{")?.strip_suffix("}:live")?.parse().ok()
    }
}

/// A position as a stream's entry id.
pub(super) fn id(at: Position) -> String {
    format!("{}-{}", at.epoch, at.offset)
}

/// A stream's entry id as a position.
pub(super) fn position(id: &[u8]) -> Option<Position> {
    let (epoch, offset) = std::str::from_utf8(id).ok()?.split_once('-')?;
    Some(Position::new(epoch.parse().ok()?, offset.parse().ok()?))
}

/// `-` stands for a position that nobody knows.
pub(super) fn prev(text: &[u8]) -> Option<Option<Position>> {
    if text == b"-" { Some(None) } else { position(text).map(Some) }
}

/// An event as it is published: id, `prev` and payload with single spaces between them.
pub(super) fn published(message: Vec<u8>) -> Option<RingEvent> {
    let message = Bytes::from(message);
    let mut spaces = message.iter().enumerate().filter(|(_, byte)| **byte == b' ').map(|(index, _)| index);
    let (first, second) = (spaces.next()?, spaces.next()?);
    Some(RingEvent {
        at: position(&message[..first])?,
        prev: prev(&message[first + 1..second])?,
        payload: message.slice(second + 1..),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_room_is_found_by_its_channel_and_only_by_that() {
        let (keys, room) = (Keys::new("party{line}"), RoomId::new());
        assert_eq!(keys.room_of(keys.live(room).as_bytes()), Some(room));
        for other in [keys.ring(room), keys.notices(), Keys::new("party").live(room), "live".into()] {
            assert_eq!(keys.room_of(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn a_published_event_is_read_as_it_was_written() {
        let event = published(b"1-5 1-3 {\"a\": \"b c\"}".to_vec()).unwrap();
        assert_eq!((event.at, event.prev), (Position::new(1, 5), Some(Position::new(1, 3))));
        assert_eq!(event.payload, "{\"a\": \"b c\"}");
        assert_eq!(published(b"1-5 - ".to_vec()).unwrap().prev, None);
        assert_eq!(published(b"1-5 0-0 x".to_vec()).unwrap().prev, Some(Position::START));
        for bad in ["", "1-5", "1-5 1-3", "1 - x", "a-b - x", "1-5 x y"] {
            assert_eq!(published(bad.as_bytes().to_vec()), None, "{bad}");
        }
    }

    #[test]
    fn ids_carry_all_of_a_position() {
        for at in [Position::START, Position::new(1, 0), Position::new(u32::MAX, u64::MAX)] {
            assert_eq!(position(id(at).as_bytes()), Some(at));
        }
    }
}
