//! Reading a room's history, page by page.

use super::{Backoff, Dice, Person, RoomRef, Site};
use crate::{
    history::{Client, Node, Recorder, What},
    position::Position,
};
use anyhow::Context;
use reqwest::Method;
use serde::Deserialize;
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// How long a page is asked for.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Deserialize)]
struct Page {
    messages: Vec<Message>,
    at: Position,
    more: bool,
}

#[derive(Deserialize)]
struct Message {
    id: Uuid,
    at: Position,
}

/// Who reads, and where it is written down.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    /// The nodes.
    pub site: &'a Site,
    /// Writes down what was read…
    pub recorder: &'a Recorder,
    /// …by this client…
    pub client: Client,
    /// …of this person.
    pub person: &'a Person,
}

impl Reader<'_> {
    /// Reads everything after a position, at any node that answers or at one. Returns up to where it is complete.
    /// `whole`: which reading of the whole room this is; 0: none.
    ///
    /// # Errors
    /// No node answers for two minutes.
    pub async fn read(
        &self,
        room: RoomRef,
        after: Position,
        node: Option<Node>,
        whole: u32,
        dice: &mut Dice,
    ) -> anyhow::Result<Position> {
        let mut after = after;
        loop {
            let (n, page) = self.page(room, after, node, dice).await?;
            let m = page.messages.iter().map(|m| (m.id, m.at)).collect();
            let (r, at, more) = (room.number, page.at, page.more);
            self.recorder.write(self.client, What::Page { r, n, after, at, more, whole, m });
            if !page.more {
                return Ok(page.at);
            }
            after = page.at;
        }
    }

    /// Reads the newest few messages at a node, once. Up to where it is complete.
    ///
    /// # Errors
    /// The node does not answer with a page.
    pub async fn newest(&self, room: RoomRef, n: Node, limit: u32) -> anyhow::Result<Position> {
        let path = format!("/rooms/{}/messages?limit={limit}", room.id);
        let page: Page = self.site.call(n, Method::GET, &path, self.person, None).await?;
        let m: Vec<_> = page.messages.iter().map(|m| (m.id, m.at)).collect();
        // It has everything from its first message on; if nothing is older, everything.
        let after = match m.first() {
            Some((_, first)) if page.more => Position { offset: first.offset.saturating_sub(1), ..*first },
            _ => Position::START,
        };
        self.recorder
            .write(self.client, What::Page { r: room.number, n, after, at: page.at, more: false, whole: 0, m });
        Ok(page.at)
    }

    async fn page(
        &self,
        room: RoomRef,
        after: Position,
        node: Option<Node>,
        dice: &mut Dice,
    ) -> anyhow::Result<(Node, Page)> {
        let (mut backoff, deadline) = (Backoff::new(), Instant::now() + PATIENCE);
        let path = format!("/rooms/{}/messages?limit=200&after={after}", room.id);
        loop {
            let n = node.unwrap_or_else(|| dice.below(self.site.nodes.len()) as Node);
            match self.site.call(n, Method::GET, &path, self.person, None).await {
                Ok(page) => return Ok((n, page)),
                Err(e) if Instant::now() > deadline => return Err(e).context("no node gives a page of history"),
                Err(_) => backoff.wait(dice).await,
            }
        }
    }
}
