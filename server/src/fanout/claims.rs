//! Claims: every node knows who is posting a message before the log has it.
//!
//! A retry at another node finds the first one's claim, and so its place, however
//! far the store is behind. Claims are a short cut and may be lost; who cannot be
//! sure of them reads what the log has ([`crate::service`]).

use app::model::{MessageId, Position, RoomId};
use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How long a claim is kept: longer than known members may go on posting while the store is away.
pub const CLAIM_LIFE: Duration = Duration::from_secs(20 * 60);
/// How many claims one process keeps for itself.
const LOCAL_CLAIMS: usize = 200_000;

/// Who posted what: enough to tell a retry from another message under the same id.
pub type Fingerprint = [u8; 16];

/// Somebody is about to post a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Where.
    pub room: RoomId,
    /// The message's id.
    pub id: MessageId,
    /// Of author and text.
    pub fingerprint: Fingerprint,
    /// Tells this claim from all others.
    pub nonce: u64,
}

impl Claim {
    /// A new claim, unlike any other.
    pub fn new(room: RoomId, id: MessageId, fingerprint: Fingerprint) -> Self {
        Self { room, id, fingerprint, nonce: rand::random() }
    }
}

/// Whose a message id is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// It is this claim's: nobody has claimed it before, as far as is remembered.
    Mine,
    /// Somebody else claimed it first.
    Taken {
        /// Of whom and what.
        fingerprint: Fingerprint,
        /// What became of it.
        fate: Fate,
    },
}

/// What became of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is being posted.
    Pending,
    /// The log has it there, and had it nowhere before.
    Posted(Position),
    /// It may be in the log: look.
    Unsure,
}

/// The claims of one process.
#[derive(Default)]
pub(super) struct LocalClaims(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    claims: HashMap<(RoomId, MessageId), Held>,
    order: VecDeque<(Instant, RoomId, MessageId)>,
    lost_at: Option<Instant>,
}

/// The claim that counts, without what it is found by: there may be two hundred thousand.
struct Held {
    fingerprint: Fingerprint,
    nonce: u64,
    fate: Fate,
}

impl LocalClaims {
    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn claim(&self, claim: &Claim) -> Claimed {
        let mut kept = self.kept();
        kept.forget();
        let key = (claim.room, claim.id);
        match kept.claims.get(&key) {
            Some(first) if first.nonce == claim.nonce => Claimed::Mine,
            Some(first) => Claimed::Taken { fingerprint: first.fingerprint, fate: first.fate },
            None => {
                let Claim { fingerprint, nonce, .. } = *claim;
                kept.claims.insert(key, Held { fingerprint, nonce, fate: Fate::Pending });
                kept.order.push_back((Instant::now(), claim.room, claim.id));
                Claimed::Mine
            }
        }
    }

    pub fn settle(&self, claim: &Claim, fate: Fate) {
        let mut kept = self.kept();
        let Claim { room, id, fingerprint, nonce } = *claim;
        let Some(first) = kept.claims.get_mut(&(room, id)) else { return };
        match fate {
            Fate::Posted(_) => *first = Held { fingerprint, nonce, fate },
            Fate::Pending | Fate::Unsure if first.nonce == nonce => first.fate = fate,
            Fate::Pending | Fate::Unsure => {}
        }
    }

    pub fn release(&self, claim: &Claim) {
        let mut kept = self.kept();
        if kept.claims.get(&(claim.room, claim.id)).is_some_and(|first| first.nonce == claim.nonce) {
            kept.claims.remove(&(claim.room, claim.id));
        }
    }

    pub fn lost_at(&self) -> Option<Instant> {
        self.kept().lost_at
    }
}

impl Kept {
    /// Lets go of what is too old or too much.
    fn forget(&mut self) {
        while let Some((made, room, id)) = self.order.front().copied() {
            if self.order.len() < LOCAL_CLAIMS && made.elapsed() < CLAIM_LIFE {
                return;
            }
            self.order.pop_front();
            self.claims.remove(&(room, id));
            self.lost_at = Some(made);
        }
    }
}
