//! Messages on their way to the server: shown at once, sent one at a time and in order per room, kept across reloads.
//!
//! The first step of a message's way. What the server refused stays in place
//! until a person decides; what it could not answer is sent again under the same id.

#[cfg(test)]
mod properties;
mod queue;

use crate::{
    api::{Post, Sent},
    browser::{self, sleep_ms},
    error::{ApiError, Outcome},
    json,
    live::backoff_ms,
    model::{MessageId, RoomId, Written},
    reactive::effect,
    session,
    state::RoomState,
    words,
};
use leptos::{prelude::*, server_fn::ServerFn, task::spawn_local};
pub use queue::{Queue, Status, Unsent};

/// How long one try may take.
const DEADLINE_MS: u64 = 15_000;

/// All rooms' unsent messages. One in a tab, shared through the context.
#[derive(Clone, Copy)]
pub struct Outbox {
    queue: RwSignal<Queue>,
    /// Under what unsent messages are kept. With the account in it, so that nobody sends another's words; one entry a
    /// message, so that two tabs do not write over each other's. A visitor has nothing to send.
    prefix: StoredValue<Option<String>>,
}

impl Outbox {
    /// Makes the tab's outbox. What an earlier page left unsent goes out once the browser has taken over.
    pub fn provide() -> Self {
        let prefix = session::me().map(|me| format!("partyline.unsent.{}.", me.id));
        let outbox = Self { queue: RwSignal::new(Queue::default()), prefix: StoredValue::new(prefix) };
        provide_context(outbox);
        effect(move || {
            let Some(prefix) = outbox.prefix.get_value() else { return };
            let kept = browser::stored_under(&prefix);
            let mut kept: Vec<Unsent> = kept.iter().filter_map(|text| json::read(text).ok()).collect();
            // UUIDv7s of one browser are in order of time.
            kept.sort_by_key(|unsent| unsent.id);
            for unsent in kept {
                outbox.enqueue(unsent);
            }
        });
        outbox
    }

    /// The unsent messages.
    pub fn queue(self) -> RwSignal<Queue> {
        self.queue
    }

    /// Sends a message, after those to the same room that wait already.
    pub fn send(self, room: RoomId, slug: String, body: String, reply_to: Option<MessageId>) {
        let id = MessageId::new();
        self.enqueue(Unsent { id, room, slug, body, reply_to, written_at: browser::now(), status: Status::Waiting });
    }

    /// Sends again what was refused.
    pub fn retry(self, id: MessageId) {
        let room = self.queue.try_update(|queue| queue.retry(id)).flatten();
        if let Some(room) = room {
            self.pump(room);
        }
    }

    /// Drops a message that was not sent.
    pub fn discard(self, id: MessageId) {
        self.forget(id);
        self.queue.update(|queue| queue.remove(id));
    }

    /// Lets go of the sent messages that have come back as the room's own.
    pub fn settle(self, state: RwSignal<RoomState>) {
        let done = self.queue.with_untracked(|queue| state.try_with_untracked(|state| queue.arrived(state)));
        let Some(done) = done else { return };
        for id in done {
            // Back from the room without an answer to the sender: it is sent all the same.
            self.forget(id);
            self.queue.update(|queue| queue.remove(id));
        }
    }

    fn enqueue(self, unsent: Unsent) {
        let room = unsent.room;
        self.keep(&unsent);
        self.queue.update(|queue| queue.push(unsent));
        self.pump(room);
    }

    fn keep(self, unsent: &Unsent) {
        if let (Some(key), Ok(text)) = (self.key(unsent.id), serde_json::to_string(unsent)) {
            browser::store(&key, &text);
        }
    }

    fn forget(self, id: MessageId) {
        if let Some(key) = self.key(id) {
            browser::forget(&key);
        }
    }

    fn key(self, id: MessageId) -> Option<String> {
        self.prefix.get_value().map(|prefix| format!("{prefix}{id}"))
    }

    /// Sends the room's first waiting message, unless one is on its way.
    fn pump(self, room: RoomId) {
        if let Some(unsent) = self.queue.try_update(|queue| queue.begin(room)).flatten() {
            spawn_local(async move {
                self.deliver(unsent).await;
                self.pump(room);
            });
        }
    }

    /// Tries until the server has the message or refuses it, or the person discards it.
    async fn deliver(self, unsent: Unsent) {
        let mut failures = 0;
        while self.queue.try_with_untracked(|queue| queue.contains(unsent.id)) == Some(true) {
            match attempt(&unsent).await {
                Ok(posted) => {
                    self.forget(unsent.id);
                    self.queue.update(|queue| queue.sent(unsent.id, posted.at));
                    return;
                }
                Err(error) if error.retryable() => {
                    self.queue.update(|queue| queue.failed_for_now(unsent.id));
                    let asked = match error {
                        ApiError::TooManyRequests { retry_after_s } | ApiError::Unavailable { retry_after_s, .. } => {
                            retry_after_s.min(60) * 1_000
                        }
                        _ => 0,
                    };
                    sleep_ms(backoff_ms(failures, browser::random()).max(asked)).await;
                    failures += 1;
                }
                Err(error) => {
                    self.queue.update(|queue| queue.refused(unsent.id, words::sentence(&error.to_string())));
                    // Signing in loads a page, and that page may try again by itself: nothing was wrong with the text.
                    if error != ApiError::Unauthenticated
                        && let Some(refused) = self.queue.with_untracked(|queue| queue.get(unsent.id).cloned())
                    {
                        self.keep(&refused);
                    }
                    return;
                }
            }
        }
    }
}

async fn attempt(unsent: &Unsent) -> Result<Written, ApiError> {
    let Unsent { slug, id, body, reply_to, .. } = unsent.clone();
    let sent = Sent { room: Some(slug), id: Some(id), body: Some(body), reply_to, ..Sent::default() };
    browser::within_ms(DEADLINE_MS, sent.to(Post::PATH)).await.unwrap_or(Err(ApiError::unavailable(Outcome::Unknown)))
}
