use super::{NotFoundPage, invite_links::InviteLinks, room_members::RoomMembers};
use crate::{
    api::{self, ArchiveRoom, ChangeRoom, KeepMessages, Leave, SettingsData},
    components::{Field, Problem, VisibilityChoices},
    error::ApiError,
    model::{MAX_ROOM_NAME_CHARS, MAX_TOPIC_CHARS, Role, Room, Visibility},
    session,
    url::{self, Query},
    words,
};
use leptos::{prelude::*, server_fn::ServerFn};
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;

/// What a room is and who runs it; for those who may, the forms that change it.
#[component]
pub fn SettingsPage() -> impl IntoView {
    let slug = use_params_map().read_untracked().get("slug").unwrap_or_default();
    let view = Resource::new_blocking(move || slug.clone(), api::settings);
    view! {
        <Transition>
            {move || Suspend::new(async move {
                match view.await {
                    Ok(data) => view! { <Settings data /> }.into_any(),
                    Err(ApiError::NotFound) => view! { <NotFoundPage /> }.into_any(),
                    Err(error) => {
                        view! {
                            <Title text="Not now" />
                            <main id="main" class="page" tabindex="-1">
                                <Problem text=words::sentence(&error.to_string()) />
                            </main>
                        }
                            .into_any()
                    }
                }
            })}
        </Transition>
    }
}

/// What the viewer may do to the room.
#[derive(Clone, Copy)]
pub struct May {
    /// Say what it is called, let people in and take members out.
    pub run: bool,
    /// All the rest.
    pub own: bool,
}

#[component]
fn Settings(data: SettingsData) -> impl IntoView {
    let SettingsData { room, members, invites, new_link } = data;
    let admin = session::me().is_some_and(|me| me.admin);
    let may = May {
        run: (admin || room.role.is_some_and(Role::runs)) && !room.slug.starts_with(crate::direct::SIGN),
        own: (admin || room.role == Some(Role::Owner)) && !room.slug.starts_with(crate::direct::SIGN),
    };
    let query = Query::of_page();
    let problem = query.get("error").map(|code| words::explain_settings(&query.text("form"), code)).unwrap_or_default();
    let done = query.get("done").map(words::settings_done).unwrap_or_default();
    let (slug, archived) = (room.slug.clone(), room.archived);
    let member = room.role.is_some() && !room.slug.starts_with(crate::direct::SIGN);
    let (sign, name) = session::called(&room.slug, &room.name);
    let about = match may.run {
        true => view! { <About room=room.clone() may query=query.clone() /> }.into_any(),
        false => view! { <AboutToRead room=room.clone() /> }.into_any(),
    };
    view! {
        <Title text=format!("Settings of {sign}{name}") />
        <main id="main" class="page settings" tabindex="-1">
            <header class="page-header">
                <a class="back-link" rel="external" href=url::room(&slug)>"← " {sign} {name.clone()}</a>
                <h1>{if may.run { "Room settings" } else { "About this room" }}</h1>
            </header>
            <Problem text=problem />
            {(!done.is_empty()).then(|| view! { <p class="note" role="status">{done}</p> })}
            {archived.then(|| view! { <p class="note">"This room is archived: it can be read, and nothing new is said in it."</p> })}
            {about}
            <RoomMembers room=room.clone() members may />
            {(may.run && !archived).then(|| view! { <InviteLinks slug=slug.clone() invites new_link /> })}
            {member
                .then(|| {
                    view! {
                        <section class="card form" aria-labelledby="leave">
                            <h2 id="leave">"Leave"</h2>
                            <p class="hint">"What you have said stays. Into a private room only an invitation leads back."</p>
                            <form method="post" action=Leave::url()>
                                <input type="hidden" name="room" value=slug.clone() />
                                <button class="button danger">{format!("Leave #{name}")}</button>
                            </form>
                        </section>
                    }
                })}
            {may.own.then(|| view! { <Keep room=room.clone() /> })}
            {may.own.then(|| view! { <Archive room /> })}
        </main>
    }
}

#[component]
fn About(room: Room, may: May, query: Query) -> impl IntoView {
    // A form that was refused comes back as it was filled in.
    let came_back = query.get("form") == Some("change");
    let kept = |field: &str, stored: &str| if came_back { query.text(field) } else { stored.to_owned() };
    let visibility = may.own.then(|| {
        let choices = [
            (Visibility::Public, "Public", "Anyone may read, also what was said before; members write."),
            (Visibility::Members, "Members only", "Listed for everyone with an account; members read and write."),
            (Visibility::Private, "Private", "Not listed; by invitation only."),
        ];
        view! { <VisibilityChoices choices chosen=room.visibility /> }
    });
    view! {
        <form class="card form" method="post" action=ChangeRoom::url() aria-labelledby="about">
            <h2 id="about">"The room"</h2>
            <input type="hidden" name="room" value=room.slug.clone() />
            <Field
                label="Name"
                name="name"
                value=kept("name", &room.name)
                maxlength=MAX_ROOM_NAME_CHARS
                autocomplete="off"
            />
            <Field
                label="Topic"
                name="topic"
                value=kept("topic", &room.topic)
                maxlength=MAX_TOPIC_CHARS
                autocomplete="off"
                hint="What it is about, in a line. The address of the room stays as it is."
                optional=true
            />
            {visibility}
            {(!may.own).then(|| view! { <p class="hint">{keeps(&room)}</p> })}
            <button class="button primary">"Save"</button>
        </form>
    }
}

#[component]
fn AboutToRead(room: Room) -> impl IntoView {
    let who = match room.visibility {
        Visibility::Public => "Public: anyone may read, members write.",
        Visibility::Members => "Members only: listed for everyone with an account.",
        Visibility::Private => "Private: not listed, by invitation only.",
    };
    let keeps = keeps(&room);
    view! {
        <section class="card" aria-label="The room">
            {(!room.topic.is_empty()).then(|| view! { <p>{room.topic}</p> })}
            <p class="hint">{who}</p>
            <p class="hint">{keeps}</p>
        </section>
    }
}

fn keeps(room: &Room) -> String {
    format!("Messages are kept {}.", words::kept_for(room.keep_days))
}

/// How long messages are kept: a few usual times, and the one that is set.
#[component]
fn Keep(room: Room) -> impl IntoView {
    let mut choices = vec![0, 7, 30, 90, 365];
    if !choices.contains(&room.keep_days) {
        choices.push(room.keep_days);
        choices.sort_unstable();
    }
    let option = |days: u32| {
        view! {
            <option value=days.to_string() selected=days == room.keep_days>
                {words::kept_for(days)}
            </option>
        }
    };
    view! {
        <form class="card form" method="post" action=KeepMessages::url() aria-labelledby="keep">
            <h2 id="keep">"Forget"</h2>
            <p class="hint">
                "What is older is deleted for everybody, with its files, pins and reactions, and does not come back."
            </p>
            <input type="hidden" name="room" value=room.slug.clone() />
            <div class="field">
                <label for="keep-days">"Keep messages"</label>
                <select id="keep-days" name="keep_days">
                    {choices.into_iter().map(option).collect_view()}
                </select>
            </div>
            <button class="button">"Keep them so long"</button>
        </form>
    }
}

#[component]
fn Archive(room: Room) -> impl IntoView {
    let archived = room.archived;
    let (title, hint, button) = if archived {
        ("Use it again", "Members can write in it as before, and it is back in the lists.", "Use this room again")
    } else {
        (
            "Archive",
            "The room can be read as before, and nobody writes in it any more. It leaves the lists; owners bring it back.",
            "Archive this room",
        )
    };
    let sure = (!archived).then(|| {
        view! {
            <label class="choice sure">
                <input type="checkbox" required />
                <span>"Yes, nobody is to write in it any more"</span>
            </label>
        }
    });
    view! {
        <form class="card form" method="post" action=ArchiveRoom::url() aria-labelledby="archive">
            <h2 id="archive">{title}</h2>
            <p class="hint">{hint}</p>
            <input type="hidden" name="room" value=room.slug />
            <input type="hidden" name="archived" value=(!archived).to_string() />
            {sure}
            <button class="button" class:danger=!archived>
                {button}
            </button>
        </form>
    }
}
