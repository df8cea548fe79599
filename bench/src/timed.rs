//! Asking one thing after another over a kept connection, and how long each took: what a reader waits for.

use crate::{
    http::{self, response},
    subscribers::histogram,
    target::tcp,
};
use anyhow::{Context, Result, bail};
use hdrhistogram::Histogram;
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

/// A connection that is kept.
pub struct Asker {
    addr: SocketAddr,
    socket: TcpStream,
}

/// An answer, and when it came, in ns after the request was written.
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body, as [`http::Response`] has it.
    pub body: Vec<u8>,
    /// When the first byte came.
    pub first_byte_ns: u64,
    /// When all of it was there.
    pub whole_ns: u64,
}

impl Asker {
    /// Connects.
    ///
    /// # Errors
    /// If nobody listens.
    pub fn connect(addr: SocketAddr) -> Result<Self> {
        Ok(Self { addr, socket: tcp(addr)? })
    }

    /// Asks as the bearer of a token, or as a visitor.
    ///
    /// # Errors
    /// If there is no whole answer.
    pub fn ask(&mut self, method: &str, path: &str, token: Option<&str>, body: &str) -> Result<Answer> {
        let mut headers: Vec<_> =
            token.map(|token| ("Authorization".to_owned(), format!("Bearer {token}"))).into_iter().collect();
        if !body.is_empty() {
            headers.push(("Content-Type".into(), "application/json".into()));
        }
        let (mut sent, mut got, mut chunk) = (vec![], vec![], [0; 64 * 1024]);
        http::request(method, path, &self.addr.to_string(), &headers, body.as_bytes(), &mut sent);
        let began = Instant::now();
        self.socket.write_all(&sent)?;
        let mut first_byte_ns = 0;
        loop {
            let n = self.socket.read(&mut chunk).with_context(|| format!("{method} {path}"))?;
            if n == 0 {
                bail!("{method} {path}: the server closed the connection");
            }
            let now = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
            if got.is_empty() {
                first_byte_ns = now;
            }
            got.extend_from_slice(&chunk[..n]);
            if let Some(answer) = response(&got) {
                let (status, body) = (answer.status, answer.body.to_vec());
                return Ok(Answer { status, body, first_byte_ns, whole_ns: now });
            }
        }
    }

    /// The same, and only what was done counts.
    ///
    /// # Errors
    /// If the status says otherwise.
    pub fn get(&mut self, path: &str, token: Option<&str>) -> Result<Answer> {
        let answer = self.ask("GET", path, token, "")?;
        if answer.status != 200 {
            bail!("{path}: {} {}", answer.status, String::from_utf8_lossy(&answer.body[..answer.body.len().min(300)]));
        }
        Ok(answer)
    }
}

/// What takes longer than this in all is measured less often.
const ENOUGH: Duration = Duration::from_secs(30);
/// But not less often than that.
const AT_LEAST: usize = 20;

/// `what` so often unmeasured, then so often measured: what it says, in ns. It ends early where that takes very long.
///
/// # Errors
/// As it.
pub fn often(warm: usize, times: usize, mut what: impl FnMut(usize) -> Result<u64>) -> Result<Histogram<u64>> {
    let (mut all, began) = (histogram(), Instant::now());
    for i in 0..warm + times {
        if began.elapsed() > ENOUGH && all.len() >= AT_LEAST as u64 {
            break;
        }
        let ns = what(i)?;
        if i >= warm {
            all.saturating_record(ns);
        }
    }
    Ok(all)
}
