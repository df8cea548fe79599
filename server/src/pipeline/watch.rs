//! Log and store, compared all the time on every node.
//!
//! It knows up to where the store has what the log has: older retries are found
//! there ([`crate::service`]). And it sees when the two no longer fit: a log that
//! ends before what the store has, or that forgot what the store has not.

use super::{Health, State};
use crate::{
    log::{Log, LogError, Range, Record, Retention, guard::GuardedLog, misfit::Misfit},
    store::{Store, StoreError},
    time::now,
};
use futures::StreamExt;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// The part's name.
pub const PART: &str = "watch";

/// How long a start waits for a log that is not there yet.
const START: Duration = Duration::from_secs(10);
const EVERY: Duration = Duration::from_secs(2);
/// Questions to the store at once.
const AT_ONCE: usize = 2;
/// Retention is an operator's setting: it hardly ever changes.
const ASK_RETENTION_EVERY: Duration = Duration::from_secs(300);
/// A store that has not caught up for so long is looked at more closely.
const LATE: Duration = Duration::from_secs(30);
/// How often it is asked whether the store has come far enough: at once, then less and less.
const POLL: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(16));

/// At a moment, the store had everything that the partition had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Covered {
    /// The moment.
    pub at: Instant,
    /// Where the partition ended then.
    pub end: u64,
}

/// Why it is not known that the store has everything.
#[derive(Debug, thiserror::Error)]
pub enum NotCovered {
    /// The log does not say where it ends.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The store is away.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store is behind.
    #[error("the store is behind the log")]
    Behind,
}

#[derive(Debug, thiserror::Error)]
enum NotFit {
    #[error(transparent)]
    Unknown(#[from] NotCovered),
    #[error(transparent)]
    Misfit(#[from] Misfit),
}

/// Compares the two.
pub struct Watch {
    log: Arc<GuardedLog>,
    store: Arc<dyn Store>,
    health: Health,
    partitions: Mutex<HashMap<u32, Known>>,
    /// It did not answer when last asked.
    log_away: AtomicBool,
}

#[derive(Clone, Default)]
struct Known {
    /// How far the store was when last asked.
    progress: Option<u64>,
    covered: Option<Covered>,
    /// Held by whoever asks: the others find the answer.
    turn: Arc<tokio::sync::Mutex<()>>,
    /// They did not fit when last looked at.
    unfit: bool,
}

impl Watch {
    /// Knows nothing yet.
    pub fn new(log: Arc<GuardedLog>, store: Arc<dyn Store>, health: Health) -> Self {
        Self { log, store, health, partitions: Mutex::default(), log_away: AtomicBool::new(false) }
    }

    fn partitions(&self) -> MutexGuard<'_, HashMap<u32, Known>> {
        self.partitions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the log did not answer when last asked, every few seconds.
    pub fn log_is_away(&self) -> bool {
        self.log_away.load(Ordering::Relaxed)
    }

    /// When the store last had everything, as far as is known.
    pub fn covered(&self, partition: u32) -> Option<Covered> {
        self.partitions().get(&partition)?.covered
    }

    /// Waits until the store has everything that the partition has at some moment after `since`. Many who wait ask once.
    ///
    /// # Errors
    /// [`NotCovered`], within `patience`.
    pub async fn cover(&self, partition: u32, since: Instant, patience: Duration) -> Result<Covered, NotCovered> {
        let covering = async {
            let turn = self.partitions().entry(partition).or_default().turn.clone();
            let _turn = turn.lock().await;
            if let Some(covered) = self.covered(partition).filter(|covered| covered.at >= since) {
                return Ok(covered);
            }
            let at = Instant::now();
            let end = self.log.end(partition).await?;
            let (mut pause, longest) = POLL;
            while self.ask(partition).await? < end {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(longest);
            }
            let covered = Covered { at, end };
            self.note(partition, covered);
            Ok(covered)
        };
        tokio::time::timeout(patience, covering).await.unwrap_or(Err(NotCovered::Behind))
    }

    /// How far the store is, or was when it last said so; `None`: it never has.
    pub async fn progress(&self, partition: u32, patience: Duration) -> Option<u64> {
        let known = self.partitions().entry(partition).or_default().progress;
        tokio::time::timeout(patience, self.ask(partition)).await.ok().and_then(Result::ok).or(known)
    }

    async fn ask(&self, partition: u32) -> Result<u64, StoreError> {
        let progress = self.store.progress(partition).await?;
        self.partitions().entry(partition).or_default().progress = Some(progress);
        Ok(progress)
    }

    fn note(&self, partition: u32, covered: Covered) {
        self.log.seen(partition, covered.end);
        let mut partitions = self.partitions();
        let known = partitions.entry(partition).or_default();
        if known.covered.is_none_or(|known| known.at < covered.at) {
            known.covered = Some(covered);
        }
    }

    /// At the start: do they fit?
    ///
    /// # Errors
    /// Either's, and what does not fit.
    pub async fn examine(&self) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            match self.examine_now().await {
                // A log that has just been made, or come back, may need a moment.
                Err(NotFit::Unknown(NotCovered::Log(LogError::Unavailable(_)))) if begun.elapsed() < START => {
                    tokio::time::sleep(Duration::from_millis(250)).await;
                }
                done => return Ok(done?),
            }
        }
    }

    async fn examine_now(&self) -> Result<(), NotFit> {
        let count = self.log.ranges().await.map_err(NotCovered::from)?.len();
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        // The store first: the log only grows, so that what comes after it must be at least as far.
        let mut progress = Vec::new();
        // One after another: a node that starts has few connections yet.
        for partition in 0..count {
            progress.push(self.ask(partition).await.map_err(NotCovered::from)?);
        }
        let ranges = self.log.ranges().await.map_err(NotCovered::from)?;
        for ((partition, range), progress) in (0..).zip(&ranges).zip(progress) {
            if let Some(misfit) = Misfit::of_offsets(partition, *range, progress) {
                return Err(misfit.into());
            }
            self.log.seen(partition, range.end.max(progress));
        }
        Ok(())
    }

    /// Watches until the log is lost.
    ///
    /// # Errors
    /// When it is.
    pub async fn run(&self) -> anyhow::Result<()> {
        let mut tick = tokio::time::interval(EVERY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut retention = (None, Retention::default());
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                reason = self.log.lost() => anyhow::bail!("{reason}"),
            }
            if retention.0.is_none_or(|asked: Instant| asked.elapsed() > ASK_RETENTION_EVERY)
                && let Ok(found) = self.log.retention().await
            {
                retention = (Some(Instant::now()), found);
            }
            match self.look(&retention.1).await {
                Ok(()) => self.health.set(PART, State::Running),
                Err(e) => self.health.set(PART, State::Waiting { reason: e.to_string() }),
            }
        }
    }

    async fn look(&self, retention: &Retention) -> Result<(), NotCovered> {
        let at = Instant::now();
        let ranges = self.log.ranges().await;
        self.log_away.store(ranges.is_err(), Ordering::Relaxed);
        let ranges = ranges?;
        let (mut behind, mut warned) = (Vec::new(), false);
        let patience = retention.time.map_or(LATE, |time| LATE.min(time / 4));
        for (partition, range) in (0..).zip(&ranges) {
            let progress = self.partitions().entry(partition).or_default().progress;
            let seen = self.log.end_seen(partition);
            self.log.seen(partition, range.end);
            if progress == Some(range.end) && seen <= range.end {
                self.judge(partition, None);
                self.note(partition, Covered { at, end: range.end });
            } else {
                behind.push((partition, *range));
            }
        }
        let mut asked = futures::stream::iter(behind)
            .map(|(partition, range)| async move { (partition, range, self.ask(partition).await) })
            .buffer_unordered(AT_ONCE);
        while let Some((partition, range, progress)) = asked.next().await {
            let progress = progress?;
            let seen = self.log.end_seen(partition);
            // The log was asked before, and may have grown since.
            let end = if progress.max(seen) > range.end { self.log.end(partition).await? } else { range.end };
            let why = Misfit::of_offsets(partition, Range { end, ..range }, progress)
                .or_else(|| (end < seen).then_some(Misfit::Shrunk { partition, seen, end }));
            self.judge(partition, why);
            if progress >= range.end {
                self.note(partition, Covered { at, end: range.end });
            } else if self.covered(partition).is_none_or(|covered| covered.at.elapsed() > patience) {
                warned |= self.is_late(partition, range, progress, retention).await?;
            }
        }
        metrics::gauge!("partyline_retention_warning").set(f64::from(u8::from(warned)));
        Ok(())
    }

    /// What does not fit twice in a row, a look apart, does not fit.
    fn judge(&self, partition: u32, why: Option<Misfit>) {
        let again = {
            let mut partitions = self.partitions();
            let known = partitions.entry(partition).or_default();
            std::mem::replace(&mut known.unfit, why.is_some())
        };
        if let Some(why) = why.filter(|_| again) {
            self.log.lose(&why.to_string());
        }
    }

    /// Has what the store lacks been waiting for half of the time, or of the room, that the log gives it?
    async fn is_late(
        &self,
        partition: u32,
        range: Range,
        progress: u64,
        retention: &Retention,
    ) -> Result<bool, NotCovered> {
        let crowded = retention.bytes.is_some()
            && range.oldest > 0
            && progress.saturating_sub(range.oldest) < (range.end - range.oldest) / 2;
        let aged = match retention.time {
            None => false,
            Some(time) => {
                let next = self.log.read(partition, progress, 1).await?;
                let record = next.first().and_then(|entry| Record::decode(&entry.payload).ok());
                record.is_some_and(|r| {
                    now().saturating_sub(r.accepted_at) > i64::try_from(time.as_millis() / 2).unwrap_or(i64::MAX)
                })
            }
        };
        if crowded || aged {
            tracing::error!(
                partition,
                progress,
                oldest = range.oldest,
                end = range.end,
                "the store is so far behind that the log will soon forget what is not stored: mend persist, or raise \
                 the topic's retention"
            );
        }
        Ok(crowded || aged)
    }
}
