//! NATS: its text protocol inside WebSocket frames for subscribers, its own TCP protocol for publishers (it has no
//! HTTP publish), each PUB followed by a PING whose PONG is the acknowledgement.
//! Options: `addr` (WebSocket, 127.0.0.1:8080), `pub_addr` (TCP, 127.0.0.1:4222).

use crate::{
    target::{self, Ack, KeepAlive, Options, PubCodec, Step, Target, opt},
    ws,
};
use anyhow::Result;
use std::{
    io::Write,
    net::{SocketAddr, TcpStream},
};

pub struct Nats {
    addr: SocketAddr,
    pub_addr: SocketAddr,
    keep: KeepAlive,
}

impl Nats {
    pub fn new(o: &Options) -> Result<Self> {
        Ok(Self {
            addr: target::addr(opt(o, "addr", "127.0.0.1:8080"))?,
            pub_addr: target::addr(opt(o, "pub_addr", "127.0.0.1:4222"))?,
            keep: KeepAlive { ping: b"PING\r\n".to_vec(), reply: b"PONG\r\n".to_vec(), opcode: ws::BINARY },
        })
    }
}

const CONNECT: &str =
    "CONNECT {\"verbose\":false,\"pedantic\":false,\"lang\":\"rust\",\"version\":\"0\",\"protocol\":1}\r\n";

impl Target for Nats {
    fn ws_addr(&self, _: usize) -> SocketAddr {
        self.addr
    }
    fn upgrade(&self, _: usize, _: &str) -> Vec<u8> {
        ws::upgrade_request("/", &self.addr.to_string(), &[])
    }
    fn steps(&self, _: usize, room: &str) -> Vec<Step> {
        vec![Step {
            opcode: ws::BINARY,
            send: format!("{CONNECT}SUB {room} 1\r\nPING\r\n").into_bytes(),
            expect: b"PONG\r\n".to_vec(),
        }]
    }
    fn refused(&self, m: &[u8]) -> bool {
        target::contains(m, b"-ERR")
    }
    fn keep_alive(&self) -> Option<&KeepAlive> {
        Some(&self.keep)
    }
    fn line_stream(&self) -> bool {
        true
    }
    fn publisher(&self, _: usize) -> Box<dyn PubCodec> {
        Box::new(Tcp { addr: self.pub_addr })
    }
}

struct Tcp {
    addr: SocketAddr,
}

impl PubCodec for Tcp {
    fn connect(&mut self, _: &str) -> Result<TcpStream> {
        let mut s = target::tcp(self.addr)?;
        s.write_all(CONNECT.as_bytes())?;
        Ok(s)
    }
    fn encode(&mut self, room: &str, payload: &[u8], out: &mut Vec<u8>) {
        write!(out, "PUB {room} {}\r\n", payload.len()).expect("a vector takes everything");
        out.extend_from_slice(payload);
        out.extend_from_slice(b"\r\nPING\r\n");
    }
    fn decode(&mut self, buf: &[u8]) -> Option<(usize, Option<Ack>)> {
        let end = memchr::memchr(b'\n', buf)? + 1;
        let ack = match &buf[..end] {
            b"PONG\r\n" => Some(Ack::Ok),
            l if l.starts_with(b"-ERR") => Some(Ack::Failed(String::from_utf8_lossy(l).into())),
            _ => None, // INFO; a PING of the server goes unanswered, it takes minutes before it minds
        };
        Some((end, ack))
    }
}
