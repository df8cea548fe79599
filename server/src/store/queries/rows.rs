//! What records bring, made into rows before there is a transaction: one that parses no record is over sooner, and
//! while it is under way the next can be made ready.

use super::bulk;
use crate::{
    log::event_json,
    store::{
        Placed, Stretch,
        row::{NewEvent, NewMessage, signed},
        search::place,
    },
};
use app::model::{Event, KnownEvent, Message, Position, RoomChanged};
use std::borrow::Cow;

/// Records after which others have their turn: some ms.
const AT_ONCE: usize = 64;

/// What a record brings.
pub(super) enum Rows<'a> {
    /// A message, and its event if the id turns out to be new in the room.
    Post(NewMessage<'a>, NewEvent),
    /// What looks at rows, and its event if it comes to something.
    Change(&'a Placed, &'a KnownEvent, NewEvent),
    /// A later version's: kept, and nothing follows from it here.
    Unknown(NewEvent),
    /// PostgreSQL's text cannot hold it; so that a log folds to the same rows everywhere, SQLite's may not either.
    Nul,
}

/// The rows of all records, each with its offset, in the order of the log, whose generation is `epoch`.
pub(super) async fn of<'a>(stretches: &[Stretch<'a>], epoch: u32) -> Vec<(u64, Rows<'a>)> {
    let mut made = Vec::with_capacity(stretches.iter().map(|stretch| stretch.records.len()).sum());
    for Stretch { partition, records, .. } in stretches {
        for records in records.chunks(AT_ONCE) {
            made.extend(records.iter().map(|placed| (placed.offset, rows(placed, *partition, epoch))));
            tokio::task::yield_now().await;
        }
    }
    made
}

fn rows(placed: &Placed, partition: u32, epoch: u32) -> Rows<'_> {
    let at = Position::new(epoch, placed.offset);
    match &placed.record.event {
        Event::Known(known, _) if has_nul(known) => Rows::Nul,
        Event::Known(KnownEvent::MessagePosted { message }, _) => {
            Rows::Post(new_message(placed, partition, at, message), new_event(placed, at))
        }
        Event::Known(known, _) => Rows::Change(placed, known, new_event(placed, at)),
        Event::Unknown(_) => Rows::Unknown(new_event(placed, at)),
    }
}

fn new_message<'a>(placed: &Placed, partition: u32, at: Position, message: &'a Message) -> NewMessage<'a> {
    let room = placed.record.room.0;
    NewMessage {
        room,
        id: message.id.0,
        epoch: i64::from(at.epoch),
        offset: signed(at.offset),
        author: message.author.id.0,
        body: &message.body,
        sent_at: message.sent_at,
        reply_to: message.reply_to.map(|id| id.0),
        place: place(partition, at),
        terms: bulk::terms(room, message.author.id.0, &message.body),
    }
}

/// A record as the archive has it.
pub(super) fn new_event(placed: &Placed, at: Position) -> NewEvent {
    let event = &placed.record.event;
    let body = event_json(&placed.payload, at).expect("it was decoded before");
    NewEvent::new(placed.record.room.0, at, kind(event), event.text_of().map(|id| id.0), body)
}

pub(super) fn has_nul(event: &KnownEvent) -> bool {
    match event {
        KnownEvent::MessagePosted { message } => message.body.contains('\0'),
        KnownEvent::MessageEdited { body, .. } => body.contains('\0'),
        KnownEvent::ReactionAdded { emoji, .. } => emoji.contains('\0'),
        KnownEvent::RoomChanged(RoomChanged { change, .. }) => {
            [&change.name, &change.topic].into_iter().flatten().any(|text| text.contains('\0'))
        }
        _ => false,
    }
}

fn kind(event: &Event) -> Cow<'static, str> {
    match event {
        Event::Known(known, _) => match known {
            KnownEvent::RoomCreated { .. } => "room_created",
            KnownEvent::MessagePosted { .. } => "message_posted",
            KnownEvent::MessageEdited { .. } => "message_edited",
            KnownEvent::MessageDeleted { .. } => "message_deleted",
            KnownEvent::ReactionAdded { .. } => "reaction_added",
            KnownEvent::ReactionRemoved { .. } => "reaction_removed",
            KnownEvent::MessagePinned { .. } => "message_pinned",
            KnownEvent::MessageUnpinned { .. } => "message_unpinned",
            KnownEvent::MessagesExpired { .. } => "messages_expired",
            KnownEvent::RoomChanged(_) => "room_changed",
            KnownEvent::MemberJoined { .. } => "member_joined",
            KnownEvent::MemberLeft { .. } => "member_left",
        }
        .into(),
        Event::Unknown(json) => {
            json.get("kind").and_then(|kind| kind.as_str()).unwrap_or_default().replace('\0', " ").into()
        }
    }
}
