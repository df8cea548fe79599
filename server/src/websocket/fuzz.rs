//! What a client sends, however the network cuts it: it means the same, and holds no more memory than a message may have.

use super::{Incoming, Reader, Violation};

const MAX_MESSAGE_BYTES: usize = 512;
/// A header at its longest, and what one call of `take` brings besides.
const BESIDE_BYTES: usize = 14;

/// The first byte says how the rest is cut.
pub fn fuzz(data: &[u8]) {
    let [cut, bytes @ ..] = data else { return };
    let cut = usize::from(*cut) + 1;
    let whole = read(bytes, bytes.len().max(1));
    assert_eq!(read(bytes, cut), whole, "cut after every {cut} bytes");
    for incoming in &whole.0 {
        match incoming {
            Incoming::Text(text) => assert!(text.len() <= MAX_MESSAGE_BYTES),
            Incoming::Ping(payload) => assert!(payload.len() <= 125),
            Incoming::Close(Some(code)) => assert!((1000..5000).contains(code)),
            Incoming::Binary | Incoming::Part | Incoming::Pong | Incoming::Close(None) => {}
        }
    }
}

/// All that comes of it, and how it ends. After a close nothing is read, as no server does.
fn read(bytes: &[u8], cut: usize) -> (Vec<Incoming>, Option<Violation>) {
    let (mut reader, mut all) = (Reader::new(MAX_MESSAGE_BYTES), vec![]);
    for piece in bytes.chunks(cut) {
        reader.take(piece);
        loop {
            match reader.incoming() {
                Ok(Some(incoming)) => {
                    let closes = matches!(incoming, Incoming::Close(_));
                    all.push(incoming);
                    if closes {
                        return (all, None);
                    }
                }
                Ok(None) => break,
                Err(violation) => return (all, Some(violation)),
            }
        }
        let begun = reader.started.as_ref().map_or(0, |started| started.payload.len());
        assert!(begun + reader.waiting.len() <= 2 * MAX_MESSAGE_BYTES + BESIDE_BYTES, "it holds more than a message");
    }
    (all, None)
}
