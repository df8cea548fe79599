//! What happens inside a room. In the browser scripts call these; without, plain forms do.

#[cfg(feature = "ssr")]
use super::on_server::*;
#[cfg(feature = "ssr")]
use crate::{backend::NewMessage, url};
use crate::{
    error::ApiError,
    json::Answer,
    model::{MessageId, Position, Posted, Written},
};
use leptos::{prelude::*, server_fn::codec::Json};

/// Posts. `id` is the sender's: sending the same twice is one message.
#[server(prefix = "/api/fn", endpoint = "post", output = Answer)]
pub async fn post(
    room: String,
    id: Option<MessageId>,
    body: String,
    reply_to: Option<MessageId>,
) -> Result<Posted, ApiError> {
    let backend = backend()?;
    let new = NewMessage { id, body: body.clone(), reply_to };
    let outcome = async { backend.post(&who()?, &room, new).await };
    let outcome = outcome.await;
    answer(
        outcome,
        |posted| shown(&room, posted.at) + "#end",
        |error| {
            let mut page = with_error(&url::room(&room), error);
            if let Some(id) = id.filter(|_| error.retryable()) {
                // It may have been stored: only with the same id is the second try not a second message.
                page = with_field(&page, "id", &id.to_string());
            }
            if let Some(reply_to) = reply_to {
                page = with_field(&page, "reply_to", &reply_to.to_string());
            }
            with_draft(&page, &body) + "#compose"
        },
    )
}

/// Replaces the text of one's own message.
#[server(prefix = "/api/fn", endpoint = "edit", output = Answer)]
pub async fn edit(room: String, id: MessageId, body: String) -> Result<Written, ApiError> {
    let backend = backend()?;
    let outcome = async { backend.edit(&who()?, &room, id, &body).await };
    after_change(outcome.await, &room, id)
}

/// Deletes a message.
#[server(prefix = "/api/fn", endpoint = "delete", output = Answer)]
pub async fn delete(room: String, id: MessageId) -> Result<Written, ApiError> {
    let backend = backend()?;
    let outcome = async { backend.delete(&who()?, &room, id).await };
    after_change(outcome.await, &room, id)
}

/// Puts (`on`) or takes back an emoji under a message.
#[server(prefix = "/api/fn", endpoint = "react", output = Answer)]
pub async fn react(room: String, id: MessageId, emoji: String, on: bool) -> Result<Written, ApiError> {
    let backend = backend()?;
    let outcome = async { backend.react(&who()?, &room, id, &emoji, on).await };
    after_change(outcome.await, &room, id)
}

/// Tells the room that the viewer types.
#[server(prefix = "/api/fn", endpoint = "typing", output = Answer)]
pub async fn typing(room: String) -> Result<(), ApiError> {
    let backend = backend()?;
    let outcome = async { backend.typing(&who()?, &room).await };
    with_status(outcome.await)
}

/// Has read up to here.
#[server(prefix = "/api/fn", endpoint = "read", input = Json, output = Answer)]
pub async fn mark_read(room: String, at: Position) -> Result<(), ApiError> {
    let backend = backend()?;
    let outcome = async { backend.mark_read(&who()?, &room, at).await };
    with_status(outcome.await)
}

/// A plain form that changed a message goes back to the message, wherever in the history it is.
#[cfg(feature = "ssr")]
fn after_change(outcome: Result<Written, ApiError>, room: &str, id: MessageId) -> Result<Written, ApiError> {
    let page = url::message(room, id);
    answer(outcome, |written| with_field(&page, "at_least", &written.at.to_string()), |error| with_error(&page, error))
}

#[cfg(feature = "ssr")]
fn shown(room: &str, at: Position) -> String {
    with_field(&url::room(room), "at_least", &at.to_string())
}

/// Most of a draft that goes back through the address, in bytes as encoded: what common proxies let pass.
#[cfg(feature = "ssr")]
const MAX_DRAFT_BYTES: usize = 6_000;

/// The text comes back with the error. One too long for an address is still in the browser's own history; the page
/// says so.
#[cfg(feature = "ssr")]
fn with_draft(page: &str, body: &str) -> String {
    let with = with_field(page, "draft", body);
    if with.len() <= page.len() + MAX_DRAFT_BYTES { with } else { with_field(page, "draft_kept", "no") }
}
