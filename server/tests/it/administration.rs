//! One's own sessions, password and name; suspending people and running the installation.

use crate::support::{Installation, Kind, Person, in_both_modes, people::PASSWORD, shared, until};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

in_both_modes!(
    ones_own_sessions_are_seen_and_ended_one_by_one,
    all_other_sessions_end_together,
    a_new_password_needs_the_old_one_and_ends_the_other_sessions,
    a_display_name_is_changed,
    who_is_suspended_is_out_everywhere_until_reinstated,
    administration_is_not_there_for_anybody_else,
    an_administrator_is_made_and_unmade_and_one_is_left,
    what_was_done_is_in_the_log_and_private_rooms_are_listed_by_name,
);

const UNAUTHORIZED: StatusCode = StatusCode::UNAUTHORIZED;
const NO_CONTENT: StatusCode = StatusCode::NO_CONTENT;

async fn sessions(of: &Person) -> Vec<Value> {
    let (status, answer) = of.get("/me/sessions").await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    answer["sessions"].as_array().unwrap().clone()
}

async fn sign_in(base: &str, username: &str, password: &str) -> StatusCode {
    let body = json!({ "username": username, "password": password });
    Person::visitor(base).call(Method::POST, "/sessions", Some(body)).await.0
}

async fn ones_own_sessions_are_seen_and_ended_one_by_one(kind: Kind) {
    let ada = Person::register(shared(kind), "ada").await;
    let (phone, lin) = (ada.sign_in_again().await, Person::register(shared(kind), "lin").await);
    let (mut socket, mut own) = (phone.socket().await, ada.socket().await);
    let listed = sessions(&ada).await;
    assert_eq!(listed.iter().map(|s| s["current"].as_bool().unwrap()).collect::<Vec<_>>(), [false, true]);
    let end = |session: &Value| format!("/sessions/{}", session["id"].as_str().unwrap());
    let phones = end(&listed[0]);
    assert_eq!(lin.call(Method::DELETE, &phones, None).await.0, StatusCode::NOT_FOUND, "somebody else's");
    assert_eq!(lin.call(Method::DELETE, "/sessions/nonsense", None).await.0, StatusCode::NOT_FOUND);
    assert_eq!(ada.call(Method::DELETE, &phones, None).await.0, NO_CONTENT);
    let ended = tokio::time::timeout(std::time::Duration::from_secs(1), socket.end()).await;
    assert_eq!(ended.expect("within a second").map(|(code, _)| code), Some(4401));
    assert_eq!(phone.get("/me").await.0, UNAUTHORIZED);
    assert_eq!(ada.call(Method::DELETE, &phones, None).await.0, StatusCode::NOT_FOUND, "ended already");
    own.send(json!({ "type": "ping" })).await;
    assert_eq!(own.next_of("pong").await["type"], "pong");
    assert_eq!(sessions(&ada).await.len(), 1);
}

async fn all_other_sessions_end_together(kind: Kind) {
    let ada = Person::register(shared(kind), "ada").await;
    let others = [ada.sign_in_again().await, ada.sign_in_again().await];
    assert_eq!(ada.call(Method::DELETE, "/me/sessions", None).await.0, NO_CONTENT);
    for other in &others {
        assert_eq!(other.get("/me").await.0, UNAUTHORIZED);
    }
    assert_eq!(ada.get("/me").await.0, StatusCode::OK);
}

async fn a_new_password_needs_the_old_one_and_ends_the_other_sessions(kind: Kind) {
    let ada = Person::register(shared(kind), "ada").await;
    let phone = ada.sign_in_again().await;
    let mut socket = phone.socket().await;
    let change = async |who: &Person, old: &str, new: &str| {
        who.call(Method::PUT, "/me/password", Some(json!({ "old": old, "new": new }))).await.0.as_u16()
    };
    assert_eq!(change(&ada, "wrong horse battery", "another good one").await, 403);
    assert_eq!(change(&ada, PASSWORD, "short").await, 422);
    assert_eq!(change(&ada, &"x".repeat(300), "another good one").await, 403);
    assert_eq!(change(&Person::guest(shared(kind)).await, "", "another good one").await, 403, "a guest has none");
    assert_eq!(phone.get("/me").await.0, StatusCode::OK, "nothing happened yet");
    assert_eq!(change(&ada, PASSWORD, "another good one").await, 204);
    assert_eq!(socket.end().await.map(|(code, _)| code), Some(4401));
    assert_eq!(ada.get("/me").await.0, StatusCode::OK);
    assert_eq!(sign_in(&ada.base, &ada.username, PASSWORD).await, UNAUTHORIZED);
    assert_eq!(sign_in(&ada.base, &ada.username, "another good one").await, StatusCode::CREATED);
}

async fn a_display_name_is_changed(kind: Kind) {
    let ada = Person::register(shared(kind), "ada").await;
    let rename = async |name: Value| ada.call(Method::PATCH, "/me", Some(name)).await;
    let (status, answer) = rename(json!({ "display_name": "  Ada   L. " })).await;
    assert_eq!((status, &answer["user"]["display_name"]), (StatusCode::OK, &json!("Ada L.")));
    assert_eq!(ada.get("/me").await.1["user"]["display_name"], "Ada L.");
    assert_eq!(rename(json!({})).await.1["user"]["display_name"], "Ada L.");
    for bad in ["", "Admin", "a\u{202e}b", &"x".repeat(61)] {
        assert_eq!(rename(json!({ "display_name": bad })).await.0, StatusCode::UNPROCESSABLE_ENTITY, "{bad:?}");
    }
}

/// An installation with somebody who runs it.
async fn run_by_ada(kind: Kind) -> (Installation, crate::support::installation::Node, Person) {
    let installation = Installation::new(kind).await;
    let node = installation.start().await;
    let token = node.server.admin_link().unwrap().split_once("/register?admin=").unwrap().1.to_owned();
    let body = json!({ "username": "ada", "password": PASSWORD, "admin_token": token });
    let (status, answer) = Person::visitor(&node.base).call(Method::POST, "/accounts", Some(body)).await;
    assert_eq!(status, StatusCode::CREATED);
    let mut ada = Person::visitor(&node.base);
    ada.username = "ada".into();
    ada.token = Some(answer["access_token"].as_str().unwrap().to_owned());
    (installation, node, ada)
}

async fn change(by: &Person, username: &str, change: Value) -> StatusCode {
    by.call(Method::PATCH, &format!("/admin/users/{username}"), Some(change)).await.0
}

/// In a cluster their socket is at another node than where they are suspended.
async fn who_is_suspended_is_out_everywhere_until_reinstated(kind: Kind) {
    let (installation, node, ada) = run_by_ada(kind).await;
    let second = match kind {
        Kind::Cluster => Some(installation.start().await),
        Kind::Embedded => None,
    };
    let elsewhere = second.as_ref().map_or(&node.base, |second| &second.base);
    let lin = Person::register(elsewhere, "lin").await;
    let (room, mut socket) = (lin.make_room("public").await, lin.socket().await);
    let (_, at) = lin.post(&room, "I was here").await;
    assert_eq!(lin.get("/me").await.0, StatusCode::OK, "the node remembers the session");

    assert_eq!(change(&ada, &lin.username, json!({ "suspended": true })).await, NO_CONTENT);
    let ended = tokio::time::timeout(std::time::Duration::from_secs(1), socket.end()).await;
    assert_eq!(ended.expect("within a second").map(|(code, _)| code), Some(4401));
    for base in [elsewhere, &node.base] {
        assert_eq!(lin.at(base).get("/me").await.0, UNAUTHORIZED);
        assert_eq!(lin.at(base).call(Method::GET, "/rooms", None).await.0, UNAUTHORIZED);
        assert_eq!(sign_in(base, &lin.username, PASSWORD).await, StatusCode::FORBIDDEN, "known by the password");
        assert_eq!(sign_in(base, &lin.username, "wrong horse battery").await, UNAUTHORIZED, "nothing is told");
        let refresh = Some(json!({ "refresh_token": lin.refresh_token }));
        let refreshed = Person::visitor(base).call(Method::POST, "/sessions/refresh", refresh).await;
        assert_eq!(refreshed.0, UNAUTHORIZED);
    }
    assert_eq!(ada.bodies(&room, at).await, ["I was here"], "what they wrote stays");

    assert_eq!(change(&ada, &lin.username, json!({ "suspended": false })).await, NO_CONTENT);
    assert_eq!(lin.get("/me").await.0, UNAUTHORIZED, "the old session does not come back");
    assert_eq!(sign_in(elsewhere, &lin.username, PASSWORD).await, StatusCode::CREATED);
    node.server.shutdown().await;
    if let Some(second) = second {
        second.server.shutdown().await;
    }
}

async fn administration_is_not_there_for_anybody_else(kind: Kind) {
    let base = shared(kind);
    let (lin, eve) = (Person::register(base, "lin").await, Person::register(base, "eve").await);
    let http = reqwest::Client::new();
    for path in ["/admin", "/admin/log", "/admin/rooms"] {
        for cookie in [&lin.cookie, ""] {
            let page = http.get(format!("{base}{path}")).header("cookie", cookie).send().await.unwrap();
            assert_eq!(page.status(), StatusCode::NOT_FOUND, "{path}");
            assert!(!page.text().await.unwrap().contains(&eve.username));
        }
    }
    for path in ["/admin/users", "/admin/log", "/admin/rooms"] {
        assert_eq!(lin.get(path).await.0, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(Person::visitor(base).get(path).await.0, UNAUTHORIZED, "{path}");
    }
    for subject in [&eve.username, &lin.username, "nobody-at-all"] {
        for what in [json!({ "suspended": true }), json!({ "admin": true }), json!({})] {
            assert_eq!(change(&lin, subject, what).await, StatusCode::NOT_FOUND);
        }
        let ended = lin.call(Method::DELETE, &format!("/admin/users/{subject}/sessions"), None).await;
        assert_eq!(ended.0, StatusCode::NOT_FOUND);
    }
    for (name, fields) in
        [("administer", format!("username={}&act=suspend", eve.username)), ("accounts", "q=&after=".into())]
    {
        let port = base.rsplit(':').next().unwrap();
        let request = http.post(format!("{base}/api/fn/{name}")).header("cookie", &lin.cookie);
        let request = request.header("origin", format!("http://localhost:{port}"));
        let form = request.header("content-type", "application/x-www-form-urlencoded").body(fields);
        assert_eq!(form.send().await.unwrap().status(), StatusCode::NOT_FOUND, "{name}");
    }
    assert_eq!(eve.get("/me").await.0, StatusCode::OK);
}

async fn an_administrator_is_made_and_unmade_and_one_is_left(kind: Kind) {
    let (_installation, node, ada) = run_by_ada(kind).await;
    let (lin, guest) = (Person::register(&node.base, "lin").await, Person::guest(&node.base).await);
    assert_eq!(change(&ada, "ada", json!({ "admin": false })).await, StatusCode::CONFLICT, "the last one");
    assert_eq!(change(&ada, "ada", json!({ "suspended": true })).await, StatusCode::CONFLICT, "oneself");
    assert_eq!(change(&ada, &guest.username, json!({ "admin": true })).await, StatusCode::CONFLICT);
    assert_eq!(change(&ada, "nobody-at-all", json!({ "admin": true })).await, StatusCode::NOT_FOUND);
    assert_eq!(change(&ada, &lin.username, json!({})).await, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(change(&ada, &lin.username, json!({ "admin": "yes" })).await, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(change(&ada, &lin.username, json!({ "admin": true })).await, NO_CONTENT);
    until("lin is one", async || lin.get("/admin/users").await.0 == StatusCode::OK).await;
    assert_eq!(change(&lin, "ada", json!({ "admin": false })).await, NO_CONTENT);
    assert_eq!(ada.get("/admin/users").await.0, UNAUTHORIZED, "what was remembered of ada is worth nothing");
    assert_eq!(ada.sign_in_again().await.get("/admin/users").await.0, StatusCode::NOT_FOUND);
    node.server.shutdown().await;
}

async fn what_was_done_is_in_the_log_and_private_rooms_are_listed_by_name(kind: Kind) {
    let (_installation, node, ada) = run_by_ada(kind).await;
    let lin = Person::register(&node.base, "lin").await;
    let room = lin.make_room("private").await;
    let (_, at) = lin.post(&room, "not for everybody").await;
    lin.bodies(&room, at).await;
    let (_, users) = ada.get(&format!("/admin/users?q={}", &lin.username[..8])).await;
    assert_eq!((&users["users"][0]["username"], &users["users"][0]["sessions"]), (&json!(lin.username), &json!(1)));
    assert_eq!((users["users"].as_array().unwrap().len(), &users["next"]), (1, &Value::Null));
    assert_eq!(ada.get("/admin/users?q=%00").await.0, StatusCode::UNPROCESSABLE_ENTITY);

    let (_, rooms) = ada.get("/admin/rooms").await;
    let listed = rooms["rooms"].as_array().unwrap().iter().find(|r| r["id"] == json!(room)).expect("listed").clone();
    assert_eq!((&listed["visibility"], &listed["members"]), (&json!("private"), &json!(1)));
    assert!(listed["last_message_at"].is_i64() && !rooms.to_string().contains("not for everybody"));
    assert_eq!(ada.get(&format!("/rooms/{room}/messages")).await.0, StatusCode::NOT_FOUND, "no way in");

    let ended = ada.call(Method::DELETE, &format!("/admin/users/{}/sessions", lin.username), None).await;
    assert_eq!(ended.0, NO_CONTENT);
    assert_eq!(lin.get("/me").await.0, UNAUTHORIZED);
    change(&ada, &lin.username, json!({ "suspended": true })).await;
    let (_, log) = ada.get("/admin/log").await;
    let entries = log["entries"].as_array().unwrap();
    let said: Vec<_> = entries.iter().map(|e| (e["by"].clone(), e["action"].clone(), e["subject"].clone())).collect();
    let entry = |action: &str| (json!("ada"), json!(action), json!(lin.username));
    assert_eq!(said, [entry("suspend"), entry("end_sessions")]);
    assert_eq!(entries[1]["detail"], "1 session ended");
    let (_, older) = ada.get(&format!("/admin/log?before={}", entries[0]["id"])).await;
    assert_eq!(older["entries"].as_array().unwrap().len(), 1);
    node.server.shutdown().await;
}
