//! Accounts and sessions over HTTP.

use super::{Web, body::Body, identity::SignedInViewer, problem::Problem};
use app::backend::{Backend, Registration, SignedIn};
use axum::{
    Json,
    extract::State,
    http::{HeaderName, StatusCode, header},
    response::IntoResponse,
};
use serde::Deserialize;

#[derive(Deserialize)]
pub(super) struct Credentials {
    username: String,
    password: String,
}

#[derive(Deserialize)]
pub(super) struct Refresh {
    refresh_token: String,
}

fn answer(status: StatusCode, s: SignedIn) -> (StatusCode, [(HeaderName, String); 2], Json<serde_json::Value>) {
    let body = serde_json::json!({
        "user": s.user,
        "access_token": s.access_token,
        "token_type": "Bearer",
        "expires_in": s.expires_in,
        "refresh_token": s.refresh_token,
    });
    (status, [(header::SET_COOKIE, s.cookie), (header::CACHE_CONTROL, "no-store".into())], Json(body))
}

pub(super) async fn register(
    State(web): State<Web>,
    Body(new): Body<Registration>,
) -> Result<impl IntoResponse, Problem> {
    Ok(answer(StatusCode::CREATED, web.service.register(new).await?))
}

pub(super) async fn sign_in(State(web): State<Web>, Body(c): Body<Credentials>) -> Result<impl IntoResponse, Problem> {
    Ok(answer(StatusCode::CREATED, web.service.sign_in(&c.username, &c.password).await?))
}

pub(super) async fn guest(State(web): State<Web>) -> Result<impl IntoResponse, Problem> {
    Ok(answer(StatusCode::CREATED, web.service.sign_in_as_guest().await?))
}

pub(super) async fn refresh(State(web): State<Web>, Body(r): Body<Refresh>) -> Result<impl IntoResponse, Problem> {
    Ok(answer(StatusCode::OK, web.service.refresh(&r.refresh_token).await?))
}

fn signed_out(web: &Web) -> impl IntoResponse + use<> {
    (StatusCode::NO_CONTENT, [(header::SET_COOKIE, web.service.sign_out_cookie())])
}

pub(super) async fn sign_out(
    State(web): State<Web>,
    SignedInViewer(who): SignedInViewer,
) -> Result<impl IntoResponse, Problem> {
    web.service.sign_out(&who).await?;
    Ok(signed_out(&web))
}

pub(super) async fn sign_out_everywhere(
    State(web): State<Web>,
    SignedInViewer(who): SignedInViewer,
) -> Result<impl IntoResponse, Problem> {
    web.service.sign_out_everywhere(&who).await?;
    Ok(signed_out(&web))
}

pub(super) async fn me(SignedInViewer(who): SignedInViewer) -> Json<serde_json::Value> {
    Json(serde_json::json!({ "user": who.user }))
}
