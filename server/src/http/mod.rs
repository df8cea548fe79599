//! HTTP: pages, API, sockets. Thin: everything is decided in [`crate::service`].

use crate::{auth::Auth, fanout::Fanout, hub::Hub, log::Log, pipeline::Health, service::Service, store::Store};
use app::{error::ApiError, protocol::Status};
use axum::{
    Router,
    extract::{DefaultBodyLimit, MatchedPath, Request},
    http::{HeaderName, HeaderValue, Method, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{delete, get, patch, post, put},
};
use std::{sync::Arc, time::Instant};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower::ServiceBuilder;
use tower_http::{
    compression::{
        CompressionLayer,
        predicate::{DefaultPredicate, NotForContentType, Predicate},
    },
    set_header::SetResponseHeaderLayer,
};

mod body;
mod files;
mod form;
pub(crate) mod fuzz;
mod health;
mod identity;
mod invites;
mod listen;
mod messages;
mod pages;
mod people;
mod problem;
mod rooms;
mod search;
mod sessions;
mod socket;
mod status;

pub(crate) use {listen::listen, status::watch as watch_status};

/// Longest request body, in bytes: a message of 16 KiB whose every character JSON writes as six, and some more.
const MAX_REQUEST_BYTES: usize = 128 * 1024;

/// Which origins' pages may write and open sockets.
#[derive(Clone, Debug)]
pub struct Origins(Arc<[String]>);

impl Origins {
    /// Exactly these, like `https://chat.example.org`.
    pub fn new(allowed: Vec<String>) -> Self {
        Self(allowed.into())
    }

    /// Is it one of them?
    pub fn allow(&self, origin: &str) -> bool {
        self.0.iter().any(|o| o.eq_ignore_ascii_case(origin))
    }

    /// Do browsers take all of them for safe from who listens on the way? Only there they say what site a request is from.
    fn trustworthy(&self) -> bool {
        let here = ["https://", "http://localhost", "http://127.0.0.1"];
        !self.0.is_empty() && self.0.iter().all(|o| here.iter().any(|here| o.starts_with(here)))
    }

    /// Are all of them https?
    pub fn secure(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|o| o.starts_with("https://"))
    }

    /// The first, for printing links.
    pub fn first(&self) -> &str {
        self.0.first().map_or("http://localhost:3000", String::as_str)
    }
}

/// What handlers share: each request has a few of them.
pub type Web = Arc<Shared>;

/// What [`Web`] is.
pub struct Shared {
    /// What may be done.
    pub service: Arc<Service>,
    /// Who it is.
    pub auth: Arc<Auth>,
    /// Live delivery.
    pub hub: Arc<Hub>,
    /// For `/readyz`.
    pub log: Arc<dyn Log>,
    /// For `/readyz`.
    pub store: Arc<dyn Store>,
    /// For `/readyz`.
    pub fanout: Arc<dyn Fanout>,
    /// For `/readyz`.
    pub health: Health,
    /// What works, for whoever has a page open.
    pub status: watch::Receiver<Status>,
    /// Whose pages may write.
    pub origins: Origins,
    /// Cancelled once the node goes away.
    pub draining: CancellationToken,
}

/// Every route of the API, as `/api/v1/openapi.json` describes them.
fn api() -> Router<Web> {
    Router::new()
        .route("/accounts", post(sessions::register))
        .route("/guests", post(sessions::guest))
        .route("/sessions", post(sessions::sign_in).delete(sessions::sign_out_everywhere))
        .route("/sessions/refresh", post(sessions::refresh))
        .route("/sessions/current", delete(sessions::sign_out))
        .route("/sessions/{session}", delete(people::end_session))
        .route("/me", get(sessions::me).patch(people::rename))
        .route("/me/password", put(people::change_password))
        .route("/me/sessions", get(people::sessions).delete(people::end_others))
        .route("/me/unread", get(rooms::unread))
        .route("/me/read", put(rooms::mark_all_read))
        .route("/direct", post(rooms::direct))
        .route("/rooms", get(rooms::list).post(rooms::create))
        .route("/directory", get(rooms::directory))
        .route("/rooms/{room}", get(rooms::show).patch(rooms::change))
        .route("/rooms/{room}/files", post(files::upload))
        .route("/rooms/{room}/invites", get(invites::list).post(invites::create))
        .route("/rooms/{room}/invites/{invite}", delete(invites::revoke))
        .route("/invites", post(invites::accept))
        .route("/rooms/{room}/members", get(rooms::members))
        .route("/rooms/{room}/members/{person}", put(rooms::add).delete(rooms::remove))
        .route("/rooms/{room}/messages", get(messages::history).post(messages::post))
        .route("/rooms/{room}/messages/{message}", axum::routing::patch(messages::edit).delete(messages::delete))
        .route("/rooms/{room}/messages/{message}/replies", get(messages::replies))
        .route("/rooms/{room}/messages/{message}/reactions/{emoji}", put(messages::react).delete(messages::unreact))
        .route("/rooms/{room}/messages/{message}/pin", put(messages::pin).delete(messages::unpin))
        .route("/rooms/{room}/pins", get(messages::pins))
        .route("/rooms/{room}/read", put(messages::mark_read))
        .route("/rooms/{room}/notifications", put(rooms::set_level))
        .route("/rooms/{room}/typing", post(messages::typing))
        .route("/search", get(search::search))
        .route("/admin/users", get(people::accounts))
        .route("/admin/users/{username}", patch(people::change_account))
        .route("/admin/users/{username}/sessions", delete(people::end_sessions_of))
        .route("/admin/log", get(people::audit_log))
        .route("/admin/rooms", get(people::rooms))
        .route("/openapi.json", get(openapi))
        .fallback(async || problem::Problem(ApiError::NotFound))
        .layer(no_store())
}

/// Where nothing else is said.
fn no_store() -> SetResponseHeaderLayer<HeaderValue> {
    if_not_present("cache-control", "no-store")
}

/// The API's description.
pub const OPENAPI: &str = include_str!("openapi.json");

async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI)
}

/// Everything that a web node answers.
pub fn router(web: Web) -> Router {
    let people = Router::new()
        .nest("/api/v1", api())
        .route("/ws", get(socket::connect))
        .route("/rooms/{slug}/seen", get(messages::seen))
        .route("/rooms/{slug}/files", post(form::post))
        .route("/files/{*address}", get(files::download).layer(no_store()))
        .merge(pages::router(&web))
        .layer(middleware::from_fn_with_state(web.clone(), identity::identify))
        .with_state(web.clone());
    operators(web.clone())
        .merge(people)
        .layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES))
        // Together, since a router boxes each that it is given, and each of its requests.
        .layer(
            ServiceBuilder::new()
                .layer(middleware::from_fn(measure))
                .layer(if_not_present("cross-origin-opener-policy", "same-origin"))
                .layer(if_not_present("referrer-policy", "same-origin"))
                .layer(if_not_present("x-content-type-options", "nosniff"))
                // A file is as long as it says.
                .layer(CompressionLayer::new().compress_when(
                    DefaultPredicate::new().and(NotForContentType::const_new("application/octet-stream")),
                )),
        )
}

fn if_not_present(name: &'static str, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(HeaderName::from_static(name), HeaderValue::from_static(value))
}

/// What a node without the web part answers.
pub fn operators(web: Web) -> Router {
    Router::new()
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics))
        .with_state(web)
}

/// Counts and times requests, by route, never by room or person.
async fn measure(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("other", |p| p.as_str()).to_owned();
    // A method is any word that a client makes up: each would be a series of its own for ever.
    let method = match *request.method() {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "other",
    };
    let begun = Instant::now();
    let response = next.run(request).await;
    let status = response.status().as_u16().to_string();
    metrics::histogram!("partyline_http_seconds", "route" => route, "method" => method, "status" => status)
        .record(begun.elapsed().as_secs_f64());
    response
}
