//! What happens inside a room. In the browser scripts call these; without, plain forms do.

#[cfg(feature = "ssr")]
use super::on_server::*;
#[cfg(feature = "ssr")]
use crate::{backend::NewMessage, forms, url};
use crate::{
    error::ApiError,
    json::Answer,
    model::{MessageId, NotificationLevel, Position, Posted, Written},
};
use leptos::{prelude::*, server_fn::codec::Json};

/// Posts. `id` is the sender's: sending the same twice is one message. `in_thread`: a plain form goes back to the thread.
#[server(prefix = "/api/fn", endpoint = "post", output = Answer)]
pub async fn post(
    room: String,
    id: Option<MessageId>,
    body: String,
    reply_to: Option<MessageId>,
    #[server(default)] in_thread: bool,
) -> Result<Posted, ApiError> {
    let backend = backend()?;
    let new = NewMessage { id, body: body.clone(), reply_to };
    let outcome = async { backend.post(&who()?, &room, new).await };
    let thread = reply_to.filter(|_| in_thread);
    answer(
        outcome.await,
        |posted| forms::posted(&room, thread, posted.at),
        |error| forms::not_posted(&room, thread, id, reply_to, &body, error),
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

/// Keeps a message in view (`on`), or does no longer.
#[server(prefix = "/api/fn", endpoint = "pin", output = Answer)]
pub async fn pin(room: String, id: MessageId, on: bool) -> Result<Written, ApiError> {
    let backend = backend()?;
    let outcome = async { backend.pin(&who()?, &room, id, on).await };
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

/// Has read everything in all rooms.
#[server(prefix = "/api/fn", endpoint = "read-all", output = Answer)]
pub async fn mark_all_read() -> Result<(), ApiError> {
    let backend = backend()?;
    let outcome = async { backend.mark_all_read(&who()?).await };
    answer(outcome.await, |()| "/".to_owned(), |error| with_error("/", error))
}

/// Chooses how much of a room one wants to be told of.
#[server(prefix = "/api/fn", endpoint = "notifications", output = Answer)]
pub async fn notifications(room: String, level: NotificationLevel) -> Result<(), ApiError> {
    let backend = backend()?;
    let outcome = async { backend.set_level(&who()?, &room, level).await };
    let page = url::room(&room);
    answer(outcome.await, |()| page.clone(), |error| with_error(&page, error))
}

/// A plain form that changed a message goes back to the message, wherever in the history it is.
#[cfg(feature = "ssr")]
fn after_change(outcome: Result<Written, ApiError>, room: &str, id: MessageId) -> Result<Written, ApiError> {
    let page = url::message(room, id);
    answer(outcome, |written| with_field(&page, "at_least", &written.at.to_string()), |error| with_error(&page, error))
}
