//! Rooms and members over HTTP.

use super::{
    Web,
    body::{Body, MaybeBody, Path, Query},
    identity::{Anyone, SignedInViewer},
    problem::Problem,
};
use app::{
    backend::{Backend, Member},
    error::ApiError,
    model::{DirectoryPage, DirectoryQuery, NotificationLevel, Role, Room, RoomChange, Unread, Visibility, Written},
};
use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};

type Answer<T> = Result<Json<T>, Problem>;

#[derive(Deserialize)]
pub(super) struct NewRoom {
    name: String,
    visibility: String,
}

#[derive(Deserialize)]
pub(super) struct People {
    people: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct Told {
    level: NotificationLevel,
}

#[derive(Deserialize)]
pub(super) struct Which {
    #[serde(default)]
    archived: bool,
}

#[derive(Deserialize, Default)]
pub(super) struct AsWhat {
    #[serde(default)]
    role: Option<Role>,
}

#[derive(Serialize)]
pub(super) struct Rooms {
    rooms: Vec<Room>,
}

#[derive(Serialize)]
pub(super) struct UnreadRooms {
    rooms: Vec<Unread>,
}

#[derive(Serialize)]
pub(super) struct Members {
    members: Vec<Member>,
}

pub(super) async fn create(
    State(web): State<Web>,
    SignedInViewer(who): SignedInViewer,
    Body(new): Body<NewRoom>,
) -> Result<(StatusCode, Json<serde_json::Value>), Problem> {
    let visibility: Visibility = new.visibility.parse().map_err(ApiError::from)?;
    let (room, written) = web.service.create_room(&who, &new.name, visibility).await?;
    Ok((StatusCode::CREATED, Json(made(&room, &written))))
}

/// A room as whoever made it is told.
fn made(room: &Room, written: &Written) -> serde_json::Value {
    serde_json::json!({
        "id": room.id, "slug": room.slug, "name": room.name, "visibility": room.visibility, "at": written.at,
    })
}

pub(super) async fn direct(
    State(web): State<Web>,
    SignedInViewer(who): SignedInViewer,
    Body(with): Body<People>,
) -> Result<(StatusCode, Json<serde_json::Value>), Problem> {
    let (room, written, new) = web.service.direct(&who, &with.people).await?;
    Ok((if new { StatusCode::CREATED } else { StatusCode::OK }, Json(made(&room, &written))))
}

pub(super) async fn list(State(web): State<Web>, Anyone(who): Anyone, Query(wanted): Query<Which>) -> Answer<Rooms> {
    Ok(Json(Rooms { rooms: web.service.rooms(who.viewer(), wanted.archived).await? }))
}

pub(super) async fn directory(
    State(web): State<Web>,
    Anyone(who): Anyone,
    Query(query): Query<DirectoryQuery>,
) -> Answer<DirectoryPage> {
    Ok(Json(web.service.directory(who.viewer(), &query).await?))
}

pub(super) async fn change(
    State(web): State<Web>,
    SignedInViewer(who): SignedInViewer,
    Path(room): Path<String>,
    Body(change): Body<RoomChange>,
) -> Answer<Written> {
    Ok(Json(web.service.change_room(&who, &room, change).await?))
}

pub(super) async fn unread(State(web): State<Web>, SignedInViewer(who): SignedInViewer) -> Answer<UnreadRooms> {
    Ok(Json(UnreadRooms { rooms: web.service.unread(&who).await? }))
}

pub(super) async fn mark_all_read(
    State(web): State<Web>,
    SignedInViewer(who): SignedInViewer,
) -> Result<StatusCode, Problem> {
    web.service.mark_all_read(&who).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn set_level(
    State(web): State<Web>,
    SignedInViewer(who): SignedInViewer,
    Path(room): Path<String>,
    Body(told): Body<Told>,
) -> Result<StatusCode, Problem> {
    web.service.set_level(&who, &room, told.level).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn show(State(web): State<Web>, Anyone(who): Anyone, Path(room): Path<String>) -> Answer<Room> {
    Ok(Json(web.service.room(who.viewer(), &room).await?))
}

pub(super) async fn members(State(web): State<Web>, Anyone(who): Anyone, Path(room): Path<String>) -> Answer<Members> {
    Ok(Json(Members { members: web.service.members(who.viewer(), &room).await? }))
}

pub(super) async fn add(
    State(web): State<Web>,
    SignedInViewer(who): SignedInViewer,
    Path((room, person)): Path<(String, String)>,
    MaybeBody(AsWhat { role }): MaybeBody<AsWhat>,
) -> Answer<Written> {
    Ok(Json(match (person.as_str(), role) {
        ("me", Some(role)) => web.service.set_role(&who, &room, &who.user.username, role).await?,
        ("me", None) => web.service.join(&who, &room).await?,
        (username, Some(role)) => web.service.set_role(&who, &room, username, role).await?,
        (username, None) => web.service.add_member(&who, &room, username).await?,
    }))
}

pub(super) async fn remove(
    State(web): State<Web>,
    SignedInViewer(who): SignedInViewer,
    Path((room, person)): Path<(String, String)>,
) -> Answer<Written> {
    Ok(Json(match person.as_str() {
        "me" => web.service.leave(&who, &room).await?,
        username => web.service.remove_member(&who, &room, username).await?,
    }))
}
