//! Searching over HTTP.

use super::{Web, body::Query, identity::Anyone, problem::Problem};
use app::{
    backend::{Backend, SearchQuery},
    model::{FoundIn, Message, Piece},
};
use axum::{Json, extract::State};
use serde::Serialize;

/// A message as in the history, with its room.
#[derive(Serialize)]
pub(super) struct Hit {
    #[serde(flatten)]
    message: Message,
    room: FoundIn,
    excerpt: Vec<Piece>,
}

#[derive(Serialize)]
pub(super) struct Hits {
    messages: Vec<Hit>,
    more: bool,
    next: Option<String>,
}

pub(super) async fn search(
    State(web): State<Web>,
    Anyone(who): Anyone,
    Query(query): Query<SearchQuery>,
) -> Result<Json<Hits>, Problem> {
    let page = web.service.search(who.viewer(), &query).await?;
    let messages = page.hits.into_iter().map(|hit| Hit { message: hit.message, room: hit.room, excerpt: hit.excerpt });
    Ok(Json(Hits { messages: messages.collect(), more: page.more, next: page.next }))
}
