use super::frame::Rooms;
use crate::{
    components::{CreateRoom, Direct, GuestForm, Problem, RoomLink},
    direct::is_direct,
    error::ApiError,
    model::{Room, Visibility},
    session,
    url::Query,
    words,
};
use leptos::prelude::*;
use leptos_meta::Title;

/// The rooms; for a newcomer also what this is.
#[component]
pub fn HomePage() -> impl IntoView {
    let rooms = use_context::<Rooms>();
    let query = Query::of_page();
    // The form below explains its own.
    let error = query.get("error").filter(|_| query.get("form").is_none());
    let problem = error.map(words::explain).unwrap_or_default().to_owned();
    let me = session::me();
    let (signed_in, registered) = (me.is_some(), me.as_ref().is_some_and(|me| !me.guest));
    view! {
        <Title text="" />
        <main id="main" class="home" tabindex="-1">
            <Problem text=problem />
            {match me {
                Some(me) => {
                    view! {
                        <header class="hello">
                            <h1>{format!("Hello, {}", me.display_name)}</h1>
                            <p class="hint">"Choose a room, or make one."</p>
                        </header>
                    }
                        .into_any()
                }
                None => view! { <Welcome /> }.into_any(),
            }}
            <Transition fallback=|| {
                view! { <p class="hint late">"Rooms are on their way…"</p> }
            }>
                {move || Suspend::new(async move {
                    match rooms {
                        Some(Rooms(rooms)) => view! { <Directory rooms=rooms.await /> }.into_any(),
                        None => ().into_any(),
                    }
                })}
            </Transition>
            <a class="button all" rel="external" href="/rooms">"All rooms"</a>
            {signed_in.then(|| view! { <CreateRoom /> })}
            {registered.then(|| view! { <Direct /> })}
        </main>
    }
}

#[component]
fn Welcome() -> impl IntoView {
    view! {
        <header class="welcome">
            <h1>"A place to talk where nothing gets lost."</h1>
            <p>
                "Partyline is a chat for groups: a message counts as sent only when it is safely stored, and whoever was away gets everything they missed."
            </p>
            <div class="actions">
                <GuestForm />
                <a class="button" rel="external" href="/login">"Sign in"</a>
                <a class="button" rel="external" href="/register">"Register"</a>
            </div>
            <p class="hint">"A guest needs no password and no e-mail address."</p>
        </header>
    }
}

#[component]
fn Directory(rooms: Result<Vec<Room>, ApiError>) -> impl IntoView {
    match rooms {
        Err(error) => view! { <Problem text=words::sentence(&error.to_string()) /> }.into_any(),
        Ok(rooms) if rooms.is_empty() => view! { <p class="hint">"There is no room to see yet."</p> }.into_any(),
        Ok(rooms) => {
            let (own, others): (Vec<_>, Vec<_>) = rooms.into_iter().partition(|room| room.role.is_some());
            let (direct, own): (Vec<_>, Vec<_>) = own.into_iter().partition(|room| is_direct(&room.slug));
            view! {
                <RoomCards title="Your rooms" rooms=own />
                <RoomCards title="Direct messages" rooms=direct />
                <RoomCards title=if session::me().is_some() { "Other rooms" } else { "Open rooms" } rooms=others />
            }
            .into_any()
        }
    }
}

#[component]
fn RoomCards(title: &'static str, rooms: Vec<Room>) -> impl IntoView {
    (!rooms.is_empty()).then(|| {
        view! {
            <section class="directory" aria-label=title>
                <h2>{title}</h2>
                <ul>{rooms.into_iter().map(|room| view! { <RoomCard room /> }).collect_view()}</ul>
            </section>
        }
    })
}

#[component]
fn RoomCard(room: Room) -> impl IntoView {
    let kind = match room.visibility {
        _ if is_direct(&room.slug) => "Direct",
        Visibility::Public => "Public",
        Visibility::Members => "Members only",
        Visibility::Private => "Private",
    };
    let members = if room.members == 1 { "1 member".to_owned() } else { format!("{} members", room.members) };
    view! {
        <li>
            <RoomLink room />
            <span class="hint">{kind} " · " {members}</span>
        </li>
    }
}
