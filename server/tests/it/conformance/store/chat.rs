//! A small chat to test with: Ada and Lin in a room, and its log.

use app::model::{
    Event, KnownEvent, Message, MessageId, Position, Role, RoomChange, RoomChanged, RoomId, User, UserId, Visibility,
};
use server::{
    log::Record,
    store::{AccountMade, FoldError, NewAccount, NewRoom, Placed, RoomRow, Store},
};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use uuid::Uuid;

/// The partition of the chat's room.
pub const PARTITION: u32 = 3;

pub struct Chat {
    pub store: Arc<dyn Store>,
    pub ada: User,
    pub lin: User,
    pub room: RoomRow,
    end: AtomicU64,
}

impl Chat {
    pub async fn new(store: Arc<dyn Store>) -> Self {
        let ada = account(&*store, "ada", "Ada").await;
        let lin = account(&*store, "lin", "Lin").await;
        let room = room(&*store, "tea", Visibility::Public, PARTITION).await;
        Self { store, ada, lin, room, end: AtomicU64::new(0) }
    }

    /// Appends to an imagined log, with gaps like those that other rooms leave, and folds what is there.
    pub async fn fold(&self, records: Vec<Record>) -> Vec<Position> {
        let (from, placed, next) = self.place(records);
        self.store.fold(PARTITION, from, next, &placed).await.expect("folded");
        placed.iter().map(|p| Position::new(1, p.offset)).collect()
    }

    /// The same without gaps, for records that are not going to be folded.
    pub async fn refuse(&self, records: Vec<Record>) -> FoldError {
        let from = self.end.load(Ordering::SeqCst);
        let placed = placed(from, records);
        let next = from + placed.len() as u64;
        self.store.fold(PARTITION, from, next, &placed).await.expect_err("not folded")
    }

    /// So many offsets were done without folding anything.
    pub fn skip(&self, records: u64) {
        self.end.fetch_add(records, Ordering::SeqCst);
    }

    fn place(&self, records: Vec<Record>) -> (u64, Vec<Placed>, u64) {
        let from = self.end.load(Ordering::SeqCst);
        let step = |(i, record)| Placed::new(from + 2 * i as u64, record);
        let placed: Vec<Placed> = records.into_iter().enumerate().map(step).collect();
        let next = placed.last().map_or(from, |last| last.offset + 1);
        self.end.store(next, Ordering::SeqCst);
        (from, placed, next)
    }

    pub fn post(&self, by: &User, body: &str) -> Record {
        post(self.room.id, by, MessageId::new(), body)
    }

    pub fn reply(&self, by: &User, to: MessageId, body: &str) -> Record {
        let mut record = self.post(by, body);
        if let Event::Known(KnownEvent::MessagePosted { message }, _) = &mut record.event {
            message.reply_to = Some(to);
        }
        record
    }

    pub fn record(&self, by: &User, event: impl Into<Event>) -> Record {
        record(self.room.id, by, event)
    }

    pub fn edit(&self, by: &User, id: MessageId, body: &str) -> Record {
        self.record(by, KnownEvent::MessageEdited { id, body: body.into(), edited_at: 2_000, posted_at: None })
    }

    pub fn delete(&self, by: &User, id: MessageId) -> Record {
        self.record(by, KnownEvent::MessageDeleted { id, by: by.clone(), reply_to: None })
    }

    pub fn react(&self, by: &User, id: MessageId, emoji: &str, on: bool) -> Record {
        let (by, emoji) = (by.clone(), emoji.to_owned());
        let event = if on {
            KnownEvent::ReactionAdded { id, emoji, by: by.clone() }
        } else {
            KnownEvent::ReactionRemoved { id, emoji, by: by.clone() }
        };
        self.record(&by, event)
    }

    pub fn pin(&self, by: &User, id: MessageId, on: bool) -> Record {
        let event = if on {
            KnownEvent::MessagePinned { id, by: by.clone(), pinned_at: 3_000 }
        } else {
            KnownEvent::MessageUnpinned { id, by: by.clone() }
        };
        self.record(by, event)
    }

    pub fn join(&self, user: &User, role: Role) -> Record {
        self.record(user, KnownEvent::MemberJoined { user: user.clone(), role })
    }

    /// Somebody is taken out, or leaves.
    pub fn leave(&self, user: &User, by: &User) -> Record {
        self.record(by, KnownEvent::MemberLeft { user: user.clone(), by: by.clone() })
    }

    pub fn change(&self, change: RoomChange) -> Record {
        self.record(&self.ada, KnownEvent::RoomChanged(RoomChanged { by: self.ada.clone(), change }))
    }

    pub async fn message(&self, id: MessageId) -> Message {
        self.store.message(self.room.id, id).await.expect("read").expect("there")
    }
}

/// Records side by side from an offset on.
pub fn placed(from: u64, records: Vec<Record>) -> Vec<Placed> {
    (from..).zip(records).map(|(offset, record)| Placed::new(offset, record)).collect()
}

pub fn record(room: RoomId, by: &User, event: impl Into<Event>) -> Record {
    Record { v: 1, room, by: by.id, id: Uuid::now_v7(), accepted_at: 1_000, event: event.into() }
}

pub fn post(room: RoomId, by: &User, id: MessageId, body: &str) -> Record {
    let message = Message::new(id, by.clone(), body, 1_000);
    Record { id: id.0, ..record(room, by, KnownEvent::MessagePosted { message }) }
}

pub fn message_id(record: &Record) -> MessageId {
    MessageId(record.id)
}

pub fn new_account(username: &str, display_name: &str) -> NewAccount {
    let user = User {
        id: UserId::new(),
        username: username.into(),
        display_name: display_name.into(),
        guest: false,
        admin: false,
    };
    NewAccount { user, password_hash: Some("hash".into()), created_at: 1_000, only_first_admin: false }
}

pub async fn account(store: &dyn Store, username: &str, display_name: &str) -> User {
    let new = new_account(username, display_name);
    assert_eq!(store.create_account(&new).await.expect("written"), AccountMade::Made);
    new.user
}

pub async fn room(store: &dyn Store, name: &str, visibility: Visibility, partition: u32) -> RoomRow {
    let (id, slug) = (RoomId::new(), name.to_lowercase());
    let new = NewRoom { id, slug: slug.clone(), name: name.into(), visibility, partition, created_at: 1_000 };
    assert!(store.create_room(&new).await.expect("written"));
    let (topic, archived, keep_days, changed) = (String::new(), false, 0, Position::START);
    RoomRow { id, slug, name: name.into(), visibility, partition, topic, archived, keep_days, changed }
}
