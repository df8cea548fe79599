//! What serde_json reads, the browser reads alike; what serde's `tag` reads, so does [`tagged`].

use super::{read, tagged};
use crate::{
    api::RoomData,
    error::ApiError,
    model::{Event, MessagePage, Unread, User},
    outbox::Unsent,
    protocol::ServerFrame,
};
use proptest::prelude::*;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::fmt::Debug;

const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

fn user() -> Value {
    json!({"id": ID, "username": "ada", "display_name": "Ada", "guest": false, "admin": true})
}

fn page() -> Value {
    let message = json!({
        "id": ID, "at": "1.7", "author": user(), "body": "é \"\\ 👍", "sent_at": -3, "edited_at": 4, "deleted": false,
        "reply_to": ID, "reactions": [{"emoji": "👍", "users": ["ada", "lin"]}]});
    json!({"messages": [message], "at": "1.9", "as_of": "2.0", "more": true})
}

fn room_data() -> Value {
    let room = json!({"id": ID, "slug": "tea", "name": "Tea", "visibility": "public", "role": "owner", "members": 3,
                      "keep_days": 30});
    json!({"room": room, "members": [{"user": user(), "role": "member"}], "page": page(), "older": true,
           "newer": false, "read": "1.5", "pins": page()["messages"]})
}

fn frames() -> [Value; 9] {
    let posted = json!({"kind": "message_posted", "message": page()["messages"][0]});
    [
        json!({"type": "hello", "version": "1", "heartbeat_ms": 20_000}),
        json!({"type": "event", "room": ID, "at": "1.2", "prev": "1.1", "event": posted}),
        json!({"type": "event", "room": ID, "at": "1.2", "prev": null, "event": {"kind": "poll_opened", "n": [1.5, {}]}}),
        json!({"type": "event", "room": ID, "at": "1.3", "prev": null,
               "event": {"kind": "messages_expired", "up_to": "1.2"}}),
        json!({"type": "resync", "room": ID, "reason": "too_old"}),
        json!({"type": "present", "room": ID, "users": ["ada"], "count": 1}),
        json!({"type": "status", "posting": true, "history": false}),
        json!({"type": "pong"}),
        json!({"type": "of a later version", "n": 1}),
    ]
}

/// Something else in some place: the first of `path` says where, the next where in there.
fn changed(value: &mut Value, path: &[u8], to: &Value) {
    let Some((first, path)) = path.split_first() else { return value.clone_from(to) };
    let nth = |count: usize| usize::from(*first) % count;
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            let name = fields.keys().nth(nth(fields.len())).expect("there").clone();
            if path.is_empty() && first % 3 == 0 {
                fields.remove(&name);
            } else if path.is_empty() && first % 3 == 1 {
                fields.insert("later".into(), to.clone());
            } else {
                changed(&mut fields[&name], path, to);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            let n = nth(items.len());
            changed(&mut items[n], path, to);
        }
        other => other.clone_from(to),
    }
}

fn anything() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(null)),
        Just(json!(true)),
        any::<i64>().prop_map(|n| json!(n)),
        any::<u64>().prop_map(|n| json!(n)),
        any::<f64>().prop_map(|n| json!(n)),
        Just(json!("")),
        Just(json!("1.2")),
        Just(json!("members")),
        Just(json!([])),
        Just(json!({})),
    ]
}

fn change() -> impl Strategy<Value = (Vec<u8>, Value)> {
    (prop::collection::vec(any::<u8>(), 0..6), anything())
}

fn alike<T: DeserializeOwned + PartialEq + Debug>(value: &Value) {
    let text = value.to_string();
    assert_eq!(read::<T>(&text).ok(), serde_json::from_str::<T>(&text).ok(), "{text}");
}

tagged! { "kind", "Shape";
    #[derive(Clone, Debug, PartialEq)]
    enum Shape {
        Round { n: u32, of: Option<User>, #[serde(default)] many: Vec<i8> },
        Named(Named),
        Bare,
        #[serde(other)]
        Later,
    }
}

/// The same by serde's own way.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Twin {
    Round {
        n: u32,
        of: Option<User>,
        #[serde(default)]
        many: Vec<i8>,
    },
    Named(Named),
    Bare,
    #[serde(other)]
    Later,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Named {
    name: String,
}

impl From<Twin> for Shape {
    fn from(twin: Twin) -> Self {
        match twin {
            Twin::Round { n, of, many } => Self::Round { n, of, many },
            Twin::Named(named) => Self::Named(named),
            Twin::Bare => Self::Bare,
            Twin::Later => Self::Later,
        }
    }
}

proptest! {
    #[test]
    fn what_the_server_answers_is_read_as_serde_json_does((path, to) in change()) {
        for whole in [room_data(), json!({"Ok": room_data()}), json!({"Err": {"code": "not_found"}})] {
            let mut value = whole;
            changed(&mut value, &path, &to);
            alike::<RoomData>(&value);
            alike::<Result<RoomData, ApiError>>(&value);
        }
        let mut value = page();
        changed(&mut value, &path, &to);
        alike::<MessagePage>(&value);
        let mut value = json!([{"room": ID, "read": "1.2", "upto": "1.3", "unread": 4, "mentions": 0, "direct": true}]);
        changed(&mut value, &path, &to);
        alike::<Vec<Unread>>(&value);
        let mut value = json!({"id": ID, "room": ID, "slug": "tea", "body": "b", "reply_to": null, "written_at": 5,
                               "status": {"Sent": "1.7"}});
        changed(&mut value, &path, &to);
        alike::<Unsent>(&value);
        alike::<Option<User>>(&value);
    }

    #[test]
    fn frames_are_read_as_serde_json_does((path, to) in change()) {
        for mut frame in frames() {
            changed(&mut frame, &path, &to);
            alike::<ServerFrame>(&frame);
            alike::<Event>(&frame["event"]);
        }
    }

    #[test]
    fn kinds_are_told_apart_as_serde_does((path, to) in change()) {
        for mut value in [
            json!({"kind": "round", "n": 1, "of": user(), "many": [1, -1]}),
            json!({"kind": "named", "name": "a"}),
            json!({"kind": "bare"}),
            json!({"n": 1, "kind": "square"}),
        ] {
            changed(&mut value, &path, &to);
            let text = value.to_string();
            let twin = serde_json::from_str::<Twin>(&text).ok().map(Shape::from);
            prop_assert_eq!(serde_json::from_str::<Shape>(&text).ok(), twin.clone(), "{}", text);
            prop_assert_eq!(read::<Shape>(&text).ok(), twin, "{}", text);
        }
    }
}

#[test]
fn every_frame_is_read_from_what_it_is_written_as() {
    for frame in frames() {
        let read: ServerFrame = read(&frame.to_string()).expect("a frame");
        if read != ServerFrame::Unknown {
            assert_eq!(serde_json::to_value(&read).expect("json"), frame);
        }
    }
    for text in ["", "{", "[]", "null", "7", r#"{"type": 1}"#, r#"{"room": 1}"#] {
        assert_eq!(read::<ServerFrame>(text), Err(super::Unreadable), "{text}");
    }
}
