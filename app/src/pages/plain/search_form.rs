use crate::{direct::is_direct, model::MAX_SEARCH_CHARS};
use leptos::prelude::*;

/// Where one says what to look for. A plain form: the answer is a page.
#[component]
pub fn SearchForm(
    /// What the field holds at first.
    #[prop(into, optional)]
    q: String,
    /// The room that the page is about, by its name in addresses.
    #[prop(optional_no_strip)]
    room: Option<String>,
    /// The cursor is here at first.
    #[prop(optional)]
    autofocus: bool,
) -> impl IntoView {
    view! {
        <form class="search-form" role="search" method="get" action="/search">
            <span class="search-line">
                <input
                    id="q"
                    name="q"
                    type="search"
                    value=q
                    placeholder="Words, \"a phrase\", from:name"
                    aria-label="Search messages"
                    maxlength=MAX_SEARCH_CHARS
                    autocomplete="off"
                    enterkeyhint="search"
                    autofocus=autofocus
                    required
                />
                <button class="button primary">"Search"</button>
            </span>
            {room
                .map(|room| {
                    let named = if is_direct(&room) { "this conversation".to_owned() } else { format!("#{room}") };
                    view! {
                        <label class="choice">
                            <input type="checkbox" name="room" value=room.clone() checked />
                            {format!("Only in {named}")}
                        </label>
                    }
                })}
        </form>
    }
}
