//! One client's queue: bounded in frames and in bytes. Who reads too slowly is
//! closed and resumes; nobody else waits for them.

use app::{
    model::{RoomId, SessionId, User, UserId},
    protocol::{ServerFrame, close},
};
use axum::extract::ws::Utf8Bytes;
use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

/// Most frames that wait for a client. A replay of missed events counts as one: its bytes are shared.
pub const MAX_FRAMES: usize = 256;
/// Most bytes that wait for a client.
pub const MAX_BYTES: usize = 1024 * 1024;
/// From so many waiting frames on, what is not in the log (typing) is not queued.
const SHED_AT: usize = MAX_FRAMES / 4;

/// What a client is sent.
#[derive(Clone, Debug)]
pub enum Outgoing {
    /// One frame.
    Frame(Utf8Bytes),
    /// Several, in order.
    Replay(Vec<Utf8Bytes>),
}

impl Outgoing {
    /// The frames' bytes in all.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Frame(frame) => frame.len(),
            Self::Replay(frames) => frames.iter().map(|frame| frame.len()).sum(),
        }
    }

    /// The frames, in order.
    pub fn into_frames(self) -> impl Iterator<Item = Utf8Bytes> {
        let (one, several) = match self {
            Self::Frame(frame) => (Some(frame), Vec::new()),
            Self::Replay(frames) => (None, frames),
        };
        one.into_iter().chain(several)
    }
}

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
    queue: mpsc::Sender<Outgoing>,
    waiting_bytes: AtomicUsize,
    closing: CancellationToken,
    why: OnceLock<Close>,
    ask_session: Notify,
}

impl Connection {
    /// A connection and the end that its socket reads. `user` and `session`: `None` for visitors.
    pub fn new(user: Option<&User>, session: Option<SessionId>) -> (Self, mpsc::Receiver<Outgoing>) {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let (queue, outgoing) = mpsc::channel(MAX_FRAMES);
        let connection = Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            user: user.map(|user| (user.id, user.username.as_str().into())),
            session,
            queue,
            waiting_bytes: AtomicUsize::new(0),
            closing: CancellationToken::new(),
            why: OnceLock::new(),
            ask_session: Notify::new(),
        };
        (connection, outgoing)
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

    /// Queues without waiting. A client with no room left is closed with 4408; nothing is left out in silence.
    /// `false`: it is gone, or has just been closed.
    pub fn send(&self, outgoing: Outgoing) -> bool {
        let bytes = outgoing.bytes();
        let waiting = self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if waiting > MAX_BYTES || self.queue.try_send(outgoing).is_err() {
            self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.close(Close::TooSlow);
            return false;
        }
        true
    }

    /// Queues what may be left out.
    pub fn send_if_idle(&self, frame: Utf8Bytes) {
        if self.queue.max_capacity() - self.queue.capacity() < SHED_AT {
            self.send(Outgoing::Frame(frame));
        }
    }

    /// Queues a frame of this client alone.
    pub fn send_frame(&self, frame: &ServerFrame) {
        self.send(Outgoing::Frame(encode(frame)));
    }

    /// Queues an error about a room; the connection stays.
    pub fn send_error(&self, room: Option<RoomId>, reason: impl Into<String>) {
        self.send_frame(&ServerFrame::Error { reason: reason.into(), room });
    }

    pub(super) fn ask_to_reconnect(&self, after_ms: u64) {
        self.send_frame(&ServerFrame::Reconnect { after_ms });
    }

    /// To be called by the socket when it has taken something out of the queue.
    pub fn taken(&self, outgoing: &Outgoing) {
        self.waiting_bytes.fetch_sub(outgoing.bytes(), Ordering::Relaxed);
    }

    pub(super) fn ask_session(&self) {
        self.ask_session.notify_one();
    }

    /// Returns when it is to be asked whether the connection's session has ended: nobody may have told.
    pub async fn session_in_doubt(&self) {
        self.ask_session.notified().await;
    }

    /// Its socket is gone, or is being closed.
    pub fn is_over(&self) -> bool {
        self.queue.is_closed() || self.closing.is_cancelled()
    }

    /// Ends the connection; the first reason stands.
    pub fn close(&self, why: Close) {
        if self.why.set(why).is_ok() {
            metrics::counter!("partyline_connections_closed_total", "code" => why.code().to_string()).increment(1);
            self.closing.cancel();
        }
    }

    /// Returns when the connection is to be ended, and why.
    pub async fn closing(&self) -> Close {
        self.closing.cancelled().await;
        self.why.get().copied().unwrap_or(Close::GoingAway)
    }
}

/// A frame as text.
pub fn encode(frame: &ServerFrame) -> Utf8Bytes {
    serde_json::to_string(frame).expect("a frame is plain data").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(bytes: usize) -> Outgoing {
        Outgoing::Frame("x".repeat(bytes).into())
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_is_closed_at_256_frames() {
        let (connection, mut outgoing) = Connection::new(None, None);
        for _ in 0..MAX_FRAMES {
            connection.send(frame(1));
        }
        assert!(!connection.closing.is_cancelled());
        connection.send(frame(1));
        assert_eq!(connection.closing().await, Close::TooSlow);
        let taken = outgoing.recv().await.expect("what was queued is still there");
        connection.taken(&taken);
        assert_eq!(connection.waiting_bytes.load(Ordering::Relaxed), MAX_FRAMES - 1);
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_is_closed_at_a_mebibyte() {
        let (connection, _outgoing) = Connection::new(None, None);
        connection.send(frame(MAX_BYTES));
        assert!(!connection.closing.is_cancelled());
        connection.send(frame(1));
        assert_eq!(connection.closing().await, Close::TooSlow);
    }

    #[tokio::test]
    async fn typing_is_shed_long_before_the_queue_is_full() {
        let (connection, mut outgoing) = Connection::new(None, None);
        for _ in 0..MAX_FRAMES * 2 {
            connection.send_if_idle("t".into());
        }
        assert!(!connection.closing.is_cancelled());
        let mut queued = 0;
        while outgoing.try_recv().is_ok() {
            queued += 1;
        }
        assert_eq!(queued, SHED_AT);
    }
}
