use crate::{
    api::{self, Join},
    components::Problem,
    error::ApiError,
    model::{DirectoryPage as Found, DirectoryQuery, Room, Visibility},
    session,
    url::{self, Query},
    words,
};
use leptos::{prelude::*, server_fn::ServerFn};
use leptos_meta::Title;

/// All rooms that the viewer may know of, to be looked through.
#[component]
pub fn DirectoryPage() -> impl IntoView {
    let query = Query::of_page();
    let wanted = DirectoryQuery {
        q: query.text("q"),
        archived: query.get("archived").is_some(),
        after: query.get("after").map(str::to_owned),
    };
    let asked = wanted.clone();
    let found = Resource::new_blocking(move || asked.clone(), api::directory);
    let DirectoryQuery { q, archived, .. } = wanted.clone();
    view! {
        <Title text="All rooms" />
        <main id="main" class="page" tabindex="-1">
            <header class="page-header">
                <a class="back-link" rel="external" href="/">"← Your rooms"</a>
                <h1>{if archived { "Archived rooms" } else { "All rooms" }}</h1>
            </header>
            <form class="find-room" method="get" action="/rooms" role="search">
                <input
                    name="q"
                    type="search"
                    value=q
                    maxlength="200"
                    aria-label="Name or topic"
                    placeholder="Name or topic"
                    autocomplete="off"
                />
                <label class="choice">
                    <input type="checkbox" name="archived" value="true" checked=archived />
                    "Archived"
                </label>
                <button class="button">"Find"</button>
            </form>
            <Transition>
                {move || {
                    let wanted = wanted.clone();
                    Suspend::new(async move { view! { <List found=found.await wanted /> } })
                }}
            </Transition>
        </main>
    }
}

#[component]
fn List(found: Result<Found, ApiError>, wanted: DirectoryQuery) -> impl IntoView {
    let Found { rooms, more } = match found {
        Ok(found) => found,
        Err(error) => return view! { <Problem text=words::sentence(&error.to_string()) /> }.into_any(),
    };
    let DirectoryQuery { q, archived, after } = wanted;
    if rooms.is_empty() {
        let (what, all) = match (q.as_str(), after) {
            ("", None) if archived => ("No room has been archived.", false),
            ("", None) => ("There is no room to see yet.", false),
            (_, Some(_)) => ("There are no more rooms.", true),
            _ => ("No room has that in its name or topic.", true),
        };
        let all = all.then(
            || view! { <a class="button" rel="external" href=url::directory("", archived, None)>"All of them"</a> },
        );
        return view! {
            <div class="nothing" role="status">
                <p>{what}</p>
                {all}
            </div>
        }
        .into_any();
    }
    let next = more.then(|| rooms.last().map(|last| url::directory(&q, archived, Some(&last.slug)))).flatten();
    view! {
        <ul class="all-rooms">{rooms.into_iter().map(|room| view! { <Entry room /> }).collect_view()}</ul>
        {next.map(|href| view! { <a class="button more" rel="external" href=href>"More rooms"</a> })}
    }
    .into_any()
}

#[component]
fn Entry(room: Room) -> impl IntoView {
    let kind = match room.visibility {
        Visibility::Public => "Public",
        Visibility::Members => "Members only",
        Visibility::Private => "Private",
    };
    let members = if room.members == 1 { "1 member".to_owned() } else { format!("{} members", room.members) };
    // What must be joined first has nothing to be opened yet.
    let opens = room.role.is_some() || room.visibility == Visibility::Public;
    let name = format!("#{}", room.name);
    let title = match opens {
        true => view! { <a rel="external" href=url::room(&room.slug)>{name}</a> }.into_any(),
        false => name.into_any(),
    };
    let guest = session::me().is_some_and(|me| me.guest);
    let joins = session::me().is_some() && room.role.is_none() && !room.archived;
    let joins = joins && (!guest || room.visibility == Visibility::Public);
    let end = if joins {
        view! {
            <form method="post" action=Join::url()>
                <input type="hidden" name="room" value=room.slug />
                <button class="button" aria-label=format!("Join #{}", room.name)>
                    "Join"
                </button>
            </form>
        }
        .into_any()
    } else if room.role.is_some() {
        view! { <span class="hint">"You are in it"</span> }.into_any()
    } else {
        ().into_any()
    };
    view! {
        <li>
            <div>
                <h2>{title}</h2>
                {(!room.topic.is_empty()).then(|| view! { <p>{room.topic}</p> })}
                <p class="hint">{kind} " · " {members}</p>
            </div>
            {end}
        </li>
    }
}
