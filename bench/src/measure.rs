//! A measured window: subscribers, then publishes, and what the server spent meanwhile.

use crate::{
    procstat::{self, Snap},
    publisher::{self, Plan, Published},
    report::{self, Report},
    subscribers::{self, Received, Shared, Spec},
    target::Target,
};
use anyhow::{Result, anyhow, bail};
use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    thread::{JoinHandle, sleep},
    time::{Duration, Instant},
};

/// A server to be measured.
pub struct Server {
    /// What it is called in the tables.
    pub label: String,
    /// How it is spoken to.
    pub target: Arc<dyn Target>,
    /// Its processes; none: nothing is known of its CPU and memory.
    pub pids: Vec<u32>,
}

/// The subscribers, all on one thread: on two cores that takes the least from the server.
pub struct Fleet {
    /// What it is steered by, and counts.
    pub shared: Arc<Shared>,
    thread: JoinHandle<Result<Received>>,
    /// The rooms' names.
    pub rooms: Arc<Vec<String>>,
}

impl Fleet {
    /// `total` subscribers, subscriber i in room i mod rooms; none connects before `grow` asks for it.
    ///
    /// # Errors
    /// If a room has no name.
    pub fn new(c: &Server, total: usize, rooms: usize) -> Result<Self> {
        let run = uuid::Uuid::new_v4().simple().to_string();
        let names: Vec<String> = (0..rooms).map(|i| c.target.room_name(&run, i)).collect::<Result<_>>()?;
        let (rooms_names, shared) = (Arc::new(names), Arc::new(Shared::default()));
        shared.measure_from.store(u64::MAX, Relaxed);
        let specs = (0..total).map(|index| Spec { index, room: (index % rooms) as u32 }).collect();
        let thread = subscribers::spawn(c.target.clone(), specs, rooms_names.clone(), shared.clone());
        Ok(Self { shared, thread, rooms: rooms_names })
    }

    /// Until so many are connected and subscribed, or failed to; says how many seconds it took.
    ///
    /// # Errors
    /// If that takes longer than two minutes.
    pub fn grow(&self, to: usize) -> Result<f64> {
        let began = Instant::now();
        self.shared.want.store(to as u64, Relaxed);
        loop {
            let (ready, failed) = (self.shared.ready.load(Relaxed), self.shared.failed.load(Relaxed));
            if ready + failed >= to as u64 {
                return Ok(began.elapsed().as_secs_f64());
            }
            if began.elapsed() > Duration::from_secs(120) {
                bail!("{ready} of {to} subscribers after 120 s, {failed} failed");
            }
            if self.thread.is_finished() {
                bail!("the receiving thread ended");
            }
            sleep(Duration::from_millis(1));
        }
    }

    /// Closes them all; what they have received.
    ///
    /// # Errors
    /// If receiving failed.
    pub fn finish(self) -> Result<Received> {
        self.shared.stop.store(true, Relaxed);
        self.thread.join().unwrap_or_else(|_| Err(anyhow!("the receiving thread panicked")))
    }
}

/// What every measured window has in common: CPU of the servers, of this program, of everybody else.
fn window(r: &mut Report, a: &Snap, b: &Snap, pids: &[u32]) -> f64 {
    let secs = (b.at - a.at).as_secs_f64();
    let (user, sys) = (b.server.0 - a.server.0, b.server.1 - a.server.1);
    let own = b.own.0 + b.own.1 - a.own.0 - a.own.1;
    r.num("server_cores", (user + sys) / secs);
    r.num("loadgen_cores", own / secs);
    r.num("others_cores", ((b.machine.busy - a.machine.busy - user - sys - own) / secs).max(0.0));
    r.num("rss_mib", procstat::rss_of(pids) as f64 / 1048576.0);
    user + sys
}

/// `total` connections spread over `rooms`, which then only stand: what each costs in memory.
///
/// # Errors
/// If they cannot be made.
pub fn idle(c: &Server, scenario: &str, total: usize, rooms: usize) -> Result<Report> {
    let fleet = Fleet::new(c, total, rooms)?;
    let base = procstat::rss_of(&c.pids);
    let mut r = report::base(&c.label, scenario);
    let a = procstat::snap(&c.pids);
    let secs = fleet.grow(total)?;
    let b = procstat::snap(&c.pids);
    let cpu = window(&mut r, &a, &b, &c.pids);
    r.num("connects_per_s", total as f64 / secs);
    r.num("server_us_per_connect", cpu * 1e6 / total as f64);
    sleep(Duration::from_secs(3));
    let a = procstat::snap(&c.pids);
    sleep(Duration::from_secs(3));
    let b = procstat::snap(&c.pids);
    r.num("idle_server_cores", (b.server.0 + b.server.1 - a.server.0 - a.server.1) / (b.at - a.at).as_secs_f64());
    let ready = fleet.shared.ready.load(Relaxed) - fleet.shared.dropped.load(Relaxed);
    r.set("missed", total as u64 - ready);
    let grown = procstat::rss_of(&c.pids).saturating_sub(base);
    r.num("rss_per_conn_kib", grown as f64 / 1024.0 / ready.max(1) as f64);
    r.num("rss_mib", procstat::rss_of(&c.pids) as f64 / 1048576.0);
    if let Some(error) = fleet.finish()?.first_error {
        r.set("first_error", error);
    }
    Ok(r)
}

/// What is published, and to whom.
pub struct Load {
    /// What the reports call it.
    pub scenario: String,
    /// Rooms that are published to in turn.
    pub rooms: usize,
    /// Subscribers, spread over the rooms.
    pub subs: usize,
    /// When and how much.
    pub plan: Plan,
    /// Seconds without an arrival after which what is missing counts as missed.
    pub drain_s: f64,
}

/// How many deliveries what was acknowledged should come to, with `subs` spread over `rooms` in turn.
pub fn expected(published: &Published, subs: usize, rooms: usize) -> u64 {
    let listeners = |room: usize| (subs / rooms + usize::from(room < subs % rooms)) as u64;
    published.per_room.iter().enumerate().map(|(room, count)| count * listeners(room)).sum()
}

/// Of fewer subscribers each one's memory is lost in what the server's own comes and goes by.
const MANY: usize = 1_000;

/// Subscribers first, then publishes; ends when everything acknowledged has arrived, or nothing more does.
pub fn load(c: &Server, l: &Load) -> Result<Report> {
    let mut r = report::base(&c.label, &l.scenario);
    let fleet = Fleet::new(c, l.subs, l.rooms)?;
    let base = procstat::rss_of(&c.pids);
    // one into every room first: a server may refuse the rest of a crowd while it still opens the room
    fleet.grow(l.rooms.min(l.subs))?;
    fleet.grow(l.subs)?;
    sleep(Duration::from_millis(500));
    if l.subs >= MANY {
        let grown = procstat::rss_of(&c.pids).saturating_sub(base);
        r.num("rss_per_conn_kib", grown as f64 / 1024.0 / l.subs as f64);
    }

    let p: Published = publisher::run(&*c.target, &fleet.rooms, &c.pids, &l.plan, &fleet.shared)?;
    let expected = expected(&p, l.subs, l.rooms);
    let (mut last, mut since) = (0, Instant::now());
    let mut end = procstat::snap(&c.pids);
    loop {
        let got = fleet.shared.unique.load(Relaxed);
        if got != last {
            (last, since) = (got, Instant::now());
            end = procstat::snap(&c.pids);
        }
        if got >= expected || since.elapsed().as_secs_f64() > l.drain_s {
            break;
        }
        sleep(Duration::from_millis(2));
    }
    // a moment more, so that a duplicate of the last message is still seen
    sleep(Duration::from_millis(300));
    let cpu = window(&mut r, &p.start, &end, &c.pids);
    let secs = (end.at - p.start.at).as_secs_f64();
    let lost = fleet.shared.dropped.load(Relaxed) + fleet.shared.failed.load(Relaxed);
    let received = fleet.finish()?;
    let unique = received.unique;
    r.set("connections_lost", lost);
    r.set("publish_failed", p.failed);
    r.num("acks_per_s", p.acked as f64 / p.window_s);
    r.hist("ack", &p.ack);
    r.hist("send_lag", &p.lag);
    r.num("server_us_per_publish", cpu * 1e6 / p.acked.max(1) as f64);
    if l.subs > 0 {
        r.set("missed", expected.saturating_sub(unique));
        r.set("duplicate", received.duplicate);
        let disordered = if l.plan.takes_turns(l.rooms) { 0 } else { received.out_of_order };
        r.set("out_of_order", disordered + received.misrouted);
        r.num("deliveries_per_s", unique as f64 / secs);
        r.num("server_us_per_delivery", cpu * 1e6 / unique.max(1) as f64);
        r.num("bytes_per_delivery", received.bytes as f64 / unique.max(1) as f64);
        r.num("frames_per_read", received.frames as f64 / received.reads.max(1) as f64);
        r.hist("latency", &received.latency);
        r.hist("latency_due", &received.latency_due);
    }
    let error = p.first_error.or(received.first_error);
    if let Some(error) = error {
        r.set("first_error", error);
    }
    Ok(r)
}
