//! Who is what in a room, as far as this node knows.
//!
//! The store is asked; what the log has since, nodes tell each other. Both say
//! what they know as of a position, so that neither an older notice nor a store
//! that is still behind brings back a member who was removed. What may not have
//! been told here is looked for in the log, as long as the store lacks it.

use super::{
    FRESH, USABLE,
    tail::{Tail, Tails},
};
use crate::{
    log::Log,
    pipeline::watch::{NotCovered, Watch},
    remember::Remembered,
    store::{RoomRow, Store, StoreError},
};
use app::model::{Position, Role, RoomId, UserId};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::OwnedMutexGuard;

const ROLES_REMEMBERED: usize = 200_000;
/// How long the store may take to catch up with the log.
const COVER_PATIENCE: Duration = Duration::from_millis(100);
/// A log that does not say in this time where it ends is away.
const LOG_PATIENCE: Duration = Duration::from_millis(500);
/// How long the log's end may take to be read, in turn with others.
const TAIL_PATIENCE: Duration = Duration::from_secs(2);

/// What somebody is in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// `None`: no member.
    pub role: Option<Role>,
    /// Somebody else took them out.
    pub removed: bool,
    /// By the record there; [`Position::START`]: by the store.
    pub at: Position,
}

/// The roles that this node remembers.
pub struct Roles {
    known: Remembered<(RoomId, UserId), Standing>,
    log: Arc<dyn Log>,
    store: Arc<dyn Store>,
    watch: Arc<Watch>,
    tails: Arc<Tails>,
    epoch: u32,
    /// What changed before this may not have been told here.
    untold: Mutex<Instant>,
}

impl Roles {
    /// Remembers nobody yet.
    pub fn new(log: Arc<dyn Log>, store: Arc<dyn Store>, watch: Arc<Watch>, tails: Arc<Tails>, epoch: u32) -> Self {
        let known = Remembered::new(FRESH, USABLE, ROLES_REMEMBERED);
        Self { known, log, store, watch, tails, epoch, untold: Mutex::new(Instant::now()) }
    }

    /// Somebody's role. Unknown, and nobody to ask: an error, so that the caller refuses.
    ///
    /// # Errors
    /// The store's.
    pub async fn of(&self, room: &RoomRow, user: UserId) -> Result<Option<Role>, StoreError> {
        Ok(self.standing(room, user).await?.and_then(|known| known.role))
    }

    /// Where in the log somebody was taken out by somebody else, unless they have come back.
    ///
    /// # Errors
    /// The store's.
    pub async fn removal(&self, room: &RoomRow, user: UserId) -> Result<Option<Position>, StoreError> {
        match self.standing(room, user).await? {
            Some(known) => Ok(known.removed.then_some(known.at)),
            None => self.store.removal(room.id, user).await,
        }
    }

    async fn standing(&self, room: &RoomRow, user: UserId) -> Result<Option<Standing>, StoreError> {
        let key = (room.id, user);
        let told = self.known.known(&key).map(|(known, _)| known).filter(|known| known.at > Position::START);
        let ask = async {
            if let Some(told) = told
                && self.store.progress(room.partition).await? <= told.at.offset
            {
                return Ok::<_, StoreError>(Some(told));
            }
            if let Some(standing) = self.not_stored(room.partition).await?.and_then(|t| t.standing(room.id, user)) {
                return Ok(Some(standing));
            }
            let role = self.store.role(room.id, user).await?;
            // Only a yes is remembered: who has just been let in elsewhere must not hear an old no.
            Ok(role.map(|role| Standing { role: Some(role), removed: false, at: Position::START }))
        };
        self.known.recall(key, ask).await
    }

    /// The log's end, if the store may lack what this node was not told.
    ///
    /// # Errors
    /// The store's; it is behind, and the log does not tell in time.
    pub async fn not_stored(&self, partition: u32) -> Result<Option<OwnedMutexGuard<Tail>>, StoreError> {
        let now = Instant::now();
        // Not every notice arrives: after as long as an old answer may live, the log has the say again.
        let untold = *self.untold.lock().unwrap_or_else(PoisonError::into_inner);
        let since = untold.max(now.checked_sub(FRESH).unwrap_or(untold));
        let covered = self.watch.covered(partition).is_some_and(|covered| covered.at >= since);
        // A log that is away takes nothing in either: reading goes on.
        if covered || self.watch.log_is_away() {
            return Ok(None);
        }
        if !self.tails.is_behind(partition) {
            match self.watch.cover(partition, since, COVER_PATIENCE).await {
                Ok(_) => {
                    self.tails.caught_up(partition);
                    return Ok(None);
                }
                Err(NotCovered::Log(_)) => return Ok(None),
                Err(NotCovered::Store(e)) => return Err(e),
                Err(NotCovered::Behind) => self.tails.fell_behind(partition),
            }
        }
        if !matches!(tokio::time::timeout(LOG_PATIENCE, self.log.end(partition)).await, Ok(Ok(_))) {
            return Ok(None);
        }
        let from = self.store.progress(partition).await?;
        let tail = self.tails.read(&*self.log, self.epoch, partition, from, since);
        match tokio::time::timeout(TAIL_PATIENCE, tail).await.ok().flatten() {
            Some(tail) => Ok(Some(tail)),
            None => Err(StoreError::Unavailable("it is behind, and the log does not tell the rest in time".into())),
        }
    }

    /// A change may have been missed: asks again before it trusts.
    pub fn doubt(&self) {
        *self.untold.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.known.doubt();
    }

    /// By a record, it is this.
    pub fn learn(&self, room: RoomId, user: UserId, standing: Standing) {
        self.known.learn((room, user), standing, |known| known.at < standing.at);
    }
}
