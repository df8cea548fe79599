//! What the browser's part knows of the pages that the server renders alone (`pages/plain/`): where they are not.

use crate::reactive::effect;
use leptos::prelude::*;
use leptos_router::any_nested_route::IntoAnyNestedRoute;

/// None here.
#[component(transparent)]
pub fn FramedPlainRoutes() -> impl leptos_router::MatchNestedRoutes + Clone {
    ().into_any_nested_route()
}

/// None here.
#[component(transparent)]
pub fn PlainRoutes() -> impl leptos_router::MatchNestedRoutes + Clone {
    ().into_any_nested_route()
}

/// An address from a link that is no live page's: the server has the page, or says that nobody has.
#[component]
pub fn NoPageHere() -> impl IntoView {
    effect(|| {
        let location = window().location();
        // In place of this entry, so that "back" leads to where the link was.
        if let Ok(here) = location.href() {
            let _ = location.replace(&here);
        }
    });
}

/// Whether the browser takes the page over that is asked for: this runs on no other.
pub fn is_live() -> bool {
    true
}
