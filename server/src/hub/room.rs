//! One watched room on this node: a task that owns its ring and its watchers.

use super::{
    Sources,
    backfill::Wanted,
    connection::{Connection, Outgoing, encode},
    kept::{Kept, blank_deleted},
};
use crate::{fanout::RingEvent, store::RoomRow};
use app::{
    model::{Position, Visibility},
    protocol::{ResyncReason, ServerFrame},
};
use axum::extract::ws::Utf8Bytes;
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::mpsc, time::Instant};

/// Most events that a room keeps on a node, and most that a resume brings: who missed more reads the history again.
pub const KEPT_EVENTS: usize = 1024;
/// Most bytes of frames that a room keeps; less than a client's queue holds, so that a replay always fits an empty one.
const KEPT_BYTES: usize = 768 * 1024;
/// A room that nobody watches is forgotten after this: a reload comes back to a warm room.
const LINGER: Duration = Duration::from_secs(30);
/// After looking in vain for what somebody missed, others who missed as much are told so without looking: live delivery
/// must not wait for those who come from afar.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

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

struct Watcher {
    connection: Arc<Connection>,
    /// What it knew when it came: later than what this node has just after a restart. It hears nothing twice.
    knows: Position,
}

/// The task's state.
pub struct RoomTask {
    room: RoomRow,
    sources: Arc<Sources>,
    inbox: mpsc::Receiver<ToRoom>,
    watchers: HashMap<u64, Watcher>,
    /// Every event of the room in `(base, head]`.
    kept: VecDeque<Kept>,
    kept_bytes: usize,
    base: Position,
    /// `None`: not found yet.
    head: Option<Position>,
    /// The last event that was sent: `head` may be later, where the log has something that came to nothing.
    sent: Position,
    look_again: Option<Instant>,
}

impl RoomTask {
    /// A task that is not running yet.
    pub fn new(room: RoomRow, sources: Arc<Sources>, inbox: mpsc::Receiver<ToRoom>) -> Self {
        Self {
            room,
            sources,
            inbox,
            watchers: HashMap::new(),
            kept: VecDeque::new(),
            kept_bytes: 0,
            base: Position::START,
            head: None,
            sent: Position::START,
            look_again: None,
        }
    }

    /// Runs until nobody has watched for [`LINGER`].
    pub async fn run(mut self) {
        // Watch first, look then: what is published in between comes twice rather than never.
        if let Err(e) = self.sources.fanout.watch(self.room.id).await {
            tracing::warn!(error = %e, "a room is not heard of live until the fan-out is back");
        }
        let mut idle_since: Option<Instant> = None;
        loop {
            let message = if self.watchers.is_empty() {
                let until = *idle_since.get_or_insert_with(Instant::now) + LINGER;
                if Instant::now() >= until {
                    break;
                }
                match tokio::time::timeout_at(until, self.inbox.recv()).await {
                    Ok(message) => message,
                    Err(_) => break,
                }
            } else {
                idle_since = None;
                self.inbox.recv().await
            };
            match message {
                Some(message) => self.handle(message).await,
                None => break,
            }
        }
        // In this order: a new task of the room can only come after the closing, and its watching must stand.
        self.sources.fanout.unwatch(self.room.id).await;
        self.inbox.close();
        // Who came just before the door was closed starts over, with a new task.
        while let Some(message) = self.inbox.recv().await {
            if let ToRoom::Subscribe { connection, .. } = message {
                self.resync(&connection, ResyncReason::TooOld);
            }
        }
    }

    async fn handle(&mut self, message: ToRoom) {
        match message {
            ToRoom::Subscribe { connection, since } => self.subscribe(connection, since).await,
            ToRoom::Unsubscribe(id) => drop(self.watchers.remove(&id)),
            ToRoom::Event(event) => self.event(event).await,
            ToRoom::Head(top) => {
                // Whose end was not told, for the queue was full.
                self.watchers.retain(|_, w| !w.connection.is_over());
                if let Some(head) = self.head
                    && top > head
                {
                    self.repair(head, top).await;
                }
            }
            ToRoom::Typing(user) => {
                let frame = encode(&ServerFrame::Typing { room: self.room.id, user });
                self.watchers.values().for_each(|w| w.connection.send_if_idle(frame.clone()));
            }
        }
    }

    /// Where live begins: the ring's top, or the room's last event in the store. `None`: neither can be asked.
    async fn find_head(&mut self) -> Option<Position> {
        if self.head.is_some() {
            return self.head;
        }
        let ring = self.sources.fanout.ring(self.room.id, Position::START).await.unwrap_or_default();
        if let Some(top) = ring.top {
            // Of an unbroken run at the ring's end, everything is known but what was before its first.
            let first_known = ring.events.iter().rposition(|e| e.prev.is_none()).map_or(0, |i| i + 1);
            let mut run = ring.events[first_known.min(ring.events.len())..].to_vec();
            blank_deleted(&mut run, self.kept.iter());
            self.begin_at(run.first().and_then(|e| e.prev).unwrap_or(top));
            run.iter().for_each(|e| self.accept(e));
            self.head = self.head.max(Some(top));
        } else {
            match self.sources.store.head(&self.room).await {
                Ok(at) => self.begin_at(at),
                Err(e) => tracing::warn!(error = %e, "a room's head is not known"),
            }
        }
        self.head
    }

    fn begin_at(&mut self, at: Position) {
        (self.base, self.head, self.sent) = (at, Some(at), at);
        self.kept.clear();
        self.kept_bytes = 0;
    }

    async fn event(&mut self, event: RingEvent) {
        // Nobody watches yet, else it would be known.
        let Some(head) = self.head else { return };
        if event.at <= head {
            return;
        }
        if event.prev.is_some_and(|prev| prev <= head) {
            self.accept(&event);
        } else {
            metrics::counter!("partyline_holes_total").increment(1);
            self.repair(head, event.at).await;
        }
    }

    /// Brings everything in `(head, target]`, or tells the watchers that it cannot be had.
    async fn repair(&mut self, head: Position, target: Position) {
        let wanted = Wanted { after: head, upto: target, most: KEPT_EVENTS };
        match self.sources.missed(&self.room, wanted).await {
            Ok(mut events) => {
                blank_deleted(&mut events, self.kept.iter());
                events.iter().for_each(|e| self.accept(e));
                self.head = self.head.max(Some(target));
            }
            Err(missed) => {
                tracing::warn!(room = %self.room.id, reason = %missed, "a hole could not be repaired");
                self.begin_at(target);
                // They subscribe again when they have read the history.
                for (_, watcher) in std::mem::take(&mut self.watchers) {
                    self.resync(&watcher.connection, ResyncReason::TooOld);
                }
            }
        }
    }

    fn resync(&self, connection: &Connection, reason: ResyncReason) {
        connection.send_frame(&ServerFrame::Resync { room: self.room.id, reason });
    }

    /// The next event of the room: keep it, send it.
    fn accept(&mut self, event: &RingEvent) {
        if self.head.is_some_and(|head| event.at <= head) {
            return;
        }
        let kept = Kept::new(self.room.id, event.at, self.sent, &event.payload);
        (self.head, self.sent) = (Some(event.at), event.at);
        metrics::counter!("partyline_deliveries_total").increment(self.watchers.len() as u64);
        self.watchers.retain(|_, w| event.at <= w.knows || w.connection.send(Outgoing::Frame(kept.frame.clone())));
        if let Some((user, false)) = kept.membership
            && self.room.visibility != Visibility::Public
        {
            // Nothing later than the removal reaches them.
            self.watchers.retain(|_, w| {
                let stays = w.connection.user() != Some(user);
                if !stays {
                    w.connection.send_error(Some(self.room.id), NO_MEMBER);
                }
                stays
            });
        }
        if let Some(deleted) = kept.deletes {
            // What is gone does not come back for who resumes.
            let freed: usize = self.kept.iter_mut().map(|k| k.blank(deleted)).sum();
            self.kept_bytes -= freed;
        }
        self.kept_bytes += kept.frame.len();
        self.kept.push_back(kept);
        while self.kept.len() > KEPT_EVENTS || self.kept_bytes > KEPT_BYTES {
            let Some(oldest) = self.kept.pop_front() else { break };
            self.kept_bytes -= oldest.frame.len();
            self.base = oldest.at;
        }
    }

    async fn subscribe(&mut self, connection: Arc<Connection>, since: Option<Position>) {
        let Some(head) = self.find_head().await else {
            return connection.send_error(Some(self.room.id), "this room cannot be watched just now");
        };
        let from = since.unwrap_or(head);
        if from != Position::START && from.epoch != self.sources.epoch {
            return self.resync(&connection, ResyncReason::Epoch);
        }
        if from < self.base && !self.reach_back(from).await {
            return self.resync(&connection, ResyncReason::TooOld);
        }
        if self.room.visibility != Visibility::Public {
            let mine = |k: &Kept| k.membership.filter(|(user, _)| connection.user() == Some(*user));
            if let Some((_, false)) = self.kept.iter().rev().find_map(mine) {
                // The store, which said yes, has not come so far yet.
                return connection.send_error(Some(self.room.id), NO_MEMBER);
            }
        }
        connection.send_frame(&ServerFrame::Subscribed {
            room: self.room.id,
            at: head.max(from),
            recovered: since.is_some(),
        });
        let replay: Vec<Utf8Bytes> = self.kept.iter().filter(|k| k.at > from).map(|k| k.frame.clone()).collect();
        if !replay.is_empty() && !connection.send(Outgoing::Replay(replay)) {
            return;
        }
        self.watchers.insert(connection.id(), Watcher { connection, knows: from });
    }

    /// Keeps what comes after `from` too: the first who comes back from there brings it, the others find it. Whether
    /// it can.
    async fn reach_back(&mut self, from: Position) -> bool {
        if self.look_again.is_some_and(|at| Instant::now() < at) {
            return false;
        }
        let most = KEPT_EVENTS.saturating_sub(self.kept.len());
        let wanted = Wanted { after: from, upto: self.base, most };
        let reached = match self.sources.missed(&self.room, wanted).await {
            Ok(older) => self.prepend(from, older),
            Err(missed) => {
                tracing::debug!(room = %self.room.id, reason = %missed, "a resume could not be served");
                false
            }
        };
        self.look_again = (!reached).then(|| Instant::now() + LOOK_AGAIN);
        reached
    }

    /// Puts older events before those that are kept, if there is room.
    fn prepend(&mut self, after: Position, mut older: Vec<RingEvent>) -> bool {
        blank_deleted(&mut older, self.kept.iter());
        let mut prev = after;
        let mut kept = VecDeque::with_capacity(older.len() + self.kept.len());
        for event in older {
            kept.push_back(Kept::new(self.room.id, event.at, prev, &event.payload));
            prev = event.at;
        }
        let bytes: usize = kept.iter().map(|k| k.frame.len()).sum();
        if self.kept_bytes + bytes > KEPT_BYTES {
            return false;
        }
        kept.append(&mut self.kept);
        self.kept = kept;
        self.kept_bytes += bytes;
        self.base = after;
        true
    }
}

const NO_MEMBER: &str = "you are no longer a member of this room";
