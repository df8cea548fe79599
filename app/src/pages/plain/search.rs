use super::{page::Moment, search_form::SearchForm};
use crate::{
    api,
    components::{Avatar, Problem},
    error::ApiError,
    model::{SearchHit, SearchPage as Found, SearchQuery},
    session,
    url::{self, Query},
    words,
};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_location;

/// What was said somewhere: a field to look for it, and what was found.
#[component]
pub fn SearchPage() -> impl IntoView {
    let search = use_location().search;
    let wanted = Memo::new(move |_| {
        let query = Query::parse(&search.read());
        let field = |name: &str| query.get(name).map(str::to_owned);
        SearchQuery { q: query.text("q"), room: field("room"), before: field("before"), limit: None }
    });
    let found = Resource::new_blocking(
        move || wanted.get(),
        |wanted| async move {
            match wanted.q.trim() {
                "" => None,
                _ => Some(api::search(wanted).await),
            }
        },
    );
    let title = match wanted.read_untracked().q.trim() {
        "" => "Search".to_owned(),
        q => format!("{q} · Search"),
    };
    view! {
        <Title text=title />
        <main id="main" class="search" tabindex="-1">
            <header class="search-header">
                {move || {
                    let SearchQuery { q, room, .. } = wanted.get();
                    let back = room.as_deref().map_or_else(|| "/".to_owned(), url::room);
                    let autofocus = q.is_empty();
                    view! {
                        <a class="back" href=back aria-label="Back">
                            <span aria-hidden="true">"←"</span>
                        </a>
                        <SearchForm q room autofocus />
                    }
                }}
            </header>
            <Transition fallback=|| {
                view! { <p class="hint late">"Looking…"</p> }
            }>
                {move || Suspend::new(async move {
                    let found = found.await;
                    let wanted = wanted.get_untracked();
                    match found {
                        None => view! { <Help /> }.into_any(),
                        Some(Err(error)) => view! { <Problem text=problem(&error) /> }.into_any(),
                        Some(Ok(found)) => view! { <Hits found wanted /> }.into_any(),
                    }
                })}
            </Transition>
        </main>
    }
}

fn problem(error: &ApiError) -> String {
    match error {
        ApiError::NotFound => "There is no such room here, or it is not for you.".into(),
        ApiError::Unavailable { .. } => "Nothing can be looked up just now. Please try again in a moment.".into(),
        error => words::sentence(&error.to_string()),
    }
}

/// What can be looked for.
#[component]
fn Help() -> impl IntoView {
    let ways = [
        ("green tea", "has both words, in any case"),
        ("\"green tea\"", "has them one after the other"),
        ("from:ada", "said by @ada"),
        ("in:welcome", "said in #welcome"),
        ("before:2026-11-23", "sent before that day"),
    ];
    view! {
        <section class="search-help">
            <h1>"Search"</h1>
            <p class="hint">"What was said in your rooms, and in public ones."</p>
            <dl>
                {ways
                    .map(|(written, means)| {
                        view! {
                            <dt>
                                <code>{written}</code>
                            </dt>
                            <dd class="hint">{means}</dd>
                        }
                    })
                    .collect_view()}
            </dl>
        </section>
    }
}

#[component]
fn Hits(found: Found, wanted: SearchQuery) -> impl IntoView {
    let SearchQuery { q, room, before, .. } = wanted;
    if found.hits.is_empty() {
        let (what, everywhere) = match (before, &room) {
            (Some(_), _) => ("There is nothing more.", None),
            (None, Some(_)) => ("Nothing was found in this room.", Some(url::search(&q, None, None))),
            (None, None) => ("Nothing was found.", None),
        };
        return view! {
            <div class="nothing" role="status">
                <p>{what}</p>
                {everywhere.map(|href| view! { <a class="button" href=href>"Search all rooms"</a> })}
                <p class="hint">"Messages have to have all the words. Fewer of them find more."</p>
            </div>
        }
        .into_any();
    }
    let more = found.next.map(|next| url::search(&q, room.as_deref(), Some(&next)));
    view! {
        <h1 class="visually-hidden">{format!("Messages with {q}")}</h1>
        <ol class="hits">{found.hits.into_iter().map(|hit| view! { <Hit hit /> }).collect_view()}</ol>
        {more.map(|href| view! { <a class="button more" href=href>"Older messages"</a> })}
    }
    .into_any()
}

#[component]
fn Hit(hit: SearchHit) -> impl IntoView {
    let SearchHit { message, room, excerpt } = hit;
    let author = message.author;
    let (sign, name) = session::called(&room.slug, &room.name);
    let href = url::message(&room.slug, message.id);
    let label = format!("Message of {} in {sign}{name}", author.display_name);
    let text = excerpt.into_iter().map(|piece| match piece.found {
        true => view! { <mark>{piece.text}</mark> }.into_any(),
        false => piece.text.into_any(),
    });
    view! {
        <li>
            <article class="hit" aria-label=label>
                <Avatar user=author.clone() />
                <p class="hit-head">
                    <span class="author" title=format!("@{}", author.username)>{author.display_name}</span>
                    <a class="in" href=url::room(&room.slug)>{sign} {name}</a>
                    <Moment at=message.sent_at />
                </p>
                <a class="body" href=href>{text.collect_view()}</a>
            </article>
        </li>
    }
}
