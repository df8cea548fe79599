//! Addresses inside the site: built by hand in a few places, and never left to chance.

use crate::model::{MessageId, Position};
use leptos::prelude::*;
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

/// Takes percent signs, and the pluses of forms, back to what they stand for.
pub fn decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, tail @ ..] = rest {
        rest = tail;
        match (byte, tail) {
            (b'%', [high, low, tail @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                let digit = |b: &u8| char::from(*b).to_digit(16).and_then(|d| u8::try_from(d).ok()).unwrap_or(0);
                out.push(digit(high) * 16 + digit(low));
                rest = tail;
            }
            (b'+', _) => out.push(b' '),
            (other, _) => out.push(*other),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The fields behind the question mark, each decoded once.
///
/// The router's own map decodes twice: a text with a percent sign in it would
/// come out as another one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads what stands behind the question mark.
    pub fn parse(search: &str) -> Self {
        let fields = search.trim_start_matches('?').split('&').filter(|field| !field.is_empty());
        let pairs = fields.map(|field| field.split_once('=').unwrap_or((field, "")));
        Self(pairs.map(|(name, value)| (decode(name), decode(value))).collect())
    }

    /// The page's own, as it was when the caller was made.
    pub fn of_page() -> Self {
        Self::parse(&leptos_router::hooks::use_location().search.get_untracked())
    }

    /// A field that is there and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, v)| n == name && !v.is_empty()).map(|(_, value)| value.as_str())
    }

    /// A field's text, empty if it is not there.
    pub fn text(&self, name: &str) -> String {
        self.get(name).unwrap_or_default().to_owned()
    }

    /// A field that can be read as what is asked for.
    pub fn parsed<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.get(name)?.parse().ok()
    }
}

/// A room's page.
pub fn room(slug: &str) -> String {
    format!("/rooms/{}", encode(slug))
}

/// What a room is, and who runs it.
pub fn settings(slug: &str) -> String {
    format!("{}/settings", room(slug))
}

/// A link that lets people into a room.
#[cfg(not(feature = "hydrate"))]
pub fn invite(secret: &str) -> String {
    format!("/invite/{}", encode(secret))
}

/// A page of all rooms.
pub fn directory(q: &str, archived: bool, after: Option<&str>) -> String {
    let fields = [("q", Some(q).filter(|q| !q.is_empty())), ("archived", archived.then_some("true")), ("after", after)];
    let fields = fields.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", encode(value?))));
    let fields = fields.collect::<Vec<_>>().join("&");
    if fields.is_empty() { "/rooms".into() } else { format!("/rooms?{fields}") }
}

/// What an address asks for to see the newest messages.
pub const LATEST: &str = "1";

/// A room's newest messages, however much of them is unread.
pub fn latest(slug: &str, again: bool) -> String {
    format!("{}?latest={}", room(slug), if again { "2" } else { LATEST })
}

/// One message, in the middle of the history around it.
pub fn message(slug: &str, id: MessageId) -> String {
    format!("/rooms/{}/m/{id}", encode(slug))
}

/// A room with what answers a message beside it.
pub fn thread(slug: &str, id: MessageId) -> String {
    format!("{}?thread={id}", room(slug))
}

/// The page of messages before a position.
pub fn before(slug: &str, at: Position) -> String {
    format!("/rooms/{}?before={at}", encode(slug))
}

/// What says `q`, in one room or in all; `before` goes on after a page.
pub fn search(q: &str, room: Option<&str>, before: Option<&str>) -> String {
    let fields = [("q", Some(q).filter(|q| !q.is_empty())), ("room", room), ("before", before)];
    let fields = fields.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", encode(value?))));
    format!("/search?{}", fields.collect::<Vec<_>>().join("&"))
}

/// Signing in, and then back to `next`.
pub fn login(next: &str) -> String {
    format!("/login?next={}", encode(next))
}

/// `next` if it stays on this site, else the front page.
///
/// Browsers read `//host` and `/\host` as another site's address, and drop tabs
/// and line ends before they look.
#[cfg(not(feature = "hydrate"))]
pub fn safe_next(next: &str) -> &str {
    let local = next.starts_with('/') && !next.starts_with("//");
    let plain = next.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    if local && plain { next } else { "/" }
}

/// Where a page is whose address came with a slash at its end; `None` if there is none, or for the front page.
#[cfg(any(feature = "ssr", test))]
pub fn without_slash(address: &str) -> Option<String> {
    let path_and_query = address.strip_prefix('/')?;
    let (path, query) = path_and_query.split_at(path_and_query.find('?').unwrap_or(path_and_query.len()));
    let bare = path.strip_suffix('/')?.trim_matches('/');
    Some(safe_next(&format!("/{bare}{query}")).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_in_any_script_becomes_an_address_that_fits_in_a_header() {
        assert_eq!(room("köln-bonn"), "/rooms/k%C3%B6ln-bonn");
    }

    #[test]
    fn a_field_comes_out_as_it_went_in() {
        for text in ["100%25 sure", "a+b & c=d", "söme\r\nlines", "%", "%4", "%zz%41"] {
            let query = Query::parse(&format!("?error=x&draft={}&e=", encode(text)));
            assert_eq!((query.get("draft"), query.get("error"), query.get("e")), (Some(text), Some("x"), None));
        }
        assert_eq!(Query::parse("q=a+b%zz").get("q"), Some("a b%zz"));
    }

    #[test]
    fn a_page_is_at_one_address() {
        assert_eq!(without_slash("/rooms/x/?a=/b/").as_deref(), Some("/rooms/x?a=/b/"));
        assert_eq!(without_slash("/rooms/x//").as_deref(), Some("/rooms/x"));
        assert_eq!(without_slash("//evil.example/").as_deref(), Some("/evil.example"));
        assert_eq!(without_slash("/\\evil.example/").as_deref(), Some("/"));
        for own in ["/", "/?a=b/", "/rooms/x", "/rooms/x?next=/"] {
            assert_eq!(without_slash(own), None, "{own}");
        }
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
