//! Frames of the WebSocket protocol (RFC 6455) as a server writes and reads them: between a room's event and the bytes
//! on a socket.
//!
//! A frame that many get is made once and shared. What clients send is small and rare, so reading is careful rather than
//! fast: every rule of the RFC that a client can break ends the connection with the code that the RFC names.

use axum::http::{HeaderMap, HeaderName, header};
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::{BufMut, Bytes, BytesMut};
use sha1::{Digest, Sha1};

/// What a server has to answer a key with, besides the key.
const MAGIC: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A request that is no handshake of this protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It does not ask for it.
    #[error("this address speaks WebSocket: ask for an upgrade")]
    NoUpgrade,
    /// It speaks another version.
    #[error("only version 13 of WebSocket is spoken here")]
    Version,
    /// The key is missing, or none.
    #[error("a handshake has a key of 16 bytes in base64")]
    Key,
}

/// What a handshake is answered with.
///
/// # Errors
/// [`Refusal`] if it is none.
pub fn accept(headers: &HeaderMap) -> Result<String, Refusal> {
    let upgrade = lists(headers, &header::CONNECTION, "upgrade") && lists(headers, &header::UPGRADE, "websocket");
    if !upgrade {
        return Err(Refusal::NoUpgrade);
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(Refusal::Version);
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY).map(|key| key.as_bytes()).unwrap_or_default();
    if BASE64_STANDARD.decode(key).ok().is_none_or(|bytes| bytes.len() != 16) {
        return Err(Refusal::Key);
    }
    Ok(BASE64_STANDARD.encode(Sha1::new().chain_update(key).chain_update(MAGIC).finalize()))
}

/// Whether a client offers this subprotocol.
pub fn offers(headers: &HeaderMap, subprotocol: &str) -> bool {
    lists(headers, &header::SEC_WEBSOCKET_PROTOCOL, subprotocol)
}

/// Whether a word is among those of a header, whatever its case.
fn lists(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    listed(headers, name).any(|listed| listed.eq_ignore_ascii_case(word))
}

/// The words of a header that is a list, over all its lines.
pub fn listed<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}

/// A frame as it is written: header and payload in one piece, shared by all who get it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    bytes: Bytes,
    header: u8,
}

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opcode {
    Continuation = 0,
    Text = 1,
    Binary = 2,
    Close = 8,
    Ping = 9,
    Pong = 10,
}

const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const MASKED: u8 = 0x80;
const LENGTH_IN_TWO_BYTES: u8 = 126;
const LENGTH_IN_EIGHT_BYTES: u8 = 127;
/// A control frame's payload is no longer.
const MAX_CONTROL_BYTES: usize = 125;

impl Frame {
    /// A text.
    pub fn text(text: &str) -> Self {
        Self::new(Opcode::Text, &[text.as_bytes()])
    }

    /// A question whether the other side is there.
    pub fn ping() -> Self {
        Self::new(Opcode::Ping, &[])
    }

    /// The answer to a ping, with its payload.
    pub fn pong(payload: &[u8]) -> Self {
        Self::new(Opcode::Pong, &[payload])
    }

    /// The last one: why the connection ends. A `reason` that a control frame does not hold is left out.
    pub fn close(code: u16, reason: &str) -> Self {
        let reason = if reason.len() + 2 <= MAX_CONTROL_BYTES { reason } else { "" };
        Self::new(Opcode::Close, &[&code.to_be_bytes(), reason.as_bytes()])
    }

    /// The answer to a close frame without a code.
    pub fn empty_close() -> Self {
        Self::new(Opcode::Close, &[])
    }

    fn new(opcode: Opcode, parts: &[&[u8]]) -> Self {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let mut bytes = BytesMut::with_capacity(length + 10);
        bytes.put_u8(FIN | opcode as u8);
        match (u8::try_from(length), u16::try_from(length)) {
            (Ok(length), _) if length < LENGTH_IN_TWO_BYTES => bytes.put_u8(length),
            (_, Ok(length)) => {
                bytes.put_u8(LENGTH_IN_TWO_BYTES);
                bytes.put_u16(length);
            }
            _ => {
                bytes.put_u8(LENGTH_IN_EIGHT_BYTES);
                bytes.put_u64(length as u64);
            }
        }
        let header = bytes.len() as u8;
        parts.iter().for_each(|part| bytes.put_slice(part));
        Self { bytes: bytes.freeze(), header }
    }

    /// All of it, as it is written.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// How many bytes are written for it.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// What it says, if it is a text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[usize::from(self.header)..]).unwrap_or_default()
    }
}

/// What a client has sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A whole message of text.
    Text(String),
    /// A whole message of something else, which nobody here reads.
    Binary,
    /// A part of a message of which more has to come.
    Part,
    /// It wants this back.
    Ping(Vec<u8>),
    /// It is there.
    Pong,
    /// It ends the connection; the code that it gave.
    Close(Option<u16>),
}

/// The client broke a rule, and the connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// Of the protocol.
    #[error("{0}")]
    Protocol(&'static str),
    /// A text that is none.
    #[error("a text that is not UTF-8")]
    NotUtf8,
    /// A message that nobody here takes.
    #[error("a message that is too long")]
    TooBig,
}

impl Violation {
    /// The close code that the RFC names for it.
    pub const fn code(self) -> u16 {
        match self {
            Self::Protocol(_) => 1002,
            Self::NotUtf8 => 1007,
            Self::TooBig => 1009,
        }
    }
}

/// Puts messages together out of what comes, however it is cut. At rest it holds no memory.
#[derive(Debug)]
pub struct Reader {
    max_message_bytes: usize,
    /// What came and is not a whole frame yet.
    waiting: Vec<u8>,
    /// A message of which frames are missing.
    started: Option<Started>,
}

#[derive(Debug)]
struct Started {
    text: bool,
    payload: Vec<u8>,
    /// So much of a text is known to be UTF-8.
    good: usize,
}

impl Started {
    /// A text is looked at as it comes. `whole`: nothing comes after it.
    fn examine(&mut self, whole: bool) -> Result<(), Violation> {
        if !self.text {
            return Ok(());
        }
        match std::str::from_utf8(&self.payload[self.good..]) {
            Ok(_) => self.good = self.payload.len(),
            // The beginning of a character may be a frame's end, but no message's.
            Err(e) if e.error_len().is_none() && !whole => self.good += e.valid_up_to(),
            Err(_) => return Err(Violation::NotUtf8),
        }
        Ok(())
    }
}

struct Header {
    fin: bool,
    opcode: Opcode,
    length: usize,
    mask: [u8; 4],
    /// How many bytes it took itself.
    size: usize,
}

impl Reader {
    /// A reader that refuses longer messages.
    pub fn new(max_message_bytes: usize) -> Self {
        Self { max_message_bytes, waiting: Vec::new(), started: None }
    }

    /// Takes what has come.
    pub fn take(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
    }

    /// The next that is whole; `None`: more has to come.
    ///
    /// # Errors
    /// [`Violation`] if the client broke a rule. What comes after that means nothing.
    pub fn incoming(&mut self) -> Result<Option<Incoming>, Violation> {
        let Some(header) = self.header()? else { return Ok(None) };
        let end = header.size + header.length;
        if self.waiting.len() < end {
            return Ok(None);
        }
        let mut payload = self.waiting[header.size..end].to_vec();
        payload.iter_mut().zip(header.mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        self.waiting.drain(..end);
        if self.waiting.is_empty() {
            self.waiting = Vec::new();
        }
        self.frame(header.fin, header.opcode, payload).map(Some)
    }

    fn header(&self) -> Result<Option<Header>, Violation> {
        let [first, second, rest @ ..] = &self.waiting[..] else { return Ok(None) };
        if first & RESERVED != 0 {
            return Err(Violation::Protocol("reserved bits, and no extension was agreed on"));
        }
        let (fin, length) = (first & FIN != 0, second & !MASKED);
        let opcode = match first & 0x0f {
            0 => Opcode::Continuation,
            1 => Opcode::Text,
            2 => Opcode::Binary,
            8 => Opcode::Close,
            9 => Opcode::Ping,
            10 => Opcode::Pong,
            _ => return Err(Violation::Protocol("an opcode that means nothing")),
        };
        if second & MASKED == 0 {
            return Err(Violation::Protocol("a client masks what it sends"));
        }
        let control = opcode as u8 >= Opcode::Close as u8;
        if control && !fin {
            return Err(Violation::Protocol("a control frame is one frame"));
        }
        if control && usize::from(length) > MAX_CONTROL_BYTES {
            return Err(Violation::Protocol("a control frame has 125 bytes at most"));
        }
        match (opcode, &self.started) {
            (Opcode::Continuation, None) => return Err(Violation::Protocol("nothing was begun that could go on")),
            (Opcode::Text | Opcode::Binary, Some(_)) => {
                return Err(Violation::Protocol("a message before the last one was whole"));
            }
            _ => {}
        }
        let (length, size) = match length {
            LENGTH_IN_TWO_BYTES => match rest {
                [a, b, ..] => (u64::from(u16::from_be_bytes([*a, *b])), 4),
                _ => return Ok(None),
            },
            LENGTH_IN_EIGHT_BYTES => match rest.first_chunk() {
                Some(bytes) => (u64::from_be_bytes(*bytes), 10),
                None => return Ok(None),
            },
            length => (u64::from(length), 2),
        };
        if size == 4 && length < u64::from(LENGTH_IN_TWO_BYTES) || size == 10 && length <= u64::from(u16::MAX) {
            return Err(Violation::Protocol("a length in more bytes than it needs"));
        }
        let before = self.started.as_ref().filter(|_| !control).map_or(0, |started| started.payload.len());
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length.saturating_add(before) > self.max_message_bytes.max(if control { MAX_CONTROL_BYTES } else { 0 }) {
            return Err(Violation::TooBig);
        }
        let Some(mask) = self.waiting.get(size..size + 4) else { return Ok(None) };
        let mask = mask.try_into().expect("four bytes");
        Ok(Some(Header { fin, opcode, length, mask, size: size + 4 }))
    }

    fn frame(&mut self, fin: bool, opcode: Opcode, payload: Vec<u8>) -> Result<Incoming, Violation> {
        let mut message = match opcode {
            Opcode::Ping => return Ok(Incoming::Ping(payload)),
            Opcode::Pong => return Ok(Incoming::Pong),
            Opcode::Close => return closing(&payload).map(Incoming::Close),
            Opcode::Text | Opcode::Binary => Started { text: opcode == Opcode::Text, payload, good: 0 },
            Opcode::Continuation => {
                let mut started = self.started.take().expect("its header was read: something was begun");
                started.payload.extend_from_slice(&payload);
                started
            }
        };
        message.examine(fin)?;
        if !fin {
            self.started = Some(message);
            return Ok(Incoming::Part);
        }
        Ok(match message.text {
            true => Incoming::Text(String::from_utf8(message.payload).map_err(|_| Violation::NotUtf8)?),
            false => Incoming::Binary,
        })
    }
}

fn closing(payload: &[u8]) -> Result<Option<u16>, Violation> {
    let (code, reason) = match payload {
        [] => return Ok(None),
        [_] => return Err(Violation::Protocol("half a close code")),
        [a, b, reason @ ..] => (u16::from_be_bytes([*a, *b]), reason),
    };
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(Violation::Protocol("a close code that nobody may send"));
    }
    std::str::from_utf8(reason).map_err(|_| Violation::NotUtf8)?;
    Ok(Some(code))
}

pub(crate) mod fuzz;
#[cfg(test)]
mod tests;
