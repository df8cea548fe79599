//! The fold once more, from the archive alone, to compare with what is read.
//!
//! A room is gone through twice, in pages: first everything that happened, of
//! which only what changes messages and members is remembered; then message by
//! message, beside the rows that readers get. Memory is needed for a room's
//! changes, not for its messages. Pure: `queries/replay.rs` brings the rows.

use super::{
    RoomRow,
    chain::{self, Chain, Digest, Link},
};
use app::model::{Event, KnownEvent, MessageId, Millis, Position, Role, RoomChange, RoomChanged, RoomId, UserId};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, HashMap};

/// How many differences of a room are kept in words; all are counted.
const TOLD: usize = 20;

/// An event as the archive has it.
pub(super) struct ArchivedRow {
    pub(super) at: Position,
    pub(super) body: String,
    pub(super) digest: Option<Digest>,
}

/// A message's row, its reactions and its pin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct MessageRow {
    pub(super) id: MessageId,
    pub(super) at: Position,
    pub(super) author: UserId,
    pub(super) body: String,
    pub(super) sent_at: Millis,
    pub(super) edited_at: Option<Millis>,
    pub(super) deleted: bool,
    pub(super) reply_to: Option<MessageId>,
    /// By emoji and person: since where.
    pub(super) reactions: BTreeMap<String, BTreeMap<UserId, Position>>,
    /// Who keeps it in view, since when and where.
    pub(super) pin: Option<(UserId, Millis, Position)>,
}

/// A member's row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct MemberRow {
    pub(super) user: UserId,
    pub(super) role: Role,
    pub(super) at: Position,
}

/// What happened to a message after it was posted.
#[derive(Default)]
struct Change {
    /// The last edit: where, what, when.
    edit: Option<(Position, String, Millis)>,
    deleted: Option<Position>,
    reactions: BTreeMap<String, BTreeMap<UserId, Position>>,
    pin: Option<(UserId, Millis, Position)>,
}

/// What was found wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// How many.
    pub count: u64,
    /// The first of them, in words.
    pub told: Vec<String>,
}

impl Differences {
    fn add(&mut self, what: impl FnOnce() -> String) {
        self.count += 1;
        if self.told.len() < TOLD {
            self.told.push(what());
        }
    }
}

/// A room's check or rebuilding, as far as it has come.
pub struct Replay {
    /// The archive is read up to here.
    pub(super) read: Position,
    /// Messages are compared up to here.
    pub(super) compared: Position,
    pub(super) done: bool,
    /// Where the room's chain begins; `None`: nothing is known yet.
    begins: Option<Option<Position>>,
    chain: Option<Chain>,
    chain_told: bool,
    changes: HashMap<MessageId, Change>,
    members: BTreeMap<UserId, (Role, Position)>,
    removed: BTreeMap<UserId, Position>,
    /// All that was changed about the room, and where last.
    room: (RoomChange, Position),
    /// What was posted up to here has become too old.
    expired: Position,
    /// Texts that are gone, whose deletion has not come yet: the first place of each message.
    blank: HashMap<MessageId, Position>,
    found: Sha256,
    expected: Sha256,
    /// Events of the archive.
    pub events: u64,
    /// Those of them that no chain covers: the version before has written them.
    pub unsealed: u64,
    /// Messages that there should be.
    pub messages: u64,
    /// What is wrong with the archive.
    pub archive: Differences,
    /// What is wrong with messages, reactions, pins and members.
    pub projections: Differences,
    /// Rows that were put right.
    pub mended: u64,
}

impl Default for Replay {
    fn default() -> Self {
        Self {
            read: Position::START,
            compared: Position::START,
            done: false,
            begins: None,
            chain: None,
            chain_told: false,
            changes: HashMap::new(),
            members: BTreeMap::new(),
            removed: BTreeMap::new(),
            room: (RoomChange::default(), Position::START),
            expired: Position::START,
            blank: HashMap::new(),
            found: Sha256::new(),
            expected: Sha256::new(),
            events: 0,
            unsealed: 0,
            messages: 0,
            archive: Differences::default(),
            projections: Differences::default(),
            mended: 0,
        }
    }
}

impl Replay {
    /// From the beginning.
    pub fn new() -> Self {
        Self::default()
    }

    /// All is gone through.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// The digests of the rows as they were found, and as they should be.
    pub fn digests(&self) -> (Digest, Digest) {
        (self.found.clone().finalize().into(), self.expected.clone().finalize().into())
    }

    /// Where the chain begins that the store has now. `false`: it is another one than before, so begin again.
    pub(super) fn chain_begins(&mut self, stored: Option<&Chain>) -> bool {
        let first = stored.map(|chain| chain.first);
        *self.begins.get_or_insert(first) == first
    }

    /// The version before has written beside, and the chain begins elsewhere now.
    pub(super) fn begin_again(&mut self, stored: Option<&Chain>) {
        *self = Self { mended: self.mended, begins: Some(stored.map(|chain| chain.first)), ..Self::new() };
    }

    /// The next event of the archive.
    pub(super) fn learn(&mut self, room: RoomId, row: ArchivedRow) {
        let at = row.at;
        (self.read, self.events) = (at, self.events + 1);
        self.link(room, &row);
        let event: Event = match serde_json::from_str(&row.body) {
            Ok(event) => event,
            Err(_) => return self.archive.add(|| format!("the event at {at} is not readable")),
        };
        if row.digest.is_some_and(|digest| digest != chain::digest(&row.body)) {
            match event.text_of().filter(|_| is_blank(&event)) {
                Some(id) if self.changes.get(&id).is_none_or(|change| change.deleted.is_none()) => {
                    self.blank.entry(id).or_insert(at);
                }
                Some(_) => {}
                None => self.archive.add(|| format!("the event at {at} is not the one that was archived")),
            }
        }
        if let Event::Known(known, _) = event {
            self.follow(at, known);
        }
    }

    /// Extends the chain that the store should have.
    fn link(&mut self, room: RoomId, row: &ArchivedRow) {
        let begun = self.begins.flatten().is_some_and(|first| row.at >= first);
        match row.digest {
            Some(digest) if begun => {
                let link = Link { room: room.0, at: row.at, digest };
                self.chain = Some(self.chain.map_or_else(|| Chain::begin(&link), |chain| chain.and(&link)));
            }
            _ => self.unsealed += 1,
        }
    }

    /// At the archive's end: is the chain the one that the store has?
    pub(super) fn compare_chain(&mut self, stored: Option<&Chain>) {
        if !self.chain_told && self.chain.as_ref() != stored {
            self.chain_told = true;
            let told = |chain: Option<&Chain>| match chain {
                Some(c) => format!("{} events from {} to {}", c.events, c.first, c.last),
                None => "no events".to_owned(),
            };
            let (mine, theirs) = (told(self.chain.as_ref()), told(stored));
            let detail = if mine == theirs { "other digests".to_owned() } else { format!("{mine} are there") };
            self.archive.add(|| format!("the archive does not fit its chain: of {theirs}, {detail}"));
        }
    }

    fn follow(&mut self, at: Position, event: KnownEvent) {
        match event {
            KnownEvent::MessagePosted { .. } => self.messages += 1,
            KnownEvent::RoomCreated { by } => self.join(by.id, Role::Owner, at),
            KnownEvent::MemberJoined { user, role } => self.join(user.id, role, at),
            KnownEvent::MemberLeft { user, by } => {
                self.members.remove(&user.id);
                if user.id != by.id {
                    self.removed.insert(user.id, at);
                }
            }
            KnownEvent::RoomChanged(RoomChanged { change, .. }) => {
                self.room = (std::mem::take(&mut self.room.0).then(change), at);
            }
            KnownEvent::MessagesExpired { up_to } => self.expired = self.expired.max(up_to.min(at)),
            KnownEvent::MessageEdited { id, body, edited_at, .. } => {
                let change = self.changes.entry(id).or_default();
                if change.deleted.is_none() {
                    change.edit = Some((at, body, edited_at));
                }
            }
            KnownEvent::MessageDeleted { id, .. } => {
                self.blank.remove(&id);
                let change = self.changes.entry(id).or_default();
                change.deleted.get_or_insert(at);
                change.reactions.clear();
                change.pin = None;
            }
            KnownEvent::ReactionAdded { id, emoji, by } => {
                let change = self.changes.entry(id).or_default();
                if change.deleted.is_none() {
                    change.reactions.entry(emoji).or_default().entry(by.id).or_insert(at);
                }
            }
            KnownEvent::ReactionRemoved { id, emoji, by } => {
                if let Some(of_emoji) = self.changes.get_mut(&id).and_then(|c| c.reactions.get_mut(&emoji)) {
                    of_emoji.remove(&by.id);
                }
            }
            KnownEvent::MessagePinned { id, by, pinned_at } => {
                let change = self.changes.entry(id).or_default();
                if change.deleted.is_none() {
                    change.pin.get_or_insert((by.id, pinned_at, at));
                }
            }
            KnownEvent::MessageUnpinned { id, .. } => {
                if let Some(change) = self.changes.get_mut(&id) {
                    change.pin = None;
                }
            }
        }
    }

    fn join(&mut self, user: UserId, role: Role, at: Position) {
        self.removed.remove(&user);
        self.members.entry(user).or_insert((role, at)).0 = role;
    }

    /// The row that a posted message should have by now.
    pub(super) fn message(&mut self, row: &ArchivedRow) -> Option<MessageRow> {
        let Ok(Event::Known(KnownEvent::MessagePosted { message }, _)) = serde_json::from_str(&row.body) else {
            return None;
        };
        let (at, id) = (row.at, message.id);
        let change = self.changes.get(&id);
        // What came before the posting (it may have been a dead letter for a while) had nothing to change.
        let deleted = change.is_some_and(|c| c.deleted.is_some_and(|deleted| deleted > at));
        let edit = change.and_then(|c| c.edit.as_ref()).filter(|(edited, ..)| *edited > at);
        let expired = at <= self.expired;
        if (deleted || expired) && !(message.body.is_empty() && edit.is_none_or(|(_, body, _)| body.is_empty())) {
            let how = if expired { "forgotten" } else { "deleted" };
            self.archive.add(|| format!("the text of the {how} message {id} is still there"));
        }
        if expired {
            self.messages = self.messages.saturating_sub(1);
            return None;
        }
        let reactions = match change {
            Some(change) if !deleted => after(at, &change.reactions),
            _ => BTreeMap::new(),
        };
        let pin = change.and_then(|c| c.pin).filter(|(.., put)| !deleted && *put > at);
        let edited_at = edit.map(|(_, _, when)| *when);
        let body = match edit {
            _ if deleted => String::new(),
            Some((_, body, _)) => body.clone(),
            None => message.body,
        };
        let (author, sent_at, reply_to) = (message.author.id, message.sent_at, message.reply_to);
        Some(MessageRow { id, at, author, body, sent_at, edited_at, deleted, reply_to, reactions, pin })
    }

    /// Compares the rows of a stretch with what they should be; both in order of place. The expected rows that are not
    /// there as they should be, and the ids of rows that must go before these can come.
    pub(super) fn compare_messages(
        &mut self,
        expected: Vec<MessageRow>,
        found: Vec<MessageRow>,
    ) -> (Vec<MessageRow>, Vec<MessageId>) {
        expected.iter().for_each(|row| add(&mut self.expected, row));
        found.iter().for_each(|row| add(&mut self.found, row));
        let mut there: BTreeMap<Position, MessageRow> = found.into_iter().map(|row| (row.at, row)).collect();
        let (mut missing, mut wrong) = (Vec::new(), Vec::new());
        for row in expected {
            let found = there.remove(&row.at);
            if found.as_ref() == Some(&row) {
                continue;
            }
            let (id, at) = (row.id, row.at);
            self.projections.add(|| match &found {
                None => format!("the message {id} at {at} is missing"),
                Some(other) if other.id != id => format!("at {at} there is {} instead of the message {id}", other.id),
                Some(other) => format!("the message {id} at {at} differs in {}", differing(&row, other)),
            });
            wrong.extend(found.map(|other| other.id));
            wrong.push(id);
            missing.push(row);
        }
        for (at, row) in there {
            self.projections.add(|| format!("the message {} at {at} is not in the archive", row.id));
            wrong.push(row.id);
        }
        wrong.sort_unstable();
        wrong.dedup();
        (missing, wrong)
    }

    /// Compares the members, both in order of their ids; those that are not as they should be: what they should be.
    pub(super) fn compare_members(&mut self, found: Vec<MemberRow>) -> Vec<(UserId, Option<MemberRow>)> {
        let should = |(user, (role, at)): (&UserId, &(Role, Position))| MemberRow { user: *user, role: *role, at: *at };
        let expected: Vec<MemberRow> = self.members.iter().map(should).collect();
        expected.iter().for_each(|row| add(&mut self.expected, row));
        found.iter().for_each(|row| add(&mut self.found, row));
        let mut there: BTreeMap<UserId, MemberRow> = found.into_iter().map(|row| (row.user, row)).collect();
        let mut wrong = Vec::new();
        for row in expected {
            let found = there.remove(&row.user);
            if found.as_ref() != Some(&row) {
                self.projections
                    .add(|| format!("the member {} should be {} since {}", row.user, row.role.as_str(), row.at));
                wrong.push((row.user, Some(row)));
            }
        }
        for user in there.into_keys() {
            self.projections.add(|| format!("{user} should not be a member"));
            wrong.push((user, None));
        }
        wrong
    }

    /// Who was taken out and is not back, and where they were.
    pub(super) fn removed(&self) -> impl Iterator<Item = (UserId, Position)> {
        self.removed.iter().map(|(user, at)| (*user, *at))
    }

    /// What the room's row lacks of what was changed, and where that was.
    pub(super) fn compare_room(&mut self, found: &RoomRow) -> Option<(RoomChange, Position)> {
        let (change, at) = self.room.clone();
        let mut should = found.clone();
        should.change(&change, at);
        if at == Position::START || should == *found {
            return None;
        }
        self.projections.add(|| format!("the room is not as it was changed, last at {at}"));
        Some((change, at))
    }

    /// Up to where the room's messages should be gone, if it is not so.
    pub(super) fn compare_expired(&mut self, found: Position) -> Option<Position> {
        if found == self.expired {
            return None;
        }
        self.projections.add(|| format!("messages should be gone up to {}, not {found}", self.expired));
        Some(self.expired)
    }

    /// Nothing more comes.
    pub(super) fn end(&mut self) {
        self.done = true;
        for (id, at) in std::mem::take(&mut self.blank).into_iter().filter(|(_, at)| *at > self.expired) {
            self.archive.add(|| format!("the text of the message {id} is gone from {at}, and nobody deleted it"));
        }
    }
}

fn is_blank(event: &Event) -> bool {
    match event {
        Event::Known(KnownEvent::MessagePosted { message }, _) => message.deleted && message.body.is_empty(),
        Event::Known(KnownEvent::MessageEdited { body, .. }, _) => body.is_empty(),
        _ => false,
    }
}

fn after(
    at: Position,
    reactions: &BTreeMap<String, BTreeMap<UserId, Position>>,
) -> BTreeMap<String, BTreeMap<UserId, Position>> {
    let mut kept = BTreeMap::new();
    for (emoji, users) in reactions {
        let users: BTreeMap<_, _> = users.iter().filter(|(_, put)| **put > at).map(|(u, p)| (*u, *p)).collect();
        if !users.is_empty() {
            kept.insert(emoji.clone(), users);
        }
    }
    kept
}

fn add(sum: &mut Sha256, row: &impl Serialize) {
    sum.update(serde_json::to_vec(row).expect("a row is plain data"));
    sum.update(b"\n");
}

/// Which columns, not what is in them: texts belong to their readers.
fn differing(expected: &MessageRow, found: &MessageRow) -> String {
    let columns = [
        ("author", expected.author != found.author),
        ("text", expected.body != found.body),
        ("sent_at", expected.sent_at != found.sent_at),
        ("edited_at", expected.edited_at != found.edited_at),
        ("deleted", expected.deleted != found.deleted),
        ("reply_to", expected.reply_to != found.reply_to),
        ("reactions", expected.reactions != found.reactions),
        ("pin", expected.pin != found.pin),
    ];
    columns.iter().filter(|(_, differs)| *differs).map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}
