//! Missed events, from wherever they still are: ring, store, log.

use super::Sources;
use crate::{
    fanout::RingEvent,
    log::{Entry, LogError, Record, event_json},
    store::{RoomRow, StoreError},
};
use app::model::{Event, KnownEvent, MessageId, Position};
use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

/// How far behind the wanted position the store may be for the rest to be read from the log: the log of a partition
/// carries other rooms too.
const LOG_REACH: u64 = 20_000;
const LOG_READ_AT_ONCE: usize = 1_000;
/// How long a short lag of the store is waited for where the log cannot be read.
const STORE_WAIT: Duration = Duration::from_secs(2);
/// How long looking may take in all: a room's live delivery waits for it.
const DEADLINE: Duration = Duration::from_secs(10);
/// Later than any event; its offset is the largest that a database's integers hold.
const EVERYTHING: Position = Position::new(u32::MAX, i64::MAX as u64);
const STORE_POLL: Duration = Duration::from_millis(25);

/// Which events of a room.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// Later than this.
    pub after: Position,
    /// This one too.
    pub upto: Position,
    /// More than so many: [`Missed::TooMany`].
    pub most: usize,
}

/// A room's latest events up to somewhere.
pub(super) struct Latest {
    /// In order, none of the room's events in `(base, upto]` is missing.
    pub events: Vec<RingEvent>,
    pub base: Position,
    pub upto: Position,
}

/// Why missed events cannot be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum Missed {
    #[error("too many events were missed")]
    TooMany,
    #[error("neither store nor log has them: {0}; {1}")]
    Away(String, String),
}

impl Sources {
    /// Every event of the room in `(after, upto]`, in order, each once.
    pub(super) async fn missed(&self, room: &RoomRow, wanted: Wanted) -> Result<Vec<RingEvent>, Missed> {
        let found = tokio::time::timeout(DEADLINE, self.look_everywhere(room, wanted)).await;
        found.unwrap_or_else(|_| Err(Missed::Away("too slow".into(), "too slow".into())))
    }

    async fn look_everywhere(&self, room: &RoomRow, wanted: Wanted) -> Result<Vec<RingEvent>, Missed> {
        // Of the log before this one a ring may have what was lost with it: such events are the store's to tell.
        if self.hearing()
            && wanted.after >= Position::before(self.epoch)
            && let Ok(ring) = self.fanout.ring(room.id, wanted.after).await
            && ring.complete
            && ring.top.is_some_and(|top| top >= wanted.upto)
        {
            let events: Vec<_> = ring.events.into_iter().filter(|e| e.at <= wanted.upto).collect();
            return if events.len() <= wanted.most { Ok(events) } else { Err(Missed::TooMany) };
        }
        let deadline = Instant::now() + STORE_WAIT;
        loop {
            let (mut events, reached, store_error) = match self.stored(room, wanted).await {
                Ok((events, reached)) => (events, reached, String::new()),
                Err(Some(e)) => (Vec::new(), wanted.after, e.to_string()),
                Err(None) => return Err(Missed::TooMany),
            };
            if reached >= wanted.upto {
                return Ok(events);
            }
            let log_error = match self.logged(room, reached, wanted.upto, store_error.is_empty()).await {
                Ok(rest) => {
                    let known: HashSet<MessageId> = events.iter().filter_map(|e| posted_id(&e.payload)).collect();
                    events.extend(
                        rest.into_iter().filter(|e| posted_id(&e.payload).is_none_or(|id| !known.contains(&id))),
                    );
                    return if events.len() <= wanted.most { Ok(events) } else { Err(Missed::TooMany) };
                }
                Err(e) => e.to_string(),
            };
            if Instant::now() > deadline {
                return Err(Missed::Away(store_error, log_error));
            }
            tokio::time::sleep(STORE_POLL).await;
        }
    }

    /// The room's latest events up to `upto`, `most` of them: what those who come back from anywhere have missed, asked
    /// for once.
    pub(super) async fn latest_before(&self, room: &RoomRow, upto: Position, most: usize) -> Result<Latest, Missed> {
        let looked = async {
            let away = |e: &dyn std::fmt::Display| Missed::Away(e.to_string(), String::new());
            let mut latest = self.stored_latest(room, Some(upto), most).await.map_err(|e| away(&e))?;
            if latest.upto < upto {
                // The store is a little behind.
                let rest = self.logged(room, latest.upto, upto, true).await.map_err(|e| away(&e))?;
                latest.events.extend(rest);
                let too_many = latest.events.len().saturating_sub(most);
                if let Some(last) = latest.events.drain(..too_many).last() {
                    latest.base = last.at;
                }
                latest.upto = upto;
            }
            Ok(latest)
        };
        let looked = tokio::time::timeout(DEADLINE, looked).await;
        looked.unwrap_or_else(|_| Err(Missed::Away("too slow".into(), String::new())))
    }

    /// From the archive: the room's latest events up to `upto`, or up to where the store has come, `most` of them.
    pub(super) async fn stored_latest(
        &self,
        room: &RoomRow,
        upto: Option<Position>,
        most: usize,
    ) -> Result<Latest, StoreError> {
        metrics::counter!("partyline_resume_store_queries_total").increment(1);
        let limit = u32::try_from(most + 1).unwrap_or(u32::MAX);
        let page = self.store.latest_events(room, upto.unwrap_or(EVERYTHING), limit).await?;
        let (reached, mut found) = (page.at, page.bodies().collect::<Vec<_>>());
        let base = if found.len() > most { found.remove(0).0 } else { Position::START };
        let mut prev = base;
        let events = found.into_iter().map(|(at, payload)| {
            let event = RingEvent { at, prev: Some(prev), payload };
            prev = at;
            event
        });
        Ok(Latest { events: events.collect(), base, upto: upto.map_or(reached, |upto| reached.min(upto)) })
    }

    /// From the archive: events and how far they go. `Err(None)`: too many.
    async fn stored(&self, room: &RoomRow, wanted: Wanted) -> Result<(Vec<RingEvent>, Position), Option<StoreError>> {
        let limit = u32::try_from(wanted.most).unwrap_or(u32::MAX);
        metrics::counter!("partyline_resume_store_queries_total").increment(1);
        let page = self.store.events(room, wanted.after, limit).await.map_err(Some)?;
        if page.more && page.at < wanted.upto {
            return Err(None);
        }
        let (mut prev, reached) = (wanted.after, page.at);
        let events = page.bodies().filter(|(at, _)| *at <= wanted.upto).map(|(at, payload)| {
            let event = RingEvent { at, prev: Some(prev), payload };
            prev = at;
            event
        });
        Ok((events.collect(), reached))
    }

    /// From the log itself: the room's records in `(after, upto]`. A store that has just failed is not asked.
    async fn logged(
        &self,
        room: &RoomRow,
        after: Position,
        upto: Position,
        mut ask_store: bool,
    ) -> Result<Vec<RingEvent>, LogError> {
        // Where the log before this one ended says nothing about this one.
        let mut from = if after.epoch < self.epoch { 0 } else { after.offset + 1 };
        if upto.offset.saturating_sub(from) > LOG_REACH {
            return Err(LogError::Unavailable(format!("{} records away", upto.offset - from)));
        }
        let mut events = Vec::new();
        let mut posted = HashSet::new();
        let mut prev = after;
        while from <= upto.offset {
            let entries = self.log.read(room.partition, from, LOG_READ_AT_ONCE).await?;
            let Some(last) = entries.last() else {
                return Err(LogError::Unavailable(format!("it ends before offset {}", upto.offset)));
            };
            from = last.offset + 1;
            for Entry { offset, payload: bytes } in entries.into_iter().filter(|e| e.offset <= upto.offset) {
                let Ok(record) = Record::decode(&bytes) else { continue };
                if record.room != room.id {
                    continue;
                }
                let at = Position::new(self.epoch, offset);
                let event = record.event_at(at);
                // The first of several with one id stands; an earlier one may be in the store.
                if let Event::Known(KnownEvent::MessagePosted { message }, _) = &event
                    && (!posted.insert(message.id) || self.posted_before(room, message.id, at, &mut ask_store).await)
                {
                    continue;
                }
                let payload = event_json(&bytes, at).map_err(|e| LogError::Broken(e.to_string()))?.into();
                events.push(RingEvent { at, prev: Some(prev), payload });
                prev = at;
            }
        }
        Ok(events)
    }

    async fn posted_before(&self, room: &RoomRow, id: MessageId, at: Position, ask_store: &mut bool) -> bool {
        if !*ask_store {
            return false;
        }
        let posted = self.store.posted(room.id, id).await;
        *ask_store = posted.is_ok();
        matches!(posted, Ok(Some(posted)) if posted.at < at)
    }
}

fn posted_id(payload: &[u8]) -> Option<MessageId> {
    match serde_json::from_slice(payload).ok()? {
        Event::Known(KnownEvent::MessagePosted { message }, _) => Some(message.id),
        _ => None,
    }
}
