//! Links that let people into rooms.

use crate::support::{Kind, Person, in_both_modes, shared};
use reqwest::{Method, StatusCode, redirect::Policy};
use serde_json::{Value, json};

in_both_modes!(
    a_link_lets_people_into_a_private_room_until_it_is_taken_back,
    a_link_is_used_up_and_who_is_in_already_uses_nothing,
    only_who_runs_a_room_makes_links_and_sees_them,
    who_was_removed_needs_a_link_that_was_made_since,
    the_page_of_a_link_says_where_it_leads_and_is_kept_to_oneself,
    a_guest_comes_in_by_a_link,
);

async fn make(who: &Person, room: &str, wanted: Value) -> (StatusCode, Value) {
    who.call(Method::POST, &format!("/rooms/{room}/invites"), Some(wanted)).await
}

async fn secret(who: &Person, room: &str, wanted: Value) -> String {
    let (status, link) = make(who, room, wanted).await;
    assert_eq!(status, StatusCode::CREATED, "{link}");
    link["url"].as_str().unwrap().rsplit_once("/invite/").unwrap().1.to_owned()
}

async fn accept(who: &Person, secret: &str) -> u16 {
    who.call(Method::POST, "/invites", Some(json!({ "secret": secret }))).await.0.as_u16()
}

async fn two(kind: Kind) -> [Person; 2] {
    [Person::register(shared(kind), "ada").await, Person::register(shared(kind), "lin").await]
}

async fn a_link_lets_people_into_a_private_room_until_it_is_taken_back(kind: Kind) {
    let [ada, lin] = two(kind).await;
    let eve = Person::register(shared(kind), "eve").await;
    let room = ada.make_room("private").await;
    let (_, link) = make(&ada, &room, json!({})).await;
    let secret = link["url"].as_str().unwrap().rsplit_once('/').unwrap().1;
    assert_eq!((secret.len(), &link["uses"]), (22, &Value::Null));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
    let week = 7 * 24 * 3600 * 1000;
    assert!((now + week - link["expires_at"].as_i64().unwrap()).abs() < 60_000);
    assert_eq!(accept(&Person::visitor(shared(kind)), secret).await, 401);
    assert_eq!(accept(&lin, secret).await, 200);
    lin.post(&room, "I am in").await;
    let (_, list) = ada.get(&format!("/rooms/{room}/invites")).await;
    let listed = &list["invites"][0];
    assert_eq!(
        (&listed["id"], &listed["used"], &listed["by"]["username"]),
        (&link["id"], &json!(1), &json!(ada.username))
    );
    assert!(!list.to_string().contains(secret), "nobody is told the secret again");
    let path = format!("/rooms/{room}/invites/{}", link["id"].as_str().unwrap());
    assert_eq!(ada.call(Method::DELETE, &path, None).await.0, StatusCode::NO_CONTENT);
    assert_eq!(ada.call(Method::DELETE, &path, None).await.0, StatusCode::NOT_FOUND);
    assert_eq!(accept(&eve, secret).await, 404);
    for bad in ["", "x", "AAAAAAAAAAAAAAAAAAAAAA", &"x".repeat(1_000), "a/b", "ä"] {
        assert_eq!(accept(&eve, bad).await, 404, "{bad}");
    }
    for bad in [json!({ "uses": 0 }), json!({ "uses": -1 }), json!({ "expires_in": 1 }), json!({ "expires_in": 1e12 })]
    {
        assert_eq!(make(&ada, &room, bad.clone()).await.0, StatusCode::UNPROCESSABLE_ENTITY, "{bad}");
    }
}

async fn a_link_is_used_up_and_who_is_in_already_uses_nothing(kind: Kind) {
    let [ada, lin] = two(kind).await;
    let eve = Person::register(shared(kind), "eve").await;
    let room = ada.make_room("members").await;
    let once = secret(&ada, &room, json!({ "uses": 1 })).await;
    assert_eq!((accept(&ada, &once).await, accept(&lin, &once).await), (200, 200));
    assert_eq!(accept(&eve, &once).await, 404);
    let again = secret(&ada, &room, json!({ "uses": 2, "expires_in": 3600 })).await;
    assert_eq!((accept(&lin, &again).await, accept(&eve, &again).await), (200, 200));
}

async fn only_who_runs_a_room_makes_links_and_sees_them(kind: Kind) {
    let [ada, lin] = two(kind).await;
    let stranger = Person::register(shared(kind), "eve").await;
    let room = ada.make_room("private").await;
    let path = format!("/rooms/{room}/invites");
    assert_eq!(ada.call(Method::PUT, &format!("/rooms/{room}/members/{}", lin.username), None).await.0, StatusCode::OK);
    let id = make(&ada, &room, json!({})).await.1["id"].as_str().unwrap().to_owned();
    for (who, status) in [(&lin, StatusCode::FORBIDDEN), (&stranger, StatusCode::NOT_FOUND)] {
        assert_eq!(make(who, &room, json!({})).await.0, status);
        assert_eq!(who.get(&path).await.0, status);
        assert_eq!(who.call(Method::DELETE, &format!("{path}/{id}"), None).await.0, status);
    }
    let role = json!({ "role": "moderator" });
    assert_eq!(ada.call(Method::PUT, &format!("/rooms/{room}/members/{}", lin.username), Some(role)).await.0, 200);
    assert_eq!(make(&lin, &room, json!({})).await.0, StatusCode::CREATED);
    assert_eq!(lin.get(&path).await.1["invites"].as_array().unwrap().len(), 2);
}

async fn who_was_removed_needs_a_link_that_was_made_since(kind: Kind) {
    let [ada, lin] = two(kind).await;
    let room = ada.make_room("private").await;
    let before = secret(&ada, &room, json!({})).await;
    assert_eq!(accept(&lin, &before).await, 200);
    let lins = format!("/rooms/{room}/members/{}", lin.username);
    assert_eq!(ada.call(Method::DELETE, &lins, None).await.0, StatusCode::OK);
    assert_eq!(accept(&lin, &before).await, 403);
    let since = secret(&ada, &room, json!({})).await;
    assert_eq!(accept(&lin, &since).await, 200);
    lin.post(&room, "back").await;
}

async fn the_page_of_a_link_says_where_it_leads_and_is_kept_to_oneself(kind: Kind) {
    let [ada, lin] = two(kind).await;
    let room = ada.make_room("private").await;
    let name = ada.get(&format!("/rooms/{room}")).await.1["name"].as_str().unwrap().to_owned();
    let secret = secret(&ada, &room, json!({})).await;
    let http = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
    let page = |path: String, cookie: &str| {
        http.get(format!("{}{path}", shared(kind))).header("cookie", cookie.to_owned()).send()
    };
    let answer = page(format!("/invite/{secret}"), "").await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["referrer-policy"], "no-referrer");
    assert_eq!(answer.headers()["x-robots-tag"], "noindex, nofollow");
    assert!(answer.headers()["cache-control"].to_str().unwrap().contains("no-store"));
    let html = answer.text().await.unwrap();
    assert!(html.contains(&name) && html.contains(&ada.username) && html.contains("Come in as a guest"), "{html}");
    assert!(!html.contains(".wasm") && !html.contains("partyline.js"), "no program comes with it");
    let signed_in = page(format!("/invite/{secret}"), &lin.cookie).await.unwrap().text().await.unwrap();
    assert!(signed_in.contains(&format!("Join #{name}")), "{signed_in}");
    for gone in ["AAAAAAAAAAAAAAAAAAAAAA", "x", "%00"] {
        let answer = page(format!("/invite/{gone}"), "").await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
        assert_eq!(answer.headers()["referrer-policy"], "no-referrer");
    }

    // The browser says nothing of where it comes from but that it is here.
    let join = |site: &'static str| {
        let form = http.post(format!("{}/api/fn/accept-invite", shared(kind))).form(&[("secret", &secret)]);
        form.header("cookie", &lin.cookie)
            .header("accept", "text/html")
            .header("origin", "null")
            .header("sec-fetch-site", site)
            .send()
    };
    assert_eq!(join("cross-site").await.unwrap().status(), StatusCode::FORBIDDEN);
    let joined = join("same-origin").await.unwrap();
    assert_eq!(joined.status(), StatusCode::FOUND);
    assert!(joined.headers()["location"].to_str().unwrap().starts_with("/rooms/"));
    lin.post(&room, "in").await;
}

async fn a_guest_comes_in_by_a_link(kind: Kind) {
    let ada = Person::register(shared(kind), "ada").await;
    let room = ada.make_room("private").await;
    let secret = secret(&ada, &room, json!({})).await;
    let guest = Person::guest(shared(kind)).await;
    assert_eq!(accept(&guest, &secret).await, 200);
    guest.post(&room, "hello").await;
    // Signing in leads back to the link.
    let http = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
    let next = format!("/invite/{secret}");
    let form =
        http.post(format!("{}/api/fn/guest", shared(kind))).form(&[("next", &next)]).header("accept", "text/html");
    let answer = form.send().await.unwrap();
    assert_eq!((answer.status(), answer.headers()["location"].to_str().unwrap()), (StatusCode::FOUND, next.as_str()));
    let away = http.post(format!("{}/api/fn/guest", shared(kind))).form(&[("next", "//evil.example")]);
    assert_eq!(away.header("accept", "text/html").send().await.unwrap().headers()["location"], "/");
}
