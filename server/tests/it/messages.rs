//! Posting, reading back, changing.

use crate::support::{Kind, Person, in_both_modes, shared};
use app::model::MessageId;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

in_both_modes!(
    a_posted_message_is_in_the_history_where_its_sender_was_told,
    a_retry_is_answered_with_the_first_ones_position,
    retries_that_arrive_together_make_one_message,
    the_same_id_with_another_text_is_a_conflict,
    somebody_elses_id_is_a_conflict,
    what_cannot_be_posted_is_refused_and_not_stored,
    the_history_is_paged_in_both_directions_without_gap_or_double,
    a_read_at_least_at_a_position_has_it,
    only_the_author_edits_and_everyone_sees_it,
    a_deleted_message_leaves_its_place_and_not_its_text,
    a_reaction_counts_once_a_person_and_can_be_taken_back,
    too_many_messages_are_refused_with_the_time_to_wait,
);

async fn a_posted_message_is_in_the_history_where_its_sender_was_told(kind: Kind) {
    let ada = Person::register(shared(kind), "ada").await;
    let room = ada.make_room("public").await;
    let (id, at) = ada.post(&room, "Hello, *everyone*\r\n<b>not bold</b>\u{0}").await;
    let page = ada.history(&room, &format!("?at_least={at}")).await;
    let message = &page["messages"][0];
    assert_eq!(message["id"], json!(id));
    assert_eq!(message["at"], json!(at));
    assert_eq!(message["body"], "Hello, *everyone*\n<b>not bold</b>");
    assert_eq!(message["author"]["username"], json!(ada.username));
    assert_eq!(message["deleted"], false);
    assert_eq!(page["more"], false);
}

async fn a_retry_is_answered_with_the_first_ones_position(kind: Kind) {
    let ada = Person::register(shared(kind), "ada").await;
    let room = ada.make_room("public").await;
    let (id, at) = ada.post(&room, "once").await;
    for _ in 0..5 {
        let (status, answer) = ada.try_post(&room, id, "once").await;
        assert_eq!((status, &answer["at"]), (StatusCode::OK, &json!(at)));
    }
    let (_, later) = ada.post(&room, "twice").await;
    assert_eq!(ada.bodies(&room, later).await, ["once", "twice"]);
}

async fn retries_that_arrive_together_make_one_message(kind: Kind) {
    let ada = Person::register(shared(kind), "ada").await;
    let room = ada.make_room("public").await;
    let id = MessageId::new();
    let tries = (0..8).map(|_| ada.try_post(&room, id, "all at once"));
    let answers = futures::future::join_all(tries).await;
    let created = answers.iter().filter(|(status, _)| *status == StatusCode::CREATED).count();
    assert_eq!(created, 1, "{answers:?}");
    assert!(answers.iter().all(|(status, a)| status.is_success() && a["at"] == answers[0].1["at"]), "{answers:?}");
    let (_, later) = ada.post(&room, "after").await;
    assert_eq!(ada.bodies(&room, later).await, ["all at once", "after"]);
}

async fn the_same_id_with_another_text_is_a_conflict(kind: Kind) {
    let ada = Person::register(shared(kind), "ada").await;
    let room = ada.make_room("public").await;
    let (id, _) = ada.post(&room, "one text").await;
    let (status, problem) = ada.try_post(&room, id, "another text").await;
    assert_eq!((status, &problem["type"]), (StatusCode::CONFLICT, &json!("/problems/conflict")));
}

async fn somebody_elses_id_is_a_conflict(kind: Kind) {
    let (ada, lin) = (Person::register(shared(kind), "ada").await, Person::register(shared(kind), "lin").await);
    let room = ada.make_room("public").await;
    lin.join(&room).await;
    let (id, at) = ada.post(&room, "mine").await;
    assert_eq!(lin.try_post(&room, id, "mine").await.0, StatusCode::CONFLICT);
    assert_eq!(ada.bodies(&room, at).await, ["mine"]);
}

async fn what_cannot_be_posted_is_refused_and_not_stored(kind: Kind) {
    let ada = Person::register(shared(kind), "ada").await;
    let room = ada.make_room("public").await;
    let path = format!("/rooms/{room}/messages");
    let post = async |text: &str| {
        let request = ada.request(Method::POST, &path).header("content-type", "application/json");
        // The server may hang up on a body that is far too big before it has been sent whole.
        request.body(text.to_owned()).send().await.map_or(413, |response| response.status().as_u16())
    };
    assert_eq!(post("{").await, 400);
    assert_eq!(post("[]").await, 422);
    assert_eq!(post(r#"{"body":7}"#).await, 422);
    assert_eq!(post(r#"{"body":" \n "}"#).await, 422);
    // Nor what nobody can see.
    assert_eq!(post(r#"{"body":"\u200b\u2800 \ufeff"}"#).await, 422);
    assert_eq!(post(r#"{"body":"x","id":"no id"}"#).await, 422);
    assert_eq!(post(&json!({ "body": "x".repeat(16 * 1024 + 1) }).to_string()).await, 413);
    assert_eq!(post(&json!({ "body": "x".repeat(1024 * 1024) }).to_string()).await, 413);
    let plain = ada.request(Method::POST, &path).body("hello").send().await.unwrap();
    assert_eq!(plain.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(plain.headers()["content-type"], "application/problem+json");
    // What JSON must escape does not make a good message too long.
    assert_eq!(post(&json!({ "body": format!("x{}", "\u{1}".repeat(16 * 1024 - 1)) }).to_string()).await, 201);
    let (_, at) = ada.post(&room, "the only other one").await;
    assert_eq!(ada.bodies(&room, at).await.len(), 2);
    assert_eq!(ada.get(&format!("{path}?limit=201")).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(ada.get(&format!("{path}?before=x")).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(ada.get(&format!("{path}?before=1.1&after=1.1")).await.0, StatusCode::UNPROCESSABLE_ENTITY);
}

async fn the_history_is_paged_in_both_directions_without_gap_or_double(kind: Kind) {
    let ada = Person::register(shared(kind), "ada").await;
    let (room, other) = (ada.make_room("public").await, ada.make_room("public").await);
    let mut last = None;
    for i in 0..25 {
        last = Some(ada.post(&room, &i.to_string()).await);
        ada.post(&other, "elsewhere").await;
    }
    let (_, at) = last.unwrap();
    let all = ada.bodies(&room, at).await;
    assert_eq!(all, (0..25).map(|i| i.to_string()).collect::<Vec<_>>());

    let bodies = |page: &Value| -> Vec<String> {
        page["messages"].as_array().unwrap().iter().map(|m| m["body"].as_str().unwrap().to_owned()).collect()
    };
    let (mut back, mut query) = (Vec::new(), "?limit=7".to_owned());
    loop {
        let page = ada.history(&room, &query).await;
        back = [bodies(&page), back].concat();
        if page["more"] == false {
            break;
        }
        query = format!("?limit=7&before={}", page["messages"][0]["at"].as_str().unwrap());
    }
    assert_eq!(back, all);

    let (mut forth, mut query) = (Vec::new(), "?limit=7&after=0.0".to_owned());
    loop {
        let page = ada.history(&room, &query).await;
        forth.extend(bodies(&page));
        if page["more"] == false {
            break;
        }
        let newest = page["messages"].as_array().unwrap().last().unwrap();
        query = format!("?limit=7&after={}", newest["at"].as_str().unwrap());
    }
    assert_eq!(forth, all);

    let middle = ada.history(&room, "?limit=200").await["messages"][12]["id"].as_str().unwrap().to_owned();
    let around = ada.history(&room, &format!("?limit=5&around={middle}")).await;
    assert!(bodies(&around).contains(&"12".to_owned()) && around["more"] == true, "{around}");
    let nowhere = format!("/rooms/{room}/messages?around={}", MessageId::new());
    assert_eq!(ada.get(&nowhere).await.0, StatusCode::NOT_FOUND);
}

async fn a_read_at_least_at_a_position_has_it(kind: Kind) {
    let ada = Person::register(shared(kind), "ada").await;
    let room = ada.make_room("public").await;
    for i in 0..20 {
        let (id, at) = ada.post(&room, &i.to_string()).await;
        let page = ada.history(&room, &format!("?limit=1&at_least={at}")).await;
        assert_eq!(page["messages"][0]["id"], json!(id));
    }
}

async fn only_the_author_edits_and_everyone_sees_it(kind: Kind) {
    let (ada, lin) = (Person::register(shared(kind), "ada").await, Person::register(shared(kind), "lin").await);
    let room = ada.make_room("public").await;
    lin.join(&room).await;
    let (id, _) = ada.post(&room, "tee").await;
    let path = format!("/rooms/{room}/messages/{id}");
    let edit = async |who: &Person, text: &str| who.call(Method::PATCH, &path, Some(json!({ "body": text }))).await;
    assert_eq!(edit(&lin, "coffee").await.0, StatusCode::FORBIDDEN);
    assert_eq!(edit(&ada, " ").await.0, StatusCode::UNPROCESSABLE_ENTITY);
    let (status, answer) = edit(&ada, "tea").await;
    assert_eq!(status, StatusCode::OK);
    let page = lin.history(&room, &format!("?at_least={}", answer["at"].as_str().unwrap())).await;
    assert_eq!(page["messages"][0]["body"], "tea");
    assert!(page["messages"][0]["edited_at"].is_i64());
    let elsewhere = format!("/rooms/{room}/messages/{}", MessageId::new());
    assert_eq!(ada.call(Method::PATCH, &elsewhere, Some(json!({ "body": "x" }))).await.0, StatusCode::NOT_FOUND);
}

async fn a_deleted_message_leaves_its_place_and_not_its_text(kind: Kind) {
    let (ada, lin) = (Person::register(shared(kind), "ada").await, Person::register(shared(kind), "lin").await);
    let room = ada.make_room("public").await;
    lin.join(&room).await;
    let (id, _) = lin.post(&room, "a secret slip").await;
    let (keep, _) = ada.post(&room, "stays").await;
    let delete = async |who: &Person, id: MessageId| {
        who.call(Method::DELETE, &format!("/rooms/{room}/messages/{id}"), None).await
    };
    assert_eq!(delete(&lin, keep).await.0, StatusCode::FORBIDDEN, "somebody else's");
    let (status, answer) = delete(&ada, id).await;
    assert_eq!(status, StatusCode::OK, "the room's owner may");
    let page = lin.history(&room, &format!("?at_least={}", answer["at"].as_str().unwrap())).await;
    assert_eq!((&page["messages"][0]["deleted"], &page["messages"][0]["body"]), (&json!(true), &json!("")));
    assert!(!page.to_string().contains("secret slip"));
    assert_eq!(delete(&lin, id).await.0, StatusCode::NOT_FOUND, "it is gone already");
    // Nobody who comes back later gets the text either.
    let mut socket = lin.socket().await;
    socket.subscribe(&room, Some("0.0".parse().unwrap())).await;
    loop {
        let frame = socket.next_of("event").await;
        if frame["event"]["kind"] == "message_deleted" {
            break;
        }
    }
}

async fn a_reaction_counts_once_a_person_and_can_be_taken_back(kind: Kind) {
    let (ada, lin) = (Person::register(shared(kind), "ada").await, Person::register(shared(kind), "lin").await);
    let room = ada.make_room("public").await;
    lin.join(&room).await;
    let (id, _) = ada.post(&room, "cake?").await;
    let react = async |who: &Person, method: Method, emoji: &str| {
        let (status, answer) = who.call(method, &format!("/rooms/{room}/messages/{id}/reactions/{emoji}"), None).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer["at"].as_str().unwrap().to_owned()
    };
    react(&ada, Method::PUT, "👍").await;
    react(&ada, Method::PUT, "👍").await;
    react(&lin, Method::PUT, "🎂").await;
    let at = react(&lin, Method::PUT, "👍").await;
    let reactions = |page: Value| page["messages"][0]["reactions"].clone();
    let both =
        json!([{ "emoji": "👍", "users": [ada.username, lin.username] }, { "emoji": "🎂", "users": [lin.username] }]);
    assert_eq!(reactions(ada.history(&room, &format!("?at_least={at}")).await), both);
    let at = react(&lin, Method::DELETE, "🎂").await;
    let one = json!([{ "emoji": "👍", "users": [ada.username, lin.username] }]);
    assert_eq!(reactions(ada.history(&room, &format!("?at_least={at}")).await), one);
    let bad = format!("/rooms/{room}/messages/{id}/reactions/ok");
    assert_eq!(ada.call(Method::PUT, &bad, None).await.0, StatusCode::UNPROCESSABLE_ENTITY);
}

async fn too_many_messages_are_refused_with_the_time_to_wait(kind: Kind) {
    let installation = crate::support::Installation::new(kind).await;
    let mut config = installation.config();
    config.messages_per_second = 2;
    let node = installation.start_with(config).await;
    let ada = Person::register(&node.base, "ada").await;
    let refused = loop {
        let request = ada.request(Method::POST, "/rooms/welcome/messages").json(&json!({ "body": "spam" }));
        let response = request.send().await.unwrap();
        if response.status() != StatusCode::CREATED {
            break response;
        }
    };
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.headers()["retry-after"], "1");
    assert_eq!(refused.headers()["content-type"], "application/problem+json");
    node.server.shutdown().await;
}
