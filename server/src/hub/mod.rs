//! The hub: step 4 of a message's way, from the fan-out to the sockets of this
//! node.
//!
//! It listens only to rooms that somebody here watches. Each watched room is a
//! task ([`room`]) that owns the room's ring on this node, finds holes by `prev`,
//! repairs them ([`backfill`]), and hands the same bytes to every watcher's
//! bounded queue ([`connection`]).

use crate::{
    fanout::{Fanout, Notice, Signal},
    log::Log,
    store::{RoomRow, Store},
};
use app::model::{Position, RoomId, SessionId};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

mod backfill;
pub mod connection;
mod kept;
mod room;

pub use connection::{Close, Connection, Outgoing};
use room::{RoomTask, ToRoom};

/// How many messages wait for a room's task. What comes then is a hole, and holes are repaired.
const ROOM_QUEUE: usize = 1024;
/// How often the rings' tops are compared with what this node has: a lost last message of a quiet room is found so.
const COMPARE_HEADS_EVERY: Duration = Duration::from_secs(5);
/// How many rooms are asked for in one go.
const HEADS_AT_ONCE: usize = 512;
/// A subscription that cannot be handed to its room within this is refused.
const SUBSCRIBE_DEADLINE: Duration = Duration::from_secs(5);

/// This node's live side.
pub struct Hub {
    sources: Arc<Sources>,
    rooms: Arc<Mutex<HashMap<RoomId, mpsc::Sender<ToRoom>>>>,
    connections: Mutex<HashMap<u64, Arc<Connection>>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// Where missed events are found.
pub(crate) struct Sources {
    pub(crate) log: Arc<dyn Log>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) fanout: Arc<dyn Fanout>,
    pub(crate) epoch: u32,
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
            sources: Arc::new(Sources { log, store, fanout, epoch }),
            rooms: Arc::default(),
            connections: Mutex::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        })
    }

    /// Hands on what the fan-out brings, until [`Hub::stop`]. `heard` gets every signal first.
    pub async fn run(self: Arc<Self>, mut signals: mpsc::Receiver<Signal>, heard: impl Fn(&Signal) + Send) {
        let mut compare = tokio::time::interval(COMPARE_HEADS_EVERY);
        compare.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                signal = signals.recv() => {
                    let Some(signal) = signal else { return };
                    heard(&signal);
                    match signal {
                        Signal::Event { room, event } => self.to_room(room, ToRoom::Event(event)),
                        Signal::Notice(notice) => self.notice(notice),
                        Signal::Gap => self.compare_heads().await,
                    }
                }
                _ = compare.tick() => self.compare_heads().await,
            }
        }
    }

    fn notice(&self, notice: Notice) {
        match notice {
            Notice::SessionsEnded { sessions } => self.end_sessions(&sessions),
            Notice::Typing { room, user } => self.to_room(room, ToRoom::Typing(user)),
            Notice::MemberChanged { .. } | Notice::Unknown => {}
        }
    }

    fn end_sessions(&self, sessions: &[SessionId]) {
        for connection in lock(&self.connections).values() {
            if connection.session().is_some_and(|s| sessions.contains(&s)) {
                connection.close(Close::SessionEnded);
            }
        }
    }

    fn to_room(&self, room: RoomId, message: ToRoom) {
        if let Some(queue) = lock(&self.rooms).get(&room)
            && queue.try_send(message).is_err()
        {
            metrics::counter!("partyline_room_queue_overflows_total").increment(1);
        }
    }

    async fn compare_heads(&self) {
        let rooms: Vec<RoomId> = lock(&self.rooms).keys().copied().collect();
        for some in rooms.chunks(HEADS_AT_ONCE) {
            match self.sources.fanout.heads(some).await {
                Ok(heads) => {
                    for (room, head) in some.iter().zip(heads) {
                        if let Some(head) = head {
                            self.to_room(*room, ToRoom::Head(head));
                        }
                    }
                }
                Err(e) => {
                    tracing::debug!(error = %e, "the rooms' heads could not be compared");
                    return;
                }
            }
        }
    }

    /// A new connection is known from here on, until [`Hub::disconnected`].
    pub fn connected(&self, connection: &Arc<Connection>) {
        lock(&self.connections).insert(connection.id(), connection.clone());
        metrics::gauge!("partyline_connections").increment(1);
    }

    /// A connection is gone.
    pub fn disconnected(&self, connection: &Arc<Connection>, rooms: impl IntoIterator<Item = RoomId>) {
        if lock(&self.connections).remove(&connection.id()).is_some() {
            metrics::gauge!("partyline_connections").decrement(1);
        }
        for room in rooms {
            self.unsubscribe(connection, room);
        }
    }

    /// Subscribes a connection whose right to read has been checked. The answer goes into its queue.
    ///
    /// # Errors
    /// [`Busy`] if the room's task does not take it in time.
    pub async fn subscribe(
        &self,
        connection: &Arc<Connection>,
        room: &RoomRow,
        since: Option<Position>,
    ) -> Result<(), Busy> {
        let deadline = tokio::time::Instant::now() + SUBSCRIBE_DEADLINE;
        let mut message = ToRoom::Subscribe { connection: connection.clone(), since };
        loop {
            let queue = self.room(room);
            match tokio::time::timeout_at(deadline, queue.reserve()).await {
                Ok(Ok(place)) => {
                    place.send(message);
                    return Ok(());
                }
                // The task ended between the look-up and the sending: its place in the table is free now.
                Ok(Err(_)) => {
                    let mut rooms = lock(&self.rooms);
                    if rooms.get(&room.id).is_some_and(mpsc::Sender::is_closed) {
                        rooms.remove(&room.id);
                    }
                }
                Err(_) => return Err(Busy),
            }
            message = ToRoom::Subscribe { connection: connection.clone(), since };
        }
    }

    /// Ends a subscription.
    pub fn unsubscribe(&self, connection: &Arc<Connection>, room: RoomId) {
        self.to_room(room, ToRoom::Unsubscribe(connection.id()));
    }

    fn room(&self, room: &RoomRow) -> mpsc::Sender<ToRoom> {
        let mut rooms = lock(&self.rooms);
        if let Some(queue) = rooms.get(&room.id) {
            return queue.clone();
        }
        let (queue, inbox) = mpsc::channel(ROOM_QUEUE);
        let task = RoomTask::new(room.clone(), self.sources.clone(), inbox);
        let (stop, rooms_left, id) = (self.stop.clone(), self.rooms.clone(), room.id);
        self.tasks.spawn(async move {
            tokio::select! {
                () = task.run() => {}
                () = stop.cancelled() => {}
            }
            let mut rooms = lock(&rooms_left);
            // Somebody may have come meanwhile and begun a new task.
            if rooms.get(&id).is_some_and(mpsc::Sender::is_closed) {
                rooms.remove(&id);
            }
        });
        rooms.insert(room.id, queue.clone());
        metrics::gauge!("partyline_rooms_watched").set(rooms.len() as f64);
        queue
    }

    /// How many connections there are.
    pub fn connections(&self) -> usize {
        lock(&self.connections).len()
    }

    /// Asks every client to come back elsewhere, spread over `over`, then closes what is left.
    pub async fn drain(&self, over: Duration) {
        let all: Vec<_> = lock(&self.connections).values().cloned().collect();
        let over_ms = u64::try_from(over.as_millis()).unwrap_or(u64::MAX).max(1);
        for connection in &all {
            connection.ask_to_reconnect(rand::random_range(0..over_ms));
        }
        let deadline = tokio::time::Instant::now() + over;
        while self.connections() > 0 && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        for connection in lock(&self.connections).values() {
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
