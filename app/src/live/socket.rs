//! The task that owns the socket.

use super::{
    Command, Link, Live,
    asks::{Answer, Asks},
    backoff_ms,
    presence::Presence,
    read_again::{read_again, read_pinned},
    typing::author,
};
use crate::{
    api,
    badges::Known,
    browser::{now, random, sleep_ms, within_ms},
    json,
    model::{Event, KnownEvent, Millis, Position, RoomId},
    protocol::{ClientFrame, HEARTBEAT_MS, ResyncReason, SILENCE_MS, SUBPROTOCOL, ServerFrame, Status, close},
    state::{Applied, RoomState},
};
use futures::{FutureExt, SinkExt, StreamExt, channel::mpsc::Receiver, select, stream::SplitSink};
use gloo_net::websocket::{Message, WebSocketError, futures::WebSocket};
use leptos::prelude::*;
use std::collections::HashSet;

/// How long opening may take.
const OPEN_MS: u64 = 10_000;
/// How long the server may take to answer when there is reason to doubt the connection.
const PROBE_MS: Millis = 5_000;
/// How long a connection is gone before the page speaks of it.
const NOTICE_MS: Millis = 2_000;
/// Of so many rooms messages are counted as they come. The server lets a connection watch a few more.
const MAX_COUNTED: usize = 400;
/// How often the time is looked at, however many frames come.
const TICK_MS: u64 = 500;
/// What happens within this time is shown together.
const TOGETHER_MS: Millis = 33;

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
    let mut again = false;
    loop {
        let mut connection =
            Connection { live, asks: Asks::default(), greeted: false, again, counted: HashSet::new(), shown: 0 };
        let end = connection.run(&mut commands, gone_since).await;
        live.watched.with_value(|watched| {
            for state in watched.values() {
                let _ = state.try_update_untracked(RoomState::disconnected);
            }
        });
        live.presence.maybe_update(Presence::forget);
        if connection.greeted {
            again = true;
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
    /// What was asked of the server and not answered yet.
    asks: Asks,
    /// The server has said hello.
    greeted: bool,
    /// It is not the tab's first.
    again: bool,
    /// Rooms that are heard of for their counts, shown or not.
    counted: HashSet<RoomId>,
    /// When a room that is shown last changed.
    shown: Millis,
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
        // Made anew only when it has fired: frames that come faster than it must not put it off for ever.
        let mut tick = Box::pin(sleep_ms(TICK_MS)).fuse();
        loop {
            select! {
                frame = frames.next().fuse() => {
                    // The first of many shows at once, and the rest together: each for itself would be laid out and
                    // painted, at a hundred a second for nobody's eyes. Where nobody looks, timers may take a minute.
                    if now() - self.shown < TOGETHER_MS && self.live.visible.get_untracked() {
                        sleep_ms(TOGETHER_MS as u64).await;
                    }
                    let mut next = Some(frame);
                    while let Some(frame) = next {
                        match frame {
                            Some(Ok(Message::Text(text))) => {
                                heard = now();
                                doubted = None;
                                // A frame that this version cannot read is a later version's.
                                if let Ok(frame) = json::read::<ServerFrame>(&text)
                                    && let Some(end) = self.receive(frame, &mut sender).await
                                {
                                    return end;
                                }
                            }
                            Some(Ok(Message::Bytes(_))) => {}
                            Some(Err(WebSocketError::ConnectionClose(event))) => return ended_by(event.code),
                            // The event that says why the connection closed comes after the one that says that something
                            // was wrong.
                            Some(Err(_)) => {}
                            None => return End::Lost,
                        }
                        next = frames.next().now_or_never();
                    }
                },
                command = commands.next() => match command {
                    Some(Command::Watch(room)) if self.greeted => self.subscribe(room, &mut sender).await,
                    // Still counted, it is still heard of.
                    Some(Command::Unwatch(room)) if self.greeted && self.known(room).is_none() => {
                        self.asks.dropped(room);
                        send(&mut sender, ClientFrame::Unsubscribe { room }).await;
                    }
                    Some(Command::Count) if self.greeted => self.count(&mut sender).await,
                    Some(Command::Wake) if self.greeted && doubted.is_none() => {
                        doubted = Some(now());
                        send(&mut sender, ClientFrame::Ping).await;
                    }
                    // Not open yet: what is watched is read when it is.
                    Some(_) => {}
                    None => return End::Lost,
                },
                () = tick => {
                    tick = Box::pin(sleep_ms(TICK_MS)).fuse();
                    let now = now();
                    if !self.greeted && now - gone_since >= NOTICE_MS {
                        self.live.link.set(Link::Lost { retry_in_s: 0 });
                    }
                    let silent = now - heard >= SILENCE_MS as Millis;
                    let deaf = doubted.is_some_and(|since| now - since >= PROBE_MS);
                    let late = !self.greeted && now - opened >= OPEN_MS as Millis;
                    if silent || deaf || late || self.asks.unheard() {
                        return End::Lost;
                    }
                    if self.greeted && now - pinged >= HEARTBEAT_MS as Millis {
                        pinged = now;
                        send(&mut sender, ClientFrame::Ping).await;
                    }
                    for room in self.asks.due(now) {
                        self.subscribe(room, &mut sender).await;
                    }
                    self.live.typing.maybe_update(|typing| typing.forget(now));
                }
            }
        }
    }

    async fn receive(&mut self, frame: ServerFrame, sender: &mut Sender) -> Option<End> {
        match frame {
            ServerFrame::Hello { .. } => {
                self.greeted = true;
                self.live.status.set(Status::WELL);
                self.live.link.set(Link::Online);
                for room in self.live.watched.with_value(|watched| watched.keys().copied().collect::<Vec<_>>()) {
                    self.subscribe(room, sender).await;
                }
                self.count(sender).await;
                self.live.connected(self.again);
            }
            ServerFrame::Subscribed { room, at, recovered } => {
                let state = self.state(room);
                // Counted whether anybody shows the room or not: the answers after it must find their questions.
                let known = self.known(room);
                match self.asks.subscribed(room, known.unwrap_or(Position::START)) {
                    Answer::Stands => match state?.try_update_untracked(|state| state.subscribed(at, recovered))? {
                        Applied::Hole => read_again(self.live, room, ResyncReason::TooOld),
                        Applied::Done | Applied::Ignored => self.live.no_need_to_read(room),
                    },
                    Answer::Other => {}
                    Answer::AskAgain => self.subscribe(room, sender).await,
                }
            }
            ServerFrame::Event { room, at, prev, event } => {
                self.hear(room, at, prev, &event);
                let state = self.state(room)?;
                let said_by = author(&event).map(str::to_owned);
                let pinned = match &event {
                    Event::Known(KnownEvent::MessagePinned { id, .. }, _) => Some(*id),
                    _ => None,
                };
                let applied = state.try_maybe_update(|state| {
                    let applied = state.apply(at, prev, event);
                    (applied == Applied::Done, applied)
                })?;
                match applied {
                    Applied::Done => {
                        self.shown = now();
                        if let Some(user) = said_by {
                            self.live.typing.maybe_update(|typing| typing.said(room, &user));
                        }
                        self.live.outbox.settle(state);
                        if let Some(id) = pinned {
                            read_pinned(state, id);
                        }
                    }
                    Applied::Hole if !self.asks.is_waiting(room) && !self.live.is_to_be_read(room) => {
                        self.subscribe(room, sender).await;
                    }
                    Applied::Hole | Applied::Ignored => {}
                }
            }
            ServerFrame::Resync { room, reason } => {
                self.asks.resynced(room);
                if self.state(room).is_some() {
                    read_again(self.live, room, reason);
                } else {
                    // Too much happened to be told one by one.
                    self.counted.remove(&room);
                    self.live.count_again();
                }
            }
            ServerFrame::Typing { room, user } => self.live.typing.update(|typing| typing.heard(room, user, now())),
            ServerFrame::Presence { room, user, online } => {
                self.live.presence.update(|here| here.one(room, user, online));
            }
            ServerFrame::Present { room, users, count } => {
                self.live.presence.update(|here| here.all(room, users, count));
            }
            ServerFrame::Read { room, at } => self.live.read(room, at),
            ServerFrame::Level { room, level } => self.live.badges.update(|badges| badges.set_level(room, level)),
            ServerFrame::Membership { .. } => self.live.other_rooms(),
            ServerFrame::Status(status) => self.live.status.set(status),
            ServerFrame::Reconnect { after_ms } => return Some(End::Resume { after_ms }),
            ServerFrame::Error { room: Some(room), .. } => self.asks.refused(room, now(), random()),
            ServerFrame::Error { room: None, .. } | ServerFrame::Pong | ServerFrame::Unknown => {}
        }
        None
    }

    fn state(&self, room: RoomId) -> Option<RwSignal<RoomState>> {
        self.live.watched.with_value(|watched| watched.get(&room).copied())
    }

    /// Up to where the tab knows a room: its page, or else the count of it.
    fn known(&self, room: RoomId) -> Option<Position> {
        let shown = self.state(room).and_then(|state| state.try_with_untracked(RoomState::at));
        shown.or_else(|| self.live.badges.with_untracked(|badges| badges.upto(room)))
    }

    async fn subscribe(&mut self, room: RoomId, sender: &mut Sender) {
        match self.known(room) {
            Some(since) => {
                self.asks.asked(room, since, now(), random());
                let counting = self.state(room).is_none();
                send(sender, ClientFrame::Subscribe { room, since: Some(since), counting }).await;
            }
            None => self.asks.dropped(room),
        }
    }

    /// Subscribes to the reader's rooms that are not heard of yet.
    async fn count(&mut self, sender: &mut Sender) {
        let rooms = self.live.badges.with_untracked(|badges| badges.rooms().collect::<Vec<_>>());
        for (room, _) in rooms {
            if self.counted.len() < MAX_COUNTED && self.counted.insert(room) && self.state(room).is_none() {
                self.subscribe(room, sender).await;
            }
        }
    }

    fn hear(&self, room: RoomId, at: Position, prev: Option<Position>, event: &Event) {
        if matches!(event, Event::Known(KnownEvent::RoomChanged(_), _)) {
            self.live.rooms_soon();
        }
        let Some(me) = &self.live.me.with_value(Clone::clone) else { return };
        let Some(upto) = self.live.badges.with_untracked(|badges| badges.upto(room)).filter(|upto| *upto < at) else {
            return;
        };
        if prev.is_some_and(|prev| prev > upto) {
            self.live.count_again();
        }
        if self.live.badges.try_update(|badges| badges.heard(room, at, event, me)) == Some(Known::CountAgain) {
            self.live.count_again();
        }
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
