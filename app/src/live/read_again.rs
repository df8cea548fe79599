//! Reading a room anew because what was missed cannot be given, and hearing of it from there on.

use super::{Command, Live, backoff_ms};
use crate::{
    api,
    browser::{now, random, sleep_ms, within_ms},
    error::ApiError,
    model::{HistoryQuery, MessageId, RoomId},
    protocol::ResyncReason,
    state::RoomState,
};
use leptos::{prelude::*, task::spawn_local};

/// How long a read may take.
const READ_MS: u64 = 10_000;

/// Sees to it that the room is read anew, by one at a time.
pub fn read_again(live: Live, room: RoomId, reason: ResyncReason) {
    let wait_ms = live.reads.try_update_value(|reads| reads.begin(room, reason, now(), random())).flatten();
    if let Some(wait_ms) = wait_ms {
        // Owned by the tab, like the socket's task: it ends when nobody shows the room any more.
        spawn_local(async move {
            if wait_ms > 0 {
                sleep_ms(wait_ms).await;
            }
            read(live, room).await;
            live.reads.update_value(|reads| reads.ended(room, now()));
        });
    }
}

/// Reads a message that was pinned from beyond what is shown, if it was. Without it the list says that there is one.
pub fn read_pinned(state: RwSignal<RoomState>, id: MessageId) {
    if state.try_with_untracked(|state| state.lacks_pinned(id)) == Some(true) {
        spawn_local(async move {
            let Some(slug) = state.try_with_untracked(|state| state.room().slug.clone()) else { return };
            let query = HistoryQuery { around: Some(id), limit: Some(1), ..HistoryQuery::default() };
            let page = match within_ms(READ_MS, api::history(slug, query)).await {
                Some(Ok(page)) => Some(page),
                Some(Err(ApiError::NotFound)) => None,
                _ => return,
            };
            let _ = state.try_update(|state| state.learn_pinned(id, page.as_ref()));
        });
    }
}

/// Tries until the room is read, or needs no reading any more.
async fn read(live: Live, room: RoomId) {
    let mut failures = 0;
    while let Some((state, _)) = wanted(live, room) {
        let asked = state.try_with_untracked(|state| (state.room().slug.clone(), state.anew()));
        let Some((slug, query)) = asked else { return };
        match within_ms(READ_MS, api::room_view(slug, query, false)).await {
            Some(Ok(view)) => {
                // Another page may show the room now: it asks for itself, and may have been told to read by now.
                let Some((shown, reason)) = wanted(live, room) else { return };
                if shown != state {
                    continue;
                }
                if state.try_update(|state| state.replace(view, reason)) == Some(true) {
                    live.outbox.settle(state);
                    live.command(Command::Watch(room));
                    return;
                }
            }
            // No longer the viewer's to read.
            Some(Err(ApiError::NotFound | ApiError::Forbidden { .. } | ApiError::Unauthenticated)) => return,
            Some(Err(_)) | None => {}
        }
        // The server is away, or its store is not yet as far as this page.
        sleep_ms(backoff_ms(failures, random())).await;
        failures += 1;
    }
}

/// What is shown of the room and why it is to be read anew.
fn wanted(live: Live, room: RoomId) -> Option<(RwSignal<RoomState>, ResyncReason)> {
    let reason = live.reads.try_with_value(|reads| reads.wanted(room)).flatten()?;
    let state = live.watched.try_with_value(|watched| watched.get(&room).copied()).flatten()?;
    Some((state, reason))
}
