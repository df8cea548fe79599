//! Where plain forms go on to whose answer is no page: their outcome shows on the page that they came from.

use crate::{
    error::ApiError,
    model::{MessageId, Position},
    url,
};

/// Most of a draft that goes back through the address, in bytes as encoded: what common proxies let pass.
const MAX_DRAFT_BYTES: usize = 6_000;

/// After a message was posted: its room, or the thread that it was written in, as soon as it has it.
pub fn posted(room: &str, thread: Option<MessageId>, at: Position) -> String {
    let (page, end) = page(room, thread, "#end");
    with_field(&page, "at_least", &at.to_string()) + end
}

/// Where it was written. A thread stands at its end, and at its composer, by itself.
fn page<'e>(room: &str, thread: Option<MessageId>, place: &'e str) -> (String, &'e str) {
    thread.map_or_else(|| (url::room(room), place), |thread| (url::thread(room, thread), ""))
}

/// After a message could not be posted: where it was written, with the text.
pub fn not_posted(
    room: &str,
    thread: Option<MessageId>,
    id: Option<MessageId>,
    reply_to: Option<MessageId>,
    body: &str,
    error: &ApiError,
) -> String {
    let (page, place) = page(room, thread, "#compose");
    let mut page = with_error(&page, error);
    if let Some(id) = id.filter(|_| error.retryable()) {
        // It may have been stored: only with the same id is the second try not a second message.
        page = with_field(&page, "id", &id.to_string());
    }
    if let (Some(reply_to), None) = (reply_to, thread) {
        page = with_field(&page, "reply_to", &reply_to.to_string());
    }
    with_draft(&page, body) + place
}

/// Whoever is not signed in any more: signing in, and then back to the room.
pub fn login(room: &str) -> String {
    url::login(&url::room(room))
}

/// `page` with the word for an error, for the page to explain.
pub fn with_error(page: &str, error: &ApiError) -> String {
    with_field(page, "error", error.code())
}

/// `page` with one more field.
pub fn with_field(page: &str, name: &str, value: &str) -> String {
    let separator = if page.contains('?') { '&' } else { '?' };
    format!("{page}{separator}{name}={}", url::encode(value))
}

/// The text comes back with the error. One too long for an address is still in the browser's own history; the page
/// says so.
fn with_draft(page: &str, body: &str) -> String {
    let with = with_field(page, "draft", body);
    if with.len() <= page.len() + MAX_DRAFT_BYTES { with } else { with_field(page, "draft_kept", "no") }
}
