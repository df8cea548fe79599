//! `/ws`: step 5 of a message's way, as far as the server goes. Authenticated in
//! the handshake; only subscribes.

use super::{Web, identity::Identity, listen::Place, problem::Problem};
use crate::{
    auth::{AuthError, Kind, Verified},
    hub::{Close, Connection, Since},
    time::now,
    websocket::{self, Frame, Incoming, Reader, Violation},
};
use app::{
    error::{ApiError, Outcome},
    model::RoomId,
    protocol::{
        BEARER_PREFIX, ClientFrame, HEARTBEAT_MS, MAX_CLIENT_FRAME_BYTES, SILENCE_MS, SUBPROTOCOL, ServerFrame, Status,
    },
};
use axum::{
    Extension,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::{FutureExt, future::BoxFuture};
use hyper::upgrade::OnUpgrade;
use hyper_util::{rt::TokioIo, server::conn::auto::upgrade::downcast};
use rustix::net::{Shutdown, shutdown};
use std::{collections::HashSet, io, sync::Arc, time::Duration};
use tokio::{net::TcpStream, time::Instant};

/// Most rooms that a connection may watch.
const MAX_ROOMS: usize = 500;
/// What the kernel holds for a client, besides what waits here. By itself it would take 4 MiB from each who does not read.
const KERNEL_BYTES: usize = 128 * 1024;
/// What is read at once.
const READ_BYTES: usize = 4 * 1024;
/// A client whose socket takes nothing for this long is gone.
const WRITE_DEADLINE: Duration = Duration::from_secs(30);
/// How long a closing handshake may take.
const CLOSE_DEADLINE: Duration = Duration::from_secs(1);
/// How much more a client may send that has been told that the connection ends.
const REST_BYTES: usize = 64 * 1024;
/// More frames than this within [`CLIENT_FRAMES_PER`] is no chat client.
const MAX_CLIENT_FRAMES: u32 = 1_000;
const CLIENT_FRAMES_PER: Duration = Duration::from_secs(10);

/// The handshake: who is it, and may a page of theirs be behind it?
pub(super) async fn connect(
    State(web): State<Web>,
    super::identity::Anyone(identity): super::identity::Anyone,
    Extension(place): Extension<Place>,
    mut request: Request,
) -> Response {
    let accept = match websocket::accept(request.headers()) {
        Ok(accept) if request.method() == Method::GET => accept,
        Ok(_) => return refused(websocket::Refusal::NoUpgrade),
        Err(refusal) => return refused(refusal),
    };
    let upgrade = request.extensions_mut().remove::<OnUpgrade>();
    let headers = request.headers();
    let Some(upgrade) = upgrade else { return refused(websocket::Refusal::NoUpgrade) };
    let token = bearer_among(headers);
    let with_bearer = super::identity::bearer(headers).is_some();
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
    let offers = websocket::offers(headers, SUBPROTOCOL);
    let hub = web.hub.clone();
    hub.spawn_until_stop(async move {
        // What a handshake needs is much more than what a socket does: it ends here.
        let Some(socket) = socket_of(upgrade).await else { return };
        web.hub.clone().spawn_until_stop(serve(web, socket, verified, place));
    });
    let mut answer = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_ACCEPT, accept);
    if offers {
        answer = answer.header(header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL);
    }
    answer.body(Body::empty()).expect("these headers are plain")
}

fn refused(refusal: websocket::Refusal) -> Response {
    let problem = Problem(ApiError::invalid(refusal.to_string()));
    match refusal {
        websocket::Refusal::Version => {
            let version = [(header::SEC_WEBSOCKET_VERSION, "13")];
            (StatusCode::UPGRADE_REQUIRED, version, problem).into_response()
        }
        _ => problem.into_response(),
    }
}

/// The bare socket, and what the client was quick enough to send after the handshake.
async fn socket_of(upgrade: OnUpgrade) -> Option<(TcpStream, Vec<u8>)> {
    let upgraded = upgrade.await.ok()?;
    let parts = downcast::<TokioIo<TcpStream>>(upgraded).ok()?;
    let socket = parts.io.into_inner();
    let _ = rustix::net::sockopt::set_socket_send_buffer_size(&socket, KERNEL_BYTES);
    // A copy: the bytes are part of the whole buffer that requests were read into.
    Some((socket, parts.read_buf.to_vec()))
}

/// The access token among the subprotocols that a client offers.
pub(super) fn bearer_among(headers: &HeaderMap) -> Option<&str> {
    websocket::listed(headers, &header::SEC_WEBSOCKET_PROTOCOL).find_map(|offered| offered.strip_prefix(BEARER_PREFIX))
}

async fn serve(web: Web, (socket, early): (TcpStream, Vec<u8>), verified: Option<Verified>, place: Place) {
    let viewer = verified.as_ref().map(|v| &v.viewer);
    let connection = Connection::new(viewer.map(|v| &v.user), viewer.map(|v| v.session), socket);
    let connection = Arc::new(connection.in_place(place));
    web.hub.connected(&connection);
    // Between the handshake's check and this line the session may have ended, and nobody would have closed this one.
    Box::pin(close_if_ended(&web, &connection)).await;
    connection
        .send_frame(&ServerFrame::Hello { version: env!("CARGO_PKG_VERSION").into(), heartbeat_ms: HEARTBEAT_MS });
    let expires_in = verified.as_ref().map(|v| Duration::from_millis((v.expires_at - now()).max(0) as u64));
    let mut client = Client { web: &web, connection: &connection, verified, rooms: HashSet::new() };
    // One task: reading and writing take turns in it, and end together.
    let end = tokio::select! {
        end = client.read(early) => end,
        end = write(&web, &connection, expires_in) => end,
    };
    tracing::trace!(?end, "a client is gone");
    let rooms = std::mem::take(&mut client.rooms);
    web.hub.disconnected(&connection, rooms);
    if let End::Closed(why) = end {
        connection.close(why);
    }
    if let Some(last) = end.frame() {
        Box::pin(say_goodbye(&connection, &last)).await;
    }
    connection.ended();
}

/// How a connection ends.
#[derive(Clone, Copy, Debug)]
enum End {
    /// We close it.
    Closed(Close),
    /// The client does; with the code that it gave.
    ByClient(Option<u16>),
    /// It broke the protocol.
    Broke(Violation),
    /// It is gone.
    Gone,
}

impl End {
    /// What the client is told last, if it is still there.
    fn frame(self) -> Option<Frame> {
        match self {
            Self::Closed(why) => Some(Frame::close(why.code(), why.reason())),
            Self::ByClient(Some(code)) => Some(Frame::close(code, "")),
            Self::ByClient(None) => Some(Frame::empty_close()),
            Self::Broke(violation) => Some(Frame::close(violation.code(), &violation.to_string())),
            Self::Gone => None,
        }
    }
}

struct Client<'a> {
    web: &'a Web,
    connection: &'a Arc<Connection>,
    verified: Option<Verified>,
    rooms: HashSet<RoomId>,
}

impl Client<'_> {
    async fn read(&mut self, early: Vec<u8>) -> End {
        let mut reader = Reader::new(MAX_CLIENT_FRAME_BYTES);
        reader.take(&early);
        drop(early);
        let (mut frames, mut since) = (0, Instant::now());
        loop {
            loop {
                let incoming = match reader.incoming() {
                    Ok(Some(incoming)) => incoming,
                    Ok(None) => break,
                    Err(Violation::TooBig) => return End::Closed(Close::TooBig),
                    Err(violation) => return End::Broke(violation),
                };
                if since.elapsed() > CLIENT_FRAMES_PER {
                    (frames, since) = (0, Instant::now());
                }
                frames += 1;
                if frames > MAX_CLIENT_FRAMES {
                    return End::Closed(Close::TooMany);
                }
                match incoming {
                    Incoming::Text(text) => match serde_json::from_str(&text) {
                        // Apart: most of the time a connection does not ask for anything, and need not hold what it takes.
                        Ok(frame) => Box::pin(self.frame(frame)).await,
                        Err(e) => self.connection.send_error(None, format!("not a frame of {SUBPROTOCOL}: {e}")),
                    },
                    Incoming::Binary => self.connection.send_error(None, "frames are text"),
                    Incoming::Ping(payload) => drop(self.connection.send(&Frame::pong(&payload))),
                    Incoming::Close(code) => return End::ByClient(code),
                    Incoming::Part | Incoming::Pong => {}
                }
            }
            let readable = tokio::time::timeout(Duration::from_millis(SILENCE_MS), self.connection.socket().readable());
            if !matches!(readable.await, Ok(Ok(()))) || !read_into(&mut reader, self.connection.socket()) {
                return End::Gone;
            }
        }
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

/// Takes what has come. The buffer is this call's alone: a connection at rest has none. `false`: there will be no more.
fn read_into(reader: &mut Reader, socket: &TcpStream) -> bool {
    let mut buffer = [0; READ_BYTES];
    match socket.try_read(&mut buffer) {
        Ok(0) => false,
        Ok(read) => {
            reader.take(&buffer[..read]);
            true
        }
        Err(e) => e.kind() == io::ErrorKind::WouldBlock,
    }
}

/// Writes what waits, pings, and says when and why the connection is to be ended.
async fn write(web: &Web, connection: &Connection, expires_in: Option<Duration>) -> End {
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
    // The store may take long to answer; what waits does not wait for it.
    let mut asking: Option<BoxFuture<'_, ()>> = None;
    loop {
        if let Some(why) = connection.why() {
            return End::Closed(why);
        }
        if connection.is_gone() {
            return End::Gone;
        }
        let waits = connection.has_waiting();
        tokio::select! {
            biased;
            () = &mut expired => return End::Closed(Close::SessionEnded),
            () = connection.woken() => if connection.takes_doubt() {
                asking.get_or_insert_with(|| close_if_ended(web, connection).boxed());
            },
            () = async { asking.as_mut().expect("it is there").await }, if asking.is_some() => asking = None,
            Ok(()) = connection.socket().writable(), if waits => connection.drain(),
            Ok(()) = status.changed() => connection.send_frame(&ServerFrame::Status(*status.borrow_and_update())),
            _ = heartbeat.tick() => {
                if connection.stuck_for() > WRITE_DEADLINE {
                    connection.close(Close::TooSlow);
                }
                // Its end was told, unless the telling failed.
                asking.get_or_insert_with(|| close_if_ended(web, connection).boxed());
                connection.send(&Frame::ping());
            }
        }
    }
}

/// The closing handshake. The socket of a slow client is full: it may never take the close frame, and the connection ends
/// all the same.
async fn say_goodbye(connection: &Connection, last: &Frame) {
    connection.send_last(last);
    let _ = tokio::time::timeout(CLOSE_DEADLINE, async {
        while connection.has_waiting() {
            if connection.is_gone() || connection.socket().writable().await.is_err() {
                return;
            }
            connection.drain();
        }
        // It waits for us to hang up; but what is unread when a socket is dropped takes back what was sent.
        let _ = shutdown(connection.socket(), Shutdown::Write);
        let (mut piece, mut rest) = ([0; 512], REST_BYTES);
        while rest > 0 && connection.socket().readable().await.is_ok() {
            match connection.socket().try_read(&mut piece) {
                Ok(read @ 1..) => rest = rest.saturating_sub(read),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                _ => return,
            }
        }
    })
    .await;
}
