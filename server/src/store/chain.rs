//! What proves an archive: a digest of each event, and a chain over them.
//!
//! Each link is the SHA-256 of the chain before it, the event's place and the
//! event's digest. So a chain says how many events there are, which, where and
//! in which order; and blanking a deleted text, which leaves the digest, leaves
//! the chain.

use app::model::Position;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// A SHA-256.
pub type Digest = [u8; 32];

/// The digest of an event's text as it is archived ([`crate::log::event_json`]).
pub fn digest(body: &str) -> Digest {
    Sha256::digest(body).into()
}

/// An archived event as its room's chain sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The room.
    pub room: Uuid,
    /// Where.
    pub at: Position,
    /// The event's digest.
    pub digest: Digest,
}

/// A stretch of a room's archive, every event of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The first event.
    pub first: Position,
    /// The last.
    pub last: Position,
    /// How many.
    pub events: u64,
    /// The last link.
    pub digest: Digest,
}

impl Chain {
    /// A chain that begins with this event.
    pub fn begin(link: &Link) -> Self {
        let before = Self { first: link.at, last: link.at, events: 0, digest: [0; 32] };
        before.and(link)
    }

    /// The chain with one more event.
    #[must_use]
    pub fn and(self, link: &Link) -> Self {
        let mut sum = Sha256::new();
        sum.update(self.digest);
        sum.update(link.at.epoch.to_be_bytes());
        sum.update(link.at.offset.to_be_bytes());
        sum.update(link.digest);
        Self { first: self.first, last: link.at, events: self.events + 1, digest: sum.finalize().into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(offset: u64, body: &str) -> Link {
        Link { room: Uuid::nil(), at: Position::new(1, offset), digest: digest(body) }
    }

    #[test]
    fn a_chain_tells_what_is_where_and_in_which_order() {
        let chain = |links: &[Link]| links[1..].iter().fold(Chain::begin(&links[0]), Chain::and);
        let good = chain(&[link(1, "a"), link(2, "b"), link(5, "c")]);
        assert_eq!((good.first.offset, good.last.offset, good.events), (1, 5, 3));
        assert_eq!(good, chain(&[link(1, "a"), link(2, "b"), link(5, "c")]));
        for bad in [
            [link(1, "a"), link(2, "c"), link(5, "b")],
            [link(1, "a"), link(3, "b"), link(5, "c")],
            [link(1, "a"), link(2, "x"), link(5, "c")],
        ] {
            assert_ne!(good.digest, chain(&bad).digest);
        }
    }
}
