//! The hub: step 4 of a message's way, from the fan-out to the sockets of this
//! node.
//!
//! It listens only to rooms that somebody here watches. Each watched room is a
//! task ([`room`]) that owns the room's ring on this node, finds holes by `prev`,
//! repairs them ([`backfill`]), and hands the same bytes to every watcher's
//! bounded queue ([`connection`]). Beside them one task ([`keep`]) sees to it that
//! nothing is missing where no later event tells: it compares heads ([`compare`]),
//! and while the fan-out is away, or nothing comes to it ([`standstill`]), it follows
//! the log itself ([`follow`]). And one tells and hears who is here ([`presence`]).

use crate::{
    fanout::{Fanout, Notice, Signal},
    log::Log,
    store::{RoomRow, Store},
};
use app::{
    model::{RoomId, SessionId, UserId},
    protocol::{ResyncReason, ServerFrame},
};
use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};
use tokio::sync::{Notify, mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

mod backfill;
mod batch;
mod compare;
pub mod connection;
mod connections;
mod ends;
mod follow;
mod keep;
mod kept;
mod presence;
mod room;
mod rooms;
mod standstill;

use connection::encode;
pub use connection::{Close, Connection};
use connections::Connections;
pub use room::Since;
use room::{Newcomer, RoomTask, ToRoom};
use rooms::{Rooms, Watched};

/// How many messages wait for a room's task. What comes then is a hole, and holes are repaired.
const ROOM_QUEUE: usize = 1024;
/// So many sockets of somebody are written to in one go.
const DEVICES: usize = 32;
/// A subscription that cannot be handed to its room within this is refused.
const SUBSCRIBE_DEADLINE: Duration = Duration::from_secs(5);

/// This node's live side.
pub struct Hub {
    sources: Arc<Sources>,
    rooms: Arc<Rooms>,
    connections: Arc<Connections>,
    gap: Arc<Notify>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// Where missed events are found.
pub(crate) struct Sources {
    pub(crate) log: Arc<dyn Log>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) fanout: Arc<dyn Fanout>,
    pub(crate) epoch: u32,
    ends: ends::Ends,
    presence: Arc<presence::Presence>,
    heard: OnceLock<Heard>,
}

type Heard = Box<dyn Fn(&Signal) + Send + Sync>;

impl Sources {
    /// Whoever else on this node follows what is heard.
    fn tell_node(&self, signal: &Signal) {
        if let Some(heard) = self.heard.get() {
            heard(signal);
        }
    }

    /// Whether the fan-out is of any use just now.
    fn hearing(&self) -> bool {
        *self.fanout.hearing().borrow()
    }
}

/// The room's task did not take the subscription in time.
#[derive(Debug, thiserror::Error)]
#[error("this node is too busy to subscribe just now")]
pub struct Busy;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hub {
    /// A hub that hears from `fanout` once [`Hub::run`] runs. `epoch`: the log's generation.
    pub fn new(log: Arc<dyn Log>, store: Arc<dyn Store>, fanout: Arc<dyn Fanout>, epoch: u32) -> Arc<Self> {
        Arc::new(Self {
            sources: Arc::new(Sources {
                log,
                store,
                fanout,
                epoch,
                ends: ends::Ends::default(),
                presence: presence::Presence::new(),
                heard: OnceLock::new(),
            }),
            rooms: Arc::default(),
            connections: Arc::default(),
            gap: Arc::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        })
    }

    /// Hands on what the fan-out brings, until [`Hub::stop`]. `heard` gets every signal first, and what else this node
    /// learns of members.
    pub async fn run(
        self: Arc<Self>,
        mut signals: mpsc::Receiver<Signal>,
        heard: impl Fn(&Signal) + Send + Sync + 'static,
    ) {
        let _ = self.sources.heard.set(Box::new(heard));
        let keeper = keep::Keeper {
            sources: self.sources.clone(),
            rooms: self.rooms.clone(),
            connections: self.connections.clone(),
            gap: self.gap.clone(),
        };
        // Apart, since what it asks may take its time while events must not wait.
        self.spawn_until_stop(keeper.run());
        self.spawn_until_stop(self.sources.presence.clone().run(self.sources.clone(), self.rooms.clone()));
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                signal = signals.recv() => {
                    let Some(signal) = signal else { return };
                    self.sources.tell_node(&signal);
                    match signal {
                        Signal::Event { room, event } => drop(self.rooms.hand(room, ToRoom::Event(event))),
                        Signal::Notice(notice) => self.notice(notice),
                        Signal::Gap => {
                            self.gap.notify_one();
                            self.sources.presence.ask_all();
                        }
                    }
                }
            }
        }
    }

    /// Runs `work`, a socket's, until it ends or the hub does.
    pub(crate) fn spawn_until_stop(&self, work: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        // In a box: what wraps it would hold room for it three times.
        let work = Box::pin(work);
        self.tasks.spawn(async move {
            stop.run_until_cancelled(work).await;
        });
    }

    fn notice(&self, notice: Notice) {
        match notice {
            Notice::SessionsEnded { sessions } => self.end_sessions(&sessions),
            Notice::Typing { room, user } => drop(self.rooms.hand(room, ToRoom::Typing(user))),
            Notice::MemberChanged { room, user, .. } => self.tell(user, &ServerFrame::Membership { room }),
            Notice::Read { room, user, at } => self.tell(user, &ServerFrame::Read { room, at }),
            Notice::Level { room, user, level } => self.tell(user, &ServerFrame::Level { room, level }),
            notice @ (Notice::Here { .. } | Notice::WhoIsHere { .. }) => self.sources.presence.heard(notice),
            // The event itself is on its way to whoever watches.
            Notice::RoomChanged { .. } | Notice::Unknown => {}
        }
    }

    /// All devices of somebody, what they may do without.
    fn tell(&self, user: UserId, frame: &ServerFrame) {
        let theirs = self.connections.of(user);
        let frame = if theirs.is_empty() { return } else { encode(frame) };
        if theirs.len() <= DEVICES {
            return theirs.iter().for_each(|connection| connection.send_if_idle(&frame));
        }
        // No person has so many: nobody else waits for a program that does.
        self.spawn_until_stop(async move {
            for some in theirs.chunks(DEVICES) {
                some.iter().for_each(|connection| connection.send_if_idle(&frame));
                tokio::task::yield_now().await;
            }
        });
    }

    fn end_sessions(&self, sessions: &[SessionId]) {
        for connection in self.connections.all() {
            if connection.session().is_some_and(|s| sessions.contains(&s)) {
                connection.close(Close::SessionEnded);
            }
        }
    }

    /// A new connection is known from here on, until [`Hub::disconnected`].
    pub fn connected(&self, connection: &Arc<Connection>) {
        self.connections.add(connection);
        metrics::gauge!("partyline_connections").increment(1);
    }

    /// A connection is gone.
    pub fn disconnected(&self, connection: &Arc<Connection>, rooms: impl IntoIterator<Item = RoomId>) {
        if self.connections.remove(connection) {
            metrics::gauge!("partyline_connections").decrement(1);
        }
        for room in rooms {
            self.unsubscribe(connection, room);
        }
    }

    /// Subscribes a connection whose right to read has been checked: as a `member`, or because anyone may. The answer goes
    /// into its queue. `since` a position
    /// that the log does not have: it was put back, and the client has to begin anew.
    ///
    /// # Errors
    /// [`Busy`] if the room's task does not take it in time.
    pub async fn subscribe(
        &self,
        connection: &Arc<Connection>,
        room: &RoomRow,
        member: bool,
        since: Since,
    ) -> Result<(), Busy> {
        let deadline = tokio::time::Instant::now() + SUBSCRIBE_DEADLINE;
        if let Some(since) = since.at
            && since.epoch == self.sources.epoch
            && self.sources.ends.are_before(&*self.sources.log, room.partition, since).await
        {
            connection.send_frame(&ServerFrame::Resync { room: room.id, reason: ResyncReason::Epoch });
            return Ok(());
        }
        let subscribe = || {
            let newcomer = Newcomer { connection: connection.clone(), since, member, room: room.clone() };
            ToRoom::Subscribe(Box::new(newcomer))
        };
        let mut message = subscribe();
        loop {
            let queue = self.room(room);
            match tokio::time::timeout_at(deadline, queue.reserve()).await {
                Ok(Ok(place)) => {
                    place.send(message);
                    return Ok(());
                }
                // The task ended between the look-up and the sending: its place in the table is free now.
                Ok(Err(_)) => self.rooms.forget(room.id),
                Err(_) => return Err(Busy),
            }
            message = subscribe();
        }
    }

    /// Ends a subscription.
    pub fn unsubscribe(&self, connection: &Arc<Connection>, room: RoomId) {
        self.rooms.hand(room, ToRoom::Unsubscribe(connection.id()));
    }

    fn room(&self, room: &RoomRow) -> mpsc::Sender<ToRoom> {
        let mut rooms = self.rooms.lock();
        if let Some(watched) = rooms.get(&room.id) {
            return watched.queue.clone();
        }
        let (queue, inbox) = mpsc::channel(ROOM_QUEUE);
        let task = RoomTask::new(room.clone(), self.sources.clone(), inbox);
        let (stop, rooms_left, id) = (self.stop.clone(), self.rooms.clone(), room.id);
        self.tasks.spawn(async move {
            tokio::select! {
                () = task.run() => {}
                () = stop.cancelled() => {}
            }
            rooms_left.forget(id);
        });
        rooms.insert(room.id, Watched::new(room.partition, queue.clone()));
        metrics::gauge!("partyline_rooms_watched").set(rooms.len() as f64);
        queue
    }

    /// How many connections there are.
    pub fn connections(&self) -> usize {
        self.connections.count()
    }

    /// Asks every client to come back elsewhere, spread over `over`, then closes what is left.
    pub async fn drain(&self, over: Duration) {
        let all = self.connections.all();
        let over_ms = u64::try_from(over.as_millis()).unwrap_or(u64::MAX).max(1);
        for connection in &all {
            connection.ask_to_reconnect(rand::random_range(0..over_ms));
        }
        let deadline = tokio::time::Instant::now() + over;
        while self.connections() > 0 && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        for connection in self.connections.all() {
            connection.close(Close::GoingAway);
        }
    }

    /// Ends every room's task and waits for them.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}
