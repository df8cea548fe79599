//! What a room keeps in view.

use super::{Message, Millis, Position, User};
use serde::{Deserialize, Serialize};

/// Pinned messages of a room.
pub const MAX_PINS: usize = 50;

/// A message that a room keeps in view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// The message as it stands.
    pub message: Message,
    /// Who pinned it.
    pub by: User,
    /// When.
    pub pinned_at: Millis,
}

/// All that a room keeps in view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinList {
    /// The last pinned first.
    pub pins: Vec<Pin>,
    /// The list is as of this.
    pub at: Position,
}

#[cfg(test)]
mod tests {
    use crate::model::{Event, KnownEvent};

    #[test]
    fn a_pin_is_an_event_like_others() {
        let by = r#"{"id":"00000000-0000-0000-0000-000000000001","username":"ada","display_name":"Ada","guest":false,"admin":false}"#;
        let id = "00000000-0000-0000-0000-000000000002";
        let pinned = format!(r#"{{"kind":"message_pinned","id":"{id}","by":{by},"pinned_at":7}}"#);
        let unpinned = format!(r#"{{"kind":"message_unpinned","id":"{id}","by":{by}}}"#);
        for text in [pinned, unpinned] {
            let event: Event = serde_json::from_str(&text).expect("json");
            let known =
                matches!(event, Event::Known(KnownEvent::MessagePinned { .. } | KnownEvent::MessageUnpinned { .. }, _));
            assert!(known, "{event:?}");
            assert_eq!(serde_json::to_string(&event).expect("json"), text);
        }
    }
}
