//! `partyline rebuild`: messages, reactions, pins and members as the archive says.
//!
//! The archive is folded again beside the rows that readers get, room by room and
//! page by page; each page is compared and put right in a transaction of its own
//! that holds off the partition's folding. So nothing can slip in between, nobody
//! waits longer than for a page, and it may be interrupted at any moment: what
//! was mended stays right, the rest is mended by the next run.

use super::{Sources, audit};
use crate::store::{Replay, RoomRow, Upkeep, chain::Digest};
use app::model::RoomId;
use serde::Serialize;
use std::fmt;

mod archive;

/// Rooms that are told one by one.
const TOLD: usize = 500;

/// A room in which something was put right.
#[derive(Clone, Debug, Serialize)]
pub struct Mended {
    /// The room.
    pub room: RoomId,
    /// How many rows.
    pub rows: u64,
    /// SHA-256 over the rows before.
    pub before: String,
    /// And after: of what the archive says.
    pub after: String,
    /// What was wrong, the first of it.
    pub what: Vec<String>,
}

/// What a rebuilding did.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Rooms that were gone through.
    pub rooms: u64,
    /// Their messages.
    pub messages: u64,
    /// Events of the archive that were put right from the log.
    pub events: u64,
    /// Rows that were put right.
    pub rows: u64,
    /// Where, the first of them.
    pub mended: Vec<Mended>,
    /// What is wrong with the archive itself, which this command cannot mend.
    pub archive: Vec<String>,
}

/// Rebuilds one room or all; with `from_log`, the archive is first put right from the log.
///
/// # Errors
/// When something cannot be asked; what was mended so far stays.
pub async fn run(sources: &Sources, room: Option<&str>, from_log: bool) -> anyhow::Result<Report> {
    let mut report = Report::default();
    if from_log {
        report.events = archive::put_right(sources, room).await?;
    }
    let mut last: Option<RoomRow> = None;
    loop {
        let rooms = sources.next_rooms(room, last.as_ref()).await?;
        for room in &rooms {
            let replay = through(&*sources.store, room, true).await?;
            report.rooms += 1;
            report.messages += replay.messages;
            report.rows += replay.mended;
            if replay.mended > 0 && report.mended.len() < TOLD {
                let (before, after) = replay.digests();
                report.mended.push(Mended {
                    room: room.id,
                    rows: replay.mended,
                    before: hex(&before),
                    after: hex(&after),
                    what: replay.projections.told,
                });
            }
            if report.archive.len() < TOLD {
                report.archive.extend(replay.archive.told.into_iter().map(|what| format!("room {}: {what}", room.id)));
            }
        }
        match rooms.into_iter().last() {
            Some(room) => last = Some(room),
            None => return Ok(report),
        }
    }
}

/// Goes through a room, looking or mending.
pub(super) async fn through(store: &dyn Upkeep, room: &RoomRow, mend: bool) -> anyhow::Result<Replay> {
    let mut replay = Replay::new();
    audit::step_through(store, room, mend, &mut replay).await?;
    Ok(replay)
}

fn hex(digest: &Digest) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// For people.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for room in &self.mended {
            writeln!(
                f,
                "room {}: {} rows put right ({} → {})",
                room.room,
                room.rows,
                &room.before[..12],
                &room.after[..12]
            )?;
            for what in &room.what {
                writeln!(f, "  {what}")?;
            }
        }
        for what in &self.archive {
            writeln!(f, "not mended, archive: {what}")?;
        }
        if self.events > 0 {
            writeln!(f, "{} events of the archive put right from the log", self.events)?;
        }
        write!(f, "{} rooms, {} messages, {} rows put right", self.rooms, self.messages, self.rows)
    }
}
