//! Somebody who watches rooms through a socket, and resumes wherever they come
//! back.

use super::{Backoff, Dice, Person, RoomRef, Site, reader::Reader};
use crate::{
    history::{Client, Node, Recorder, Shown, What},
    position::Position,
};
use anyhow::Context;
use futures::{SinkExt, StreamExt};
use serde::Deserialize;
use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    net::TcpStream,
    sync::watch,
    time::{Instant, timeout},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};
use uuid::Uuid;

type Ws = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// After so much silence the connection is dead (PROTOCOL: either side gives it up then).
const SILENCE: Duration = Duration::from_secs(45);
const CONNECT: Duration = Duration::from_secs(10);
/// A room that was refused is asked for again after this.
const ASK_AGAIN: Duration = Duration::from_millis(300);
/// The session ended: a frame says so, or the handshake.
const SESSION_ENDED: u16 = 4401;

/// How a watcher behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// It reads what comes.
    Attentive,
    /// It stays subscribed and reads nothing.
    Asleep,
    /// It goes.
    Gone,
}

/// How far a watcher has come in each of its rooms, for all to see.
#[derive(Clone, Debug)]
pub struct Progress {
    rooms: Arc<[AtomicU64]>,
    ended: Arc<AtomicU64>,
    subscribed: Arc<AtomicU64>,
}

impl Progress {
    fn new(rooms: usize) -> Self {
        let rooms = (0..rooms).map(|_| AtomicU64::new(0)).collect();
        Self { rooms, ended: Arc::default(), subscribed: Arc::default() }
    }

    /// How often it was told that its session had ended, by the socket's close code or at the door.
    pub fn ended(&self) -> u64 {
        self.ended.load(Ordering::Acquire)
    }

    /// How often it was let into a room.
    pub fn subscribed(&self) -> u64 {
        self.subscribed.load(Ordering::Acquire)
    }

    /// In the room of this index.
    pub fn of(&self, index: usize) -> Position {
        let packed = self.rooms[index].load(Ordering::Acquire);
        Position { epoch: (packed >> 48) as u32, offset: packed & ((1 << 48) - 1) }
    }

    fn set(&self, index: usize, at: Position) {
        self.rooms[index].store(u64::from(at.epoch) << 48 | at.offset, Ordering::Release);
    }
}

/// One who watches.
pub struct Watcher {
    site: Arc<Site>,
    recorder: Arc<Recorder>,
    person: Person,
    rooms: Vec<RoomRef>,
    index: HashMap<Uuid, usize>,
    /// How far it has come; `None`: it was never there.
    mine: Vec<Option<Position>>,
    progress: Progress,
    client: Client,
    dice: Dice,
    mood: watch::Receiver<Mood>,
    /// Where to, if it is told to stay at one node.
    only: Option<Node>,
    /// Where to at first.
    first: Option<Node>,
}

/// What is read of a frame; the rest is skipped without being kept.
#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    room: Option<Uuid>,
    at: Option<Position>,
    prev: Option<Position>,
    #[serde(borrow)]
    event: Option<EventHead<'a>>,
    after_ms: Option<u64>,
}

#[derive(Deserialize)]
struct EventHead<'a> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
    message: Option<MessageHead>,
    #[serde(borrow)]
    user: Option<UserHead<'a>>,
}

#[derive(Deserialize)]
struct MessageHead {
    id: Uuid,
}

#[derive(Deserialize)]
struct UserHead<'a> {
    #[serde(borrow)]
    username: Cow<'a, str>,
}

impl EventHead<'_> {
    fn shown(self) -> Shown {
        match (&*self.kind, self.message, self.user) {
            ("message_posted", Some(message), _) => Shown::M(message.id),
            ("member_left", _, Some(user)) => Shown::Left(user.username.into_owned()),
            (kind, ..) => Shown::K(kind.to_owned()),
        }
    }
}

/// What a frame asks of the watcher.
enum Next {
    Read,
    /// This room has to be asked for (again).
    Subscribe(usize),
    /// The history has to be read, then the room asked for.
    Resync(usize),
    /// The room was refused.
    Later(usize),
    Elsewhere(Duration),
}

impl Watcher {
    /// Watches rooms as a person. It does as `mood` says, until it is [`Mood::Gone`].
    pub fn new(
        site: Arc<Site>,
        recorder: Arc<Recorder>,
        person: Person,
        rooms: Vec<RoomRef>,
        dice: Dice,
        mood: watch::Receiver<Mood>,
    ) -> Self {
        let client = recorder.client(&person.username);
        let index = rooms.iter().enumerate().map(|(index, room)| (room.id, index)).collect();
        let (mine, progress) = (vec![None; rooms.len()], Progress::new(rooms.len()));
        Self { site, recorder, person, rooms, index, mine, progress, client, dice, mood, only: None, first: None }
    }

    /// Watches at one node only.
    pub fn at(mut self, node: Node) -> Self {
        self.only = Some(node);
        self
    }

    /// Begins at this node; whatever comes later, anywhere.
    pub fn first_at(mut self, node: Node) -> Self {
        self.first = Some(node);
        self
    }

    /// Goes on from a position rather than from the room's head.
    pub fn since(mut self, at: Position) -> Self {
        self.mine.fill(Some(at));
        self
    }

    /// How far it has come.
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Its number in the history.
    pub fn client(&self) -> Client {
        self.client
    }

    /// Watches until it is told to go.
    ///
    /// # Errors
    /// The history cannot be read after a resync, or the server speaks another language.
    pub async fn run(mut self) -> anyhow::Result<()> {
        let mut gone = self.mood.clone();
        let mut mood = self.mood.clone();
        let told = async move { drop(gone.wait_for(|mood| *mood == Mood::Gone).await) };
        let result = tokio::select! {
            () = told => Ok(()),
            result = self.watch(&mut mood) => result,
        };
        self.recorder.write(self.client, What::Closed { code: 0 });
        result
    }

    async fn watch(&mut self, mood: &mut watch::Receiver<Mood>) -> anyhow::Result<()> {
        let mut backoff = Backoff::new();
        loop {
            let anywhere = self.dice.below(self.site.nodes.len()) as Node;
            let node = self.only.or(self.first).unwrap_or(anywhere);
            match self.connect(node).await {
                Ok(ws) => {
                    (backoff, self.first) = (Backoff::new(), None);
                    let code = self.listen(ws, node, mood).await?;
                    self.recorder.write(self.client, What::Closed { code });
                    if code == SESSION_ENDED {
                        self.progress.ended.fetch_add(1, Ordering::Release);
                        self.enter_again().await;
                    }
                }
                Err(Some(401)) => {
                    self.progress.ended.fetch_add(1, Ordering::Release);
                    self.enter_again().await;
                }
                Err(_) => {}
            }
            backoff.wait(&mut self.dice).await;
        }
    }

    /// Another session; until there is one.
    async fn enter_again(&mut self) {
        let mut backoff = Backoff::new();
        loop {
            let node = self.dice.below(self.site.nodes.len()) as Node;
            if let Ok(person) = self.site.sign_in(node, &self.person.username).await {
                self.person = person;
                return;
            }
            backoff.wait(&mut self.dice).await;
        }
    }

    /// `Err`: the status of the refusal, if there was an answer.
    async fn connect(&self, node: Node) -> Result<Ws, Option<u16>> {
        let base = &self.site.nodes[usize::from(node)];
        let mut request = format!("{}/ws", base.replacen("http", "ws", 1)).into_client_request().map_err(|_| None)?;
        for (name, value) in
            [("sec-websocket-protocol", "partyline.v1"), ("origin", base), ("cookie", &self.person.cookie)]
        {
            request.headers_mut().insert(name, HeaderValue::from_str(value).map_err(|_| None)?);
        }
        match timeout(CONNECT, connect_async(request)).await {
            Ok(Ok((ws, _))) => Ok(ws),
            Ok(Err(tokio_tungstenite::tungstenite::Error::Http(response))) => Err(Some(response.status().as_u16())),
            Ok(Err(_)) | Err(_) => Err(None),
        }
    }

    /// Until the connection ends: its close code, 0 if it broke.
    async fn listen(&mut self, mut ws: Ws, node: Node, mood: &mut watch::Receiver<Mood>) -> anyhow::Result<u16> {
        let mut again: Vec<(Instant, usize)> = Vec::new();
        for index in 0..self.rooms.len() {
            if self.subscribe(&mut ws, node, index).await.is_err() {
                return Ok(0);
            }
        }
        loop {
            let due = again.iter().map(|(at, _)| *at).min().unwrap_or_else(|| Instant::now() + SILENCE);
            let message = tokio::select! {
                // Asleep: until it is told otherwise.
                message = timeout(SILENCE, ws.next()), if *mood.borrow() != Mood::Asleep => message,
                _ = mood.changed() => continue,
                () = tokio::time::sleep_until(due) => {
                    let now = Instant::now();
                    let rooms: Vec<usize> = again.extract_if(.., |(at, _)| *at <= now).map(|(_, room)| room).collect();
                    for index in rooms {
                        if self.subscribe(&mut ws, node, index).await.is_err() {
                            return Ok(0);
                        }
                    }
                    continue;
                }
            };
            let text = match message {
                Ok(Some(Ok(Message::Text(text)))) => text,
                Ok(Some(Ok(Message::Close(frame)))) => return Ok(frame.map_or(0, |f| f.code.into())),
                Ok(Some(Ok(_))) => continue,
                Ok(Some(Err(_)) | None) | Err(_) => return Ok(0),
            };
            match self.frame(&text)? {
                Next::Read => {}
                Next::Subscribe(index) => {
                    if self.subscribe(&mut ws, node, index).await.is_err() {
                        return Ok(0);
                    }
                }
                Next::Resync(index) => {
                    self.read_again(index).await?;
                    if self.subscribe(&mut ws, node, index).await.is_err() {
                        return Ok(0);
                    }
                }
                Next::Later(index) => again.push((Instant::now() + ASK_AGAIN, index)),
                Next::Elsewhere(after) => {
                    tokio::time::sleep(after).await;
                    return Ok(1001);
                }
            }
        }
    }

    async fn subscribe(&self, ws: &mut Ws, node: Node, index: usize) -> Result<(), ()> {
        let (room, since) = (self.rooms[index], self.mine[index]);
        self.recorder.write(self.client, What::Subscribe { r: room.number, n: node, since });
        let since = since.map_or_else(String::new, |since| format!(r#","since":"{since}""#));
        let frame = format!(r#"{{"type":"subscribe","room":"{}"{since}}}"#, room.id);
        timeout(CONNECT, ws.send(Message::text(frame))).await.map_err(drop)?.map_err(drop)
    }

    /// The receiver's rule.
    fn frame(&mut self, text: &str) -> anyhow::Result<Next> {
        let frame: Frame = serde_json::from_str(text).with_context(|| format!("not a frame: {text}"))?;
        if frame.kind == "reconnect" {
            return Ok(Next::Elsewhere(Duration::from_millis(frame.after_ms.unwrap_or(0))));
        }
        let Some(&index) = frame.room.and_then(|room| self.index.get(&room)) else { return Ok(Next::Read) };
        let r = self.rooms[index].number;
        match (&*frame.kind, frame.at) {
            ("subscribed", Some(at)) => {
                self.recorder.write(self.client, What::Subscribed { r, at });
                self.progress.subscribed.fetch_add(1, Ordering::Release);
                if self.mine[index].is_none() {
                    self.has(index, at);
                }
            }
            ("event", Some(at)) => {
                let e = frame.event.context("an event frame without an event")?.shown();
                self.recorder.write(self.client, What::Event { r, at, prev: frame.prev, e });
                match self.mine[index] {
                    Some(mine) if at <= mine => {}
                    Some(mine) if frame.prev.is_some_and(|prev| prev <= mine) => self.has(index, at),
                    _ => return Ok(Next::Subscribe(index)),
                }
            }
            ("resync", _) => {
                self.recorder.write(self.client, What::Resync { r });
                return Ok(Next::Resync(index));
            }
            ("error", _) => {
                self.recorder.write(self.client, What::Denied { r });
                return Ok(Next::Later(index));
            }
            _ => {}
        }
        Ok(Next::Read)
    }

    fn has(&mut self, index: usize, at: Position) {
        self.mine[index] = Some(at);
        self.progress.set(index, at);
    }

    async fn read_again(&mut self, index: usize) -> anyhow::Result<()> {
        let reader = Reader { site: &self.site, recorder: &self.recorder, client: self.client, person: &self.person };
        let after = self.mine[index].unwrap_or_default();
        let at = reader.read(self.rooms[index], after, None, 0, &mut self.dice).await?;
        // A store that lags may say less than we know.
        self.has(index, at.max(after));
        Ok(())
    }
}
