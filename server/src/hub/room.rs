//! One watched room on this node: a task that owns its ring and its watchers.

use super::{
    Sources,
    backfill::{Latest, Wanted},
    batch::{Batch, Passing},
    connection::{Connection, encode},
    kept::{Kept, Membership, blank_gone},
    presence::Here,
};
use crate::{
    fanout::{Ring, RingEvent},
    store::RoomRow,
    websocket::Frame,
};
use app::{
    model::{MAX_UNREAD, MessageId, Position, Visibility},
    protocol::{ResyncReason, ServerFrame},
};
use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::mpsc, time::Instant};

/// Most events that a room keeps on a node, and most that a resume brings: who missed more reads the history again.
pub const KEPT_EVENTS: usize = 1024;
/// The same for who only counts them, who may do so in hundreds of rooms: nobody counts further.
const COUNTED_EVENTS: usize = MAX_UNREAD as usize;
/// Most bytes of frames that a room keeps; less than a client's queue holds, so that a replay always fits an empty one.
const KEPT_BYTES: usize = 768 * 1024;
/// Who only counts what is new hears of it at once where it was quiet, and no more often than this: most sockets are in
/// many rooms and show one of them.
const COUNTED_EVERY: Duration = Duration::from_secs(1);
/// A room in which much happens is written to no more often than this, times its watchers, so that a write has more than
/// one event: what a write costs is hardly what is in it. What comes after a rest does not wait.
const PACE_A_SOCKET: Duration = Duration::from_micros(100);
/// Nobody sees more than this.
const PACE_MOST: Duration = Duration::from_millis(10);
/// What a frame has besides its payload, about.
const FRAME_BYTES: usize = 150;
/// A room that nobody watches is forgotten after this: a reload comes back to a warm room.
const LINGER: Duration = Duration::from_secs(30);
/// After looking in vain for what somebody missed, others are told so without looking: live delivery must not wait for
/// those who come from afar.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// From where on somebody wants to hear of a room.
#[derive(Clone, Copy, Debug)]
pub struct Since {
    /// Everything up to here is known; `None`: from the head on.
    pub at: Option<Position>,
    /// They only count what is new.
    pub counting: bool,
}

impl Since {
    /// How many events of the past are worth reading for it.
    fn most(self) -> usize {
        match self {
            Self { at: None, .. } => 0,
            Self { counting: true, .. } => COUNTED_EVENTS,
            Self { counting: false, .. } => KEPT_EVENTS,
        }
    }
}

/// What a room's task is told.
pub enum ToRoom {
    /// Somebody who may read watches.
    Subscribe(Box<Newcomer>),
    /// The connection watches no more.
    Unsubscribe(u64),
    /// From the fan-out.
    Event(RingEvent),
    /// The room has no later event than this one that could be missing; it has one there, or none.
    Head(Position),
    /// Somebody types.
    Typing(String),
    /// Who is here has changed: ready frames.
    Present(Vec<Frame>),
}

/// Somebody who may read and wants to watch.
pub struct Newcomer {
    /// Who.
    pub connection: Arc<Connection>,
    /// From where on.
    pub since: Since,
    /// Whether they are a member, or may read because anyone may.
    pub member: bool,
    /// The room, as whoever checked that knows it.
    pub room: RoomRow,
}

struct Watcher {
    connection: Arc<Connection>,
    /// What it knew when it came: later than what this node has just after a restart. It hears nothing twice.
    knows: Position,
    /// A member; others stay only as long as the room is public.
    member: bool,
    /// Only what is unread matters to it, not who else is here.
    counting: bool,
    _here: Here,
}

impl Watcher {
    /// A visitor is not: to be seen by people is one thing, by anybody another.
    fn is_shown_who_is_here(&self) -> bool {
        !self.counting && self.connection.user().is_some()
    }
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
    /// The last of the kept, which nobody has been sent yet: they go out in one write a socket.
    unsent: Batch,
    /// What those who only count have not been sent yet …
    uncounted: Batch,
    /// … and when they were sent something last.
    counted: Option<Instant>,
    /// When those who read along were sent something last.
    written: Option<Instant>,
    passing: Passing,
    /// The messages that kept events post: a retry that got into the log a second time is dropped.
    posted: HashSet<MessageId>,
    base: Position,
    /// Nothing older fits, or there is nothing older.
    reached_back: bool,
    /// `None`: not found yet.
    head: Option<Position>,
    /// The last event that was sent: `head` may be later, where the log has something that came to nothing.
    sent: Position,
    look_again: Option<Instant>,
    /// The room is to be known up to here; told before its head was found.
    told: Option<Position>,
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
            unsent: Batch::default(),
            uncounted: Batch::default(),
            counted: None,
            written: None,
            passing: Passing::default(),
            posted: HashSet::new(),
            base: Position::START,
            reached_back: false,
            head: None,
            sent: Position::START,
            look_again: None,
            told: None,
        }
    }

    /// Runs until nobody has watched for [`LINGER`].
    pub async fn run(mut self) {
        // Watch first, look then: what is published in between comes twice rather than never.
        let mut hearing = self.sources.fanout.hearing();
        tokio::select! {
            biased;
            watched = self.sources.fanout.watch(self.room.id) => if let Err(e) = watched {
                tracing::debug!(error = %e, "a room is not heard of until the fan-out is back");
            },
            // The wish is noted; until it comes true the log is followed.
            _ = hearing.wait_for(|hearing| !hearing) => {}
        }
        let mut idle_since: Option<Instant> = None;
        loop {
            idle_since = self.watchers.is_empty().then(|| idle_since.unwrap_or_else(Instant::now));
            let idle_until = idle_since.map(|since| since + LINGER);
            // A message that is there would come before a deadline that has passed.
            if idle_until.is_some_and(|until| Instant::now() >= until) {
                break;
            }
            let until = [idle_until, self.unsent_at(), self.uncounted_at()].into_iter().flatten().min();
            let message = match until {
                Some(until) => tokio::time::timeout_at(until, self.inbox.recv()).await,
                None => Ok(self.inbox.recv().await),
            };
            match message {
                Ok(Some(message)) => self.handle(message).await,
                Ok(None) => break,
                Err(_) => {}
            }
            for _ in 1..Batch::MAX_EVENTS {
                let Ok(message) = self.inbox.try_recv() else { break };
                self.handle(message).await;
            }
            if self.unsent_at().is_some_and(|at| Instant::now() >= at) {
                self.send_unsent().await;
            }
            self.send_passing().await;
            if self.uncounted_at().is_some_and(|at| Instant::now() >= at) {
                self.send_uncounted().await;
            }
        }
        // In this order: a new task of the room can only come after the closing, and its watching must stand.
        self.sources.fanout.unwatch(self.room.id).await;
        self.inbox.close();
        // Who came just before the door was closed starts over, with a new task.
        while let Some(message) = self.inbox.recv().await {
            if let ToRoom::Subscribe(newcomer) = message {
                self.resync(&newcomer.connection, ResyncReason::TooOld);
            }
        }
    }

    async fn handle(&mut self, message: ToRoom) {
        if !matches!(message, ToRoom::Event(_) | ToRoom::Typing(_) | ToRoom::Present(_)) {
            // In the order in which it came.
            self.send_unsent().await;
            self.send_passing().await;
        }
        match message {
            // What is rare is apart: a room at rest need not hold what it takes.
            ToRoom::Subscribe(newcomer) => Box::pin(self.subscribe(*newcomer)).await,
            ToRoom::Unsubscribe(id) => drop(self.watchers.remove(&id)),
            ToRoom::Event(event) => self.event(event).await,
            ToRoom::Head(top) => {
                // Whose end was not told, for the queue was full.
                self.watchers.retain(|_, w| !w.connection.is_over());
                match self.head {
                    Some(head) if top > head => Box::pin(self.repair(head, top)).await,
                    Some(_) => {}
                    None => self.told = self.told.max(Some(top)),
                }
            }
            ToRoom::Typing(user) => {
                self.passing.typing(encode(&ServerFrame::Typing { room: self.room.id, user }));
            }
            ToRoom::Present(frames) => self.passing.present(frames),
        }
    }

    /// Where live begins: the ring's top, or where the store has come to. `None`: neither can be asked. `since`: somebody
    /// wants to know what was before that, too.
    async fn find_head(&mut self, since: Since) -> Option<Position> {
        if self.head.is_some() {
            return self.head;
        }
        // What was before this log is the store's to tell: a ring may have what was lost with the log before.
        let before = Position::before(self.sources.epoch);
        let ring = if self.sources.hearing() {
            self.sources.fanout.ring(self.room.id, before).await.unwrap_or_default()
        } else {
            Ring::default()
        };
        if let Some(top) = ring.top.filter(|top| *top > before) {
            // Of an unbroken run at the ring's end, everything is known but what was before its first.
            let first_known = ring.events.iter().rposition(|e| e.prev.is_none()).map_or(0, |i| i + 1);
            let mut run = ring.events[first_known.min(ring.events.len())..].to_vec();
            blank_gone(&mut run, self.kept.iter());
            self.begin_at(run.first().and_then(|e| e.prev).unwrap_or(top).max(before));
            for event in &run {
                self.accept(event).await;
            }
            self.head = self.head.max(Some(top));
        } else {
            // One question for both: where the room is, and what those who come back have missed.
            let most = since.most();
            match self.sources.stored_latest(&self.room, None, most).await {
                Ok(Latest { mut events, base, upto }) => {
                    blank_gone(&mut events, self.kept.iter());
                    let upto = upto.max(before);
                    self.begin_at(if most == 0 { upto } else { base });
                    for event in &events {
                        self.accept(event).await;
                    }
                    self.head = self.head.max(Some(upto));
                    self.reached_back = most == KEPT_EVENTS;
                }
                Err(e) => tracing::warn!(error = %e, "a room's head is not known"),
            }
        }
        if let Some(head) = self.head
            && let Some(told) = self.told.take()
            && told > head
        {
            self.repair(head, told).await;
        }
        self.send_unsent().await;
        self.head
    }

    fn begin_at(&mut self, at: Position) {
        (self.base, self.head, self.sent) = (at, Some(at), at);
        self.kept.clear();
        self.kept_bytes = 0;
        self.posted.clear();
        self.reached_back = false;
    }

    async fn event(&mut self, event: RingEvent) {
        // Nobody watches yet, else it would be known.
        let Some(head) = self.head else {
            self.told = self.told.max(Some(event.at));
            return;
        };
        if event.at <= head {
            return;
        }
        let fits = event.prev.is_some_and(|prev| prev <= head);
        #[cfg(feature = "sabotage")]
        let fits = fits || crate::sabotage::breaks(crate::sabotage::Promise::NoPrevCheck);
        if fits {
            self.hear(&event).await;
        } else {
            metrics::counter!("partyline_holes_total").increment(1);
            Box::pin(self.repair(head, event.at)).await;
        }
    }

    /// Brings everything in `(head, target]`, or tells the watchers that it cannot be had.
    async fn repair(&mut self, head: Position, target: Position) {
        // What came before the hole does not wait for what is in it.
        self.send_unsent().await;
        let wanted = Wanted { after: head, upto: target, most: KEPT_EVENTS };
        match self.sources.missed(&self.room, wanted).await {
            Ok(mut events) => {
                blank_gone(&mut events, self.kept.iter());
                for event in &events {
                    self.hear(event).await;
                }
                self.head = self.head.max(Some(target));
            }
            Err(missed) => {
                tracing::warn!(room = %self.room.id, reason = %missed, "a hole could not be repaired");
                self.send_unsent().await;
                self.send_uncounted().await;
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

    /// Something new happened. Whoever on this node remembers members and rooms hears of it, whether it was told otherwise or not.
    async fn hear(&mut self, event: &RingEvent) {
        self.accept(event).await;
        let Some(Kept { at, membership, change, .. }) = self.kept.back().filter(|kept| kept.at == event.at) else {
            return;
        };
        if let Some(changed) = membership {
            self.sources.member_changed(self.room.id, *changed, *at);
        }
        if let Some(change) = change {
            self.sources.room_changed(self.room.id, change, *at);
        }
    }

    /// The next event of the room: keep it, and send it with those that come with it.
    async fn accept(&mut self, event: &RingEvent) {
        if self.head.is_some_and(|head| event.at <= head) {
            return;
        }
        let kept = Kept::new(self.room.id, event.at, self.sent, &event.payload);
        if kept.posts.is_some_and(|id| !self.posted.insert(id)) {
            // The first in the log stands.
            self.head = Some(event.at);
            return;
        }
        (self.head, self.sent) = (Some(event.at), event.at);
        self.unsent.push(kept.at, kept.frame.clone());
        if self.unsent.is_full() {
            self.send_unsent().await;
        }
        if let Some(Membership { user, role, .. }) = kept.membership {
            let theirs = |w: &&mut Watcher| w.connection.user() == Some(user);
            self.watchers.values_mut().filter(theirs).for_each(|w| w.member = role.is_some());
        }
        if let Some(change) = &kept.change
            && kept.at > self.room.changed
        {
            self.room.change(change, kept.at);
        }
        if kept.membership.is_some() || kept.change.is_some() {
            self.send_unsent().await;
            self.send_uncounted().await;
            self.turn_out();
        }
        if let Some(deleted) = kept.deletes {
            // What is gone does not come back for who resumes.
            let freed: usize = self.kept.iter_mut().map(|k| k.blank(deleted)).sum();
            self.kept_bytes -= freed;
        }
        if let Some(up_to) = kept.expires {
            let freed: usize = self.kept.iter_mut().map(|k| k.blank_up_to(up_to)).sum();
            self.kept_bytes -= freed;
        }
        self.kept_bytes += kept.frame.size();
        self.kept.push_back(kept);
        while self.kept.len() > KEPT_EVENTS || self.kept_bytes > KEPT_BYTES {
            let Some(oldest) = self.kept.pop_front() else { break };
            self.kept_bytes -= oldest.frame.size();
            self.base = oldest.at;
            self.reached_back = true;
            if let Some(id) = oldest.posts {
                self.posted.remove(&id);
            }
        }
    }

    /// To everybody who watches, in one write each.
    async fn send_unsent(&mut self) {
        if self.unsent.is_empty() {
            return;
        }
        let batch = std::mem::take(&mut self.unsent);
        if self.watchers.values().any(|w| w.counting) {
            if !self.uncounted.has_room_for(&batch) {
                self.send_uncounted().await;
            }
            self.uncounted.add(&batch);
        }
        self.written = Some(Instant::now());
        self.send(batch, false).await;
        if self.uncounted.is_full() {
            self.send_uncounted().await;
        }
    }

    /// When what is unsent goes out, if anything is.
    fn unsent_at(&self) -> Option<Instant> {
        let watchers = u32::try_from(self.watchers.len()).unwrap_or(u32::MAX);
        let pace = PACE_A_SOCKET.saturating_mul(watchers).min(PACE_MOST);
        due(&self.unsent, self.written, pace)
    }

    /// When those who only count are sent what they have not been, if there is anything.
    fn uncounted_at(&self) -> Option<Instant> {
        due(&self.uncounted, self.counted, COUNTED_EVERY)
    }

    async fn send_passing(&mut self) {
        let readers = self.watchers.values().filter(|w| !w.counting);
        std::mem::take(&mut self.passing).send(readers.map(|w| (&w.connection, w.is_shown_who_is_here()))).await;
    }

    async fn send_uncounted(&mut self) {
        let batch = std::mem::take(&mut self.uncounted);
        if !batch.is_empty() {
            self.counted = Some(Instant::now());
            self.send(batch, true).await;
        }
    }

    async fn send(&mut self, batch: Batch, counting: bool) {
        let to = self.watchers.iter().filter(|(_, w)| w.counting == counting);
        for gone in batch.send(to.map(|(id, w)| (*id, &w.connection, w.knows)).collect()).await {
            self.watchers.remove(&gone);
        }
    }

    /// Nothing later reaches those who may no longer read.
    fn turn_out(&mut self) {
        let (room, public) = (self.room.id, self.room.visibility == Visibility::Public);
        self.watchers.retain(|_, w| {
            let stays = public || w.member;
            if !stays {
                w.connection.send_error(Some(room), NO_MEMBER);
            }
            stays
        });
    }

    async fn subscribe(&mut self, Newcomer { connection, since, member, room }: Newcomer) {
        if room.changed > self.room.changed {
            self.room = room;
        }
        if connection.is_over() {
            return;
        }
        let Some(head) = self.find_head(since).await else {
            return connection.send_error(Some(self.room.id), "this room cannot be watched just now");
        };
        let from = since.at.unwrap_or(head);
        if ![Position::START, Position::before(self.sources.epoch)].contains(&from) && from.epoch != self.sources.epoch
        {
            return self.resync(&connection, ResyncReason::Epoch);
        }
        if from < self.base && !since.counting {
            self.reach_back().await;
        }
        if from < self.base {
            return self.resync(&connection, ResyncReason::TooOld);
        }
        // Whoever said that they may read may not have come so far yet.
        let mine = |k: &Kept| k.membership.filter(|m| connection.user() == Some(m.user));
        let member = self.kept.iter().rev().find_map(mine).map_or(member, |m| m.role.is_some());
        if !member && self.room.visibility != Visibility::Public {
            return connection.send_error(Some(self.room.id), NO_MEMBER);
        }
        connection.send_frame(&ServerFrame::Subscribed {
            room: self.room.id,
            at: head.max(from),
            recovered: since.at.is_some(),
        });
        let replay: Vec<Frame> = self.kept.iter().filter(|k| k.at > from).map(|k| k.frame.clone()).collect();
        if !replay.is_empty() && !connection.replay(&replay) {
            return;
        }
        let here = self.sources.presence.came(self.room.id, connection.username().cloned());
        // Of what those who count have not been sent yet, this one has been now.
        let watcher = Watcher { connection, knows: head.max(from), member, counting: since.counting, _here: here };
        if watcher.is_shown_who_is_here()
            && let Some(present) = self.sources.presence.shown(self.room.id)
        {
            watcher.connection.send_if_idle(&present);
        }
        self.watchers.insert(watcher.connection.id(), watcher);
    }

    /// Keeps as much as it may of what was before, once: the first who comes back from there brings it, the others find
    /// it.
    async fn reach_back(&mut self) {
        let most = KEPT_EVENTS.saturating_sub(self.kept.len());
        if most == 0 || self.reached_back || self.look_again.is_some_and(|at| Instant::now() < at) {
            return;
        }
        match self.sources.latest_before(&self.room, self.base, most).await {
            Ok(latest) => {
                self.prepend(latest);
                self.reached_back = true;
            }
            Err(missed) => {
                tracing::debug!(room = %self.room.id, reason = %missed, "resumes could not be served");
                self.look_again = Some(Instant::now() + LOOK_AGAIN);
            }
        }
    }

    /// Puts older events before those that are kept, the newest of them that there is room for.
    fn prepend(&mut self, older: Latest) {
        let Latest { mut events, mut base, .. } = older;
        blank_gone(&mut events, self.kept.iter());
        let mut bytes: usize = events.iter().map(|e| e.payload.len() + FRAME_BYTES).sum();
        let mut from = 0;
        while self.kept_bytes + bytes > KEPT_BYTES && from < events.len() {
            bytes -= events[from].payload.len() + FRAME_BYTES;
            base = events[from].at;
            from += 1;
        }
        let mut prev = base;
        let mut kept = VecDeque::with_capacity(events.len() - from + self.kept.len());
        for event in &events[from..] {
            let older = Kept::new(self.room.id, event.at, prev, &event.payload);
            if older.posts.is_none_or(|id| self.posted.insert(id)) {
                prev = event.at;
                self.kept_bytes += older.frame.size();
                kept.push_back(older);
            }
        }
        kept.append(&mut self.kept);
        self.kept = kept;
        self.base = base;
    }
}

const NO_MEMBER: &str = "only members of this room may read it, and you are none now";

/// When a batch goes out, `pace` after the one before it; `None`: there is nothing in it.
fn due(batch: &Batch, before: Option<Instant>, pace: Duration) -> Option<Instant> {
    (!batch.is_empty()).then(|| before.map_or_else(Instant::now, |before| before + pace))
}
