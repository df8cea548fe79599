//! Who may see, read and write where.

use crate::support::{Installation, Kind, Person, in_both_modes, people::unique, shared};
use reqwest::{Method, StatusCode};
use serde_json::json;
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

in_both_modes!(
    the_front_page_is_answered_every_time,
    the_front_page_is_answered_while_others_start_in_the_same_process,
    a_public_room_is_read_by_anyone_and_written_by_members,
    a_members_room_is_listed_and_read_by_members_only,
    a_private_room_does_not_exist_for_others,
    who_leaves_or_is_removed_can_write_no_more,
    a_room_is_found_by_slug_and_id_and_its_name_is_taken_once,
    guests_make_no_rooms_and_join_public_ones_only,
);

async fn make(who: &Person, visibility: &str) -> (String, String) {
    let body = json!({ "name": unique("Table"), "visibility": visibility });
    let (status, room) = who.call(Method::POST, "/rooms", Some(body)).await;
    assert_eq!(status, StatusCode::CREATED);
    (room["id"].as_str().unwrap().to_owned(), room["slug"].as_str().unwrap().to_owned())
}

async fn status(who: &Person, method: Method, path: &str) -> u16 {
    who.call(method, path, None).await.0.as_u16()
}

async fn may_write(who: &Person, room: &str) -> u16 {
    let body = Some(json!({ "body": "hello" }));
    who.call(Method::POST, &format!("/rooms/{room}/messages"), body).await.0.as_u16()
}

async fn listed(who: &Person, slug: &str) -> bool {
    who.get("/rooms").await.1["rooms"].as_array().unwrap().iter().any(|r| r["slug"] == slug)
}

async fn a_public_room_is_read_by_anyone_and_written_by_members(kind: Kind) {
    let (ada, lin) = (Person::register(shared(kind), "ada").await, Person::register(shared(kind), "lin").await);
    let visitor = Person::visitor(shared(kind));
    let (room, slug) = make(&ada, "public").await;
    assert_eq!(status(&visitor, Method::GET, &format!("/rooms/{slug}/messages")).await, 200);
    assert_eq!(status(&visitor, Method::GET, &format!("/rooms/{slug}/members")).await, 200);
    assert!(listed(&visitor, &slug).await && listed(&lin, &slug).await);
    assert_eq!(may_write(&visitor, &room).await, 401);
    assert_eq!(may_write(&lin, &room).await, 403);
    lin.join(&slug).await;
    assert_eq!(may_write(&lin, &room).await, 201);
    let (_, seen) = lin.get(&format!("/rooms/{room}")).await;
    assert_eq!((&seen["role"], &seen["members"]), (&json!("member"), &json!(2)));
}

async fn a_members_room_is_listed_and_read_by_members_only(kind: Kind) {
    let (ada, lin) = (Person::register(shared(kind), "ada").await, Person::register(shared(kind), "lin").await);
    let visitor = Person::visitor(shared(kind));
    let (room, slug) = make(&ada, "members").await;
    let messages = format!("/rooms/{room}/messages");
    assert_eq!(status(&visitor, Method::GET, &messages).await, 404);
    assert!(!listed(&visitor, &slug).await && listed(&lin, &slug).await);
    assert_eq!(status(&lin, Method::GET, &messages).await, 403);
    assert_eq!(status(&lin, Method::GET, &format!("/rooms/{room}/members")).await, 403);
    assert_eq!(may_write(&lin, &room).await, 403);
    lin.join(&room).await;
    assert_eq!((status(&lin, Method::GET, &messages).await, may_write(&lin, &room).await), (200, 201));
}

async fn a_private_room_does_not_exist_for_others(kind: Kind) {
    let (ada, lin) = (Person::register(shared(kind), "ada").await, Person::register(shared(kind), "lin").await);
    let (room, slug) = make(&ada, "private").await;
    for name in [&room, &slug] {
        for (method, path) in [
            (Method::GET, format!("/rooms/{name}")),
            (Method::GET, format!("/rooms/{name}/messages")),
            (Method::GET, format!("/rooms/{name}/members")),
            (Method::PUT, format!("/rooms/{name}/members/me")),
            (Method::PUT, format!("/rooms/{name}/members/{}", lin.username)),
            (Method::POST, format!("/rooms/{name}/typing")),
        ] {
            assert_eq!(status(&lin, method, &path).await, 404, "{path}");
        }
        assert_eq!(may_write(&lin, name).await, 404);
    }
    assert!(!listed(&lin, &slug).await && listed(&ada, &slug).await);
    assert_eq!(status(&ada, Method::PUT, &format!("/rooms/{room}/members/{}", lin.username)).await, 200);
    assert_eq!(status(&ada, Method::PUT, &format!("/rooms/{room}/members/nobody-of-that-name")).await, 404);
    assert!(listed(&lin, &slug).await);
    assert_eq!(may_write(&lin, &room).await, 201);
    let tom = Person::register(shared(kind), "tom").await;
    let add_tom = format!("/rooms/{room}/members/{}", tom.username);
    assert_eq!(status(&lin, Method::PUT, &add_tom).await, 403, "only an owner lets people in");
}

async fn who_leaves_or_is_removed_can_write_no_more(kind: Kind) {
    let (ada, lin) = (Person::register(shared(kind), "ada").await, Person::register(shared(kind), "lin").await);
    let (room, _) = make(&ada, "members").await;
    lin.join(&room).await;
    assert_eq!(may_write(&lin, &room).await, 201);
    let remove_ada = format!("/rooms/{room}/members/{}", ada.username);
    assert_eq!(status(&lin, Method::DELETE, &remove_ada).await, 403);
    let remove_lin = format!("/rooms/{room}/members/{}", lin.username);
    assert_eq!(status(&ada, Method::DELETE, &remove_lin).await, 200);
    assert_eq!(may_write(&lin, &room).await, 403);
    assert_eq!(status(&lin, Method::GET, &format!("/rooms/{room}/messages")).await, 403);
    assert_eq!(status(&ada, Method::PUT, &remove_lin).await, 200);
    assert_eq!(may_write(&lin, &room).await, 201);
    assert_eq!(status(&lin, Method::DELETE, &format!("/rooms/{room}/members/me")).await, 200);
    assert_eq!(may_write(&lin, &room).await, 403);
}

async fn a_room_is_found_by_slug_and_id_and_its_name_is_taken_once(kind: Kind) {
    let ada = Person::register(shared(kind), "ada").await;
    let name = unique("Köln & Bonn");
    let body = json!({ "name": name, "visibility": "public" });
    let (_, room) = ada.call(Method::POST, "/rooms", Some(body.clone())).await;
    let slug = room["slug"].as_str().unwrap();
    assert!(slug.starts_with("köln-bonn-"), "{slug}");
    for key in [slug, room["id"].as_str().unwrap(), &slug.to_uppercase()] {
        let (status, found) = ada.get(&format!("/rooms/{key}")).await;
        assert_eq!((status, &found["id"], &found["role"]), (StatusCode::OK, &room["id"], &json!("owner")));
    }
    assert_eq!(ada.call(Method::POST, "/rooms", Some(body)).await.0, StatusCode::CONFLICT);
    for bad in [json!({ "name": "!!", "visibility": "public" }), json!({ "name": "x", "visibility": "secret" })] {
        assert_eq!(ada.call(Method::POST, "/rooms", Some(bad)).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    }
}

async fn guests_make_no_rooms_and_join_public_ones_only(kind: Kind) {
    let (ada, guest) = (Person::register(shared(kind), "ada").await, Person::guest(shared(kind)).await);
    let body = json!({ "name": unique("room"), "visibility": "public" });
    assert_eq!(guest.call(Method::POST, "/rooms", Some(body)).await.0, StatusCode::FORBIDDEN);
    let (open, _) = make(&ada, "public").await;
    let (closed, _) = make(&ada, "members").await;
    guest.join(&open).await;
    assert_eq!(may_write(&guest, &open).await, 201);
    assert_eq!(status(&guest, Method::PUT, &format!("/rooms/{closed}/members/me")).await, 403);
    assert_eq!(may_write(&guest, "welcome").await, 201, "everyone is in #welcome");
}

/// Its parts are made at once, by several threads that share what is unread.
async fn the_front_page_is_answered_every_time(kind: Kind) {
    let ada = Person::register(shared(kind), "ada").await;
    for _ in 0..3 {
        ada.make_room("public").await;
    }
    for n in 0..150 {
        front_page(&ada, n).await;
    }
}

async fn the_front_page_is_answered_while_others_start_in_the_same_process(kind: Kind) {
    let ada = Person::register(shared(kind), "ada").await;
    let started = AtomicBool::new(false);
    let start = async {
        for _ in 0..12 {
            let installation = Installation::new(Kind::Embedded).await;
            installation.start().await.server.shutdown().await;
        }
        started.store(true, Ordering::Relaxed);
    };
    let read = || async {
        for n in 0.. {
            if started.load(Ordering::Relaxed) {
                break;
            }
            front_page(&ada, n).await;
        }
    };
    tokio::join!(start, read(), read(), read());
}

async fn front_page(who: &Person, n: u32) {
    let page = who.http.get(format!("{}/", who.base)).header("cookie", &who.cookie).send();
    let answer = tokio::time::timeout(Duration::from_secs(20), async { page.await.unwrap().text().await.unwrap() });
    assert!(answer.await.expect("it is answered").contains("Your rooms"), "page {n}");
}
