use crate::{
    badges::Count,
    live::Live,
    model::{NotificationLevel, Room, Visibility},
    reactive::memo,
    session, url,
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
    let (id, live) = (room.id, use_context::<Live>());
    let count = memo(move || live.map(|live| live.unread_in(id)).unwrap_or_default());
    let muted = memo(move || live.and_then(|live| live.level_of(id)) == Some(NotificationLevel::Mute));
    let (sign, name) = session::called(&room.slug, &room.name);
    let private = room.visibility == Visibility::Private && sign == "#";
    view! {
        <a class="room-link" class:unread=move || { count.get().unread > 0 } class:muted=muted href=href aria-current=here>
            <span class="sigil" aria-hidden="true">{if private { "◆" } else { sign }}</span>
            <span class="name">{name}</span>
            {private.then(|| view! { <span class="visually-hidden">" (private)"</span> })}
            {move || muted.get().then(|| view! { <span class="hint">" muted"</span> })}
            {move || badge(count.get())}
        </a>
    }
}

/// How much there is to read, and whether one is meant.
fn badge(count: Count) -> Option<impl IntoView> {
    let Count { unread, mentions } = count;
    let (class, shown, said) = match mentions {
        0 => ("badge", Count::text(unread), format!(", {} unread", Count::text(unread))),
        _ => {
            let said = format!(", {} unread, {} mention you", Count::text(unread), Count::text(mentions));
            ("badge mention", format!("@{}", Count::text(mentions)), said)
        }
    };
    (unread > 0).then(|| {
        view! {
            <span class=class>
                <span aria-hidden="true">{shown}</span>
                <span class="visually-hidden">{said}</span>
            </span>
        }
    })
}
