//! The outbox under any order of answers, failures and reloads: each message once, and in the order of writing.

#![allow(clippy::unwrap_used)]

use super::queue::{Queue, Status, Unsent};
use crate::{
    model::{Message, MessageId, MessagePage, Position, Room, RoomId, User, UserId, Visibility},
    state::RoomState,
};
use proptest::{collection::vec, prelude::*, sample::Index};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

const ROOMS: usize = 2;

#[derive(Clone, Debug)]
enum Step {
    Write(usize),
    /// What becomes of the try that is on its way in a room.
    Answer(usize, Answer),
    /// The room shows what the server has.
    Shown(usize),
    Retry(Index),
    Discard(Index),
    /// The page is loaded again; what is on its way may still arrive, or not.
    Reload(bool),
}

#[derive(Clone, Debug)]
enum Answer {
    Taken,
    TakenButNotHeard,
    Failed,
    Refused,
}

fn step() -> impl Strategy<Value = Step> {
    let answer = prop_oneof![
        4 => Just(Answer::Taken),
        2 => Just(Answer::TakenButNotHeard),
        2 => Just(Answer::Failed),
        1 => Just(Answer::Refused),
    ];
    prop_oneof![
        5 => (0..ROOMS).prop_map(Step::Write),
        8 => (0..ROOMS, answer).prop_map(|(room, answer)| Step::Answer(room, answer)),
        2 => (0..ROOMS).prop_map(Step::Shown),
        1 => any::<Index>().prop_map(Step::Retry),
        1 => any::<Index>().prop_map(Step::Discard),
        1 => any::<bool>().prop_map(Step::Reload),
    ]
}

fn room(n: usize) -> RoomId {
    RoomId(Uuid::from_u128(n as u128))
}

/// A tab as `Outbox` drives it, what the browser keeps over a reload, and the server.
#[derive(Default)]
struct Tab {
    queue: Queue,
    kept: BTreeMap<MessageId, String>,
    /// By room: the one that is tried, and before it what was taken back or shown by the room while it was tried.
    on_its_way: BTreeMap<RoomId, Vec<Unsent>>,
    /// By room, what it accepted: the first of an id counts.
    server: BTreeMap<RoomId, Vec<MessageId>>,
}

impl Tab {
    fn enqueue(&mut self, unsent: Unsent) {
        let room = unsent.room;
        self.keep(&unsent);
        self.queue.push(unsent);
        self.pump(room);
    }

    fn keep(&mut self, unsent: &Unsent) {
        self.kept.insert(unsent.id, serde_json::to_string(unsent).unwrap());
    }

    fn pump(&mut self, room: RoomId) {
        if let Some(next) = self.queue.begin(room) {
            let tried = self.on_its_way.entry(room).or_default();
            assert!(!tried.iter().any(|unsent| self.queue.contains(unsent.id)), "one at a time");
            tried.push(next);
        }
    }

    fn accept(&mut self, unsent: &Unsent) {
        let has = self.server.entry(unsent.room).or_default();
        if !has.contains(&unsent.id) {
            has.push(unsent.id);
        }
    }

    fn answer(&mut self, room: RoomId, answer: &Answer) {
        let Some(unsent) = self.on_its_way.get(&room).and_then(|tried| tried.first()).cloned() else { return };
        match answer {
            Answer::Taken | Answer::TakenButNotHeard => self.accept(&unsent),
            Answer::Failed | Answer::Refused => {}
        }
        match answer {
            Answer::TakenButNotHeard | Answer::Failed if self.queue.contains(unsent.id) => {
                self.queue.failed_for_now(unsent.id);
                return;
            }
            Answer::TakenButNotHeard | Answer::Failed => {}
            Answer::Taken => {
                self.kept.remove(&unsent.id);
                let place = self.server[&room].iter().position(|id| *id == unsent.id).unwrap();
                self.queue.sent(unsent.id, place_of(place));
            }
            Answer::Refused => {
                self.queue.refused(unsent.id, "No.".into());
                if let Some(refused) = self.queue.get(unsent.id).cloned() {
                    self.keep(&refused);
                }
            }
        }
        self.on_its_way.entry(room).or_default().remove(0);
        self.pump(room);
    }

    fn shown(&mut self, room: RoomId) {
        let state = shows(room, self.server.get(&room).map_or(&[], Vec::as_slice));
        for id in self.queue.arrived(&state) {
            self.kept.remove(&id);
            self.queue.remove(id);
        }
    }

    fn reload(&mut self) {
        self.queue = Queue::default();
        self.on_its_way.clear();
        let mut kept: Vec<Unsent> = self.kept.values().map(|text| serde_json::from_str(text).unwrap()).collect();
        kept.sort_by_key(|unsent| unsent.id);
        for unsent in kept {
            self.enqueue(unsent);
        }
    }
}

fn place_of(n: usize) -> Position {
    Position::new(1, n as u64 + 1)
}

fn shows(room: RoomId, messages: &[MessageId]) -> RoomState {
    let author =
        User { id: UserId::default(), username: "ada".into(), display_name: "Ada".into(), guest: false, admin: false };
    let messages: Vec<Message> = messages
        .iter()
        .enumerate()
        .map(|(n, id)| Message {
            id: *id,
            at: place_of(n),
            author: author.clone(),
            body: String::new(),
            sent_at: 0,
            edited_at: None,
            deleted: false,
            reply_to: None,
            reactions: vec![],
            pinned: false,
            replies: 0,
        })
        .collect();
    let at = place_of(messages.len());
    let (slug, name) = ("tea".into(), "Tea".into());
    let room = Room {
        id: room,
        slug,
        name,
        visibility: Visibility::Public,
        role: None,
        members: 0,
        topic: String::new(),
        archived: false,
        keep_days: 0,
    };
    RoomState::new(room, vec![], &MessagePage { messages, at, as_of: at, more: false }, false, false)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_message_is_posted_once_and_in_the_order_of_writing(steps in vec(step(), 0..80)) {
        let mut tab = Tab::default();
        let mut written: Vec<(RoomId, MessageId)> = Vec::new();
        // A person had a say in these: they may be out of order, or missing.
        let mut decided = BTreeSet::new();
        for step in &steps {
            match step {
                Step::Write(n) => {
                    // In order of time, as a browser's UUIDv7s are.
                    let id = MessageId(Uuid::from_u128(written.len() as u128 + 1));
                    written.push((room(*n), id));
                    tab.enqueue(Unsent {
                        id, room: room(*n), slug: "tea".into(), body: "hello".into(), reply_to: None, written_at: 0,
                        status: Status::Waiting,
                    });
                }
                Step::Answer(n, answer) => {
                    if let (Answer::Refused, Some(unsent)) = (answer, tab.on_its_way.get(&room(*n)).and_then(|t| t.first())) {
                        decided.insert(unsent.id);
                    }
                    tab.answer(room(*n), answer);
                }
                Step::Shown(n) => tab.shown(room(*n)),
                Step::Retry(i) if !written.is_empty() => {
                    if let Some(room) = tab.queue.retry(i.get(&written).1) {
                        tab.pump(room);
                    }
                }
                Step::Discard(i) if !written.is_empty() => {
                    let id = i.get(&written).1;
                    if tab.queue.contains(id) && !tab.queue.get(id).is_some_and(|u| matches!(u.status, Status::Sent(_))) {
                        decided.insert(id);
                        tab.kept.remove(&id);
                        tab.queue.remove(id);
                    }
                }
                Step::Retry(_) | Step::Discard(_) => {}
                Step::Reload(arrives) => {
                    let on_its_way: Vec<Unsent> = tab.on_its_way.values().flatten().cloned().collect();
                    tab.reload();
                    for unsent in on_its_way.iter().filter(|_| *arrives) {
                        tab.accept(unsent);
                    }
                }
            }
        }
        // In the end the server is there and every answer is heard.
        for n in 0..ROOMS {
            for _ in 0..=written.len() {
                tab.answer(room(n), &Answer::Taken);
            }
            tab.shown(room(n));
        }
        for n in 0..ROOMS {
            let has = tab.server.get(&room(n)).cloned().unwrap_or_default();
            let unaided: Vec<_> = has.iter().filter(|id| !decided.contains(id)).copied().collect();
            let expected: Vec<_> =
                written.iter().filter(|(r, id)| *r == room(n) && !decided.contains(id)).map(|(_, id)| *id).collect();
            prop_assert_eq!(unaided, expected, "each once and in order");
        }
        let left: BTreeSet<_> = tab.kept.keys().copied().collect();
        prop_assert!(left.is_subset(&decided), "nothing is left for the next page but what was refused");
    }
}
