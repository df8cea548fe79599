//! Direct conversations: the same few people are always the same room.

use crate::support::{Kind, Person, in_both_modes, shared, until};
use futures::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

in_both_modes!(
    the_same_people_are_always_in_the_same_conversation,
    a_direct_conversation_is_nobody_elses_and_its_people_stay,
    who_cannot_be_written_to_is_said,
);

async fn direct(who: &Person, people: &[&str]) -> (StatusCode, Value) {
    who.call(Method::POST, "/direct", Some(json!({ "people": people }))).await
}

async fn three(kind: Kind) -> [Person; 3] {
    let base = shared(kind);
    [Person::register(base, "ada").await, Person::register(base, "lin").await, Person::register(base, "eve").await]
}

async fn the_same_people_are_always_in_the_same_conversation(kind: Kind) {
    let [ada, lin, eve] = three(kind).await;
    // Both at once, several times: one room, made once.
    let tries = join_all((0..6).map(|n| {
        let (who, other) = if n % 2 == 0 { (&ada, &lin) } else { (&lin, &ada) };
        async move { direct(who, &[&other.username]).await }
    }));
    let answers = tries.await;
    assert!(answers.iter().all(|(status, _)| status.is_success()), "{answers:?}");
    assert!(answers.iter().filter(|(status, _)| *status == StatusCode::CREATED).count() == 1, "{answers:?}");
    let room = answers[0].1["id"].as_str().unwrap().to_owned();
    assert!(answers.iter().all(|(_, answer)| answer["id"] == room.as_str()), "{answers:?}");
    until("both are in it", async || {
        lin.get(&format!("/rooms/{room}/members")).await.1["members"].as_array().is_some_and(|all| all.len() == 2)
    })
    .await;
    let (_, at) = ada.post(&room, "only you").await;
    assert_eq!(lin.bodies(&room, at).await, ["only you"]);
    until("it is meant for Lin", async || {
        let all = lin.get("/me/unread").await.1;
        all["rooms"].as_array().unwrap().iter().any(|r| r["room"] == room && r["mentions"] == 1 && r["direct"] == true)
    })
    .await;

    let (status, third) = direct(&eve, &[&lin.username, &ada.username, &lin.username]).await;
    assert_eq!(status, StatusCode::CREATED, "{third}");
    assert_ne!(third["id"], room.as_str());
    let (status, again) = direct(&ada, &[&eve.username, &lin.username]).await;
    assert_eq!((status, &again["id"]), (StatusCode::OK, &third["id"]));
}

async fn a_direct_conversation_is_nobody_elses_and_its_people_stay(kind: Kind) {
    let [ada, lin, eve] = three(kind).await;
    let (_, room) = direct(&ada, &[&lin.username]).await;
    let (room, slug) = (room["id"].as_str().unwrap().to_owned(), room["slug"].as_str().unwrap().to_owned());
    for name in [&room, &slug] {
        assert_eq!(eve.get(&format!("/rooms/{name}/messages")).await.0, StatusCode::NOT_FOUND);
        let join = eve.call(Method::PUT, &format!("/rooms/{name}/members/me"), None).await.0;
        assert_eq!(join, StatusCode::NOT_FOUND);
    }
    let listed = eve.get("/rooms").await.1;
    assert!(listed["rooms"].as_array().unwrap().iter().all(|r| r["id"] != room.as_str()));
    let members = |name: &str| format!("/rooms/{room}/members/{name}");
    for (method, path) in [
        (Method::PUT, members(&eve.username)),
        (Method::DELETE, members(&lin.username)),
        (Method::DELETE, members("me")),
    ] {
        let (status, why) = ada.call(method, &path, None).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{path}: {why}");
    }
    // Who began it is not above the other.
    until("Lin may write", async || lin.get(&format!("/rooms/{room}/members")).await.0 == StatusCode::OK).await;
    let (id, at) = lin.post(&room, "mine").await;
    ada.bodies(&room, at).await;
    let message = format!("/rooms/{room}/messages/{}", id.0);
    assert_eq!(ada.call(Method::DELETE, &message, None).await.0, StatusCode::FORBIDDEN);
    assert_eq!(lin.call(Method::DELETE, &message, None).await.0, StatusCode::OK);
}

async fn who_cannot_be_written_to_is_said(kind: Kind) {
    let [ada, lin, _] = three(kind).await;
    let guest = Person::guest(shared(kind)).await;
    assert_eq!(direct(&guest, &[&ada.username]).await.0, StatusCode::FORBIDDEN);
    assert_eq!(direct(&ada, &[&guest.username]).await.0, StatusCode::FORBIDDEN);
    assert_eq!(direct(&ada, &["nobody-of-that-name"]).await.0, StatusCode::NOT_FOUND);
    for people in [&[][..], &[&*ada.username], &["a b"], &[&*lin.username; 8]] {
        let (status, why) = direct(&ada, people).await;
        assert!(matches!(status.as_u16(), 400 | 422), "{people:?}: {status} {why}");
    }
}
