//! Links into rooms over HTTP.

use super::{
    Web,
    body::{Body, MaybeBody, Path},
    identity::SignedInViewer,
    problem::Problem,
};
use app::{
    backend::{Backend, InviteWanted},
    model::{Invite, Position},
};
use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Serialize)]
pub(super) struct Invites {
    invites: Vec<Invite>,
}

#[derive(Deserialize)]
pub(super) struct Accepted {
    secret: String,
}

#[derive(Serialize)]
pub(super) struct Joined {
    slug: String,
    at: Position,
}

pub(super) async fn create(
    State(web): State<Web>,
    SignedInViewer(who): SignedInViewer,
    Path(room): Path<String>,
    MaybeBody(wanted): MaybeBody<InviteWanted>,
) -> Result<(StatusCode, Json<serde_json::Value>), Problem> {
    let made = web.service.create_invite(&who, &room, wanted).await?;
    let url = format!("{}/invite/{}", web.origins.first(), made.secret);
    let link = serde_json::json!({ "id": made.id, "url": url, "expires_at": made.expires_at, "uses": made.uses });
    Ok((StatusCode::CREATED, Json(link)))
}

pub(super) async fn list(
    State(web): State<Web>,
    SignedInViewer(who): SignedInViewer,
    Path(room): Path<String>,
) -> Result<Json<Invites>, Problem> {
    Ok(Json(Invites { invites: web.service.invites(&who, &room).await? }))
}

pub(super) async fn revoke(
    State(web): State<Web>,
    SignedInViewer(who): SignedInViewer,
    Path((room, invite)): Path<(String, Uuid)>,
) -> Result<StatusCode, Problem> {
    web.service.revoke_invite(&who, &room, invite).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The secret comes in the body: addresses are written down along the way.
pub(super) async fn accept(
    State(web): State<Web>,
    SignedInViewer(who): SignedInViewer,
    Body(accepted): Body<Accepted>,
) -> Result<Json<Joined>, Problem> {
    let (slug, written) = web.service.accept_invite(&who, &accepted.secret).await?;
    Ok(Json(Joined { slug, at: written.at }))
}
