//! Retries of a post: one message, one position, however often it is sent.
//!
//! The store knows what it has folded. Between the log and the store there is a
//! short while; what this node appended in it is remembered here, and two posts
//! of one id that arrive together go one after the other.

use crate::fanout::claims::Fingerprint;
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
    /// Who posted it.
    pub author: UserId,
    /// Where the log has it.
    pub at: Position,
    /// Of author and text, since thousands of texts would be heavy; `None`: it was deleted.
    pub fingerprint: Option<Fingerprint>,
}

impl Done {
    /// `body`: `None` if it was deleted.
    pub fn new(author: UserId, at: Position, body: Option<&str>) -> Self {
        let fingerprint = body.map(|text| {
            let digest = Sha256::new().chain_update(author.0).chain_update(text).finalize();
            std::array::from_fn(|i| digest[i])
        });
        Self { author, at, fingerprint }
    }

    /// The same, there.
    pub fn at(self, at: Position) -> Self {
        Self { at, ..self }
    }

    /// Is `wanted` a repeat of it? Of a deleted one the text is not known any more.
    pub fn is(&self, wanted: &Self) -> bool {
        match self.fingerprint {
            Some(_) => self.fingerprint == wanted.fingerprint,
            None => self.author == wanted.author,
        }
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
