use super::{Account, Brand, RoomLink, SearchLine, Switcher};
use crate::{
    direct::is_direct,
    error::ApiError,
    json::Brought,
    live::Live,
    model::{Room, Unread},
    session,
};
use leptos::prelude::*;

/// The rooms, and who one is.
#[component]
pub fn Sidebar(
    /// The rooms that the viewer may know of.
    rooms: Resource<Result<Vec<Room>, ApiError>, Brought>,
    /// What the viewer has not read of them.
    unread: Resource<Result<Vec<Unread>, ApiError>, Brought>,
) -> impl IntoView {
    let live = use_context::<Live>();
    view! {
        <aside class="sidebar" aria-label="Rooms and account">
            <Brand />
            <Switcher rooms />
            <SearchLine />
            <nav class="rooms" aria-label="Rooms">
                <Transition fallback=|| {
                    view! { <p class="hint late">"Rooms are on their way…"</p> }
                }>
                    {move || Suspend::new(async move {
                        let rooms = rooms.await.unwrap_or_default();
                        if let (Some(live), Ok(unread)) = (live, unread.await) {
                            live.counted(&unread);
                        }
                        let (own, others): (Vec<_>, Vec<_>) = rooms.into_iter().partition(|room| room.role.is_some());
                        let (direct, own): (Vec<_>, Vec<_>) = own.into_iter().partition(|room| is_direct(&room.slug));
                        view! {
                            <RoomGroup title="Your rooms" rooms=own />
                            <RoomGroup title="Direct messages" rooms=direct />
                            <RoomGroup title=if session::me().is_some() { "Other rooms" } else { "Open rooms" } rooms=others />
                        }
                    })}
                </Transition>
                {session::me()
                    .map(|_| {
                        view! {
                            <a class="room-link add" href="/#create-room">
                                <span class="sigil" aria-hidden="true">
                                    "+"
                                </span>
                                <span class="name">"New room"</span>
                            </a>
                        }
                    })}
            </nav>
            <Account />
        </aside>
    }
}

#[component]
fn RoomGroup(title: &'static str, rooms: Vec<Room>) -> impl IntoView {
    (!rooms.is_empty()).then(|| {
        view! {
            <h2>{title}</h2>
            <ul>{rooms.into_iter().map(|room| view! { <li><RoomLink room /></li> }).collect_view()}</ul>
        }
    })
}
