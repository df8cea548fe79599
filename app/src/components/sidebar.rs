use super::{Account, Brand, RoomLink, SearchLine, Switcher};
use crate::{
    api::MarkAllRead,
    direct::is_direct,
    error::ApiError,
    json::Brought,
    live::Live,
    model::{Room, Unread},
    reactive::memo,
    session,
};
use leptos::{prelude::*, server_fn::ServerFn};

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
                            // Here, since only here what is unread is known on both sides.
                            <ReadAll />
                        }
                    })}
                </Transition>
                <a class="room-link add" rel="external" href="/rooms">
                    <span class="sigil" aria-hidden="true">
                        "≡"
                    </span>
                    <span class="name">"All rooms"</span>
                </a>
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

/// Everything is read. Only there if anything is not.
#[component]
fn ReadAll() -> impl IntoView {
    let live = use_context::<Live>();
    let any = memo(move || live.is_some_and(|live| live.unread().unread > 0));
    let on_submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if let Some(live) = live {
            live.read_all();
        }
    };
    move || {
        any.get().then(|| {
            view! {
                <form class="read-all" method="post" action=MarkAllRead::url() on:submit=on_submit>
                    <button class="room-link">
                        <span class="sigil" aria-hidden="true">
                            "✓"
                        </span>
                        <span class="name">"Mark all read"</span>
                    </button>
                </form>
            }
        })
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
