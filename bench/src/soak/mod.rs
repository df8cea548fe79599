//! The same realistic mix for a long time: does memory grow, is anything lost, does what was opened get closed?

mod judge;
mod slow;
mod visitors;

use crate::{
    document,
    measure::{Fleet, Server, expected},
    plot::{Axis, Line, Plot},
    procstat,
    program::{Mode, Place},
    publisher::{self, Plan},
    scenario::TEXT_BYTES,
    targets::Partyline,
};
use anyhow::{Result, anyhow, bail};
use clap::Args;
use judge::{Outcome, Sample, per_hour, settled, trend};
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::sleep,
    time::{Duration, Instant},
};

const ROOMS: usize = 50;
const SUBS: usize = 1_000;
const MESSAGES_PER_SECOND: f64 = 100.0;
/// In each room before the time begins: more than a node or the fan-out keeps of a room in memory (1,024 events), so that
/// what grows later is not that.
const FIRST_IN_EACH_ROOM: u64 = 1_100;
/// A divisor of the rooms: each room's messages go through one connection, in order.
const PUBLISHERS: usize = 10;
/// Sockets that leave and come back.
const CHURN_PER_SECOND: u64 = 20;
const SLOW_READERS: usize = 5;
/// A third of how long an access token lives; everybody has come back once in less.
const RENEW_EVERY: Duration = Duration::from_secs(300);
/// Nothing new has come for so long: what is missing is missed.
const DRAINED_AFTER: Duration = Duration::from_secs(15);
/// Until descriptors have to be closed again: longer than the server waits for a silent peer.
const CLOSED_WITHIN: Duration = Duration::from_secs(60);

/// How long, and of what.
#[derive(Args)]
pub struct Soak {
    /// How long, in minutes: at least 30 to be judged strictly; the first third, or 21 minutes, are not judged for growth
    #[arg(long, default_value_t = 30.0)]
    minutes: f64,
    /// A cluster of one node on the services of `end2end/services env`, instead of the embedded Partyline
    #[arg(long)]
    cluster: bool,
    /// Seconds between two looks at the process
    #[arg(long, default_value_t = 10.0)]
    every: f64,
    /// The folder of GROWTH.md and of growth/, which has the plot
    #[arg(long, default_value = "end2end")]
    out: PathBuf,
}

/// Runs, judges, and writes its part of the document.
///
/// # Errors
/// If anything is wrong: the text says what.
pub fn run(program: &Path, soak: &Soak) -> Result<()> {
    let mode = if soak.cluster { Mode::Cluster } else { Mode::Embedded };
    let place = Place::new(program, mode)?;
    let node = place.start()?;
    let pid = node.pid();
    let target = Arc::new(Partyline::prepare(&[node.addr], ROOMS)?);
    let server = Server { label: mode.label().into(), target: target.clone(), pids: vec![pid] };
    let before = procstat::open_of(pid)?.0;
    let stop = Arc::new(AtomicBool::new(false));
    let fleet = Fleet::new(&server, SUBS, ROOMS)?;
    fleet.grow(SUBS)?;
    fleet.shared.churn.store(CHURN_PER_SECOND, Relaxed);
    let readers = visitors::spawn(node.addr, target.clone(), ROOMS, stop.clone());
    let slow = slow::spawn(target.clone(), SLOW_READERS, ROOMS, stop.clone());
    let plan = Plan {
        rate: MESSAGES_PER_SECOND,
        conns: PUBLISHERS,
        warmup_s: 2.0,
        measure_s: soak.minutes * 60.0,
        payload: TEXT_BYTES,
        most: u64::MAX,
        first: FIRST_IN_EACH_ROOM * ROOMS as u64,
    };
    let publisher = {
        let (target, shared, rooms) = (target.clone(), fleet.shared.clone(), fleet.rooms.clone());
        std::thread::spawn(move || publisher::run(&*target, &rooms, &[], &plan, &shared))
    };
    while fleet.shared.measure_from.load(Relaxed) == u64::MAX && !publisher.is_finished() {
        sleep(Duration::from_millis(50));
    }
    let (began, mut samples) = (Instant::now(), vec![]);
    let (mut next, mut renew) = (began, began);
    while !publisher.is_finished() {
        if Instant::now() >= next {
            let (files, threads) = procstat::open_of(pid)?;
            let (at_s, rss) = (began.elapsed().as_secs_f64(), procstat::rss_of(&[pid]) as f64);
            eprintln!("{at_s:.0} s: {:.1} MiB, {files} files, {threads} threads", rss / 1_048_576.0);
            samples.push(Sample { at_s, rss, files, threads });
            next += Duration::from_secs_f64(soak.every.max(0.1));
        }
        if Instant::now() >= renew {
            target.renew()?;
            renew += RENEW_EVERY;
        }
        sleep(Duration::from_millis(50));
    }
    let published = publisher.join().unwrap_or_else(|_| Err(anyhow!("the publisher panicked")))?;
    let expected = expected(&published, SUBS, ROOMS);
    drained(&fleet, expected);
    stop.store(true, Relaxed);
    let visits = readers.join().unwrap_or_default();
    let slow = slow.join().unwrap_or_default();
    let lost = fleet.shared.dropped.load(Relaxed) + fleet.shared.failed.load(Relaxed);
    let resumed = fleet.shared.resumed.load(Relaxed);
    let received = fleet.finish()?;
    let outcome = Outcome {
        samples,
        messages_per_s: MESSAGES_PER_SECOND,
        missed: expected.saturating_sub(received.unique),
        doubled: received.duplicate,
        disordered: received.out_of_order + received.misrouted,
        failed: published.failed,
        lost,
        wrong_answer: published.first_error.or(visits.wrong).or(slow.wrong).or(received.first_error),
        files: (before, closed(pid, before)?),
    };
    let did = [
        ("messages", published.acked),
        ("deliveries", received.unique),
        ("came back and resumed", resumed),
        ("pages of history", visits.reads),
        ("edits", visits.edits),
        ("slow readers ended by the server", slow.ended),
    ];
    let faults = outcome.faults();
    let (part, file) = match mode {
        Mode::Embedded => ("soak-embedded", "soak-embedded.svg"),
        Mode::Cluster => ("soak-cluster", "soak-cluster.svg"),
    };
    let text = text(mode, soak, &outcome, &did, file);
    println!("{text}");
    document::put(&soak.out, part, &text, &[(file.to_owned(), plot(mode, &outcome).svg())])?;
    if !faults.is_empty() {
        bail!("the soak found something: {}", faults.join("; "));
    }
    Ok(())
}

/// Waits until everything has arrived, or nothing more does.
fn drained(fleet: &Fleet, expected: u64) {
    let (mut last, mut since) = (0, Instant::now());
    while last < expected && since.elapsed() < DRAINED_AFTER {
        let got = fleet.shared.unique.load(Relaxed);
        if got != last {
            (last, since) = (got, Instant::now());
        }
        sleep(Duration::from_millis(20));
    }
    // A moment more, so that a duplicate of the last message is still seen.
    sleep(Duration::from_millis(500));
}

/// Descriptors that are open once they are few enough, or it was waited long enough for that.
fn closed(pid: u32, before: u64) -> Result<u64> {
    let began = Instant::now();
    loop {
        let now = procstat::open_of(pid)?.0;
        if now <= before + judge::KEPT_FILES || began.elapsed() > CLOSED_WITHIN {
            return Ok(now);
        }
        sleep(Duration::from_millis(500));
    }
}

fn text(mode: Mode, soak: &Soak, outcome: &Outcome, did: &[(&str, u64)], file: &str) -> String {
    let most = outcome.bound();
    let rise = trend(settled(&outcome.samples)).map_or(f64::NAN, |(_, rise)| rise);
    let faults = outcome.faults();
    let verdict =
        if faults.is_empty() { "Sound.".to_owned() } else { format!("**Not sound**: {}.", faults.join("; ")) };
    let threads = outcome.samples.iter().map(|sample| sample.threads);
    let files = outcome.samples.iter().map(|sample| sample.files).max().unwrap_or(0);
    let rows: Vec<_> = did.iter().map(|(what, count)| vec![(*what).to_owned(), count.to_string()]).collect();
    format!(
        "## {} minutes of the same: {}\n\n{SUBS} subscribers of {ROOMS} rooms, {MESSAGES_PER_SECOND} messages a second;\n\
         {CHURN_PER_SECOND} sockets a second leave and come back to resume, {SLOW_READERS} readers follow every room and hardly \
         read, pages\n\
         of history are read, messages edited. Before that each room got {FIRST_IN_EACH_ROOM} messages, more than is kept of it\n\
         in memory. Who posted what is known for twenty minutes: so long memory rises, in steps where a table doubles.\n\
         {verdict}\n\n![Memory over time](growth/{file})\n\n\
         Memory from minute {:.0} on: {:+.1} MiB an hour by least squares, at most {:.0} are sound (`bound` in\n\
         `bench/src/soak/judge.rs` says why). Missed {}, doubled {}, disordered {}, failed {}, lost connections {}. Files: {} before, {files} at\n\
         most, {} after all had gone. Threads: {} to {}.\n\n{}",
        soak.minutes,
        mode.label(),
        settled(&outcome.samples).first().map_or(0.0, |first| first.at_s / 60.0),
        per_hour(rise),
        per_hour(most),
        outcome.missed,
        outcome.doubled,
        outcome.disordered,
        outcome.failed,
        outcome.lost,
        outcome.files.0,
        outcome.files.1,
        threads.clone().min().unwrap_or(0),
        threads.max().unwrap_or(0),
        document::table(&["what happened", "how often"], &rows)
    )
}

fn plot(mode: Mode, outcome: &Outcome) -> Plot {
    let minutes = |at_s: f64| at_s / 60.0;
    let mib = |bytes: f64| bytes / 1_048_576.0;
    let samples = &outcome.samples;
    let mut lines = vec![Line::new("resident", samples.iter().map(|s| (minutes(s.at_s), mib(s.rss))).collect())];
    let judged = settled(samples);
    if let (Some((begin, rise)), Some(first), Some(last)) = (trend(judged), judged.first(), judged.last()) {
        let at = |s: &Sample| (minutes(s.at_s), mib(begin + rise * s.at_s));
        lines.push(Line::floor("trend", vec![at(first), at(last)]));
    }
    Plot {
        title: format!("Memory over time: {}", mode.label()),
        x: Axis::linear("minutes"),
        y: Axis::linear("MiB resident"),
        lines,
    }
}
