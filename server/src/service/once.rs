//! A message is posted once, however often and at however many nodes it is tried, and every answer names the same place.
//!
//! On the usual way one claim in the fan-out, made while the store is asked,
//! says that nobody else is posting this id. Where that cannot be trusted (the
//! fan-out is away, or was lately; somebody claimed it and was not heard of
//! again; the log took long), the log decides: what it has is looked for before
//! the message is appended, and who was first is looked up after it.

use super::{append, asked::Asked, not_appended, posted::PostedIds, retries::Done, tail::Tails};
use crate::{
    fanout::{
        Fanout,
        claims::{CLAIM_LIFE, Claim, Claimed, Fate},
    },
    log::{AppendError, DEADLINE, Log, Record},
    pipeline::watch::Watch,
    store::RoomRow,
};
use app::{
    error::{ApiError, Outcome},
    model::{MessageId, Position, RoomId},
};
use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

/// How long a claim may take. Who cannot claim goes the slow way, and if it may be a retry waits so long even if told at
/// once.
const CLAIM_PATIENCE: Duration = Duration::from_millis(500);
/// Who is quicker than this, from before the claim until the log has it, is done before another who could not claim has
/// looked at the log.
const QUICK: Duration = Duration::from_millis(400);
/// An id that was made longer ago than this may have been tried at a node whose claims nobody sees. Such a try looks into
/// the log before and after, however well claims hold here.
const FIRST_TRY: Duration = Duration::from_millis(500);
/// How long somebody else's claim is waited for.
const TAKEN_PATIENCE: Duration = Duration::from_secs(2);
/// How often it is looked at meanwhile.
const TAKEN_POLL: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(100));
/// From a claim until its record is in the log or never will be.
const IN_FLIGHT: Duration = Duration::from_secs(13);
/// How long a post waits to hear from the store whether it is a retry.
pub(super) const STORE_PATIENCE: Duration = Duration::from_millis(500);
/// How long it is not asked again after not having answered.
const STORE_AWAY: Duration = Duration::from_secs(1);
/// How long the log's end may take to be read, in turn with others.
const TAIL_PATIENCE: Duration = Duration::from_secs(2);
/// How long the store may take to catch up with the log.
const COVER_PATIENCE: Duration = Duration::from_millis(300);

/// Posts each message once.
pub struct Once {
    pub log: Arc<dyn Log>,
    pub asked: Asked,
    /// Where this process takes all posts.
    pub alone: OnceLock<PostedIds>,
    pub fanout: Arc<dyn Fanout>,
    pub watch: Arc<Watch>,
    pub epoch: u32,
    pub tails: Arc<Tails>,
    pub store_away: std::sync::Mutex<Option<Instant>>,
}

/// A message's first place, and what is to be said of its claim when its sender has been answered.
pub struct Posted {
    pub done: Done,
    /// It had been posted before.
    pub repeated: bool,
}

/// The store did not say whether it has the message.
struct StoreAway;

impl Once {
    /// Posts it, or finds it. Settles the claim in `after`, which nobody need wait for.
    pub async fn post(
        &self,
        room: &RoomRow,
        id: MessageId,
        wanted: &Done,
        record: &Record,
    ) -> (Result<Posted, ApiError>, Claim, Option<Settle>) {
        let claim = Claim::new(room.id, id, wanted.fingerprint.unwrap_or_default());
        let mut post = Post { once: self, room, id, claim, wanted, begun: Instant::now(), taken: false, settle: None };
        let posted = post.run(record).await;
        (posted, post.claim, post.settle)
    }

    /// Says what became of a claim.
    pub async fn settle(&self, claim: &Claim, settle: Settle) {
        let said = match settle {
            Settle::Is(fate) => self.fanout.settle(claim, fate).await,
            Settle::Free => self.fanout.release(claim).await,
        };
        if let Err(e) = said {
            tracing::debug!(error = %e, "a claim was not settled: a retry finds out by itself");
        }
    }

    /// Notes that a message is going to be posted. `true`: for certain, none ever was under this id.
    pub fn note(&self, room: RoomId, id: MessageId) -> bool {
        self.alone.get().is_some_and(|ids| ids.note(room, id))
    }

    fn store_is_away(&self) -> bool {
        let away = self.store_away.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        away.is_some_and(|until| Instant::now() < until)
    }

    async fn stored(&self, room: RoomId, id: MessageId) -> Result<Option<Done>, StoreAway> {
        if self.store_is_away() {
            return Err(StoreAway);
        }
        match tokio::time::timeout(STORE_PATIENCE, self.asked.posted(room, id)).await {
            Ok(Some(row)) => Ok(row.map(|p| Done::new(p.author, p.at, p.body.as_deref()))),
            Ok(None) | Err(_) => {
                let mut away = self.store_away.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                *away = Some(Instant::now() + STORE_AWAY);
                Err(StoreAway)
            }
        }
    }

    /// Whether a claim that says "mine" means that nobody else has posted it, to be asked before and after.
    fn claims_hold(&self, partition: u32) -> bool {
        // What had been posted by then is in the store; what was claimed since is still claimed.
        self.watch.covered(partition).is_some_and(|covered| {
            covered.at.elapsed() + 2 * IN_FLIGHT < CLAIM_LIFE
                && self
                    .fanout
                    .claims_lost_at()
                    .is_none_or(|lost| covered.at.saturating_duration_since(lost) > IN_FLIGHT)
        })
    }
}

/// What is to be said of a claim.
#[derive(Clone, Copy, Debug)]
pub enum Settle {
    /// This became of it.
    Is(Fate),
    /// Nothing was posted.
    Free,
}

struct Post<'a> {
    once: &'a Once,
    room: &'a RoomRow,
    id: MessageId,
    claim: Claim,
    wanted: &'a Done,
    begun: Instant,
    /// Somebody else claimed it, and was not heard of again.
    taken: bool,
    settle: Option<Settle>,
}

impl Post<'_> {
    async fn run(&mut self, record: &Record) -> Result<Posted, ApiError> {
        let once = self.once;
        // Asked before the store, too: what it had not yet then, it may have by the time that the claim is judged.
        let held = once.claims_hold(self.room.partition);
        let (claimed, stored) = if once.note(self.room.id, self.id) {
            (self.claim().await, Ok(None))
        } else {
            tokio::join!(self.claim(), once.stored(self.room.id, self.id))
        };
        if let Ok(Some(done)) = stored {
            return self.repeated(done);
        }
        let first_try = self.age() < FIRST_TRY;
        let claimed = match claimed {
            Some(Claimed::Taken { fate: Fate::Pending, .. }) => self.wait_for_other().await,
            None if !first_try => {
                tokio::time::sleep(CLAIM_PATIENCE.saturating_sub(self.begun.elapsed())).await;
                None
            }
            claimed => claimed,
        };
        // Somebody may have posted it, whatever becomes of this try.
        let doubt = !matches!(claimed, Some(Claimed::Mine));
        self.taken = matches!(claimed, Some(Claimed::Taken { .. }));
        let not_yet = ApiError::unavailable(if doubt { Outcome::Unknown } else { Outcome::NotPersisted });
        match claimed {
            Some(Claimed::Taken { fate: Fate::Posted(at), fingerprint }) => {
                return self.answer(Done { fingerprint: Some(fingerprint), at, ..self.wanted.clone() });
            }
            Some(Claimed::Mine) if first_try && held && once.claims_hold(self.room.partition) => {}
            _ => match self.find(self.begun).await {
                Ok(Some(done)) => return self.repeated(done),
                Ok(None) => {}
                Err(()) => {
                    self.settle = Some(Settle::Free);
                    return Err(not_yet);
                }
            },
        }
        // Too late to be in the log while the claim still counts as being on its way.
        if self.begun.elapsed() > IN_FLIGHT - DEADLINE {
            self.settle = Some(Settle::Free);
            return Err(not_yet);
        }
        let offset = match append(&*once.log, self.room.partition, record).await {
            Ok(offset) => offset,
            Err(e) => {
                self.settle = Some(match &e {
                    AppendError::Unknown(_) => Settle::Is(Fate::Unsure),
                    AppendError::NotPersisted(_) | AppendError::Full => Settle::Free,
                });
                return Err(not_appended(e));
            }
        };
        let mine = self.wanted.clone().at(Position::new(once.epoch, offset));
        if first_try && !doubt && self.begun.elapsed() < QUICK && once.claims_hold(self.room.partition) {
            self.settle = Some(Settle::Is(Fate::Posted(mine.at)));
            return Ok(Posted { done: mine, repeated: false });
        }
        match self.find(Instant::now()).await {
            Ok(Some(first)) if first.at < mine.at => self.repeated(first),
            // The store may have been put back: what the log acknowledged, it has.
            Ok(_) => {
                self.settle = Some(Settle::Is(Fate::Posted(mine.at)));
                Ok(Posted { done: mine, repeated: false })
            }
            // It is in the log. Whether it is the first there, the next try finds out.
            Err(()) => {
                self.settle = Some(Settle::Is(Fate::Unsure));
                Err(ApiError::unavailable(Outcome::Unknown))
            }
        }
    }

    /// `None`: the fan-out is away.
    async fn claim(&self) -> Option<Claimed> {
        tokio::time::timeout(CLAIM_PATIENCE, self.once.fanout.claim(&self.claim)).await.ok()?.ok()
    }

    /// Waits until it is settled, or free, or it has taken too long.
    async fn wait_for_other(&self) -> Option<Claimed> {
        let since = Instant::now();
        let (mut pause, longest) = TAKEN_POLL;
        loop {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(longest);
            match self.claim().await {
                pending @ Some(Claimed::Taken { fate: Fate::Pending, .. }) if since.elapsed() > TAKEN_PATIENCE => {
                    return pending;
                }
                Some(Claimed::Taken { fate: Fate::Pending, .. }) => {}
                settled => return settled,
            }
        }
    }

    /// Looks for the message in everything that the log had at some moment after `since`.
    async fn find(&self, since: Instant) -> Result<Option<Done>, ()> {
        let (once, partition) = (self.once, self.room.partition);
        if !once.tails.is_behind(partition) && !once.store_is_away() {
            match once.watch.cover(partition, since, COVER_PATIENCE).await {
                Ok(_) => {
                    if let Ok(stored) = once.stored(self.room.id, self.id).await {
                        once.tails.caught_up(partition);
                        return Ok(stored);
                    }
                }
                Err(_) => once.tails.fell_behind(partition),
            }
        }
        // The store is away, or behind. What comes after its progress is in the log.
        let patience = if once.store_is_away() { Duration::ZERO } else { STORE_PATIENCE };
        let from = once.watch.progress(partition, patience).await.ok_or(())?;
        match once.stored(self.room.id, self.id).await {
            Ok(None) => {}
            Ok(stored) => return Ok(stored),
            // What was claimed may be there and folded, where only the store finds it.
            Err(StoreAway) if self.is_recent() && !self.taken => {}
            Err(StoreAway) => return Err(()),
        }
        let tail = once.tails.read(&*once.log, once.epoch, partition, from, since);
        let tail = tokio::time::timeout(TAIL_PATIENCE, tail).await.ok().flatten().ok_or(())?;
        Ok(tail.post(self.room.id, self.id))
    }

    /// The id says that it was made so lately that a first try would still be claimed. Asked only where nobody else can
    /// tell: a client whose clock is wrong is refused then, until the store is back.
    fn is_recent(&self) -> bool {
        self.age() < CLAIM_LIFE - 2 * IN_FLIGHT
    }

    /// How long ago the id was made by the clock of whoever made it; one without a time is as old as can be.
    fn age(&self) -> Duration {
        let Some(made) = self.id.0.get_timestamp() else { return Duration::MAX };
        let (seconds, nanos) = made.to_unix();
        let now = Duration::from_millis(u64::try_from(crate::time::now()).unwrap_or_default());
        now.saturating_sub(Duration::new(seconds, nanos))
    }

    /// Found where it was posted before.
    fn repeated(&mut self, done: Done) -> Result<Posted, ApiError> {
        self.settle = Some(match done.fingerprint {
            Some(_) => Settle::Is(Fate::Posted(done.at)),
            // Deleted: its text is not known any more, so this try says nothing of it.
            None => Settle::Free,
        });
        // The claim speaks for what the log has, not for what was tried now.
        if let Some(fingerprint) = done.fingerprint {
            self.claim.fingerprint = fingerprint;
        }
        self.answer(done)
    }

    fn answer(&self, done: Done) -> Result<Posted, ApiError> {
        if done.is(self.wanted) {
            Ok(Posted { done, repeated: true })
        } else {
            Err(ApiError::conflict("another message has this id already"))
        }
    }
}
