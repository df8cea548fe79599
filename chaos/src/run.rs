//! Rounds of faults under load: break, heal, wait until everything works, go on.
//! At the end all is quiet, everything is read back, and the oracle judges.

use crate::{
    client::{Dice, Mood, Person, RoomRef, Watcher, reader::Reader},
    fault::{Fault, How, Plan, Round, Target},
    history::{Node, Recorder, What},
    load::{Load, Scale, Watching},
    oracle::{self, Verdict},
    position::Position,
    proxy::Way,
    stage::{Installation, Mode, Services, installation::Paths},
};
use anyhow::{Context, bail};
use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;

/// How long an installation may take to work again after everything is healed.
const RECOVERY: Duration = Duration::from_secs(120);
/// Before the first round, and between healing and the next.
const CALM: Duration = Duration::from_millis(300);
const POLL: Duration = Duration::from_millis(10);
/// How often somebody looks at the newest messages of some room.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A store so far away that a held node is likely to be held while it writes.
const FAR: Way = Way::Delayed(Duration::from_millis(40));
/// Sockets of an ended session close within this.
const SESSION_END: Duration = Duration::from_secs(1);
/// So many messages are written while two versions serve side by side, before the next node is replaced.
const SIDE_BY_SIDE: u64 = 300;
/// A socket that is not closed by then is waited for no longer: longer than a heartbeat, at which it would be at last.
const NEVER: Duration = Duration::from_secs(30);
/// How long a change of members is tried while things are broken.
const INSIST: Duration = Duration::from_secs(60);

/// What to do.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The dice's.
    pub seed: u64,
    /// At most so many rounds.
    pub rounds: u32,
    /// No round begins later than this.
    pub time: Duration,
    /// Which kind of installation.
    pub mode: Mode,
    /// Where things are.
    pub paths: Paths,
    /// Which kinds of fault; empty: all.
    pub only: Vec<String>,
    /// How many people.
    pub scale: Scale,
    /// A promise that the program is told to break.
    pub sabotage: Option<String>,
}

/// How long it took after healing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Recovery {
    /// Until the first message that was sent after it was acknowledged.
    pub posted: Duration,
    /// Until somebody was shown it.
    pub shown: Duration,
    /// Until all rooms, all watchers, the store and all parts worked again.
    pub all: Duration,
}

/// What came of it.
#[derive(Debug)]
pub struct Report {
    /// What the oracle says.
    pub verdict: Verdict,
    /// By kind of fault, of the rounds it was in.
    pub recoveries: BTreeMap<&'static str, Vec<Recovery>>,
    /// How many rounds.
    pub rounds: u32,
    /// What took longer than promised.
    pub late: Vec<String>,
    /// How long it all took.
    pub took: Duration,
    /// What was written down.
    pub history: PathBuf,
}

struct Run {
    installation: Installation,
    load: Load,
    eve: Eve,
    slow: usize,
    dice: Dice,
    partitions: u32,
    late: Vec<String>,
    looking: Option<AbortOnDropHandle<()>>,
    recoveries: BTreeMap<&'static str, Vec<Recovery>>,
    rounds: u32,
    begun: Instant,
}

/// A member of the first room who is removed and let in again, and whose sessions are ended.
struct Eve {
    person: Person,
    /// Indexes among the load's watchers.
    watchers: Vec<usize>,
}

/// Runs it all.
///
/// # Errors
/// Something could not be tried, or did not work again after it was healed.
pub async fn run(settings: Settings) -> anyhow::Result<Report> {
    let mut dice = Dice::new(settings.seed);
    // Forked first: the plan depends on the seed alone.
    let mut plan = Plan::new(settings.mode, settings.only.clone(), dice.fork());
    let mut run = Run::begin(&settings, dice).await?;
    while run.rounds < settings.rounds && run.begun.elapsed() < settings.time {
        let round = plan.round();
        let number = run.rounds + 1;
        let recovery = run.round(number, &round).await.with_context(|| format!("round {number}"))?;
        let kinds = round.faults.iter().map(Fault::kind);
        run.survived(if round.faults.is_empty() { vec!["none"] } else { kinds.collect() }, recovery);
    }
    run.end().await
}

/// Replaces a running older program by the one under test, node by node, each asked to end (SIGTERM) under load. In
/// between, both serve side by side.
///
/// # Errors
/// As [`run`].
pub async fn upgrade(settings: Settings, previous: PathBuf) -> anyhow::Result<Report> {
    let newer = settings.paths.program.clone();
    let older = Settings { paths: Paths { program: previous, ..settings.paths.clone() }, ..settings };
    let mut run = Run::begin(&older, Dice::new(older.seed)).await?;
    for index in 0..run.installation.nodes.len() {
        let name = run.installation.nodes[index].name.clone();
        run.note(&format!("{name} is replaced"));
        run.installation.nodes[index].end().await?;
        run.installation.nodes[index].use_program(&newer);
        run.installation.start_node(index).await?;
        let recovery = run.recover().await.with_context(|| format!("after {name} was replaced"))?;
        run.survived(vec!["upgrade"], recovery);
        let target = run.load.acknowledged.count() + SIDE_BY_SIDE;
        run.load.until_acknowledged(target, RECOVERY).await?;
    }
    run.end().await
}

impl Run {
    /// Starts everything and sets everyone to work.
    async fn begin(settings: &Settings, mut dice: Dice) -> anyhow::Result<Self> {
        let begun = Instant::now();
        let installation = Installation::start(settings.mode, &settings.paths, settings.sabotage.as_deref()).await?;
        let history = settings.paths.dir.join("history.jsonl");
        let recorder = Arc::new(Recorder::create(&history).context("making the history")?);
        let mut load = Load::begin(installation.site.clone(), recorder, settings.scale, dice.fork()).await?;
        let (site, recorder) = (load.site.clone(), load.recorder.clone());
        let eve = site.register(0, "eve").await?;
        let room = load.rooms[0];
        site.add(0, room, &load.owner, &eve.username).await?;
        let mut watchers = Vec::new();
        for node in 0..site.nodes.len().min(2) {
            watchers.push(load.watchers().len());
            load.joins(Watching::begin(vec![0], |mood| {
                Watcher::new(site.clone(), recorder.clone(), eve.clone(), vec![room], dice.fork(), mood)
                    .at(node as Node)
                    .since(Position::START)
            }));
        }
        let slow = load.watchers().len();
        let rooms = load.rooms.clone();
        load.joins(Watching::begin((0..rooms.len()).collect(), |mood| {
            Watcher::new(site, recorder, load.owner.clone(), rooms, dice.fork(), mood).since(Position::START)
        }));
        let eve = Eve { person: eve, watchers };
        let mut run = Self {
            installation,
            load,
            eve,
            slow,
            dice,
            // What a node makes at its first start.
            partitions: 64,
            late: Vec::new(),
            looking: None,
            recoveries: BTreeMap::new(),
            rounds: 0,
            begun,
        };
        run.looking = Some(run.look());
        run.load.until_acknowledged(50, RECOVERY).await?;
        Ok(run)
    }

    fn survived(&mut self, kinds: Vec<&'static str>, recovery: Recovery) {
        self.rounds += 1;
        for kind in kinds {
            self.recoveries.entry(kind).or_default().push(recovery);
        }
    }

    /// All is quiet, all is read back, and judged.
    async fn end(mut self) -> anyhow::Result<Report> {
        drop(self.looking.take());
        let history = self.load.recorder.path().to_owned();
        self.load.end().await?;
        drop(self.installation);
        let judged = history.clone();
        let verdict = tokio::task::spawn_blocking(move || oracle::judge(&judged)).await.context("judging")??;
        let (recoveries, rounds, late) = (self.recoveries, self.rounds, self.late);
        Ok(Report { verdict, recoveries, rounds, late, took: self.begun.elapsed(), history })
    }

    /// Somebody who looks at the newest messages of some room at some node, again and again.
    fn look(&mut self) -> AbortOnDropHandle<()> {
        let (site, recorder, person) = (self.load.site.clone(), self.load.recorder.clone(), self.load.owner.clone());
        let (rooms, mut dice) = (self.load.rooms.clone(), self.dice.fork());
        AbortOnDropHandle::new(tokio::spawn(async move {
            let client = recorder.client(&person.username);
            let reader = Reader { site: &site, recorder: &recorder, client, person: &person };
            let mut every = tokio::time::interval(LOOK_EVERY);
            loop {
                every.tick().await;
                let (room, node) = (*dice.one_of(&rooms), dice.below(site.nodes.len()) as Node);
                // A node that is broken just now says nothing.
                let _ = reader.newest(room, node, 10).await;
            }
        }))
    }

    async fn round(&mut self, number: u32, round: &Round) -> anyhow::Result<Recovery> {
        let names: Vec<String> = round.faults.iter().map(Fault::to_string).collect();
        self.note(&format!("round {number}: {} for {:?}", names.join(" + "), round.hold));
        for fault in &round.faults {
            sleep(self.dice.between(Duration::ZERO, CALM)).await;
            self.break_it(fault, round.faults.len() == 1).await.with_context(|| format!("{fault}"))?;
        }
        sleep(round.hold).await;
        // Services first: a node that is started needs them.
        let mut order: Vec<&Fault> = round.faults.iter().collect();
        order.sort_by_key(|fault| match fault {
            Fault::Link { .. } | Fault::StaleOwner { .. } => 0,
            Fault::Process { target: Target::Service(_), .. } | Fault::StoreBack => 1,
            Fault::Process { .. } => 2,
            _ => 3,
        });
        for fault in order {
            self.heal(fault).await.with_context(|| format!("after {fault}"))?;
        }
        let recovery = self.recover().await?;
        self.note(&format!(
            "round {number}: healed; posted after {:?}, shown after {:?}, all well after {:?}; {} acknowledged",
            recovery.posted,
            recovery.shown,
            recovery.all,
            self.load.acknowledged.count()
        ));
        sleep(CALM).await;
        Ok(recovery)
    }

    fn note(&self, text: &str) {
        eprintln!("{text}");
        self.load.recorder.write(0, What::Note { text: text.to_owned() });
    }

    async fn break_it(&mut self, fault: &Fault, alone: bool) -> anyhow::Result<()> {
        match *fault {
            Fault::Process { target: Target::Service(service), how } => {
                let command = match how {
                    How::Kill => "kill",
                    How::Pause => "pause",
                    How::End => "end",
                };
                self.installation.tell(command, service).await
            }
            Fault::Process { target: Target::Node(node), how } => {
                let node = &mut self.installation.nodes[node];
                match how {
                    How::Kill => node.kill(),
                    How::Pause => node.pause(),
                    How::End => node.end().await,
                }
            }
            Fault::Link { node, service, direction, way } => {
                let proxy = &self.installation.links[node][service as usize];
                match direction {
                    Some(direction) => proxy.set_one(direction, way),
                    None => proxy.set(way),
                }
                Ok(())
            }
            Fault::LostPublish { node, messages } => {
                self.installation.links[node][crate::stage::Service::Redis as usize].swallow(messages);
                Ok(())
            }
            Fault::StaleOwner { node } => {
                self.installation.links[node][crate::stage::Service::Postgresql as usize].set(FAR);
                sleep(self.dice.between(Duration::from_millis(500), Duration::from_secs(1))).await;
                self.installation.nodes[node].pause()
            }
            Fault::StoreBack => self.with_services(Services::keep_database).await,
            Fault::Removal => self.remove_eve().await,
            Fault::SessionEnded => self.end_eves_sessions(alone).await,
            Fault::SlowClient => {
                self.load.watchers()[self.slow].mood.send_replace(Mood::Asleep);
                Ok(())
            }
            Fault::MorePartitions => {
                self.partitions += 1;
                let (topic, count) = (self.installation.topic(), self.partitions);
                self.with_services(move |services| services.add_partitions(&topic, count)).await
            }
        }
    }

    async fn heal(&mut self, fault: &Fault) -> anyhow::Result<()> {
        match *fault {
            Fault::Process { target: Target::Service(service), how } => {
                let command = if how == How::Pause { "resume" } else { "start" };
                self.installation.tell(command, service).await
            }
            Fault::Process { target: Target::Node(node), how } => match how {
                How::Pause => self.installation.nodes[node].resume(),
                How::Kill | How::End => self.installation.start_node(node).await,
            },
            Fault::Link { node, service, .. } => {
                self.installation.links[node][service as usize].set(Way::Open);
                Ok(())
            }
            Fault::StaleOwner { node } => {
                self.installation.nodes[node].resume()?;
                // It finishes what it was about to write.
                sleep(Duration::from_secs(1)).await;
                self.installation.links[node][crate::stage::Service::Postgresql as usize].set(Way::Open);
                Ok(())
            }
            Fault::LostPublish { node, .. } => {
                self.installation.links[node][crate::stage::Service::Redis as usize].swallow(0);
                Ok(())
            }
            Fault::StoreBack => {
                // Said before and after: a page of either time may come while it happens.
                self.load.recorder.write(0, What::StoreBack {});
                self.with_services(Services::put_database_back).await?;
                self.load.recorder.write(0, What::StoreBack {});
                Ok(())
            }
            Fault::Removal => self.let_eve_in().await,
            Fault::SlowClient => {
                self.load.watchers()[self.slow].mood.send_replace(Mood::Attentive);
                Ok(())
            }
            Fault::SessionEnded | Fault::MorePartitions => Ok(()),
        }
    }

    /// Off the threads that serve.
    async fn with_services(
        &self,
        command: impl FnOnce(&Services) -> anyhow::Result<()> + Send + 'static,
    ) -> anyhow::Result<()> {
        let services = self.installation.services.clone().context("embedded mode has no services")?;
        tokio::task::spawn_blocking(move || command(&services)).await.context("a command")?
    }

    async fn remove_eve(&mut self) -> anyhow::Result<()> {
        let (room, user) = (self.load.rooms[0], self.eve.person.username.clone());
        let at = self.insist("removing a member", async |site, node, owner| {
            site.remove(node, room, owner, &user).await.map(|place| place.at)
        });
        let at = at.await?;
        self.load.recorder.write(0, What::Removed { r: room.number, user, at });
        // At once, everywhere: she reads no further.
        let client = self.load.recorder.client(&self.eve.person.username);
        let reader = Reader { site: &self.load.site, recorder: &self.load.recorder, client, person: &self.eve.person };
        for node in 0..self.load.site.nodes.len() {
            let _ = reader.newest(room, node as Node, 50).await;
        }
        Ok(())
    }

    async fn let_eve_in(&mut self) -> anyhow::Result<()> {
        let (room, user) = (self.load.rooms[0], self.eve.person.username.clone());
        self.load.recorder.write(0, What::Joining { r: room.number, user: user.clone() });
        let add = async |site: &crate::client::Site, node, owner: &Person| {
            site.add(node, room, owner, &user).await.map(|place| place.at)
        };
        self.insist("letting somebody in", add).await.map(drop)
    }

    /// Tries it at any node until one does it.
    async fn insist<T>(
        &mut self,
        what: &str,
        ask: impl AsyncFn(&crate::client::Site, Node, &Person) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let deadline = Instant::now() + INSIST;
        loop {
            let node = self.dice.below(self.load.site.nodes.len()) as Node;
            match ask(&self.load.site, node, &self.load.owner).await {
                Err(e) if Instant::now() > deadline => return Err(e).with_context(|| what.to_owned()),
                Err(_) => sleep(Duration::from_millis(200)).await,
                Ok(done) => return Ok(done),
            }
        }
    }

    async fn end_eves_sessions(&mut self, alone: bool) -> anyhow::Result<()> {
        let told = |run: &Self| -> u64 {
            run.eve.watchers.iter().map(|index| run.load.watchers()[*index].progress.ended()).sum()
        };
        let before = told(self);
        let eve = self.eve.person.clone();
        self.insist("ending sessions", async |site, node, _| site.end_sessions(node, &eve).await).await?;
        let ended = Instant::now();
        if alone {
            while told(self) < before + self.eve.watchers.len() as u64 && ended.elapsed() < NEVER {
                sleep(POLL).await;
            }
            if ended.elapsed() > SESSION_END {
                self.late.push(format!("sockets of ended sessions closed after {:?}", ended.elapsed()));
            }
        }
        let name = eve.username;
        self.eve.person = self.insist("signing in", async |site, node, _| site.sign_in(node, &name).await).await?;
        Ok(())
    }

    /// Waits until everything works again, and says how long each part of it took.
    async fn recover(&mut self) -> anyhow::Result<Recovery> {
        let healed = Instant::now();
        self.load.acknowledged.mark();
        let (mut posted, mut shown) = (None, None);
        loop {
            self.load.check().await?;
            let since = self.load.acknowledged.since_mark();
            if posted.is_none() && since.iter().any(Option::is_some) {
                posted = Some(healed.elapsed());
            }
            let has_one = |w: &Watching| {
                let has = |(index, room): (usize, &usize)| since[*room].is_some_and(|at| w.progress.of(index) >= at);
                w.rooms.iter().enumerate().any(has)
            };
            if shown.is_none() && self.load.watchers().iter().any(has_one) {
                shown = Some(healed.elapsed());
            }
            if let Some(all) = since.iter().copied().collect::<Option<Vec<_>>>()
                && self.load.watchers().iter().all(|watching| watching.has(&all))
                && self.stored(&all).await
                && self.installation.is_well().await
            {
                let all = healed.elapsed();
                return Ok(Recovery { posted: posted.unwrap_or(all), shown: shown.unwrap_or(all), all });
            }
            if healed.elapsed() > RECOVERY {
                bail!("after {RECOVERY:?} it does not work again: {}", self.what_lacks(&since).await);
            }
            sleep(POLL).await;
        }
    }

    async fn what_lacks(&self, since: &[Option<Position>]) -> String {
        let rooms: Vec<_> = since.iter().enumerate().filter(|(_, at)| at.is_none()).map(|(room, _)| room + 1).collect();
        let all: Vec<Position> = since.iter().map(|at| at.unwrap_or_default()).collect();
        let watchers = self.load.watchers().iter().filter(|w| !w.has(&all));
        let watchers: Vec<_> = watchers.map(|w| w.client).collect();
        let mut stored = Vec::new();
        for (room, at) in self.load.rooms.iter().zip(&all) {
            let reached = self.reached(*room).await;
            if reached.is_none_or(|reached| reached < *at) {
                let reached = reached.map_or_else(|| "nobody knows".to_owned(), |reached| reached.to_string());
                stored.push(format!("{}: {reached} of {at}", room.number));
            }
        }
        let well = self.installation.is_well().await;
        self.installation.keep_metrics().await;
        format!(
            "rooms without an acknowledgement {rooms:?}, clients that are not shown everything {watchers:?}, \
             rooms whose end the store lacks {stored:?}, every node says that it lacks nothing: {well}"
        )
    }

    /// Up to where the store has a room.
    async fn reached(&self, room: RoomRef) -> Option<Position> {
        let (client, person) = (0, &self.load.owner);
        let reader = Reader { site: &self.load.site, recorder: &self.load.recorder, client, person };
        reader.newest(room, 0, 1).await.ok()
    }

    /// The store has these.
    async fn stored(&self, positions: &[Position]) -> bool {
        for (room, at) in self.load.rooms.iter().zip(positions) {
            if self.reached(*room).await.is_none_or(|reached| reached < *at) {
                return false;
            }
        }
        true
    }
}
