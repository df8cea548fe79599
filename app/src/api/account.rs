//! Becoming somebody. The forms are plain ones, also in the browser: a new session is a new page.

#[cfg(feature = "ssr")]
use super::on_server::*;
#[cfg(feature = "ssr")]
use crate::{
    backend::{Registration, SignedIn, Viewer},
    model::SessionId,
    url,
};
use crate::{error::ApiError, json::Answer, model::User};
use leptos::prelude::*;

/// Who is signed in, as the server sees it now.
#[server(prefix = "/api/fn", endpoint = "viewer", output = Answer)]
pub async fn viewer_now() -> Result<Option<User>, ApiError> {
    Ok(viewer().map(|viewer| viewer.user))
}

/// Makes an account and signs it in.
#[server(prefix = "/api/fn", endpoint = "register")]
pub async fn register(
    username: String,
    password: String,
    display_name: Option<String>,
    admin: Option<String>,
    next: Option<String>,
) -> Result<(), ApiError> {
    let filled = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    let new = Registration {
        username: username.clone(),
        password,
        display_name: filled(display_name.clone()),
        admin_token: filled(admin.clone()),
    };
    let outcome = backend()?.register(new).await.map(|signed_in| begin(&signed_in));
    let next = next.unwrap_or_default();
    answer(
        outcome,
        |()| url::safe_next(&next).to_owned(),
        |error| {
            let mut page = with_error("/register", error);
            for (name, value) in [("username", Some(username)), ("display_name", display_name), ("admin", admin)] {
                if let Some(value) = value.filter(|value| !value.is_empty() && value.len() <= 512) {
                    page = with_field(&page, name, &value);
                }
            }
            with_field(&page, "next", url::safe_next(&next))
        },
    )
}

/// Signs in by password.
#[server(prefix = "/api/fn", endpoint = "sign-in")]
pub async fn sign_in(username: String, password: String, next: Option<String>) -> Result<(), ApiError> {
    let outcome = backend()?.sign_in(&username, &password).await.map(|signed_in| begin(&signed_in));
    let next = next.unwrap_or_default();
    answer(
        outcome,
        |()| url::safe_next(&next).to_owned(),
        |error| {
            let page = with_field(&with_error("/login", error), "next", url::safe_next(&next));
            if username.len() <= 64 { with_field(&page, "username", &username) } else { page }
        },
    )
}

/// Comes in with one click, into `room` if given, or else goes on to `next`.
#[server(prefix = "/api/fn", endpoint = "guest")]
pub async fn guest(room: Option<String>, next: Option<String>) -> Result<(), ApiError> {
    let backend = backend()?;
    let next = next.unwrap_or_default();
    let page = room.as_deref().map_or_else(|| url::safe_next(&next).to_owned(), url::room);
    let outcome = async {
        let signed_in = backend.sign_in_as_guest().await?;
        begin(&signed_in);
        if let Some(room) = &room {
            // Joining looks at the account alone; the session's id is not known before its cookie comes back.
            let viewer = Viewer { user: signed_in.user, session: SessionId::new() };
            return backend.join(&viewer, room).await.map(|written| Some(written.at));
        }
        Ok(None)
    };
    let outcome = outcome.await;
    answer(
        outcome,
        |at| at.map_or_else(|| page.clone(), |at| with_field(&page, "at_least", &at.to_string())),
        |error| with_error(&page, error),
    )
    .map(|_| ())
}

/// Ends the session.
#[server(prefix = "/api/fn", endpoint = "sign-out")]
pub async fn sign_out() -> Result<(), ApiError> {
    let backend = backend()?;
    let outcome = match viewer() {
        Some(viewer) => backend.sign_out(&viewer).await,
        None => Ok(()),
    };
    if outcome.is_ok() {
        set_cookie(&backend.sign_out_cookie());
    }
    answer(outcome, |()| "/".to_owned(), |error| with_error("/", error))
}

/// Chooses light or dark pages; anything else follows the system.
#[server(prefix = "/api/fn", endpoint = "theme")]
pub async fn theme(choice: String, next: Option<String>) -> Result<(), ApiError> {
    set_cookie(match choice.as_str() {
        "light" => "partyline_theme=light; Path=/; Max-Age=31536000; SameSite=Lax",
        "dark" => "partyline_theme=dark; Path=/; Max-Age=31536000; SameSite=Lax",
        _ => "partyline_theme=; Path=/; Max-Age=0; SameSite=Lax",
    });
    let next = url::safe_next(next.as_deref().unwrap_or_default()).to_owned();
    answer(Ok(()), |()| next, |error| with_error("/", error))
}

#[cfg(feature = "ssr")]
fn begin(signed_in: &SignedIn) {
    set_cookie(&signed_in.cookie);
}
