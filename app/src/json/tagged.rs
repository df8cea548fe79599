//! Kinds that are told apart by a field: `{"type": "typing", "room": …}`.

use super::{Unreadable, Variant};
use serde::{Deserializer, de::Visitor};
use serde_json::Value;

/// Reads an object whose field `name` says which of several it is; the others are its content.
#[derive(Clone, Copy, Debug)]
pub struct Tag<'de> {
    /// The field's name.
    pub name: &'static str,
    /// The whole object.
    pub whole: &'de Value,
}

impl<'de> Deserializer<'de> for Tag<'de> {
    type Error = Unreadable;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        let name = self.whole.get(self.name).and_then(Value::as_str).ok_or(Unreadable)?;
        visitor.visit_enum(Variant { name, content: self.whole })
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// An enum whose variants are told apart by a field. It is written as serde's `tag` does. Read that way, the object
/// would be held in a form of serde's own, and everything inside compiled once more for that; so it is read from a
/// [`Value`].
macro_rules! tagged {
    ($tag:literal, $name:literal; $(#[$meta:meta])* $vis:vis enum $type:ident { $($variants:tt)* }) => {
        $(#[$meta])*
        #[derive(serde::Serialize)]
        #[serde(tag = $tag, rename_all = "snake_case")]
        $vis enum $type { $($variants)* }

        const _: () = {
            /// The variants by their names alone.
            #[derive(serde::Deserialize)]
            #[serde(remote = $name, rename_all = "snake_case")]
            #[allow(dead_code, missing_docs, clippy::large_enum_variant, reason = "never made: it tells serde the form")]
            enum Form { $($variants)* }

            impl $type {
                /// Reads it from an object, whatever else is in there.
                pub(crate) fn from_object(whole: &serde_json::Value) -> Result<Self, $crate::json::Unreadable> {
                    Form::deserialize($crate::json::Tag { name: $tag, whole })
                }
            }

            impl<'de> serde::Deserialize<'de> for $type {
                fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                    let whole = <serde_json::Value as serde::Deserialize>::deserialize(d)?;
                    Self::from_object(&whole).map_err(serde::de::Error::custom)
                }
            }
        };
    };
}
pub(crate) use tagged;
