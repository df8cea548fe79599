//! What the browser knows of a room: a stretch of its history and everything that happened since.
//!
//! The last but one step of a message's way: a frame is folded into this value,
//! the view follows. Pure, so that every order of arrival can be tried natively.

use crate::{
    api::RoomData,
    model::{
        Event, HistoryQuery, KnownEvent, Member, Message, MessageId, MessagePage, Position, Reaction, Role, Room,
        RoomChanged, RoomId, Thread, User, UserId,
    },
    protocol::ResyncReason,
};
use std::{
    collections::{BTreeMap, HashMap, VecDeque, hash_map::Entry},
    sync::Arc,
};

/// Most messages kept while the newest is in view: the page stays fast however long it is open.
const MAX_KEPT: usize = 400;
/// Most messages that one read of the history gives.
const MAX_READ: usize = 200;
/// Most changes kept for stretches of history that are read late.
const MAX_CHANGES: usize = 256;

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// Known already.
    Ignored,
    /// Folded in.
    Done,
    /// Something before it is missing: resume from [`RoomState::at`].
    Hole,
}

/// What became of a stretch of history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merged {
    /// It is part of the state.
    Done,
    /// It is older than what is known and the difference is forgotten: read it again.
    Behind,
}

/// A room as the browser knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct RoomState {
    room: Room,
    members: Vec<Member>,
    messages: BTreeMap<Position, Arc<Message>>,
    places: HashMap<MessageId, Place>,
    at: Position,
    /// Up to here frames follow each other without a hole, whatever they say of the one before: a resume promised it.
    promised: Option<Position>,
    older: bool,
    newer: bool,
    /// The newest is in view, so the oldest may go.
    following: bool,
    /// The latest changes to messages, which a stretch of history that was read earlier does not have.
    changes: VecDeque<(Position, KnownEvent)>,
    /// Changes up to here are not in `changes`.
    forgotten: Position,
    /// Messages up to here have become too old: there are none any more.
    expired: Position,
    pins: Vec<Pinned>,
    /// Changes that the server was asked for and has not answered: shown, and true of nothing yet.
    hopes: Vec<KnownEvent>,
    /// Beside the room: what is shown of one thread.
    thread: Option<Box<Self>>,
    /// Of a thread's state: the message that all but the first answer.
    of: Option<MessageId>,
}

/// What is known of a message beside itself.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Place {
    at: Position,
    /// Its replies are counted up to here. Unlike other changes, a reply counts twice if it comes twice.
    counted: Position,
}

/// What the room keeps in view; no message: it was pinned beyond the stretch, and has not been read yet.
pub type Pinned = (MessageId, Option<Arc<Message>>);

impl RoomState {
    /// The state that a page was rendered with. `older` and `newer`: there is more on that side of the stretch.
    pub fn new(room: Room, members: Vec<Member>, page: &MessagePage, older: bool, newer: bool) -> Self {
        let at = place_of(page, newer);
        let mut state = Self {
            room,
            members,
            messages: BTreeMap::new(),
            places: HashMap::new(),
            at,
            promised: None,
            // Of a stretch that ends early nothing may be left: what is read next is not known to be the room's beginning.
            older: older || newer && page.messages.is_empty(),
            newer,
            following: true,
            changes: VecDeque::new(),
            forgotten: at,
            expired: Position::START,
            pins: Vec::new(),
            hopes: Vec::new(),
            thread: None,
            of: None,
        };
        state.insert_all(&page.messages, as_of(page));
        state
    }

    /// The same, with what the room keeps in view, the last pinned first.
    pub fn with_pins(mut self, pins: Vec<Message>) -> Self {
        self.pins = pins.into_iter().map(|message| (message.id, Some(Arc::new(message)))).collect();
        self
    }

    /// What the room keeps in view, the last pinned first.
    pub fn pins(&self) -> &[Pinned] {
        &self.pins
    }

    /// It is pinned, and has not been read.
    pub fn lacks_pinned(&self, id: MessageId) -> bool {
        self.pins.iter().any(|(pin, message)| *pin == id && message.is_none())
    }

    /// A pinned message was read; no page: it is not there any more.
    pub fn learn_pinned(&mut self, id: MessageId, page: Option<&MessagePage>) {
        let Some(page) = page else { return self.pins.retain(|(pin, _)| *pin != id) };
        if as_of(page) < self.forgotten {
            return;
        }
        for message in &page.messages {
            if let Some(pin) = self.pins.iter_mut().find(|(id, _)| *id == message.id) {
                let mut message = message.clone();
                for (at, event) in &self.changes {
                    if *at > as_of(page) && changed_message(event) == Some(message.id) {
                        change(&mut message, event);
                    }
                }
                pin.1 = Some(Arc::new(message));
            }
        }
        // Whoever pinned it did not know yet that it was deleted, or has become too old.
        let expired = self.expired;
        let stands = |message: &Arc<Message>| !message.deleted && message.at > expired;
        self.pins.retain(|(_, message)| message.as_ref().is_none_or(stands));
    }

    /// The room.
    pub fn room(&self) -> &Room {
        &self.room
    }

    /// Its id.
    pub fn id(&self) -> RoomId {
        self.room.id
    }

    /// Who is in it.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// What others call the person with this user name, as far as the room shows it: as a member, or above a message.
    pub fn display_name(&self, username: &str) -> String {
        let members = self.members.iter().map(|member| &member.user);
        let authors = self.messages.values().rev().map(|message| &message.author);
        let user = members.chain(authors).find(|user| user.username == username);
        user.map_or(username, |user| &user.display_name).to_owned()
    }

    /// What somebody may do here; nothing much if not a member.
    pub fn role_of(&self, user: UserId) -> Option<Role> {
        self.members.iter().find(|member| member.user.id == user).map(|member| member.role)
    }

    /// Everything up to here is in this state or before its stretch.
    pub fn at(&self) -> Position {
        self.at
    }

    /// The messages, oldest first.
    pub fn messages(&self) -> impl DoubleEndedIterator<Item = &Arc<Message>> {
        self.messages.values()
    }

    /// One message, if it is in the stretch.
    pub fn message(&self, id: MessageId) -> Option<&Arc<Message>> {
        self.messages.get(&self.places.get(&id)?.at)
    }

    /// What is shown beside the room: a message, and what answers it.
    pub fn thread(&self) -> Option<&Self> {
        self.thread.as_deref()
    }

    /// The message that the thread beside the room begins with.
    pub fn thread_of(&self) -> Option<MessageId> {
        self.thread.as_ref()?.of
    }

    /// Shows a thread beside the room.
    pub fn open(&mut self, read: &Thread) -> Merged {
        let Thread { message, page } = read;
        if as_of(page) < self.forgotten || message.at <= self.expired {
            return Merged::Behind;
        }
        let mut thread = Self::new(self.room.clone(), vec![], page, page.more, false);
        thread.insert_all(std::slice::from_ref(message), as_of(page));
        (thread.of, thread.following, thread.expired) = (Some(message.id), false, self.expired);
        for (at, event) in &self.changes {
            thread.hear(*at, event);
        }
        self.thread = Some(Box::new(thread));
        Merged::Done
    }

    /// Shows none any more.
    pub fn close(&mut self) {
        self.thread = None;
    }

    /// How many messages came after a position.
    pub fn count_after(&self, at: Position) -> usize {
        self.messages.range((std::ops::Bound::Excluded(at), std::ops::Bound::Unbounded)).count()
    }

    /// Where the oldest message of the stretch is.
    pub fn first(&self) -> Option<Position> {
        self.messages.keys().next().copied()
    }

    /// Where the newest message of the stretch is.
    pub fn last(&self) -> Option<Position> {
        self.messages.keys().next_back().copied()
    }

    /// There is something before the stretch.
    pub fn older(&self) -> bool {
        self.older
    }

    /// There is something after the stretch, so new messages do not belong to it.
    pub fn newer(&self) -> bool {
        self.newer
    }

    /// Whatever was posted up to `at` is in the stretch or before it.
    pub fn covers(&self, at: Position) -> bool {
        !self.newer && at <= self.at
    }

    /// What to read when the room must be read anew: the newest, or for who reads further back, what they read.
    pub fn anew(&self) -> HistoryQuery {
        let at_least = Some(self.at);
        match self.last() {
            Some(last) if self.newer => HistoryQuery {
                before: Some(Position::new(last.epoch, last.offset + 1)),
                limit: Some(u32::try_from(self.messages.len().min(MAX_READ)).unwrap_or(u32::MAX)),
                at_least,
                ..HistoryQuery::default()
            },
            _ => HistoryQuery { at_least, ..HistoryQuery::default() },
        }
    }

    /// Says whether the newest message is in view.
    pub fn follow(&mut self, following: bool) {
        self.following = following;
    }

    /// A subscription stands. `recovered`: everything up to `at` follows, in order.
    pub fn subscribed(&mut self, at: Position, recovered: bool) -> Applied {
        if recovered {
            self.promised = Some(at);
            Applied::Done
        } else if at <= self.at {
            Applied::Done
        } else {
            Applied::Hole
        }
    }

    /// The connection is gone, and what it promised with it.
    pub fn disconnected(&mut self) {
        self.promised = None;
    }

    /// Folds in what happened at `at`, if it comes right after what is known.
    pub fn apply(&mut self, at: Position, prev: Option<Position>, event: Event) -> Applied {
        if at <= self.at {
            return Applied::Ignored;
        }
        let follows = prev.is_some_and(|prev| prev <= self.at) || self.promised.is_some_and(|promised| at <= promised);
        if !follows {
            return Applied::Hole;
        }
        match event {
            Event::Known(event, _) => {
                if let Some(thread) = &mut self.thread {
                    thread.hear(at, &event);
                }
                self.fold(at, event);
            }
            // A later version's: its place counts, its content is for that version.
            Event::Unknown(_) => {}
        }
        self.at = at;
        Applied::Done
    }

    /// Adds a stretch of history that adjoins this one. `more`: there is more beyond it.
    pub fn merge_older(&mut self, page: &MessagePage, more: bool) -> Merged {
        if as_of(page) < self.forgotten {
            return Merged::Behind;
        }
        self.older = more;
        self.insert_caught_up(page);
        // Who reads back is far from the end: it is read again when they come there.
        while self.messages.len() > MAX_KEPT
            && let Some((_, message)) = self.messages.pop_last()
        {
            self.places.remove(&message.id);
            self.newer = true;
        }
        Merged::Done
    }

    /// Adds the stretch of history after this one. `more`: there is more beyond it.
    pub fn merge_newer(&mut self, page: &MessagePage, more: bool) -> Merged {
        if as_of(page) < self.forgotten {
            return Merged::Behind;
        }
        // New messages were not kept while the stretch ended before them: only a page that has them all closes the gap.
        self.newer = more || as_of(page) < self.at;
        self.insert_caught_up(page);
        self.drop_oldest();
        Merged::Done
    }

    /// Begins anew from what was read: what was missed could not be given. `false`: the read is older than what is
    /// known, and nothing changed. Over a new generation of the log, older cannot be told from newer.
    pub fn replace(&mut self, view: RoomData, reason: ResyncReason) -> bool {
        if reason != ResyncReason::Epoch && place_of(&view.page, view.newer) < self.at {
            return false;
        }
        let (following, hopes) = (self.following, std::mem::take(&mut self.hopes));
        *self = Self::new(view.room, view.members, &view.page, view.older, view.newer).with_pins(view.pins);
        (self.following, self.hopes) = (following, hopes);
        true
    }

    /// Shows at once what the server is being asked for, until [`Self::settle`].
    pub fn hope(&mut self, event: KnownEvent) {
        if let Some(thread) = &mut self.thread {
            thread.hope(event.clone());
        }
        self.hopes.push(event);
    }

    /// The server has answered what was hoped for: it has it at a place, or will not.
    pub fn settle(&mut self, hoped: &KnownEvent, at: Option<Position>) {
        self.give_up(hoped);
        if let Some(at) = at {
            self.foresee(at, hoped.clone());
        }
    }

    /// A message as it will be once everything that was asked for is accepted.
    pub fn shown(&self, message: &Arc<Message>) -> Arc<Message> {
        let mut shown = message.clone();
        for event in self.hopes.iter().filter(|event| changed_message(event) == Some(message.id)) {
            change(Arc::make_mut(&mut shown), event);
        }
        shown
    }

    fn give_up(&mut self, hoped: &KnownEvent) {
        if let Some(place) = self.hopes.iter().position(|hope| hope == hoped) {
            self.hopes.remove(place);
        }
        if let Some(thread) = &mut self.thread {
            thread.give_up(hoped);
        }
    }

    /// Shows what the server has accepted; the event that says so changes nothing more.
    fn foresee(&mut self, at: Position, event: KnownEvent) {
        if at > self.at {
            self.change(&event);
        }
        if let Some(thread) = &mut self.thread {
            thread.foresee(at, event);
        }
    }

    /// A thread hears what its room hears, from where it was read on.
    fn hear(&mut self, at: Position, event: &KnownEvent) {
        if at > self.at {
            self.fold(at, event.clone());
            self.at = at;
        }
    }

    fn insert_all(&mut self, messages: &[Message], counted: Position) {
        for message in messages {
            if message.at <= self.expired {
                self.older = false;
            } else if let Entry::Vacant(place) = self.places.entry(message.id) {
                place.insert(Place { at: message.at, counted });
                self.messages.insert(message.at, Arc::new(message.clone()));
            }
        }
    }

    /// Inserts what is not there yet, and lets the changes happen to it that the page was too early for.
    fn insert_caught_up(&mut self, page: &MessagePage) {
        let new: Vec<_> = page.messages.iter().filter(|m| !self.places.contains_key(&m.id)).map(|m| m.id).collect();
        self.insert_all(&page.messages, as_of(page));
        let late: Vec<_> = self.changes.iter().filter(|(at, _)| *at > as_of(page)).cloned().collect();
        for (at, event) in late {
            if changed_message(&event).is_some_and(|id| new.contains(&id)) {
                self.change_shown(&event);
            }
            self.count(at, &event);
        }
    }

    fn fold(&mut self, at: Position, event: KnownEvent) {
        match event {
            KnownEvent::MessagePosted { mut message } => {
                // In the log a message does not know its place yet.
                message.at = at;
                if message.reply_to.is_some() {
                    self.changed(at, KnownEvent::MessagePosted { message: message.clone() });
                }
                if !self.newer && (self.of.is_none() || message.reply_to == self.of) {
                    self.insert_all(&[message], at);
                    // Who reads further back does not lose what they read.
                    if self.following {
                        self.drop_oldest();
                    }
                }
            }
            KnownEvent::MemberJoined { user, role } => self.join(user, role),
            KnownEvent::MemberLeft { user, .. } => {
                let before = self.members.len();
                self.members.retain(|member| member.user.id != user.id);
                if self.members.len() < before {
                    self.room.members = self.room.members.saturating_sub(1);
                }
            }
            KnownEvent::RoomCreated { by } => self.join(by, Role::Owner),
            KnownEvent::RoomChanged(RoomChanged { change, .. }) => self.room.change(change),
            KnownEvent::MessagesExpired { up_to } => self.expire(up_to),
            change => {
                self.change(&change);
                self.changed(at, change);
            }
        }
    }

    /// Counts what is counted, and keeps what happened for what is read late.
    fn changed(&mut self, at: Position, event: KnownEvent) {
        self.count(at, &event);
        self.changes.push_back((at, event));
        if self.changes.len() > MAX_CHANGES
            && let Some((at, _)) = self.changes.pop_front()
        {
            self.forgotten = at;
        }
    }

    /// A message has one reply more, or one less, if it is in the stretch and that is not counted yet.
    fn count(&mut self, at: Position, event: &KnownEvent) {
        let (answered, more) = match event {
            KnownEvent::MessagePosted { message } => (message.reply_to, true),
            KnownEvent::MessageDeleted { reply_to, .. } => (*reply_to, false),
            _ => return,
        };
        let Some(place) = answered.and_then(|id| self.places.get_mut(&id)).filter(|place| place.counted < at) else {
            return;
        };
        // Two may delete the same at once.
        let again = |(before, other): &(Position, KnownEvent)| {
            let deletes = matches!(other, KnownEvent::MessageDeleted { .. });
            deletes && *before < at && changed_message(other) == changed_message(event)
        };
        if !more && self.changes.iter().any(again) {
            return;
        }
        place.counted = at;
        if let Some(message) = self.messages.get_mut(&place.at).map(Arc::make_mut) {
            message.replies = if more { message.replies + 1 } else { message.replies.saturating_sub(1) };
        }
    }

    /// Nothing remains of what was posted up to there, and so there is nothing before what was posted after it.
    fn expire(&mut self, up_to: Position) {
        self.expired = self.expired.max(up_to);
        while let Some(oldest) = self.messages.first_entry()
            && *oldest.key() <= up_to
        {
            self.places.remove(&oldest.remove().id);
            // See `new`.
            self.older = self.newer && self.messages.is_empty();
        }
        self.pins.retain(|(_, message)| message.as_ref().is_none_or(|message| message.at > up_to));
        self.thread = self.thread.take().filter(|thread| thread.of.is_some_and(|id| thread.places.contains_key(&id)));
    }

    fn join(&mut self, user: User, role: Role) {
        match self.members.iter_mut().find(|member| member.user.id == user.id) {
            Some(member) => member.role = role,
            None => {
                self.members.push(Member { user, role });
                self.room.members += 1;
            }
        }
    }

    /// Changes a message, if it is in the stretch or kept in view. Twice is the same as once.
    fn change(&mut self, event: &KnownEvent) {
        let Some(changed) = changed_message(event) else { return };
        self.change_shown(event);
        let place = self.pins.iter().position(|(id, _)| *id == changed);
        match (event, place) {
            (KnownEvent::MessagePinned { .. }, None) => {
                let message = self.message(changed).cloned();
                if message.as_ref().is_none_or(|message| message.pinned) {
                    self.pins.insert(0, (changed, message));
                }
            }
            (KnownEvent::MessageUnpinned { .. } | KnownEvent::MessageDeleted { .. }, Some(place)) => {
                self.pins.remove(place);
            }
            (_, Some(place)) => {
                if let Some(message) = &mut self.pins[place].1 {
                    change(Arc::make_mut(message), event);
                }
            }
            _ => {}
        }
    }

    fn change_shown(&mut self, event: &KnownEvent) {
        let place = changed_message(event).and_then(|id| self.places.get(&id));
        if let Some(message) = place.and_then(|place| self.messages.get_mut(&place.at)) {
            change(Arc::make_mut(message), event);
        }
    }

    fn drop_oldest(&mut self) {
        while self.messages.len() > MAX_KEPT
            && let Some((_, message)) = self.messages.pop_first()
        {
            self.places.remove(&message.id);
            self.older = true;
        }
    }
}

/// From where on a page's room is to be heard of. What is posted after a stretch that ends early is not kept anyway, so
/// there it is the moment of the read: however far back the stretch is, no more is missed than since then.
fn place_of(page: &MessagePage, newer: bool) -> Position {
    if newer { as_of(page) } else { page.at }
}

/// The moment of the read. A server that does not say covers the room up to `at` at least.
fn as_of(page: &MessagePage) -> Position {
    page.as_of.max(page.at)
}

fn changed_message(event: &KnownEvent) -> Option<MessageId> {
    match event {
        KnownEvent::MessageEdited { id, .. }
        | KnownEvent::MessageDeleted { id, .. }
        | KnownEvent::ReactionAdded { id, .. }
        | KnownEvent::ReactionRemoved { id, .. }
        | KnownEvent::MessagePinned { id, .. }
        | KnownEvent::MessageUnpinned { id, .. } => Some(*id),
        _ => None,
    }
}

fn change(message: &mut Message, event: &KnownEvent) {
    match event {
        KnownEvent::MessageEdited { body, edited_at, .. } if !message.deleted => {
            message.body.clone_from(body);
            message.edited_at = Some(*edited_at);
        }
        KnownEvent::MessageDeleted { .. } => {
            message.deleted = true;
            message.pinned = false;
            message.body.clear();
            message.reactions.clear();
        }
        KnownEvent::ReactionAdded { emoji, by, .. } if !message.deleted => add(&mut message.reactions, emoji, by),
        KnownEvent::ReactionRemoved { emoji, by, .. } => remove(&mut message.reactions, emoji, by),
        KnownEvent::MessagePinned { .. } => message.pinned = !message.deleted,
        KnownEvent::MessageUnpinned { .. } => message.pinned = false,
        _ => {}
    }
}

fn add(reactions: &mut Vec<Reaction>, emoji: &str, by: &User) {
    match reactions.iter_mut().find(|reaction| reaction.emoji == emoji) {
        Some(reaction) if reaction.users.contains(&by.username) => {}
        Some(reaction) => reaction.users.push(by.username.clone()),
        None => reactions.push(Reaction { emoji: emoji.to_owned(), users: vec![by.username.clone()] }),
    }
}

fn remove(reactions: &mut Vec<Reaction>, emoji: &str, by: &User) {
    if let Some(reaction) = reactions.iter_mut().find(|reaction| reaction.emoji == emoji) {
        reaction.users.retain(|user| *user != by.username);
    }
    reactions.retain(|reaction| !reaction.users.is_empty());
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
