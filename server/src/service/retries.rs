//! Retries of a post: one message, one position, however often it is sent.
//!
//! The store knows what it has folded. Between the log and the store there is a
//! short while; what this node appended in it is remembered here, and two posts
//! of one id that arrive together go one after the other.

use app::model::{MessageId, Position, RoomId, UserId};
use sha2::{Digest, Sha256};
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

/// How many posts a node remembers: minutes of a busy one, and always much more than the store lags.
const CAPACITY: usize = 16_384;

/// What was posted under an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    author: UserId,
    /// Where the log has it.
    pub at: Position,
    /// The text's SHA-256, since thousands of texts would be heavy; `None`: it was deleted.
    body: Option<[u8; 32]>,
}

impl Done {
    /// `body`: `None` if it was deleted.
    pub fn new(author: UserId, at: Position, body: Option<&str>) -> Self {
        Self { author, at, body: body.map(|text| Sha256::digest(text).into()) }
    }

    /// Is posting this by this person a repeat of it? Of a deleted one the text is not known any more.
    pub fn is(&self, author: UserId, body: &str) -> bool {
        self.author == author && self.body.is_none_or(|hash| hash == <[u8; 32]>::from(Sha256::digest(body)))
    }
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

    /// Where this node has posted it, if it has; one that is being posted is waited for.
    pub async fn posted_at(&self, room: RoomId, id: MessageId) -> Option<Position> {
        let turn = {
            let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
            latest.turns.get(&(room, id))?.clone()
        };
        turn.lock().await.as_ref().map(|done| done.at)
    }
}
