//! For administrators; nobody else finds these pages.

use super::page::{Done, Moment, PlainPage};
use crate::{
    api::{self, Administer},
    components::{Avatar, Problem},
    error::ApiError,
    model::{AccountInfo, AuditEntry, RoomInfo, Visibility},
    pages::NotFoundPage,
    session,
    url::{self, Query},
    words,
};
use leptos::{prelude::*, server_fn::ServerFn};

/// Accounts, and what can be done to them.
#[component]
pub fn AdminPage() -> impl IntoView {
    let query = Query::of_page();
    let (q, of) = (query.text("q"), query.text("of"));
    let done = query.get("done").map(|act| words::done(act, &of)).unwrap_or_default();
    let problem = query.get("error").map(|code| words::explain_act(code, &query.text("act"))).unwrap_or_default();
    let wanted = (q.clone(), query.text("after"));
    let found = Resource::new_blocking(move || wanted.clone(), |(q, after)| api::accounts(q, after));
    only_for_administrators(move || {
        view! {
            <PlainPage title="People" back="/me">
                <Sections here="/admin" />
                <Done text=done />
                <Problem text=problem.to_owned() />
                <form class="search-form" role="search" method="get" action="/admin">
                    <span class="search-line">
                        <input type="search" name="q" value=q.clone() aria-label="Name of a person" maxlength="64" autocomplete="off" />
                        <button class="button primary">"Search"</button>
                    </span>
                </form>
                <Transition>
                    {move || {
                        let q = q.clone();
                        Suspend::new(async move {
                            listed(
                                found.await.map(|found| (found.users, found.next)),
                                "Nobody is called that.",
                                |account| view! { <Person account q=q.clone() /> }.into_any(),
                                |next| format!("/admin?q={}&after={}", url::encode(&q), url::encode(next)),
                            )
                        })
                    }}
                </Transition>
            </PlainPage>
        }
        .into_any()
    })
}

/// What administrators did, newest first.
#[component]
pub fn LogPage() -> impl IntoView {
    let before = Query::of_page().parsed::<i64>("before");
    let log = Resource::new_blocking(move || before, api::what_administrators_did);
    only_for_administrators(move || {
        view! {
            <PlainPage title="What administrators did" back="/me">
                <Sections here="/admin/log" />
                <Transition>
                    {move || Suspend::new(async move {
                        let log = log.await.map(|log| (log.entries, log.next));
                        listed(
                            log,
                            "Nothing yet.",
                            |entry| view! { <Entry entry /> }.into_any(),
                            |next| format!("/admin/log?before={next}"),
                        )
                    })}
                </Transition>
            </PlainPage>
        }
        .into_any()
    })
}

/// All rooms by name, private ones too; nothing of what is said in them.
#[component]
pub fn AllRoomsPage() -> impl IntoView {
    let after = Query::of_page().text("after");
    let rooms = Resource::new_blocking(move || after.clone(), api::all_rooms);
    only_for_administrators(move || {
        view! {
            <PlainPage title="All rooms" back="/me">
                <Sections here="/admin/rooms" />
                <Transition>
                    {move || Suspend::new(async move {
                        let rooms = rooms.await.map(|rooms| (rooms.rooms, rooms.next));
                        listed(
                            rooms,
                            "There are no more rooms.",
                            |room| view! { <Room room /> }.into_any(),
                            |next| format!("/admin/rooms?after={}", url::encode(next)),
                        )
                    })}
                </Transition>
            </PlainPage>
        }
        .into_any()
    })
}

/// The service decides; this only keeps an empty page from being shown around its answer.
fn only_for_administrators(page: impl FnOnce() -> AnyView) -> AnyView {
    if session::me().is_some_and(|me| me.admin) { page() } else { view! { <NotFoundPage /> }.into_any() }
}

#[component]
fn Sections(here: &'static str) -> impl IntoView {
    let link = |href: &'static str, name: &'static str| {
        view! { <a rel="external" href=href aria-current=(href == here).then_some("page")>{name}</a> }
    };
    view! {
        <nav class="sections" aria-label="Administration">
            {link("/admin", "People")} {link("/admin/rooms", "Rooms")} {link("/admin/log", "Log")}
        </nav>
    }
}

/// A page of a list, and the way to the next.
fn listed<T, N>(
    list: Result<(Vec<T>, Option<N>), ApiError>,
    nothing: &'static str,
    row: impl Fn(T) -> AnyView,
    further: impl Fn(&N) -> String,
) -> AnyView {
    match list {
        Err(error) => view! { <Problem text=words::sentence(&error.to_string()) /> }.into_any(),
        Ok((rows, _)) if rows.is_empty() => view! { <p class="hint" role="status">{nothing}</p> }.into_any(),
        Ok((rows, next)) => view! {
            <ul class="listed">{rows.into_iter().map(row).collect_view()}</ul>
            {next.map(|next| view! { <a class="button more" rel="external" href=further(&next)>"More"</a> })}
        }
        .into_any(),
    }
}

#[component]
fn Person(account: AccountInfo, q: String) -> impl IntoView {
    let AccountInfo { user, suspended_at, sessions, created_at } = account;
    let own = session::me().is_some_and(|me| me.id == user.id);
    let username = user.username.clone();
    let act = |act: &'static str, name: &'static str, danger: bool| {
        let label = format!("{name}: @{username}");
        view! { <button class="button" class:danger=danger name="act" value=act aria-label=label>{name}</button> }
    };
    let suspension = match suspended_at {
        Some(_) => Some(act("reinstate", "Reinstate", false)),
        None => (!own).then(|| act("suspend", "Suspend", true)),
    };
    let administration = match (user.admin, user.guest) {
        (true, _) => Some(act("unmake_admin", "Unmake administrator", true)),
        (false, true) => None,
        (false, false) => Some(act("make_admin", "Make administrator", false)),
    };
    let ending = (sessions > 0).then(|| act("end_sessions", "End sessions", true));
    let live = match sessions {
        0 => "not signed in".to_owned(),
        1 => "1 session".to_owned(),
        n => format!("{n} sessions"),
    };
    view! {
        <li>
            <Avatar user=user.clone() />
            <p class="about">
                <span>
                    <strong>{user.display_name.clone()}</strong> {format!(" @{}", user.username)}
                    {user.admin.then(|| view! { <span class="badge">"Administrator"</span> })}
                    {user.guest.then(|| view! { <span class="badge">"Guest"</span> })}
                    {suspended_at.is_some().then(|| view! { <span class="badge mention">"Suspended"</span> })}
                </span>
                <span class="hint">
                    {match suspended_at {
                        Some(at) => view! { "Suspended " <Moment at=at /> }.into_any(),
                        None => view! { "Here since " <Moment at=created_at /> {format!(", {live}")} }.into_any(),
                    }}
                </span>
            </p>
            <form class="actions" method="post" action=Administer::url()>
                <input type="hidden" name="username" value=user.username />
                <input type="hidden" name="q" value=q />
                {suspension}
                {administration}
                {ending}
            </form>
        </li>
    }
}

#[component]
fn Entry(entry: AuditEntry) -> impl IntoView {
    let AuditEntry { at, by, action, subject, detail, .. } = entry;
    let by = by.map_or_else(|| "Whoever runs the program".to_owned(), |by| format!("@{by}"));
    let what = words::act(&action).map_or(action.clone(), |words| words.replace('…', &format!("@{subject}")));
    let detail = if detail.is_empty() { String::new() } else { format!(", {detail}") };
    view! {
        <li>
            <p class="about">
                <span>
                    <strong>{by}</strong>
                    {format!(" {what}")}
                </span>
                <span class="hint">
                    <Moment at=at />
                    {detail}
                </span>
            </p>
        </li>
    }
}

#[component]
fn Room(room: RoomInfo) -> impl IntoView {
    let RoomInfo { name, visibility, members, last_message_at, .. } = room;
    let people = if members == 1 { "1 member".to_owned() } else { format!("{members} members") };
    let kind = match visibility {
        Visibility::Public => "public",
        Visibility::Members => "for everybody who is signed in",
        Visibility::Private => "private",
    };
    view! {
        <li>
            <p class="about">
                <strong>{format!("#{name}")}</strong>
                <span class="hint">
                    {format!("{kind}, {people}, ")}
                    {match last_message_at {
                        Some(at) => view! { "last message " <Moment at=at /> }.into_any(),
                        None => "no message yet".into_any(),
                    }}
                </span>
            </p>
        </li>
    }
}
