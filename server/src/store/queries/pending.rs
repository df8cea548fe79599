//! Rows of a fold that are not yet in the database, so that many go in together.

use super::{Connection, bulk};
use crate::store::{
    chain::Link,
    row::{NewEvent, NewMessage},
};
use std::collections::HashSet;

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
    pub(super) fn post(&mut self, message: NewMessage<'a>, event: NewEvent) {
        self.posted.push((message, event));
    }

    /// An event for the archive.
    pub(super) fn archive(&mut self, event: NewEvent) {
        self.events.push(event);
    }

    pub(super) async fn flush(&mut self, tx: &mut Connection) -> Result<(), sqlx::Error> {
        let mut seen = HashSet::new();
        // The first in the log stands. The database is not asked to choose among the rows of one statement.
        let (messages, events): (Vec<_>, Vec<_>) =
            self.posted.drain(..).filter(|(message, _)| seen.insert((message.room, message.id))).unzip();
        if !messages.is_empty() {
            let inserted = bulk::insert_messages(tx, &messages).await?;
            self.events.extend(events.into_iter().filter(|event| inserted.has(event.room, event.offset)));
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
