use super::SearchLink;
use crate::{live::Live, model::Visibility, reactive::memo, session, state::RoomState, url};
use leptos::prelude::*;

/// The room's name, what it is about, who may see it, how many are in it.
#[component]
pub fn RoomHeader(
    /// The room.
    state: RwSignal<RoomState>,
) -> impl IntoView {
    let slug = state.with_untracked(|state| state.room().slug.clone());
    let count = memo(move || state.with(|state| state.room().members));
    let (live, id) = (use_context::<Live>(), state.with_untracked(RoomState::id));
    let here = memo(move || live.map_or(0, |live| live.present().with(|here| here.count(id))));
    let called = memo(move || state.with(|state| session::called(&state.room().slug, &state.room().name)));
    let (sign, _) = called.get_untracked();
    let about = memo(move || state.with(|state| state.room().topic.clone()));
    let visibility = move || {
        state.with(|state| match (state.room().archived, state.room().visibility) {
            (true, _) => "Archived",
            (false, Visibility::Public) => "Public",
            (false, Visibility::Members) => "Members only",
            (false, Visibility::Private) if sign == "@" => "Direct",
            (false, Visibility::Private) => "Private",
        })
    };
    let settings = (sign != "@").then(|| {
        view! {
            <a class="button quiet settings-link" rel="external" href=url::settings(&slug) aria-label="Room settings" title="Room settings">
                <svg viewBox="0 0 24 24" aria-hidden="true">
                    <path d="M4 7h9m5 0h2M4 17h2m5 0h9M13 4.5v5h5v-5zM6 14.5v5h5v-5z" />
                </svg>
            </a>
        }
    });
    view! {
        <header class="room-header">
            <a class="back" href="/" aria-label="Your rooms">
                <span aria-hidden="true">"←"</span>
            </a>
            <h1>
                <span class="sigil" aria-hidden="true">{sign}</span>
                {move || called.get().1}
            </h1>
            {move || {
                let about = about.get();
                (!about.is_empty()).then(|| view! { <p class="topic" title=about.clone()>{about.clone()}</p> })
            }}
            <span class="visibility">{visibility}</span>
            <SearchLink room=slug.clone() />
            {settings}
            <button type="button" class="button quiet members-button" popovertarget="members">
                {move || match count.get() {
                    1 => "1 member".to_owned(),
                    n => format!("{n} members"),
                }}
                {move || {
                    let here = here.get();
                    (here > 1).then(|| view! { <span class="here">{format!("{here} here")}</span> })
                }}
            </button>
        </header>
    }
}
