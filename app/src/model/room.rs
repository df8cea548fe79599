//! What can change about a room, and the links that let people into it.

use super::{Invalid, MAX_TOPIC_CHARS, Millis, Room, User, Visibility, names::deceives};
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

/// What a room is about: up to 250 characters on one line, perhaps none; plain text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topic(String);

impl Topic {
    /// Folds white space and checks.
    ///
    /// # Errors
    /// [`Invalid`] with the rule.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        const RULE: Invalid = Invalid("a topic has 250 characters at most, all of them visible");
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        // Emoji are put together with these two; here nothing is told apart by them.
        let hides = |c: char| deceives(c) && !matches!(c, '\u{200D}' | '\u{FE0F}');
        if text.chars().count() > MAX_TOPIC_CHARS || text.contains(hides) {
            return Err(RULE);
        }
        Ok(Self(text))
    }

    /// The text itself.
    pub fn into_string(self) -> String {
        self.0
    }
}

/// What becomes different about a room; `None`: stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomChange {
    /// The name for people. The name in addresses stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it is about; empty: nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Who may see and write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visibility: Option<Visibility>,
    /// Only to be read from now on, or in use again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archived: Option<bool>,
    /// So many days its messages are kept; 0: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_days: Option<u32>,
}

/// A room was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RoomChanged {
    /// Who did it.
    pub by: User,
    /// What became different.
    #[serde(flatten)]
    pub change: RoomChange,
}

// Read field by field: serde's `flatten` would hold the object in a form of its own first, which browsers would load.
impl<'de> Deserialize<'de> for RoomChanged {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Fields {
            by: User,
            name: Option<String>,
            topic: Option<String>,
            visibility: Option<Visibility>,
            archived: Option<bool>,
            keep_days: Option<u32>,
        }
        let Fields { by, name, topic, visibility, archived, keep_days } = Fields::deserialize(d)?;
        Ok(Self { by, change: RoomChange { name, topic, visibility, archived, keep_days } })
    }
}

impl RoomChange {
    /// Nothing becomes different.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Both, this one first.
    pub fn then(self, later: Self) -> Self {
        Self {
            name: later.name.or(self.name),
            topic: later.topic.or(self.topic),
            visibility: later.visibility.or(self.visibility),
            archived: later.archived.or(self.archived),
            keep_days: later.keep_days.or(self.keep_days),
        }
    }
}

impl Room {
    /// Becomes what a change says.
    pub fn change(&mut self, change: RoomChange) {
        let RoomChange { name, topic, visibility, archived, keep_days } = change;
        self.name = name.unwrap_or_else(|| std::mem::take(&mut self.name));
        self.topic = topic.unwrap_or_else(|| std::mem::take(&mut self.topic));
        self.visibility = visibility.unwrap_or(self.visibility);
        self.archived = archived.unwrap_or(self.archived);
        self.keep_days = keep_days.unwrap_or(self.keep_days);
    }
}

/// A link that lets people into a room, as those who run the room see it. The secret in it is not known any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invite {
    /// To take it back by.
    pub id: Uuid,
    /// Who made it.
    pub by: User,
    /// When.
    pub created_at: Millis,
    /// It is good until then.
    pub expires_at: Millis,
    /// So many people may come in by it; `None`: any number.
    pub uses: Option<u32>,
    /// So many have.
    pub used: u32,
}

/// A list of rooms to choose from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryQuery {
    /// In the name or the topic; empty: all.
    #[serde(default)]
    pub q: String,
    /// The archived rooms instead of those in use.
    #[serde(default)]
    pub archived: bool,
    /// Those after the room of this slug.
    #[serde(default)]
    pub after: Option<String>,
}

/// A page of [`DirectoryQuery`]'s answer, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryPage {
    /// The rooms.
    pub rooms: Vec<Room>,
    /// There are more, after the last of these.
    pub more: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Event, KnownEvent};

    #[test]
    fn a_topic_is_one_line_of_what_can_be_seen() {
        assert_eq!(Topic::parse(" Tea,\n and 👩‍🍳 ☕️ ").map(Topic::into_string).as_deref(), Ok("Tea, and 👩‍🍳 ☕️"));
        assert_eq!(Topic::parse(" \n"), Ok(Topic::default()));
        assert!(Topic::parse(&"ä".repeat(250)).is_ok());
        for bad in [&"ä".repeat(251), "turned \u{202E}around", "a\0b", "\u{200B}"] {
            assert!(Topic::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_change_says_only_what_becomes_different() {
        let text = r#"{"kind":"room_changed","by":{"id":"00000000-0000-0000-0000-000000000001","username":"ada","display_name":"Ada","guest":false,"admin":false},"topic":"Tea"}"#;
        let event: Event = serde_json::from_str(text).expect("json");
        let Event::Known(KnownEvent::RoomChanged(RoomChanged { change, .. }), _) = &event else { panic!("{event:?}") };
        assert_eq!(*change, RoomChange { topic: Some("Tea".into()), ..RoomChange::default() });
        assert_eq!(serde_json::to_string(&event).expect("json"), text);
        let later = RoomChange {
            topic: Some(String::new()),
            archived: Some(true),
            keep_days: Some(7),
            ..RoomChange::default()
        };
        assert_eq!(change.clone().then(later.clone()), later);
    }
}
