//! The publisher: one thread, `conns` keep-alive connections, each with one publish in flight. Open loop at a rate, or
//! closed loop (rate 0: as fast as the acknowledgements come). A room always goes through the same connection, so that
//! its messages reach the server in the order of their ids; where there are fewer rooms, connections take turns.

use crate::{
    procstat::{self, Snap},
    stamp::{self, Stamp, now_ns},
    subscribers::{Shared, histogram},
    target::{Ack, PubCodec, Target},
};
use anyhow::{Result, bail};
use hdrhistogram::Histogram;
use rustix::{
    event::{Timespec, epoll},
    fd::OwnedFd,
};
use std::{
    collections::VecDeque,
    io::{Read, Write},
    net::TcpStream,
    sync::{Arc, atomic::Ordering::Relaxed},
};

/// What is published, and when.
#[derive(Clone, Copy)]
pub struct Plan {
    /// Publishes a second, over all; 0: as fast as they are acknowledged.
    pub rate: f64,
    /// Connections.
    pub conns: usize,
    /// Seconds before the window opens.
    pub warmup_s: f64,
    /// Seconds until it closes.
    pub measure_s: f64,
    /// Bytes of a message's text.
    pub payload: usize,
    /// It also ends after so many, warm-up included.
    pub most: u64,
    /// So many come first, as fast as they are acknowledged, before warm-up and window.
    pub first: u64,
}

impl Plan {
    /// Fewer rooms than connections: a room's messages go out over all of them, and which of two that are under way at
    /// once comes first is nobody's promise.
    pub fn takes_turns(&self, rooms: usize) -> bool {
        self.rate > 0.0 && self.conns > rooms
    }
}

pub struct Published {
    pub sent: u64,
    pub acked: u64,
    pub failed: u64,
    pub first_error: Option<String>,
    /// send to acknowledgement
    pub ack: Histogram<u64>,
    /// how late sends were, against their due time
    pub lag: Histogram<u64>,
    /// measured and acknowledged, per room
    pub per_room: Vec<u64>,
    pub start: Snap,
    /// seconds from the window's opening to the last acknowledgement
    pub window_s: f64,
}

struct Conn {
    codec: Box<dyn PubCodec>,
    sock: TcpStream,
    queue: VecDeque<(u32, u64)>,
    flight: Option<(u32, u64, bool)>,
    buf: Vec<u8>,
}

pub fn run(target: &dyn Target, rooms: &[String], pids: &[u32], p: &Plan, shared: &Arc<Shared>) -> Result<Published> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut conns = Vec::with_capacity(p.conns);
    for i in 0..p.conns {
        let mut codec = target.publisher(i);
        let sock = open(&mut *codec, &rooms[i % rooms.len()], &epoll, i)?;
        conns.push(Conn { codec, sock, queue: VecDeque::new(), flight: None, buf: vec![] });
    }
    let mut w = Work {
        rooms,
        seq: vec![0; rooms.len()],
        payload_size: p.payload,
        scratch: vec![],
        payload: vec![],
        out: Published {
            sent: 0,
            acked: 0,
            failed: 0,
            first_error: None,
            ack: histogram(),
            lag: histogram(),
            per_room: vec![0; rooms.len()],
            start: procstat::snap(pids),
            window_s: 0.0,
        },
        measuring: false,
    };
    let gap = if p.rate <= 0.0 { 0 } else { (1e9 / p.rate) as u64 };
    let begin = now_ns();
    let mut open_at = begin + (p.warmup_s * 1e9) as u64;
    let mut end_at = open_at + (p.measure_s * 1e9) as u64;
    let (mut due, mut next_room) = (begin, 0usize);
    let mut closed_next: Vec<usize> = (0..p.conns).collect(); // closed loop: conn i walks the rooms i, i + conns, …
    let mut events = Vec::with_capacity(256);
    let (mut opened, mut asked) = (0, 0);
    loop {
        let now = now_ns();
        let closed = p.rate <= 0.0 || asked < p.first;
        if asked < p.first {
            open_at = now + (p.warmup_s * 1e9) as u64;
            end_at = open_at + (p.measure_s * 1e9) as u64;
            due = now;
        }
        if !w.measuring && now >= open_at {
            w.measuring = true;
            w.out.start = procstat::snap(pids);
            opened = now_ns();
            shared.measure_from.store(opened, Relaxed);
        }
        let ending = now >= end_at || asked >= p.most;
        if ending && conns.iter().all(|c| c.flight.is_none() && c.queue.is_empty()) {
            break;
        }
        if now > end_at + 10_000_000_000 {
            let left: usize = conns.iter().map(|c| c.queue.len() + c.flight.is_some() as usize).sum();
            w.out.failed += left as u64;
            w.out.first_error.get_or_insert(format!("{left} publishes unanswered 10 s after the end"));
            break;
        }
        if !ending {
            if closed {
                for (i, c) in conns.iter_mut().enumerate() {
                    if c.flight.is_none() && c.queue.is_empty() && asked < p.most {
                        asked += 1;
                        c.queue.push_back(((closed_next[i] % rooms.len()) as u32, now));
                        closed_next[i] += p.conns;
                    }
                }
            } else {
                while due <= now && asked < p.most {
                    asked += 1;
                    let room = next_room % rooms.len();
                    let conn = if p.takes_turns(rooms.len()) { next_room } else { room };
                    conns[conn % p.conns].queue.push_back((room as u32, due));
                    next_room += 1;
                    due += gap;
                }
            }
        }
        for c in conns.iter_mut().filter(|c| c.flight.is_none() && !c.queue.is_empty()) {
            w.send(c)?;
        }
        let wait = if ending || closed { 5_000_000 } else { due.saturating_sub(now_ns()).min(5_000_000) };
        let wait = Timespec { tv_sec: 0, tv_nsec: wait as i64 };
        events.clear();
        epoll::wait(&epoll, rustix::buffer::spare_capacity(&mut events), Some(&wait))?;
        for event in &events {
            let i = event.data.u64() as usize;
            if !w.receive(&mut conns[i])? {
                let room = &rooms[i % rooms.len()];
                let c = &mut conns[i];
                c.sock = open(&mut *c.codec, room, &epoll, i)?;
                c.buf.clear();
            }
        }
    }
    w.out.window_s = (now_ns() - opened) as f64 / 1e9;
    Ok(w.out)
}

fn open(codec: &mut dyn PubCodec, room: &str, epoll: &OwnedFd, number: usize) -> Result<TcpStream> {
    let socket = codec.connect(room)?;
    socket.set_nonblocking(true)?;
    epoll::add(epoll, &socket, epoll::EventData::new_u64(number as u64), epoll::EventFlags::IN)?;
    Ok(socket)
}

struct Work<'a> {
    rooms: &'a [String],
    seq: Vec<u64>,
    payload_size: usize,
    scratch: Vec<u8>,
    payload: Vec<u8>,
    out: Published,
    measuring: bool,
}

impl Work<'_> {
    fn send(&mut self, c: &mut Conn) -> Result<()> {
        let Some((room, due)) = c.queue.pop_front() else { return Ok(()) };
        self.seq[room as usize] += 1;
        let t = now_ns();
        let lag = t.saturating_sub(due);
        self.payload.clear();
        stamp::write(Stamp { t, id: self.seq[room as usize], room, lag }, self.payload_size, &mut self.payload);
        self.scratch.clear();
        c.codec.encode(&self.rooms[room as usize], &self.payload, &mut self.scratch);
        // one small request in flight: it always fits the socket buffer
        match c.sock.write(&self.scratch) {
            Ok(n) if n == self.scratch.len() => {}
            Ok(n) => bail!("short write of a publish: {n} of {}", self.scratch.len()),
            Err(e) => bail!("publish: {e}"),
        }
        c.flight = Some((room, t, self.measuring));
        if self.measuring {
            self.out.sent += 1;
            self.out.lag.saturating_record(lag);
        }
        Ok(())
    }

    /// False where the server closed the connection.
    fn receive(&mut self, c: &mut Conn) -> Result<bool> {
        let mut chunk = [0u8; 16384];
        let open = match c.sock.read(&mut chunk) {
            Ok(0) => false,
            Ok(n) => {
                c.buf.extend_from_slice(&chunk[..n]);
                true
            }
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => return Ok(true),
            Err(_) => false,
        };
        let now = now_ns();
        let mut at = 0;
        while let Some((n, ack)) = c.codec.decode(&c.buf[at..]) {
            at += n;
            let Some(ack) = ack else { continue };
            let Some((room, t, measured)) = c.flight.take() else { continue };
            match ack {
                Ack::Ok if measured => {
                    self.out.acked += 1;
                    self.out.per_room[room as usize] += 1;
                    self.out.ack.saturating_record(now - t);
                }
                Ack::Ok => {}
                Ack::Failed(why) => self.fail(why),
            }
        }
        c.buf.drain(..at);
        if !open && c.flight.take().is_some() {
            self.fail("connection closed with a publish in flight".into());
        }
        Ok(open)
    }

    fn fail(&mut self, why: String) {
        self.out.failed += 1;
        self.out.first_error.get_or_insert(why);
    }
}
