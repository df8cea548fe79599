//! What sockets bring: everything, once, in order, to those who may.

use crate::support::{Installation, Kind, PATIENCE, Person, Socket, in_both_modes, shared, until};
use app::{
    model::{MessageId, Position},
    protocol::SUBPROTOCOL,
};
use reqwest::{Method, StatusCode};
use serde_json::json;
use std::collections::HashSet;

in_both_modes!(
    a_handshake_takes_a_good_credential_or_none,
    a_watcher_hears_what_is_posted_once_and_in_order,
    between_a_page_and_its_socket_nothing_is_missed_or_doubled,
    a_client_that_slept_receives_every_missed_message,
    who_missed_too_much_is_told_to_read_the_history,
    a_deleted_text_does_not_come_back_for_who_resumes,
    a_retry_reaches_watchers_once,
    a_position_of_another_epoch_asks_for_a_resync,
    visitors_hear_public_rooms_only,
    who_is_removed_hears_nothing_later,
    edits_deletions_reactions_and_typing_arrive,
    a_client_that_does_not_read_is_closed_and_others_are_served,
    nonsense_is_answered_and_the_connection_stays,
    a_node_that_goes_away_asks_its_clients_to_come_back_elsewhere,
);

async fn a_handshake_takes_a_good_credential_or_none(kind: Kind) {
    let ada = Person::register(shared(kind), "ada").await;
    let token = ada.token.clone().unwrap();
    assert_eq!(ada.socket().await.hello["heartbeat_ms"], 20_000);
    assert!(Socket::connect(&ada.base, None).await.is_ok(), "a visitor");
    assert_eq!(Socket::connect(&ada.base, Some("x.y.z")).await.err(), Some(401));
    let in_protocol = format!("{SUBPROTOCOL}, bearer.{token}");
    let mut socket = Socket::connect_with(&ada.base, &in_protocol, []).await.unwrap();
    let private = ada.make_room("private").await;
    assert_eq!(socket.subscribe(&private, None).await["type"], "subscribed");
    let forged = format!("{SUBPROTOCOL}, bearer.{token}x");
    assert_eq!(Socket::connect_with(&ada.base, &forged, []).await.err(), Some(401));
    let stale = [("cookie", "partyline=x.y.z"), ("origin", "http://localhost")];
    assert_eq!(Socket::connect_with(&ada.base, SUBPROTOCOL, stale).await.err(), Some(401));
}

async fn a_watcher_hears_what_is_posted_once_and_in_order(kind: Kind) {
    let ada = Person::register(shared(kind), "ada").await;
    let room = ada.make_room("public").await;
    let mut socket = ada.socket().await;
    let subscribed = socket.subscribe(&room, None).await;
    assert_eq!(subscribed["recovered"], false);
    let mut mine: Position = serde_json::from_value(subscribed["at"].clone()).unwrap();
    let mut told = Vec::new();
    for i in 0..100 {
        told.push((i.to_string(), ada.post(&room, &i.to_string()).await.1));
    }
    for (body, at) in told {
        let heard = socket.posted().await;
        assert_eq!((heard.0, heard.1), (body, at));
        assert!(heard.2.is_some_and(|prev| prev <= mine), "a hole before {at}");
        mine = at;
    }
}

/// Posts from several people while `during` runs; what was acknowledged, in no order.
async fn busy<T>(base: &str, room: &str, during: impl Future<Output = T>) -> (HashSet<String>, T) {
    let mut people = Vec::new();
    for _ in 0..3 {
        let person = Person::register(base, "busy").await;
        person.join(room).await;
        people.push(person);
    }
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let posting: Vec<_> = people
        .into_iter()
        .map(|person| {
            let (room, stopped) = (room.to_owned(), stopped.clone());
            tokio::spawn(async move {
                let mut posted = HashSet::new();
                while !*stopped.borrow() {
                    let body = MessageId::new().to_string();
                    person.post(&room, &body).await;
                    posted.insert(body);
                }
                posted
            })
        })
        .collect();
    let result = during.await;
    stop.send(true).unwrap();
    let mut all = HashSet::new();
    for task in posting {
        all.extend(task.await.unwrap());
    }
    (all, result)
}

async fn between_a_page_and_its_socket_nothing_is_missed_or_doubled(kind: Kind) {
    let base = shared(kind);
    let ada = Person::register(base, "ada").await;
    let room = ada.make_room("public").await;
    let watching = async {
        let mut watchers = Vec::new();
        for _ in 0..10 {
            let page = ada.history(&room, "?limit=200").await;
            let at: Position = serde_json::from_value(page["at"].clone()).unwrap();
            let read: Vec<String> =
                page["messages"].as_array().unwrap().iter().map(|m| m["body"].as_str().unwrap().to_owned()).collect();
            let mut socket = ada.socket().await;
            let answer = socket.subscribe(&room, Some(at)).await;
            assert_eq!((&answer["type"], &answer["recovered"]), (&json!("subscribed"), &json!(true)), "{answer}");
            watchers.push((page["more"] == true, read, at, socket));
        }
        watchers
    };
    let (_, watchers) = busy(base, &room, watching).await;
    let (_, end) = ada.post(&room, "the end").await;
    let all = ada.bodies(&room, end).await;
    for (cut, mut seen, mut mine, mut socket) in watchers {
        while mine < end {
            let (body, at, prev) = socket.posted().await;
            if at <= mine {
                continue;
            }
            assert!(prev.is_some_and(|prev| prev <= mine), "a hole before {at}");
            seen.push(body);
            mine = at;
        }
        // The newest 200 of what was read and heard are the newest 200 of the room.
        let count = all.len().min(seen.len());
        assert_eq!(seen[seen.len() - count..], all[all.len() - count..]);
        assert!(cut || seen.len() >= all.len());
    }
}

async fn a_client_that_slept_receives_every_missed_message(kind: Kind) {
    let ada = Person::register(shared(kind), "ada").await;
    let room = ada.make_room("members").await;
    let (_, mut mine) = ada.post(&room, "before sleep").await;
    for missed in [1, 40, 300] {
        let sent: Vec<String> = (0..missed).map(|i| format!("{missed}:{i}")).collect();
        let mut last = mine;
        for body in &sent {
            last = ada.post(&room, body).await.1;
        }
        let mut socket = ada.socket().await;
        let answer = socket.subscribe(&room, Some(mine)).await;
        assert_eq!((&answer["type"], &answer["recovered"]), (&json!("subscribed"), &json!(true)), "{answer}");
        for body in sent {
            let heard = socket.posted().await;
            assert_eq!(heard.0, body);
            assert!(heard.2.is_some_and(|prev| prev <= mine));
            mine = heard.1;
        }
        assert_eq!(mine, last);
    }
}

async fn who_missed_too_much_is_told_to_read_the_history(kind: Kind) {
    let ada = Person::register(shared(kind), "ada").await;
    let room = ada.make_room("public").await;
    let mut socket = ada.socket().await;
    socket.subscribe(&room, None).await;
    let posting = async {
        for _ in 0..70 {
            futures::future::join_all((0..16).map(|i| ada.post(&room, ["a", "b"][i % 2]))).await;
        }
    };
    // Until this node has heard them all, there is not yet too much.
    let hearing = async {
        for _ in 0..70 * 16 {
            socket.posted().await;
        }
    };
    tokio::join!(posting, hearing);
    for _ in 0..20 {
        let answer = socket.subscribe(&room, Some(Position::START)).await;
        assert_eq!((&answer["type"], &answer["reason"]), (&json!("resync"), &json!("too_old")), "{answer}");
    }
    let (_, last) = ada.post(&room, "the last").await;
    ada.bodies(&room, last).await;
    let page = ada.history(&room, "").await;
    let at = serde_json::from_value(page["at"].clone()).unwrap();
    assert_eq!(socket.subscribe(&room, Some(at)).await["type"], "subscribed");
    ada.post(&room, "heard").await;
    assert_eq!(socket.posted().await.0, "heard");
}

async fn a_deleted_text_does_not_come_back_for_who_resumes(kind: Kind) {
    let ada = Person::register(shared(kind), "ada").await;
    let room = ada.make_room("public").await;
    let mut watching = ada.socket().await;
    watching.subscribe(&room, None).await;
    let (id, _) = ada.post(&room, "hunter2").await;
    let message = format!("/rooms/{room}/messages/{id}");
    ada.call(Method::PATCH, &message, Some(json!({ "body": "hunter3" }))).await;
    let answer = json!({ "id": MessageId::new(), "body": "why?", "reply_to": id });
    ada.call(Method::POST, &format!("/rooms/{room}/messages"), Some(answer)).await;
    ada.call(Method::DELETE, &message, None).await;
    while watching.next_of("event").await["event"]["kind"] != "message_deleted" {}

    let mut late = Person::visitor(shared(kind)).socket().await;
    late.subscribe(&room, Some(Position::START)).await;
    let mut heard = String::new();
    loop {
        let frame = late.next_of("event").await;
        heard += &frame.to_string();
        if frame["event"]["kind"] == "message_deleted" {
            break;
        }
    }
    assert!(!heard.contains("hunter"), "{heard}");
    assert!(heard.contains("why?"), "an answer to it keeps its own text");
}

async fn a_retry_reaches_watchers_once(kind: Kind) {
    let ada = Person::register(shared(kind), "ada").await;
    let room = ada.make_room("public").await;
    let mut socket = ada.socket().await;
    socket.subscribe(&room, None).await;
    let (id, _) = ada.post(&room, "once").await;
    for _ in 0..3 {
        assert_eq!(ada.try_post(&room, id, "once").await.0, StatusCode::OK);
    }
    ada.post(&room, "after").await;
    assert_eq!((socket.posted().await.0, socket.posted().await.0), ("once".into(), "after".into()));
}

async fn a_position_of_another_epoch_asks_for_a_resync(kind: Kind) {
    let ada = Person::register(shared(kind), "ada").await;
    let room = ada.make_room("public").await;
    let mut socket = ada.socket().await;
    let answer = socket.subscribe(&room, Some(Position::new(7, 3))).await;
    assert_eq!((&answer["type"], &answer["reason"]), (&json!("resync"), &json!("epoch")));
    ada.post(&room, "one").await;
    let answer = socket.subscribe(&room, Some(Position::START)).await;
    assert_eq!(answer["type"], "subscribed", "from the beginning is always good in a short room");
    assert_eq!(socket.posted().await.0, "one");
}

async fn visitors_hear_public_rooms_only(kind: Kind) {
    let ada = Person::register(shared(kind), "ada").await;
    let mut visitor = Person::visitor(shared(kind)).socket().await;
    let (public, members, private) =
        (ada.make_room("public").await, ada.make_room("members").await, ada.make_room("private").await);
    assert_eq!(visitor.subscribe(&public, None).await["type"], "subscribed");
    assert_eq!(visitor.subscribe(&members, None).await["type"], "error");
    assert_eq!(visitor.subscribe(&private, None).await["type"], "error");
    assert_eq!(visitor.subscribe(&MessageId::new().to_string(), None).await["type"], "error");
    let mut stranger = Person::register(shared(kind), "lin").await.socket().await;
    assert_eq!(stranger.subscribe(&members, None).await["type"], "error", "listed is not yet readable");
    ada.post(&private, "not for visitors").await;
    ada.post(&public, "for all").await;
    assert_eq!(visitor.posted().await.0, "for all");
}

async fn who_is_removed_hears_nothing_later(kind: Kind) {
    let (ada, lin) = (Person::register(shared(kind), "ada").await, Person::register(shared(kind), "lin").await);
    let room = ada.make_room("private").await;
    let add = format!("/rooms/{room}/members/{}", lin.username);
    assert_eq!(ada.call(Method::PUT, &add, None).await.0, StatusCode::OK);
    let mut socket = lin.socket().await;
    assert_eq!(socket.subscribe(&room, None).await["type"], "subscribed");
    let mut all = Vec::new();
    let (mut removed_at, mut since) = (None, Position::START);
    for i in 0..60 {
        all.push(ada.post(&room, &i.to_string()).await.1);
        if i == 10 {
            since = all[5];
        }
        if i == 30 {
            let (_, answer) = ada.call(Method::DELETE, &add, None).await;
            removed_at = Some(answer["at"].as_str().unwrap().parse::<Position>().unwrap());
        }
    }
    let removed_at = removed_at.unwrap();
    let mut heard = Vec::new();
    let error = loop {
        let frame = socket.next().await.expect("the connection stays");
        match frame["type"].as_str().unwrap() {
            "event" => heard.push(frame["at"].as_str().unwrap().parse::<Position>().unwrap()),
            "error" => break frame,
            "membership" => {}
            other => panic!("{other}"),
        }
    };
    assert_eq!(error["room"], json!(room));
    assert_eq!(heard.iter().max(), Some(&removed_at), "the removal is the last that is heard");
    assert_eq!(socket.subscribe(&room, Some(since)).await["type"], "error", "nor by resuming");
    socket.send(json!({ "type": "ping" })).await;
    assert_eq!(socket.next().await.unwrap()["type"], "pong", "nothing came in between");
    assert_eq!(lin.get(&format!("/rooms/{room}/messages")).await.0, StatusCode::NOT_FOUND);
}

async fn edits_deletions_reactions_and_typing_arrive(kind: Kind) {
    let ada = Person::register(shared(kind), "ada").await;
    let room = ada.make_room("public").await;
    let mut socket = ada.socket().await;
    socket.subscribe(&room, None).await;
    let (id, _) = ada.post(&room, "frist").await;
    let message = format!("/rooms/{room}/messages/{id}");
    ada.call(Method::PATCH, &message, Some(json!({ "body": "first" }))).await;
    ada.call(Method::PUT, &format!("{message}/reactions/👍"), None).await;
    ada.call(Method::DELETE, &format!("{message}/reactions/👍"), None).await;
    ada.call(Method::DELETE, &message, None).await;
    let mut kinds = Vec::new();
    while kinds.len() < 5 {
        kinds.push(socket.next_of("event").await["event"]["kind"].as_str().unwrap().to_owned());
    }
    assert_eq!(kinds, ["message_posted", "message_edited", "reaction_added", "reaction_removed", "message_deleted"]);
    assert_eq!(ada.call(Method::POST, &format!("/rooms/{room}/typing"), None).await.0, StatusCode::NO_CONTENT);
    assert_eq!(socket.next_of("typing").await["user"], json!(ada.username));
    socket.send(json!({ "type": "unsubscribe", "room": room })).await;
    socket.send(json!({ "type": "ping" })).await;
    socket.next_of("pong").await;
    ada.post(&room, "unheard").await;
    let other = ada.make_room("public").await;
    socket.subscribe(&other, None).await;
    ada.post(&other, "heard").await;
    assert_eq!(socket.posted().await.0, "heard");
}

async fn a_client_that_does_not_read_is_closed_and_others_are_served(kind: Kind) {
    let ada = Person::register(shared(kind), "ada").await;
    let room = ada.make_room("public").await;
    let (mut slow, mut good) = (ada.socket().await, ada.socket().await);
    slow.subscribe(&room, None).await;
    good.subscribe(&room, None).await;
    // What the socket's own buffers take comes first; then the queue fills.
    let body = "x".repeat(16 * 1024);
    let writing = async {
        for _ in 0..600 {
            ada.post(&room, &body).await;
        }
    };
    let reading = async {
        for _ in 0..600 {
            good.posted().await;
        }
    };
    tokio::join!(writing, reading);
    let end = slow.end().await;
    // Its socket was full: the close frame may not have found its way.
    assert!(end.is_none() || end.as_ref().is_some_and(|(code, _)| *code == 4408), "{end:?}");
    good.send(json!({ "type": "ping" })).await;
    good.next_of("pong").await;
}

async fn nonsense_is_answered_and_the_connection_stays(kind: Kind) {
    let mut socket = Person::visitor(shared(kind)).socket().await;
    for nonsense in ["", "{", "[]", r#"{"type":"publish","room":"x","body":"y"}"#, r#"{"type":"subscribe","room":7}"#] {
        socket.send_text(nonsense).await;
        assert_eq!(socket.next_of("error").await["type"], "error", "{nonsense}");
    }
    socket.send(json!({ "type": "ping" })).await;
    assert_eq!(socket.next().await.unwrap()["type"], "pong");
    socket.send_text(&"x".repeat(5000)).await;
    let end = socket.end().await;
    assert!(end.is_none() || end.is_some_and(|(code, _)| code == 1009), "too big");
}

async fn a_node_that_goes_away_asks_its_clients_to_come_back_elsewhere(kind: Kind) {
    let installation = Installation::new(kind).await;
    let node = installation.start().await;
    let ada = Person::register(&node.base, "ada").await;
    let mut socket = ada.socket().await;
    socket.subscribe(&ada.make_room("public").await, None).await;
    let base = node.base.clone();
    let going = tokio::spawn(node.server.shutdown());
    let frame = socket.next_of("reconnect").await;
    assert!(frame["after_ms"].as_u64().is_some_and(|ms| ms <= 2_000));
    assert_eq!(socket.end().await.map(|(code, _)| code), Some(1001));
    tokio::time::timeout(PATIENCE, going).await.expect("it ends in time").unwrap();
    until("nobody listens there any more", async || reqwest::get(format!("{base}/livez")).await.is_err()).await;
}
