//! Messages over HTTP: this is where a message comes in.

use super::{
    Web,
    body::{Body, Path, Query},
    identity::{Anyone, SignedInViewer},
    problem::Problem,
};
use app::{
    backend::{Backend, HistoryQuery, NewMessage},
    error::ApiError,
    model::{Message, MessageId, MessagePage, PinList, Position, Posted, Thread, Written},
};
use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
pub(super) struct NewBody {
    body: String,
}

#[derive(Deserialize)]
pub(super) struct ReadUpTo {
    at: Position,
}

/// What does not look like an id is not there.
fn id(text: &str) -> Result<MessageId, ApiError> {
    text.parse().map_err(|_| ApiError::NotFound)
}

pub(super) async fn post(
    State(web): State<Web>,
    SignedInViewer(who): SignedInViewer,
    Path(room): Path<String>,
    Body(message): Body<NewMessage>,
) -> Result<(StatusCode, Json<Posted>), Problem> {
    let posted = web.service.post(&who, &room, message).await?;
    Ok((if posted.repeated { StatusCode::OK } else { StatusCode::CREATED }, Json(posted)))
}

pub(super) async fn history(
    State(web): State<Web>,
    Anyone(who): Anyone,
    Path(room): Path<String>,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<MessagePage>, Problem> {
    Ok(Json(web.service.history(who.viewer(), &room, &query).await?))
}

/// A [`Thread`], its page's fields beside the message.
#[derive(Serialize)]
pub(super) struct Replies {
    message: Message,
    #[serde(flatten)]
    page: MessagePage,
}

pub(super) async fn replies(
    State(web): State<Web>,
    Anyone(who): Anyone,
    Path((room, message)): Path<(String, String)>,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<Replies>, Problem> {
    let Thread { message, page } = web.service.thread(who.viewer(), &room, id(&message)?, &query).await?;
    Ok(Json(Replies { message, page }))
}

pub(super) async fn edit(
    State(web): State<Web>,
    SignedInViewer(who): SignedInViewer,
    Path((room, message)): Path<(String, String)>,
    Body(new): Body<NewBody>,
) -> Result<Json<Written>, Problem> {
    Ok(Json(web.service.edit(&who, &room, id(&message)?, &new.body).await?))
}

pub(super) async fn delete(
    State(web): State<Web>,
    SignedInViewer(who): SignedInViewer,
    Path((room, message)): Path<(String, String)>,
) -> Result<Json<Written>, Problem> {
    Ok(Json(web.service.delete(&who, &room, id(&message)?).await?))
}

pub(super) async fn react(
    State(web): State<Web>,
    SignedInViewer(who): SignedInViewer,
    Path((room, message, emoji)): Path<(String, String, String)>,
) -> Result<Json<Written>, Problem> {
    Ok(Json(web.service.react(&who, &room, id(&message)?, &emoji, true).await?))
}

pub(super) async fn unreact(
    State(web): State<Web>,
    SignedInViewer(who): SignedInViewer,
    Path((room, message, emoji)): Path<(String, String, String)>,
) -> Result<Json<Written>, Problem> {
    Ok(Json(web.service.react(&who, &room, id(&message)?, &emoji, false).await?))
}

pub(super) async fn pin(
    State(web): State<Web>,
    SignedInViewer(who): SignedInViewer,
    Path((room, message)): Path<(String, String)>,
) -> Result<Json<Written>, Problem> {
    Ok(Json(web.service.pin(&who, &room, id(&message)?, true).await?))
}

pub(super) async fn unpin(
    State(web): State<Web>,
    SignedInViewer(who): SignedInViewer,
    Path((room, message)): Path<(String, String)>,
) -> Result<Json<Written>, Problem> {
    Ok(Json(web.service.pin(&who, &room, id(&message)?, false).await?))
}

pub(super) async fn pins(
    State(web): State<Web>,
    Anyone(who): Anyone,
    Path(room): Path<String>,
) -> Result<Json<PinList>, Problem> {
    Ok(Json(web.service.pins(who.viewer(), &room).await?))
}

pub(super) async fn mark_read(
    State(web): State<Web>,
    SignedInViewer(who): SignedInViewer,
    Path(room): Path<String>,
    Body(read): Body<ReadUpTo>,
) -> Result<StatusCode, Problem> {
    web.service.mark_read(&who, &room, read.at).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
pub(super) struct SeenUpTo {
    at: Position,
}

/// What a page without a script shows is read: an image that only such a page loads. Like [`mark_read`], it moves forward
/// only; a page of another site has no cookie for it.
pub(super) async fn seen(
    State(web): State<Web>,
    SignedInViewer(who): SignedInViewer,
    Path(room): Path<String>,
    Query(seen): Query<SeenUpTo>,
) -> Result<impl IntoResponse, Problem> {
    web.service.mark_read(&who, &room, seen.at).await?;
    Ok(([(header::CACHE_CONTROL, "no-store"), (header::CONTENT_TYPE, "image/svg+xml")], NOTHING))
}

const NOTHING: &str = r#"<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>"#;

pub(super) async fn typing(
    State(web): State<Web>,
    SignedInViewer(who): SignedInViewer,
    Path(room): Path<String>,
) -> Result<StatusCode, Problem> {
    web.service.typing(&who, &room).await?;
    Ok(StatusCode::NO_CONTENT)
}
