//! What one has not read, on all one's devices.

use crate::support::{Installation, Kind, Person, in_both_modes, until};
use app::model::Position;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

in_both_modes!(
    what_is_read_on_one_device_is_read_on_the_others,
    one_chooses_how_much_one_is_told_of_a_room,
    everything_is_read_at_once,
    who_counts_gets_what_is_new_and_is_told_if_it_is_too_much,
    who_only_counts_hears_once_a_second_and_of_everything_until_they_are_removed,
);

async fn unread(person: &Person, room: &str) -> (u64, u64) {
    let (status, all) = person.get("/me/unread").await;
    assert_eq!(status, StatusCode::OK);
    let room = all["rooms"].as_array().unwrap().iter().find(|r| r["room"] == room).cloned().unwrap_or_default();
    (room["unread"].as_u64().unwrap_or_default(), room["mentions"].as_u64().unwrap_or_default())
}

async fn what_is_read_on_one_device_is_read_on_the_others(kind: Kind) {
    let installation = Installation::new(kind).await;
    let node = installation.start().await;
    // In a cluster the other device is at another node.
    let other = match kind {
        Kind::Embedded => None,
        Kind::Cluster => Some(installation.start().await),
    };
    let base = other.as_ref().map_or(&node.base, |other| &other.base);
    let (ada, lin) = (Person::register(&node.base, "ada").await, Person::register(&node.base, "lin").await);
    let room = ada.make_room("public").await;
    lin.join(&room).await;
    let mut device = lin.at(base).socket().await;
    ada.post(&room, "one").await;
    ada.post(&room, "two, @all").await;
    let (_, at) = ada.post(&room, &format!("three, @{}", lin.username)).await;
    until("all are counted", async || unread(&lin, &room).await == (3, 2)).await;
    assert_eq!(unread(&ada, &room).await, (0, 0));

    let read = |at: Value| {
        let (lin, path) = (lin.clone(), format!("/rooms/{room}/read"));
        async move { lin.call(Method::PUT, &path, Some(json!({ "at": at }))).await.0 }
    };
    assert_eq!(read(json!(at)).await, StatusCode::NO_CONTENT);
    let frame = device.next_of("read").await;
    assert_eq!((&frame["room"], &frame["at"]), (&json!(room), &json!(at)));
    assert_eq!(unread(&lin, &room).await, (0, 0));
    // Never back.
    assert_eq!(read(json!("1.0")).await, StatusCode::NO_CONTENT);
    assert_eq!(unread(&lin, &room).await, (0, 0));
    for bad in ["nowhere", "999.0"] {
        assert!(read(json!(bad)).await.is_client_error(), "{bad}");
    }
    let eve = Person::register(&node.base, "eve").await;
    until("she is in #welcome", async || eve.get("/me/unread").await.1["rooms"].as_array().map(Vec::len) == Some(1))
        .await;
    assert_eq!(Person::visitor(&node.base).get("/me/unread").await.0, StatusCode::UNAUTHORIZED);

    // Who is brought into a room, or out of it, is told.
    let private = ada.make_room("private").await;
    let member = format!("/rooms/{private}/members/{}", lin.username);
    for method in [Method::PUT, Method::DELETE] {
        assert_eq!(ada.call(method, &member, None).await.0, StatusCode::OK);
        assert_eq!(device.next_of("membership").await["room"], json!(private));
    }
    if let Some(other) = other {
        other.server.shutdown().await;
    }
    node.server.shutdown().await;
}

async fn one_chooses_how_much_one_is_told_of_a_room(kind: Kind) {
    let installation = Installation::new(kind).await;
    let node = installation.start().await;
    let (ada, lin) = (Person::register(&node.base, "ada").await, Person::register(&node.base, "lin").await);
    let (room, hidden) = (ada.make_room("public").await, ada.make_room("private").await);
    let choose = |room: &str, level: &str| {
        let (lin, path) = (lin.clone(), format!("/rooms/{room}/notifications"));
        let body = json!({ "level": level });
        async move { lin.call(Method::PUT, &path, Some(body)).await.0 }
    };
    assert_eq!(choose(&room, "mute").await, StatusCode::FORBIDDEN, "no member");
    assert_eq!(choose(&hidden, "mute").await, StatusCode::NOT_FOUND);
    lin.join(&room).await;
    let mut device = lin.socket().await;
    assert_eq!(choose(&room, "loud").await, StatusCode::UNPROCESSABLE_ENTITY);
    for level in ["mentions", "mute", "all", "mute"] {
        assert_eq!(choose(&room, level).await, StatusCode::NO_CONTENT);
        let frame = device.next_of("level").await;
        assert_eq!((&frame["room"], &frame["level"]), (&json!(room), &json!(level)));
    }
    let all = lin.get("/me/unread").await.1;
    let level = all["rooms"].as_array().unwrap().iter().find(|r| r["room"] == json!(room)).map(|r| r["level"].clone());
    assert_eq!(level, Some(json!("mute")));
    node.server.shutdown().await;
}

async fn everything_is_read_at_once(kind: Kind) {
    let installation = Installation::new(kind).await;
    let node = installation.start().await;
    let (ada, lin) = (Person::register(&node.base, "ada").await, Person::register(&node.base, "lin").await);
    let rooms = [ada.make_room("public").await, ada.make_room("public").await];
    for room in &rooms {
        lin.join(room).await;
        ada.post(room, "one").await;
        ada.post(room, "two").await;
    }
    for room in &rooms {
        until("both are counted", async || unread(&lin, room).await == (2, 0)).await;
    }
    let mut device = lin.socket().await;
    assert_eq!(lin.call(Method::PUT, "/me/read", None).await.0, StatusCode::NO_CONTENT);
    let told = [device.next_of("read").await, device.next_of("read").await];
    for room in &rooms {
        assert!(told.iter().any(|frame| frame["room"] == json!(room)));
        assert_eq!(unread(&lin, room).await, (0, 0));
        assert_eq!(unread(&ada, room).await, (0, 0));
    }
    assert_eq!(Person::visitor(&node.base).call(Method::PUT, "/me/read", None).await.0, StatusCode::UNAUTHORIZED);
    node.server.shutdown().await;
}

/// At a node that has not heard of the room yet.
async fn who_counts_gets_what_is_new_and_is_told_if_it_is_too_much(kind: Kind) {
    let installation = Installation::new(kind).await;
    let node = installation.start().await;
    let ada = Person::register(&node.base, "ada").await;
    let room = ada.make_room("public").await;
    let mut posted = Vec::new();
    for n in 0..150 {
        posted.push(ada.post(&room, &format!("{n}")).await.1);
    }
    ada.bodies(&room, posted[149]).await;
    node.server.shutdown().await;
    let node = installation.start().await;
    let ada = ada.at(&node.base);
    let mut socket = ada.socket().await;
    let subscribe = |since: Position, counting: bool| json!({ "type": "subscribe", "room": room, "since": since, "counting": counting });
    socket.send(subscribe(posted[140], true)).await;
    assert_eq!(socket.next_of("subscribed").await["recovered"], true);
    for n in 141..150 {
        assert_eq!(socket.posted().await.0, n.to_string());
    }
    // In embedded mode, or with a ring in Redis, the node may well have it all.
    socket.send(subscribe(posted[0], true)).await;
    let answer = socket.next().await.expect("an answer");
    assert!(answer["type"] == "resync" || answer["recovered"] == true, "{answer}");
    // A page that needs it all gets it all.
    let mut page = ada.socket().await;
    page.send(subscribe(posted[0], false)).await;
    assert_eq!(page.next_of("subscribed").await["recovered"], true);
    for n in 1..150 {
        assert_eq!(page.posted().await.0, n.to_string());
    }
    node.server.shutdown().await;
}

async fn who_only_counts_hears_once_a_second_and_of_everything_until_they_are_removed(kind: Kind) {
    let installation = Installation::new(kind).await;
    let node = installation.start().await;
    let (ada, lin) = (Person::register(&node.base, "ada").await, Person::register(&node.base, "lin").await);
    let room = ada.make_room("private").await;
    let member = format!("/rooms/{room}/members/{}", lin.username);
    assert_eq!(ada.call(Method::PUT, &member, None).await.0, StatusCode::OK);
    let mut socket = lin.socket().await;
    socket.send(json!({ "type": "subscribe", "room": room, "counting": true })).await;
    let mut upto = serde_json::from_value(socket.next_of("subscribed").await["at"].clone()).unwrap();
    let begun = Instant::now();
    for n in 0..20 {
        ada.post(&room, &n.to_string()).await;
    }
    assert_eq!(ada.call(Method::DELETE, &member, None).await.0, StatusCode::OK);
    let posted = begun.elapsed();
    ada.post(&room, "not for lin").await;
    for n in 0..20 {
        let (body, at, prev): (String, Position, Option<Position>) = socket.posted().await;
        assert_eq!(body, n.to_string());
        assert!(prev.is_some_and(|prev| prev <= upto), "nothing is left out");
        upto = at;
        // What came within a second of the first waits, unless the removal makes it known.
        assert!(n != 1 || begun.elapsed() >= posted.min(Duration::from_secs(1)), "{:?}", begun.elapsed());
    }
    let removed = socket.next_of("event").await;
    assert_eq!(removed["event"]["kind"], "member_left", "{removed}");
    let last = socket.next().await;
    assert!(last.as_ref().is_ok_and(|frame| frame["type"] == "error"), "{last:?}");
    node.server.shutdown().await;
}
