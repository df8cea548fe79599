//! The subscribers: thousands of WebSocket connections on one thread, straight on epoll. One shared read buffer per
//! thread; a connection owns memory only while it holds part of a frame. One clock reading per read.

mod churn;

use crate::{
    http,
    stamp::{self, Stamp},
    target::{Step, Target},
    ws,
};
use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use rustix::{
    event::{Timespec, epoll},
    fd::OwnedFd,
    net::{AddressFamily, SocketFlags, SocketType, bind, socket_with, sockopt},
};
use std::{
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread::JoinHandle,
};

/// Shared by the threads of a run; all that the main thread steers by.
#[derive(Default)]
pub struct Shared {
    pub ready: AtomicU64,
    pub failed: AtomicU64,
    pub dropped: AtomicU64,
    /// distinct measured messages received
    pub unique: AtomicU64,
    pub stop: AtomicBool,
    /// stamps older than this are warm-up; u64::MAX until the window opens
    pub measure_from: AtomicU64,
    /// what of `ready` is wanted so far, so that `idle` can grow in stages
    pub want: AtomicU64,
    /// so many a second leave and come back, in turn
    pub churn: AtomicU64,
    /// how many have come back so far
    pub resumed: AtomicU64,
}

pub struct Received {
    /// publish (the moment it was written) to receive
    pub latency: Histogram<u64>,
    /// the same from the moment the publish was due
    pub latency_due: Histogram<u64>,
    pub unique: u64,
    pub duplicate: u64,
    pub out_of_order: u64,
    pub misrouted: u64,
    pub frames: u64,
    pub reads: u64,
    pub bytes: u64,
    pub first_error: Option<String>,
}

pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1_000, 120_000_000_000, 3).expect("bounds that fit")
}

#[derive(PartialEq, Clone, Copy)]
enum State {
    Handshake,
    Step(u8),
    Ready,
    Closed,
}

struct Conn {
    /// None: closed.
    socket: Option<TcpStream>,
    state: State,
    room: u32,
    last: u64,
    /// bit k: message `last - k` was seen
    window: u64,
    /// part of a frame
    carry: Vec<u8>,
    /// part of a line or of a fragmented message
    partial: Vec<u8>,
    /// who leaves and comes back remembers up to where everything is known
    since: Option<String>,
    /// was ready once
    known: bool,
}

pub struct Spec {
    /// number of the connection, over all threads
    pub index: usize,
    pub room: u32,
}

pub fn spawn(
    target: Arc<dyn Target>,
    specs: Vec<Spec>,
    rooms: Arc<Vec<String>>,
    shared: Arc<Shared>,
) -> JoinHandle<Result<Received>> {
    std::thread::spawn(move || Subs::new(target, rooms, shared)?.run(specs))
}

struct Subs {
    target: Arc<dyn Target>,
    rooms: Arc<Vec<String>>,
    shared: Arc<Shared>,
    epoll: OwnedFd,
    conns: Vec<Conn>,
    indices: Vec<usize>,
    pending: usize,
    finder: memchr::memmem::Finder<'static>,
    out: Received,
    stream: bool,
    new_unique: u64,
    churn: churn::Churn,
}

const BUF: usize = 256 * 1024;
const HANDSHAKES_AT_ONCE: usize = 128;

impl Subs {
    fn new(target: Arc<dyn Target>, rooms: Arc<Vec<String>>, shared: Arc<Shared>) -> Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let out = Received {
            latency: histogram(),
            latency_due: histogram(),
            unique: 0,
            duplicate: 0,
            out_of_order: 0,
            misrouted: 0,
            frames: 0,
            reads: 0,
            bytes: 0,
            first_error: None,
        };
        let stream = target.line_stream();
        Ok(Self {
            target,
            rooms,
            shared,
            epoll,
            conns: vec![],
            indices: vec![],
            pending: 0,
            finder: stamp::finder(),
            out,
            stream,
            new_unique: 0,
            churn: churn::Churn::default(),
        })
    }

    fn run(mut self, specs: Vec<Spec>) -> Result<Received> {
        let mut buf = vec![0u8; BUF];
        let mut events = Vec::with_capacity(1024);
        let mut specs = specs.into_iter();
        let wait = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
        while !self.shared.stop.load(Relaxed) {
            let want = self.shared.want.load(Relaxed) as usize;
            while self.pending < HANDSHAKES_AT_ONCE && self.conns.len() < want {
                let Some(spec) = specs.next() else { break };
                self.open(&spec)?;
            }
            self.come_and_go()?;
            events.clear();
            epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&wait))?;
            for event in &events {
                self.readable(event.data.u64() as usize, &mut buf);
            }
            if self.new_unique > 0 {
                self.shared.unique.fetch_add(std::mem::take(&mut self.new_unique), Relaxed);
            }
        }
        Ok(self.out)
    }

    fn open(&mut self, spec: &Spec) -> Result<()> {
        let socket = connect(self.target.ws_addr(spec.index), spec.index)?;
        let i = self.conns.len();
        epoll::add(
            &self.epoll,
            &socket,
            epoll::EventData::new_u64(i as u64),
            epoll::EventFlags::IN | epoll::EventFlags::RDHUP,
        )?;
        self.conns.push(Conn {
            socket: Some(socket),
            state: State::Handshake,
            room: spec.room,
            last: 0,
            window: 0,
            carry: vec![],
            partial: vec![],
            since: None,
            known: false,
        });
        self.indices.push(spec.index);
        self.pending += 1;
        let request = self.target.upgrade(spec.index, &self.rooms[spec.room as usize]);
        self.send(i, &request);
        Ok(())
    }

    /// What a subscriber sends is small and rare, so it always fits the socket buffer.
    fn send(&mut self, i: usize, bytes: &[u8]) {
        let Some(socket) = &mut self.conns[i].socket else { return };
        match socket.write(bytes) {
            Ok(n) if n == bytes.len() => {}
            Ok(n) => self.close(i, format!("short write {n} of {}", bytes.len())),
            Err(e) => self.close(i, e.to_string()),
        }
    }

    fn close(&mut self, i: usize, why: String) {
        let c = &mut self.conns[i];
        match c.state {
            State::Closed => return,
            State::Ready => {
                self.shared.dropped.fetch_add(1, Relaxed);
            }
            _ => {
                self.shared.failed.fetch_add(1, Relaxed);
                self.pending -= 1;
            }
        }
        c.state = State::Closed;
        c.socket = None;
        self.out.first_error.get_or_insert(why);
    }

    fn readable(&mut self, i: usize, buf: &mut [u8]) {
        let c = &mut self.conns[i];
        let Some(socket) = &mut c.socket else { return };
        let have = c.carry.len();
        buf[..have].copy_from_slice(&c.carry);
        let n = match socket.read(&mut buf[have..]) {
            Ok(0) => return self.close(i, "closed by the server".into()),
            Ok(n) => n,
            Err(e) if e.kind() == ErrorKind::WouldBlock => return,
            Err(e) => return self.close(i, e.to_string()),
        };
        c.carry.clear();
        let now = stamp::now_ns();
        self.out.reads += 1;
        self.out.bytes += n as u64;
        let end = have + n;
        let mut at = 0;
        if c.state == State::Handshake {
            let Some(r) = http::response(&buf[..end]) else { return self.keep(i, &buf[..end]) };
            if r.status != 101 {
                return self.close(i, format!("upgrade refused: {}", String::from_utf8_lossy(&buf[..end.min(300)])));
            }
            at = r.size;
            self.step(i, 0);
        }
        while at < end && self.conns[i].state != State::Closed {
            let Some(f) = ws::decode(&buf[at..end]) else { break };
            at += f.size;
            self.out.frames += 1;
            match f.opcode {
                ws::PING => {
                    let mut pong = vec![];
                    ws::encode(ws::PONG, f.payload, &mut pong);
                    self.send(i, &pong);
                }
                ws::PONG => {}
                ws::CLOSE => {
                    return self.close(
                        i,
                        format!("close frame: {}", String::from_utf8_lossy(&f.payload[f.payload.len().min(2)..])),
                    );
                }
                _ => self.data(i, &f, now),
            }
        }
        if at < end && self.conns[i].state != State::Closed {
            self.keep(i, &buf[at..end]);
        } else if self.conns[i].carry.capacity() > 0 {
            self.conns[i].carry = vec![];
        }
    }

    fn keep(&mut self, i: usize, rest: &[u8]) {
        self.conns[i].carry.extend_from_slice(rest);
    }

    fn data(&mut self, i: usize, f: &ws::Frame, now: u64) {
        let whole = if self.stream { f.payload.last() == Some(&b'\n') } else { f.fin && f.opcode != 0 };
        if whole && self.conns[i].partial.is_empty() {
            return self.message(i, f.payload, now);
        }
        self.conns[i].partial.extend_from_slice(f.payload);
        let mut p = std::mem::take(&mut self.conns[i].partial);
        if self.stream {
            let cut = memchr::memrchr(b'\n', &p).map_or(0, |n| n + 1);
            self.message(i, &p[..cut], now);
            p.drain(..cut);
        } else if f.fin {
            self.message(i, &p, now);
            p.clear();
        }
        if !p.is_empty() && self.conns[i].state != State::Closed {
            self.conns[i].partial = p;
        }
    }

    fn message(&mut self, i: usize, m: &[u8], now: u64) {
        if let Some(k) = self.target.keep_alive() {
            let hit = if self.stream {
                m.starts_with(&k.ping) || memchr::memmem::find(m, b"\nPING\r\n").is_some()
            } else {
                m == k.ping
            };
            if hit {
                let mut reply = vec![];
                ws::encode(k.opcode, &k.reply, &mut reply);
                self.send(i, &reply);
                if !self.stream {
                    return;
                }
            }
        }
        if let State::Step(s) = self.conns[i].state {
            if self.target.refused(m) {
                return self.close(i, format!("refused: {}", String::from_utf8_lossy(&m[..m.len().min(300)])));
            }
            let steps = self.steps(i);
            if memchr::memmem::find(m, &steps[s as usize].expect).is_some() {
                self.step(i, s as usize + 1);
            }
        }
        if self.churn.on
            && let Some(position) = self.target.position(m)
        {
            self.conns[i].since = Some(position.to_owned());
        }
        let from = self.shared.measure_from.load(Relaxed);
        let c = &mut self.conns[i];
        let (out, new) = (&mut self.out, &mut self.new_unique);
        stamp::scan(m, &self.finder, |s: Stamp| {
            if s.room != c.room {
                out.misrouted += 1;
                return;
            }
            let seen = if s.id > c.last {
                let by = s.id - c.last;
                c.window = if by < 64 { c.window << by | 1 } else { 1 };
                c.last = s.id;
                false
            } else {
                let back = c.last - s.id;
                let seen = back < 64 && c.window & (1 << back) != 0;
                if back < 64 {
                    c.window |= 1 << back;
                }
                if !seen && s.t >= from {
                    out.out_of_order += 1;
                }
                seen
            };
            if s.t < from {
                return;
            }
            if seen {
                out.duplicate += 1;
                return;
            }
            out.unique += 1;
            *new += 1;
            let l = now.saturating_sub(s.t);
            out.latency.saturating_record(l);
            out.latency_due.saturating_record(l + s.lag);
        });
    }

    fn steps(&self, i: usize) -> Vec<Step> {
        let (c, index) = (&self.conns[i], self.indices[i]);
        let room = &self.rooms[c.room as usize];
        match &c.since {
            Some(since) if c.known => self.target.resume(index, room, since),
            _ => self.target.steps(index, room),
        }
    }

    /// Sends step `s` and those after it that await no answer; past the last one the subscriber is ready.
    fn step(&mut self, i: usize, mut s: usize) {
        let steps = self.steps(i);
        loop {
            if s == steps.len() {
                self.conns[i].state = State::Ready;
                self.pending -= 1;
                let again = std::mem::replace(&mut self.conns[i].known, true);
                let count = if again { &self.shared.resumed } else { &self.shared.ready };
                count.fetch_add(1, Relaxed);
                return;
            }
            self.conns[i].state = State::Step(s as u8);
            let mut f = vec![];
            ws::encode(steps[s].opcode, &steps[s].send, &mut f);
            self.send(i, &f);
            if self.conns[i].state == State::Closed || !steps[s].expect.is_empty() {
                return;
            }
            s += 1;
        }
    }
}

/// A non-blocking socket connected from one of 127.0.0.2…, 15,000 connections to an address, so that ports suffice.
pub fn connect(to: SocketAddr, index: usize) -> Result<TcpStream> {
    let SocketAddr::V4(to) = to else { anyhow::bail!("IPv4 only") };
    let from = u8::try_from(2 + index / 15_000).context("too many connections for one machine's addresses")?;
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    sockopt::set_tcp_nodelay(&socket, true)?;
    bind(&socket, &SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, from), 0))?;
    // On loopback this completes at once, or waits only for room in the listen queue.
    rustix::net::connect(&socket, &to).context("connect")?;
    let socket = TcpStream::from(socket);
    socket.set_nonblocking(true)?;
    Ok(socket)
}
