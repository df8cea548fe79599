//! Who is here, at whatever node.

use crate::support::{Installation, Kind, Person, Socket, in_both_modes, installation::free_address};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

in_both_modes!(
    who_listens_is_seen_by_those_who_do_too,
    visitors_neither_see_nor_are_seen,
    who_is_taken_out_of_a_room_is_not_seen_in_it,
);

/// The next frame that says who is here, as `(who, are they here)`; of all at once, each of them.
async fn seen(socket: &mut Socket) -> Vec<(String, bool)> {
    loop {
        let frame = socket.next_with_presence().await;
        match frame["type"].as_str() {
            Some("presence") => {
                return vec![(frame["user"].as_str().unwrap().to_owned(), frame["online"].as_bool().unwrap())];
            }
            Some("present") => {
                let users = frame["users"].as_array().unwrap();
                assert_eq!(frame["count"], json!(users.len()));
                return users.iter().map(|user| (user.as_str().unwrap().to_owned(), true)).collect();
            }
            _ => {}
        }
    }
}

/// Passes over frames until somebody is seen to be here, or no longer.
async fn until_seen(socket: &mut Socket, who: &Person, here: bool) {
    while !seen(socket).await.contains(&(who.username.clone(), here)) {}
}

async fn who_listens_is_seen_by_those_who_do_too(kind: Kind) {
    let installation = Installation::new(kind).await;
    let node = installation.start().await;
    // In a cluster the others are at another node.
    let other = match kind {
        Kind::Embedded => None,
        Kind::Cluster => Some(installation.start().await),
    };
    let base = other.as_ref().map_or(&node.base, |other| &other.base);
    let (ada, lin) = (Person::register(&node.base, "ada").await, Person::register(base, "lin").await);
    let room = ada.make_room("public").await;
    let mut first = ada.socket().await;
    first.subscribe(&room, None).await;
    until_seen(&mut first, &ada, true).await;

    // Who comes later sees who is there already, at whatever node, and is seen.
    let mut second = lin.socket().await;
    second.subscribe(&room, None).await;
    until_seen(&mut second, &ada, true).await;
    until_seen(&mut first, &lin, true).await;

    // A second device that goes is no leaving.
    let mut device = lin.at(&node.base).socket().await;
    device.send(json!({ "type": "subscribe", "room": room, "counting": true })).await;
    device.next_of("subscribed").await;
    drop(second);
    tokio::time::sleep(Duration::from_secs(7)).await;
    drop(device);
    let asked = Instant::now();
    until_seen(&mut first, &lin, false).await;
    assert!(asked.elapsed() > Duration::from_secs(2), "seen as gone while the other device was there");
    if let Some(other) = other {
        other.server.shutdown().await;
    }
    node.server.shutdown().await;
}

async fn visitors_neither_see_nor_are_seen(kind: Kind) {
    let installation = Installation::new(kind).await;
    let node = installation.start().await;
    let ada = Person::register(&node.base, "ada").await;
    let room = ada.make_room("public").await;
    let mut visitor = Person::visitor(&node.base).socket().await;
    visitor.subscribe(&room, None).await;
    let mut first = ada.socket().await;
    first.subscribe(&room, None).await;
    assert_eq!(seen(&mut first).await, [(ada.username.clone(), true)]);
    ada.post(&room, "a message").await;
    let heard: Value = loop {
        let frame = visitor.next_with_presence().await;
        assert!(!matches!(frame["type"].as_str(), Some("presence" | "present")), "{frame}");
        if frame["type"] == "event" && frame["event"]["kind"] == "message_posted" {
            break frame;
        }
    };
    assert_eq!(heard["event"]["message"]["body"], "a message");
    node.server.shutdown().await;
}

async fn who_is_taken_out_of_a_room_is_not_seen_in_it(kind: Kind) {
    let installation = Installation::new(kind).await;
    let node = installation.start().await;
    let (ada, lin) = (Person::register(&node.base, "ada").await, Person::register(&node.base, "lin").await);
    let room = ada.make_room("private").await;
    let member = format!("/rooms/{room}/members/{}", lin.username);
    assert!(ada.call(Method::PUT, &member, None).await.0.is_success());
    let (mut first, mut second) = (ada.socket().await, lin.socket().await);
    first.subscribe(&room, None).await;
    second.subscribe(&room, None).await;
    until_seen(&mut first, &lin, true).await;
    assert!(ada.call(Method::DELETE, &member, None).await.0.is_success());
    until_seen(&mut first, &lin, false).await;
    node.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_at_a_node_that_was_killed_is_gone_within_30_seconds() {
    let installation = Installation::new(Kind::Cluster).await;
    let doomed = installation.spawn(free_address());
    let node = installation.start().await;
    let (ada, lin) = (Person::register(&node.base, "ada").await, Person::register(&node.base, "lin").await);
    let room = ada.make_room("public").await;
    let mut first = ada.socket().await;
    first.subscribe(&room, None).await;
    let mut second = lin.at(&doomed.base).socket().await;
    second.subscribe(&room, None).await;
    until_seen(&mut first, &lin, true).await;
    doomed.kill();
    let killed = Instant::now();
    tokio::time::timeout(Duration::from_secs(30), until_seen(&mut first, &lin, false)).await.expect("in time");
    assert!(killed.elapsed() > Duration::from_secs(5), "a node that is silent for a moment is not gone");
    node.server.shutdown().await;
}
