//! One client's socket, as those see it who have something for it. What it takes at once is written at once, by whoever
//! has it; the rest waits in a queue, bounded in frames and in bytes, for the client's own task (`http/socket.rs`). Who
//! reads too slowly is closed and resumes; nobody else waits for them.

use super::lock;
use crate::websocket::Frame;
use app::{
    model::{RoomId, SessionId, User, UserId},
    protocol::{ServerFrame, close},
};
use bytes::Bytes;
use std::{
    any::Any,
    collections::VecDeque,
    io::{self, IoSlice},
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{net::TcpStream, sync::Notify};

/// Most frames that wait for a client. A replay of missed events counts as one: its bytes are shared.
pub const MAX_FRAMES: usize = 256;
/// Most bytes that wait for a client.
pub const MAX_BYTES: usize = 1024 * 1024;
/// From so many waiting frames on, what is not in the log (typing) is not queued.
const SHED_AT: usize = MAX_FRAMES / 4;
/// Pieces in one write.
const AT_ONCE: usize = 64;

/// Why the server ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// The session ended or the token expired.
    SessionEnded,
    /// The client reads too slowly.
    TooSlow,
    /// The node drains.
    GoingAway,
    /// The client sent a frame that is too big.
    TooBig,
    /// The client sends far too much.
    TooMany,
}

impl Close {
    /// The close code.
    pub const fn code(self) -> u16 {
        match self {
            Self::SessionEnded => close::SESSION_ENDED,
            Self::TooSlow => close::TOO_SLOW,
            Self::GoingAway => close::GOING_AWAY,
            Self::TooBig => close::TOO_BIG,
            Self::TooMany => close::POLICY,
        }
    }

    /// For people.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::SessionEnded => "session ended",
            Self::TooSlow => "too slow: resume from your last position",
            Self::GoingAway => "going away: reconnect",
            Self::TooBig => "frame too big",
            Self::TooMany => "too many frames",
        }
    }
}

/// One client.
pub struct Connection {
    id: u64,
    user: Option<(UserId, Arc<str>)>,
    session: Option<SessionId>,
    socket: TcpStream,
    /// Its place among all connections: as long as the socket is open.
    _place: Option<Box<dyn Any + Send + Sync>>,
    waiting: Mutex<Waiting>,
    /// Something waits, or the connection is to be ended, or its session is in doubt.
    wake: Notify,
    why: OnceLock<Close>,
    /// The socket takes nothing more, or its task is gone.
    over: AtomicBool,
    in_doubt: AtomicBool,
}

/// What the socket has not taken yet.
#[derive(Default)]
struct Waiting {
    pieces: VecDeque<Piece>,
    frames: usize,
    bytes: usize,
    /// When the socket took something last, while something waits.
    since: Option<Instant>,
    /// The last frame is among them, or was written: nothing comes after it.
    last: bool,
}

struct Piece {
    rest: Bytes,
    /// How many it counts for.
    frames: usize,
    /// Some of it is written: nothing may come between.
    begun: bool,
}

impl Waiting {
    fn push(&mut self, rest: Bytes, frames: usize, begun: bool) {
        self.frames += frames;
        self.bytes += rest.len();
        self.since.get_or_insert_with(Instant::now);
        self.pieces.push_back(Piece { rest, frames, begun });
    }

    /// The socket took so many bytes.
    fn written(&mut self, mut bytes: usize) {
        self.bytes -= bytes;
        while let Some(first) = self.pieces.front_mut() {
            if bytes < first.rest.len() {
                first.begun |= bytes > 0;
                first.rest = first.rest.slice(bytes..);
                break;
            }
            bytes -= first.rest.len();
            self.frames -= first.frames;
            self.pieces.pop_front();
        }
        self.since = (!self.pieces.is_empty()).then(Instant::now);
        if self.pieces.is_empty() {
            self.pieces = VecDeque::new();
        }
    }
}

impl Connection {
    /// A connection over a socket. `user` and `session`: `None` for visitors.
    pub fn new(user: Option<&User>, session: Option<SessionId>, socket: TcpStream) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            user: user.map(|user| (user.id, user.username.as_str().into())),
            session,
            socket,
            _place: None,
            waiting: Mutex::default(),
            wake: Notify::new(),
            why: OnceLock::new(),
            over: AtomicBool::new(false),
            in_doubt: AtomicBool::new(false),
        }
    }

    /// The same, holding something as long as it lives.
    pub fn in_place(self, place: impl Any + Send + Sync) -> Self {
        Self { _place: Some(Box::new(place)), ..self }
    }

    /// Unique in this process.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Whose; `None`: a visitor's.
    pub fn user(&self) -> Option<UserId> {
        self.user.as_ref().map(|(id, _)| *id)
    }

    /// The same person's user name.
    pub fn username(&self) -> Option<&Arc<str>> {
        self.user.as_ref().map(|(_, name)| name)
    }

    /// Of which session.
    pub fn session(&self) -> Option<SessionId> {
        self.session
    }

    /// For its task: what to read from, and to wait for.
    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Sends without waiting. A client with no room left is closed with 4408; nothing is left out in silence. `false`: it
    /// is gone, or has just been closed.
    pub fn send(&self, frame: &Frame) -> bool {
        self.send_bytes(frame.bytes(), 1)
    }

    /// Sends several frames in one piece, which counts for as many.
    pub(super) fn send_bytes(&self, bytes: &Bytes, frames: usize) -> bool {
        if self.is_over() {
            return false;
        }
        let mut waiting = lock(&self.waiting);
        if waiting.last {
            return false;
        }
        if waiting.pieces.is_empty() {
            match self.socket.try_write(bytes) {
                Ok(written) if written == bytes.len() => return true,
                Ok(written) => waiting.push(bytes.slice(written..), frames, written > 0),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => waiting.push(bytes.clone(), frames, false),
                Err(_) => {
                    drop(waiting);
                    self.ended();
                    return false;
                }
            }
            drop(waiting);
            self.wake.notify_one();
            return true;
        }
        if waiting.frames + frames > MAX_FRAMES || waiting.bytes + bytes.len() > MAX_BYTES {
            drop(waiting);
            self.close(Close::TooSlow);
            return false;
        }
        waiting.push(bytes.clone(), frames, false);
        true
    }

    /// Sends what was missed. It counts as one frame; its bytes are shared with all who missed the same.
    pub(super) fn replay(&self, frames: &[Frame]) -> bool {
        if self.is_over() {
            return false;
        }
        let bytes: usize = frames.iter().map(Frame::size).sum();
        let mut waiting = lock(&self.waiting);
        if waiting.last {
            return false;
        }
        if waiting.frames + 1 > MAX_FRAMES || waiting.bytes + bytes > MAX_BYTES {
            drop(waiting);
            self.close(Close::TooSlow);
            return false;
        }
        for (n, frame) in frames.iter().enumerate() {
            waiting.push(frame.bytes().clone(), usize::from(n == 0), false);
        }
        drop(waiting);
        self.drain();
        self.wake.notify_one();
        true
    }

    /// Sends what may be left out.
    pub fn send_if_idle(&self, frame: &Frame) {
        self.send_bytes_if_idle(frame.bytes(), 1);
    }

    /// The same of several frames in one piece.
    pub(super) fn send_bytes_if_idle(&self, bytes: &Bytes, frames: usize) {
        if lock(&self.waiting).frames < SHED_AT {
            self.send_bytes(bytes, frames);
        }
    }

    /// Sends a frame of this client alone.
    pub fn send_frame(&self, frame: &ServerFrame) {
        self.send(&encode(frame));
    }

    /// Sends an error about a room; the connection stays.
    pub fn send_error(&self, room: Option<RoomId>, reason: impl Into<String>) {
        self.send_frame(&ServerFrame::Error { reason: reason.into(), room });
    }

    pub(super) fn ask_to_reconnect(&self, after_ms: u64) {
        self.send_frame(&ServerFrame::Reconnect { after_ms });
    }

    /// Writes as much of what waits as the socket takes.
    pub fn drain(&self) {
        let mut waiting = lock(&self.waiting);
        while !waiting.pieces.is_empty() {
            let slices: Vec<_> = waiting.pieces.iter().take(AT_ONCE).map(|piece| IoSlice::new(&piece.rest)).collect();
            match self.socket.try_write_vectored(&slices) {
                Ok(written @ 1..) => waiting.written(written),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Ok(0) | Err(_) => {
                    self.ended();
                    break;
                }
            }
        }
    }

    /// Something waits for the socket.
    pub fn has_waiting(&self) -> bool {
        !lock(&self.waiting).pieces.is_empty()
    }

    /// For how long the socket has taken nothing of what waits.
    pub fn stuck_for(&self) -> Duration {
        lock(&self.waiting).since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// The last frame: what waits is left out, but for what is begun.
    pub fn send_last(&self, frame: &Frame) {
        let mut waiting = lock(&self.waiting);
        waiting.pieces.retain(|piece| piece.begun);
        waiting.last = true;
        waiting.push(frame.bytes().clone(), 1, false);
        drop(waiting);
        self.drain();
    }

    pub(super) fn ask_session(&self) {
        self.in_doubt.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    /// It is to be asked whether the connection's session has ended: nobody may have told. Once.
    pub fn takes_doubt(&self) -> bool {
        self.in_doubt.swap(false, Ordering::AcqRel)
    }

    /// Its socket is gone, or is being closed.
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire) || self.why.get().is_some()
    }

    /// Its socket is gone: closed for the client too, whoever here still knows the connection.
    pub fn ended(&self) {
        if !self.over.swap(true, Ordering::AcqRel) {
            let _ = rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Both);
        }
        self.wake.notify_one();
    }

    /// The socket takes nothing more.
    pub fn is_gone(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Ends the connection; the first reason stands.
    pub fn close(&self, why: Close) {
        if self.why.set(why).is_ok() {
            metrics::counter!("partyline_connections_closed_total", "code" => why.code().to_string()).increment(1);
            self.wake.notify_one();
        }
    }

    /// Why it is to be ended.
    pub fn why(&self) -> Option<Close> {
        self.why.get().copied()
    }

    /// Returns when something is to be looked at: why it ends, whether its session is in doubt, what waits.
    pub async fn woken(&self) {
        self.wake.notified().await;
    }
}

/// A frame as text.
pub fn encode(frame: &ServerFrame) -> Frame {
    Frame::text(&serde_json::to_string(frame).expect("a frame is plain data"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{io::AsyncReadExt, net::TcpListener};

    /// A connection, and the client's end of it, which has not read anything.
    async fn pair() -> (Connection, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (client, server) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
        let socket = server.unwrap().0;
        socket.writable().await.unwrap();
        (Connection::new(None, None, socket), client.unwrap())
    }

    /// Until the kernel takes nothing more, and one frame waits.
    fn fill(connection: &Connection) {
        while !connection.has_waiting() {
            assert!(connection.send_bytes(&vec![b'x'; 64 * 1024].into(), 1));
        }
    }

    #[tokio::test]
    async fn what_the_socket_takes_is_written_at_once_and_in_order() {
        let (connection, mut client) = pair().await;
        let frames: Vec<_> = (0..100).map(|n| Frame::text(&format!("frame {n}"))).collect();
        assert!(connection.send(&frames[0]) && connection.replay(&frames[1..70]));
        assert!(frames[70..].iter().all(|frame| connection.send(frame)));
        assert!(!connection.has_waiting());
        let expected: Vec<u8> = frames.iter().flat_map(|frame| frame.bytes().to_vec()).collect();
        let mut read = vec![0; expected.len()];
        client.read_exact(&mut read).await.unwrap();
        assert_eq!(read, expected);
    }

    #[tokio::test]
    async fn what_waits_goes_out_whole_and_in_order_once_the_client_reads() {
        let (connection, mut client) = pair().await;
        let mut sent = 0;
        while !connection.has_waiting() {
            assert!(connection.send_bytes(&vec![b'a'; 64 * 1024].into(), 1));
            sent += 64 * 1024;
        }
        let last = Frame::text("and this");
        assert!(connection.replay(&[last.clone(), last.clone()]));
        let mut read = Vec::new();
        while read.len() < sent + 2 * last.size() {
            connection.drain();
            client.read_buf(&mut read).await.unwrap();
        }
        assert!(read[..sent].iter().all(|byte| *byte == b'a'));
        assert_eq!(&read[sent..], [&last.bytes()[..], &last.bytes()[..]].concat());
        assert_eq!((connection.has_waiting(), connection.stuck_for()), (false, Duration::ZERO));
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_is_closed_at_256_frames() {
        let (connection, _client) = pair().await;
        fill(&connection);
        for _ in 1..MAX_FRAMES {
            assert!(connection.send(&Frame::text("x")));
        }
        assert_eq!(connection.why(), None);
        assert!(!connection.send(&Frame::text("x")));
        assert_eq!(connection.why(), Some(Close::TooSlow));
        assert!(!connection.send(&Frame::text("x")), "nothing after that");
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_is_closed_at_a_mebibyte() {
        let (connection, _client) = pair().await;
        fill(&connection);
        assert!(connection.send_bytes(&vec![b'x'; MAX_BYTES - 64 * 1024].into(), 1));
        assert_eq!(connection.why(), None);
        assert!(!connection.send_bytes(&vec![b'x'; 64 * 1024 + 1].into(), 1));
        assert_eq!(connection.why(), Some(Close::TooSlow));
    }

    #[tokio::test]
    async fn typing_is_shed_long_before_the_queue_is_full() {
        let (connection, _client) = pair().await;
        fill(&connection);
        for _ in 0..MAX_FRAMES * 2 {
            connection.send_if_idle(&Frame::text("t"));
        }
        assert_eq!((connection.why(), lock(&connection.waiting).frames), (None, SHED_AT));
    }

    #[tokio::test]
    async fn the_last_frame_comes_after_what_is_begun_and_before_nothing() {
        let (connection, mut client) = pair().await;
        let big = Frame::text(&"x".repeat(64 * 1024));
        let mut begun = 0;
        while !connection.has_waiting() {
            assert!(connection.send(&big));
            begun += 1;
        }
        assert!(connection.send(&Frame::text("left out")));
        let whole = lock(&connection.waiting).pieces[0].begun;
        let close = Frame::close(4408, "slow");
        connection.send_last(&close);
        let expected = (begun - usize::from(!whole)) * big.size() + close.size();
        let mut read = Vec::new();
        while read.len() < expected {
            connection.drain();
            client.read_buf(&mut read).await.unwrap();
        }
        assert_eq!(&read[expected - close.size()..], &close.bytes()[..]);
        assert!(!connection.has_waiting());
    }

    #[tokio::test]
    async fn a_client_that_is_gone_gets_nothing_more() {
        let (connection, client) = pair().await;
        drop(client);
        let deadline = Instant::now() + Duration::from_secs(10);
        while connection.send(&Frame::text("x")) && Instant::now() < deadline {
            tokio::task::yield_now().await;
        }
        assert!(connection.is_gone() && connection.is_over());
    }
}
