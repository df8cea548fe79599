//! One's own account and sessions, and administration, over HTTP.

use super::{
    Web,
    body::{Body, Path, Query},
    identity::SignedInViewer,
    problem::Problem,
};
use app::{
    backend::People,
    model::{AccountChange, AccountList, AuditLog, RoomList, SessionId, SessionInfo},
};
use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};

type Answer<T> = Result<Json<T>, Problem>;
type Done = Result<StatusCode, Problem>;

#[derive(Deserialize)]
pub(super) struct Rename {
    display_name: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct NewPassword {
    old: String,
    new: String,
}

#[derive(Serialize)]
pub(super) struct Sessions {
    sessions: Vec<SessionInfo>,
}

#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    q: String,
    #[serde(default)]
    after: String,
}

#[derive(Deserialize)]
pub(super) struct Before {
    before: Option<i64>,
}

pub(super) async fn rename(
    State(web): State<Web>,
    SignedInViewer(who): SignedInViewer,
    Body(to): Body<Rename>,
) -> Answer<serde_json::Value> {
    let user = match to.display_name {
        Some(name) => web.service.rename(&who, &name).await?,
        None => who.user,
    };
    Ok(Json(serde_json::json!({ "user": user })))
}

pub(super) async fn change_password(
    State(web): State<Web>,
    SignedInViewer(who): SignedInViewer,
    Body(NewPassword { old, new }): Body<NewPassword>,
) -> Done {
    web.service.change_password(&who, &old, new).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn sessions(State(web): State<Web>, SignedInViewer(who): SignedInViewer) -> Answer<Sessions> {
    Ok(Json(Sessions { sessions: web.service.own_sessions(&who).await? }))
}

pub(super) async fn end_others(State(web): State<Web>, SignedInViewer(who): SignedInViewer) -> Done {
    web.service.end_other_sessions(&who).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn end_session(
    State(web): State<Web>,
    SignedInViewer(who): SignedInViewer,
    Path(session): Path<SessionId>,
) -> Done {
    web.service.end_session(&who, session).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn accounts(
    State(web): State<Web>,
    SignedInViewer(who): SignedInViewer,
    Query(Wanted { q, after }): Query<Wanted>,
) -> Answer<AccountList> {
    Ok(Json(web.service.accounts(&who, &q, &after).await?))
}

pub(super) async fn change_account(
    State(web): State<Web>,
    SignedInViewer(who): SignedInViewer,
    Path(username): Path<String>,
    Body(change): Body<AccountChange>,
) -> Done {
    web.service.change_account(&who, &username, change).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn end_sessions_of(
    State(web): State<Web>,
    SignedInViewer(who): SignedInViewer,
    Path(username): Path<String>,
) -> Done {
    web.service.end_sessions_of(&who, &username).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn audit_log(
    State(web): State<Web>,
    SignedInViewer(who): SignedInViewer,
    Query(Before { before }): Query<Before>,
) -> Answer<AuditLog> {
    Ok(Json(web.service.audit_log(&who, before).await?))
}

pub(super) async fn rooms(
    State(web): State<Web>,
    SignedInViewer(who): SignedInViewer,
    Query(Wanted { after, .. }): Query<Wanted>,
) -> Answer<RoomList> {
    Ok(Json(web.service.all_rooms(&who, &after).await?))
}
