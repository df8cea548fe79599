//! What is searched for in a store, and what is found.

use super::RoomRow;
use crate::search::Phrase;
use app::model::{Message, Millis, Position, RoomId, UserId};
use std::{fmt, str::FromStr};
use uuid::Uuid;

/// Rooms that a search names to the index. Whoever may read more waits for messages from other rooms to be passed over.
pub(super) const NAMED_ROOMS: usize = 200;

/// What is searched for, and by whom. Everything that is given must hold.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// Who may read what is found; `None`: a visitor.
    pub who: Option<UserId>,
    /// What the text has. None, then `author` is given.
    pub phrases: Vec<Phrase>,
    /// Who posted it.
    pub author: Option<UserId>,
    /// In this room.
    pub room: Option<RoomId>,
    /// Not in these rooms, whatever the store says of who is in them.
    pub not_in: Vec<RoomId>,
    /// Sent before this.
    pub sent_before: Option<Millis>,
    /// After this in the order of what is found.
    pub after: Option<FoundAt>,
    /// How many.
    pub limit: u32,
}

/// What was found, newest first.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The messages as they stand, and their rooms.
    pub hits: Vec<(RoomRow, Message)>,
    /// The limit cut the answer.
    pub more: bool,
}

/// The place of a message in the order of what is found. Opaque to clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundAt {
    /// When it was sent.
    pub sent_at: Millis,
    /// Its room.
    pub room: RoomId,
    /// Its position there.
    pub at: Position,
}

impl FoundAt {
    /// After everything that can be found.
    pub(super) const NEWEST: Self =
        Self { sent_at: i64::MAX, room: RoomId(Uuid::max()), at: Position::new(u32::MAX, u64::MAX) };
}

impl fmt::Display for FoundAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.sent_at, self.room.0.simple(), self.at)
    }
}

/// The text is not a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a place among what is found")]
pub struct NotAPlace;

impl FromStr for FoundAt {
    type Err = NotAPlace;
    fn from_str(text: &str) -> Result<Self, NotAPlace> {
        let (sent_at, rest) = text.split_once('.').ok_or(NotAPlace)?;
        let (room, at) = rest.split_once('.').ok_or(NotAPlace)?;
        let sent_at = sent_at.parse().map_err(|_| NotAPlace)?;
        Ok(Self { sent_at, room: room.parse().map_err(|_| NotAPlace)?, at: at.parse().map_err(|_| NotAPlace)? })
    }
}

/// A message's terms on their way into the index.
pub(super) struct NewTerms {
    pub(super) room: Uuid,
    pub(super) id: Uuid,
    /// See [`place`].
    pub(super) place: i64,
    /// As the database takes them: see `bulk::terms`.
    pub(super) terms: String,
}

/// What all messages of a room have in common. No word begins like it. Two rooms may have the same: the index leads to
/// messages, and their rows say which they are.
pub(super) fn room_term(room: Uuid) -> String {
    format!("#{:010x}", room.as_u128() & 0xff_ffff_ffff)
}

/// What all messages of an author have in common.
pub(super) fn author_term(author: Uuid) -> String {
    format!("@{:010x}", author.as_u128() & 0xff_ffff_ffff)
}

/// What the places of versions up to 0011 are below: they had other rows in SQLite's index.
const PLACES: i64 = 1 << 62;

/// The place of a message in a log of few partitions as one number: in order of the log.
pub(super) fn place(partition: u32, at: Position) -> i64 {
    let (epoch, offset) = (i64::from(at.epoch & 0x7ff), (at.offset & 0x7ff_ffff_ffff) as i64);
    PLACES | epoch << 51 | offset << 8 | i64::from(partition & 0xff)
}

/// The same of what came from the database.
pub(super) fn place_of(partition: i64, epoch: i64, offset: i64) -> i64 {
    place(super::row::small(partition), super::row::position(epoch, offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_comes_back_as_it_was_told() {
        for place in [
            FoundAt { sent_at: 1_795_392_000_000, room: RoomId::new(), at: Position::new(2, 77) },
            FoundAt { sent_at: -1, room: RoomId(Uuid::nil()), at: Position::START },
            FoundAt::NEWEST,
        ] {
            assert_eq!(place.to_string().parse(), Ok(place));
        }
        for bad in ["", "1", "1.2", "1.2.3", "x.00000000000000000000000000000000.1.1", "1..1.1"] {
            assert!(bad.parse::<FoundAt>().is_err(), "{bad}");
        }
    }

    #[test]
    fn places_are_in_the_order_of_the_log() {
        let mut places = vec![];
        for (epoch, offset, partition) in [(1, 0, 0), (1, 0, 3), (1, 1, 0), (1, 1 << 42, 0), (2, 0, 0), (2_047, 5, 255)]
        {
            places.push(place(partition, Position::new(epoch, offset)));
        }
        assert!(places.is_sorted() && places[0] > PLACES, "{places:?}");
        assert!(place(u32::MAX, Position::new(u32::MAX, u64::MAX)) > PLACES, "whatever a log says");
    }
}
