//! The little of RFC 6455 that a load generator needs: frame a client's message, and find a server's frames in a read
//! buffer without copying them.

pub const TEXT: u8 = 0x1;
pub const BINARY: u8 = 0x2;
pub const CLOSE: u8 = 0x8;
pub const PING: u8 = 0x9;
pub const PONG: u8 = 0xA;

/// Appends one masked client frame. The mask is fixed: the server still has to undo it, which is what costs.
pub fn encode(opcode: u8, payload: &[u8], out: &mut Vec<u8>) {
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    out.push(0x80 | opcode);
    match payload.len() {
        n @ 0..=125 => out.push(0x80 | n as u8),
        n @ 126..=65535 => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(n as u16).to_be_bytes());
        }
        n => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(n as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&MASK);
    out.extend(payload.iter().enumerate().map(|(i, b)| b ^ MASK[i & 3]));
}

pub struct Frame<'a> {
    pub fin: bool,
    pub opcode: u8,
    pub payload: &'a [u8],
    /// Bytes of the buffer this frame took, header included.
    pub size: usize,
}

/// The frame at the front of `buf`, or None while it is incomplete. Server frames are never masked.
pub fn decode(buf: &[u8]) -> Option<Frame<'_>> {
    if buf.len() < 2 {
        return None;
    }
    let (head, len) = match buf[1] & 0x7f {
        126 if buf.len() < 4 => return None,
        126 => (4, u16::from_be_bytes([buf[2], buf[3]]) as usize),
        127 if buf.len() < 10 => return None,
        127 => (10, u64::from_be_bytes(buf[2..10].try_into().expect("eight bytes")) as usize),
        n => (2, n as usize),
    };
    let size = head + len;
    (buf.len() >= size).then(|| Frame {
        fin: buf[0] & 0x80 != 0,
        opcode: buf[0] & 0x0f,
        payload: &buf[head..size],
        size,
    })
}

/// The upgrade request. permessage-deflate is never offered.
pub fn upgrade_request(path: &str, host: &str, headers: &[(String, String)]) -> Vec<u8> {
    let mut s = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    );
    for (k, v) in headers {
        s.push_str(&format!("{k}: {v}\r\n"));
    }
    s.push_str("\r\n");
    s.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_frame_lengths() {
        for n in [0usize, 1, 125, 126, 65535, 65536] {
            let mut f = vec![0x82];
            match n {
                0..=125 => f.push(n as u8),
                126..=65535 => {
                    f.push(126);
                    f.extend_from_slice(&(n as u16).to_be_bytes())
                }
                _ => {
                    f.push(127);
                    f.extend_from_slice(&(n as u64).to_be_bytes())
                }
            }
            f.extend(std::iter::repeat_n(7u8, n));
            assert!(decode(&f[..f.len() - 1]).is_none());
            let d = decode(&f).expect("whole");
            assert_eq!((d.opcode, d.fin, d.payload.len(), d.size), (BINARY, true, n, f.len()));
        }
    }

    #[test]
    fn client_frame_is_masked() {
        let mut out = vec![];
        encode(TEXT, b"hello", &mut out);
        assert_eq!(out.len(), 2 + 4 + 5);
        assert_eq!(out[1] & 0x80, 0x80);
        assert_eq!(out[6] ^ out[2], b'h');
    }
}
