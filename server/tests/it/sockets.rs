//! When sockets end: sessions, tokens, silence, slowness.

use crate::support::{Installation, Kind, PATIENCE, Person, Socket, in_both_modes, installation::JWT_SECRET, shared};
use app::model::{Position, SessionId, UserId};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use server::auth::token::{Keys, Kind as TokenKind};
use std::time::{Duration, Instant};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

in_both_modes!(
    a_token_that_expires_while_connected_ends_the_socket_and_a_new_one_resumes,
    a_session_that_is_ended_closes_its_sockets_on_every_node_within_a_second,
    a_position_that_the_log_does_not_have_asks_for_a_resync,
    who_is_removed_in_the_middle_of_a_burst_gets_nothing_later_on_any_node,
    slow_clients_delay_nobody_and_cost_little,
);

/// An access token of the person's session that expires at this time.
fn token_until(person: &Person, until: i64) -> String {
    let token = person.token.as_ref().unwrap();
    let claims = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    let id = |name: &str| claims[name].as_str().unwrap().to_owned();
    let (user, session): (UserId, SessionId) = (id("sub").parse().unwrap(), id("sid").parse().unwrap());
    let keys = Keys::new(&JWT_SECRET.to_owned().into(), None);
    keys.sign(TokenKind::Access, user, session, server::time::now() - 1_000, until)
}

async fn a_token_that_expires_while_connected_ends_the_socket_and_a_new_one_resumes(kind: Kind) {
    let ada = Person::register(shared(kind), "ada").await;
    let room = ada.make_room("members").await;
    let until = (server::time::now() / 1000 + 3) * 1000;
    let mut socket = Socket::connect(&ada.base, Some(&token_until(&ada, until))).await.unwrap();
    socket.subscribe(&room, None).await;
    ada.post(&room, "before").await;
    let (body, since, _) = socket.posted().await;
    assert_eq!(body, "before");
    assert_eq!(socket.end().await.map(|(code, _)| code), Some(4401));
    let late = server::time::now() - until;
    assert!((0..1_000).contains(&late), "{late} ms after it expired");
    ada.post(&room, "meanwhile").await;
    let mut renewed = ada.socket().await;
    assert_eq!(renewed.subscribe(&room, Some(since)).await["recovered"], true);
    assert_eq!(renewed.posted().await.0, "meanwhile");
    let stale = token_until(&ada, server::time::now() - 6_000);
    assert_eq!(Socket::connect(&ada.base, Some(&stale)).await.err(), Some(401), "beyond the leeway");
}

async fn a_session_that_is_ended_closes_its_sockets_on_every_node_within_a_second(kind: Kind) {
    let installation = Installation::new(kind).await;
    let mut nodes = vec![installation.start().await];
    if kind == Kind::Cluster {
        nodes.push(installation.start().await);
        nodes.push(installation.start().await);
    }
    let ada = Person::register(&nodes[0].base, "ada").await;
    let elsewhere = ada.sign_in_again().await;
    let mut sockets = Vec::new();
    for node in &nodes {
        sockets.push(ada.at(&node.base).socket().await);
        sockets.push(elsewhere.at(&node.base).socket().await);
    }
    let mut other = elsewhere.socket().await;
    assert_eq!(ada.call(Method::DELETE, "/sessions/current", None).await.0, StatusCode::NO_CONTENT);
    let ended = Instant::now();
    for socket in sockets.iter_mut().step_by(2) {
        assert_eq!(socket.end().await.map(|(code, _)| code), Some(4401));
    }
    assert!(ended.elapsed() < Duration::from_secs(1), "{:?}", ended.elapsed());
    other.send(json!({ "type": "ping" })).await;
    other.next_of("pong").await;
    assert_eq!(elsewhere.call(Method::DELETE, "/sessions", None).await.0, StatusCode::NO_CONTENT);
    let ended = Instant::now();
    for socket in sockets.iter_mut().skip(1).step_by(2) {
        assert_eq!(socket.end().await.map(|(code, _)| code), Some(4401));
    }
    assert!(ended.elapsed() < Duration::from_secs(1), "{:?}", ended.elapsed());
    for node in nodes {
        node.server.shutdown().await;
    }
}

async fn who_is_removed_in_the_middle_of_a_burst_gets_nothing_later_on_any_node(kind: Kind) {
    let installation = Installation::new(kind).await;
    let mut nodes = vec![installation.start().await];
    if kind == Kind::Cluster {
        nodes.push(installation.start().await);
        nodes.push(installation.start().await);
    }
    let (ada, lin) = (Person::register(&nodes[0].base, "ada").await, Person::register(&nodes[0].base, "lin").await);
    let room = ada.make_room("private").await;
    let member = format!("/rooms/{room}/members/{}", lin.username);
    assert_eq!(ada.call(Method::PUT, &member, None).await.0, StatusCode::OK);
    let mut sockets = Vec::new();
    for node in &nodes {
        let mut socket = lin.at(&node.base).socket().await;
        assert_eq!(socket.subscribe(&room, None).await["type"], "subscribed");
        sockets.push(socket);
    }
    let (_, since) = ada.post(&room, "lin may read this").await;
    let burst = async {
        for _ in 0..25 {
            futures::future::join_all((0..8).map(|_| ada.post(&room, "in the burst"))).await;
        }
    };
    let removal = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let (status, answer) = ada.call(Method::DELETE, &member, None).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        (answer["at"].as_str().unwrap().parse::<Position>().unwrap(), Instant::now())
    };
    let listening = async {
        let mut latest = Vec::new();
        for socket in &mut sockets {
            let mut heard = Vec::new();
            loop {
                let frame = socket.next().await.expect("the connection stays");
                match frame["type"].as_str().unwrap() {
                    "event" => heard.push(frame["at"].as_str().unwrap().parse::<Position>().unwrap()),
                    "membership" => {}
                    _ => break assert_eq!((&frame["type"], &frame["room"]), (&json!("error"), &json!(room))),
                }
            }
            assert!(heard.is_sorted());
            latest.push((heard[heard.len() - 1], Instant::now()));
        }
        latest
    };
    let ((), (removed_at, when), latest) = tokio::join!(burst, removal, listening);
    for (at, told) in latest {
        assert_eq!(at, removed_at, "the removal is the last that is heard");
        assert!(told.saturating_duration_since(when) < Duration::from_secs(1), "{:?}", told - when);
    }
    for (node, socket) in nodes.iter().zip(&mut sockets) {
        assert_eq!(socket.subscribe(&room, Some(since)).await["type"], "error");
        assert_eq!(lin.at(&node.base).get(&format!("/rooms/{room}/messages")).await.0, StatusCode::NOT_FOUND);
    }
    for node in nodes {
        node.server.shutdown().await;
    }
}

async fn a_position_that_the_log_does_not_have_asks_for_a_resync(kind: Kind) {
    let ada = Person::register(shared(kind), "ada").await;
    let room = ada.make_room("public").await;
    let (_, at) = ada.post(&room, "here").await;
    let mut socket = ada.socket().await;
    let never = Position::new(at.epoch, at.offset + 1_000_000);
    let answer = socket.subscribe(&room, Some(never)).await;
    assert_eq!((&answer["type"], &answer["reason"]), (&json!("resync"), &json!("epoch")), "{answer}");
    // Whatever the log has is good, also where nothing of this room is.
    let answer = socket.subscribe(&room, Some(at)).await;
    assert_eq!((&answer["type"], &answer["recovered"]), (&json!("subscribed"), &json!(true)), "{answer}");
}

/// Half-open: the client is gone, and no packet says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_says_nothing_is_dropped_after_45_seconds() {
    let installation = Installation::new(Kind::Embedded).await;
    let node = installation.start().await;
    let mut silent = by_hand(&node.base).await;
    let mut buffer = vec![0; 4096];
    let connected = Instant::now();
    // Pings come, and are not answered.
    let end = async { while silent.read(&mut buffer).await.is_ok_and(|length| length > 0) {} };
    timeout(PATIENCE, end).await.expect("it is dropped");
    let silence = connected.elapsed();
    assert!((Duration::from_secs(44)..Duration::from_secs(50)).contains(&silence), "{silence:?}");
}

/// A socket of a visitor's, by hand.
async fn by_hand(base: &str) -> TcpStream {
    let address = base.strip_prefix("http://").unwrap().to_owned();
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let handshake = format!(
        "GET /ws HTTP/1.1\r\nHost: {address}\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: partyline.v1\r\n\r\n"
    );
    stream.write_all(handshake.as_bytes()).await.unwrap();
    let mut buffer = vec![0; 4096];
    let mut begun = String::new();
    while !begun.contains("hello") {
        let length = stream.read(&mut buffer).await.unwrap();
        begun += &String::from_utf8_lossy(&buffer[..length]);
    }
    stream
}

#[tokio::test]
async fn who_breaks_the_protocol_is_told_why_and_hung_up_on_however_much_they_go_on_sending() {
    let installation = Installation::new(Kind::Embedded).await;
    let node = installation.start().await;
    let (mut hears, mut talks) = by_hand(&node.base).await.into_split();
    // Not masked.
    talks.write_all(b"\x81\x02hi").await.unwrap();
    let talking = tokio::spawn(async move { while talks.write_all(&[0x81; 64 * 1024]).await.is_ok() {} });
    let broken = Instant::now();
    let mut heard = Vec::new();
    // What is sent to a socket that is closed may take back what it had sent.
    let _ = timeout(PATIENCE, hears.read_to_end(&mut heard)).await.expect("it is hung up on");
    timeout(PATIENCE, talking).await.expect("nobody listens").unwrap();
    assert!(broken.elapsed() < Duration::from_secs(5), "{:?}", broken.elapsed());

    let (mut hears, mut talks) = by_hand(&node.base).await.into_split();
    talks.write_all(b"\x81\x02hi").await.unwrap();
    let mut heard = Vec::new();
    timeout(PATIENCE, hears.read_to_end(&mut heard)).await.expect("it is hung up on").unwrap();
    let close = heard.windows(4).position(|bytes| bytes[0] == 0x88 && bytes[2..] == 1002_u16.to_be_bytes());
    assert_eq!(close.map(|at| at + 2 + usize::from(heard[at + 1])), Some(heard.len()), "the close frame is the last");
    node.server.shutdown().await;
}

/// Posts, and says how long each took to be heard by somebody who reads: the 95th percentile.
async fn delay(ada: &Person, room: &str, posts: usize) -> Duration {
    let mut socket = ada.socket().await;
    socket.subscribe(room, None).await;
    let body = "x".repeat(8 * 1024);
    let mut late = Vec::new();
    for _ in 0..posts {
        let begun = Instant::now();
        let ((_, at), heard) = tokio::join!(ada.post(room, &body), socket.posted());
        assert_eq!(heard.1, at);
        late.push(begun.elapsed());
    }
    late.sort_unstable();
    late[posts * 95 / 100]
}

fn resident_mebibytes(pid: u32) -> usize {
    let pages: usize =
        std::fs::read_to_string(format!("/proc/{pid}/statm")).unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096 / (1024 * 1024)
}

async fn slow_clients_delay_nobody_and_cost_little(kind: Kind) {
    const SLOW: usize = 50;
    let installation = Installation::new(kind).await;
    let node = installation.spawn(crate::support::installation::free_address());
    let ada = Person::register(&node.base, "ada").await;
    let room = ada.make_room("public").await;
    let alone = delay(&ada, &room, 300).await;
    let before = resident_mebibytes(node.pid());
    let mut slow = Vec::new();
    for _ in 0..SLOW {
        let mut socket = ada.socket().await;
        socket.subscribe(&room, None).await;
        slow.push(socket);
    }
    let beside = delay(&ada, &room, 600).await;
    let grown = resident_mebibytes(node.pid()).saturating_sub(before);
    println!("{kind:?}: p95 alone {alone:?}, beside {SLOW} slow ones {beside:?}; {grown} MiB more");
    assert!(beside <= 2 * alone + Duration::from_millis(50), "{beside:?} against {alone:?}");
    // Frames are shared, so fifty full queues hold little more than one.
    assert!(grown < 64, "{grown} MiB");
    for mut socket in slow {
        let end = timeout(PATIENCE, socket.end()).await.unwrap();
        // Its socket was full: the close frame may not have found its way.
        assert!(end.is_none() || end.as_ref().is_some_and(|(code, _)| *code == 4408), "{end:?}");
    }
}
