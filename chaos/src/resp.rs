//! Just enough of Redis' protocol to lose a published message and nothing else.

use std::sync::atomic::{AtomicU64, Ordering};

/// Passes on what Redis sends, and swallows messages of rooms when it is told to.
#[derive(Default)]
pub(crate) struct Sieve {
    /// What came and is not a whole value yet.
    waiting: Vec<u8>,
    passed: Vec<u8>,
    /// It does not speak Redis' language: everything passes.
    deaf: bool,
}

impl Sieve {
    /// What of these bytes, and of what waited, goes on. `swallow`: how many messages do not.
    pub fn pass<'a>(&'a mut self, bytes: &'a [u8], swallow: &AtomicU64) -> &'a [u8] {
        if self.deaf {
            return bytes;
        }
        self.passed.clear();
        self.waiting.extend_from_slice(bytes);
        let mut begin = 0;
        loop {
            match length(&self.waiting[begin..]) {
                Length::Of(whole) => {
                    let value = &self.waiting[begin..begin + whole];
                    let take = |left: u64| left.checked_sub(1);
                    let lost =
                        is_event(value) && swallow.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok();
                    if !lost {
                        self.passed.extend_from_slice(value);
                    }
                    begin += whole;
                }
                Length::Unknown => {
                    self.waiting.drain(..begin);
                    return &self.passed;
                }
                Length::NotRedis => {
                    self.deaf = true;
                    self.passed.extend_from_slice(&self.waiting[begin..]);
                    self.waiting = Vec::new();
                    return &self.passed;
                }
            }
        }
    }
}

/// A message on a room's channel; notices to all nodes are not on one.
fn is_event(value: &[u8]) -> bool {
    let head = &value[..value.len().min(200)];
    value.starts_with(b">3\r\n$7\r\nmessage\r\n") && head.windows(8).any(|w| w == b"}:live\r\n")
}

#[derive(Debug, PartialEq, Eq)]
enum Length {
    Of(usize),
    Unknown,
    NotRedis,
}

/// How long the value is that begins here.
fn length(bytes: &[u8]) -> Length {
    let Some(line) = bytes.windows(2).position(|w| w == b"\r\n") else {
        let kind = bytes.first().copied().unwrap_or(b'+');
        return if b"+-:_#,($=!*~>%|".contains(&kind) { Length::Unknown } else { Length::NotRedis };
    };
    let number = || std::str::from_utf8(&bytes[1..line]).ok()?.parse::<i64>().ok();
    let mut end = line + 2;
    let parts = match bytes[0] {
        b'+' | b'-' | b':' | b'_' | b'#' | b',' | b'(' => 0,
        b'$' | b'=' | b'!' => {
            let Some(size) = number() else { return Length::NotRedis };
            // -1: nothing, not even an empty text.
            if let Ok(size) = usize::try_from(size) {
                end += size + 2;
            }
            0
        }
        b'*' | b'~' | b'>' => match number() {
            Some(parts) => parts.max(0),
            None => return Length::NotRedis,
        },
        b'%' => match number() {
            Some(pairs) => 2 * pairs.max(0),
            None => return Length::NotRedis,
        },
        _ => return Length::NotRedis,
    };
    for _ in 0..parts {
        match length(bytes.get(end..).unwrap_or_default()) {
            Length::Of(part) => end += part,
            other => return other,
        }
    }
    if end <= bytes.len() { Length::Of(end) } else { Length::Unknown }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &[u8] = b">3\r\n$7\r\nmessage\r\n$13\r\np:{1234}:live\r\n$5\r\nhello\r\n";
    const NOTICE: &[u8] = b">3\r\n$7\r\nmessage\r\n$9\r\np:notices\r\n$2\r\nhi\r\n";

    #[test]
    fn a_message_is_swallowed_and_the_rest_passes_however_it_is_cut() {
        let stream = [b"+OK\r\n", NOTICE, EVENT, b"%1\r\n+a\r\n$-1\r\n", b"*2\r\n:1\r\n$2\r\n\r\n\r\n", EVENT].concat();
        let expected = [b"+OK\r\n", NOTICE, b"%1\r\n+a\r\n$-1\r\n", b"*2\r\n:1\r\n$2\r\n\r\n\r\n", EVENT].concat();
        for size in [1, 2, 7, 1000] {
            let (mut sieve, swallow) = (Sieve::default(), AtomicU64::new(1));
            let mut passed = Vec::new();
            stream.chunks(size).for_each(|chunk| passed.extend_from_slice(sieve.pass(chunk, &swallow)));
            assert_eq!(passed, expected, "in pieces of {size}");
            assert_eq!(swallow.into_inner(), 0);
        }
    }

    #[test]
    fn what_is_not_redis_passes_whole() {
        let (mut sieve, swallow) = (Sieve::default(), AtomicU64::new(9));
        assert_eq!(sieve.pass(b"\x00\x00\x01R", &swallow), b"\x00\x00\x01R");
        assert_eq!(sieve.pass(b"more", &swallow), b"more");
    }
}
