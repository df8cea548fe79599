//! Rooms that people run: settings, roles, removal, archive, list.

use crate::support::{Installation, Kind, Person, in_both_modes, people::unique, shared, until};
use reqwest::Method;
use serde_json::{Value, json};

in_both_modes!(
    a_room_is_renamed_by_those_who_run_it_and_watchers_hear_so,
    only_an_owner_says_who_may_see_a_room_and_whether_it_is_in_use,
    what_cannot_be_a_name_or_a_topic_changes_nothing,
    an_archived_room_is_read_and_nothing_happens_in_it,
    a_room_that_goes_private_is_closed_to_who_watches_it_at_once,
    a_moderator_keeps_order_and_owners_say_who_is_one,
    somebody_owns_a_room_as_long_as_others_are_in_it,
    who_was_removed_does_not_come_back_by_themselves,
    people_are_added_by_those_who_may,
    what_everyone_is_in_stays_public_and_direct_conversations_stay_as_they_are,
    rooms_are_looked_through_page_by_page,
);

async fn call(who: &Person, method: Method, path: &str, body: Value) -> (u16, Value) {
    let (status, answer) = who.call(method, path, Some(body)).await;
    (status.as_u16(), answer)
}

async fn change(who: &Person, room: &str, what: Value) -> u16 {
    call(who, Method::PATCH, &format!("/rooms/{room}"), what).await.0
}

async fn set_role(who: &Person, room: &str, username: &str, role: &str) -> u16 {
    call(who, Method::PUT, &format!("/rooms/{room}/members/{username}"), json!({ "role": role })).await.0
}

async fn member(who: &Person, method: Method, room: &str, username: &str) -> u16 {
    who.call(method, &format!("/rooms/{room}/members/{username}"), None).await.0.as_u16()
}

async fn post(who: &Person, room: &str) -> u16 {
    call(who, Method::POST, &format!("/rooms/{room}/messages"), json!({ "body": "hello" })).await.0
}

async fn three(kind: Kind) -> [Person; 3] {
    let base = shared(kind);
    [Person::register(base, "ada").await, Person::register(base, "lin").await, Person::register(base, "eve").await]
}

async fn listed(who: &Person, query: &str, room: &str) -> bool {
    let (_, list) = who.get(&format!("/rooms{query}")).await;
    list["rooms"].as_array().unwrap().iter().any(|listed| listed["id"] == room)
}

async fn a_room_is_renamed_by_those_who_run_it_and_watchers_hear_so(kind: Kind) {
    let [ada, lin, eve] = three(kind).await;
    let room = ada.make_room("public").await;
    lin.join(&room).await;
    eve.join(&room).await;
    assert_eq!(set_role(&ada, &room, &lin.username, "moderator").await, 200);
    let slug = ada.get(&format!("/rooms/{room}")).await.1["slug"].clone();
    let mut socket = Person::visitor(shared(kind)).socket().await;
    socket.subscribe(&room, None).await;
    let name = unique("Tea");
    let (status, answer) =
        call(&lin, Method::PATCH, &format!("/rooms/{room}"), json!({ "name": format!("#{name} "), "topic": "Green" }))
            .await;
    assert_eq!(status, 200, "{answer}");
    let heard = socket.next_of("event").await;
    assert_eq!(heard["at"], answer["at"]);
    let event = &heard["event"];
    assert_eq!(
        (&event["kind"], &event["name"], &event["topic"]),
        (&json!("room_changed"), &json!(name), &json!("Green"))
    );
    assert_eq!((&event["by"]["username"], &event["visibility"]), (&json!(lin.username), &Value::Null));
    let seen = eve.get(&format!("/rooms/{room}")).await.1;
    assert_eq!((&seen["name"], &seen["topic"], &seen["slug"]), (&json!(name), &json!("Green"), &slug));
    assert_eq!(change(&eve, &room, json!({ "topic": "mine" })).await, 403);
    assert_eq!(change(&Person::visitor(shared(kind)), &room, json!({ "topic": "mine" })).await, 401);
    // What is so already is no event.
    assert_eq!(change(&ada, &room, json!({ "topic": "Green" })).await, 200);
    assert_eq!(change(&ada, &room, json!({ "topic": "" })).await, 200);
    assert_eq!(socket.next_of("event").await["event"]["topic"], "");
}

async fn only_an_owner_says_who_may_see_a_room_and_whether_it_is_in_use(kind: Kind) {
    let [ada, lin, eve] = three(kind).await;
    let room = ada.make_room("private").await;
    set_role(&ada, &room, &lin.username, "moderator").await;
    for what in [json!({ "visibility": "public" }), json!({ "archived": true })] {
        assert_eq!(change(&lin, &room, what.clone()).await, 403, "{what}");
        assert_eq!(change(&eve, &room, what).await, 404);
    }
    assert_eq!(change(&lin, &room, json!({ "visibility": "private", "topic": "ours" })).await, 200, "it is so already");
    assert_eq!(change(&ada, &room, json!({ "visibility": "public" })).await, 200);
    assert_eq!(Person::visitor(shared(kind)).get(&format!("/rooms/{room}/messages")).await.0, 200);
    assert!(listed(&eve, "", &room).await);
}

async fn what_cannot_be_a_name_or_a_topic_changes_nothing(kind: Kind) {
    let ada = Person::register(shared(kind), "ada").await;
    let room = ada.make_room("public").await;
    let before = ada.get(&format!("/rooms/{room}")).await.1;
    for bad in [
        json!({ "name": "!!" }),
        json!({ "name": "x".repeat(81) }),
        json!({ "topic": "x".repeat(251) }),
        json!({ "topic": "turned \u{202E}around" }),
        json!({ "name": "good", "topic": "\u{0}" }),
        json!({ "visibility": "secret" }),
        json!({ "archived": "yes" }),
    ] {
        assert_eq!(change(&ada, &room, bad.clone()).await, 422, "{bad}");
    }
    assert_eq!(change(&ada, &room, json!({})).await, 200);
    assert_eq!(ada.get(&format!("/rooms/{room}")).await.1, before);
}

async fn an_archived_room_is_read_and_nothing_happens_in_it(kind: Kind) {
    let [ada, lin, eve] = three(kind).await;
    let room = ada.make_room("public").await;
    lin.join(&room).await;
    let (id, at) = lin.post(&room, "kept").await;
    lin.bodies(&room, at).await;
    assert_eq!(change(&ada, &room, json!({ "archived": true })).await, 200);

    let message = format!("/rooms/{room}/messages/{}", id.0);
    let refused = [
        (Method::POST, format!("/rooms/{room}/messages"), json!({ "body": "late" })),
        (Method::PATCH, message.clone(), json!({ "body": "late" })),
        (Method::PUT, format!("{message}/reactions/👍"), Value::Null),
        (Method::POST, format!("/rooms/{room}/typing"), Value::Null),
        (Method::POST, format!("/rooms/{room}/invites"), json!({})),
    ];
    for (method, path, body) in refused {
        let who = if path.ends_with("invites") { &ada } else { &lin };
        let (status, problem) = call(who, method, &path, body).await;
        assert_eq!((status, &problem["type"]), (409, &json!("/problems/conflict")), "{path}: {problem}");
    }
    assert_eq!(member(&eve, Method::PUT, &room, "me").await, 409);
    assert_eq!(member(&ada, Method::PUT, &room, &eve.username).await, 409);
    assert_eq!(eve.history(&room, "").await["messages"][0]["body"], "kept");
    assert!(!listed(&lin, "", &room).await && listed(&lin, "?archived=true", &room).await);
    assert_eq!(lin.call(Method::DELETE, &message, None).await.0, 200, "what was said may still go");

    assert_eq!(change(&ada, &room, json!({ "archived": false })).await, 200);
    assert_eq!((post(&lin, &room).await, member(&eve, Method::PUT, &room, "me").await), (201, 200));
    assert!(listed(&lin, "", &room).await && !listed(&lin, "?archived=true", &room).await);
}

async fn a_room_that_goes_private_is_closed_to_who_watches_it_at_once(kind: Kind) {
    let [ada, lin, eve] = three(kind).await;
    let visitor = Person::visitor(shared(kind));
    let room = ada.make_room("public").await;
    let (mut of_visitor, mut of_eve, mut of_lin) = (visitor.socket().await, eve.socket().await, lin.socket().await);
    for socket in [&mut of_visitor, &mut of_eve, &mut of_lin] {
        assert_eq!(socket.subscribe(&room, None).await["type"], "subscribed");
    }
    // Lin watched before she came in.
    lin.join(&room).await;
    assert_eq!(change(&ada, &room, json!({ "visibility": "private" })).await, 200);
    ada.post(&room, "secret").await;
    for socket in [&mut of_visitor, &mut of_eve] {
        let refused = socket.next_of("error").await;
        assert_eq!(refused["room"], room);
        assert_eq!(socket.subscribe(&room, None).await["type"], "error");
    }
    assert_eq!(of_lin.posted().await.0, "secret");
    for who in [&visitor, &eve] {
        assert_eq!(who.get(&format!("/rooms/{room}")).await.0, 404);
        assert_eq!(who.get(&format!("/rooms/{room}/messages")).await.0, 404);
        assert!(!listed(who, "", &room).await);
        let found = who.get("/search?q=secret").await.1;
        assert!(found["messages"].as_array().unwrap().iter().all(|m| m["room"]["id"] != room), "{found}");
    }
    // And open again.
    assert_eq!(change(&ada, &room, json!({ "visibility": "public" })).await, 200);
    assert_eq!(of_visitor.subscribe(&room, None).await["type"], "subscribed");
}

async fn a_moderator_keeps_order_and_owners_say_who_is_one(kind: Kind) {
    let [ada, lin, eve] = three(kind).await;
    let tom = Person::register(shared(kind), "tom").await;
    let room = ada.make_room("private").await;
    assert_eq!(set_role(&ada, &room, &lin.username, "moderator").await, 200);
    assert_eq!(lin.get(&format!("/rooms/{room}")).await.1["role"], "moderator");
    assert_eq!(member(&lin, Method::PUT, &room, &eve.username).await, 200);
    let (id, at) = eve.post(&room, "rude").await;
    ada.bodies(&room, at).await;
    assert_eq!(lin.call(Method::DELETE, &format!("/rooms/{room}/messages/{}", id.0), None).await.0, 200);
    for (who, role) in [(&eve, "moderator"), (&eve, "owner"), (&lin, "owner")] {
        assert_eq!(set_role(&lin, &room, &who.username, role).await, 403);
    }
    assert_eq!(member(&lin, Method::DELETE, &room, &ada.username).await, 403);
    set_role(&ada, &room, &tom.username, "moderator").await;
    assert_eq!(member(&lin, Method::DELETE, &room, &tom.username).await, 403);
    assert_eq!(member(&eve, Method::DELETE, &room, &lin.username).await, 403);
    assert_eq!(member(&lin, Method::DELETE, &room, &eve.username).await, 200);
    assert_eq!(set_role(&ada, &room, &lin.username, "member").await, 200);
    assert_eq!(member(&lin, Method::PUT, &room, &eve.username).await, 403, "no moderator any more");
    assert_eq!(set_role(&ada, &room, &lin.username, "king").await, 422);
    let guest = Person::guest(shared(kind)).await;
    assert_eq!(set_role(&ada, &room, &guest.username, "owner").await, 403);
    assert_eq!(set_role(&ada, &room, "nobody-of-that-name", "owner").await, 404);
}

async fn somebody_owns_a_room_as_long_as_others_are_in_it(kind: Kind) {
    let [ada, lin, _] = three(kind).await;
    let room = ada.make_room("public").await;
    lin.join(&room).await;
    assert_eq!(member(&ada, Method::DELETE, &room, "me").await, 409);
    assert_eq!(set_role(&ada, &room, "me", "member").await, 409);
    assert_eq!(set_role(&ada, &room, &lin.username, "owner").await, 200);
    assert_eq!(set_role(&ada, &room, "me", "member").await, 200);
    assert_eq!(change(&ada, &room, json!({ "topic": "mine" })).await, 403);
    assert_eq!(member(&lin, Method::DELETE, &room, &ada.username).await, 200);
    assert_eq!(member(&lin, Method::DELETE, &room, "me").await, 200, "nobody is left");
}

async fn who_was_removed_does_not_come_back_by_themselves(kind: Kind) {
    let [ada, lin, eve] = three(kind).await;
    let room = ada.make_room("public").await;
    lin.join(&room).await;
    eve.join(&room).await;
    assert_eq!(member(&ada, Method::DELETE, &room, &lin.username).await, 200);
    assert_eq!(member(&lin, Method::PUT, &room, "me").await, 403);
    assert_eq!(member(&eve, Method::PUT, &room, &lin.username).await, 403, "nor does a friend bring them");
    assert_eq!(post(&lin, &room).await, 403);
    assert_eq!(member(&ada, Method::PUT, &room, &lin.username).await, 200);
    assert_eq!(post(&lin, &room).await, 201);
    assert_eq!(member(&lin, Method::DELETE, &room, "me").await, 200);
    assert_eq!(member(&lin, Method::PUT, &room, "me").await, 200, "who left comes back");
}

async fn people_are_added_by_those_who_may(kind: Kind) {
    let [ada, lin, eve] = three(kind).await;
    for (visibility, allowed) in [("public", 200), ("members", 403), ("private", 403)] {
        let room = ada.make_room(visibility).await;
        assert_eq!(member(&ada, Method::PUT, &room, &lin.username).await, 200);
        assert_eq!(member(&lin, Method::PUT, &room, &eve.username).await, allowed, "{visibility}");
    }
}

async fn what_everyone_is_in_stays_public_and_direct_conversations_stay_as_they_are(kind: Kind) {
    let installation = Installation::new(kind).await;
    let node = installation.start().await;
    let secret = node.server.admin_link().and_then(|link| link.rsplit_once('=')).expect("a link").1.to_owned();
    let mut admin = Person::visitor(&node.base);
    let new = json!({ "username": "root", "password": crate::support::PASSWORD, "admin_token": secret });
    let (status, account) = admin.call(Method::POST, "/accounts", Some(new)).await;
    assert_eq!(status, 201, "{account}");
    admin.token = account["access_token"].as_str().map(str::to_owned);
    assert_eq!(change(&admin, "welcome", json!({ "topic": "Say hello" })).await, 200);
    for what in [json!({ "visibility": "private" }), json!({ "visibility": "members" }), json!({ "archived": true })] {
        assert_eq!(change(&admin, "welcome", what.clone()).await, 409, "{what}");
    }
    let (ada, lin) = (Person::register(&node.base, "ada").await, Person::register(&node.base, "lin").await);
    let (_, direct) = call(&ada, Method::POST, "/direct", json!({ "people": [lin.username] })).await;
    let direct = direct["id"].as_str().unwrap().to_owned();
    assert_eq!(change(&ada, &direct, json!({ "name": "ours" })).await, 403);
    assert_eq!(set_role(&ada, &direct, &lin.username, "owner").await, 403);
    assert_eq!(call(&ada, Method::POST, &format!("/rooms/{direct}/invites"), json!({})).await.0, 403);
    // Who runs the installation runs its rooms; and leaves them without an owner if it must be.
    let room = ada.make_room("public").await;
    lin.join(&room).await;
    assert_eq!(set_role(&admin, &room, &ada.username, "member").await, 200);
    node.server.shutdown().await;
}

async fn rooms_are_looked_through_page_by_page(kind: Kind) {
    let [ada, lin, _] = three(kind).await;
    let word = unique("needle");
    let mut made = Vec::new();
    for visibility in ["public", "members", "private"] {
        let room = ada.make_room(visibility).await;
        assert_eq!(change(&ada, &room, json!({ "topic": format!("About {}", word.to_uppercase()) })).await, 200);
        made.push(room);
    }
    let find = async |who: &Person, query: &str| {
        let (status, page) = who.get(&format!("/directory?q={word}{query}")).await;
        assert_eq!(status, 200, "{page}");
        page["rooms"].as_array().unwrap().iter().map(|room| room["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    until("all are found", async || find(&ada, "").await.len() == 3).await;
    assert!(find(&lin, "").await.iter().all(|room| *room != made[2]) && find(&lin, "").await.len() == 2);
    assert_eq!(find(&Person::visitor(shared(kind)), "").await, made[..1]);
    assert!(find(&ada, "&archived=true").await.is_empty());
    assert!(find(&ada, "&after=zzzzzz").await.is_empty());
    let long = "x".repeat(300);
    assert_eq!(ada.get(&format!("/directory?q={long}")).await.0, 422);
    assert_eq!(ada.get("/directory?q=%00").await.0, 422);
}

/// What one node is told holds at the other at once, though it knew otherwise.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_at_one_node_holds_at_the_other() {
    let installation = Installation::new(Kind::Cluster).await;
    let (a, b) = tokio::join!(installation.start(), installation.start());
    let ada = Person::register(&a.base, "ada").await;
    let (lin, visitor) = (Person::register(&b.base, "lin").await, Person::visitor(&b.base));
    let room = ada.make_room("public").await;
    lin.join(&room).await;
    let mut socket = visitor.socket().await;
    assert_eq!(socket.subscribe(&room, None).await["type"], "subscribed");
    assert_eq!(post(&lin, &room).await, 201);
    assert_eq!(change(&ada, &room, json!({ "visibility": "private", "archived": true })).await, 200);
    socket.next_of("error").await;
    until("no visitor reads it", async || visitor.get(&format!("/rooms/{room}/messages")).await.0 == 404).await;
    until("nobody writes in it", async || post(&lin, &room).await == 409).await;
    assert_eq!(change(&ada, &room, json!({ "archived": false })).await, 200);
    until("it is in use again", async || post(&lin, &room).await == 201).await;
    assert_eq!(set_role(&ada, &room, &lin.username, "moderator").await, 200);
    until("she runs it", async || change(&lin, &room, json!({ "topic": unique("t") })).await == 200).await;
    assert_eq!(member(&ada, Method::DELETE, &room, &lin.username).await, 200);
    until("she is out", async || post(&lin, &room).await == 404).await;
    // One use left, and two who come in by it, each at a node.
    let (_, link) = call(&ada, Method::POST, &format!("/rooms/{room}/invites"), json!({ "uses": 1 })).await;
    let secret = link["url"].as_str().unwrap().rsplit_once('/').unwrap().1.to_owned();
    let (one, two) = (Person::register(&a.base, "one").await, Person::register(&b.base, "two").await);
    let join = |who: Person| {
        let body = json!({ "secret": secret });
        async move { call(&who, Method::POST, "/invites", body).await.0 }
    };
    let mut came = <[u16; 2]>::from(tokio::join!(join(one), join(two)));
    came.sort_unstable();
    assert_eq!(came, [200, 404]);
    tokio::join!(a.server.shutdown(), b.server.shutdown());
}
