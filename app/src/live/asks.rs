//! What one connection has asked of the server: which subscriptions have no answer yet, and when to ask again.
//!
//! Between the socket and the state in a message's way. Answers do not say which
//! question they are to, but come in the order of the questions. Pure.

use super::backoff::ask_again_ms;
use crate::model::{Millis, Position, RoomId};
use std::collections::{HashMap, VecDeque};

/// A room with more questions than this without an answer is on a connection that is as good as gone.
const MAX_UNANSWERED: usize = 16;

/// What to make of a `subscribed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is to a question of this state, or of an earlier one: its promise holds.
    Stands,
    /// It is to a question of a state that was further; the answer to this one's is to come.
    Other,
    /// The same, but nothing was asked for this state.
    AskAgain,
}

/// The questions of one connection.
#[derive(Debug, Default)]
pub struct Asks(HashMap<RoomId, Asked>);

#[derive(Debug, Default)]
struct Asked {
    /// `since` of each subscription without an answer, oldest first.
    unanswered: VecDeque<Position>,
    /// When to ask again, unless it is answered first.
    again_at: Option<Millis>,
    /// Refusals and silences in a row.
    failures: u32,
}

impl Asks {
    /// A subscription goes out.
    pub fn asked(&mut self, room: RoomId, since: Position, now: Millis, random: f64) {
        let asked = self.0.entry(room).or_default();
        asked.unanswered.push_back(since);
        asked.wait(asked.failures, now, random);
    }

    /// The server answered that a subscription stands; the room's state is at `at`.
    pub fn subscribed(&mut self, room: RoomId, at: Position) -> Answer {
        let Some(asked) = self.0.get_mut(&room) else { return Answer::Other };
        match asked.unanswered.pop_front() {
            Some(since) if since <= at => {
                (asked.again_at, asked.failures) = (None, 0);
                Answer::Stands
            }
            Some(_) if asked.unanswered.is_empty() => Answer::AskAgain,
            Some(_) | None => Answer::Other,
        }
    }

    /// The server refused: asked again, ever less often. Also said without a question, to who may no longer read.
    pub fn refused(&mut self, room: RoomId, now: Millis, random: f64) {
        let asked = self.0.entry(room).or_default();
        asked.answered_out_of_order();
        asked.wait(asked.failures, now, random);
        asked.failures += 1;
    }

    /// The server cannot give what was missed: the room is asked for when it has been read anew.
    pub fn resynced(&mut self, room: RoomId) {
        if let Some(asked) = self.0.get_mut(&room) {
            asked.answered_out_of_order();
            asked.again_at = None;
        }
    }

    /// Nobody shows the room any more. Its answers still come.
    pub fn dropped(&mut self, room: RoomId) {
        if let Some(asked) = self.0.get_mut(&room) {
            asked.again_at = None;
            if asked.unanswered.is_empty() {
                self.0.remove(&room);
            }
        }
    }

    /// An answer is to come, or the time to ask again is: a hole is no reason to ask.
    pub fn is_waiting(&self, room: RoomId) -> bool {
        self.0.get(&room).is_some_and(|asked| asked.again_at.is_some())
    }

    /// The rooms to ask for again now.
    pub fn due(&mut self, now: Millis) -> Vec<RoomId> {
        let due = self.0.iter_mut().filter(|(_, asked)| asked.again_at.is_some_and(|at| at <= now));
        due.map(|(room, asked)| {
            // Refusals are counted as they come, silences here.
            asked.failures += u32::from(!asked.unanswered.is_empty());
            *room
        })
        .collect()
    }

    /// The server answers pings, perhaps, but no questions.
    pub fn unheard(&self) -> bool {
        self.0.values().any(|asked| asked.unanswered.len() > MAX_UNANSWERED)
    }
}

impl Asked {
    fn wait(&mut self, failures: u32, now: Millis, random: f64) {
        self.again_at = Some(now + Millis::try_from(ask_again_ms(failures, random)).unwrap_or(Millis::MAX / 2));
    }

    /// One is answered, but not certainly the oldest: each that is left counts as the furthest of them all.
    fn answered_out_of_order(&mut self) {
        if let Some(furthest) = self.unanswered.iter().max().copied() {
            self.unanswered.pop_front();
            self.unanswered.iter_mut().for_each(|since| *since = furthest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: u64) -> Position {
        Position::new(1, offset)
    }

    #[test]
    fn a_refused_room_is_asked_for_again_ever_less_often() {
        let (room, mut asks, mut now) = (RoomId::new(), Asks::default(), 0);
        for wait in [5_000, 10_000, 20_000, 40_000, 60_000, 60_000] {
            asks.asked(room, at(1), now, 0.0);
            asks.refused(room, now, 0.0);
            assert!(asks.is_waiting(room));
            assert_eq!(asks.due(now + wait - 1), []);
            now += wait;
            assert_eq!(asks.due(now), [room]);
        }
        asks.asked(room, at(1), now, 0.0);
        assert_eq!(asks.subscribed(room, at(1)), Answer::Stands);
        // It is well again: the next refusal is the first.
        asks.refused(room, now, 0.0);
        assert_eq!(asks.due(now + 5_000), [room]);
    }

    #[test]
    fn a_question_without_an_answer_is_asked_again() {
        let (room, mut asks) = (RoomId::new(), Asks::default());
        asks.asked(room, at(1), 0, 0.0);
        assert_eq!(asks.due(4_999), []);
        assert_eq!(asks.due(5_000), [room]);
        asks.asked(room, at(1), 5_000, 0.0);
        assert_eq!(asks.due(14_999), []);
        assert_eq!(asks.due(15_000), [room]);
        // Both are answered in the end.
        asks.asked(room, at(1), 15_000, 0.0);
        assert_eq!(asks.subscribed(room, at(1)), Answer::Stands);
        assert!(!asks.is_waiting(room));
        assert_eq!(asks.subscribed(room, at(1)), Answer::Stands);
    }

    #[test]
    fn an_answer_to_a_state_that_was_further_promises_this_one_nothing() {
        let (room, mut asks) = (RoomId::new(), Asks::default());
        // The page of the newest messages asks, then one further back takes its place and asks too.
        asks.asked(room, at(100), 0, 0.0);
        asks.asked(room, at(50), 0, 0.0);
        assert_eq!(asks.subscribed(room, at(50)), Answer::Other);
        assert!(asks.is_waiting(room));
        assert_eq!(asks.subscribed(room, at(50)), Answer::Stands);
        // Nothing is to come: it must be asked.
        asks.asked(room, at(100), 0, 0.0);
        assert_eq!(asks.subscribed(room, at(50)), Answer::AskAgain);
        assert_eq!(asks.subscribed(room, at(50)), Answer::Other);
    }

    #[test]
    fn after_an_answer_that_may_be_to_any_question_none_is_taken_for_the_easier_one() {
        let (room, mut asks) = (RoomId::new(), Asks::default());
        asks.asked(room, at(100), 0, 0.0);
        asks.asked(room, at(50), 0, 0.0);
        asks.refused(room, 0, 0.0);
        assert_eq!(asks.subscribed(room, at(50)), Answer::AskAgain);
    }

    #[test]
    fn a_resync_leaves_the_asking_to_who_reads_the_room_anew() {
        let (room, mut asks) = (RoomId::new(), Asks::default());
        asks.asked(room, at(1), 0, 0.0);
        asks.resynced(room);
        assert!(!asks.is_waiting(room));
        assert_eq!(asks.due(Millis::MAX), []);
        asks.asked(room, at(9), 7, 0.0);
        assert_eq!(asks.subscribed(room, at(9)), Answer::Stands);
    }

    #[test]
    fn a_room_that_nobody_shows_is_not_asked_for_and_its_answers_are_not_mixed_up() {
        let (room, mut asks) = (RoomId::new(), Asks::default());
        asks.asked(room, at(100), 0, 0.0);
        asks.dropped(room);
        assert_eq!(asks.due(Millis::MAX), []);
        asks.asked(room, at(50), 0, 0.0);
        assert_eq!(asks.subscribed(room, at(50)), Answer::Other);
        assert_eq!(asks.subscribed(room, at(50)), Answer::Stands);
        asks.dropped(room);
        assert!(asks.0.is_empty());
    }

    #[test]
    fn a_connection_that_answers_no_question_is_given_up() {
        let (room, mut asks) = (RoomId::new(), Asks::default());
        for _ in 0..=MAX_UNANSWERED {
            assert!(!asks.unheard());
            asks.asked(room, at(1), 0, 0.0);
        }
        assert!(asks.unheard());
    }
}
