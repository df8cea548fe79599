//! Partyline: subscribers with a bearer token in the handshake, publishing by `POST …/messages`. People and rooms are
//! made first. Access tokens live for a quarter of an hour: who stays longer calls [`Partyline::renew`], as a browser does.

use crate::{
    http,
    target::{self, PubCodec, Step, Target},
    ws,
};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    sync::{Arc, PoisonError, RwLock},
};
use uuid::Uuid;

/// As whom subscribers come: one of these in turn, the first of whom made the rooms and writes in them.
const PEOPLE: usize = 16;

/// As somebody signed in: what may be asked for a while, and what gets the next of both.
struct SignedIn {
    access: String,
    refresh: String,
}

impl SignedIn {
    fn of(answer: &Value) -> Result<Self> {
        let text = |name: &str| answer[name].as_str().map(str::to_owned).with_context(|| format!("no {name}"));
        Ok(Self { access: text("access_token")?, refresh: text("refresh_token")? })
    }
}

type People = Arc<[RwLock<SignedIn>]>;

fn access(person: &RwLock<SignedIn>) -> String {
    person.read().unwrap_or_else(PoisonError::into_inner).access.clone()
}

/// A server with people and rooms in it.
pub struct Partyline {
    nodes: Vec<SocketAddr>,
    people: People,
    rooms: Vec<String>,
}

impl Partyline {
    /// Makes people and `rooms` rooms there. Subscribers and publishers are spread over the nodes: those of a room over
    /// all of them.
    ///
    /// # Errors
    /// If there is no node, or it refuses.
    pub fn prepare(nodes: &[SocketAddr], rooms: usize) -> Result<Self> {
        let addr = *nodes.first().context("no node")?;
        let unique = Uuid::new_v4().simple().to_string();
        let register = |n: usize| {
            let account = json!({"username": format!("bench-{n}-{}", &unique[..8]), "password": unique});
            SignedIn::of(&http::ask(addr, "POST", "/api/v1/accounts", None, &account)?).map(RwLock::new)
        };
        let people: People = (0..PEOPLE).map(register).collect::<Result<_>>()?;
        let rooms = make_rooms(addr, &access(&people[0]), rooms)?;
        Ok(Self { nodes: nodes.to_vec(), people, rooms })
    }

    /// The same people and rooms, of a node that came after.
    pub fn moved_to(&self, node: SocketAddr) -> Self {
        Self { nodes: vec![node], people: self.people.clone(), rooms: self.rooms.clone() }
    }

    /// The same people, in `rooms` new rooms, on a node that came after.
    ///
    /// # Errors
    /// If it refuses.
    pub fn again(&self, node: SocketAddr, rooms: usize) -> Result<Self> {
        let rooms = make_rooms(node, &self.token(0), rooms)?;
        Ok(Self { nodes: vec![node], people: self.people.clone(), rooms })
    }

    /// The access token of one of the people, who take turns; the first made the rooms.
    pub fn token(&self, n: usize) -> String {
        access(&self.people[n % self.people.len()])
    }

    /// How many people there are.
    pub fn people(&self) -> usize {
        self.people.len()
    }

    /// New tokens for everybody. Publishers take theirs at the next message; subscribers when they next connect, and those
    /// that stay are sent away when the token that they came with ends.
    ///
    /// # Errors
    /// If the server refuses.
    pub fn renew(&self) -> Result<()> {
        for person in &*self.people {
            let mut person = person.write().unwrap_or_else(PoisonError::into_inner);
            let token = json!({"refresh_token": person.refresh});
            *person = SignedIn::of(&http::ask(self.nodes[0], "POST", "/api/v1/sessions/refresh", None, &token)?)?;
        }
        Ok(())
    }
}

fn make_rooms(addr: SocketAddr, token: &str, count: usize) -> Result<Vec<String>> {
    let unique = Uuid::new_v4().simple().to_string();
    let make = |n: usize| {
        let room = json!({"name": format!("bench {n} {}", &unique[..8]), "visibility": "public"});
        let made = http::ask(addr, "POST", "/api/v1/rooms", Some(token), &room)?;
        made["id"].as_str().map(str::to_owned).context("no id")
    };
    (0..count).map(make).collect()
}

impl Target for Partyline {
    fn ws_addr(&self, conn: usize) -> SocketAddr {
        self.nodes[conn / self.rooms.len().max(1) % self.nodes.len()]
    }
    fn upgrade(&self, conn: usize, _: &str) -> Vec<u8> {
        let token = self.token(conn);
        let protocols = ("Sec-WebSocket-Protocol".to_owned(), format!("partyline.v1, bearer.{token}"));
        ws::upgrade_request("/ws", &self.ws_addr(conn).to_string(), &[protocols])
    }
    fn steps(&self, _: usize, room: &str) -> Vec<Step> {
        let send = json!({"type": "subscribe", "room": room}).to_string().into_bytes();
        vec![Step { opcode: ws::TEXT, send, expect: b"\"type\":\"subscribed\"".to_vec() }]
    }
    fn resume(&self, _: usize, room: &str, since: &str) -> Vec<Step> {
        let send = json!({"type": "subscribe", "room": room, "since": since}).to_string().into_bytes();
        vec![Step { opcode: ws::TEXT, send, expect: b"\"type\":\"subscribed\"".to_vec() }]
    }
    fn position<'m>(&self, message: &'m [u8]) -> Option<&'m str> {
        const AT: &[u8] = b"\"at\":\"";
        if !message.starts_with(b"{\"type\":\"event\"") && !message.starts_with(b"{\"type\":\"subscribed\"") {
            return None;
        }
        // The frame's own comes before those in the event.
        let from = memchr::memmem::find(message, AT)? + AT.len();
        let to = from + memchr::memchr(b'"', &message[from..])?;
        std::str::from_utf8(&message[from..to]).ok()
    }
    fn refused(&self, message: &[u8]) -> bool {
        target::contains(message, b"\"type\":\"error\"") || target::contains(message, b"\"type\":\"resync\"")
    }
    fn room_name(&self, _: &str, i: usize) -> Result<String> {
        self.rooms.get(i).cloned().with_context(|| format!("room {i} was not made"))
    }
    fn publisher(&self, conn: usize) -> Box<dyn PubCodec> {
        let people = self.people.clone();
        let headers = Box::new(move || {
            let bearer = format!("Bearer {}", access(&people[0]));
            vec![("Authorization".into(), bearer), ("Content-Type".into(), "application/json".into())]
        });
        let body = |_: &str, payload: &[u8], out: &mut Vec<u8>| {
            // As a client that may have to try again: with an id of its own.
            out.extend_from_slice(format!(r#"{{"id":"{}","body":""#, Uuid::now_v7()).as_bytes());
            out.extend_from_slice(payload);
            out.extend_from_slice(b"\"}");
        };
        let path = |room: &str| format!("/api/v1/rooms/{room}/messages");
        let addr = self.nodes[conn % self.nodes.len()];
        Box::new(http::Publisher { addr, headers, path, body, ok: 201, bad: b"" })
    }
}
