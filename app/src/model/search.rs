//! What is looked for, and what is found.

use super::{Message, RoomId};
use serde::{Deserialize, Serialize};

/// What is looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchQuery {
    /// Words, `"phrases"`, `from:name`, `in:room`, `before:2026-11-23`.
    pub q: String,
    /// Only in this room, by id or slug; `in:` comes first.
    pub room: Option<String>,
    /// Go on after a page: its `next`.
    pub before: Option<String>,
    /// How many messages: 1 to 50, 20 if not given.
    pub limit: Option<u32>,
}

/// What was found, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchPage {
    /// Newest first.
    pub hits: Vec<SearchHit>,
    /// There is more.
    pub more: bool,
    /// Where it goes on, if there is more. Opaque.
    pub next: Option<String>,
}

/// A message that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchHit {
    /// As in the history.
    pub message: Message,
    /// Where it was said.
    pub room: FoundIn,
    /// Its text, or the part around the first thing that was found.
    pub excerpt: Vec<Piece>,
}

/// The room of something that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundIn {
    /// Stable id.
    pub id: RoomId,
    /// The name in addresses.
    pub slug: String,
    /// The name for people.
    pub name: String,
}

/// A stretch of a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// The text.
    pub text: String,
    /// It is what was looked for.
    pub found: bool,
}
