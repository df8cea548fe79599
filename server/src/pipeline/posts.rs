//! Posts that a partition has had, so that a retry that got into the log a
//! second time is shown once: the first in the log stands.

use app::model::{MessageId, Millis, Position, RoomId};
use std::collections::{HashMap, VecDeque};

/// Most posts that are remembered.
const REMEMBERED: usize = 100_000;
/// Longer than this nothing is remembered, so that a quiet partition's memory stays small.
const FOR: Millis = 5 * 60 * 1000;
/// How far a sender's clock may be ahead of ours for the time in its ids to be relied on.
const AHEAD: Millis = 10_000;

/// The latest posts of a partition.
#[derive(Default)]
pub(super) struct Posts {
    places: HashMap<(RoomId, MessageId), Position>,
    order: VecDeque<(Millis, (RoomId, MessageId))>,
    /// Every post that was accepted later than this is remembered.
    since: Option<Millis>,
}

/// What is known of a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Post {
    /// It is the first of its id.
    First,
    /// The log has it at an earlier place.
    Repeated,
    /// It is the first that is remembered; an earlier one may be forgotten already.
    Unknown,
}

impl Posts {
    /// The partition is read from its beginning: nothing was ever forgotten.
    pub(super) fn have_all(&mut self) {
        self.since = Some(Millis::MIN);
    }

    /// Notes a post, accepted at `accepted_at`. Posts come in the log's order; going back in it is harmless.
    pub(super) fn note(&mut self, room: RoomId, id: MessageId, at: Position, accepted_at: Millis) -> Post {
        match self.places.get(&(room, id)) {
            Some(first) if *first < at => return Post::Repeated,
            Some(_) => return Post::First,
            None => {}
        }
        let since = *self.since.get_or_insert(accepted_at);
        self.places.insert((room, id), at);
        self.order.push_back((accepted_at, (room, id)));
        while self.order.len() > REMEMBERED || self.order.front().is_some_and(|(old, _)| old + FOR < accepted_at) {
            let Some((old, post)) = self.order.pop_front() else { break };
            self.places.remove(&post);
            self.since = self.since.max(Some(old));
        }
        // An id is made before its message is first posted. A younger one than our memory cannot have been forgotten.
        match made_at(id) {
            Some(made) if made - AHEAD > since && made < accepted_at + AHEAD => Post::First,
            _ => Post::Unknown,
        }
    }
}

/// When a version 7 id was made, by its maker's clock.
fn made_at(id: MessageId) -> Option<Millis> {
    let (seconds, nanos) = id.0.get_timestamp().filter(|_| id.0.get_version_num() == 7)?.to_unix();
    Millis::try_from(seconds).ok()?.checked_mul(1000)?.checked_add(Millis::from(nanos / 1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(at: Millis) -> MessageId {
        let (seconds, nanos) = ((at / 1000) as u64, (at % 1000) as u32 * 1_000_000);
        MessageId(uuid::Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanos)))
    }

    #[test]
    fn a_post_is_told_from_its_repetition_and_from_itself_read_again() {
        let (mut posts, room, now) = (Posts::default(), RoomId::new(), 1_000_000_000);
        let (old, young) = (made(now), made(now + 60_000));
        assert_eq!(posts.note(room, old, Position::new(1, 1), now), Post::Unknown, "the memory has just begun");
        assert_eq!(posts.note(room, young, Position::new(1, 2), now + 60_000), Post::First);
        assert_eq!(posts.note(room, old, Position::new(1, 1), now), Post::First, "read again");
        assert_eq!(posts.note(room, old, Position::new(1, 3), now + 60_001), Post::Repeated);
        assert_eq!(posts.note(RoomId::new(), young, Position::new(1, 4), now + 60_002), Post::First, "another room's");
    }

    #[test]
    fn what_was_forgotten_is_not_taken_for_a_first() {
        let (mut posts, room, now) = (Posts::default(), RoomId::new(), 1_000_000_000);
        let old = made(now);
        posts.note(room, old, Position::new(1, 1), now);
        for n in 0..10 {
            posts.note(room, made(now + n * 60_000), Position::new(1, 2 + n as u64), now + n * 60_000);
        }
        assert!(posts.order.len() < 8, "it forgets");
        assert_eq!(posts.note(room, old, Position::new(1, 99), now + 600_000), Post::Unknown);
        let of_a_fast_clock = made(now + 700_000);
        assert_eq!(posts.note(room, of_a_fast_clock, Position::new(1, 100), now + 600_000), Post::Unknown);
    }
}
