//! The task that owns the socket.

use super::{Command, Link, Live, TYPING_MS, backoff_ms};
use crate::{
    api,
    browser::{self, now, random, sleep_ms, within_ms},
    error::ApiError,
    model::{HistoryQuery, Millis, RoomId},
    protocol::{ClientFrame, HEARTBEAT_MS, SILENCE_MS, SUBPROTOCOL, ServerFrame, close},
    state::{Applied, RoomState},
};
use futures::{FutureExt, SinkExt, StreamExt, channel::mpsc::Receiver, pin_mut, select, stream::SplitSink};
use gloo_net::websocket::{Message, WebSocketError, futures::WebSocket};
use leptos::{prelude::*, task::spawn_local};
use std::collections::HashMap;

/// How long opening may take.
const OPEN_MS: u64 = 10_000;
/// How long the server may take to answer when there is reason to doubt the connection.
const PROBE_MS: Millis = 5_000;
/// How long a connection is gone before the page speaks of it.
const NOTICE_MS: Millis = 2_000;
/// How long a resume may take before it is asked for again.
const RESUME_MS: Millis = 5_000;

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Come back at once: the server asked for it, or cut a slow reader off.
    Resume { after_ms: u64 },
    /// The network or the server is away.
    Lost,
    /// The session is over.
    SessionEnded,
}

/// Connects, again and again, as long as the tab lives.
pub async fn run(live: Live, mut commands: Receiver<Command>) {
    let mut failures = 0;
    let mut gone_since = now();
    loop {
        let mut connection = Connection { live, asked: HashMap::new(), greeted: false };
        let end = connection.run(&mut commands, gone_since).await;
        live.watched.with_value(|watched| {
            for state in watched.values() {
                let _ = state.try_update_untracked(RoomState::disconnected);
            }
        });
        if connection.greeted {
            failures = 0;
            gone_since = now();
        }
        // A node that turns everybody away is as good as gone.
        let end = if connection.greeted || end == End::SessionEnded { end } else { End::Lost };
        let wait_ms = match end {
            End::SessionEnded => {
                live.link.set(Link::Ended);
                while commands.next().await.is_some_and(|command| command != Command::Wake) {}
                0
            }
            End::Resume { after_ms } => after_ms.min(60_000),
            End::Lost => {
                failures += 1;
                backoff_ms(failures - 1, random())
            }
        };
        // A browser does not tell a refused handshake from a dead network: ask in the way that it does tell.
        if end == End::Lost && live.signed_in && failures >= 2 && session_is_over().await {
            live.link.set(Link::Ended);
            while commands.next().await.is_some_and(|command| command != Command::Wake) {}
            continue;
        }
        wait(live, &mut commands, wait_ms, gone_since).await;
    }
}

async fn session_is_over() -> bool {
    matches!(within_ms(OPEN_MS, api::viewer_now()).await, Some(Ok(None)))
}

/// Waits, and counts down where people see it, unless something suggests that waiting is over.
async fn wait(live: Live, commands: &mut Receiver<Command>, wait_ms: u64, gone_since: Millis) {
    let until = now() + Millis::try_from(wait_ms).unwrap_or(Millis::MAX / 2);
    while now() < until {
        let left_ms = until - now();
        if now() - gone_since >= NOTICE_MS {
            let retry_in_s = u32::try_from((left_ms + 999) / 1_000).unwrap_or(0);
            live.link.set(Link::Lost { retry_in_s });
        }
        let step = u64::try_from(left_ms.clamp(0, 500)).unwrap_or(0);
        match within_ms(step, commands.next()).await {
            Some(Some(Command::Wake)) | Some(None) => return,
            Some(Some(_)) | None => {}
        }
    }
}

/// One connection.
struct Connection {
    live: Live,
    /// Rooms whose missed events were asked for, and when.
    asked: HashMap<RoomId, Millis>,
    /// The server has said hello.
    greeted: bool,
}

/// The half of a socket that sends.
type Sender = SplitSink<WebSocket, Message>;

impl Connection {
    async fn run(&mut self, commands: &mut Receiver<Command>, gone_since: Millis) -> End {
        let location = window().location();
        let scheme = if location.protocol().is_ok_and(|protocol| protocol == "https:") { "wss" } else { "ws" };
        let url = format!("{scheme}://{}/ws", location.host().unwrap_or_default());
        let Ok(socket) = WebSocket::open_with_protocol(&url, SUBPROTOCOL) else { return End::Lost };
        let (mut sender, mut frames) = socket.split();
        let opened = now();
        let mut heard = opened;
        let mut pinged = opened;
        let mut doubted: Option<Millis> = None;
        loop {
            let tick = sleep_ms(500).fuse();
            pin_mut!(tick);
            select! {
                frame = frames.next().fuse() => match frame {
                    Some(Ok(Message::Text(text))) => {
                        heard = now();
                        doubted = None;
                        // A frame that this version cannot read is a later version's.
                        let Ok(frame) = serde_json::from_str::<ServerFrame>(&text) else { continue };
                        if let Some(end) = self.receive(frame, &mut sender).await {
                            return end;
                        }
                    }
                    Some(Ok(Message::Bytes(_))) => {}
                    Some(Err(WebSocketError::ConnectionClose(event))) => return ended_by(event.code),
                    // The event that says why the connection closed comes after the one that says that something was wrong.
                    Some(Err(_)) => {}
                    None => return End::Lost,
                },
                command = commands.next() => match command {
                    Some(Command::Watch(room)) if self.greeted => self.subscribe(room, &mut sender).await,
                    Some(Command::Unwatch(room)) if self.greeted => send(&mut sender, ClientFrame::Unsubscribe { room }).await,
                    Some(Command::Wake) if self.greeted && doubted.is_none() => {
                        doubted = Some(now());
                        send(&mut sender, ClientFrame::Ping).await;
                    }
                    // Not open yet: what is watched is read when it is.
                    Some(_) => {}
                    None => return End::Lost,
                },
                () = tick => {
                    let now = now();
                    if !self.greeted && now - gone_since >= NOTICE_MS {
                        self.live.link.set(Link::Lost { retry_in_s: 0 });
                    }
                    let silent = now - heard >= SILENCE_MS as Millis;
                    let deaf = doubted.is_some_and(|since| now - since >= PROBE_MS);
                    let late = !self.greeted && now - opened >= OPEN_MS as Millis;
                    if silent || deaf || late {
                        return End::Lost;
                    }
                    if self.greeted && now - pinged >= HEARTBEAT_MS as Millis {
                        pinged = now;
                        send(&mut sender, ClientFrame::Ping).await;
                    }
                    self.forget_typing();
                }
            }
        }
    }

    async fn receive(&mut self, frame: ServerFrame, sender: &mut Sender) -> Option<End> {
        match frame {
            ServerFrame::Hello { .. } => {
                self.greeted = true;
                self.live.link.set(Link::Online);
                for room in self.live.watched.with_value(|watched| watched.keys().copied().collect::<Vec<_>>()) {
                    self.subscribe(room, sender).await;
                }
            }
            ServerFrame::Subscribed { room, at, recovered } => {
                self.asked.remove(&room);
                let applied = self.state(room)?.try_update_untracked(|state| state.subscribed(at, recovered))?;
                if applied == Applied::Hole {
                    spawn_local(read_again(self.live, room));
                }
            }
            ServerFrame::Event { room, at, prev, event } => {
                let state = self.state(room)?;
                let applied = state.try_maybe_update(|state| {
                    let applied = state.apply(at, prev, event);
                    (applied == Applied::Done, applied)
                })?;
                match applied {
                    Applied::Done => {
                        self.live.outbox.settle(|id| state.with_untracked(|state| state.message(id).is_some()));
                    }
                    Applied::Hole if self.asked.get(&room).is_none_or(|asked| now() - asked >= RESUME_MS) => {
                        self.subscribe(room, sender).await;
                    }
                    Applied::Hole | Applied::Ignored => {}
                }
            }
            ServerFrame::Resync { room, .. } => spawn_local(read_again(self.live, room)),
            ServerFrame::Typing { room, user } => {
                let until = now() + TYPING_MS;
                self.live.typing.update(|typing| {
                    let who = typing.entry(room).or_default();
                    who.retain(|(name, _)| *name != user);
                    who.push((user, until));
                });
            }
            ServerFrame::Reconnect { after_ms } => return Some(End::Resume { after_ms }),
            ServerFrame::Error { .. } | ServerFrame::Pong | ServerFrame::Unknown => {}
        }
        None
    }

    fn state(&self, room: RoomId) -> Option<RwSignal<RoomState>> {
        self.live.watched.with_value(|watched| watched.get(&room).copied())
    }

    async fn subscribe(&mut self, room: RoomId, sender: &mut Sender) {
        let since = self.state(room).and_then(|state| state.try_with_untracked(RoomState::at));
        if since.is_some() {
            self.asked.insert(room, now());
            send(sender, ClientFrame::Subscribe { room, since }).await;
        }
    }

    fn forget_typing(&self) {
        let now = now();
        self.live.typing.maybe_update(|typing| {
            let before: usize = typing.values().map(Vec::len).sum();
            typing.values_mut().for_each(|who| who.retain(|(_, until)| *until > now));
            before != typing.values().map(Vec::len).sum::<usize>()
        });
    }
}

fn ended_by(code: u16) -> End {
    match code {
        close::SESSION_ENDED => End::SessionEnded,
        close::TOO_SLOW => End::Resume { after_ms: 0 },
        close::GOING_AWAY => End::Resume { after_ms: backoff_ms(0, random()) },
        _ => End::Lost,
    }
}

/// A frame that cannot be sent is of a connection whose end is about to be heard.
async fn send(sender: &mut Sender, frame: ClientFrame) {
    if let Ok(text) = serde_json::to_string(&frame) {
        let _ = sender.send(Message::Text(text)).await;
    }
}

/// Reads a room anew because what was missed cannot be given, and hears of it from there on.
async fn read_again(live: Live, room: RoomId) {
    let mut failures = 0;
    while let Some(state) = live.watched.try_with_value(|watched| watched.get(&room).copied()).flatten() {
        let Some(slug) = state.try_with_untracked(|state| state.room().slug.clone()) else { return };
        match browser::within_ms(OPEN_MS, api::room_view(slug, HistoryQuery::default())).await {
            Some(Ok(view)) => {
                let _ = state.try_update(|state| state.replace(view.room, view.members, &view.page, view.older));
                live.outbox.settle(|id| state.with_untracked(|state| state.message(id).is_some()));
                live.command(Command::Watch(room));
                return;
            }
            // No longer the viewer's to read.
            Some(Err(ApiError::NotFound | ApiError::Forbidden { .. } | ApiError::Unauthenticated)) => return,
            Some(Err(_)) | None => {
                sleep_ms(backoff_ms(failures, random())).await;
                failures += 1;
            }
        }
    }
}
