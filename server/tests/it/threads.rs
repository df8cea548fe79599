//! Threads: what answers a message.

use crate::support::{Kind, Person, in_both_modes, shared};
use app::model::{MessageId, Position};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

in_both_modes!(
    a_message_says_wherever_it_is_read_how_many_answer_it,
    what_answers_a_message_is_paged_in_both_directions,
    a_deleted_reply_leaves_its_place_and_is_not_counted,
    who_may_not_read_the_room_learns_nothing_of_its_threads,
    a_thread_is_of_a_message_of_its_own_room,
    a_plain_form_goes_back_to_the_thread_that_it_was_in,
);

async fn reply(by: &Person, room: &str, to: MessageId, body: &str) -> (MessageId, Position) {
    let id = MessageId::new();
    let new = json!({ "id": id, "body": body, "reply_to": to });
    let (status, answer) = by.call(Method::POST, &format!("/rooms/{room}/messages"), Some(new)).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    (id, answer["at"].as_str().unwrap().parse().unwrap())
}

async fn thread(by: &Person, room: &str, of: MessageId, query: &str) -> Value {
    let (status, thread) = by.get(&format!("/rooms/{room}/messages/{of}/replies{query}")).await;
    assert_eq!(status, StatusCode::OK, "{thread}");
    thread
}

fn bodies(page: &Value) -> Vec<&str> {
    page["messages"].as_array().unwrap().iter().map(|m| m["body"].as_str().unwrap()).collect()
}

async fn a_message_says_wherever_it_is_read_how_many_answer_it(kind: Kind) {
    let (ada, lin) = (Person::register(shared(kind), "ada").await, Person::register(shared(kind), "lin").await);
    let room = ada.make_room("public").await;
    lin.join(&room).await;
    let (first, _) = ada.post(&room, "who brings the map?").await;
    let (map, _) = reply(&lin, &room, first, "I do").await;
    reply(&ada, &room, first, "thank you").await;
    // A reply to a reply begins another thread.
    let (_, at) = reply(&ada, &room, map, "and a compass?").await;

    let replies = |page: &Value| -> Vec<Value> {
        page["messages"].as_array().unwrap().iter().map(|m| m["replies"].clone()).collect()
    };
    let counts = [json!(2), json!(1), Value::Null, Value::Null];
    let page = ada.history(&room, &format!("?at_least={at}")).await;
    assert_eq!(replies(&page), counts, "none is left out");
    assert_eq!(replies(&ada.history(&room, &format!("?around={first}")).await), counts);
    let visitor = Person::visitor(shared(kind));
    let of_first = thread(&visitor, &room, first, "").await;
    assert_eq!(
        (&of_first["message"]["body"], &of_first["message"]["replies"]),
        (&json!("who brings the map?"), &json!(2))
    );
    assert_eq!(bodies(&of_first), ["I do", "thank you"]);
    let complete: Position = of_first["at"].as_str().unwrap().parse().unwrap();
    assert!(complete >= at && of_first["more"] == false, "{of_first}");
    assert_eq!(bodies(&thread(&visitor, &room, map, "").await), ["and a compass?"]);
}

async fn what_answers_a_message_is_paged_in_both_directions(kind: Kind) {
    let ada = Person::register(shared(kind), "ada").await;
    let room = ada.make_room("public").await;
    let (first, _) = ada.post(&room, "counting").await;
    let mut last = None;
    for i in 0..7 {
        last = Some(reply(&ada, &room, first, &i.to_string()).await.1);
        ada.post(&room, "of something else").await;
    }
    let all = thread(&ada, &room, first, &format!("?at_least={}", last.unwrap())).await;
    assert_eq!(bodies(&all), ["0", "1", "2", "3", "4", "5", "6"]);
    let at = |n: usize| all["messages"][n]["at"].as_str().unwrap();
    for (query, expected, more) in [
        ("?limit=3".to_owned(), vec!["4", "5", "6"], true),
        (format!("?limit=3&before={}", at(4)), vec!["1", "2", "3"], true),
        (format!("?limit=3&before={}", at(1)), vec!["0"], false),
        (format!("?limit=3&after={}", at(2)), vec!["3", "4", "5"], true),
        (format!("?limit=3&after={}", at(5)), vec!["6"], false),
    ] {
        let page = thread(&ada, &room, first, &query).await;
        assert_eq!((bodies(&page), &page["more"]), (expected, &json!(more)), "{query}");
        assert_eq!(page["message"]["id"], json!(first));
    }
    let path = format!("/rooms/{room}/messages/{first}/replies");
    for bad in [format!("?around={first}"), "?limit=0".into(), "?limit=201".into(), "?before=1.1&after=1.1".into()] {
        assert_eq!(ada.get(&(path.clone() + &bad)).await.0, StatusCode::UNPROCESSABLE_ENTITY, "{bad}");
    }
}

async fn a_deleted_reply_leaves_its_place_and_is_not_counted(kind: Kind) {
    let ada = Person::register(shared(kind), "ada").await;
    let room = ada.make_room("public").await;
    let mut socket = ada.socket().await;
    let (first, at) = ada.post(&room, "who is in?").await;
    let (wrong, _) = reply(&ada, &room, first, "me, or not").await;
    reply(&ada, &room, first, "me").await;
    socket.subscribe(&room, Some(at)).await;
    let (status, gone) = ada.call(Method::DELETE, &format!("/rooms/{room}/messages/{wrong}"), None).await;
    assert_eq!(status, StatusCode::OK, "{gone}");

    let thread = thread(&ada, &room, first, &format!("?at_least={}", gone["at"].as_str().unwrap())).await;
    assert_eq!(bodies(&thread), ["", "me"]);
    assert_eq!((&thread["messages"][0]["deleted"], &thread["message"]["replies"]), (&json!(true), &json!(1)));
    // Whoever counts need not have the reply to know whose it was.
    let event = loop {
        let frame = socket.next_of("event").await;
        if frame["event"]["kind"] == "message_deleted" {
            break frame["event"].clone();
        }
    };
    assert_eq!((&event["id"], &event["reply_to"]), (&json!(wrong), &json!(first)));
}

async fn who_may_not_read_the_room_learns_nothing_of_its_threads(kind: Kind) {
    let (ada, eve) = (Person::register(shared(kind), "ada").await, Person::register(shared(kind), "eve").await);
    let visitor = Person::visitor(shared(kind));
    for (visibility, strangers) in [("private", vec![&eve, &visitor]), ("members", vec![&visitor])] {
        let room = ada.make_room(visibility).await;
        let (first, _) = ada.post(&room, "between us").await;
        let (_, at) = reply(&ada, &room, first, "indeed").await;
        thread(&ada, &room, first, &format!("?at_least={at}")).await;
        let (_, nowhere) = eve.get(&format!("/rooms/never-made/messages/{first}/replies")).await;
        for stranger in strangers {
            let answer = stranger.get(&format!("/rooms/{room}/messages/{first}/replies")).await;
            assert_eq!(answer, (StatusCode::NOT_FOUND, nowhere.clone()), "{visibility}");
            let page = stranger.http.get(format!("{}/rooms/{room}?thread={first}", stranger.base));
            assert_eq!(page.header("cookie", &stranger.cookie).send().await.unwrap().status(), StatusCode::NOT_FOUND);
        }
    }
}

async fn a_thread_is_of_a_message_of_its_own_room(kind: Kind) {
    let ada = Person::register(shared(kind), "ada").await;
    let (room, other) = (ada.make_room("public").await, ada.make_room("public").await);
    let (first, _) = ada.post(&room, "here").await;
    // It answers what is not in its room.
    let (_, at) = reply(&ada, &other, first, "from elsewhere").await;
    ada.bodies(&other, at).await;
    let (_, at) = reply(&ada, &room, first, "from here").await;
    assert_eq!(bodies(&thread(&ada, &room, first, &format!("?at_least={at}")).await), ["from here"]);
    for unknown in [first.to_string(), MessageId::new().to_string(), "no-id".into()] {
        let (status, _) = ada.get(&format!("/rooms/{other}/messages/{unknown}/replies")).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{unknown}");
    }
    let page = ada.http.get(format!("{}/rooms/{other}?thread={first}", ada.base)).send().await.unwrap();
    assert_eq!(page.status(), StatusCode::NOT_FOUND);
}

async fn a_plain_form_goes_back_to_the_thread_that_it_was_in(kind: Kind) {
    let ada = Person::register(shared(kind), "ada").await;
    let room = ada.make_room("public").await;
    let (_, described) = ada.get(&format!("/rooms/{room}")).await;
    let slug = described["slug"].as_str().unwrap();
    let (first, _) = ada.post(&room, "a question").await;
    let plain = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let post = async |fields: &[(&str, &str)]| {
        let to = first.to_string();
        let mut form = vec![("room", slug), ("reply_to", to.as_str())];
        form.extend(fields);
        let request = plain.post(format!("{}/api/fn/post", ada.base)).form(&form);
        let headers = request.header("accept", "text/html").header("cookie", &ada.cookie).header("origin", &ada.base);
        let answer = headers.send().await.unwrap();
        answer.headers()["location"].to_str().unwrap().to_owned()
    };
    let there = format!("/rooms/{slug}?thread={first}&");
    let to = post(&[("body", "an answer"), ("in_thread", "true")]).await;
    assert!(to.starts_with(&(there.clone() + "at_least=")), "{to}");
    let page = ada.http.get(ada.base.clone() + &to).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("an answer") && page.contains(r#"id="thread""#), "the thread is in the first HTML");
    let to = post(&[("body", " "), ("in_thread", "true")]).await;
    assert!(to.starts_with(&(there + "error=")), "{to}");
    let to = post(&[("body", "beside it")]).await;
    assert!(to.starts_with(&format!("/rooms/{slug}?at_least=")) && to.ends_with("#end"), "{to}");
}
