//! The document, the routes, and what all pages share.

use crate::{
    badges::Count,
    components::{Hydrated, Reader},
    live::Live,
    outbox::Outbox,
    pages::{Frame, FramedPlainRoutes, HomePage, NoPageHere, PlainRoutes, RoomPage},
    rcdata::rcdata,
    reactive::read,
    session::Me,
};
use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::{
    SsrMode,
    components::{ParentRoute, Route, Router, Routes},
    path,
};

/// The document around the pages. Sets the response's content security policy.
#[cfg(feature = "ssr")]
pub fn shell(options: LeptosOptions) -> impl IntoView {
    use leptos_meta::{HashedStylesheet, MetaTags};

    set_policy();
    view! {
        <!DOCTYPE html>
        <html lang="en" data-theme=crate::theme::chosen_theme()>
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover, interactive-widget=resizes-content" />
                <meta name="color-scheme" content="light dark" />
                <meta name="theme-color" media="(prefers-color-scheme: light)" content="#fbfaf7" />
                <meta name="theme-color" media="(prefers-color-scheme: dark)" content="#11151b" />
                <meta name="description" content="A chat that never loses a message." />
                <link rel="manifest" href="/manifest.webmanifest" />
                <link id="icon" rel="icon" href="/favicon.svg" type="image/svg+xml" />
                // A page that is shown while half of it is still on its way is laid out again with every part that
                // comes, and one about a message scrolls to it before what stands below is there.
                <link rel="expect" href="#whole" blocking="render" />
                <HashedStylesheet options=options.clone() id="style" />
                <script defer src="/offline.js"></script>
                {if crate::pages::is_live() {
                    view! {
                        <AutoReload options=options.clone() />
                        <HydrationScripts options />
                    }
                        .into_any()
                } else {
                    view! { <script defer src="/plain.js"></script> }.into_any()
                }}
                <MetaTags />
            </head>
            <body>
                <App />
                <div id="whole" hidden></div>
            </body>
        </html>
    }
}

/// Scripts and the wasm from this site alone, and inline only those of this response.
#[cfg(feature = "ssr")]
fn set_policy() {
    let (Some(nonce), Some(response)) = (leptos::nonce::use_nonce(), use_context::<leptos_axum::ResponseOptions>())
    else {
        return;
    };
    // cargo-leptos reloads the page through a socket of its own; it says in the environment that it watches.
    let reload =
        if std::env::var_os("LEPTOS_WATCH").is_some() { " ws://127.0.0.1:3001 ws://localhost:3001" } else { "" };
    let policy = format!(
        "default-src 'none'; script-src 'self' 'nonce-{nonce}' 'wasm-unsafe-eval'; style-src 'self'; \
         connect-src 'self'{reload}; img-src 'self' data:; font-src 'self'; manifest-src 'self'; \
         worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    );
    if let Ok(value) = http::HeaderValue::from_str(&policy) {
        response.insert_header(http::header::CONTENT_SECURITY_POLICY, value);
    }
}

/// Sends the address with a slash at its end to the one without: the router would show the page for either, and only
/// one of them can be the page's own.
#[cfg(feature = "ssr")]
fn drop_slash() {
    let (Some(request), Some(response)) =
        (use_context::<http::request::Parts>(), use_context::<leptos_axum::ResponseOptions>())
    else {
        return;
    };
    let Some(to) = crate::url::without_slash(&request.uri.to_string()) else { return };
    if let Ok(to) = http::HeaderValue::from_str(&to) {
        response.insert_header(http::header::LOCATION, to);
        response.set_status(http::StatusCode::PERMANENT_REDIRECT);
    }
}

/// What the browser's tab says. Pages give their part as plain text: it is made safe here, for all of them.
fn title(of_page: &str, unread: Count) -> String {
    let count = match unread {
        Count { unread: 0, .. } => String::new(),
        Count { unread, mentions: 0 } => format!("({}) ", Count::text(unread)),
        Count { mentions, .. } => format!("(@{}) ", Count::text(mentions)),
    };
    let name = if of_page.is_empty() { "Partyline".into() } else { format!("{of_page} · Partyline") };
    rcdata(&format!("{count}{name}"))
}

/// The pages and what they share.
#[component]
pub fn App() -> impl IntoView {
    #[cfg(feature = "ssr")]
    drop_slash();
    provide_meta_context();
    let me = Me::provide();
    Hydrated::provide();
    Reader::provide();
    let outbox = Outbox::provide();
    let live = Live::provide(outbox, me.0);
    // The server makes the title when the page is rendered, maybe on a thread whose arena is another request's: what it
    // reads is none of an arena's. Only `Arc…` signals may be in it, here and in the pages.
    let badges = live.badges();
    view! {
        <Title formatter=move |of_page: String| title(&of_page, read(&badges).total()) text="" />
        <a class="skip" href="#main">"Skip to content"</a>
        <Router>
            <Routes fallback=NoPageHere>
                <ParentRoute path=path!("") view=Frame>
                    <Route path=path!("") view=HomePage ssr=SsrMode::Async />
                    <Route path=path!("rooms/:slug") view=RoomPage ssr=SsrMode::Async />
                    <Route path=path!("rooms/:slug/m/:id") view=RoomPage ssr=SsrMode::Async />
                    <FramedPlainRoutes />
                </ParentRoute>
                <PlainRoutes />
            </Routes>
        </Router>
    }
}
