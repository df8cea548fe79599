use super::SearchLink;
use crate::{live::Live, model::Visibility, session, state::RoomState};
use leptos::prelude::*;

/// The room's name, who may see it, how many are in it.
#[component]
pub fn RoomHeader(
    /// The room.
    state: RwSignal<RoomState>,
) -> impl IntoView {
    let room = state.with_untracked(|state| state.room().clone());
    let count = Memo::new(move |_| state.with(|state| state.room().members));
    let (live, id) = (use_context::<Live>(), room.id);
    let here = Memo::new(move |_| live.map_or(0, |live| live.present().with(|here| here.count(id))));
    let (sign, name) = session::called(&room.slug, &room.name);
    let visibility = match room.visibility {
        Visibility::Public => "Public",
        Visibility::Members => "Members only",
        Visibility::Private if sign == "@" => "Direct",
        Visibility::Private => "Private",
    };
    view! {
        <header class="room-header">
            <a class="back" href="/" aria-label="All rooms">
                <span aria-hidden="true">"←"</span>
            </a>
            <h1>
                <span class="sigil" aria-hidden="true">{sign}</span>
                {name}
            </h1>
            <span class="visibility">{visibility}</span>
            <SearchLink room=room.slug />
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
