//! The little of HTTP/1.1 that setting a server up and publishing to it needs.

use crate::target::{Ack, PubCodec, tcp};
use anyhow::{Result, bail};
use serde_json::Value;
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

/// Appends a keep-alive request.
pub fn request(method: &str, path: &str, host: &str, headers: &[(String, String)], body: &[u8], out: &mut Vec<u8>) {
    let mut write = |text: String| out.extend_from_slice(text.as_bytes());
    write(format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\n", body.len()));
    for (name, value) in headers {
        write(format!("{name}: {value}\r\n"));
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body);
}

/// What a server answered.
pub struct Response<'a> {
    /// The status.
    pub status: u16,
    /// The body; if it came in chunks, with what stands between them.
    pub body: &'a [u8],
    /// How many bytes all of it took.
    pub size: usize,
}

/// One whole response at the front of `buf`; `None` while it is incomplete.
pub fn response(buf: &[u8]) -> Option<Response<'_>> {
    let head_end = memchr::memmem::find(buf, b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&buf[..head_end]).unwrap_or("");
    let status = head.get(9..12).and_then(|s| s.parse().ok()).unwrap_or(0);
    let (mut length, mut chunked) = (0_usize, false);
    for line in head.split("\r\n").skip(1) {
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse().unwrap_or(0);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            chunked = value.eq_ignore_ascii_case("chunked");
        }
    }
    if chunked {
        length = memchr::memmem::find(&buf[head_end..], b"0\r\n\r\n")? + 5;
    }
    let size = head_end + length;
    (buf.len() >= size).then(|| Response { status, body: &buf[head_end..size], size })
}

/// One response off the buffer as an acknowledgement; `bad` in the body is a failure even under a good status.
fn ack(buf: &[u8], ok: impl Fn(u16) -> bool, bad: &[u8]) -> Option<(usize, Option<Ack>)> {
    let Response { status, body, size } = response(buf)?;
    let fine = ok(status) && (bad.is_empty() || memchr::memmem::find(body, bad).is_none());
    let said = || format!("{status} {}", String::from_utf8_lossy(&body[..body.len().min(200)]));
    Some((size, Some(if fine { Ack::Ok } else { Ack::Failed(said()) })))
}

/// Publishes by `POST`, over a connection that is kept.
pub struct Publisher {
    /// Where.
    pub addr: SocketAddr,
    /// Those of the next request.
    pub headers: Box<dyn Fn() -> Vec<(String, String)> + Send>,
    /// The address for a room.
    pub path: fn(room: &str) -> String,
    /// Appends the body for a room and a payload.
    pub body: fn(room: &str, payload: &[u8], out: &mut Vec<u8>),
    /// The status of an acknowledgement.
    pub ok: u16,
    /// A body with this is a failure whatever its status.
    pub bad: &'static [u8],
}

impl PubCodec for Publisher {
    fn connect(&mut self, _: &str) -> Result<TcpStream> {
        tcp(self.addr)
    }
    fn encode(&mut self, room: &str, payload: &[u8], out: &mut Vec<u8>) {
        let mut body = vec![];
        (self.body)(room, payload, &mut body);
        request("POST", &(self.path)(room), &self.addr.to_string(), &(self.headers)(), &body, out);
    }
    fn decode(&mut self, buf: &[u8]) -> Option<(usize, Option<Ack>)> {
        ack(buf, |status| status == self.ok, self.bad)
    }
}

/// Asks once and waits for the answer.
///
/// # Errors
/// If there is none, or it says that it was not done.
pub fn ask(to: SocketAddr, method: &str, path: &str, token: Option<&str>, body: &Value) -> Result<Value> {
    let mut headers =
        vec![("Content-Type".to_owned(), "application/json".to_owned()), ("Connection".into(), "close".into())];
    headers.extend(token.map(|token| ("Authorization".into(), format!("Bearer {token}"))));
    let answer = exchange(to, method, path, &headers, body.to_string().as_bytes())?;
    let Some(Response { status, body, .. }) = response(&answer) else { bail!("{method} {path}: no whole answer") };
    if !(200..300).contains(&status) {
        bail!("{method} {path}: {status} {}", String::from_utf8_lossy(body));
    }
    Ok(if body.is_empty() { Value::Null } else { serde_json::from_slice(body)? })
}

/// The status of a page.
///
/// # Errors
/// If there is no answer.
pub fn status(of: SocketAddr, path: &str) -> Result<u16> {
    let answer = exchange(of, "GET", path, &[("Connection".into(), "close".into())], b"")?;
    Ok(response(&answer).map_or(0, |response| response.status))
}

fn exchange(to: SocketAddr, method: &str, path: &str, headers: &[(String, String)], body: &[u8]) -> Result<Vec<u8>> {
    let mut sent = vec![];
    request(method, path, &to.to_string(), headers, body, &mut sent);
    let mut socket = tcp(to)?;
    socket.write_all(&sent)?;
    let mut answer = vec![];
    socket.read_to_end(&mut answer)?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::response;

    #[test]
    fn responses_come_one_after_the_other_and_in_chunks() {
        let both = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
        let first = response(both).expect("whole");
        assert_eq!((first.status, first.body), (200, &b"ok"[..]));
        let second = response(&both[first.size..]).expect("whole");
        assert_eq!((second.status, first.size + second.size), (201, both.len()));
        assert!(response(&both[..20]).is_none());
    }
}
