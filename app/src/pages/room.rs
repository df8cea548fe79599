use super::NotFoundPage;
use crate::{
    api::{self, RoomData},
    components::{Actions, Banner, Composer, JoinBar, Kept, MemberList, RoomHeader, Timeline},
    direct::called,
    error::ApiError,
    json::Brought,
    live::Live,
    model::{HistoryQuery, MessageId},
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
    latest: bool,
    reply_to: Option<MessageId>,
    kept: Kept,
    problem: String,
}

/// A room: its newest messages, or those around one of them.
#[component]
pub fn RoomPage() -> impl IntoView {
    let wanted = wanted();
    let view = Resource::<_, Brought>::new_with_options(
        move || wanted.with(|wanted| (wanted.slug.clone(), wanted.history.clone(), wanted.latest)),
        |(slug, history, latest)| async move {
            match history {
                Some(history) => {
                    let from_unread = !latest && history == HistoryQuery::default();
                    api::room_view(slug, history, from_unread).await
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
                    Ok(view) => view! { <RoomBody view wanted=wanted.get_untracked() /> }.into_any(),
                    Err(ApiError::NotFound) => view! { <NotFoundPage /> }.into_any(),
                    Err(error) => view! { <Trouble error /> }.into_any(),
                }
            })}
        </Transition>
    }
}

fn wanted() -> Memo<Wanted> {
    let (params, search) = (use_params_map(), use_location().search);
    Memo::new(move |_| {
        let query = Query::parse(&search.read());
        let params = params.read();
        let problem = query.get("error").map(words::explain).unwrap_or_default();
        let text = match (query.get("draft"), query.get("draft_kept")) {
            (_, Some(_)) => {
                " The text was too long to come back with this page; your browser's Back button still has it."
            }
            (Some(_), None) => " Your text is still here.",
            _ => "",
        };
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
            latest: query.get("latest").is_some(),
            reply_to: query.parsed("reply_to"),
            kept: Kept { draft: query.text("draft"), id: query.parsed("id") },
            problem: if problem.is_empty() { String::new() } else { format!("{problem}{text}") },
        }
    })
}

#[component]
fn RoomBody(view: RoomData, wanted: Wanted) -> impl IntoView {
    let RoomData { room, members, page, older, newer, read } = view;
    let highlight = wanted.history.and_then(|history| history.around);
    let state = RwSignal::new(RoomState::new(room, members, &page, older, newer));
    let actions = Actions::new(state, wanted.reply_to, wanted.problem);
    // See `App`: read without an arena.
    let (shown, me) = (ArcRwSignal::from(state), session::me().map(|me| me.username));
    let title = move || shown.with(|state| called(state.room(), me.as_deref()));
    let live = use_context::<Live>();
    Effect::new(move || {
        if let Some(live) = live {
            live.watch(state);
        }
    });
    let joined = Memo::new(move |_| actions.role().is_some());
    // Who reads an old stretch writes where its end is.
    let at_end = Memo::new(move |_| !state.with(RoomState::newer));
    let archived = Memo::new(move |_| actions.archived());
    let kept = wanted.kept;
    view! {
        <Title text=title />
        <main id="main" class="room" tabindex="-1">
            <RoomHeader state />
            <Banner />
            <Timeline actions highlight read />
            {move || match (joined.get() && !archived.get(), at_end.get()) {
                (true, true) => view! { <Composer actions kept=kept.clone() /> }.into_any(),
                (true, false) => ().into_any(),
                (false, _) => view! { <JoinBar actions kept=kept.clone() /> }.into_any(),
            }}
        </main>
        <MemberList actions />
    }
}

#[component]
fn Trouble(error: ApiError) -> impl IntoView {
    let again = leptos_router::hooks::use_location().pathname;
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
