//! Who looks at the page.

use crate::{direct::split, json::Brought, model::User};
use leptos::prelude::*;

/// The person who is signed in, known before the first paint and unchanged until the next page load: signing in and
/// out load a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Me(pub Option<User>);

impl Me {
    /// Taken from the request on the server, and from the server's page in the browser.
    pub fn provide() -> Self {
        let me = Self(SharedValue::<_, Brought>::new_with_encoding(on_server).into_inner());
        provide_context(me.clone());
        me
    }
}

/// The person who is signed in, if anybody is.
pub fn me() -> Option<User> {
    use_context::<Me>().and_then(|me| me.0)
}

/// What the person calls a room, its sign apart: `#` and its name, or `@` and the others' names.
pub fn called(slug: &str, name: &str) -> (&'static str, String) {
    let me = me();
    split(slug, name, me.as_ref().map(|me| me.username.as_str()))
}

#[cfg(feature = "ssr")]
fn on_server() -> Option<User> {
    use_context::<Option<crate::backend::Viewer>>().flatten().map(|viewer| viewer.user)
}

#[cfg(not(feature = "ssr"))]
fn on_server() -> Option<User> {
    None
}
