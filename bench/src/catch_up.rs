//! How fast a store that is behind comes up to what the log has.
//!
//! In a cluster, nodes without `persist` take the records, then one with it starts. Embedded, one process is all: it takes
//! the records, ends, gets back the store that it had before, as from a backup, and starts again. What is measured is the
//! same: from the first record that is seen to be folded to the last.

use crate::{
    database, floor,
    program::{Mode, Place, Program},
    publisher::{self, Plan},
    report::{self, Report},
    subscribers::Shared,
    target::Target,
    targets::Partyline,
    timed::Asker,
};
use anyhow::{Context, Result, bail, ensure};
use rusqlite::{Connection, OpenFlags};
use std::{
    path::Path,
    sync::Arc,
    thread::sleep,
    time::{Duration, Instant},
};

/// Over so many partitions' rooms.
const ROOMS: usize = 100;
const LOOK_EVERY: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(600);

/// Partyline, and the floor beneath it: the same rows by a bare loop.
///
/// # Errors
/// If nodes cannot be started, or the store does not come up to the log.
pub fn measure(program: &Path, mode: Mode, records: u64, text_bytes: usize, scenario: &str) -> Result<Vec<Report>> {
    let place = Place::new(program, mode)?;
    match mode {
        Mode::Embedded => embedded(&place, records, text_bytes, scenario),
        Mode::Cluster => cluster(&place, records, text_bytes, scenario),
    }
}

fn embedded(place: &Place, records: u64, text_bytes: usize, scenario: &str) -> Result<Vec<Report>> {
    let (store, kept) = (place.folder().join("store.db"), tempfile::tempdir()?);
    let kept = kept.path().join("store.db");
    let first = place.start()?;
    let target = Partyline::prepare(&[first.addr], ROOMS)?;
    // Ended, so that the one file is all of it.
    drop(first);
    checkpoint(&store)?;
    std::fs::copy(&store, &kept)?;
    let second = place.start()?;
    publish(&target.moved_to(second.addr), records, text_bytes)?;
    drop(second);
    for end in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(place.folder().join(format!("store.db{end}")));
    }
    std::fs::copy(&kept, &store)?;
    let reader = Connection::open_with_flags(&store, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let progress = || {
        let query = "select coalesce(sum(next_offset), 0) from progress";
        let sum: i64 = reader.query_row(query, [], |row| row.get(0))?;
        Ok(sum.unsigned_abs())
    };
    let before = progress()?;
    let mut third = place.begin("web,persist,relay")?;
    // Messages are what is missing; the start itself writes nothing into the log.
    let rate = rate(before, records, progress)?;
    third.ready()?;
    let there: i64 = reader.query_row("select count(*) from messages where body like 't=%'", [], |row| row.get(0))?;
    drop((reader, third));
    checkpoint(&store)?;
    let floor = floor::rows::sqlite(&store, records, scenario)?;
    Ok(vec![floor, done(Mode::Embedded, scenario, rate, records, there.unsigned_abs())])
}

fn cluster(place: &Place, records: u64, text_bytes: usize, scenario: &str) -> Result<Vec<Report>> {
    let whole = place.start()?;
    let target = Partyline::prepare(&[whole.addr], ROOMS)?;
    let settled = |node: &Program| persisted(&mut Asker::connect(node.addr)?);
    let mut before = (0, Instant::now());
    // What made the people and rooms is folded once nothing more comes.
    while before.1.elapsed() < Duration::from_secs(1) {
        let now = settled(&whole)?;
        if now != before.0 {
            before = (now, Instant::now());
        }
        sleep(LOOK_EVERY);
    }
    drop(whole);
    let mut web = place.begin("web")?;
    web.ready()?;
    publish(&target.moved_to(web.addr), records, text_bytes)?;
    let mut persist = place.begin("persist")?;
    persist.ready()?;
    let mut asker = Asker::connect(persist.addr)?;
    let rate = rate(0, records, || persisted(&mut asker))?;
    let there = database::psql(&place.database()?, "select count(*) from messages where body like 't=%'")?;
    drop((persist, web));
    let floor = floor::rows::postgres(&place.database()?, records, scenario)?;
    Ok(vec![floor, done(Mode::Cluster, scenario, rate, records, there.trim().parse().context("a number of rows")?)])
}

fn done(mode: Mode, scenario: &str, rate: f64, records: u64, there: u64) -> Report {
    let mut report = report::base(mode.label(), scenario);
    report.num("records_per_s", rate);
    report.set("missed", records.saturating_sub(there));
    report.set("duplicate", there.saturating_sub(records));
    report
}

fn publish(target: &Partyline, records: u64, text_bytes: usize) -> Result<()> {
    let rooms: Vec<String> = (0..ROOMS).map(|i| target.room_name("", i)).collect::<Result<_>>()?;
    let plan = Plan {
        rate: 0.0,
        conns: 64,
        warmup_s: 0.0,
        measure_s: PATIENCE.as_secs_f64(),
        payload: text_bytes,
        most: records,
        first: 0,
    };
    let published = publisher::run(target, &rooms, &[], &plan, &Arc::new(Shared::default()))?;
    if let Some(error) = published.first_error {
        bail!("publishing: {error}");
    }
    ensure!(published.acked == records, "{} of {records} records were acknowledged", published.acked);
    Ok(())
}

/// Records a second from the first look that shows one done to the one that shows all.
fn rate(before: u64, records: u64, mut done: impl FnMut() -> Result<u64>) -> Result<f64> {
    let (began, mut first) = (Instant::now(), None);
    loop {
        let (count, now) = (done()?.saturating_sub(before), Instant::now());
        match first {
            None if count > 0 => first = Some((count, now)),
            _ => {}
        }
        if let Some((at_first, since)) = first
            && count >= records
        {
            ensure!(at_first < records, "all was folded before the first look: give more records");
            return Ok((count - at_first) as f64 / (now - since).as_secs_f64());
        }
        ensure!(began.elapsed() < PATIENCE, "after {PATIENCE:?} the store had {count} of {records} records");
        sleep(LOOK_EVERY);
    }
}

/// Records that a node has folded since it started.
fn persisted(asker: &mut Asker) -> Result<u64> {
    let answer = asker.get("/metrics", None)?;
    let text = String::from_utf8_lossy(&answer.body);
    let lines = text.lines().filter(|line| line.starts_with("partyline_persisted_records_total"));
    Ok(lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum())
}

/// Everything into the one file.
fn checkpoint(store: &Path) -> Result<()> {
    let db = Connection::open_with_flags(store, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    db.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(()))?;
    Ok(())
}
