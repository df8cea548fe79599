//! Somebody who uses the API.

use super::Socket;
use app::model::{MessageId, Position};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

#[derive(Clone)]
pub struct Person {
    pub base: String,
    pub http: reqwest::Client,
    pub username: String,
    pub token: Option<String>,
    pub refresh_token: String,
    pub cookie: String,
}

pub fn unique(stem: &str) -> String {
    format!("{stem}-{}", &uuid::Uuid::new_v4().simple().to_string()[..12])
}

pub const PASSWORD: &str = "correct horse battery";

impl Person {
    pub fn visitor(base: &str) -> Self {
        Self {
            base: base.to_owned(),
            http: reqwest::Client::new(),
            username: String::new(),
            token: None,
            refresh_token: String::new(),
            cookie: String::new(),
        }
    }

    pub async fn register(base: &str, stem: &str) -> Self {
        let body = json!({ "username": unique(stem), "password": PASSWORD });
        Self::visitor(base).enter("/accounts", body).await
    }

    pub async fn guest(base: &str) -> Self {
        Self::visitor(base).enter("/guests", json!({})).await
    }

    /// The same person elsewhere: another session.
    pub async fn sign_in_again(&self) -> Self {
        let body = json!({ "username": self.username, "password": PASSWORD });
        Self::visitor(&self.base).enter("/sessions", body).await
    }

    /// The same session at another node.
    pub fn at(&self, base: &str) -> Self {
        Self { base: base.to_owned(), ..self.clone() }
    }

    async fn enter(mut self, path: &str, body: Value) -> Self {
        let response = self.http.post(format!("{}/api/v1{path}", self.base)).json(&body).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::CREATED);
        let cookie = response.headers()["set-cookie"].to_str().unwrap();
        self.cookie = cookie.split(';').next().unwrap().to_owned();
        let body: Value = response.json().await.unwrap();
        self.token = Some(body["access_token"].as_str().unwrap().to_owned());
        self.refresh_token = body["refresh_token"].as_str().unwrap().to_owned();
        self.username = body["user"]["username"].as_str().unwrap().to_owned();
        self
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}/api/v1{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Status and JSON of an answer (null if it has none).
    pub async fn call(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let request = self.request(method, path);
        let request = if let Some(body) = body { request.json(&body) } else { request };
        let response = request.send().await.unwrap();
        let status = response.status();
        (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or(Value::Null))
    }

    pub async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.call(Method::GET, path, None).await
    }

    /// A room that this person owns: its id.
    pub async fn make_room(&self, visibility: &str) -> String {
        let body = json!({ "name": unique("room"), "visibility": visibility });
        let (status, room) = self.call(Method::POST, "/rooms", Some(body)).await;
        assert_eq!(status, StatusCode::CREATED, "{room}");
        room["id"].as_str().unwrap().to_owned()
    }

    pub async fn join(&self, room: &str) {
        let (status, answer) = self.call(Method::PUT, &format!("/rooms/{room}/members/me"), None).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
    }

    pub async fn try_post(&self, room: &str, id: MessageId, body: &str) -> (StatusCode, Value) {
        let new = json!({ "id": id, "body": body });
        self.call(Method::POST, &format!("/rooms/{room}/messages"), Some(new)).await
    }

    /// Posts, and says where it is.
    pub async fn post(&self, room: &str, body: &str) -> (MessageId, Position) {
        let id = MessageId::new();
        let (status, answer) = self.try_post(room, id, body).await;
        assert_eq!(status, StatusCode::CREATED, "{answer}");
        (id, answer["at"].as_str().unwrap().parse().unwrap())
    }

    /// A page of the history; `query` begins with `?` or is empty.
    pub async fn history(&self, room: &str, query: &str) -> Value {
        let (status, page) = self.get(&format!("/rooms/{room}/messages{query}")).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        page
    }

    /// The bodies of the newest 200 messages once the store has `at`, oldest first.
    pub async fn bodies(&self, room: &str, at: Position) -> Vec<String> {
        super::until("the store has it", async || {
            let (status, page) = self.get(&format!("/rooms/{room}/messages?limit=1")).await;
            status == StatusCode::OK && page["at"].as_str().unwrap().parse::<Position>().unwrap() >= at
        })
        .await;
        let page = self.history(room, "?limit=200").await;
        page["messages"].as_array().unwrap().iter().map(|m| m["body"].as_str().unwrap().to_owned()).collect()
    }

    pub async fn socket(&self) -> Socket {
        Socket::connect(&self.base, self.token.as_deref()).await.expect("the handshake succeeds")
    }
}
