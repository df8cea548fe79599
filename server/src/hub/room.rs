//! One watched room on this node: a task that owns its ring and its watchers.

use super::{
    Sources,
    backfill::{Missed, Wanted},
    connection::{Connection, Outgoing, encode},
};
use crate::{fanout::RingEvent, store::RoomRow};
use app::{
    model::{Event, KnownEvent, Position, UserId, Visibility},
    protocol::{ResyncReason, ServerFrame},
};
use axum::extract::ws::Utf8Bytes;
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::sync::mpsc;

/// Most events that a room keeps on a node, and most that a resume brings: who missed more reads the history again.
pub const KEPT_EVENTS: usize = 1024;
/// Most bytes of frames that a room keeps; less than a client's queue holds, so that a replay always fits an empty one.
const KEPT_BYTES: usize = 768 * 1024;
/// A room that nobody watches is forgotten after this: a reload comes back to a warm room.
const LINGER: Duration = Duration::from_secs(30);

/// What a room's task is told.
pub enum ToRoom {
    /// Somebody who may read watches.
    Subscribe {
        /// Who.
        connection: Arc<Connection>,
        /// From where on.
        since: Option<Position>,
    },
    /// The connection watches no more.
    Unsubscribe(u64),
    /// From the fan-out.
    Event(RingEvent),
    /// The ring's top.
    Head(Position),
    /// Somebody types.
    Typing(String),
}

struct Kept {
    at: Position,
    frame: Utf8Bytes,
    /// Whose membership this event changed, and whether they are a member after it.
    membership: Option<(UserId, bool)>,
}

/// The task's state.
pub struct RoomTask {
    room: RoomRow,
    sources: Arc<Sources>,
    inbox: mpsc::Receiver<ToRoom>,
    watchers: HashMap<u64, Arc<Connection>>,
    /// Every event of the room in `(base, head]`.
    kept: VecDeque<Kept>,
    kept_bytes: usize,
    base: Position,
    head: Position,
}

impl RoomTask {
    /// A task that is not running yet.
    pub fn new(room: RoomRow, sources: Arc<Sources>, inbox: mpsc::Receiver<ToRoom>) -> Self {
        let (base, head) = (Position::START, Position::START);
        Self { room, sources, inbox, watchers: HashMap::new(), kept: VecDeque::new(), kept_bytes: 0, base, head }
    }

    /// Runs until nobody has watched for [`LINGER`].
    pub async fn run(mut self) {
        // Watch first, look then: what is published in between comes twice rather than never.
        if let Err(e) = self.sources.fanout.watch(self.room.id).await {
            tracing::warn!(error = %e, "a room is not heard of live until the fan-out is back");
        }
        self.find_head().await;
        loop {
            let message = if self.watchers.is_empty() {
                match tokio::time::timeout(LINGER, self.inbox.recv()).await {
                    Ok(message) => message,
                    Err(_) => break,
                }
            } else {
                self.inbox.recv().await
            };
            match message {
                Some(message) => self.handle(message).await,
                None => break,
            }
        }
        self.inbox.close();
        // Who came just before the door was closed starts over, with a new task.
        while let Some(message) = self.inbox.recv().await {
            if let ToRoom::Subscribe { connection, .. } = message {
                connection.send_frame(&ServerFrame::Resync { room: self.room.id, reason: ResyncReason::TooOld });
            }
        }
        self.sources.fanout.unwatch(self.room.id).await;
    }

    async fn handle(&mut self, message: ToRoom) {
        match message {
            ToRoom::Subscribe { connection, since } => self.subscribe(connection, since).await,
            ToRoom::Unsubscribe(id) => drop(self.watchers.remove(&id)),
            ToRoom::Event(event) => self.event(event).await,
            ToRoom::Head(top) if top > self.head => self.repair(top).await,
            ToRoom::Head(_) => {}
            ToRoom::Typing(user) => {
                let frame = encode(&ServerFrame::Typing { room: self.room.id, user });
                self.watchers.values().for_each(|w| w.send_if_idle(frame.clone()));
            }
        }
    }

    /// Where live begins: the ring's top, or the room's last event in the store.
    async fn find_head(&mut self) {
        if let Ok(ring) = self.sources.fanout.ring(self.room.id, Position::START).await
            && let Some(top) = ring.top
        {
            // Of an unbroken run at the ring's end, everything is known but what was before its first.
            let first_known = ring.events.iter().rposition(|e| e.prev.is_none()).map_or(0, |i| i + 1);
            let run = &ring.events[first_known.min(ring.events.len())..];
            self.base = run.first().and_then(|e| e.prev).unwrap_or(top);
            self.head = self.base;
            run.iter().for_each(|e| self.accept(e));
            self.head = self.head.max(top);
            return;
        }
        match self.sources.store.head(&self.room).await {
            Ok(at) => (self.base, self.head) = (at, at),
            // Unknown: the first event repairs from the start, or says resync.
            Err(e) => tracing::warn!(error = %e, "a room's head is not known"),
        }
    }

    async fn event(&mut self, event: RingEvent) {
        if event.at <= self.head {
            return;
        }
        if event.prev.is_some_and(|prev| prev <= self.head) {
            self.accept(&event);
        } else {
            metrics::counter!("partyline_holes_total").increment(1);
            self.repair(event.at).await;
        }
    }

    /// Brings everything up to `target`, or tells the watchers that it cannot be had.
    async fn repair(&mut self, target: Position) {
        let wanted = Wanted { after: self.head, upto: target, most: KEPT_EVENTS };
        match self.sources.missed(&self.room, wanted).await {
            Ok(events) => {
                events.iter().for_each(|e| self.accept(e));
                self.head = self.head.max(target);
            }
            Err(missed) => {
                tracing::warn!(room = %self.room.id, reason = %missed, "a hole could not be repaired");
                (self.base, self.head) = (target, target);
                self.kept.clear();
                self.kept_bytes = 0;
                let frame = encode(&ServerFrame::Resync { room: self.room.id, reason: ResyncReason::TooOld });
                for watcher in self.watchers.values() {
                    watcher.send(Outgoing::Frame(frame.clone()));
                }
                // They subscribe again when they have read the history.
                self.watchers.clear();
            }
        }
    }

    /// The next event of the room: keep it, send it.
    fn accept(&mut self, event: &RingEvent) {
        if event.at <= self.head {
            return;
        }
        let kept = Kept {
            at: event.at,
            frame: self.frame(event.at, self.head, &event.payload),
            membership: membership(&event.payload),
        };
        self.head = event.at;
        metrics::counter!("partyline_deliveries_total").increment(self.watchers.len() as u64);
        self.watchers.retain(|_, w| w.send(Outgoing::Frame(kept.frame.clone())));
        if let Some((user, false)) = kept.membership
            && self.room.visibility != Visibility::Public
        {
            // Nothing later than the removal reaches them.
            self.watchers.retain(|_, w| {
                let stays = w.user() != Some(user);
                if !stays {
                    w.send_error(Some(self.room.id), "you are no longer a member of this room");
                }
                stays
            });
        }
        self.kept_bytes += kept.frame.len();
        self.kept.push_back(kept);
        while self.kept.len() > KEPT_EVENTS || self.kept_bytes > KEPT_BYTES {
            let Some(oldest) = self.kept.pop_front() else { break };
            self.kept_bytes -= oldest.frame.len();
            self.base = oldest.at;
        }
    }

    /// Written by hand around the payload, which is JSON already: one copy, however many watchers.
    fn frame(&self, at: Position, prev: Position, payload: &[u8]) -> Utf8Bytes {
        let payload = String::from_utf8_lossy(payload);
        format!(r#"{{"type":"event","room":"{}","at":"{at}","prev":"{prev}","event":{payload}}}"#, self.room.id).into()
    }

    async fn subscribe(&mut self, connection: Arc<Connection>, since: Option<Position>) {
        let from = since.unwrap_or(self.head);
        let room = self.room.id;
        let resync = |reason| connection.send_frame(&ServerFrame::Resync { room, reason });
        if from != Position::START && from.epoch != self.sources.epoch {
            return resync(ResyncReason::Epoch);
        }
        if from < self.base {
            // The first who comes back from afar brings the events into the ring; the others find them there.
            let most = KEPT_EVENTS - self.kept.len().min(KEPT_EVENTS);
            let wanted = Wanted { after: from, upto: self.base, most };
            match self.sources.missed(&self.room, wanted).await {
                Ok(older) => self.prepend(from, older),
                Err(Missed::TooMany) => return resync(ResyncReason::TooOld),
                Err(missed) => {
                    tracing::warn!(room = %self.room.id, reason = %missed, "a resume could not be served");
                    return resync(ResyncReason::TooOld);
                }
            }
            if from < self.base {
                return resync(ResyncReason::TooOld);
            }
        }
        let missed = || self.kept.iter().filter(|k| k.at > from);
        if self.room.visibility != Visibility::Public {
            let mine = |k: &Kept| k.membership.filter(|(user, _)| connection.user() == Some(*user));
            if let Some((_, false)) = self.kept.iter().rev().find_map(mine) {
                // The store, which said yes, has not come so far yet.
                return connection.send_error(Some(self.room.id), "you are no longer a member of this room");
            }
        }
        connection.send_frame(&ServerFrame::Subscribed {
            room: self.room.id,
            at: self.head.max(from),
            recovered: since.is_some(),
        });
        let replay: Vec<Utf8Bytes> = missed().map(|k| k.frame.clone()).collect();
        if !replay.is_empty() && !connection.send(Outgoing::Replay(replay)) {
            return;
        }
        self.watchers.insert(connection.id(), connection);
    }

    /// Puts older events before those that are kept, as far as there is room.
    fn prepend(&mut self, after: Position, older: Vec<RingEvent>) {
        let mut prev = after;
        let mut kept = VecDeque::with_capacity(older.len() + self.kept.len());
        let mut bytes = 0;
        for event in older {
            let frame = self.frame(event.at, prev, &event.payload);
            bytes += frame.len();
            kept.push_back(Kept { at: event.at, frame, membership: membership(&event.payload) });
            prev = event.at;
        }
        if self.kept_bytes + bytes > KEPT_BYTES {
            return;
        }
        kept.append(&mut self.kept);
        self.kept = kept;
        self.kept_bytes += bytes;
        self.base = after;
    }
}

/// Whose membership an event changes. Looked for in the text first: nearly every event is a message.
fn membership(payload: &[u8]) -> Option<(UserId, bool)> {
    let text = std::str::from_utf8(payload).ok()?;
    if !text.contains(r#""kind":"member_"#) {
        return None;
    }
    match serde_json::from_str::<Event>(text).ok()? {
        Event::Known(KnownEvent::MemberJoined { user, .. }) => Some((user.id, true)),
        Event::Known(KnownEvent::MemberLeft { user, .. }) => Some((user.id, false)),
        _ => None,
    }
}
