//! The installation as people see it: some addresses, any of which will do.

use super::RoomRef;
use crate::{history::Node, position::Position};
use anyhow::{Context, bail};
use reqwest::{Method, RequestBuilder, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

/// Longer than a node takes to say that something is away.
const ANSWER: Duration = Duration::from_secs(15);
const TRIES: u32 = 10;
const BETWEEN_TRIES: Duration = Duration::from_millis(500);
const PASSWORD: &str = "correct horse battery";

/// Where the nodes are.
#[derive(Clone, Debug)]
pub struct Site {
    /// `http://host:port` of each node that serves people.
    pub nodes: Vec<String>,
    http: reqwest::Client,
}

/// Somebody with an account, signed in by a cookie, which outlives any experiment.
#[derive(Clone, Debug)]
pub struct Person {
    /// The user name.
    pub username: String,
    /// `name=value`
    pub cookie: String,
}

/// An answer that says where.
#[derive(Clone, Copy, Debug, serde::Deserialize)]
pub struct Place {
    /// The position.
    pub at: Position,
}

impl Site {
    /// The nodes, and connections that are kept.
    ///
    /// # Errors
    /// This machine cannot make a client.
    pub fn new(nodes: Vec<String>) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().timeout(ANSWER).build()?;
        Ok(Self { nodes, http })
    }

    /// A request to a node in somebody's name, as a page of the chat itself would make it.
    pub fn request(&self, node: Node, method: Method, path: &str, person: &Person) -> RequestBuilder {
        self.http
            .request(method, format!("{}/api/v1{path}", self.nodes[usize::from(node)]))
            .header(header::COOKIE, &person.cookie)
            .header("sec-fetch-site", "same-origin")
    }

    /// A new account. A machine that has just been set to work may refuse at first.
    ///
    /// # Errors
    /// The node does not make one, however often it is asked.
    pub async fn register(&self, node: Node, stem: &str) -> anyhow::Result<Person> {
        let mut tries = 0;
        loop {
            tries += 1;
            // Another name each time: the one before may be taken, by the try that had no answer.
            let username = format!("{stem}-{}", &Uuid::new_v4().simple().to_string()[..12]);
            match self.enter(node, "/accounts", &username).await {
                Err(_) if tries < TRIES => tokio::time::sleep(BETWEEN_TRIES).await,
                result => return result,
            }
        }
    }

    /// Another session of the same person.
    ///
    /// # Errors
    /// The node does not let them in.
    pub async fn sign_in(&self, node: Node, username: &str) -> anyhow::Result<Person> {
        self.enter(node, "/sessions", username).await
    }

    async fn enter(&self, node: Node, path: &str, username: &str) -> anyhow::Result<Person> {
        let url = format!("{}/api/v1{path}", self.nodes[usize::from(node)]);
        let body = json!({ "username": username, "password": PASSWORD });
        let response = self.http.post(url).json(&body).send().await?;
        let status = response.status();
        let cookie = response.headers().get(header::SET_COOKIE).and_then(|v| v.to_str().ok());
        let cookie = cookie.and_then(|c| c.split(';').next()).map(str::to_owned);
        match cookie {
            Some(cookie) if status == StatusCode::CREATED => Ok(Person { username: username.to_owned(), cookie }),
            _ => bail!("{path} as {username}: {status} {}", response.text().await.unwrap_or_default()),
        }
    }

    /// Does something and reads the answer.
    ///
    /// # Errors
    /// No answer, or one that is no success.
    pub async fn call<T: DeserializeOwned>(
        &self,
        node: Node,
        method: Method,
        path: &str,
        person: &Person,
        body: Option<Value>,
    ) -> anyhow::Result<T> {
        let request = self.request(node, method, path, person);
        let request = if let Some(body) = body { request.json(&body) } else { request };
        let response = request.send().await?;
        let (status, body) = (response.status(), response.bytes().await?);
        if !status.is_success() {
            bail!("{path}: {status} {}", String::from_utf8_lossy(&body));
        }
        serde_json::from_slice(&body).with_context(|| format!("{path}: {}", String::from_utf8_lossy(&body)))
    }

    /// A room of somebody's own.
    ///
    /// # Errors
    /// The node does not make one.
    pub async fn make_room(
        &self,
        node: Node,
        owner: &Person,
        number: u32,
        visibility: &str,
    ) -> anyhow::Result<RoomRef> {
        #[derive(serde::Deserialize)]
        struct Made {
            id: Uuid,
        }
        let name = format!("room {number} {}", &Uuid::new_v4().simple().to_string()[..12]);
        let body = json!({ "name": name, "visibility": visibility });
        let made: Made = self.call(node, Method::POST, "/rooms", owner, Some(body)).await?;
        Ok(RoomRef { number, id: made.id })
    }

    /// Lets somebody into a room.
    ///
    /// # Errors
    /// The node does not do it.
    pub async fn add(&self, node: Node, room: RoomRef, owner: &Person, username: &str) -> anyhow::Result<Place> {
        self.call(node, Method::PUT, &format!("/rooms/{}/members/{username}", room.id), owner, None).await
    }

    /// Puts somebody out of a room.
    ///
    /// # Errors
    /// The node does not do it.
    pub async fn remove(&self, node: Node, room: RoomRef, owner: &Person, username: &str) -> anyhow::Result<Place> {
        self.call(node, Method::DELETE, &format!("/rooms/{}/members/{username}", room.id), owner, None).await
    }

    /// Ends all sessions of a person.
    ///
    /// # Errors
    /// The node does not do it.
    pub async fn end_sessions(&self, node: Node, person: &Person) -> anyhow::Result<()> {
        let status = self.request(node, Method::DELETE, "/sessions", person).send().await?.status();
        if !status.is_success() {
            bail!("ending sessions: {status}");
        }
        Ok(())
    }

    /// Something outside the API, as text: `/readyz`, `/metrics`.
    ///
    /// # Errors
    /// No answer.
    pub async fn get(&self, node: Node, path: &str) -> anyhow::Result<(StatusCode, String)> {
        let response = self.http.get(format!("{}{path}", self.nodes[usize::from(node)])).send().await?;
        Ok((response.status(), response.text().await?))
    }
}
