use super::{Avatar, RoomLink};
use crate::{
    api::{SignOut, Theme},
    error::ApiError,
    model::Room,
    session, url,
};
use leptos::{prelude::*, server_fn::ServerFn};

/// The rooms, and who one is.
#[component]
pub fn Sidebar(
    /// The rooms that the viewer may know of.
    rooms: Resource<Result<Vec<Room>, ApiError>>,
) -> impl IntoView {
    view! {
        <aside class="sidebar" aria-label="Rooms and account">
            <a class="brand" href="/">
                <svg viewBox="0 0 24 24" aria-hidden="true">
                    <path d="M3 12h4l2.5-6 4.5 12 2.5-6h4.500" />
                </svg>
                "Partyline"
            </a>
            <nav class="rooms" aria-label="Rooms">
                <Transition fallback=|| {
                    view! { <p class="hint late">"Rooms are on their way…"</p> }
                }>
                    {move || Suspend::new(async move {
                        let rooms = rooms.await.unwrap_or_default();
                        let (own, others): (Vec<_>, Vec<_>) = rooms.into_iter().partition(|room| room.role.is_some());
                        view! {
                            <RoomGroup title="Your rooms" rooms=own />
                            <RoomGroup title="Other rooms" rooms=others />
                        }
                    })}
                </Transition>
                <a class="room-link add" href="/#create-room">
                    <span class="sigil" aria-hidden="true">"+"</span>
                    <span class="name">"New room"</span>
                </a>
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

#[component]
fn Account() -> impl IntoView {
    let here = leptos_router::hooks::use_location().pathname;
    let who = match session::me() {
        Some(me) => {
            let kind = match (me.admin, me.guest) {
                (true, _) => "Administrator",
                (_, true) => "Guest",
                _ => "Signed in",
            };
            let name = me.display_name.clone();
            view! {
                <div class="me">
                    <Avatar user=me />
                    <p>
                        <strong data-testid="me">{name}</strong>
                        <span class="hint">{kind}</span>
                    </p>
                    <form method="post" action=SignOut::url()>
                        <button class="button quiet">"Sign out"</button>
                    </form>
                </div>
            }
            .into_any()
        }
        None => view! {
            <div class="me">
                <a class="button" rel="external" href=move || url::login(&here.get())>"Sign in"</a>
                <a class="button quiet" rel="external" href="/register">"Register"</a>
            </div>
        }
        .into_any(),
    };
    view! {
        <footer class="account">
            {who}
            <form method="post" action=Theme::url() class="themes" aria-label="Light or dark pages">
                <input type="hidden" name="next" value=move || here.get() />
                <button name="choice" value="light">"Light"</button>
                <button name="choice" value="dark">"Dark"</button>
                <button name="choice" value="system">"System"</button>
            </form>
        </footer>
    }
}
