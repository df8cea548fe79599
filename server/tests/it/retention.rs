//! Rooms that keep their messages for some time only.

use crate::{
    operator::{meddle, run},
    support::{Installation, Kind, Person, in_both_modes, shared, until},
};
use app::model::{MessageId, Position};
use reqwest::Method;
use serde_json::{Value, json};

in_both_modes!(
    only_an_owner_says_how_long_messages_are_kept,
    what_cannot_be_a_time_changes_nothing,
    what_has_become_too_old_is_gone_everywhere_and_the_rest_stays,
);

async fn keep(who: &Person, room: &str, days: Value) -> (u16, Value) {
    let (status, answer) = who.call(Method::PATCH, &format!("/rooms/{room}"), Some(json!({ "keep_days": days }))).await;
    (status.as_u16(), answer)
}

async fn kept(who: &Person, room: &str) -> Value {
    who.get(&format!("/rooms/{room}")).await.1["keep_days"].clone()
}

async fn only_an_owner_says_how_long_messages_are_kept(kind: Kind) {
    let base = shared(kind);
    let [ada, lin, eve] =
        [Person::register(base, "ada").await, Person::register(base, "lin").await, Person::register(base, "eve").await];
    let room = ada.make_room("public").await;
    eve.join(&room).await;
    let role = Some(json!({ "role": "moderator" }));
    assert_eq!(ada.call(Method::PUT, &format!("/rooms/{room}/members/{}", lin.username), role).await.0, 200);
    assert_eq!(kept(&eve, &room).await, 0, "for ever");
    let mut socket = Person::visitor(base).socket().await;
    socket.subscribe(&room, None).await;
    for who in [&lin, &eve] {
        assert_eq!(keep(who, &room, json!(7)).await.0, 403);
    }
    assert_eq!(keep(&Person::visitor(base), &room, json!(7)).await.0, 401);
    assert_eq!(kept(&eve, &room).await, 0);

    let (status, answer) = keep(&ada, &room, json!(30)).await;
    assert_eq!(status, 200, "{answer}");
    let heard = socket.next_of("event").await;
    let event = &heard["event"];
    assert_eq!(
        (&heard["at"], &event["kind"], &event["keep_days"]),
        (&answer["at"], &json!("room_changed"), &json!(30))
    );
    assert_eq!(event.get("name"), None, "nothing else");
    assert_eq!(kept(&eve, &room).await, 30, "whoever sees the room knows");
    let (_, list) = ada.get("/rooms").await;
    assert!(list["rooms"].as_array().unwrap().iter().any(|r| r["id"] == json!(room) && r["keep_days"] == 30));
    assert_eq!(keep(&ada, &room, Value::Null).await.0, 200, "nothing is said");
    assert_eq!(kept(&eve, &room).await, 30);
    assert_eq!(keep(&ada, &room, json!(0)).await.0, 200);
    assert_eq!(kept(&eve, &room).await, 0);

    let (_, direct) = ada.call(Method::POST, "/direct", Some(json!({ "people": [lin.username] }))).await;
    let direct = direct["id"].as_str().unwrap();
    let (status, _) = keep(&ada, direct, json!(7)).await;
    assert!((400..500).contains(&status), "{status}");
    assert_eq!(kept(&ada, direct).await, 0);
}

async fn what_cannot_be_a_time_changes_nothing(kind: Kind) {
    let ada = Person::register(shared(kind), "ada").await;
    let room = ada.make_room("public").await;
    assert_eq!(keep(&ada, &room, json!(3650)).await.0, 200);
    for bad in [json!(3651), json!(-1), json!(1.5), json!("7"), json!(4_294_967_296_u64)] {
        assert_eq!(keep(&ada, &room, bad.clone()).await.0, 422, "{bad}");
    }
    assert_eq!(kept(&ada, &room).await, 3650);
}

fn texts(events: &[Value]) -> Vec<&str> {
    let text = |event: &'_ Value| match event["kind"].as_str() {
        Some("message_posted") => Some("/message/body"),
        Some("message_edited") => Some("/body"),
        _ => None,
    };
    events.iter().filter_map(|event| event.pointer(text(event)?)?.as_str()).collect()
}

/// All events since then, up to the one at `upto`.
async fn resumed(who: &Person, room: &str, since: Position, upto: &Value) -> Vec<Value> {
    let mut socket = who.socket().await;
    assert_eq!(socket.subscribe(room, Some(since)).await["type"], "subscribed");
    let mut events = Vec::new();
    loop {
        let frame = socket.next_of("event").await;
        events.push(frame["event"].clone());
        if frame["at"] == *upto {
            return events;
        }
    }
}

async fn what_has_become_too_old_is_gone_everywhere_and_the_rest_stays(kind: Kind) {
    let installation = Installation::new(kind).await;
    let mode = &installation.mode;
    let node = installation.start().await;
    let (ada, lin) = (Person::register(&node.base, "ada").await, Person::register(&node.base, "lin").await);
    let (room, other) = (ada.make_room("public").await, ada.make_room("public").await);
    lin.join(&room).await;
    let file = ada.request(Method::POST, &format!("/rooms/{room}/files?name=old.txt")).body("an old file");
    let file: Value = file.send().await.unwrap().json().await.unwrap();
    let begun = ada.post(&room, "old harbour").await;
    let named = file["markdown"].as_str().unwrap();
    let (shown, _) = ada.post(&room, &format!("old file {named}")).await;
    let message = |id: MessageId, what: &str| format!("/rooms/{room}/messages/{id}{what}");
    for (who, method, path, body) in [
        (&ada, Method::PUT, message(begun.0, "/pin"), None),
        (&lin, Method::PUT, message(begun.0, "/reactions/👍"), None),
        (&ada, Method::PATCH, message(begun.0, ""), Some(json!({ "body": "old harbour, edited" }))),
    ] {
        let (status, answer) = who.call(method, &path, body).await;
        assert_eq!(status, 200, "{path}: {answer}");
    }
    let reply = json!({ "body": "new answer", "reply_to": begun.0 });
    assert_eq!(ada.call(Method::POST, &format!("/rooms/{room}/messages"), Some(reply)).await.0, 201);
    let (new, at) = ada.post(&room, "new harbour").await;
    ada.call(Method::PUT, &message(new, "/pin"), None).await;
    let (_, elsewhere) = ada.post(&other, "harbour elsewhere, as old").await;
    ada.bodies(&room, at).await;
    ada.bodies(&other, elsewhere).await;
    let file = format!("{}{}", node.base, file["url"].as_str().unwrap());
    assert_eq!(lin.http.get(&file).send().await.unwrap().status(), 200);

    // As if they had been sent long ago.
    meddle(mode, "update messages set sent_at = sent_at - 700000000 where body like 'old%'").await;
    let mut watching = lin.socket().await;
    watching.subscribe(&room, None).await;
    assert_eq!(keep(&ada, &room, json!(7)).await.0, 200);
    let heard = loop {
        let frame = watching.next_of("event").await;
        if frame["event"]["kind"] == "messages_expired" {
            break frame;
        }
    };
    let gone: Position = heard["at"].as_str().unwrap().parse().unwrap();
    assert!(heard["event"]["up_to"].as_str().unwrap().parse::<Position>().unwrap() > begun.1);
    assert_eq!(ada.bodies(&room, gone).await, ["new answer", "new harbour"]);
    let page = ada.history(&room, &format!("?before={at}")).await;
    assert_eq!((&page["messages"].as_array().unwrap().len(), &page["more"]), (&1, &json!(false)));
    assert_eq!(ada.history(&other, "").await["messages"].as_array().unwrap().len(), 1, "another room keeps everything");
    for path in [message(begun.0, "/replies"), format!("/rooms/{room}/messages?around={}", begun.0)] {
        assert_eq!(ada.get(&path).await.0, 404, "{path}");
    }
    assert_eq!(ada.call(Method::PATCH, &message(begun.0, ""), Some(json!({ "body": "again" }))).await.0, 404);
    let pins = ada.get(&format!("/rooms/{room}/pins")).await.1;
    assert_eq!(pins["pins"].as_array().unwrap().len(), 1);
    let found = ada.get("/search?q=harbour").await.1;
    let found: Vec<&str> = found["messages"].as_array().unwrap().iter().map(|m| m["body"].as_str().unwrap()).collect();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(!found.contains(&"old harbour, edited"));
    until("the file is gone", async || lin.http.get(&file).send().await.unwrap().status() == 404).await;
    let unread = lin.get("/me/unread").await.1;
    assert_eq!(unread["rooms"].as_array().unwrap().iter().find(|r| r["room"] == json!(room)).unwrap()["unread"], 2);

    // It was posted once, and is not again.
    let (status, answer) = ada.try_post(&room, shown, "old file, once more").await;
    assert!(status == 200 || status == 409, "{answer}");
    let events = resumed(&lin, &room, Position::START, &heard["at"]).await;
    assert_eq!(texts(&events), ["", "", "", "new answer", "new harbour"]);

    let audit = run(mode, &["audit"]).await;
    assert_eq!(audit.code, 0, "{}", audit.all);
    node.server.shutdown().await;
    // A node that has not heard any of it reads it from elsewhere.
    let node = installation.start().await;
    let events = resumed(&lin.at(&node.base), &room, Position::START, &heard["at"]).await;
    assert_eq!(texts(&events), ["", "", "", "new answer", "new harbour"]);
    let rebuilt = run(mode, &["rebuild"]).await;
    assert_eq!(rebuilt.code, 0, "{}", rebuilt.all);
    assert_eq!(ada.at(&node.base).bodies(&room, gone).await, ["new answer", "new harbour"]);
    let rebuilt = run(mode, &["rebuild", "--from-log"]).await;
    assert_eq!(rebuilt.code, 0, "{}", rebuilt.all);
    let audit = run(mode, &["audit"]).await;
    assert_eq!(audit.code, 0, "{}", audit.all);
    assert_eq!(ada.at(&node.base).bodies(&room, gone).await, ["new answer", "new harbour"]);
    node.server.shutdown().await;
}
