//! One's own account and sessions, and administration: plain forms of plain pages.

#[cfg(feature = "ssr")]
use super::on_server::*;
use crate::{
    error::ApiError,
    model::{AccountList, AuditLog, RoomList, SessionId, SessionInfo},
};
#[cfg(feature = "ssr")]
use crate::{model::AccountChange, url};
use leptos::prelude::*;

/// One's own live sessions.
#[server(prefix = "/api/fn", endpoint = "own-sessions")]
pub async fn own_sessions() -> Result<Vec<SessionInfo>, ApiError> {
    let sessions = async { backend()?.own_sessions(&who()?).await };
    with_status(sessions.await)
}

/// Takes another display name.
#[server(prefix = "/api/fn", endpoint = "rename")]
pub async fn rename(display_name: String) -> Result<(), ApiError> {
    let outcome = async { backend()?.rename(&who()?, &display_name).await.map(drop) };
    done_at_me(outcome.await, "name")
}

/// Takes another password; the other sessions end.
#[server(prefix = "/api/fn", endpoint = "change-password")]
pub async fn change_password(old: String, new: String) -> Result<(), ApiError> {
    let outcome = async { backend()?.change_password(&who()?, &old, new).await };
    done_at_me(outcome.await, "password")
}

/// Ends one of one's own sessions.
#[server(prefix = "/api/fn", endpoint = "end-session")]
pub async fn end_session(session: SessionId) -> Result<(), ApiError> {
    let outcome = async { backend()?.end_session(&who()?, session).await };
    done_at_me(outcome.await, "session")
}

/// Ends all of one's sessions but this one.
#[server(prefix = "/api/fn", endpoint = "end-other-sessions")]
pub async fn end_other_sessions() -> Result<(), ApiError> {
    let outcome = async { backend()?.end_other_sessions(&who()?).await };
    done_at_me(outcome.await, "sessions")
}

#[cfg(feature = "ssr")]
fn done_at_me(outcome: Result<(), ApiError>, of: &str) -> Result<(), ApiError> {
    answer(
        outcome,
        |()| with_field("/me", "done", of),
        |error| match error {
            ApiError::Unauthenticated => url::login("/me"),
            error => with_field(&with_error("/me", error), "of", of),
        },
    )
}

/// Accounts, for administrators.
#[server(prefix = "/api/fn", endpoint = "accounts")]
pub async fn accounts(q: String, after: String) -> Result<AccountList, ApiError> {
    let accounts = async { backend()?.accounts(&administrator()?, &q, &after).await };
    with_status(accounts.await)
}

/// What administrators did, for administrators.
#[server(prefix = "/api/fn", endpoint = "audit-log")]
pub async fn what_administrators_did(before: Option<i64>) -> Result<AuditLog, ApiError> {
    let log = async { backend()?.audit_log(&administrator()?, before).await };
    with_status(log.await)
}

/// All rooms, for administrators.
#[server(prefix = "/api/fn", endpoint = "all-rooms")]
pub async fn all_rooms(after: String) -> Result<RoomList, ApiError> {
    let rooms = async { backend()?.all_rooms(&administrator()?, &after).await };
    with_status(rooms.await)
}

/// Does to an account what the button says: `suspend`, `reinstate`, `make_admin`, `unmake_admin`, `end_sessions`.
#[server(prefix = "/api/fn", endpoint = "administer")]
pub async fn administer(username: String, act: String, q: Option<String>) -> Result<(), ApiError> {
    let change = match act.as_str() {
        "suspend" | "reinstate" => AccountChange { suspended: Some(act == "suspend"), admin: None },
        "make_admin" | "unmake_admin" => AccountChange { suspended: None, admin: Some(act == "make_admin") },
        _ => AccountChange::default(),
    };
    let outcome = async {
        let (backend, who) = (backend()?, administrator()?);
        match act.as_str() {
            "end_sessions" => backend.end_sessions_of(&who, &username).await,
            _ => backend.change_account(&who, &username, change).await,
        }
    };
    let outcome = outcome.await;
    let page = with_field("/admin", "q", q.as_deref().filter(|q| q.len() <= 256).unwrap_or_default());
    let of = if username.len() <= 64 { username.as_str() } else { "" };
    answer(
        outcome,
        |()| with_field(&with_field(&page, "done", &act), "of", of),
        |error| with_field(&with_field(&with_error(&page, error), "act", &act), "of", of),
    )
}

/// Who asks; a visitor finds nothing here, like everybody who is no administrator.
#[cfg(feature = "ssr")]
fn administrator() -> Result<crate::backend::Viewer, ApiError> {
    viewer().ok_or(ApiError::NotFound)
}
