//! `/ws`: step 5 of a message's way, as far as the server goes. Authenticated in
//! the handshake; only subscribes.

use super::{Web, identity::Identity, problem::Problem};
use crate::{
    auth::{AuthError, Kind, Verified},
    hub::{Close, Connection, Outgoing, Since},
    time::now,
};
use app::{
    error::{ApiError, Outcome},
    model::RoomId,
    protocol::{
        BEARER_PREFIX, ClientFrame, HEARTBEAT_MS, MAX_CLIENT_FRAME_BYTES, SILENCE_MS, SUBPROTOCOL, ServerFrame, Status,
    },
};
use axum::{
    extract::{
        State, WebSocketUpgrade,
        ws::{CloseFrame, Message, Utf8Bytes, WebSocket},
    },
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use futures::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use std::{collections::HashSet, sync::Arc, time::Duration};
use tokio::{sync::mpsc, time::Instant};

/// Most rooms that a connection may watch.
const MAX_ROOMS: usize = 500;
/// Small buffers: most connections are idle, and a connection's cost is its memory.
const READ_BUFFER_BYTES: usize = 1024;
const WRITE_BUFFER_BYTES: usize = 4 * 1024;
/// Never reached: what waits is bounded by the connection's queue and written frame by frame.
const MAX_WRITE_BUFFER_BYTES: usize = 4 * 1024 * 1024;
/// What has queued up meanwhile goes out in one write, up to so many items.
const COALESCE: usize = 64;
/// A client whose socket takes nothing for this long is gone.
const WRITE_DEADLINE: Duration = Duration::from_secs(30);
/// How long a closing handshake may take.
const CLOSE_DEADLINE: Duration = Duration::from_secs(1);
/// More frames than this within [`CLIENT_FRAMES_PER`] is no chat client.
const MAX_CLIENT_FRAMES: u32 = 1_000;
const CLIENT_FRAMES_PER: Duration = Duration::from_secs(10);

/// The handshake: who is it, and may a page of theirs be behind it?
pub(super) async fn connect(
    State(web): State<Web>,
    super::identity::Anyone(identity): super::identity::Anyone,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let token = bearer_among(&headers);
    let with_bearer = super::identity::bearer(&headers).is_some();
    let verified = match (token, identity) {
        (Some(token), _) => match web.auth.verify(Kind::Access, token).await {
            Ok(verified) => Some(verified),
            Err(AuthError::Rejected) => return Problem(ApiError::Unauthenticated).into_response(),
            Err(AuthError::Store(_)) => return Problem(ApiError::unavailable(Outcome::NotPersisted)).into_response(),
        },
        (None, Identity::Known(verified)) => {
            let origin = headers.get(header::ORIGIN).and_then(|v| v.to_str().ok());
            // Browsers send the cookie along from any page; the origin says which page it was.
            if !with_bearer && !origin.is_some_and(|o| web.origins.allow(o)) {
                return Problem(ApiError::forbidden("sockets from another site are refused")).into_response();
            }
            Some(verified)
        }
        (None, Identity::Expired) => return Problem(ApiError::Unauthenticated).into_response(),
        (None, Identity::Visitor) => None,
    };
    if web.draining.is_cancelled() {
        return Problem(ApiError::unavailable(Outcome::NotPersisted)).into_response();
    }
    upgrade
        .protocols([SUBPROTOCOL])
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_write_buffer_size(MAX_WRITE_BUFFER_BYTES)
        .max_message_size(MAX_CLIENT_FRAME_BYTES)
        .max_frame_size(MAX_CLIENT_FRAME_BYTES)
        .on_upgrade(move |socket| serve(web, socket, verified))
}

/// The access token among the subprotocols that a client offers.
pub(super) fn bearer_among(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|v| v.to_str().ok());
    lines.flat_map(|line| line.split(',')).find_map(|offered| offered.trim().strip_prefix(BEARER_PREFIX))
}

async fn serve(web: Web, socket: WebSocket, verified: Option<Verified>) {
    let viewer = verified.as_ref().map(|v| &v.viewer);
    let (connection, outgoing) = Connection::new(viewer.map(|v| &v.user), viewer.map(|v| v.session));
    let connection = Arc::new(connection);
    web.hub.connected(&connection);
    // Between the handshake's check and this line the session may have ended, and nobody would have closed this one.
    close_if_ended(&web, &connection).await;
    connection
        .send_frame(&ServerFrame::Hello { version: env!("CARGO_PKG_VERSION").into(), heartbeat_ms: HEARTBEAT_MS });
    let (sink, stream) = socket.split();
    let expires_in = verified.as_ref().map(|v| Duration::from_millis((v.expires_at - now()).max(0) as u64));
    let mut client = Client { web: &web, connection: &connection, verified, rooms: HashSet::new() };
    // One task: reading and writing take turns in it, and end together.
    let end = tokio::select! {
        end = client.read(stream) => Some(end),
        () = write(&web, &connection, outgoing, sink, expires_in) => None,
    };
    if let Some(end) = end {
        tracing::trace!(?end, "a client is gone");
    }
    let rooms = std::mem::take(&mut client.rooms);
    web.hub.disconnected(&connection, rooms);
}

#[derive(Debug)]
enum End {
    ByClient,
    Silence,
}

struct Client<'a> {
    web: &'a Web,
    connection: &'a Arc<Connection>,
    verified: Option<Verified>,
    rooms: HashSet<RoomId>,
}

impl Client<'_> {
    async fn read(&mut self, mut stream: SplitStream<WebSocket>) -> End {
        let (mut frames, mut since) = (0, Instant::now());
        loop {
            let message = match tokio::time::timeout(Duration::from_millis(SILENCE_MS), stream.next()).await {
                Err(_) => return End::Silence,
                Ok(None) => return End::ByClient,
                Ok(Some(Err(e))) => {
                    // The library has no type for it that reaches here, only its words.
                    if e.to_string().contains("too long") {
                        return self.close(Close::TooBig).await;
                    }
                    return End::ByClient;
                }
                Ok(Some(Ok(message))) => message,
            };
            if since.elapsed() > CLIENT_FRAMES_PER {
                (frames, since) = (0, Instant::now());
            }
            frames += 1;
            if frames > MAX_CLIENT_FRAMES {
                return self.close(Close::TooMany).await;
            }
            match message {
                Message::Text(text) => match serde_json::from_str(&text) {
                    Ok(frame) => self.frame(frame).await,
                    Err(e) => self.connection.send_error(None, format!("not a frame of {SUBPROTOCOL}: {e}")),
                },
                Message::Binary(_) => self.connection.send_error(None, "frames are text"),
                // A close is answered by the library while the stream is read to its end.
                Message::Ping(_) | Message::Pong(_) | Message::Close(_) => {}
            }
        }
    }

    /// Closed by us: whoever writes says so to the client, and ends the connection.
    async fn close(&self, why: Close) -> End {
        self.connection.close(why);
        std::future::pending().await
    }

    async fn frame(&mut self, frame: ClientFrame) {
        match frame {
            ClientFrame::Subscribe { room, since, counting } => {
                self.subscribe(room, Since { at: since, counting }).await
            }
            ClientFrame::Unsubscribe { room } => {
                if self.rooms.remove(&room) {
                    self.web.hub.unsubscribe(self.connection, room);
                }
            }
            ClientFrame::Ping => self.connection.send_frame(&ServerFrame::Pong),
        }
    }

    async fn subscribe(&mut self, room: RoomId, since: Since) {
        if self.rooms.len() >= MAX_ROOMS && !self.rooms.contains(&room) {
            return self.connection.send_error(Some(room), format!("{MAX_ROOMS} rooms a connection, no more"));
        }
        let who = self.verified.as_ref().map(|v| &v.viewer);
        match self.web.service.readable(who, &room.to_string()).await {
            Ok(access) => {
                match self.web.hub.subscribe(self.connection, &access.room, access.role.is_some(), since).await {
                    Ok(()) => drop(self.rooms.insert(room)),
                    Err(busy) => self.connection.send_error(Some(room), busy.to_string()),
                }
            }
            Err(e) => self.connection.send_error(Some(room), e.to_string()),
        }
    }
}

async fn close_if_ended(web: &Web, connection: &Connection) {
    if let Some(session) = connection.session()
        && web.auth.has_ended(session).await
    {
        connection.close(Close::SessionEnded);
    }
}

/// Writes what is queued, pings, and ends the connection when it is to be ended.
async fn write(
    web: &Web,
    connection: &Connection,
    mut outgoing: mpsc::Receiver<Outgoing>,
    mut sink: SplitSink<WebSocket, Message>,
    expires_in: Option<Duration>,
) {
    let expired = async {
        match expires_in {
            Some(time) => tokio::time::sleep(time).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(expired);
    let mut heartbeat = tokio::time::interval(Duration::from_millis(HEARTBEAT_MS));
    heartbeat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    heartbeat.tick().await;
    let mut status = web.status.clone();
    // Who has just come is told of trouble, not that there is none.
    if *status.borrow_and_update() != Status::WELL {
        status.mark_changed();
    }
    let why = loop {
        let written = tokio::select! {
            biased;
            why = connection.closing() => break why,
            () = &mut expired => break Close::SessionEnded,
            next = outgoing.recv() => match next {
                Some(first) => batch(connection, first, &mut outgoing, &mut sink).await,
                None => return,
            },
            Ok(()) = status.changed() => {
                connection.send_frame(&ServerFrame::Status(*status.borrow_and_update()));
                Ok(())
            }
            () = connection.session_in_doubt() => {
                close_if_ended(web, connection).await;
                Ok(())
            }
            _ = heartbeat.tick() => {
                // Its end was told, unless the telling failed.
                close_if_ended(web, connection).await;
                timely(connection, sink.send(Message::Ping(Vec::new().into()))).await
            }
        };
        match written {
            Ok(()) => {}
            Err(Some(why)) => break why,
            Err(None) => return,
        }
    };
    // The socket of a slow client is full: it may never take the close frame, and the connection ends all the same.
    let frame = CloseFrame { code: why.code(), reason: Utf8Bytes::from_static(why.reason()) };
    let _ = tokio::time::timeout(CLOSE_DEADLINE, async {
        sink.send(Message::Close(Some(frame))).await?;
        sink.close().await
    })
    .await;
}

async fn batch(
    connection: &Connection,
    first: Outgoing,
    outgoing: &mut mpsc::Receiver<Outgoing>,
    sink: &mut SplitSink<WebSocket, Message>,
) -> Result<(), Option<Close>> {
    let mut next = Some(first);
    let mut left = COALESCE;
    while let Some(item) = next {
        connection.taken(&item);
        for frame in item.into_frames() {
            timely(connection, sink.feed(Message::Text(frame))).await?;
        }
        left -= 1;
        next = if left > 0 { outgoing.try_recv().ok() } else { None };
    }
    timely(connection, sink.flush()).await
}

/// Writing, unless the connection is to be ended or the client takes nothing. `Err(None)`: it is gone.
async fn timely<E>(connection: &Connection, write: impl Future<Output = Result<(), E>>) -> Result<(), Option<Close>> {
    tokio::select! {
        biased;
        why = connection.closing() => Err(Some(why)),
        done = tokio::time::timeout(WRITE_DEADLINE, write) => match done {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(None),
            Err(_) => Err(Some(Close::TooSlow)),
        },
    }
}
