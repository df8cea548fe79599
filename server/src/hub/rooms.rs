//! The rooms that somebody here watches, and the way to their tasks.

use super::{lock, room::ToRoom};
use app::model::RoomId;
use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::mpsc;

/// How long a message that must not be lost waits for a room's task that has much to do.
const PATIENCE: Duration = Duration::from_secs(1);

/// A room's task: who comes back to a room may find another one, which knows nothing of what the one before was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct TaskId(u64);

/// A watched room.
#[derive(Clone)]
pub(super) struct Watched {
    pub task: TaskId,
    pub partition: u32,
    pub queue: mpsc::Sender<ToRoom>,
}

impl Watched {
    pub fn new(partition: u32, queue: mpsc::Sender<ToRoom>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self { task: TaskId(NEXT.fetch_add(1, Ordering::Relaxed)), partition, queue }
    }
}

/// All of them.
#[derive(Default)]
pub(super) struct Rooms(Mutex<HashMap<RoomId, Watched>>);

impl Rooms {
    pub fn lock(&self) -> MutexGuard<'_, HashMap<RoomId, Watched>> {
        lock(&self.0)
    }

    /// Hands a message to the room's task without waiting. `false`: nobody watches, or the task has too much to do: then
    /// there is a hole, and holes are repaired.
    pub fn hand(&self, room: RoomId, message: ToRoom) -> bool {
        let rooms = self.lock();
        let Some(watched) = rooms.get(&room) else { return false };
        let handed = watched.queue.try_send(message).is_ok();
        if !handed {
            metrics::counter!("partyline_room_queue_overflows_total").increment(1);
        }
        handed
    }

    /// The same, but waits a little.
    pub async fn hand_patiently(&self, room: RoomId, message: ToRoom) -> bool {
        let Some(watched) = self.lock().get(&room).cloned() else { return true };
        // A task that has just ended needs to know nothing any more.
        watched.queue.send_timeout(message, PATIENCE).await.is_ok() || watched.queue.is_closed()
    }

    /// The room's task, if somebody watches.
    pub fn task(&self, room: RoomId) -> Option<TaskId> {
        self.lock().get(&room).map(|watched| watched.task)
    }

    /// All, with their partitions and tasks.
    pub fn all(&self) -> Vec<(RoomId, u32, TaskId)> {
        self.lock().iter().map(|(room, watched)| (*room, watched.partition, watched.task)).collect()
    }

    /// Forgets a room whose task has ended, unless somebody has come meanwhile and begun a new one.
    pub fn forget(&self, room: RoomId) {
        let mut rooms = self.lock();
        if rooms.get(&room).is_some_and(|watched| watched.queue.is_closed()) {
            rooms.remove(&room);
        }
    }
}
