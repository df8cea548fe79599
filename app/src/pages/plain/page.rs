use leptos::prelude::*;
use leptos_meta::Title;

/// A plain page beside the list of rooms: where it leads back to, what it is, and what is on it.
#[component]
pub fn PlainPage(
    /// What it is.
    title: &'static str,
    /// Where the arrow leads.
    #[prop(default = "/")]
    back: &'static str,
    /// What is on it.
    children: Children,
) -> impl IntoView {
    view! {
        <Title text=title />
        <main id="main" class="plain" tabindex="-1">
            <header class="plain-header">
                <a class="back" rel="external" href=back aria-label="Back">
                    <span aria-hidden="true">"←"</span>
                </a>
                <h1>{title}</h1>
            </header>
            {children()}
        </main>
    }
}

/// What was done a moment ago, if anything was.
#[component]
pub fn Done(
    /// In words; nothing is shown if empty.
    #[prop(into)]
    text: String,
) -> impl IntoView {
    (!text.is_empty()).then(|| view! { <p class="done" role="status">{text}</p> })
}

/// A moment: in UTC, as it says; the script of plain pages makes it the reader's.
#[component]
pub fn Moment(
    /// In ms since 1970.
    at: crate::model::Millis,
) -> impl IntoView {
    use crate::when;
    let text = format!("{}, {} UTC", when::utc_day(at), when::utc_time(at));
    view! { <time datetime=when::iso(at)>{text}</time> }
}
