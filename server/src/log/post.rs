//! A posted message, read straight from the log's bytes.
//!
//! Nearly every record is one, and each is read several times on its way: by the
//! relay, by persist, by the rows it becomes. Read as any record, it goes through
//! trees of JSON values, of which nothing is kept. What is not exactly as this
//! version writes it is read so all the same, and both ways come to the same.

use super::Record;
use app::model::{KnownEvent, Message, Millis, Position, RoomId, User, UserId};
use serde::{Deserialize, Deserializer, Serialize};
use std::borrow::Cow;
use uuid::Uuid;

/// A record that is a post, with nothing in it that a [`Record`] would not have, and nothing missing.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Post<'a> {
    v: u8,
    room: RoomId,
    by: UserId,
    id: Uuid,
    accepted_at: Millis,
    #[serde(borrow)]
    event: Posted<'a>,
}

/// Fields are in the order of their names: so an event is archived.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Posted<'a> {
    kind: Kind,
    #[serde(borrow)]
    message: New<'a>,
}

#[derive(Deserialize, Serialize)]
enum Kind {
    #[serde(rename = "message_posted")]
    MessagePosted,
}

/// Ids are kept as they are written.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct New<'a> {
    at: Position,
    #[serde(borrow)]
    author: Author<'a>,
    #[serde(borrow)]
    body: Cow<'a, str>,
    deleted: bool,
    edited_at: (),
    id: &'a str,
    reactions: [(); 0],
    #[serde(borrow, deserialize_with = "there")]
    reply_to: Option<&'a str>,
    sent_at: Millis,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Author<'a> {
    admin: bool,
    #[serde(borrow)]
    display_name: Cow<'a, str>,
    guest: bool,
    id: &'a str,
    #[serde(borrow)]
    username: Cow<'a, str>,
}

/// It may be null, and must be there: by itself, serde takes a missing one for null.
fn there<'de: 'a, 'a, D: Deserializer<'de>>(d: D) -> Result<Option<&'a str>, D::Error> {
    Option::deserialize(d)
}

impl<'a> Post<'a> {
    /// `None`: read it as any record.
    pub fn read(payload: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(payload).ok()
    }

    /// As [`Record::decode`] would have it. `None`: read it as any record.
    pub fn into_record(self) -> Option<Record> {
        let New { at, author, body, deleted, edited_at: (), id, reactions: [], reply_to, sent_at } = self.event.message;
        let Author { admin, display_name, guest, id: author, username } = author;
        let author = User {
            id: author.parse().ok()?,
            username: username.into_owned(),
            display_name: display_name.into_owned(),
            guest,
            admin,
        };
        let reply_to = match reply_to {
            Some(id) => Some(id.parse().ok()?),
            None => None,
        };
        let message =
            Message { at, deleted, reply_to, ..Message::new(id.parse().ok()?, author, body.into_owned(), sent_at) };
        let Self { v, room, by, id, accepted_at, .. } = self;
        Some(Record { v, room, by, id, accepted_at, event: KnownEvent::MessagePosted { message }.into() })
    }

    /// As [`super::event_json`] would have it.
    pub fn into_event_json(mut self, at: Position) -> String {
        self.event.message.at = at;
        serde_json::to_string(&self.event).expect("a post is plain data")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::log::{event_json, event_json_any};
    use app::model::MessageId;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn as_any(payload: &[u8]) {
        let at = Position::new(2, 70);
        assert_eq!(Record::decode(payload).unwrap(), Record::decode_any(payload).unwrap());
        assert_eq!(event_json(payload, at).unwrap(), event_json_any(payload, at).unwrap());
    }

    fn post(author: User, body: &str, reply_to: Option<MessageId>) -> Record {
        let by = author.id;
        let message = Message { reply_to, ..Message::new(MessageId::new(), author, body, 1_795_392_000_000) };
        let event = KnownEvent::MessagePosted { message }.into();
        Record { v: 1, room: RoomId::new(), by, id: Uuid::now_v7(), accepted_at: -7, event }
    }

    proptest! {
        #[test]
        fn what_this_version_writes_is_read_in_the_short_way(
            body in any::<String>(), name in any::<String>(), (guest, admin, answers) in any::<(bool, bool, bool)>(),
        ) {
            let author = User { id: UserId::new(), username: name.clone(), display_name: name, guest, admin };
            let record = post(author, &body, answers.then(MessageId::new));
            let payload = record.encode();
            prop_assert_eq!(Post::read(&payload).and_then(Post::into_record), Some(record));
            as_any(&payload);
        }
    }

    /// Every object of it, by the names that lead there.
    fn objects(value: &Value, path: &str, found: &mut Vec<String>) {
        if let Value::Object(fields) = value {
            found.push(path.to_owned());
            fields.iter().for_each(|(name, field)| objects(field, &format!("{path}/{name}"), found));
        }
    }

    #[test]
    fn what_another_version_writes_is_read_as_any_record() {
        let author = User {
            id: UserId::new(),
            username: "ada".into(),
            display_name: "Ada \u{1f5a9}\"".into(),
            guest: false,
            admin: true,
        };
        let whole = serde_json::to_value(post(author, "one\ntwo", Some(MessageId::new()))).unwrap();
        let mut found = vec![];
        objects(&whole, "", &mut found);
        assert_eq!(found, ["", "/event", "/event/message", "/event/message/author"]);
        let mut longer = vec![];
        for path in &found {
            let mut more = whole.clone();
            more.pointer_mut(path).unwrap()["colour"] = json!({"hue": 1});
            longer.push(more);
        }
        for (field, other) in [
            ("/event/message/pinned", json!(false)),
            ("/event/message/reactions", json!([{"emoji": "x", "by": ["ada"]}])),
            ("/event/message/edited_at", json!(5)),
        ] {
            let (path, name) = field.rsplit_once('/').unwrap();
            let mut changed = whole.clone();
            changed.pointer_mut(path).unwrap()[name] = other;
            longer.push(changed);
        }
        for name in ["edited_at", "deleted", "reply_to", "reactions"] {
            let mut shorter = whole.clone();
            shorter.pointer_mut("/event/message").unwrap().as_object_mut().unwrap().remove(name).unwrap();
            longer.push(shorter);
        }
        for value in longer {
            let payload = value.to_string();
            assert!(Post::read(payload.as_bytes()).is_none(), "{payload}");
            as_any(payload.as_bytes());
        }
        // Ids as nobody here writes them stay as they are.
        let id = whole["event"]["message"]["id"].as_str().unwrap();
        let payload = whole.to_string().replace(id, &id.to_uppercase());
        assert!(event_json(payload.as_bytes(), Position::START).unwrap().contains(&id.to_uppercase()));
        as_any(payload.as_bytes());
    }
}
