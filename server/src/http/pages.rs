//! Pages and server functions: Leptos on axum, with the service and the viewer
//! in the context; and the site's files.

use super::{Web, identity::Identity};
use app::{
    App,
    backend::{PublicUrl, SharedBackend, Viewer},
    model::SessionId,
    shell,
};
use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderValue, header, request::Parts},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use leptos::prelude::{LeptosOptions, provide_context, use_context};
use leptos_axum::{AxumRouteListing, LeptosRoutes, file_and_error_handler_with_context, generate_route_list};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// Where the site's files are; the rest is fixed.
fn options() -> LeptosOptions {
    let root = std::env::var("LEPTOS_SITE_ROOT").unwrap_or_else(|_| "target/site".into());
    LeptosOptions::builder().output_name("partyline").site_root(root).site_pkg_dir("pkg").build()
}

/// The same for all: while Leptos finds them it keeps every page of the process from loading what it shows, and a page
/// that asks just then is never answered.
static ROUTES: LazyLock<Vec<AxumRouteListing>> = LazyLock::new(|| generate_route_list(App));

/// The routes of the pages, without state of their own.
pub(super) fn router(web: &Web) -> Router<Web> {
    let options = options();
    let backend: SharedBackend = web.service.clone();
    let public = PublicUrl(web.origins.first().to_owned());
    let context = move || {
        let identity = use_context::<Parts>().and_then(|parts| parts.extensions.get::<Identity>().cloned());
        provide_context::<Option<Viewer>>(identity.as_ref().and_then(Identity::viewer).cloned());
        provide_context(backend.clone());
        provide_context(public.clone());
    };
    let for_shell = options.clone();
    let functions = {
        let context = context.clone();
        move |request: Request| {
            let context = context.clone();
            async move { leptos_axum::handle_server_fns_with_context(context, request).await.into_response() }
        }
    };
    Router::new()
        .route("/api/fn/{*name}", get(functions.clone()).post(functions))
        .leptos_routes_with_context(&options, ROUTES.clone(), context.clone(), move || shell(for_shell.clone()))
        .fallback(file_and_error_handler_with_context::<LeptosOptions, _>(context, shell))
        .layer(middleware::from_fn(caching))
        .layer(middleware::from_fn_with_state(web.origins.trustworthy(), keep_to_oneself))
        .layer(middleware::map_request(without_referer))
        .with_state(options)
}

/// A function that names no page of its own, or cannot read its form, would send a plain form back to where that says
/// it came from: any site could say so.
async fn without_referer(mut request: Request) -> Request {
    request.headers_mut().remove(header::REFERER);
    request
}

/// The address of an invitation is a secret: no other site learns it, and no search engine.
async fn keep_to_oneself(State(trustworthy): State<bool>, request: Request, next: Next) -> Response {
    let secret = request.uri().path().starts_with("/invite/");
    let mut response = next.run(request).await;
    if secret {
        // On a page without any referrer a form does not say where it is from: a browser that does not say what site it
        // is from either could not come in.
        let policy = if trustworthy { "no-referrer" } else { "strict-origin" };
        let headers = response.headers_mut();
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static(policy));
        headers.insert("x-robots-tag", HeaderValue::from_static("noindex, nofollow"));
    }
    response
}

/// A page is one person's: nothing between may keep it, whatever its address looks like. The site's files are
/// everybody's, and asked for anew after each update.
///
/// What a browser keeps of pages to be read without a network (`public/offline-worker.js`) it keeps for this one session:
/// the header says for which, and that there is none.
async fn caching(State(()): State<()>, request: Request, next: Next) -> Response {
    let session = request.extensions().get::<Identity>().and_then(Identity::viewer).map(|viewer| viewer.session);
    let mut response = next.run(request).await;
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let ours = ["text/css", "text/javascript", "application/wasm", "image/"].iter().any(|k| kind.starts_with(k));
    let value = if ours && response.status().is_success() { "no-cache" } else { "no-store, private" };
    let page = kind.starts_with("text/html");
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static(value));
    if page && let Ok(viewer) = HeaderValue::from_str(&session.map(fingerprint).unwrap_or_default()) {
        response.headers_mut().insert("partyline-viewer", viewer);
    }
    response
}

/// Tells sessions apart, and nothing else.
fn fingerprint(session: SessionId) -> String {
    let digest = Sha256::new().chain_update("partyline-viewer").chain_update(session.0.as_bytes()).finalize();
    digest[..12].iter().map(|byte| format!("{byte:02x}")).collect()
}
