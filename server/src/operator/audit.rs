//! `partyline audit`: log, archive, rings and projections agree, room by room.
//!
//! - *archive*: each event is the one that was archived (its digest), none is missing and none came in between (the
//!   room's count and hash chain).
//! - *projections*: messages, reactions, pins and members are what folding the archive again gives.
//! - *log*: as far as it goes back, each of its records is in the archive at its place, or known to come to nothing.
//! - *rings*: what they hold is in the archive, and between their ends nothing is missing.
//!
//! Whatever is compared is of one moment: that one side lags behind another is no difference.

use super::Sources;
use crate::{
    fanout::Fanout,
    log::{Entry, Log, Range, event_json},
    store::{Archived, DeadLetter, Placed, Replay, RoomRow, Upkeep, chain},
};
use app::model::{Event, Position, RoomId};
use serde::Serialize;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
};

/// Differences that are told in words; all are counted.
const TOLD: usize = 500;
const READ_AT_ONCE: usize = 1_000;
const LETTERS_AT_ONCE: u32 = 1_000;
/// A room's steps: the bound is for a room whose chain begins anew again and again.
const MOST_STEPS: u64 = 10_000_000;

/// What is looked at.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// One room, by id or slug.
    pub room: Option<String>,
    /// Take missing digests from the log.
    pub fill: bool,
}

/// Something that does not agree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The room, if it is about one.
    pub room: Option<RoomId>,
    /// Between what: `archive`, `projections`, `log`, `ring`.
    pub part: &'static str,
    /// What.
    pub what: String,
}

/// What an audit found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// The log's generation.
    pub epoch: u32,
    /// Rooms that were gone through.
    pub rooms: u64,
    /// Events in their archives.
    pub events: u64,
    /// Messages in their projections.
    pub messages: u64,
    /// Records of the log that were compared.
    pub records: u64,
    /// Events in rings that were compared; `None`: the rings are in the serving process, which audits them itself.
    pub ring_events: Option<u64>,
    /// Events that no chain covers.
    pub unsealed: u64,
    /// Events that were given their digests.
    pub filled: u64,
    /// Records that could not be folded and wait for an operator.
    pub dead_letters: Vec<DeadLetter>,
    /// How many differences there are.
    pub difference_count: u64,
    /// The first of them.
    pub differences: Vec<Difference>,
}

impl Report {
    /// All agrees, and nothing that was acknowledged waits for an operator.
    pub fn is_clean(&self) -> bool {
        self.difference_count == 0 && self.dead_letters.is_empty()
    }

    fn differ(&mut self, room: Option<RoomId>, part: &'static str, what: String) {
        self.difference_count += 1;
        if self.differences.len() < TOLD {
            self.differences.push(Difference { room, part, what });
        }
    }
}

/// Audits an installation.
///
/// # Errors
/// When something cannot be asked: then nothing is known.
pub async fn run(sources: &Sources, scope: &Scope) -> anyhow::Result<Report> {
    let store = &*sources.store;
    let mut report =
        Report { epoch: store.epoch().await?, ring_events: sources.fanout.is_some().then_some(0), ..Report::default() };
    report.dead_letters = dead_letters(store).await?;
    let only = match &scope.room {
        Some(_) => sources.next_rooms(scope.room.as_deref(), None).await?.pop(),
        None => None,
    };
    let mut walked = BTreeMap::new();
    for partition in 0..sources.log.partitions() {
        if only.as_ref().is_none_or(|room| room.partition == partition) {
            let walk = walk(sources, partition, only.as_ref(), scope.fill, &mut report).await?;
            walked.insert(partition, walk);
        }
    }
    let mut last: Option<RoomRow> = None;
    loop {
        let rooms = sources.next_rooms(scope.room.as_deref(), last.as_ref()).await?;
        for room in &rooms {
            let walk = walked.get(&room.partition);
            if walk.is_some_and(|walk| walk.filled.contains(&room.id)) {
                store.seal(room).await?;
            }
            if let Some(walk) = walk {
                counted(store, room, walk, &mut report).await?;
            }
            replayed(store, room, &mut report).await?;
            if let Some(fanout) = &sources.fanout {
                let compared = ring(store, &**fanout, room, &mut report).await?;
                report.ring_events = report.ring_events.map(|n| n + compared);
            }
        }
        match rooms.into_iter().last() {
            Some(room) => last = Some(room),
            None => return Ok(report),
        }
    }
}

async fn dead_letters(store: &dyn Upkeep) -> anyhow::Result<Vec<DeadLetter>> {
    let mut all: Vec<DeadLetter> = Vec::new();
    loop {
        let after = all.last().map(|letter| (letter.partition, letter.at));
        let some = store.dead_letters(after, LETTERS_AT_ONCE).await?;
        if some.is_empty() {
            return Ok(all);
        }
        // Their bytes are not needed here.
        all.extend(some.into_iter().map(|letter| DeadLetter { payload: Vec::new(), ..letter }));
    }
}

/// What the log had of a partition.
#[derive(Default)]
struct Walk {
    epoch: u32,
    from: u64,
    to: u64,
    /// How many records of each room are in the archive.
    matched: HashMap<RoomId, u64>,
    /// Rooms whose events were given digests.
    filled: HashSet<RoomId>,
}

/// Compares the log with the archive up to where the partition was folded when it began.
async fn walk(
    sources: &Sources,
    partition: u32,
    only: Option<&RoomRow>,
    fill: bool,
    report: &mut Report,
) -> anyhow::Result<Walk> {
    let (log, store) = (&*sources.log, &*sources.store);
    let epoch = report.epoch;
    let progress = store.progress(partition).await?;
    let Range { oldest, end } = Range::of(partition, &log.ranges().await?);
    if progress > end || progress < oldest {
        let what = format!(
            "partition {partition} is folded up to {progress}, and the log has the offsets from {oldest} to {end}: see \
             `partyline doctor`"
        );
        report.differ(None, "log", what);
        return Ok(Walk::default());
    }
    let mut walk = Walk { epoch, from: oldest, to: progress, ..Walk::default() };
    let buried: HashSet<u64> = report
        .dead_letters
        .iter()
        .filter(|letter| letter.partition == partition && letter.at.epoch == epoch)
        .map(|letter| letter.at.offset)
        .collect();
    let mut from = oldest;
    while from < progress {
        let entries = log.read(partition, from, READ_AT_ONCE).await?;
        let Some(last) = entries.last() else {
            report.differ(None, "log", format!("partition {partition} ends at {from}, before it did a moment ago"));
            break;
        };
        from = last.offset + 1;
        let entries: Vec<Entry> = entries.into_iter().filter(|e| e.offset < progress).collect();
        let found = stretch(store, (partition, epoch), &entries, only, &buried, report).await?;
        for (room, _, digest) in &found {
            *walk.matched.entry(*room).or_default() += 1;
            if fill && digest.is_some() {
                walk.filled.insert(*room);
            }
        }
        if fill {
            let digests: Vec<_> =
                found.into_iter().filter_map(|(room, at, digest)| Some((room, at, digest?))).collect();
            report.filled += digests.len() as u64;
            store.fill(&digests).await?;
        }
    }
    Ok(walk)
}

/// A record that is in the archive; with the digest that it lacks there.
type Found = (RoomId, Position, Option<chain::Digest>);

/// Compares some records of a partition with the archive.
pub(super) async fn stretch(
    store: &dyn Upkeep,
    (partition, epoch): (u32, u32),
    entries: &[Entry],
    only: Option<&RoomRow>,
    buried: &HashSet<u64>,
    report: &mut Report,
) -> anyhow::Result<Vec<Found>> {
    let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return Ok(Vec::new()) };
    let mut records = Vec::with_capacity(entries.len());
    for entry in entries {
        match Placed::decode(entry) {
            Ok(placed) if only.is_none_or(|room| room.id == placed.record.room) => records.push(placed),
            Ok(_) => {}
            Err(_) if buried.contains(&entry.offset) => {}
            Err(e) => {
                let at = Position::new(epoch, entry.offset);
                report.differ(None, "log", format!("partition {partition} at {at}: {e}, and no dead letter"));
            }
        }
    }
    report.records += records.len() as u64;
    let rooms: HashSet<RoomId> = records.iter().map(|placed| placed.record.room).collect();
    let rooms: Vec<RoomId> = rooms.into_iter().collect();
    let archived = store.archived(&rooms, epoch, first.offset, last.offset + 1).await?;
    let archived: HashMap<(RoomId, u64), Archived> =
        archived.into_iter().map(|event| ((event.room, event.at.offset), event)).collect();
    let mut found = Vec::with_capacity(records.len());
    for placed in records {
        let (room, at) = (placed.record.room, Position::new(epoch, placed.offset));
        let body = event_json(&placed.payload, at)?;
        let digest = chain::digest(&body);
        match archived.get(&(room, placed.offset)) {
            Some(Archived { digest: Some(archived), .. }) if *archived == digest => found.push((room, at, None)),
            Some(Archived { digest: None, body: Some(archived), .. }) if is_same(archived, &body) => {
                found.push((room, at, Some(digest)));
            }
            Some(_) => report.differ(Some(room), "log", format!("the event at {at} is another one in the archive")),
            None if buried.contains(&placed.offset) || store.is_vain(at, &placed).await? => {}
            None => report.differ(Some(room), "log", format!("the log's event at {at} is not in the archive")),
        }
    }
    Ok(found)
}

/// Is it the same event, as far as the version before has kept it, or what deleting has left of it?
fn is_same(archived: &str, logged: &str) -> bool {
    let parse = |text| serde_json::from_str::<Event>(text).ok();
    match (parse(archived), parse(logged)) {
        (Some(archived), Some(logged)) => archived == logged || archived == logged.without_text(),
        _ => false,
    }
}

/// Does the archive have events that the log has not?
async fn counted(store: &dyn Upkeep, room: &RoomRow, walk: &Walk, report: &mut Report) -> anyhow::Result<()> {
    if walk.from >= walk.to {
        return Ok(());
    }
    let there = store.archived_count(room.id, walk.epoch, walk.from, walk.to).await?;
    let matched = walk.matched.get(&room.id).copied().unwrap_or(0);
    if there > matched {
        let what = format!(
            "the archive has {there} events from {} on and before {}, and the log {matched} of them",
            Position::new(walk.epoch, walk.from),
            Position::new(walk.epoch, walk.to)
        );
        report.differ(Some(room.id), "log", what);
    }
    Ok(())
}

/// Goes through a room: archive, chain, projections.
pub(super) async fn replayed(store: &dyn Upkeep, room: &RoomRow, report: &mut Report) -> anyhow::Result<()> {
    let replay = super::rebuild::through(store, room, false).await?;
    report.rooms += 1;
    report.events += replay.events;
    report.messages += replay.messages;
    report.unsealed += replay.unsealed;
    for (part, found) in [("archive", &replay.archive), ("projections", &replay.projections)] {
        let untold = found.count - found.told.len() as u64;
        for what in &found.told {
            report.differ(Some(room.id), part, what.clone());
        }
        if untold > 0 {
            report.differ(Some(room.id), part, format!("and {untold} more"));
            report.difference_count += untold - 1;
        }
    }
    Ok(())
}

/// Compares a room's ring with its archive; how many events.
pub(super) async fn ring(
    store: &dyn Upkeep,
    fanout: &dyn Fanout,
    room: &RoomRow,
    report: &mut Report,
) -> anyhow::Result<u64> {
    let epoch = report.epoch;
    let ring = fanout.ring(room.id, Position::before(epoch)).await?;
    // Asked after the ring: what the ring has beyond it is not folded yet.
    let progress = store.progress(room.partition).await?;
    let in_ring: Vec<_> = ring.events.iter().filter(|e| e.at.epoch == epoch && e.at.offset < progress).collect();
    let (Some(first), Some(last)) = (in_ring.first(), in_ring.last()) else { return Ok(0) };
    let archived = store.archived(&[room.id], epoch, first.at.offset, last.at.offset + 1).await?;
    let mut archived: BTreeMap<Position, Archived> = archived.into_iter().map(|event| (event.at, event)).collect();
    for event in &in_ring {
        let value: Option<serde_json::Value> = serde_json::from_slice(&event.payload).ok();
        let text = value.map(|v| v.to_string()).unwrap_or_default();
        match archived.remove(&event.at) {
            Some(Archived { digest: Some(digest), .. }) if digest == chain::digest(&text) => {}
            Some(Archived { digest: None, body: Some(body), .. }) if is_same(&body, &text) => {}
            Some(_) => report.differ(Some(room.id), "ring", format!("the ring's event at {} is another one", event.at)),
            // It was passed on before anybody knew that it comes to nothing.
            None if comes_to_nothing(store, room, event.at, &text).await? => {}
            None => {
                report.differ(Some(room.id), "ring", format!("the ring's event at {} is not in the archive", event.at))
            }
        }
    }
    for at in archived.into_keys() {
        report.differ(Some(room.id), "ring", format!("the archive's event at {at} is not in the ring"));
    }
    Ok(in_ring.len() as u64)
}

async fn comes_to_nothing(store: &dyn Upkeep, room: &RoomRow, at: Position, event: &str) -> anyhow::Result<bool> {
    Ok(match serde_json::from_str::<Event>(event)?.text_of() {
        // A repetition has its first before it; of an edit in vain the text is nowhere, which is as it should be.
        Some(id) => store.posted(room.id, id).await?.is_none_or(|posted| posted.at < at),
        None => false,
    })
}

/// Bounds the steps through a room.
pub(super) async fn step_through(
    store: &dyn Upkeep,
    room: &RoomRow,
    mend: bool,
    replay: &mut Replay,
) -> anyhow::Result<()> {
    let mut steps = 0;
    while !replay.is_done() {
        steps += 1;
        anyhow::ensure!(steps < MOST_STEPS, "the room {} is written to faster than it can be read", room.id);
        store.replay(room, replay, mend).await?;
    }
    Ok(())
}

/// For people.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for difference in &self.differences {
            let room = difference.room.map(|room| format!("room {room}, ")).unwrap_or_default();
            writeln!(f, "{room}{}: {}", difference.part, difference.what)?;
        }
        let untold = self.difference_count - self.differences.len() as u64;
        if untold > 0 {
            writeln!(f, "and {untold} more")?;
        }
        for letter in &self.dead_letters {
            writeln!(f, "dead letter: partition {} at {}: {}", letter.partition, letter.at, letter.reason)?;
        }
        if self.filled > 0 {
            writeln!(f, "{} events were given their digests from the log", self.filled)?;
        }
        if self.unsealed > 0 {
            writeln!(
                f,
                "{} events are in no hash chain, since the version before wrote them: `partyline audit --fill` adds those \
                 that the log still has",
                self.unsealed
            )?;
        }
        let ring = match self.ring_events {
            Some(n) => format!("{n} events in rings"),
            None => "the rings are in the serving process, which audits them itself".to_owned(),
        };
        writeln!(
            f,
            "{} rooms, {} events, {} messages, {} records of the log (generation {}), {ring}",
            self.rooms, self.events, self.messages, self.records, self.epoch
        )?;
        match (self.difference_count, self.dead_letters.len()) {
            (0, 0) => write!(f, "everything agrees"),
            (0, letters) => write!(f, "everything agrees but {letters} dead letters"),
            (n, _) => write!(f, "{n} differences"),
        }
    }
}

/// As much of the log as one look takes, before where the partition is folded: for the check beside serving.
pub(super) async fn tail(log: &dyn Log, partition: u32, progress: u64) -> anyhow::Result<Vec<Entry>> {
    let oldest = Range::of(partition, &log.ranges().await?).oldest;
    let from = progress.saturating_sub(READ_AT_ONCE as u64).max(oldest);
    if from >= progress {
        return Ok(Vec::new());
    }
    let entries = log.read(partition, from, READ_AT_ONCE).await?;
    Ok(entries.into_iter().filter(|entry| entry.offset < progress).collect())
}
