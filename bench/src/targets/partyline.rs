//! Partyline: subscribers with a bearer token in the handshake, publishing by `POST …/messages`. People and rooms are
//! made first.

use crate::{
    http,
    target::{self, PubCodec, Step, Target},
    ws,
};
use anyhow::{Context, Result};
use serde_json::json;
use std::net::SocketAddr;
use uuid::Uuid;

/// As whom subscribers come: one of these in turn, the first of whom made the rooms and writes in them.
const PEOPLE: usize = 16;

/// A server with people and rooms in it.
pub struct Partyline {
    addr: SocketAddr,
    tokens: Vec<String>,
    rooms: Vec<String>,
}

impl Partyline {
    /// Makes people and `rooms` rooms there.
    pub fn prepare(addr: SocketAddr, rooms: usize) -> Result<Self> {
        let unique = Uuid::new_v4().simple().to_string();
        let register = |n: usize| {
            let account = json!({"username": format!("bench-{n}-{}", &unique[..8]), "password": unique});
            let made = http::ask(addr, "POST", "/api/v1/accounts", None, &account)?;
            made["access_token"].as_str().map(str::to_owned).context("no access token")
        };
        let tokens: Vec<_> = (0..PEOPLE).map(register).collect::<Result<_>>()?;
        let make = |n: usize| {
            let room = json!({"name": format!("bench {n} {}", &unique[..8]), "visibility": "public"});
            let made = http::ask(addr, "POST", "/api/v1/rooms", Some(&tokens[0]), &room)?;
            made["id"].as_str().map(str::to_owned).context("no id")
        };
        let rooms = (0..rooms).map(make).collect::<Result<_>>()?;
        Ok(Self { addr, tokens, rooms })
    }
}

impl Target for Partyline {
    fn ws_addr(&self) -> SocketAddr {
        self.addr
    }
    fn upgrade(&self, conn: usize, _: &str) -> Vec<u8> {
        let token = &self.tokens[conn % self.tokens.len()];
        let protocols = ("Sec-WebSocket-Protocol".to_owned(), format!("partyline.v1, bearer.{token}"));
        ws::upgrade_request("/ws", &self.addr.to_string(), &[protocols])
    }
    fn steps(&self, _: usize, room: &str) -> Vec<Step> {
        let send = json!({"type": "subscribe", "room": room}).to_string().into_bytes();
        vec![Step { opcode: ws::TEXT, send, expect: b"\"type\":\"subscribed\"".to_vec() }]
    }
    fn refused(&self, message: &[u8]) -> bool {
        target::contains(message, b"\"type\":\"error\"")
    }
    fn room_name(&self, _: &str, i: usize) -> Result<String> {
        self.rooms.get(i).cloned().with_context(|| format!("room {i} was not made"))
    }
    fn publisher(&self) -> Box<dyn PubCodec> {
        let header = |name: &str, value: String| (name.to_owned(), value);
        let bearer = header("Authorization", format!("Bearer {}", self.tokens[0]));
        let headers = vec![bearer, header("Content-Type", "application/json".into())];
        let body = |_: &str, payload: &[u8], out: &mut Vec<u8>| {
            // As a client that may have to try again: with an id of its own.
            out.extend_from_slice(format!(r#"{{"id":"{}","body":""#, Uuid::now_v7()).as_bytes());
            out.extend_from_slice(payload);
            out.extend_from_slice(b"\"}");
        };
        let path = |room: &str| format!("/api/v1/rooms/{room}/messages");
        Box::new(http::Publisher { addr: self.addr, headers, path, body, ok: 201, bad: b"" })
    }
}
