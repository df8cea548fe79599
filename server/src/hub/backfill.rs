//! Missed events, from wherever they still are: ring, store, log.

use super::Sources;
use crate::{
    fanout::RingEvent,
    log::{Entry, LogError, Record},
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
        if let Ok(ring) = self.fanout.ring(room.id, wanted.after).await
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

    /// From the archive: events and how far they go. `Err(None)`: too many.
    async fn stored(&self, room: &RoomRow, wanted: Wanted) -> Result<(Vec<RingEvent>, Position), Option<StoreError>> {
        let limit = u32::try_from(wanted.most).unwrap_or(u32::MAX);
        metrics::counter!("partyline_resume_store_queries_total").increment(1);
        let page = self.store.events(room, wanted.after, limit).await.map_err(Some)?;
        if page.more && page.at < wanted.upto {
            return Err(None);
        }
        let mut prev = wanted.after;
        let events = page.events.into_iter().filter(|(at, _)| *at <= wanted.upto).map(|(at, event)| {
            let event = RingEvent { at, prev: Some(prev), payload: payload(&event) };
            prev = at;
            event
        });
        Ok((events.collect(), page.at))
    }

    /// From the log itself: the room's records in `(after, upto]`. A store that has just failed is not asked.
    async fn logged(
        &self,
        room: &RoomRow,
        after: Position,
        upto: Position,
        mut ask_store: bool,
    ) -> Result<Vec<RingEvent>, LogError> {
        let mut from = if after == Position::START { 0 } else { after.offset + 1 };
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
                if let Event::Known(KnownEvent::MessagePosted { message }) = &event
                    && (!posted.insert(message.id) || self.posted_before(room, message.id, at, &mut ask_store).await)
                {
                    continue;
                }
                events.push(RingEvent { at, prev: Some(prev), payload: payload(&event) });
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

fn payload(event: &Event) -> bytes::Bytes {
    serde_json::to_vec(event).expect("an event is plain data").into()
}

fn posted_id(payload: &[u8]) -> Option<MessageId> {
    match serde_json::from_slice(payload).ok()? {
        Event::Known(KnownEvent::MessagePosted { message }) => Some(message.id),
        _ => None,
    }
}
