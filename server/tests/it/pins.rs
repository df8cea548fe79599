//! What a room keeps in view.

use crate::support::{Installation, Kind, Person, in_both_modes, people::PASSWORD, shared, until};
use app::model::{MAX_PINS, MessageId, Position};
use reqwest::Method;
use serde_json::{Value, json};

in_both_modes!(
    who_runs_a_room_pins_and_everybody_sees_what,
    it_is_heard_at_every_node,
    in_a_direct_conversation_everybody_pins,
    an_administrator_pins_where_they_may_look,
    what_may_not_be_read_has_no_pins,
    what_is_deleted_is_not_pinned_any_more,
    an_archived_room_keeps_its_pins_as_they_are,
    a_room_has_fifty_pins_at_most,
);

/// Pins or unpins: the status, and where it happened.
async fn pin(who: &Person, method: Method, room: &str, id: MessageId) -> (u16, Value) {
    let (status, answer) = who.call(method, &format!("/rooms/{room}/messages/{id}/pin"), None).await;
    (status.as_u16(), if status.is_success() { answer["at"].clone() } else { answer })
}

async fn list(who: &Person, room: &str) -> Value {
    let (status, list) = who.get(&format!("/rooms/{room}/pins")).await;
    assert_eq!(status, 200, "{list}");
    list
}

fn bodies(list: &Value) -> Vec<&str> {
    list["pins"].as_array().unwrap().iter().map(|pin| pin["message"]["body"].as_str().unwrap()).collect()
}

fn position(at: &Value) -> Position {
    at.as_str().unwrap().parse().unwrap()
}

/// The list once it is as of this.
async fn list_at(who: &Person, room: &str, at: &Value) -> Value {
    until("the store has it", async || position(&list(who, room).await["at"]) >= position(at)).await;
    list(who, room).await
}

async fn three(kind: Kind) -> [Person; 3] {
    let base = shared(kind);
    [Person::register(base, "ada").await, Person::register(base, "lin").await, Person::register(base, "eve").await]
}

async fn who_runs_a_room_pins_and_everybody_sees_what(kind: Kind) {
    let [ada, lin, eve] = three(kind).await;
    let room = ada.make_room("public").await;
    lin.join(&room).await;
    eve.join(&room).await;
    let role = json!({ "role": "moderator" });
    let moderator = ada.call(Method::PUT, &format!("/rooms/{room}/members/{}", lin.username), Some(role)).await;
    assert_eq!(moderator.0, 200);
    let (one, _) = eve.post(&room, "one").await;
    let (two, at) = eve.post(&room, "two").await;
    assert_eq!(bodies(&list_at(&ada, &room, &json!(at)).await), [""; 0]);

    assert_eq!(pin(&ada, Method::PUT, &room, one).await.0, 200);
    assert_eq!(pin(&lin, Method::PUT, &room, two).await.0, 200);
    // Like a reaction: it may be put where it is.
    let (status, at) = pin(&lin, Method::PUT, &room, one).await;
    assert_eq!(status, 200);
    let visitor = Person::visitor(shared(kind));
    let seen = list_at(&visitor, &room, &at).await;
    assert_eq!(bodies(&seen), ["two", "one"]);
    assert_eq!(seen["pins"][1]["by"]["username"], json!(ada.username), "the first stands");
    assert!(seen["pins"][0]["pinned_at"].as_i64().unwrap() >= seen["pins"][1]["pinned_at"].as_i64().unwrap());
    assert_eq!(seen["pins"][0]["message"]["pinned"], true);
    let page = visitor.history(&room, "").await;
    assert_eq!(page["messages"][0]["pinned"], true);

    for method in [Method::PUT, Method::DELETE] {
        assert_eq!(pin(&eve, method.clone(), &room, one).await.0, 403, "not who only writes here");
        assert_eq!(pin(&visitor, method.clone(), &room, one).await.0, 401);
        assert_eq!(pin(&ada, method, &room, MessageId::new()).await.0, 404);
    }
    let (_, at) = pin(&ada, Method::DELETE, &room, two).await;
    assert_eq!(bodies(&list_at(&eve, &room, &at).await), ["one"]);
    let (status, at) = pin(&ada, Method::DELETE, &room, two).await;
    assert_eq!(status, 200);
    assert_eq!(bodies(&list_at(&eve, &room, &at).await), ["one"]);
    let page = visitor.history(&room, "").await;
    assert_eq!(page["messages"][1].get("pinned"), None, "not said where it is not so");
}

/// In a cluster who listens is at another node than who pins.
async fn it_is_heard_at_every_node(kind: Kind) {
    let installation = Installation::new(kind).await;
    let node = installation.start().await;
    let second = match kind {
        Kind::Cluster => Some(installation.start().await),
        Kind::Embedded => None,
    };
    let elsewhere = second.as_ref().map_or(&node.base, |second| &second.base);
    let ada = Person::register(&node.base, "ada").await;
    let room = ada.make_room("public").await;
    let (id, _) = ada.post(&room, "one").await;
    let mut socket = ada.at(elsewhere).socket().await;
    socket.subscribe(&room, None).await;
    let (_, pinned) = pin(&ada, Method::PUT, &room, id).await;
    let (_, unpinned) = pin(&ada, Method::DELETE, &room, id).await;
    for (kind, at) in [("message_pinned", pinned), ("message_unpinned", unpinned)] {
        let frame = loop {
            let frame = socket.next_of("event").await;
            if frame["event"]["kind"] != "message_posted" {
                break frame;
            }
        };
        assert_eq!((&frame["event"]["kind"], &frame["at"]), (&json!(kind), &at));
        assert_eq!((&frame["event"]["id"], &frame["event"]["by"]["username"]), (&json!(id), &json!(ada.username)));
        assert_eq!(frame["event"]["pinned_at"].is_i64(), kind == "message_pinned");
    }
    node.server.shutdown().await;
    if let Some(second) = second {
        second.server.shutdown().await;
    }
}

async fn in_a_direct_conversation_everybody_pins(kind: Kind) {
    let [ada, lin, eve] = three(kind).await;
    let (_, room) = ada.call(Method::POST, "/direct", Some(json!({ "people": [lin.username] }))).await;
    let room = room["id"].as_str().unwrap();
    let (one, _) = ada.post(room, "one").await;
    let (two, at) = ada.post(room, "two").await;
    ada.bodies(room, at).await;
    assert_eq!(pin(&lin, Method::PUT, room, one).await.0, 200);
    let (_, at) = pin(&ada, Method::PUT, room, two).await;
    assert_eq!(bodies(&list_at(&lin, room, &at).await), ["two", "one"]);
    assert_eq!(pin(&eve, Method::PUT, room, one).await.0, 404);
    assert_eq!(eve.get(&format!("/rooms/{room}/pins")).await.0, 404);
}

async fn an_administrator_pins_where_they_may_look(kind: Kind) {
    let installation = Installation::new(kind).await;
    let node = installation.start().await;
    let token = node.server.admin_link().unwrap().split_once("/register?admin=").unwrap().1.to_owned();
    let body = json!({ "username": "root", "password": PASSWORD, "admin_token": token });
    let mut admin = Person::visitor(&node.base);
    let (_, answer) = admin.call(Method::POST, "/accounts", Some(body)).await;
    admin.token = Some(answer["access_token"].as_str().unwrap().to_owned());

    let lin = Person::register(&node.base, "lin").await;
    for (visibility, expected) in [("public", 200), ("members", 200), ("private", 404)] {
        let room = lin.make_room(visibility).await;
        let (id, at) = lin.post(&room, "one").await;
        lin.bodies(&room, at).await;
        assert_eq!(pin(&admin, Method::PUT, &room, id).await.0, expected, "{visibility}");
    }
    node.server.shutdown().await;
}

async fn what_may_not_be_read_has_no_pins(kind: Kind) {
    let [ada, lin, _] = three(kind).await;
    let visitor = Person::visitor(shared(kind));
    for (visibility, to_lin, to_visitors) in [("private", 404, 404), ("members", 403, 404)] {
        let room = ada.make_room(visibility).await;
        let (id, at) = ada.post(&room, "one").await;
        ada.bodies(&room, at).await;
        let path = format!("/rooms/{room}/pins");
        assert_eq!(lin.get(&path).await.0, to_lin);
        assert_eq!(visitor.get(&path).await.0, to_visitors);
        assert_eq!(pin(&lin, Method::PUT, &room, id).await.0, to_lin);
    }
    // A message is pinned in its own room.
    let (room, other) = (ada.make_room("public").await, ada.make_room("public").await);
    let (id, at) = ada.post(&other, "one").await;
    ada.bodies(&other, at).await;
    assert_eq!(pin(&ada, Method::PUT, &room, id).await.0, 404);
}

async fn what_is_deleted_is_not_pinned_any_more(kind: Kind) {
    let ada = Person::register(shared(kind), "ada").await;
    let room = ada.make_room("public").await;
    let (one, _) = ada.post(&room, "one").await;
    let (two, _) = ada.post(&room, "two").await;
    pin(&ada, Method::PUT, &room, two).await;
    let (_, at) = pin(&ada, Method::PUT, &room, one).await;
    assert_eq!(bodies(&list_at(&ada, &room, &at).await), ["one", "two"]);
    let (_, deleted) = ada.call(Method::DELETE, &format!("/rooms/{room}/messages/{one}"), None).await;
    assert_eq!(bodies(&list_at(&ada, &room, &deleted["at"]).await), ["two"]);
    assert_eq!(pin(&ada, Method::PUT, &room, one).await.0, 404);
    assert_eq!(ada.history(&room, "").await["messages"][0].get("pinned"), None);
}

async fn an_archived_room_keeps_its_pins_as_they_are(kind: Kind) {
    let ada = Person::register(shared(kind), "ada").await;
    let room = ada.make_room("public").await;
    let (id, _) = ada.post(&room, "one").await;
    let (_, at) = pin(&ada, Method::PUT, &room, id).await;
    list_at(&ada, &room, &at).await;
    let archived = ada.call(Method::PATCH, &format!("/rooms/{room}"), Some(json!({ "archived": true }))).await;
    assert_eq!(archived.0, 200);
    for method in [Method::PUT, Method::DELETE] {
        assert_eq!(pin(&ada, method, &room, id).await.0, 409);
    }
    assert_eq!(bodies(&list(&ada, &room).await), ["one"]);
}

async fn a_room_has_fifty_pins_at_most(kind: Kind) {
    let ada = Person::register(shared(kind), "ada").await;
    let room = ada.make_room("public").await;
    let mut ids = Vec::new();
    for n in 0..=MAX_PINS {
        ids.push(ada.post(&room, &n.to_string()).await.0);
    }
    let mut at = Value::Null;
    for id in &ids[..MAX_PINS] {
        at = pin(&ada, Method::PUT, &room, *id).await.1;
    }
    assert_eq!(bodies(&list_at(&ada, &room, &at).await).len(), MAX_PINS);
    let (status, problem) = pin(&ada, Method::PUT, &room, ids[MAX_PINS]).await;
    assert_eq!((status, &problem["type"]), (409, &json!("/problems/conflict")), "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("unpin one first"), "{problem}");
    // What is there already takes no more place, and one that goes makes some.
    assert_eq!(pin(&ada, Method::PUT, &room, ids[0]).await.0, 200);
    let (_, at) = pin(&ada, Method::DELETE, &room, ids[0]).await;
    list_at(&ada, &room, &at).await;
    assert_eq!(pin(&ada, Method::PUT, &room, ids[MAX_PINS]).await.0, 200);
}
