//! The log's generation: do store and log belong together, and if they do not any
//! more, the operator's word that a new log takes the place of the old.

use crate::{
    config::{Config, Mode},
    log::{self, Entry, Log, LogError, Range, Record, event_json, guard::GuardedLog, misfit::Misfit},
    store::{
        self, RoomKey, StoreError, Upkeep,
        chain::{self, Digest},
    },
};
use anyhow::Context;
use app::model::{Position, RoomId};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// How often a serving node looks whether store and log still belong together.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// What is wrong is wrong if it is so often found in a row: a broker that has just come back may not know its topics.
const SURE_AFTER: u32 = 3;
/// Partitions whose content is compared at the start.
const COMPARED: usize = 3;

/// Why store and log cannot be used together.
#[derive(Debug, thiserror::Error)]
pub enum FitError {
    /// They do not belong together.
    #[error(transparent)]
    Misfit(#[from] Misfit),
    /// They cannot be asked just now.
    #[error("{0}")]
    Unknown(String),
}

impl From<LogError> for FitError {
    fn from(e: LogError) -> Self {
        match e {
            LogError::Gone(what) => Misfit::Gone(what).into(),
            other => Self::Unknown(other.to_string()),
        }
    }
}

impl From<StoreError> for FitError {
    fn from(e: StoreError) -> Self {
        Self::Unknown(e.to_string())
    }
}

/// Does the log have what the store has folded, and what it wants next?
///
/// # Errors
/// [`FitError::Misfit`] if not.
pub async fn fits(log: &dyn Log, store: &dyn Upkeep) -> Result<(), FitError> {
    let (used, there) = (store.partitions_used().await?, log.partitions());
    if used > there {
        return Err(Misfit::Partitions { used, there }.into());
    }
    let ranges = log.ranges().await?;
    let (partitions, first) = (there.max(1), rand::random_range(0..there.max(1)));
    let mut compare = COMPARED;
    // Not always the same ones.
    for partition in (0..partitions).map(|n| (first + n) % partitions) {
        match look(log, store, partition, Range::of(partition, &ranges), compare > 0).await? {
            Look::Misfit(misfit) => return Err(misfit.into()),
            Look::Same => compare = compare.saturating_sub(1),
            Look::Untold => {}
        }
    }
    match strange(log, store, &ranges).await? {
        Some(misfit) => Err(misfit.into()),
        None => Ok(()),
    }
}

enum Look {
    /// The last event that was folded is in its place.
    Same,
    /// Nothing speaks against it.
    Untold,
    Misfit(Misfit),
}

async fn look(
    log: &dyn Log,
    store: &dyn Upkeep,
    partition: u32,
    Range { oldest, end }: Range,
    compare: bool,
) -> Result<Look, FitError> {
    let progress = store.progress(partition).await?;
    // The log may have grown since it was asked, and the store with it.
    let end = if progress > end { log.end(partition).await? } else { end };
    if let Some(misfit) = Misfit::of_offsets(partition, Range { oldest, end }, progress) {
        return Ok(Look::Misfit(misfit));
    }
    if !compare || progress == 0 {
        return Ok(Look::Untold);
    }
    let epoch = store.epoch().await?;
    let Some(event) = store.last_sealed(partition, epoch).await? else { return Ok(Look::Untold) };
    let Some(digest) = event.digest.filter(|_| event.at.offset >= oldest) else { return Ok(Look::Untold) };
    let entries = log.read(partition, event.at.offset, 1).await?;
    let is_it = entries.first().is_some_and(|entry| {
        entry.offset == event.at.offset && as_archived(entry, epoch) == Some((event.room, digest))
    });
    Ok(if is_it { Look::Same } else { Look::Misfit(Misfit::Another { partition }) })
}

/// Whose event a record is, and the digest that it has in the archive.
fn as_archived(entry: &Entry, epoch: u32) -> Option<(RoomId, Digest)> {
    let room = Record::decode(&entry.payload).ok()?.room;
    let body = event_json(&entry.payload, Position::new(epoch, entry.offset)).ok()?;
    Some((room, chain::digest(&body)))
}

/// A partition whose oldest record is of a room that the store has never heard of, though nothing was ever folded: a room
/// is made there before anything is said in it.
async fn strange(log: &dyn Log, store: &dyn Upkeep, ranges: &[Range]) -> Result<Option<Misfit>, FitError> {
    if store.epoch().await? > 1 {
        return Ok(None);
    }
    for (partition, range) in (0..).zip(ranges) {
        if store.progress(partition).await? > 0 {
            return Ok(None);
        }
        if range.oldest == range.end {
            continue;
        }
        let entries = log.read(partition, range.oldest, 1).await?;
        let Some(Ok(record)) = entries.first().map(|entry| Record::decode(&entry.payload)) else { continue };
        if store.room(&RoomKey::Id(record.room)).await?.is_none() && store.progress(partition).await? == 0 {
            return Ok(Some(Misfit::Strange { partition }));
        }
    }
    Ok(None)
}

/// Has the archive one of the log's last two records before an offset, at its place? Damage is seldom in both; another log
/// has neither.
async fn has_tail(
    log: &dyn Log,
    store: &dyn Upkeep,
    range: Range,
    partition: u32,
    before: u64,
) -> Result<bool, FitError> {
    let from = before.min(range.end).saturating_sub(2).max(range.oldest);
    if from >= before.min(range.end) {
        return Ok(false);
    }
    let epoch = store.epoch().await?;
    for entry in log.read(partition, from, 2).await? {
        let Some((room, digest)) = as_archived(&entry, epoch).filter(|_| entry.offset < before) else { continue };
        let archived = store.archived(&[room], epoch, entry.offset, entry.offset + 1).await?;
        if archived.iter().any(|event| event.digest == Some(digest)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// May the archive be put right from this log? Its last event may be what is damaged, and the log its own all the same.
///
/// # Errors
/// If the log is not the one that was folded.
pub(super) async fn may_put_right(log: &dyn Log, store: &dyn Upkeep) -> anyhow::Result<()> {
    match fits(log, store).await {
        Err(FitError::Misfit(Misfit::Another { partition })) => {
            let range = Range::of(partition, &log.ranges().await?);
            let ours = has_tail(log, store, range, partition, store.progress(partition).await?).await?;
            anyhow::ensure!(ours, "nothing is changed: {}", Misfit::Another { partition });
            Ok(())
        }
        other => other.context("nothing is changed"),
    }
}

/// Watches beside serving, as [`crate::pipeline::watch`] does by offsets: is the log there, is it the same one? Returns
/// why this node has to be started again, and `None` at `stop`.
pub async fn guard(
    log: Arc<GuardedLog>,
    store: Arc<dyn Upkeep>,
    epoch: u32,
    stop: CancellationToken,
) -> Option<String> {
    let mut every = tokio::time::interval(LOOK_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut suspicions = 0;
    loop {
        tokio::select! {
            () = stop.cancelled() => return None,
            _ = every.tick() => {}
        }
        if let Ok(now) = store.epoch().await
            && now != epoch
        {
            return Some(format!(
                "the log's generation is {now} now, and this node began with {epoch}: it has to be started again"
            ));
        }
        let found = match log.check().await {
            Ok(()) => is_same(&*log, &*store).await,
            Err(e) => Err(e.into()),
        };
        match found {
            Err(FitError::Misfit(misfit)) => {
                suspicions += 1;
                tracing::error!(%misfit, suspicions, "store and log do not belong together");
                if suspicions >= SURE_AFTER {
                    log.lose(&misfit.to_string());
                }
            }
            // Away is not wrong.
            Ok(()) | Err(FitError::Unknown(_)) => suspicions = 0,
        }
    }
}

/// Compares one partition's content, not always the same one's.
async fn is_same(log: &dyn Log, store: &dyn Upkeep) -> Result<(), FitError> {
    let partition = rand::random_range(0..log.partitions().max(1));
    let range = Range::of(partition, &log.ranges().await?);
    match look(log, store, partition, range, true).await? {
        Look::Misfit(misfit) => Err(misfit.into()),
        Look::Same | Look::Untold => Ok(()),
    }
}

/// What a declaration has done, or would do.
#[derive(Debug, PartialEq, Eq)]
pub enum Declared {
    /// This is wrong; with `yes` it is done.
    Needed(String),
    /// This was done.
    Done(String),
}

/// Declares that the log was lost or recreated: positions are of a new generation from now on, and the new log is
/// folded from its beginning. What the store has stays, and comes before.
///
/// # Errors
/// If store and log belong together, if a node is running (embedded), or if something cannot be asked.
pub async fn new_epoch(config: &Config, yes: bool) -> anyhow::Result<Declared> {
    let (log, store, lacks) = open(config).await?;
    let lacked = lacks.is_some();
    let mut declared = declare(&*log, &*store, lacks, yes).await;
    log.close().await;
    if let (true, Ok(Declared::Done(_)), Mode::Embedded { data_dir }) = (lacked, &declared, &config.mode) {
        let forgotten = log::sqlite::SqliteLog::forget_what_was_acknowledged(data_dir);
        declared = forgotten.context("the new generation has begun, but the old note is there").and(declared);
    }
    declared
}

/// Lets the store go on behind what the log has forgotten before it was folded.
///
/// # Errors
/// If nothing was forgotten, if a node is running (embedded), or if something cannot be asked.
pub async fn skip_lost(config: &Config, yes: bool) -> anyhow::Result<Declared> {
    let (log, store, lacks) = open(config).await?;
    anyhow::ensure!(lacks.is_none(), lacks.unwrap_or_default());
    let skipped = skip(&*log, &*store, yes).await;
    log.close().await;
    skipped
}

/// Log and store, and what the log lacks by its own account.
async fn open(config: &Config) -> anyhow::Result<(Arc<dyn Log>, Arc<dyn Upkeep>, Option<String>)> {
    Ok(match &config.mode {
        Mode::Embedded { data_dir } => {
            let store = store::sqlite::SqliteStore::attach(data_dir).await.context("opening the store")?;
            // Takes the folder's lock: no node may be running. A log that is lost is made anew, as a node would.
            let (log, lacks) = log::sqlite::SqliteLog::open_as_it_is(data_dir, 1).await.context("opening the log")?;
            (Arc::new(log), Arc::new(store), lacks)
        }
        Mode::Cluster { kafka, database, .. } => {
            let store = store::postgres::PostgresStore::connect(database).await.context("PostgreSQL (DATABASE_URL)")?;
            let log = log::kafka::KafkaLog::attach(kafka).await;
            let log = log.context("Kafka (KAFKA_BROKERS): make the topic first, with as many partitions as before")?;
            (Arc::new(log), Arc::new(store), None)
        }
    })
}

async fn declare(log: &dyn Log, store: &dyn Upkeep, lacks: Option<String>, yes: bool) -> anyhow::Result<Declared> {
    let epoch = store.epoch().await?;
    let (used, there) = (store.partitions_used().await?, log.partitions());
    anyhow::ensure!(used <= there, Misfit::Partitions { used, there });
    let (mut same, mut wrong) = (Vec::new(), None);
    let ranges = log.ranges().await?;
    for partition in 0..there {
        let range = Range::of(partition, &ranges);
        match look(log, store, partition, range, true).await? {
            Look::Same => same.push(partition),
            // An older copy of it.
            Look::Misfit(Misfit::Ahead { end, .. }) if has_tail(log, store, range, partition, end).await? => {
                same.push(partition);
                wrong = wrong.or(Some(Misfit::Older { partition }));
            }
            Look::Misfit(misfit @ (Misfit::Ahead { .. } | Misfit::Another { .. } | Misfit::Gone(_))) => {
                wrong = wrong.or(Some(misfit));
            }
            Look::Misfit(_) | Look::Untold => {}
        }
    }
    let wrong = wrong.or(lacks.map(Misfit::Gone));
    let wrong = wrong.context("store and log belong together: there is nothing to declare")?;
    // Folded again under new positions, what is in them would come twice, and undo what came after it.
    anyhow::ensure!(
        same.is_empty(),
        "{wrong}. But the partitions {same:?} have what the store has folded already: begin with an empty log (move \
         log.db and its companions away, or make the topic anew)"
    );
    if !yes {
        return Ok(Declared::Needed(format!(
            "{wrong}.\n`partyline doctor --new-epoch --yes` ends generation {epoch} of the log and begins generation {}: \
             what the store has stays and comes before, what only the old log had is lost. Then start all nodes again.",
            epoch + 1
        )));
    }
    let begins: Vec<u64> = ranges.iter().map(|range| range.oldest).collect();
    anyhow::ensure!(store.begin_epoch(epoch, &begins).await?, "somebody else has declared a new generation just now");
    Ok(Declared::Done(format!("generation {} of the log has begun: start all nodes again", epoch + 1)))
}

async fn skip(log: &dyn Log, store: &dyn Upkeep, yes: bool) -> anyhow::Result<Declared> {
    let mut told = Vec::new();
    let ranges = log.ranges().await?;
    for partition in 0..log.partitions() {
        let range = Range::of(partition, &ranges);
        let Look::Misfit(Misfit::Forgotten { progress, oldest, .. }) =
            look(log, store, partition, range, false).await?
        else {
            continue;
        };
        if yes {
            // An empty batch: the progress moves, if nobody else has moved it.
            store.fold(partition, progress, oldest, &[]).await?;
        }
        told.push(format!("partition {partition}: {} records from {progress} on", oldest - progress));
    }
    anyhow::ensure!(!told.is_empty(), "the log has everything that is not folded yet: there is nothing to skip");
    let told = told.join("\n");
    Ok(if yes {
        Declared::Done(format!("{told}\nare lost; the store goes on behind them. Start all nodes again"))
    } else {
        Declared::Needed(format!("{told}\nare lost, and `partyline doctor --skip-lost --yes` goes on behind them"))
    })
}
