//! Somebody who writes: one message after the other, each with one id until it
//! is acknowledged.

use super::{Backoff, Dice, Person, RoomRef, Site};
use crate::{
    history::{Client, Node, Recorder, What},
    position::Position,
};
use anyhow::bail;
use reqwest::{Method, StatusCode};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use uuid::Uuid;

/// How long a message is tried, over all nodes. Faults are shorter.
const PATIENCE: Duration = Duration::from_secs(180);

/// One who writes into a room.
pub struct Writer {
    site: Arc<Site>,
    recorder: Arc<Recorder>,
    person: Person,
    room: RoomRef,
    client: Client,
    dice: Dice,
    path: String,
    node: Node,
}

/// What became of an attempt.
enum Answer {
    At(Position),
    /// Not now; the log may have it, or never will.
    No {
        status: u16,
        never: bool,
    },
}

impl Writer {
    /// Writes as a person into a room, at nodes that the dice choose.
    pub fn new(site: Arc<Site>, recorder: Arc<Recorder>, person: Person, room: RoomRef, mut dice: Dice) -> Self {
        let client = recorder.client(&person.username);
        let node = dice.below(site.nodes.len()) as Node;
        Self { path: format!("/rooms/{}/messages", room.id), site, recorder, person, room, client, dice, node }
    }

    /// Posts one message, again and again until it is acknowledged; where.
    ///
    /// # Errors
    /// Nobody acknowledged it for three minutes, or an answer that a member must not get.
    pub async fn post(&mut self, body: &str) -> anyhow::Result<Position> {
        let id = Uuid::now_v7();
        let (mut backoff, deadline) = (Backoff::new(), Instant::now() + PATIENCE);
        loop {
            let (r, i, n) = (self.room.number, id, self.node);
            self.recorder.write(self.client, What::Post { r, i, n });
            match self.attempt(id, body).await {
                Answer::At(at) => {
                    self.recorder.write(self.client, What::Ack { r, i, n, at });
                    return Ok(at);
                }
                Answer::No { status, never } => {
                    self.recorder.write(self.client, What::No { r, i, n, s: status, never });
                    // 401 and 403 are for those who do not belong here, and 4xx for those who cannot write.
                    let waits = matches!(status, 0 | 408 | 429 | 500..);
                    if !waits || Instant::now() > deadline {
                        bail!("room {r}: node {n} answered {status} to a member's message {id}");
                    }
                }
            }
            // Anywhere, the same node too.
            self.node = self.dice.below(self.site.nodes.len()) as Node;
            backoff.wait(&mut self.dice).await;
        }
    }

    /// Posts one message once; whether it was acknowledged.
    pub async fn try_post(&mut self, body: &str) -> Option<Position> {
        let (r, i, n) = (self.room.number, Uuid::now_v7(), self.node);
        self.recorder.write(self.client, What::Post { r, i, n });
        match self.attempt(i, body).await {
            Answer::At(at) => {
                self.recorder.write(self.client, What::Ack { r, i, n, at });
                Some(at)
            }
            Answer::No { status, never } => {
                self.recorder.write(self.client, What::No { r, i, n, s: status, never });
                None
            }
        }
    }

    async fn attempt(&self, id: Uuid, body: &str) -> Answer {
        #[derive(serde::Serialize)]
        struct New<'a> {
            id: Uuid,
            body: &'a str,
        }
        #[derive(serde::Deserialize)]
        struct Posted {
            id: Uuid,
            at: Position,
        }
        #[derive(serde::Deserialize)]
        struct Problem {
            outcome: Option<String>,
        }
        const NO_ANSWER: Answer = Answer::No { status: 0, never: false };
        let request = self.site.request(self.node, Method::POST, &self.path, &self.person).json(&New { id, body });
        let Ok(response) = request.send().await else { return NO_ANSWER };
        let status = response.status();
        let Ok(answer) = response.bytes().await else { return NO_ANSWER };
        if matches!(status, StatusCode::CREATED | StatusCode::OK) {
            return match serde_json::from_slice::<Posted>(&answer) {
                Ok(posted) if posted.id == id => Answer::At(posted.at),
                _ => Answer::No { status: status.as_u16(), never: false },
            };
        }
        let outcome = serde_json::from_slice::<Problem>(&answer).ok().and_then(|problem| problem.outcome);
        Answer::No { status: status.as_u16(), never: outcome.as_deref() == Some("not_persisted") }
    }
}
