//! What the server and the browser share: the nouns, the protocol, the pages.
#![recursion_limit = "512"]

#[cfg(feature = "ssr")]
pub mod backend;
pub mod error;
pub mod model;
pub mod protocol;

use leptos::prelude::*;

/// The whole page.
#[component]
pub fn App() -> impl IntoView {
    view! { <p>"Partyline"</p> }
}
