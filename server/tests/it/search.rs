//! Searching, as programs and pages do it.

use crate::{
    operator::meddle,
    support::{Installation, Kind, Person, in_both_modes, shared, until},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

in_both_modes!(
    what_was_said_is_found_with_its_room_and_its_author,
    rooms_that_may_not_be_read_are_not_searched_whoever_names_them,
    whoever_was_taken_out_of_a_room_finds_nothing_there_from_then_on,
    results_are_paged_to_the_end,
    operators_narrow_a_search,
    what_cannot_be_searched_for_is_refused,
    nothing_that_is_written_in_a_search_reaches_the_database_as_anything_but_words,
    searching_too_fast_is_refused_with_the_time_to_wait,
    the_page_shows_what_was_found_without_a_script,
    messages_of_the_version_before_are_indexed_while_the_node_serves,
);

/// A word that nobody else says.
fn word() -> String {
    let alphabet = |n: u8| char::from(b'a' + n % 26);
    uuid::Uuid::new_v4().into_bytes().into_iter().take(12).map(alphabet).collect()
}

async fn find(who: &Person, query: &[(&str, &str)]) -> (StatusCode, Value) {
    let escaped = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let fields = query.iter().map(|(name, value)| format!("{name}={}", escaped(value)));
    let path = format!("/search?{}", fields.collect::<Vec<_>>().join("&"));
    let response = who.request(Method::GET, &path).send().await.unwrap();
    (response.status(), response.json().await.unwrap())
}

async fn bodies(who: &Person, query: &[(&str, &str)]) -> Vec<String> {
    let (status, page) = find(who, query).await;
    assert_eq!(status, StatusCode::OK, "{query:?}: {page}");
    page["messages"].as_array().unwrap().iter().map(|m| m["body"].as_str().unwrap().to_owned()).collect()
}

async fn what_was_said_is_found_with_its_room_and_its_author(kind: Kind) {
    let (ada, word) = (Person::register(shared(kind), "ada").await, word());
    let room = ada.make_room("public").await;
    let (id, at) = ada.post(&room, &format!("Shall we meet at the {word}, or at 東京駅?")).await;
    ada.bodies(&room, at).await;

    let (status, page) = find(&ada, &[("q", &word.to_uppercase())]).await;
    assert_eq!(status, StatusCode::OK, "{page}");
    let hit = &page["messages"][0];
    assert_eq!((&hit["id"], &hit["at"]), (&json!(id), &json!(at)));
    assert_eq!((&hit["author"]["username"], &hit["room"]["id"]), (&json!(ada.username), &json!(room)));
    assert!(hit["room"]["slug"].as_str().unwrap().starts_with("room-") && hit["room"]["name"].is_string());
    assert_eq!(
        hit["excerpt"],
        json!([
            { "text": "Shall we meet at the ", "found": false },
            { "text": word, "found": true },
            { "text": ", or at 東京駅?", "found": false },
        ])
    );
    assert_eq!((&page["more"], &page["next"]), (&json!(false), &Value::Null));
    let history = ada.history(&room, "").await;
    for (name, value) in history["messages"][0].as_object().unwrap() {
        assert_eq!(&hit[name], value, "as in the history");
    }
    let visitor = Person::visitor(&ada.base);
    assert_eq!(bodies(&visitor, &[("q", &word[..5]), ("room", &room)]).await.len(), 1, "the beginning of the word");
    assert_eq!(bodies(&visitor, &[("q", "京駅"), ("room", &room)]).await.len(), 1);

    let path = format!("/rooms/{room}/messages/{id}");
    let later = word.replace(['a', 'e'], "o") + "x";
    let (_, written) = ada.call(Method::PATCH, &path, Some(json!({ "body": later }))).await;
    ada.bodies(&room, written["at"].as_str().unwrap().parse().unwrap()).await;
    assert_eq!(bodies(&ada, &[("q", &format!("\"{word}\""))]).await, Vec::<String>::new());
    assert_eq!(bodies(&ada, &[("q", &later)]).await, std::slice::from_ref(&later));
    let (_, written) = ada.call(Method::DELETE, &path, None).await;
    ada.bodies(&room, written["at"].as_str().unwrap().parse().unwrap()).await;
    assert_eq!(bodies(&ada, &[("q", &later)]).await, Vec::<String>::new());
}

async fn rooms_that_may_not_be_read_are_not_searched_whoever_names_them(kind: Kind) {
    let (ada, lin) = (Person::register(shared(kind), "ada").await, Person::register(shared(kind), "lin").await);
    let (word, visitor) = (word(), Person::visitor(&ada.base));
    for visibility in ["private", "members"] {
        let room = ada.make_room(visibility).await;
        let (_, at) = ada.post(&room, &word).await;
        ada.bodies(&room, at).await;
        let (_, shown) = ada.get(&format!("/rooms/{room}")).await;
        let slug = shown["slug"].as_str().unwrap();
        assert_eq!(bodies(&ada, &[("q", &word), ("room", slug)]).await, std::slice::from_ref(&word));
        for who in [&lin, &visitor] {
            assert_eq!(bodies(who, &[("q", &word)]).await, Vec::<String>::new(), "{visibility}");
            assert_eq!(bodies(who, &[("q", &format!("from:{}", ada.username))]).await, Vec::<String>::new());
            for named in [slug, &room] {
                let inside = format!("{word} in:{named}");
                for query in [&[("q", word.as_str()), ("room", named)][..], &[("q", inside.as_str())]] {
                    let (status, problem) = find(who, query).await;
                    assert_eq!(status, StatusCode::NOT_FOUND, "{query:?}");
                    let (_, nowhere) = find(who, &[("q", &word), ("room", "never-made")]).await;
                    assert_eq!(problem, nowhere, "like a room that is not there");
                }
            }
        }
    }
    assert_eq!(bodies(&ada, &[("q", &word)]).await, [word.clone(), word.clone()]);
}

async fn whoever_was_taken_out_of_a_room_finds_nothing_there_from_then_on(kind: Kind) {
    let (ada, lin) = (Person::register(shared(kind), "ada").await, Person::register(shared(kind), "lin").await);
    let (word, room) = (word(), ada.make_room("private").await);
    let (_, at) = ada.post(&room, &word).await;
    ada.bodies(&room, at).await;
    let member = format!("/rooms/{room}/members/{}", lin.username);
    for _ in 0..3 {
        ada.call(Method::PUT, &member, None).await;
        until("she is in", async || bodies(&lin, &[("q", &word)]).await.len() == 1).await;
        let (status, _) = ada.call(Method::DELETE, &member, None).await;
        assert_eq!(status, StatusCode::OK);
        // At once: whether the store has it or not.
        assert_eq!(bodies(&lin, &[("q", &word)]).await, Vec::<String>::new());
        let (status, _) = find(&lin, &[("q", &word), ("room", &room)]).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
    }
}

async fn results_are_paged_to_the_end(kind: Kind) {
    let (ada, word) = (Person::register(shared(kind), "ada").await, word());
    let rooms = [ada.make_room("public").await, ada.make_room("private").await];
    let mut said = Vec::new();
    for n in 0..25 {
        let text = format!("{word} {n}");
        let (_, at) = ada.post(&rooms[n % 2], &text).await;
        ada.bodies(&rooms[n % 2], at).await;
        said.insert(0, text);
    }
    let first = find(&ada, &[("q", &word)]).await.1;
    assert_eq!((first["messages"].as_array().unwrap().len(), &first["more"]), (20, &json!(true)));
    let (mut seen, mut next) = (Vec::new(), String::new());
    loop {
        let (status, page) = find(&ada, &[("q", &word), ("before", &next), ("limit", "4")]).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        seen.extend(page["messages"].as_array().unwrap().iter().map(|m| m["body"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(at) => next = at.to_owned(),
            None => break,
        }
        assert_eq!(page["more"], true);
    }
    // In one room in order, and between the two as the clock has it.
    assert_eq!(seen.len(), 25);
    let of_room = |texts: &[String], half: usize| -> Vec<String> {
        let number = |text: &String| text.rsplit(' ').next().unwrap().parse::<usize>().unwrap();
        texts.iter().filter(|text| number(text) % 2 == half).cloned().collect()
    };
    for half in [0, 1] {
        assert_eq!(of_room(&seen, half), of_room(&said, half));
    }
}

async fn operators_narrow_a_search(kind: Kind) {
    let (ada, lin) = (Person::register(shared(kind), "ada").await, Person::register(shared(kind), "lin").await);
    let (word, room) = (word(), ada.make_room("public").await);
    lin.join(&room).await;
    ada.post(&room, &format!("{word} one two")).await;
    let (_, at) = lin.post(&room, &format!("{word} two one")).await;
    ada.bodies(&room, at).await;
    let found = async |rest: &str| bodies(&ada, &[("q", &format!("{word} {rest}"))]).await.len();
    assert_eq!(found(&format!("from:{}", lin.username)).await, 1);
    assert_eq!(found(&format!("from:@{} two", ada.username.to_uppercase())).await, 1);
    assert_eq!(found("from:nobody-of-this-name").await, 0);
    assert_eq!(found("from:ä").await, 0);
    assert_eq!(found("\"two one\"").await, 1);
    assert_eq!(found("one two").await, 2);
    assert_eq!(found("before:9999-12-31").await, 2);
    assert_eq!(found("before:2020-01-01").await, 0);
    assert_eq!(found(&format!("in:{room}")).await, 2);
    assert_eq!(found("in:welcome").await, 0);
    assert_eq!(bodies(&ada, &[("q", &format!("from:{}", lin.username))]).await, [format!("{word} two one")]);
    let both = [("q", &*format!("{word} in:{room}")), ("room", "welcome")];
    assert_eq!(bodies(&ada, &both).await.len(), 2, "what is written comes first");
}

async fn what_cannot_be_searched_for_is_refused(kind: Kind) {
    let ada = Person::register(shared(kind), "ada").await;
    let long = "x".repeat(10_000);
    let many = "a ".repeat(40);
    for (query, status) in [
        (&[][..], 400),
        (&[("q", "")], 422),
        (&[("q", " \t ")], 422),
        (&[("q", "!?*\"")], 422),
        (&[("q", "in:welcome")], 422),
        (&[("q", "tea before:soon")], 422),
        (&[("q", "tea from:a from:b")], 422),
        (&[("q", &long)], 422),
        (&[("q", &many)], 422),
        (&[("q", "tea"), ("limit", "0")], 422),
        (&[("q", "tea"), ("limit", "51")], 422),
        (&[("q", "tea"), ("limit", "-1")], 400),
        (&[("q", "tea"), ("limit", "99999999999")], 400),
        (&[("q", "tea"), ("before", "1.2")], 422),
        (&[("q", "tea"), ("before", "x' or 1")], 422),
        (&[("q", "tea"), ("room", "a\0b")], 404),
        (&[("q", "tea"), ("room", "never-made")], 404),
    ] {
        let (answered, problem) = find(&ada, query).await;
        assert_eq!(answered.as_u16(), status, "{query:?}: {problem}");
        assert!(problem["detail"].is_string() && problem["type"].as_str().unwrap().starts_with("/problems/"));
    }
    let room = bodies(&ada, &[("q", "tea"), ("room", "")]).await;
    assert!(room.len() <= 20, "an empty room is none");
}

async fn nothing_that_is_written_in_a_search_reaches_the_database_as_anything_but_words(kind: Kind) {
    // A crowd: one person alone would be too fast.
    let (ada, word) = (Person::register(shared(kind), "ada").await, word());
    let room = ada.make_room("private").await;
    let (_, at) = ada.post(&room, &word).await;
    ada.bodies(&room, at).await;
    let lin = Person::register(shared(kind), "lin").await;
    for strange in [
        "\" OR 1",
        "' OR '1'='1",
        "*",
        "a*",
        "NEAR(",
        "NEAR(a b, 3)",
        "a NOT b",
        "terms:a",
        "{terms}: a",
        "^a",
        "-a +b",
        "a & | ! ( ) : * <->",
        "\\",
        "\\'",
        "$1",
        "%",
        "_",
        "\0",
        "a\0b",
        "🎉",
        "👩‍👩‍👧",
        "\u{202e}abc",
        "#0000000000",
        "@0000000000",
    ] {
        let who = if strange.len() % 2 == 0 { &ada } else { &lin };
        let query = format!("{word} {strange}");
        let (status, answer) = find(who, &[("q", &query)]).await;
        assert!(matches!(status.as_u16(), 200 | 429), "{strange}: {status} {answer}");
        if status == StatusCode::OK && !std::ptr::eq(who, &ada) {
            assert_eq!(answer["messages"], json!([]), "{strange}");
        }
        let (status, answer) = find(who, &[("q", strange)]).await;
        assert!(matches!(status.as_u16(), 200 | 422 | 429), "{strange}: {status} {answer}");
        assert!(!answer.to_string().contains(&word), "{strange}");
    }
}

async fn searching_too_fast_is_refused_with_the_time_to_wait(kind: Kind) {
    let ada = Person::register(shared(kind), "ada").await;
    let mut answers = futures::future::join_all((0..60).map(|_| find(&ada, &[("q", "tea")]))).await;
    let refused: Vec<_> = answers.extract_if(.., |(status, _)| *status == StatusCode::TOO_MANY_REQUESTS).collect();
    assert!(refused.len() >= 20 && answers.len() >= 10, "{} and {}", refused.len(), answers.len());
    assert!(answers.iter().all(|(status, _)| *status == StatusCode::OK), "{answers:?}");
    // Others are not kept from it.
    assert_eq!(find(&Person::register(shared(kind), "lin").await, &[("q", "tea")]).await.0, StatusCode::OK);
}

async fn the_page_shows_what_was_found_without_a_script(kind: Kind) {
    let (ada, word) = (Person::register(shared(kind), "ada").await, word());
    let room = ada.make_room("private").await;
    let (id, at) = ada.post(&room, &format!("<b>{word}</b> & more")).await;
    ada.bodies(&room, at).await;
    let page = async |path: &str, who: Option<&Person>| {
        let request = ada.http.get(format!("{}{path}", ada.base));
        let request = match who {
            Some(who) => request.header("cookie", &who.cookie),
            None => request,
        };
        let response = request.send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    };
    let (status, html) = page(&format!("/search?q={word}"), Some(&ada)).await;
    assert_eq!(status, StatusCode::OK);
    let shown = html.split_once("<main").unwrap().1.split_once("</main>").unwrap().0.replace("<!>", "");
    assert!(shown.contains(&format!("<mark>{word}</mark>")), "{shown}");
    assert!(shown.contains(&format!("/m/{id}")) && !shown.contains("<b>"), "{shown}");
    let (status, html) = page(&format!("/search?q={word}"), None).await;
    assert_eq!((status, html.contains("Nothing was found")), (StatusCode::OK, true));
    assert!(!html.contains(&format!("/m/{id}")));
    let (status, html) = page(&format!("/search?q={word}&room={room}"), None).await;
    assert_eq!((status, html.contains("There is no such room here")), (StatusCode::NOT_FOUND, true));
    let (status, html) = page("/search?q=%22", Some(&ada)).await;
    assert_eq!((status, html.contains("Give a word to search for")), (StatusCode::UNPROCESSABLE_ENTITY, true));
    let (status, html) = page("/search", None).await;
    assert_eq!((status, html.contains("before:2026-11-23")), (StatusCode::OK, true));
}

async fn messages_of_the_version_before_are_indexed_while_the_node_serves(kind: Kind) {
    let installation = Installation::new(kind).await;
    let node = installation.start().await;
    let ada = Person::register(&node.base, "ada").await;
    let room = ada.make_room("public").await;
    let (_, at) = ada.post(&room, "tea, said long ago").await;
    ada.bodies(&room, at).await;
    node.server.shutdown().await;
    // As the version before leaves it.
    meddle(&installation.mode, "update messages set body = body || '!'").await;

    let node = installation.start().await;
    let visitor = Person::visitor(&node.base);
    until("it is found again", async || bodies(&visitor, &[("q", "long ago")]).await == ["tea, said long ago!"]).await;
    node.server.shutdown().await;
}
