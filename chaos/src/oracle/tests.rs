//! Good histories pass; each broken one is found out, and for what it is.

use super::*;
use crate::history::{Shown, What};
use uuid::Uuid;

const WRITER: Client = 1;
const READER: Client = 2;
const OUTSIDER: Client = 3;

/// A small true history, to be broken.
struct Story {
    lines: Vec<(Client, What)>,
}

fn at(offset: u64) -> Position {
    Position::first(offset)
}

/// The nth message.
fn id(n: u64) -> Uuid {
    Uuid::from_u128(u128::from(n))
}

fn post(n: u64) -> (Client, What) {
    (WRITER, What::Post { r: 1, i: id(n), n: 0 })
}

fn ack(n: u64, offset: u64) -> (Client, What) {
    (WRITER, What::Ack { r: 1, i: id(n), n: 0, at: at(offset) })
}

fn no(n: u64, never: bool) -> (Client, What) {
    (WRITER, What::No { r: 1, i: id(n), n: 0, s: 503, never })
}

fn event(offset: u64, prev: u64, e: Shown) -> (Client, What) {
    (READER, What::Event { r: 1, at: at(offset), prev: Some(at(prev)), e })
}

fn shown(n: u64, offset: u64, prev: u64) -> (Client, What) {
    event(offset, prev, Shown::M(id(n)))
}

fn page(client: Client, whole: u32, after: Position, upto: u64, messages: &[(u64, u64)]) -> (Client, What) {
    let m = messages.iter().map(|(n, offset)| (id(*n), at(*offset))).collect();
    (client, What::Page { r: 1, n: 0, after, at: at(upto), more: false, whole, m })
}

impl Story {
    /// Four messages at 10, 20, 30 and 40; Lin is removed at 25 and comes back; two of the messages needed retries.
    fn new() -> Self {
        let is = |client, user: &str| (client, What::Is { user: user.into() });
        let lin = || "lin".to_owned();
        Self {
            lines: vec![
                is(WRITER, "ada"),
                is(READER, "ada"),
                is(OUTSIDER, "lin"),
                (0, What::Room { r: 1, id: id(99), public: false }),
                (READER, What::Subscribe { r: 1, n: 0, since: None }),
                (READER, What::Subscribed { r: 1, at: at(5) }),
                (OUTSIDER, What::Subscribe { r: 1, n: 0, since: Some(at(5)) }),
                (OUTSIDER, What::Subscribed { r: 1, at: at(5) }),
                post(1),
                ack(1, 10),
                shown(1, 10, 5),
                (OUTSIDER, What::Event { r: 1, at: at(10), prev: Some(at(5)), e: Shown::M(id(1)) }),
                post(2),
                no(2, false),
                post(2),
                ack(2, 20),
                shown(2, 20, 10),
                (0, What::Removed { r: 1, user: lin(), at: at(25) }),
                event(25, 20, Shown::Left(lin())),
                (OUTSIDER, What::Denied { r: 1 }),
                (READER, What::Closed { code: 1001 }),
                post(3),
                no(3, true),
                post(3),
                ack(3, 30),
                page(READER, 0, at(20), 33, &[(3, 30)]),
                (READER, What::Subscribe { r: 1, n: 1, since: Some(at(33)) }),
                (READER, What::Subscribed { r: 1, at: at(33) }),
                (0, What::Joining { r: 1, user: lin() }),
                (OUTSIDER, What::Subscribe { r: 1, n: 1, since: None }),
                (OUTSIDER, What::Subscribed { r: 1, at: at(30) }),
                post(4),
                ack(4, 40),
                shown(4, 40, 33),
                (OUTSIDER, What::Event { r: 1, at: at(40), prev: Some(at(30)), e: Shown::M(id(4)) }),
                (READER, What::End { r: 1 }),
                (OUTSIDER, What::End { r: 1 }),
                page(WRITER, 1, Position::START, 40, &[(1, 10), (2, 20), (3, 30), (4, 40)]),
                page(WRITER, 2, Position::START, 41, &[(1, 10), (2, 20), (3, 30), (4, 40)]),
            ],
        }
    }

    fn index(&self, line: &(Client, What)) -> usize {
        self.lines.iter().position(|l| l == line).expect("the story has this line")
    }

    fn without(mut self, line: (Client, What)) -> Self {
        let index = self.index(&line);
        self.lines.remove(index);
        self
    }

    fn instead(mut self, line: (Client, What), other: (Client, What)) -> Self {
        let index = self.index(&line);
        self.lines[index] = other;
        self
    }

    fn after(mut self, line: (Client, What), other: (Client, What)) -> Self {
        let index = self.index(&line);
        self.lines.insert(index + 1, other);
        self
    }

    /// Both last readings say this.
    fn ends(self, messages: &[(u64, u64)]) -> Self {
        let all = [(1, 10), (2, 20), (3, 30), (4, 40)];
        let (first, second) = (page(WRITER, 1, Position::START, 40, &all), page(WRITER, 2, Position::START, 41, &all));
        self.instead(first, page(WRITER, 1, Position::START, 40, messages))
            .instead(second, page(WRITER, 2, Position::START, 41, messages))
    }

    fn verdict(self) -> Verdict {
        let lines: Vec<Line> = self
            .lines
            .into_iter()
            .enumerate()
            .map(|(micros, (client, what))| Line { micros: micros as u64, client, what })
            .collect();
        judge_lines(|| Ok(lines.clone().into_iter().map(Ok))).unwrap()
    }

    #[track_caller]
    fn breaks(self, promise: Promise) {
        let verdict = self.verdict();
        assert!(verdict.count(promise) > 0, "not seen: {verdict}");
    }

    /// This and nothing else.
    #[track_caller]
    fn breaks_only(self, promise: Promise, times: u64) {
        let verdict = self.verdict();
        assert_eq!(verdict.broken, BTreeMap::from([(promise, times)]), "{verdict}");
    }
}

#[test]
fn a_true_history_is_good() {
    let verdict = Story::new().verdict();
    assert!(verdict.is_good(), "{verdict}");
    assert_eq!((verdict.posted, verdict.acknowledged, verdict.retried, verdict.shown), (4, 4, 2, 6));
}

#[test]
fn an_acknowledged_message_that_is_not_there_is_lost() {
    Story::new().ends(&[(1, 10), (2, 20), (4, 40)]).breaks(Promise::Lost);
}

#[test]
fn a_message_that_nobody_acknowledged_may_be_there_or_not() {
    let story = || Story::new().after(ack(4, 40), post(5));
    assert!(story().verdict().is_good());
    let there = story().after(shown(4, 40, 33), shown(5, 50, 40)).ends(&[(1, 10), (2, 20), (3, 30), (4, 40), (5, 50)]);
    // The pages say that they cover everything up to 40 and 41: then it is not theirs.
    let verdict = there.verdict();
    assert_eq!((verdict.count(Promise::Phantom), verdict.count(Promise::Lost)), (0, 0), "{verdict}");
}

#[test]
fn a_message_that_is_there_twice_is_doubled() {
    Story::new().ends(&[(1, 10), (2, 20), (3, 30), (3, 35), (4, 40)]).breaks(Promise::Doubled);
}

#[test]
fn a_message_that_is_shown_twice_is_doubled() {
    Story::new().after(shown(1, 10, 5), shown(1, 10, 5)).breaks_only(Promise::Doubled, 1);
    Story::new().after(shown(2, 20, 10), shown(2, 21, 20)).breaks(Promise::Phantom);
}

#[test]
fn a_message_elsewhere_than_told_is_moved() {
    Story::new().instead(ack(2, 20), ack(2, 19)).breaks_only(Promise::Moved, 1);
    Story::new().after(ack(2, 20), ack(2, 19)).breaks_only(Promise::Moved, 1);
}

#[test]
fn what_was_written_later_and_comes_earlier_is_inverted() {
    let told = Story::new().instead(ack(4, 40), ack(4, 9)).without(shown(4, 40, 33));
    told.breaks(Promise::Inverted);
    Story::new().ends(&[(2, 20), (1, 10), (3, 30), (4, 40)]).breaks(Promise::Inverted);
}

#[test]
fn live_positions_that_fall_are_inverted() {
    let late = Story::new().without(shown(1, 10, 5)).after(shown(2, 20, 10), shown(1, 10, 5));
    late.breaks(Promise::Inverted);
}

#[test]
fn an_event_that_a_reader_is_not_shown_is_a_hole() {
    // The frame says it itself…
    Story::new().without(shown(1, 10, 5)).breaks_only(Promise::Hole, 1);
    // …or hides it.
    let hidden = Story::new().without(shown(1, 10, 5)).instead(shown(2, 20, 10), shown(2, 20, 5));
    hidden.breaks_only(Promise::Hole, 1);
    // A member's leaving is an event too, and known from whoever saw it.
    let elsewhere = Shown::Left("eve".into());
    let seen = (OUTSIDER, What::Event { r: 1, at: at(7), prev: Some(at(5)), e: elsewhere });
    let before = (OUTSIDER, What::Subscribed { r: 1, at: at(5) });
    Story::new().after(before, seen).breaks_only(Promise::Hole, 1);
}

#[test]
fn a_reader_who_goes_on_later_than_it_had_has_a_hole() {
    Story::new().without(page(READER, 0, at(20), 33, &[(3, 30)])).breaks(Promise::Hole);
}

#[test]
fn the_last_event_that_is_never_shown_is_a_hole() {
    Story::new().without(shown(4, 40, 33)).breaks_only(Promise::Hole, 1);
}

#[test]
fn what_is_shown_and_not_there_is_a_phantom() {
    Story::new().after(shown(2, 20, 10), shown(7, 22, 20)).breaks(Promise::Phantom);
    Story::new().ends(&[(1, 10), (2, 20), (3, 30), (8, 35), (4, 40)]).breaks(Promise::Phantom);
}

#[test]
fn what_the_log_never_had_and_is_there_is_a_phantom() {
    let story = Story::new().without(ack(3, 30));
    // Of its two attempts one was refused for good, the other has no answer: it may be there.
    assert!(story.verdict().is_good());
    let third = ack(3, 30);
    Story::new().instead(third, no(3, true)).breaks_only(Promise::Phantom, 1);
}

#[test]
fn what_is_shown_after_a_removal_is_a_leak() {
    let seen = (OUTSIDER, What::Event { r: 1, at: at(30), prev: Some(at(10)), e: Shown::M(id(3)) });
    Story::new().instead((OUTSIDER, What::Denied { r: 1 }), seen).breaks(Promise::Leak);
    // Even before anybody has heard of the removal.
    let early = page(OUTSIDER, 0, at(10), 30, &[(2, 20), (3, 30)]);
    Story::new().after(ack(3, 30), early).breaks(Promise::Leak);
    // Without having come back, the end is a leak too.
    Story::new().without((0, What::Joining { r: 1, user: "lin".into() })).breaks(Promise::Leak);
}

#[test]
fn a_page_that_lacks_what_it_says_it_covers_disagrees() {
    Story::new()
        .instead(page(READER, 0, at(20), 33, &[(3, 30)]), page(READER, 0, at(20), 33, &[]))
        .breaks_only(Promise::Disagreement, 1);
}

#[test]
fn a_reading_that_says_less_than_one_before_disagrees() {
    let read = page(READER, 0, at(20), 33, &[(3, 30)]);
    Story::new().after(read, page(READER, 0, at(20), 28, &[])).breaks_only(Promise::Disagreement, 1);
}

#[test]
fn a_store_that_was_put_back_may_say_less_for_a_while() {
    let read = page(READER, 0, at(20), 33, &[(3, 30)]);
    let back = (0, What::StoreBack {});
    let story = Story::new().after(read, back.clone()).after(back, page(READER, 0, at(20), 28, &[]));
    assert!(story.verdict().is_good());
}

#[test]
fn two_readings_that_differ_disagree() {
    let all = [(1, 10), (2, 20), (3, 30), (4, 40)];
    Story::new()
        .instead(page(WRITER, 1, Position::START, 40, &all), page(WRITER, 1, Position::START, 40, &all[1..]))
        .breaks(Promise::Disagreement);
}

#[test]
fn a_history_that_was_not_read_back_proves_nothing() {
    let mut story = Story::new();
    story.lines.retain(|(_, what)| !matches!(what, What::Page { whole: 1.., .. }));
    let lines: Vec<Line> = story.lines.into_iter().map(|(client, what)| Line { micros: 0, client, what }).collect();
    assert!(judge_lines(|| Ok(lines.clone().into_iter().map(Ok))).is_err());
}
