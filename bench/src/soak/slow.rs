//! Readers that follow every room and hardly read: the server ends them (4408) once their queue is full, and they come
//! back, as a phone with a bad connection does.

use crate::{
    http,
    target::{self, Target},
    targets::Partyline,
    ws,
};
use anyhow::{Result, ensure};
use rustix::net::sockopt;
use serde_json::json;
use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{JoinHandle, sleep},
    time::{Duration, Instant},
};

/// The kernel takes little in for who does not read.
const RECEIVE_BYTES: usize = 8 * 1024;
/// Between two looks, each of which takes one read.
const LOOK_EVERY: Duration = Duration::from_secs(2);
const LOOK_BYTES: usize = 16 * 1024;
/// After so long one reads all that is left, to see whether the server has ended it, and goes.
const LEAVES_AFTER: Duration = Duration::from_secs(60);
/// Reading what is left: who is still there would get more for ever.
const READS_ON: Duration = Duration::from_secs(5);
const READS_ON_BYTES: usize = 4 * 1024 * 1024;

/// What became of them.
#[derive(Default)]
pub struct Slow {
    /// How often the server ended one.
    pub ended: u64,
    /// What else happened, the first of it.
    pub wrong: Option<String>,
}

/// `count` of them on one thread until `stop`, each following `rooms` rooms.
pub fn spawn(target: Arc<Partyline>, count: usize, rooms: usize, stop: Arc<AtomicBool>) -> JoinHandle<Slow> {
    std::thread::spawn(move || {
        let mut slow = Slow::default();
        let mut readers: Vec<Option<(TcpStream, Instant)>> = (0..count).map(|_| None).collect();
        while !stop.load(Relaxed) {
            for (n, reader) in readers.iter_mut().enumerate() {
                match look(reader, &target, n, rooms) {
                    Ok(true) => {}
                    Ok(false) => {
                        slow.ended += 1;
                        *reader = None;
                    }
                    Err(error) => {
                        slow.wrong.get_or_insert(format!("a slow reader: {error:#}"));
                        *reader = None;
                    }
                }
            }
            sleep(LOOK_EVERY);
        }
        slow
    })
}

/// Reads a little; whether the connection is still there.
fn look(reader: &mut Option<(TcpStream, Instant)>, target: &Partyline, n: usize, rooms: usize) -> Result<bool> {
    let Some((socket, since)) = reader else {
        *reader = Some((follow(target, n, rooms)?, Instant::now()));
        return Ok(true);
    };
    if since.elapsed() > LEAVES_AFTER {
        let there = is_there(socket)?;
        *reader = None;
        return Ok(there);
    }
    let mut some = [0; LOOK_BYTES];
    match socket.read(&mut some) {
        Ok(0) => Ok(false),
        Ok(_) => Ok(true),
        Err(e) if e.kind() == ErrorKind::WouldBlock => Ok(true),
        Err(e) if e.kind() == ErrorKind::ConnectionReset => Ok(false),
        Err(e) => Err(e.into()),
    }
}

/// Whether the connection is still there behind all that was not read yet.
fn is_there(socket: &mut TcpStream) -> Result<bool> {
    socket.set_nonblocking(false)?;
    // In small pieces it would take as long as it took to come about.
    sockopt::set_socket_recv_buffer_size(&*socket, READS_ON_BYTES)?;
    socket.set_read_timeout(Some(READS_ON / 5))?;
    let (began, mut some) = (Instant::now(), vec![0; 256 * 1024]);
    while began.elapsed() < READS_ON {
        match socket.read(&mut some) {
            Ok(0) => return Ok(false),
            Ok(_) => {}
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return Ok(true),
            Err(e) if e.kind() == ErrorKind::ConnectionReset => return Ok(false),
            Err(e) => return Err(e.into()),
        }
    }
    Ok(true)
}

/// Connects and asks for every room, without reading what is answered.
fn follow(target: &Partyline, n: usize, rooms: usize) -> Result<TcpStream> {
    let mut socket = target::tcp(target.ws_addr(n))?;
    sockopt::set_socket_recv_buffer_size(&socket, RECEIVE_BYTES)?;
    socket.write_all(&target.upgrade(n, ""))?;
    let (mut answer, mut byte) = (vec![], [0]);
    while http::response(&answer).is_none() {
        ensure!(socket.read(&mut byte)? == 1 && answer.len() < 4_096, "no upgrade");
        answer.push(byte[0]);
    }
    ensure!(answer.starts_with(b"HTTP/1.1 101"), "the upgrade was refused: {}", String::from_utf8_lossy(&answer));
    for room in 0..rooms {
        let mut frame = vec![];
        let subscribe = json!({"type": "subscribe", "room": target.room_name("", room)?});
        ws::encode(ws::TEXT, subscribe.to_string().as_bytes(), &mut frame);
        socket.write_all(&frame)?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}
