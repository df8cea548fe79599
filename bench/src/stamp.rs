//! The stamp that every published payload carries, in plain ASCII so that no server has to know about it:
//! `t=<ns at send>;id=<seq in room, from 1>;r=<room index>;d=<ns the send was late>;xxxx…`

use std::{io::Write, sync::LazyLock, time::Instant};

/// What a payload says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// When it was sent, by [`now_ns`].
    pub t: u64,
    /// Its number in its room, from 1 on.
    pub id: u64,
    /// Its room's number.
    pub room: u32,
    /// How many ns late it was sent.
    pub lag: u64,
}

/// Nanoseconds since the first call in this process.
pub fn now_ns() -> u64 {
    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    // From 1 on: 0 would be older than every window.
    u64::try_from(BEGAN.elapsed().as_nanos()).unwrap_or(u64::MAX) + 1
}

/// Appends a payload of `size` bytes, or of as many as the stamp needs.
pub fn write(s: Stamp, size: usize, out: &mut Vec<u8>) {
    let start = out.len();
    write!(out, "t={};id={};r={};d={};", s.t, s.id, s.room, s.lag).expect("a vector takes everything");
    let have = out.len() - start;
    out.resize(start + size.max(have), b'x');
}

/// Calls `f` for every stamp in `buf` (a server may put several messages in one frame).
pub fn scan(buf: &[u8], finder: &memchr::memmem::Finder, mut f: impl FnMut(Stamp)) {
    let mut at = 0;
    while let Some(i) = finder.find(&buf[at..]) {
        // the finder looks for ";id=", the stamp begins at the "t=" before it
        let mid = at + i;
        let mut b = mid;
        while b > at && buf[b - 1].is_ascii_digit() {
            b -= 1;
        }
        at = mid + 4;
        if b < 2 || &buf[b - 2..b] != b"t=" {
            continue;
        }
        let t = num(buf, &mut b);
        let id = num(buf, &mut at);
        if !buf[at..].starts_with(b";r=") {
            continue;
        }
        at += 3;
        let room = num(buf, &mut at) as u32;
        let mut lag = 0;
        if buf[at..].starts_with(b";d=") {
            at += 3;
            lag = num(buf, &mut at);
        }
        f(Stamp { t, id, room, lag });
    }
}

/// Finds stamps: made once, used for every frame.
pub fn finder() -> memchr::memmem::Finder<'static> {
    memchr::memmem::Finder::new(b";id=")
}

fn num(buf: &[u8], at: &mut usize) -> u64 {
    let mut n = 0u64;
    while *at < buf.len() && buf[*at].is_ascii_digit() {
        n = n.wrapping_mul(10).wrapping_add((buf[*at] - b'0') as u64);
        *at += 1;
    }
    n
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_many_in_one_frame() {
        let (a, b) = (Stamp { t: 123456789, id: 1, room: 0, lag: 5 }, Stamp { t: 9, id: 77, room: 12, lag: 0 });
        let mut buf = b"{\"id=\":1,\"p\":\"".to_vec();
        write(a, 128, &mut buf);
        buf.extend_from_slice(b"\"}\n{\"p\":\"");
        write(b, 128, &mut buf);
        let mut got = vec![];
        scan(&buf, &finder(), |s| got.push(s));
        assert_eq!(got, [a, b]);
    }
}
