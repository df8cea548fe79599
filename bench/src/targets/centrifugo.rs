//! Centrifugo: its bidirectional JSON protocol over a raw WebSocket, publishing by `POST /api/publish`.
//! Options: `addr` (127.0.0.1:8000), `api_key`, `ns` (channel namespace, empty by default).

use crate::{
    http,
    target::{self, KeepAlive, Options, PubCodec, Step, Target, opt},
    ws,
};
use anyhow::Result;
use std::net::SocketAddr;

pub struct Centrifugo {
    addr: SocketAddr,
    api_key: String,
    ns: String,
    keep: KeepAlive,
}

impl Centrifugo {
    pub fn new(o: &Options) -> Result<Self> {
        Ok(Self {
            addr: target::addr(opt(o, "addr", "127.0.0.1:8000"))?,
            api_key: opt(o, "api_key", "bench").into(),
            ns: opt(o, "ns", "").into(),
            keep: KeepAlive { ping: b"{}".to_vec(), reply: b"{}".to_vec(), opcode: ws::TEXT },
        })
    }
}

impl Target for Centrifugo {
    fn ws_addr(&self, _: usize) -> SocketAddr {
        self.addr
    }
    fn upgrade(&self, _: usize, _: &str) -> Vec<u8> {
        ws::upgrade_request("/connection/websocket", &self.addr.to_string(), &[])
    }
    fn steps(&self, _: usize, room: &str) -> Vec<Step> {
        let send = format!("{{\"id\":1,\"connect\":{{}}}}\n{{\"id\":2,\"subscribe\":{{\"channel\":\"{room}\"}}}}");
        vec![Step { opcode: ws::TEXT, send: send.into_bytes(), expect: b"{\"id\":2,\"subscribe\"".to_vec() }]
    }
    fn refused(&self, m: &[u8]) -> bool {
        target::contains(m, b"\"error\"")
    }
    fn keep_alive(&self) -> Option<&KeepAlive> {
        Some(&self.keep)
    }
    fn room_name(&self, run: &str, i: usize) -> Result<String> {
        Ok(if self.ns.is_empty() { format!("bench-{run}-{i}") } else { format!("{}:bench-{run}-{i}", self.ns) })
    }
    fn publisher(&self, _: usize) -> Box<dyn PubCodec> {
        let api_key = self.api_key.clone();
        let headers = Box::new(move || {
            vec![("X-API-Key".into(), api_key.clone()), ("Content-Type".into(), "application/json".into())]
        });
        let body = |room: &str, payload: &[u8], out: &mut Vec<u8>| {
            out.extend_from_slice(format!(r#"{{"channel":"{room}","data":{{"text":""#).as_bytes());
            out.extend_from_slice(payload);
            out.extend_from_slice(b"\"}}");
        };
        let path = |_: &str| "/api/publish".to_owned();
        Box::new(http::Publisher { addr: self.addr, headers, path, body, ok: 200, bad: b"\"error\"" })
    }
}
