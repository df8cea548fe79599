//! Rows of a fold that are not yet in the database, so that many go in together.

use super::{Connection, bulk};
use crate::{
    log::event_json,
    store::{
        Placed,
        chain::Link,
        row::{NewEvent, NewMessage, signed},
        search::{IndexedText, place},
    },
};
use app::model::{Event, KnownEvent, Message, Position};
use std::collections::HashSet;
use uuid::Uuid;

/// Posted messages and events, each in the order of the log. Whatever reads or changes rows flushes them first.
#[derive(Default)]
pub(super) struct Pending<'a> {
    posted: Vec<(NewMessage<'a>, NewEvent)>,
    events: Vec<NewEvent>,
    /// What has gone into the archive so far, for the rooms' chains.
    archived: Vec<Link>,
}

impl<'a> Pending<'a> {
    pub(super) fn len(&self) -> usize {
        self.posted.len() + self.events.len()
    }

    /// A message, and its event if the id turns out to be new in the room.
    pub(super) fn post(&mut self, placed: &'a Placed, partition: u32, at: Position, message: &'a Message) {
        let record = &placed.record;
        let row = NewMessage {
            room: record.room.0,
            id: message.id.0,
            epoch: i64::from(at.epoch),
            offset: signed(at.offset),
            author: message.author.id.0,
            body: &message.body,
            sent_at: message.sent_at,
            reply_to: message.reply_to.map(|id| id.0),
            place: place(partition, at),
            terms: IndexedText::new(record.room.0, message.author.id.0, &message.body),
        };
        self.posted.push((row, new_event(placed, at, Some(message.id.0))));
    }

    /// An event for the archive.
    pub(super) fn archive(&mut self, placed: &Placed, at: Position, known: Option<&KnownEvent>) {
        let text_of = match known {
            Some(KnownEvent::MessageEdited { id, .. }) => Some(id.0),
            _ => None,
        };
        self.events.push(new_event(placed, at, text_of));
    }

    pub(super) async fn flush(&mut self, tx: &mut Connection) -> Result<(), sqlx::Error> {
        let mut seen = HashSet::new();
        // The first in the log stands. The database is not asked to choose among the rows of one statement.
        let (messages, events): (Vec<_>, Vec<_>) =
            self.posted.drain(..).filter(|(message, _)| seen.insert((message.room, message.id))).unzip();
        if !messages.is_empty() {
            let inserted: HashSet<(Uuid, i64)> = bulk::insert_messages(tx, &messages).await?.into_iter().collect();
            self.events.extend(events.into_iter().filter(|event| inserted.contains(&(event.room, event.offset))));
        }
        if !self.events.is_empty() {
            bulk::insert_events(tx, &self.events).await?;
            self.archived.extend(self.events.drain(..).map(|event| event.link()));
        }
        Ok(())
    }

    /// After the last flush: what has gone into the archive.
    pub(super) fn into_archived(self) -> Vec<Link> {
        self.archived
    }
}

fn new_event(placed: &Placed, at: Position, message: Option<Uuid>) -> NewEvent {
    let kind = kind(&placed.record.event);
    let body = event_json(&placed.payload, at).expect("it was decoded before");
    NewEvent::new(placed.record.room.0, at, kind, message, body)
}

pub(super) fn kind(event: &Event) -> String {
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
        Event::Unknown(json) => json.get("kind").and_then(|kind| kind.as_str()).unwrap_or_default().replace('\0', " "),
    }
}
