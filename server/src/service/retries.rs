//! Retries of a post: one message, one position, however often it is sent.
//!
//! The store knows what it has folded. Between the log and the store there is a
//! short while; what this node appended in it is remembered here, and two posts
//! of one id that arrive together go one after the other.

use app::model::{MessageId, Position, RoomId, UserId};
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

/// How many posts a node remembers: minutes of a busy one, and always much more than the store lags.
const CAPACITY: usize = 16_384;

/// What was posted under an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// By whom.
    pub author: UserId,
    /// Where the log has it.
    pub at: Position,
    /// The text.
    pub body: String,
}

/// Held by whoever is posting this id just now. A tokio mutex, since it is held while the log is waited for: that is
/// its purpose, and nobody else waits but retries of the same message.
pub type Turn = Arc<tokio::sync::Mutex<Option<Done>>>;

/// The latest posts of this node.
#[derive(Default)]
pub struct Retries {
    latest: Mutex<Latest>,
}

#[derive(Default)]
struct Latest {
    turns: HashMap<(RoomId, MessageId), Turn>,
    order: VecDeque<(RoomId, MessageId)>,
}

impl Retries {
    /// The one place where posts of this id meet.
    pub fn turn(&self, room: RoomId, id: MessageId) -> Turn {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let Latest { turns, order } = &mut *latest;
        if let Some(turn) = turns.get(&(room, id)) {
            return turn.clone();
        }
        if order.len() >= CAPACITY
            && let Some(oldest) = order.pop_front()
        {
            turns.remove(&oldest);
        }
        let turn = Turn::default();
        turns.insert((room, id), turn.clone());
        order.push_back((room, id));
        turn
    }
}
