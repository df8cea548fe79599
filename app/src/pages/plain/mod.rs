//! Pages on which nothing happens by itself: forms, and what was found.
//!
//! The server renders them and no script follows. The browser's part has no code for them (see `pages/elsewhere.rs`):
//! what everybody downloads is what rooms need.

mod admin;
mod directory;
mod invite;
mod invite_links;
mod login;
mod me;
mod page;
mod register;
mod room_members;
mod search;
mod search_form;
mod settings;

use super::NotFoundPage;
use admin::{AdminPage, AllRoomsPage, LogPage};
use directory::DirectoryPage;
use invite::InvitePage;
use leptos::prelude::*;
use leptos_router::{SsrMode, any_nested_route::IntoAnyNestedRoute, components::Route, path};
use login::LoginPage;
use me::MePage;
use register::RegisterPage;
use search::SearchPage;
use settings::SettingsPage;

/// The plain pages that have the list of rooms beside them.
#[component(transparent)]
pub fn FramedPlainRoutes() -> impl leptos_router::MatchNestedRoutes + Clone {
    view! {
        <Route path=path!("search") view=SearchPage ssr=SsrMode::Async />
        <Route path=path!("rooms") view=DirectoryPage ssr=SsrMode::Async />
        <Route path=path!("rooms/:slug/settings") view=SettingsPage ssr=SsrMode::Async />
        <Route path=path!("me") view=MePage ssr=SsrMode::Async />
        <Route path=path!("admin") view=AdminPage ssr=SsrMode::Async />
        <Route path=path!("admin/log") view=LogPage ssr=SsrMode::Async />
        <Route path=path!("admin/rooms") view=AllRoomsPage ssr=SsrMode::Async />
    }
    .into_inner()
    .into_any_nested_route()
}

/// The plain pages that stand alone.
#[component(transparent)]
pub fn PlainRoutes() -> impl leptos_router::MatchNestedRoutes + Clone {
    view! {
        <Route path=path!("login") view=LoginPage ssr=SsrMode::Async />
        <Route path=path!("register") view=RegisterPage ssr=SsrMode::Async />
        <Route path=path!("invite/:secret") view=InvitePage ssr=SsrMode::Async />
    }
    .into_inner()
    .into_any_nested_route()
}

/// Nobody's address.
#[component]
pub fn NoPageHere() -> impl IntoView {
    view! { <NotFoundPage /> }
}

/// Whether the browser takes the page over that is asked for.
pub fn is_live() -> bool {
    #[cfg(feature = "ssr")]
    return use_context::<http::request::Parts>().is_some_and(|request| live(request.uri.path()));
    #[cfg(not(feature = "ssr"))]
    false
}

#[cfg(any(test, feature = "ssr"))]
fn live(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    matches!(parts[..], [""] | ["rooms", _] | ["rooms", _, "m", _])
}

#[cfg(test)]
mod tests {
    #[test]
    fn rooms_are_live_and_forms_are_not() {
        for path in ["/", "/rooms/welcome", "/rooms/~1", "/rooms/welcome/m/0"] {
            assert!(super::live(path), "{path}");
        }
        for path in [
            "",
            "/login",
            "/register",
            "/search",
            "/me",
            "/admin",
            "/rooms",
            "/rooms/welcome/settings",
            "/invite/x",
            "/nowhere",
        ] {
            assert!(!super::live(path), "{path}");
        }
    }
}
