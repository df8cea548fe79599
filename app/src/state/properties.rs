//! The room's state against a model: whatever arrives, in whatever order, it ends as a fresh read would show it.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::model::{Millis, Visibility};
use proptest::{collection::vec, prelude::*, sample::Index};
use uuid::Uuid;

/// A server as the browser meets it: the room's records, and what pages say of them. Folded anew for each page, by the
/// plainest means.
struct Server {
    records: Vec<(Position, Event)>,
}

/// What a fresh read shows.
struct Fold {
    messages: Vec<Message>,
    members: Vec<Member>,
}

fn user(n: usize) -> User {
    let username = ["ada", "lin", "kim"][n % 3].to_owned();
    User {
        id: UserId(Uuid::from_u128(n as u128 % 3)),
        display_name: username.clone(),
        username,
        guest: false,
        admin: false,
    }
}

fn room(members: u64) -> Room {
    let (id, slug, name) = (RoomId(Uuid::from_u128(1)), "tea".into(), "Tea".into());
    Room {
        id,
        slug,
        name,
        visibility: Visibility::Public,
        role: None,
        members,
        topic: String::new(),
        archived: false,
        keep_days: 0,
    }
}

/// What somebody does next.
#[derive(Clone, Debug)]
enum Act {
    Post,
    Reply(Index),
    Edit(Index),
    Delete(Index),
    React(Index, usize, usize),
    TakeBack(Index, usize, usize),
    Join(usize, bool),
    Leave(usize),
    Pin(Index, bool),
    /// What was posted up to some message has become too old.
    Expire(Index),
    OfALaterVersion,
}

fn act() -> impl Strategy<Value = Act> {
    let of = any::<Index>;
    prop_oneof![
        5 => Just(Act::Post),
        4 => of().prop_map(Act::Reply),
        3 => of().prop_map(Act::Edit),
        1 => of().prop_map(Act::Delete),
        3 => (of(), 0..2_usize, 0..3_usize).prop_map(|(i, e, u)| Act::React(i, e, u)),
        2 => (of(), 0..2_usize, 0..3_usize).prop_map(|(i, e, u)| Act::TakeBack(i, e, u)),
        1 => (0..3_usize, any::<bool>()).prop_map(|(u, owner)| Act::Join(u, owner)),
        1 => (0..3_usize).prop_map(Act::Leave),
        3 => (of(), prop::bool::weighted(0.6)).prop_map(|(i, on)| Act::Pin(i, on)),
        1 => of().prop_map(Act::Expire),
        1 => Just(Act::OfALaterVersion),
    ]
}

fn emoji(n: usize) -> String {
    ["👍", "🍵"][n].to_owned()
}

impl Server {
    /// `gaps`: how many records of other rooms lie before each.
    fn new(acts: &[(Act, u64)]) -> Self {
        let mut records = Vec::new();
        let mut posted = Vec::new();
        let mut places = HashMap::new();
        let mut answers = HashMap::new();
        let mut deleted = Vec::new();
        let mut offset = 0;
        for (n, (act, gap)) in acts.iter().enumerate() {
            offset += 1 + gap;
            // A room begins with its making.
            let act = if n == 0 { None } else { Some(act) };
            let target = |index: &Index| *index.get(&posted);
            let event = match act {
                None => KnownEvent::RoomCreated { by: user(0) }.into(),
                Some(Act::OfALaterVersion) => Event::Unknown(serde_json::json!({ "kind": "poll_opened" })),
                Some(Act::Join(who, owner)) => {
                    let role = if *owner { Role::Owner } else { Role::Member };
                    KnownEvent::MemberJoined { user: user(*who), role }.into()
                }
                Some(Act::Leave(who)) => KnownEvent::MemberLeft { user: user(*who), by: user(0) }.into(),
                Some(Act::Post) => {
                    posted.push(MessageId(Uuid::from_u128(1_000 + n as u128)));
                    KnownEvent::MessagePosted { message: message(n, *posted.last().unwrap()) }.into()
                }
                Some(_) if posted.is_empty() => Event::Unknown(serde_json::json!({ "kind": "nothing yet" })),
                Some(Act::Edit(i)) => KnownEvent::MessageEdited {
                    id: target(i),
                    body: format!("edit {n}"),
                    edited_at: n as Millis,
                    posted_at: None,
                }
                .into(),
                Some(Act::Reply(i)) => {
                    let (to, id) = (target(i), MessageId(Uuid::from_u128(1_000 + n as u128)));
                    posted.push(id);
                    answers.insert(id, to);
                    KnownEvent::MessagePosted { message: Message { reply_to: Some(to), ..message(n, id) } }.into()
                }
                // The server has nothing there to delete.
                Some(Act::Delete(i)) if deleted.contains(&target(i)) => Event::Unknown(serde_json::json!({})),
                Some(Act::Delete(i)) => {
                    let id = target(i);
                    deleted.push(id);
                    KnownEvent::MessageDeleted { id, by: user(0), reply_to: answers.get(&id).copied() }.into()
                }
                Some(Act::React(i, e, u)) => {
                    KnownEvent::ReactionAdded { id: target(i), emoji: emoji(*e), by: user(*u) }.into()
                }
                Some(Act::Pin(i, true)) => {
                    KnownEvent::MessagePinned { id: target(i), by: user(0), pinned_at: n as Millis }.into()
                }
                Some(Act::Expire(i)) => {
                    let up_to: Position = places[&target(i)];
                    posted.retain(|id| places[id] > up_to);
                    KnownEvent::MessagesExpired { up_to }.into()
                }
                Some(Act::Pin(i, false)) => KnownEvent::MessageUnpinned { id: target(i), by: user(0) }.into(),
                Some(Act::TakeBack(i, e, u)) => {
                    KnownEvent::ReactionRemoved { id: target(i), emoji: emoji(*e), by: user(*u) }.into()
                }
            };
            let at = Position::new(1, offset);
            if let Event::Known(KnownEvent::MessagePosted { message }, _) = &event {
                places.insert(message.id, at);
            }
            records.push((at, event));
        }
        Self { records }
    }

    fn len(&self) -> usize {
        self.records.len()
    }

    /// The place of the n-th record, counted from 1; 0: before all.
    fn place(&self, n: usize) -> Position {
        if n == 0 { Position::START } else { self.records[n - 1].0 }
    }

    fn fold(&self, upto: usize) -> Fold {
        let mut fold = Fold { messages: vec![], members: vec![] };
        // By message: (emoji, who), in order of time.
        let mut reactions: HashMap<MessageId, Vec<(String, String)>> = HashMap::new();
        for (at, event) in &self.records[..upto] {
            let Event::Known(event, _) = event else { continue };
            match event.clone() {
                KnownEvent::MessagePosted { message } => fold.messages.push(Message { at: *at, ..message }),
                KnownEvent::RoomCreated { by } => fold.join(by, Role::Owner),
                KnownEvent::MemberJoined { user, role } => fold.join(user, role),
                KnownEvent::MemberLeft { user, .. } => fold.members.retain(|m| m.user.id != user.id),
                KnownEvent::MessageEdited { id, body, edited_at, .. } => {
                    let message = fold.message(id);
                    if !message.deleted {
                        (message.body, message.edited_at) = (body, Some(edited_at));
                    }
                }
                KnownEvent::MessageDeleted { id, .. } => {
                    let message = fold.message(id);
                    (message.deleted, message.body, message.pinned) = (true, String::new(), false);
                    reactions.remove(&id);
                }
                KnownEvent::ReactionAdded { id, emoji, by } => {
                    let there = reactions.entry(id).or_default();
                    if !fold.message(id).deleted && !there.contains(&(emoji.clone(), by.username.clone())) {
                        there.push((emoji, by.username));
                    }
                }
                KnownEvent::ReactionRemoved { id, emoji, by } => {
                    reactions.entry(id).or_default().retain(|r| *r != (emoji.clone(), by.username.clone()));
                }
                KnownEvent::MessagePinned { id, .. } => {
                    let message = fold.message(id);
                    message.pinned = !message.deleted;
                }
                KnownEvent::MessageUnpinned { id, .. } => fold.message(id).pinned = false,
                KnownEvent::MessagesExpired { up_to } => fold.messages.retain(|m| m.at > up_to),
                // What these stories do not tell.
                KnownEvent::RoomChanged(_) => {}
            }
        }
        let standing: Vec<_> = fold.messages.iter().filter(|m| !m.deleted).map(|m| m.reply_to).collect();
        for message in &mut fold.messages {
            message.replies = standing.iter().filter(|to| **to == Some(message.id)).count() as u32;
            for (emoji, who) in reactions.remove(&message.id).unwrap_or_default() {
                match message.reactions.iter_mut().find(|r| r.emoji == emoji) {
                    Some(reaction) => reaction.users.push(who),
                    None => message.reactions.push(Reaction { emoji, users: vec![who] }),
                }
            }
        }
        fold
    }

    /// The newest messages before `before` as of the n-th record; whether there are older ones.
    fn older_page(&self, n: usize, before: Option<Position>, limit: usize) -> (MessagePage, bool) {
        let mut messages = self.fold(n).messages;
        messages.retain(|m| before.is_none_or(|before| m.at < before));
        let cut = messages.len().saturating_sub(limit);
        let (at, more) = (self.place(n), cut > 0);
        (MessagePage { messages: messages.split_off(cut), at, as_of: at, more }, more)
    }

    /// The oldest messages after `after` as of the n-th record; whether there are newer ones.
    fn newer_page(&self, n: usize, after: Position, limit: usize) -> (MessagePage, bool) {
        let mut messages = self.fold(n).messages;
        messages.retain(|m| m.at > after);
        let more = messages.len() > limit;
        messages.truncate(limit);
        let as_of = self.place(n);
        let at = if more { messages.last().unwrap().at } else { as_of };
        (MessagePage { messages, at, as_of, more }, more)
    }

    /// A message as of the n-th record; none: it is not there any more.
    fn one(&self, n: usize, id: MessageId) -> Option<MessagePage> {
        let mut messages = self.fold(n).messages;
        messages.retain(|m| m.id == id);
        let gone = messages.is_empty() && self.has_posted(n, id);
        (!gone).then(|| MessagePage { messages, at: self.place(n), as_of: self.place(n), more: false })
    }

    fn has_posted(&self, n: usize, id: MessageId) -> bool {
        let posts =
            |event: &Event| matches!(event, Event::Known(KnownEvent::MessagePosted { message }, _) if message.id == id);
        self.records[..n].iter().any(|(_, event)| posts(event))
    }

    /// A message and the newest that answer it, as of the n-th record; none if it is not there yet.
    fn thread(&self, n: usize, of: MessageId, limit: usize) -> Option<Thread> {
        let mut messages = self.fold(n).messages;
        let message = messages.iter().find(|m| m.id == of)?.clone();
        messages.retain(|m| m.reply_to == Some(of));
        let cut = messages.len().saturating_sub(limit);
        let at = self.place(n);
        Some(Thread { message, page: MessagePage { messages: messages.split_off(cut), at, as_of: at, more: cut > 0 } })
    }

    /// What a page of the room is made from, as of the n-th record.
    fn view(&self, n: usize, query: &HistoryQuery) -> RoomData {
        let (members, pins) = (self.fold(n).members, self.fold(n).pins());
        let limit = query.limit.map_or(4, |limit| limit as usize);
        let (page, older) = self.older_page(n, query.before, limit);
        let newest = self.fold(n).messages.last().map(|m| m.at);
        let newer = query.before.is_some_and(|before| newest.is_some_and(|newest| newest >= before));
        RoomData { room: room(members.len() as u64), members, page, older, newer, read: None, pins, thread: None }
    }
}

impl Fold {
    fn pins(&self) -> Vec<Message> {
        self.messages.iter().filter(|m| m.pinned).cloned().collect()
    }

    fn message(&mut self, id: MessageId) -> &mut Message {
        self.messages.iter_mut().find(|m| m.id == id).unwrap()
    }

    fn join(&mut self, user: User, role: Role) {
        match self.members.iter_mut().find(|m| m.user.id == user.id) {
            Some(member) => member.role = role,
            None => self.members.push(Member { user, role }),
        }
    }
}

fn message(n: usize, id: MessageId) -> Message {
    Message {
        id,
        at: Position::START,
        author: user(n),
        body: format!("message {n}"),
        sent_at: n as Millis,
        edited_at: None,
        deleted: false,
        reply_to: None,
        reactions: vec![],
        pinned: false,
        replies: 0,
    }
}

/// What reaches the browser next.
#[derive(Clone, Debug)]
enum Arrival {
    /// A live frame, any; with `prev`, or without.
    Live(Index, bool),
    /// The live frame that comes next.
    Next(bool),
    /// A subscription from where the state is, as of some record; so many of its frames, then perhaps the end.
    Resume(Index, usize, bool),
    /// A read of the room anew, by a store that may lag.
    Resync(Index),
    /// A stretch before, or after, what is shown.
    Older(Index, usize),
    Newer(Index, usize),
    /// One's own change, accepted, before its event comes.
    Foresee(Index),
    Follow(bool),
    /// A pinned message from beyond the stretch, if there is one, by a store that may lag.
    Learn(Index),
    /// The thread of some message is opened, as of some record; or it is closed.
    Open(Index, Index, usize),
    Close,
}

fn arrival() -> impl Strategy<Value = Arrival> {
    let of = any::<Index>;
    prop_oneof![
        4 => (of(), any::<bool>()).prop_map(|(i, prev)| Arrival::Live(i, prev)),
        8 => prop::bool::weighted(0.9).prop_map(Arrival::Next),
        2 => (of(), 0..8_usize, any::<bool>()).prop_map(|(i, n, cut)| Arrival::Resume(i, n, cut)),
        1 => of().prop_map(Arrival::Resync),
        2 => (of(), 1..5_usize).prop_map(|(i, n)| Arrival::Older(i, n)),
        2 => (of(), 1..5_usize).prop_map(|(i, n)| Arrival::Newer(i, n)),
        2 => of().prop_map(Arrival::Foresee),
        1 => any::<bool>().prop_map(Arrival::Follow),
        2 => of().prop_map(Arrival::Learn),
        3 => (of(), of(), 1..5_usize).prop_map(|(i, n, limit)| Arrival::Open(i, n, limit)),
        1 => Just(Arrival::Close),
    ]
}

/// A browser, and what it has promised itself.
struct Browser<'a> {
    server: &'a Server,
    state: RoomState,
}

impl Browser<'_> {
    /// How many records the state covers.
    fn known(&self) -> usize {
        self.server.records.iter().filter(|(at, _)| *at <= self.state.at()).count()
    }

    fn live(&mut self, n: usize, with_prev: bool) {
        let (at, event) = self.server.records[n - 1].clone();
        let before = self.state.at();
        let prev = with_prev.then(|| self.server.place(n - 1));
        match self.state.apply(at, prev, event) {
            Applied::Done => assert!(self.state.at() == at && before < at),
            Applied::Ignored => assert!(at <= before && self.state.at() == before),
            Applied::Hole => assert!(at > before && self.state.at() == before),
        }
    }

    /// The node answers as of record `head`; after `frames` of what follows the connection may end.
    fn resume(&mut self, head: usize, frames: usize, cut: bool) {
        let since = self.known();
        if head < since {
            return;
        }
        assert_eq!(self.state.subscribed(self.server.place(head), true), Applied::Done);
        for n in (since + 1..=head).take(frames) {
            // A resume may not know what came before.
            self.live(n, n % 2 == 0);
        }
        if cut || frames < head - since {
            self.state.disconnected();
        }
    }

    fn arrive(&mut self, arrival: &Arrival) {
        let (server, len) = (self.server, self.server.len());
        match arrival {
            Arrival::Live(i, prev) => self.live(1 + i.index(len), *prev),
            Arrival::Next(prev) => {
                let next = self.known() + 1;
                if next <= len {
                    self.live(next, *prev);
                }
            }
            Arrival::Resume(i, frames, cut) => self.resume(i.index(len + 1), *frames, *cut),
            Arrival::Resync(i) => {
                let before = self.state.clone();
                let view = server.view(i.index(len + 1), &self.state.anew());
                if self.state.replace(view, ResyncReason::TooOld) {
                    assert!(self.state.at() >= before.at(), "never back");
                } else {
                    assert_eq!(self.state, before);
                }
            }
            Arrival::Older(i, limit) => {
                if let (true, Some(first)) = (self.state.older(), self.state.first()) {
                    let (page, more) = server.older_page(i.index(len + 1), Some(first), *limit);
                    // The query waits for the store to be as far as the message that it names.
                    if page.as_of >= first {
                        self.state.merge_older(&page, more);
                    }
                }
            }
            Arrival::Newer(i, limit) => {
                if let (true, Some(last)) = (self.state.newer(), self.state.last()) {
                    let (page, more) = server.newer_page(i.index(len + 1), last, *limit);
                    if page.as_of >= last {
                        self.state.merge_newer(&page, more);
                    }
                }
            }
            Arrival::Foresee(i) => {
                let (at, event) = server.records[i.index(len)].clone();
                // Accepted only after what one has seen.
                if let Event::Known(event, _) = event {
                    self.state.foresee(at, event);
                }
            }
            Arrival::Learn(i) => {
                let unknown = self.state.pins().iter().find(|(_, message)| message.is_none());
                if let Some((id, _)) = unknown {
                    let id = *id;
                    self.state.learn_pinned(id, server.one(i.index(len + 1), id).as_ref());
                }
            }
            Arrival::Follow(following) => self.state.follow(*following),
            Arrival::Open(i, n, limit) => {
                let n = n.index(len + 1);
                let messages = server.fold(n).messages;
                if !messages.is_empty() {
                    let thread = server.thread(n, messages[i.index(messages.len())].id, *limit).unwrap();
                    self.state.open(&thread);
                }
            }
            Arrival::Close => self.state.close(),
        }
    }
}

/// Without what nobody is shown, and reactions in no order: a change that is foreseen comes before those before it.
fn in_any_order(mut message: Message) -> Message {
    if message.deleted {
        message.edited_at = None;
    }
    for reaction in &mut message.reactions {
        reaction.users.sort();
    }
    message.reactions.sort_by(|a, b| a.emoji.cmp(&b.emoji));
    message
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_arrives_it_ends_as_a_fresh_read_shows_it(
        acts in vec((act(), 0..3_u64), 1..40),
        arrivals in vec(arrival(), 0..60),
        begun in any::<Index>(),
        early in prop::option::of(any::<Index>()),
        limit in 1..6_usize,
    ) {
        let server = Server::new(&acts);
        let begun = begun.index(server.len() + 1);
        let before = early.map(|early| Position::new(1, early.index(80) as u64));
        let query = HistoryQuery { before, limit: Some(limit as u32), ..HistoryQuery::default() };
        let view = server.view(begun, &query);
        let mut state = RoomState::new(view.room, view.members, &view.page, view.older, view.newer).with_pins(view.pins);
        // A permalink's stretch may be empty only at the beginning of a room.
        if view.page.messages.is_empty() {
            state = RoomState { newer: false, older: false, ..state };
            prop_assume!(server.fold(begun).messages.is_empty());
        }
        let mut browser = Browser { server: &server, state };
        for arrival in &arrivals {
            browser.arrive(arrival);
        }
        browser.resume(server.len(), usize::MAX, false);
        let mut state = browser.state;
        let unknown: Vec<_> = state.pins().iter().filter(|(_, m)| m.is_none()).map(|(id, _)| *id).collect();
        for id in unknown {
            state.learn_pinned(id, server.one(server.len(), id).as_ref());
        }

        let fresh = server.fold(server.len());
        prop_assert_eq!(state.at(), server.place(server.len()));
        let shown: Vec<Message> = state.messages().map(|m| in_any_order((**m).clone())).collect();
        let all: Vec<Message> = fresh.messages.into_iter().map(in_any_order).collect();
        let from = shown.first().map_or(all.len(), |first| all.iter().position(|m| m.id == first.id).unwrap());
        prop_assert_eq!(&shown[..], &all[from..(from + shown.len()).min(all.len())], "a stretch without holes");
        prop_assert!(state.newer() || from + shown.len() == all.len(), "what is not shown is said to be there");
        prop_assert!(state.older() || from == 0, "what is not shown is said to be there");
        // How many answer them the list does not say.
        let uncounted = |m: Message| Message { replies: 0, ..m };
        let mut pinned: Vec<Message> =
            state.pins().iter().map(|(_, m)| uncounted(in_any_order((**m.as_ref().unwrap()).clone()))).collect();
        pinned.sort_by_key(|m| m.at);
        prop_assert_eq!(pinned, all.into_iter().filter(|m| m.pinned).map(uncounted).collect::<Vec<_>>());
        if let (Some(thread), Some(of)) = (state.thread(), state.thread_of()) {
            let shown: Vec<Message> = thread.messages().map(|m| in_any_order((**m).clone())).collect();
            let all = server.thread(server.len(), of, usize::MAX).unwrap();
            let mut all: Vec<Message> = [all.message].into_iter().chain(all.page.messages).map(in_any_order).collect();
            prop_assert!(thread.older() || all.len() == shown.len(), "what is not shown is said to be there");
            all.drain(1..1 + all.len() - shown.len());
            prop_assert_eq!(shown, all, "a thread is a message and the newest that answer it");
        }
        let sorted = |mut members: Vec<Member>| { members.sort_by_key(|m| m.user.id); members };
        prop_assert_eq!(state.room().members, fresh.members.len() as u64);
        prop_assert_eq!(sorted(state.members().to_vec()), sorted(fresh.members));
    }
}
