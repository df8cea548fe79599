use crate::session;
use leptos::prelude::*;
use leptos_meta::Title;

/// There is nothing here, or nothing for this viewer: the two look alike.
#[component]
pub fn NotFoundPage() -> impl IntoView {
    #[cfg(feature = "ssr")]
    if let Some(response) = use_context::<leptos_axum::ResponseOptions>() {
        response.set_status(http::StatusCode::NOT_FOUND);
    }
    let visitor = session::me().is_none();
    view! {
        <Title text="Not found" />
        <main id="main" class="entry" tabindex="-1">
            <h1>"There is nothing here"</h1>
            <p>
                "The page is gone, never was, or is for others."
                {visitor.then_some(" If you were invited, sign in first.")}
            </p>
            <div class="actions">
                <a class="button primary" href="/">"All rooms"</a>
                {visitor.then(|| view! { <a class="button" rel="external" href="/login">"Sign in"</a> })}
            </div>
        </main>
    }
}
