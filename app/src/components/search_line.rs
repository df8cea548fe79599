use crate::{model::MAX_SEARCH_CHARS, reactive::effect, url};
use leptos::{ev, prelude::*, wasm_bindgen::JsCast, web_sys};

/// Where one says what to look for, in a line, for the side of every page; `/` or Ctrl+Shift+F puts the cursor there.
#[component]
pub fn SearchLine() -> impl IntoView {
    effect(|| {
        let listener = window_event_listener(ev::keydown, |event| {
            if calls_search(&event) && focus_search() {
                event.prevent_default();
            }
        });
        on_cleanup(move || listener.remove());
    });
    view! {
        <form class="search-line" role="search" method="get" action="/search">
            <MagnifyingGlass />
            <input
                id="search"
                name="q"
                type="search"
                placeholder="Search"
                aria-label="Search all rooms"
                aria-keyshortcuts="/ Control+Shift+F Meta+Shift+F"
                maxlength=MAX_SEARCH_CHARS
                autocomplete="off"
                enterkeyhint="search"
                required
            />
        </form>
    }
}

/// The way to a search in one room.
#[component]
pub fn SearchLink(
    /// Its name in addresses.
    room: String,
) -> impl IntoView {
    view! {
        <a class="button quiet search-link" href=url::search("", Some(&room), None) aria-label="Search in this room">
            <MagnifyingGlass />
        </a>
    }
}

#[component]
fn MagnifyingGlass() -> impl IntoView {
    view! {
        <svg viewBox="0 0 24 24" aria-hidden="true">
            <path d="M16 16l4.5 4.5M18 10.5a7.5 7.5 0 1 1-15 0 7.5 7.5 0 0 1 15 0z" />
        </svg>
    }
}

fn calls_search(event: &web_sys::KeyboardEvent) -> bool {
    let control = event.ctrl_key() || event.meta_key();
    if event.shift_key() && control && event.key().eq_ignore_ascii_case("f") {
        return true;
    }
    // Where somebody writes, it is a stroke like any other.
    let written = event
        .target()
        .and_then(|target| target.dyn_into::<web_sys::Element>().ok())
        .is_some_and(|target| target.closest("input, textarea, select, [contenteditable]").ok().flatten().is_some());
    event.key() == "/" && !control && !event.alt_key() && !event.is_composing() && !written
}

/// Puts the cursor into the page's own field, or else into the one at its side. Whether there is any to be seen.
fn focus_search() -> bool {
    let fields = ["q", "search"].into_iter().filter_map(|id| document().get_element_by_id(id));
    let seen = fields
        .filter_map(|field| field.dyn_into::<web_sys::HtmlInputElement>().ok())
        .find(|field| field.offset_parent().is_some());
    seen.is_some_and(|field| {
        field.select();
        field.focus().is_ok()
    })
}
