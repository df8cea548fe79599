//! Rooms and who is in them. The forms are plain ones: what a person may do in a room changes with them.

#[cfg(feature = "ssr")]
use super::on_server::*;
#[cfg(feature = "ssr")]
use crate::url;
use crate::{
    error::ApiError,
    json::Answer,
    model::{HistoryQuery, Member, Message, MessageId, MessagePage, Position, Room, Thread, Unread, Visibility},
};
use leptos::{prelude::*, server_fn::codec::Json};
use serde::{Deserialize, Serialize};

/// All that a room's page shows, read together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomData {
    /// The room.
    pub room: Room,
    /// Who is in it.
    pub members: Vec<Member>,
    /// A stretch of its history.
    pub page: MessagePage,
    /// There is something before the stretch.
    pub older: bool,
    /// There is something after the stretch.
    pub newer: bool,
    /// Up to where the viewer, who has not read everything, has read; `None`: there is nothing to tell apart.
    pub read: Option<Position>,
    /// What the room keeps in view, the last pinned first.
    #[serde(default)]
    pub pins: Vec<Message>,
    /// A thread beside it, in the first HTML alone: scripts read it by themselves.
    #[serde(skip)]
    pub thread: Option<Thread>,
}

/// The rooms that the viewer may know of, own ones first.
#[server(prefix = "/api/fn", endpoint = "rooms", output = Answer)]
pub async fn rooms() -> Result<Vec<Room>, ApiError> {
    backend()?.rooms(viewer().as_ref(), false).await
}

/// What the viewer has not read, of each room that they are in; nothing for a visitor.
#[server(prefix = "/api/fn", endpoint = "unread", output = Answer)]
pub async fn unread_rooms() -> Result<Vec<Unread>, ApiError> {
    match viewer() {
        Some(who) => backend()?.unread(&who).await,
        None => Ok(Vec::new()),
    }
}

/// A room with a stretch of its history. `from_unread`: if the newest messages are all unread, around the first unread.
#[server(prefix = "/api/fn", endpoint = "room-view", input = Json, output = Answer)]
pub async fn room_view(room: String, query: HistoryQuery, from_unread: bool) -> Result<RoomData, ApiError> {
    let (backend, who) = (backend()?, viewer());
    let (who, mut query) = (who.as_ref(), query);
    let view = async {
        // The history comes first: it waits for `at_least`, and the rest is then no older.
        let mut page = backend.history(who, &room, &query).await?;
        let read = match who {
            Some(who) => backend.read_marker(who, &room).await?,
            None => None,
        };
        // Who has written has read what was there then.
        let own = |m: &&Message| who.is_some_and(|who| who.user.id == m.author.id);
        let written = page.messages.iter().rev().find(own).map(|m| m.at);
        let read = read.map(|read| written.map_or(read, |written| written.max(read)));
        if from_unread
            && let (Some(read), Some(first)) = (read, page.messages.first())
            && page.more
            && first.at > read
        {
            let next = HistoryQuery { after: Some(read), limit: Some(1), ..HistoryQuery::default() };
            if let Some(unread) = backend.history(who, &room, &next).await?.messages.first() {
                query = HistoryQuery { around: Some(unread.id), ..HistoryQuery::default() };
                page = backend.history(who, &room, &query).await?;
            }
        }
        let (older, newer) = match (&query, page.messages.first(), page.messages.last()) {
            (HistoryQuery { around: Some(_), .. }, Some(first), Some(last)) => {
                let one = HistoryQuery { limit: Some(1), ..HistoryQuery::default() };
                let before = HistoryQuery { before: Some(first.at), ..one.clone() };
                let after = HistoryQuery { after: Some(last.at), ..one };
                let older = !backend.history(who, &room, &before).await?.messages.is_empty();
                (older, !backend.history(who, &room, &after).await?.messages.is_empty())
            }
            (HistoryQuery { before: Some(_), .. }, ..) => (page.more, true),
            (HistoryQuery { after: Some(_), .. }, ..) => (true, page.more),
            _ => (page.more, false),
        };
        let pins = backend.pins(who, &room).await?.pins.into_iter().map(|pin| pin.message).collect();
        let members = backend.members(who, &room).await?;
        let room = backend.room(who, &room).await?;
        let others = |m: &Message| who.is_some_and(|who| who.user.id != m.author.id);
        let read = read.filter(|read| newer || page.messages.iter().any(|m| m.at > *read && others(m)));
        Ok(RoomData { room, members, page, older, newer, read, pins, thread: None })
    };
    with_status(view.await)
}

/// A stretch of a room's history.
#[server(prefix = "/api/fn", endpoint = "history", input = Json, output = Answer)]
pub async fn history(room: String, query: HistoryQuery) -> Result<MessagePage, ApiError> {
    with_status(backend()?.history(viewer().as_ref(), &room, &query).await)
}

/// A message and the newest that answer it.
#[server(prefix = "/api/fn", endpoint = "thread", input = Json, output = Answer)]
pub async fn read_thread(room: String, id: MessageId, at_least: Position) -> Result<Thread, ApiError> {
    let query = HistoryQuery { limit: Some(THREAD), at_least: Some(at_least), ..HistoryQuery::default() };
    with_status(backend()?.thread(viewer().as_ref(), &room, id, &query).await)
}

/// The same beside the room, if one is wanted.
#[cfg(feature = "ssr")]
pub async fn with_thread(mut view: RoomData, of: Option<MessageId>) -> Result<RoomData, ApiError> {
    if let Some(of) = of {
        view.thread = Some(read_thread(view.room.slug.clone(), of, view.page.at).await?);
    }
    Ok(view)
}

/// So many answers are shown of a thread.
#[cfg(feature = "ssr")]
const THREAD: u32 = 200;

/// Makes a room.
#[server(prefix = "/api/fn", endpoint = "create-room")]
pub async fn create_room(name: String, visibility: Visibility) -> Result<Room, ApiError> {
    let backend = backend()?;
    let outcome = async { backend.create_room(&who()?, &name, visibility).await };
    let outcome = outcome.await;
    answer(
        outcome,
        |(room, written)| with_field(&url::room(&room.slug), "at_least", &written.at.to_string()),
        |error| {
            let kept: String = name.chars().take(120).collect();
            let page = with_field(&with_error("/", error), "form", "create-room");
            with_field(&with_field(&page, "name", &kept), "visibility", visibility.as_str()) + "#create-room"
        },
    )
    .map(|(room, _)| room)
}

/// Begins, or opens, a direct conversation with somebody.
#[server(prefix = "/api/fn", endpoint = "direct")]
pub async fn direct(person: String) -> Result<Room, ApiError> {
    let backend = backend()?;
    let person = person.trim().trim_start_matches('@').to_owned();
    let outcome = async { backend.direct(&who()?, std::slice::from_ref(&person)).await };
    answer(
        outcome.await,
        |(room, written, _)| with_field(&url::room(&room.slug), "at_least", &written.at.to_string()),
        |error| {
            let page = with_field(&with_error("/", error), "form", "direct");
            with_field(&page, "name", &person.chars().take(40).collect::<String>()) + "#direct"
        },
    )
    .map(|(room, ..)| room)
}

/// Becomes a member.
#[server(prefix = "/api/fn", endpoint = "join")]
pub async fn join(room: String) -> Result<(), ApiError> {
    let backend = backend()?;
    let outcome = async { backend.join(&who()?, &room).await };
    let page = url::room(&room);
    answer(
        outcome.await,
        |written| with_field(&page, "at_least", &written.at.to_string()),
        |error| with_error(&page, error),
    )
    .map(|_| ())
}

/// Is a member no longer.
#[server(prefix = "/api/fn", endpoint = "leave")]
pub async fn leave(room: String) -> Result<(), ApiError> {
    let backend = backend()?;
    let outcome = async { backend.leave(&who()?, &room).await };
    let failed = |error: &ApiError| with_field(&with_error(&url::settings(&room), error), "form", "leave");
    answer(outcome.await, |_| "/".to_owned(), failed).map(|_| ())
}
