//! Addresses inside the site: built by hand in a few places, and never left to chance.

use crate::model::{MessageId, Position};
use std::fmt::Write;

/// Percent-encodes everything but what RFC 3986 calls unreserved.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("writing to a String cannot fail");
        }
    }
    out
}

/// A room's page.
pub fn room(slug: &str) -> String {
    format!("/rooms/{}", encode(slug))
}

/// One message, in the middle of the history around it.
pub fn message(slug: &str, id: MessageId) -> String {
    format!("/rooms/{}/m/{id}", encode(slug))
}

/// The page of messages before a position.
pub fn before(slug: &str, at: Position) -> String {
    format!("/rooms/{}?before={at}", encode(slug))
}

/// Signing in, and then back to `next`.
pub fn login(next: &str) -> String {
    format!("/login?next={}", encode(next))
}

/// `next` if it stays on this site, else the front page.
///
/// Browsers read `//host` and `/\host` as another site's address, and drop tabs
/// and line ends before they look.
pub fn safe_next(next: &str) -> &str {
    let local = next.starts_with('/') && !next.starts_with("//");
    let plain = next.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    if local && plain { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_in_any_script_becomes_an_address_that_fits_in_a_header() {
        assert_eq!(room("köln-bonn"), "/rooms/k%C3%B6ln-bonn");
    }

    #[test]
    fn the_way_back_never_leaves_the_site() {
        for good in ["/", "/rooms/welcome", "/rooms/welcome?before=1.2#end"] {
            assert_eq!(safe_next(good), good);
        }
        for bad in ["", "rooms", "https://evil.example", "//evil.example", "/\\evil.example", "/\t/evil.example", "/ä"]
        {
            assert_eq!(safe_next(bad), "/", "{bad:?}");
        }
    }
}
