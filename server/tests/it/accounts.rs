//! Accounts, sessions, credentials.

use crate::support::{Installation, Kind, Person, Socket, in_both_modes, people::PASSWORD, shared};
use app::protocol::SUBPROTOCOL;
use reqwest::{Method, StatusCode};
use serde_json::json;

in_both_modes!(
    an_account_is_made_once_and_signed_in_to_by_its_password,
    a_refresh_token_works_once_and_its_reuse_ends_the_session,
    signing_out_ends_the_token_the_cookie_and_the_sockets,
    signing_out_everywhere_ends_every_session,
    a_cookie_writes_from_our_own_pages_only,
    the_administrators_link_works_once,
    what_cannot_be_an_account_is_refused,
);

async fn me(base: &str, header: (&str, &str)) -> u16 {
    let request = reqwest::Client::new().get(format!("{base}/api/v1/me")).header(header.0, header.1);
    request.send().await.unwrap().status().as_u16()
}

async fn an_account_is_made_once_and_signed_in_to_by_its_password(kind: Kind) {
    let base = shared(kind);
    let ada = Person::register(base, "Ada").await;
    let (status, answer) = ada.get("/me").await;
    assert_eq!((status, &answer["user"]["username"]), (StatusCode::OK, &json!(ada.username)));
    let visitor = Person::visitor(base);
    let taken = json!({ "username": ada.username.to_uppercase(), "password": PASSWORD });
    assert_eq!(visitor.call(Method::POST, "/accounts", Some(taken)).await.0, StatusCode::CONFLICT);
    let again = ada.sign_in_again().await;
    assert_eq!(again.get("/me").await.0, StatusCode::OK);
    let wrong = async |name: &str| {
        let body = json!({ "username": name, "password": "wrong horse battery" });
        visitor.call(Method::POST, "/sessions", Some(body)).await
    };
    let (unknown, known) = (wrong("nobody-of-that-name").await, wrong(&ada.username).await);
    assert_eq!(unknown, known, "the answer does not tell which of the two is wrong");
    assert_eq!(known.0, StatusCode::UNAUTHORIZED);
    assert_eq!(visitor.get("/me").await.0, StatusCode::UNAUTHORIZED);
}

async fn a_refresh_token_works_once_and_its_reuse_ends_the_session(kind: Kind) {
    let ada = Person::register(shared(kind), "ada").await;
    let refresh = async |token: &str| {
        let body = Some(json!({ "refresh_token": token }));
        Person::visitor(shared(kind)).call(Method::POST, "/sessions/refresh", body).await
    };
    let (status, fresh) = refresh(&ada.refresh_token).await;
    assert_eq!(status, StatusCode::OK);
    let bearer = format!("Bearer {}", fresh["access_token"].as_str().unwrap());
    assert_eq!(me(&ada.base, ("authorization", &bearer)).await, 200);
    assert_eq!(refresh(&ada.refresh_token).await.0, StatusCode::UNAUTHORIZED, "used up");
    assert_eq!(refresh(fresh["refresh_token"].as_str().unwrap()).await.0, StatusCode::UNAUTHORIZED, "its family too");
    assert_eq!(me(&ada.base, ("authorization", &bearer)).await, 401);
    assert_eq!(refresh("nonsense").await.0, StatusCode::UNAUTHORIZED);
}

async fn signing_out_ends_the_token_the_cookie_and_the_sockets(kind: Kind) {
    let ada = Person::register(shared(kind), "ada").await;
    let elsewhere = ada.sign_in_again().await;
    let (mut mine, mut other) = (ada.socket().await, elsewhere.socket().await);
    assert_eq!(ada.call(Method::DELETE, "/sessions/current", None).await.0, StatusCode::NO_CONTENT);
    assert_eq!(mine.end().await.map(|(code, _)| code), Some(4401));
    assert_eq!(ada.get("/me").await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(me(&ada.base, ("cookie", &ada.cookie)).await, 401);
    assert_eq!(Socket::connect(&ada.base, ada.token.as_deref()).await.err(), Some(401));
    other.send(json!({ "type": "ping" })).await;
    assert_eq!(other.next_of("pong").await["type"], "pong", "another session lives on");
}

async fn signing_out_everywhere_ends_every_session(kind: Kind) {
    let ada = Person::register(shared(kind), "ada").await;
    let elsewhere = ada.sign_in_again().await;
    let (mut mine, mut other) = (ada.socket().await, elsewhere.socket().await);
    assert_eq!(ada.call(Method::DELETE, "/sessions", None).await.0, StatusCode::NO_CONTENT);
    assert_eq!(mine.end().await.map(|(code, _)| code), Some(4401));
    assert_eq!(other.end().await.map(|(code, _)| code), Some(4401));
    assert_eq!(elsewhere.get("/me").await.0, StatusCode::UNAUTHORIZED);
    let refresh = Some(json!({ "refresh_token": elsewhere.refresh_token }));
    let visitor = Person::visitor(shared(kind));
    assert_eq!(visitor.call(Method::POST, "/sessions/refresh", refresh).await.0, StatusCode::UNAUTHORIZED);
}

async fn a_cookie_writes_from_our_own_pages_only(kind: Kind) {
    let ada = Person::register(shared(kind), "ada").await;
    let port = ada.base.rsplit(':').next().unwrap();
    let ours = format!("http://localhost:{port}");
    let post = async |origin: Option<&str>| {
        let url = format!("{}/api/v1/rooms/welcome/messages", ada.base);
        let request = ada.http.post(url).header("cookie", &ada.cookie).json(&json!({ "body": "hello" }));
        let request = if let Some(origin) = origin { request.header("origin", origin) } else { request };
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(post(Some(&ours)).await, 201);
    assert_eq!(post(Some("https://evil.example")).await, 403);
    assert_eq!(post(Some("null")).await, 403);
    assert_eq!(post(None).await, 403);

    let socket = async |origin: Option<&str>| {
        let headers = [("cookie", ada.cookie.as_str())].into_iter().chain(origin.map(|o| ("origin", o)));
        Socket::connect_with(&ada.base, SUBPROTOCOL, headers).await.map(|s| s.hello["type"].clone())
    };
    assert_eq!(socket(Some(&ours)).await, Ok(json!("hello")));
    assert_eq!(socket(Some("https://evil.example")).await, Err(403));
    assert_eq!(socket(None).await, Err(403));
}

async fn the_administrators_link_works_once(kind: Kind) {
    let installation = Installation::new(kind).await;
    let node = installation.start().await;
    let link = node.server.admin_link().expect("nobody runs it yet").to_owned();
    let token = link.split_once("/register?admin=").unwrap().1;
    let visitor = Person::visitor(&node.base);
    let register = async |name: &str, token: &str| {
        let body = json!({ "username": name, "password": PASSWORD, "admin_token": token });
        visitor.call(Method::POST, "/accounts", Some(body)).await
    };
    assert_eq!(register("mallory", "guessed").await.0, StatusCode::FORBIDDEN);
    let (status, ada) = register("ada", token).await;
    assert_eq!((status, &ada["user"]["admin"]), (StatusCode::CREATED, &json!(true)));
    assert_eq!(register("lin", token).await.0, StatusCode::FORBIDDEN);
    let (status, lin) = register("lin", "").await;
    assert_eq!((status, &lin["user"]["admin"]), (StatusCode::CREATED, &json!(false)));
    node.server.shutdown().await;
    let again = installation.start().await;
    assert_eq!(again.server.admin_link(), None);
    again.server.shutdown().await;
}

async fn what_cannot_be_an_account_is_refused(kind: Kind) {
    let visitor = Person::visitor(shared(kind));
    let register = async |body| visitor.call(Method::POST, "/accounts", Some(body)).await.0.as_u16();
    assert_eq!(register(json!({ "username": "a b", "password": PASSWORD })).await, 422);
    assert_eq!(register(json!({ "username": "short", "password": "1234567" })).await, 422);
    assert_eq!(register(json!({ "username": "long", "password": "x".repeat(257) })).await, 422);
    assert_eq!(register(json!({ "username": "nopassword" })).await, 422);
    assert_eq!(register(json!({ "username": "partyline", "password": PASSWORD })).await, 409);
    assert_eq!(register(json!({ "username": "guest-1234", "password": PASSWORD })).await, 409);
}
