use super::NotFoundPage;
use crate::{
    api::{self, RoomData},
    browser,
    components::{Actions, Banner, Composer, Hydrated, JoinBar, Kept, MemberList, RoomHeader, Timeline, beside},
    direct::called,
    error::ApiError,
    json::Brought,
    live::Live,
    model::{HistoryQuery, MessageId},
    reactive::{effect, memo},
    session,
    state::RoomState,
    url::Query,
    words,
};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::{use_location, use_params_map};

/// What the address asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Wanted {
    slug: String,
    /// `None`: the address names a message by what cannot be an id.
    history: Option<HistoryQuery>,
    /// The newest messages, however many before them are unread.
    latest: Option<String>,
    reply_to: Option<MessageId>,
    /// Beside the room: what answers this message.
    thread: Option<MessageId>,
    kept: Kept,
}

/// A room: its newest messages, or those around one of them.
#[component]
pub fn RoomPage() -> impl IntoView {
    let wanted = wanted();
    let view = Resource::<_, Brought>::new_with_options(
        move || wanted.with(|wanted| (wanted.slug.clone(), wanted.history.clone(), wanted.latest.clone())),
        move |(slug, history, latest)| async move {
            match history {
                Some(history) => {
                    let from_unread = latest.is_none() && history == HistoryQuery::default();
                    let view = api::room_view(slug, history, from_unread).await;
                    #[cfg(feature = "ssr")]
                    let view = api::with_thread(view?, wanted.with_untracked(|wanted| wanted.thread)).await;
                    view
                }
                None => Err(ApiError::NotFound),
            }
        },
        true,
    );
    view! {
        <Transition fallback=|| {
            view! {
                <main id="main" class="room">
                    <p class="hint late">"The room is on its way…"</p>
                </main>
            }
        }>
            {move || Suspend::new(async move {
                match view.await {
                    Ok(view) => view! { <RoomBody view wanted /> }.into_any(),
                    Err(ApiError::NotFound) => view! { <NotFoundPage /> }.into_any(),
                    Err(error) => view! { <Trouble error /> }.into_any(),
                }
            })}
        </Transition>
    }
}

fn wanted() -> Memo<Wanted> {
    let (params, search) = (use_params_map(), use_location().search);
    memo(move || {
        let query = Query::parse(&search.read());
        let params = params.read();
        let around = params.get("id").map(|id| id.parse()).transpose().ok();
        Wanted {
            slug: params.get("slug").unwrap_or_default(),
            history: around.map(|around| HistoryQuery {
                before: query.parsed("before"),
                after: query.parsed("after"),
                around,
                limit: None,
                at_least: query.parsed("at_least"),
            }),
            latest: query.get("latest").map(str::to_owned),
            reply_to: query.parsed("reply_to"),
            thread: query.parsed("thread"),
            kept: Kept::of(&query),
        }
    })
}

#[component]
fn RoomBody(view: RoomData, wanted: Memo<Wanted>) -> impl IntoView {
    let RoomData { room, members, page, older, newer, read, pins, thread } = view;
    let thread_wanted = move || wanted.with(|wanted| wanted.thread);
    let wanted = wanted.get_untracked();
    let highlight = wanted.history.and_then(|history| history.around);
    let mut state = RoomState::new(room, members, &page, older, newer).with_pins(pins);
    if cfg!(feature = "ssr")
        && let Some(thread) = &thread
    {
        state.open(thread);
    }
    let state = RwSignal::new(state);
    let actions = Actions::new(state, wanted.reply_to, String::new());
    // See `App`: read without an arena.
    let (shown, me) = (ArcRwSignal::from(state), session::me().map(|me| me.username));
    let title = move || shown.with(|state| called(state.room(), me.as_deref()));
    let live = use_context::<Live>();
    effect(move || {
        if let Some(live) = live {
            live.watch(state);
        }
    });
    let joined = memo(move || actions.role().is_some());
    let archived = memo(move || actions.archived());
    // In a thread it was not tried here.
    let kept = if wanted.thread.is_some() && actions.may_write() { Kept::default() } else { wanted.kept };
    actions.problem().set(kept.problem.clone());
    view! {
        <Title text=title />
        <main id="main" class="room" tabindex="-1">
            <RoomHeader state />
            <Banner />
            <Timeline actions highlight read latest=wanted.latest />
            {move || match joined.get() && !archived.get() {
                true => view! { <Composer actions kept=kept.clone() /> }.into_any(),
                false => view! { <JoinBar actions kept=kept.clone() /> }.into_any(),
            }}
        </main>
        {beside(actions, thread_wanted)}
        <MemberList actions />
    }
}

#[component]
fn Trouble(error: ApiError) -> impl IntoView {
    let again = leptos_router::hooks::use_location().pathname;
    let switched = Hydrated::signal().get_untracked();
    effect(move || {
        // Opened from another room, it may have been kept for this: see offline-worker.js.
        if switched && !browser::online() {
            let _ = window().location().reload();
        }
    });
    // Nobody has tried to change anything: what matters is that nothing is gone.
    let (what, why) = match error {
        ApiError::Unavailable { .. } => (
            "This room cannot be read just now",
            "Nothing is lost: its messages are kept and will be here again, and so will what is written meanwhile."
                .into(),
        ),
        error => ("This did not work", words::sentence(&error.to_string())),
    };
    view! {
        <Title text="Not now" />
        <main id="main" class="entry trouble" tabindex="-1">
            <h1>{what}</h1>
            <p>{why}</p>
            <a class="button primary" rel="external" href=move || again.get()>"Try again"</a>
        </main>
    }
}
