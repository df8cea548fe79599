//! People who write and watch all the time, while things break; and the reading
//! back when all is quiet.

use crate::{
    client::{Dice, Mood, Person, Progress, RoomRef, Site, Watcher, Writer, reader::Reader},
    history::{Client, Node, Recorder, What},
    position::Position,
};
use anyhow::{Context, bail};
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{sync::watch, task::JoinHandle, time::Instant};

/// How long readers may take at the end to be shown everything.
const CATCH_UP: Duration = Duration::from_secs(60);
/// How long one message's last tries may take at the end.
const LAST_WORDS: Duration = Duration::from_secs(200);
const POLL: Duration = Duration::from_millis(10);

/// How much is done at once.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// Rooms that only members read.
    pub rooms: u32,
    /// Writers, spread over the rooms; each waits for the answer before it writes again.
    pub writers: u32,
    /// Watchers; each watches every room.
    pub watchers: u32,
    /// Messages a second that all writers try for together; 0: as many as are taken.
    pub per_second: u32,
}

/// People at work.
pub struct Load {
    /// The nodes.
    pub site: Arc<Site>,
    /// What is written down.
    pub recorder: Arc<Recorder>,
    /// The rooms.
    pub rooms: Vec<RoomRef>,
    /// Who owns them.
    pub owner: Person,
    /// What has been acknowledged so far.
    pub acknowledged: Arc<Acknowledged>,
    writers: Vec<JoinHandle<anyhow::Result<()>>>,
    watchers: Vec<Watching>,
    stop: watch::Sender<bool>,
    dice: Dice,
}

/// A watcher at work, and the strings that move it.
pub struct Watching {
    /// Its number in the history.
    pub client: Client,
    /// How far it has come in each of its rooms.
    pub progress: Progress,
    /// Which of the load's rooms those are.
    pub rooms: Vec<usize>,
    /// How it behaves.
    pub mood: watch::Sender<Mood>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Watching {
    /// Sets a watcher to work in some of the load's rooms.
    pub fn begin(rooms: Vec<usize>, make: impl FnOnce(watch::Receiver<Mood>) -> Watcher) -> Self {
        let (mood, told) = watch::channel(Mood::Attentive);
        let watcher = make(told);
        let (client, progress) = (watcher.client(), watcher.progress());
        Self { client, progress, rooms, mood, task: tokio::spawn(watcher.run()) }
    }

    /// Has it been shown these positions of the load's rooms?
    pub fn has(&self, positions: &[Position]) -> bool {
        self.rooms.iter().enumerate().all(|(index, room)| self.progress.of(index) >= positions[*room])
    }

    /// Lets it go.
    ///
    /// # Errors
    /// What it could not cope with.
    pub async fn end(self) -> anyhow::Result<()> {
        self.mood.send_replace(Mood::Gone);
        self.task.await.context("a watcher's task")?
    }
}

/// What has been acknowledged: how many in all, per room the newest, and what went out after a mark.
pub struct Acknowledged {
    count: AtomicU64,
    rooms: Mutex<Rooms>,
}

struct Rooms {
    newest: Vec<Position>,
    mark: Instant,
    since_mark: Vec<Option<Position>>,
}

impl Acknowledged {
    fn new(rooms: usize) -> Self {
        let rooms = Rooms { newest: vec![Position::START; rooms], mark: Instant::now(), since_mark: vec![None; rooms] };
        Self { count: AtomicU64::new(0), rooms: Mutex::new(rooms) }
    }

    fn lock(&self) -> MutexGuard<'_, Rooms> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, room: usize, at: Position, sent: Instant) {
        self.count.fetch_add(1, Ordering::Relaxed);
        let mut rooms = self.lock();
        rooms.newest[room] = rooms.newest[room].max(at);
        if sent >= rooms.mark && rooms.since_mark[room].is_none() {
            rooms.since_mark[room] = Some(at);
        }
    }

    /// How many messages.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Per room the newest position.
    pub fn newest(&self) -> Vec<Position> {
        self.lock().newest.clone()
    }

    /// From now on, [`Acknowledged::since_mark`] begins anew.
    pub fn mark(&self) {
        let mut rooms = self.lock();
        rooms.mark = Instant::now();
        rooms.since_mark.fill(None);
    }

    /// Per room the first message that went out after the mark and was acknowledged.
    pub fn since_mark(&self) -> Vec<Option<Position>> {
        self.lock().since_mark.clone()
    }
}

impl Load {
    /// Makes people and rooms, and sets everyone to work.
    ///
    /// # Errors
    /// The installation does not do what it should with nothing broken.
    pub async fn begin(site: Arc<Site>, recorder: Arc<Recorder>, scale: Scale, mut dice: Dice) -> anyhow::Result<Self> {
        let owner = site.register(0, "ada").await?;
        let reader = site.register(0, "lin").await?;
        let mut rooms = Vec::new();
        for number in 1..=scale.rooms {
            let room = site.make_room(0, &owner, number, "members").await?;
            recorder.write(0, What::Room { r: number, id: room.id, public: false });
            site.add(0, room, &owner, &reader.username).await?;
            rooms.push(room);
        }
        let (stop, stopped) = watch::channel(false);
        let acknowledged = Arc::new(Acknowledged::new(rooms.len()));
        let watchers = (0..scale.watchers).map(|_| {
            let (site, recorder, dice) = (site.clone(), recorder.clone(), dice.fork());
            // From the beginning: whoever comes later than the first message would miss it by right.
            Watching::begin((0..rooms.len()).collect(), |mood| {
                Watcher::new(site, recorder, reader.clone(), rooms.clone(), dice, mood).since(Position::START)
            })
        });
        let watchers = watchers.collect();
        let pace = (scale.per_second > 0).then(|| Duration::from_secs(1) * scale.writers / scale.per_second);
        let writers = (0..scale.writers).map(|nth| {
            let index = nth as usize % rooms.len();
            let writer = Writer::new(site.clone(), recorder.clone(), owner.clone(), rooms[index], dice.fork());
            tokio::spawn(write(writer, index, pace, acknowledged.clone(), stopped.clone()))
        });
        let writers = writers.collect();
        Ok(Self { site, recorder, rooms, owner, acknowledged, writers, watchers, stop, dice })
    }

    /// The watchers.
    pub fn watchers(&self) -> &[Watching] {
        &self.watchers
    }

    /// One more who watches, and who has to have everything in the end.
    pub fn joins(&mut self, watching: Watching) {
        self.watchers.push(watching);
    }

    /// A writer that has given up, if one has: it met an answer that no member must get.
    ///
    /// # Errors
    /// What it met.
    pub async fn check(&mut self) -> anyhow::Result<()> {
        while let Some(ended) = self.writers.iter().position(JoinHandle::is_finished) {
            self.writers.swap_remove(ended).await.context("a writer's task")??;
        }
        Ok(())
    }

    /// Until so many messages are acknowledged.
    ///
    /// # Errors
    /// They are not in time.
    pub async fn until_acknowledged(&mut self, count: u64, patience: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + patience;
        while self.acknowledged.count() < count {
            self.check().await?;
            if Instant::now() > deadline {
                bail!("{} messages are acknowledged after {patience:?}, not {count}", self.acknowledged.count());
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// Writers finish their sentence, watchers are given time to be shown everything, and all rooms are read back at
    /// two nodes. Then the history is whole.
    ///
    /// # Errors
    /// Somebody could not finish. That watchers were not shown everything is for the oracle to say.
    pub async fn end(mut self) -> anyhow::Result<()> {
        self.stop.send_replace(true);
        for writer in std::mem::take(&mut self.writers) {
            tokio::time::timeout(LAST_WORDS, writer).await.context("a writer does not end")?.context("its task")??;
        }
        let newest = self.acknowledged.newest();
        let client = self.recorder.client(&self.owner.username);
        let last = (self.site.nodes.len() - 1) as Node;
        for (index, room) in self.rooms.clone().into_iter().enumerate() {
            self.until_read(room, newest[index], client).await?;
        }
        let deadline = Instant::now() + CATCH_UP;
        while !self.watchers.iter().all(|watching| watching.has(&newest)) && Instant::now() < deadline {
            tokio::time::sleep(POLL).await;
        }
        for watching in std::mem::take(&mut self.watchers) {
            let (client, rooms) = (watching.client, watching.rooms.clone());
            watching.end().await?;
            for room in rooms {
                self.recorder.write(client, What::End { r: self.rooms[room].number });
            }
        }
        for (whole, node) in [(1, 0), (2, last)] {
            for room in &self.rooms {
                let reader = Reader { site: &self.site, recorder: &self.recorder, client, person: &self.owner };
                reader.read(*room, Position::START, Some(node), whole, &mut self.dice).await?;
            }
        }
        self.recorder.flush().context("writing the history")
    }

    /// Until the store has everything that was acknowledged.
    async fn until_read(&mut self, room: RoomRef, newest: Position, client: Client) -> anyhow::Result<()> {
        let deadline = Instant::now() + CATCH_UP;
        let reader = Reader { site: &self.site, recorder: &self.recorder, client, person: &self.owner };
        loop {
            let at = reader.read(room, newest, Some(0), 0, &mut self.dice).await?;
            if at >= newest || Instant::now() > deadline {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

async fn write(
    mut writer: Writer,
    room: usize,
    pace: Option<Duration>,
    acknowledged: Arc<Acknowledged>,
    stopped: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let mut count = 0u64;
    while !*stopped.borrow() {
        let sent = Instant::now();
        let at = writer.post(&format!("message {count}")).await?;
        acknowledged.note(room, at, sent);
        count += 1;
        if let Some(pace) = pace {
            tokio::time::sleep_until(sent + pace).await;
        }
    }
    Ok(())
}
