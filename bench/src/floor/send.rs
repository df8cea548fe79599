//! What the kernel alone asks for putting one ready frame on each of many sockets. No server sends for less
//! without sending less often.

use crate::{
    report::{self, Report},
    subscribers::connect,
};
use anyhow::{Context, Result, ensure};
use rustix::{
    event::{Timespec, epoll},
    time::{ClockId, clock_gettime},
};
use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

const CONNECTED_WITHIN: Duration = Duration::from_secs(60);

/// As long as an event of Partyline's with 128 bytes of text is, about.
const FRAME_BYTES: usize = 420;

/// CPU seconds of this thread, with what the kernel does on its back.
fn cpu() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// `rounds_per_second` times a frame for each of `sockets`, for `seconds`. Who reads them is a process of its own: one may
/// not have both ends of ten thousand open.
///
/// # Errors
/// If they cannot be opened, or one is closed.
pub fn measure(sockets: usize, rounds_per_second: f64, seconds: f64, scenario: &str) -> Result<Report> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let to = listener.local_addr()?.to_string();
    let mut readers = Command::new(std::env::current_exe()?)
        .args(["readers", &to, &sockets.to_string()])
        .stdin(Stdio::null())
        .spawn()
        .context("the readers")?;
    let mut ours = Vec::with_capacity(sockets);
    listener.set_nonblocking(true)?;
    let began = Instant::now();
    while ours.len() < sockets {
        match listener.accept() {
            Ok((socket, _)) => {
                socket.set_nodelay(true)?;
                socket.set_nonblocking(true)?;
                ours.push(socket);
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => {
                ensure!(began.elapsed() < CONNECTED_WITHIN, "{} of {sockets} readers came", ours.len());
                ensure!(readers.try_wait()?.is_none(), "the readers ended, {} of {sockets} had come", ours.len());
                sleep(Duration::from_millis(1));
            }
            Err(e) => return Err(e.into()),
        }
    }
    let frame = vec![b'x'; FRAME_BYTES];
    let (mut rounds, mut short) = (0_u64, 0_u64);
    let (began, before) = (Instant::now(), cpu());
    while began.elapsed().as_secs_f64() < seconds {
        for socket in &mut ours {
            match socket.write(&frame) {
                Ok(n) if n == frame.len() => {}
                Ok(_) => short += 1,
                Err(e) if e.kind() == ErrorKind::WouldBlock => short += 1,
                Err(e) => return Err(e.into()),
            }
        }
        rounds += 1;
        let due = began + Duration::from_secs_f64(rounds as f64 / rounds_per_second);
        sleep(due.saturating_duration_since(Instant::now()));
    }
    let spent = cpu() - before;
    drop(ours);
    readers.wait()?;
    let mut report = report::base("floor: bare send", scenario);
    report.num("server_us_per_delivery", spent * 1e6 / (rounds * sockets as u64) as f64);
    report.set("missed", short);
    Ok(report)
}

/// Opens so many sockets and reads everything until all are closed: the other process.
///
/// # Errors
/// If they cannot be opened.
pub fn read(to: SocketAddr, count: usize) -> Result<()> {
    let mut sockets: Vec<TcpStream> = (0..count).map(|i| connect(to, i)).collect::<Result<_>>()?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    for (i, socket) in sockets.iter().enumerate() {
        epoll::add(&epoll, socket, epoll::EventData::new_u64(i as u64), epoll::EventFlags::IN)?;
    }
    let (mut events, mut buffer, mut open) = (Vec::with_capacity(1024), vec![0; 256 * 1024], sockets.len());
    while open > 0 {
        events.clear();
        let wait = Timespec { tv_sec: 1, tv_nsec: 0 };
        epoll::wait(&epoll, rustix::buffer::spare_capacity(&mut events), Some(&wait))?;
        for event in &events {
            let i = event.data.u64() as usize;
            if matches!(sockets[i].read(&mut buffer), Ok(0) | Err(_)) {
                epoll::delete(&epoll, &sockets[i])?;
                open -= 1;
            }
        }
    }
    Ok(())
}
