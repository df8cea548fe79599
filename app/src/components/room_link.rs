use crate::{
    model::{Room, Visibility},
    url,
};
use leptos::prelude::*;

/// A room's name as a link.
#[component]
pub fn RoomLink(
    /// Which.
    room: Room,
) -> impl IntoView {
    let pathname = leptos_router::hooks::use_location().pathname;
    let href = url::room(&room.slug);
    let page = href.clone();
    let below = format!("{href}/");
    let here = move || {
        let path = pathname.get();
        (path == page || path.starts_with(&below)).then_some("page")
    };
    let private = room.visibility == Visibility::Private;
    view! {
        <a class="room-link" href=href aria-current=here>
            <span class="sigil" aria-hidden="true">{if private { "◆" } else { "#" }}</span>
            <span class="name">{room.name}</span>
            {private.then(|| view! { <span class="visually-hidden">" (private)"</span> })}
        </a>
    }
}
