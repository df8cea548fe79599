//! The fields of an event that this version does not know.

use super::{Event, KnownEvent};
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::Error as _};
use serde_json::{Map, Value};

/// What a later version has put into an event of a known kind: carried, and shown to nobody here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rest(Map<String, Value>);

#[cfg(not(feature = "hydrate"))]
impl Rest {
    /// The fields of `whole` that `known` lacks, at any depth of objects.
    fn between(whole: Value, known: &Value) -> Self {
        match (whole, known) {
            (Value::Object(whole), Value::Object(known)) => Self(lacking(whole, known)),
            _ => Self::default(),
        }
    }
}

#[cfg(not(feature = "hydrate"))]
fn lacking(whole: Map<String, Value>, known: &Map<String, Value>) -> Map<String, Value> {
    let more = whole.into_iter().filter_map(|(name, value)| match (value, known.get(&name)) {
        (Value::Object(whole), Some(Value::Object(known))) => {
            let more = lacking(whole, known);
            (!more.is_empty()).then_some((name, Value::Object(more)))
        }
        (_, Some(_)) => None,
        (value, None) => Some((name, value)),
    });
    more.collect()
}

/// Puts the fields back where they were.
fn put_back(known: &mut Map<String, Value>, rest: &Map<String, Value>) {
    for (name, value) in rest {
        match (known.get_mut(name), value) {
            (Some(Value::Object(known)), Value::Object(rest)) => put_back(known, rest),
            (Some(_), _) => {}
            (None, value) => {
                known.insert(name.clone(), value.clone());
            }
        }
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Known(known, rest) if rest.0.is_empty() => known.serialize(s),
            Self::Known(known, rest) => match serde_json::to_value(known).map_err(S::Error::custom)? {
                Value::Object(mut whole) => {
                    put_back(&mut whole, &rest.0);
                    whole.serialize(s)
                }
                other => other.serialize(s),
            },
            Self::Unknown(value) => value.serialize(s),
        }
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let whole = Value::deserialize(d)?;
        // Of a known kind, but in a form that this version cannot read: a later version's all the same.
        let Ok(known) = KnownEvent::from_object(&whole) else { return Ok(Self::Unknown(whole)) };
        // The browser passes no event on.
        #[cfg(feature = "hydrate")]
        return Ok(Self::Known(known, Rest::default()));
        #[cfg(not(feature = "hydrate"))]
        {
            let form = serde_json::to_value(&known).map_err(serde::de::Error::custom)?;
            Ok(Self::Known(known, Rest::between(whole, &form)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_of_a_later_version_are_carried_at_any_depth() {
        let by = json!({"id": "00000000-0000-0000-0000-000000000001", "username": "ada", "display_name": "Ada",
                        "guest": false, "admin": false, "avatar": "tea.png"});
        let whole = json!({"kind": "message_posted", "important": true, "message": {
            "id": "00000000-0000-0000-0000-000000000002", "at": "1.7", "author": by, "body": "hello", "sent_at": 1,
            "edited_at": null, "deleted": false, "reply_to": null, "reactions": [], "files": [{"name": "a"}]}});
        let event: Event = serde_json::from_value(whole.clone()).expect("an event");
        assert!(matches!(&event, Event::Known(KnownEvent::MessagePosted { .. }, rest) if rest.0.len() == 2));
        assert_eq!(serde_json::to_value(&event).expect("json"), whole);
        // What replaces a known field is the known one; what a later version may hide a text in goes with the text.
        let blank = serde_json::to_value(event.without_text()).expect("json");
        assert_eq!((&blank["message"]["body"], &blank["message"]["files"]), (&json!(""), &json!(null)));
    }
}
