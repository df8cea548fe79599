use super::{Actions, Hydrated, MessageRow, anchor::Anchor, copy::copy_code};
use crate::{
    api, browser,
    model::{HistoryQuery, MessageId, Position},
    outbox::Outbox,
    session,
    state::Merged,
    timeline::{Rows, lay_out},
    url, when,
};
use leptos::{html, prelude::*, task::spawn_local};

/// Nearer to an end of the list than this, in pixels, is at that end.
const NEAR_PX: i32 = 48;
/// Nearer to the beginning than this, in pixels, older messages are read.
const EARLY_PX: i32 = 400;

/// The room's messages.
///
/// The scroller is a reversed column: it stands at the newest message from the
/// first paint, without a script too, stays there as messages arrive, and does
/// not jump when older ones are put before. Its scroll position is 0 at the
/// newest and negative above.
#[component]
pub fn Timeline(
    /// What can be done in this room, and its state.
    actions: Actions,
    /// The message that the page is about.
    highlight: Option<MessageId>,
) -> impl IntoView {
    let state = actions.state();
    let slug = StoredValue::new(actions.slug());
    let rows = laid_out(actions);
    let scroller = NodeRef::<html::Div>::new();
    // Where the newest message was when the reader scrolled away from it.
    let left_at = RwSignal::new(None::<Position>);
    let reading = RwSignal::new(false);
    let anchor = Anchor::new(scroller);
    Effect::new(move || {
        rows.track();
        anchor.restore();
    });

    let read_older = move || {
        if !reading.get_untracked() && state.with_untracked(|state| state.older()) {
            read(actions, reading, true);
        }
    };
    let on_scroll = move |_| {
        let Some(scroller) = scroller.get_untracked() else { return };
        let from_end = -scroller.scroll_top();
        let at_end = from_end < NEAR_PX;
        if at_end == left_at.get_untracked().is_some() {
            left_at.set(if at_end { None } else { state.with_untracked(|state| state.last()) });
            state.update_untracked(|state| state.follow(at_end));
        }
        if at_end {
            anchor.release();
        } else {
            anchor.hold();
        }
        if scroller.scroll_height() - scroller.client_height() - from_end < EARLY_PX {
            read_older();
        }
    };
    let missed = Memo::new(move |_| left_at.get().map(|at| state.with(|state| state.count_after(at))));
    let to_end = move |_| {
        if let Some(scroller) = scroller.get_untracked() {
            scroller.set_scroll_top(0);
        }
    };
    if let Some(id) = highlight {
        Effect::new(move || {
            if let Some(row) = document().get_element_by_id(&format!("m-{id}")) {
                browser::scroll_to_middle(&row);
            }
        });
    }
    let older = Memo::new(move |_| state.with(|state| state.older().then(|| state.first()).flatten()));
    let newer = Memo::new(move |_| state.with(|state| state.newer().then(|| state.last()).flatten()));
    view! {
        <div class="timeline">
            <div class="scroller" node_ref=scroller on:scroll=on_scroll on:click=|event| copy_code(&event) tabindex="0" role="region" aria-label="Message history">
                <div class="history">
                    {move || match older.get() {
                        Some(at) => {
                            let on_click = move |event: leptos::ev::MouseEvent| {
                                event.prevent_default();
                                read_older();
                            };
                            view! {
                                <a class="button quiet more" href=url::before(&slug.get_value(), at) on:click=on_click>
                                    {move || if reading.get() { "Reading older messages…" } else { "Older messages" }}
                                </a>
                            }
                                .into_any()
                        }
                        None => view! { <Beginning actions rows /> }.into_any(),
                    }}
                    <div role="log" aria-label="Messages" aria-busy=move || reading.get().to_string()>
                        <ol class="rows">
                            <For each=move || rows.read().order.clone() key=|id| *id let:id>
                                <MessageRow id rows actions highlight=highlight == Some(id) />
                            </For>
                        </ol>
                    </div>
                    {move || {
                        newer
                            .get()
                            .map(|at| {
                                let on_click = move |event: leptos::ev::MouseEvent| {
                                    event.prevent_default();
                                    if !reading.get_untracked() {
                                        read(actions, reading, false);
                                    }
                                };
                                let href = format!("{}?after={at}", url::room(&slug.get_value()));
                                view! {
                                    <div class="more-newer">
                                        <a class="button quiet" href=href on:click=on_click>
                                            "Newer messages"
                                        </a>
                                    </div>
                                }
                            })
                    }}
                    <div id="end"></div>
                </div>
            </div>
            {move || match (newer.get(), missed.get()) {
                (Some(_), _) => {
                    Some(view! { <a class="button jump" href=url::room(&slug.get_value())>"Jump to latest ↓"</a> }.into_any())
                }
                (None, Some(missed)) => {
                    Some(
                        view! {
                            <button type="button" class="button jump" on:click=to_end>
                                "Jump to latest ↓"
                                {(missed > 0).then(|| view! { <span class="count">{missed}</span> })}
                            </button>
                        }
                            .into_any(),
                    )
                }
                (None, None) => None,
            }}
        </div>
    }
}

fn laid_out(actions: Actions) -> Memo<Rows> {
    let outbox = use_context::<Outbox>();
    let (state, me, hydrated) = (actions.state(), session::me(), Hydrated::signal());
    Memo::new(move |_| {
        let local = hydrated.get();
        let day = |at| if local { browser::day(at) } else { i64::div_euclid(at, when::DAY) };
        state.with(|state| match outbox {
            Some(outbox) => outbox.queue().with(|queue| lay_out(state, queue.of(state.id()), me.as_ref(), day)),
            None => lay_out(state, [].iter(), me.as_ref(), day),
        })
    })
}

/// What stands before the first message of a room.
#[component]
fn Beginning(actions: Actions, rows: Memo<Rows>) -> impl IntoView {
    let name = actions.state().with_untracked(|state| state.room().name.clone());
    let empty = Memo::new(move |_| rows.read().order.is_empty());
    view! {
        <p class="beginning">
            {move || {
                if empty.get() {
                    format!("Nothing has been said in #{name} yet. The first message is yours.")
                } else {
                    format!("This is the beginning of #{name}.")
                }
            }}
        </p>
    }
}

/// Reads the stretch before or after the one that is shown.
fn read(actions: Actions, reading: RwSignal<bool>, older: bool) {
    let state = actions.state();
    reading.set(true);
    spawn_local(async move {
        // The second read waits for the store to reach what is known here; should that fail too, the button remains.
        let mut behind = true;
        for _ in 0..2 {
            let Some(query) = state.try_with_untracked(|state| HistoryQuery {
                before: state.first().filter(|_| older),
                after: state.last().filter(|_| !older),
                at_least: Some(state.at()),
                ..HistoryQuery::default()
            }) else {
                return;
            };
            let (before, after) = (query.before, query.after);
            match browser::within_ms(10_000, api::history(actions.slug(), query)).await {
                Some(Ok(page)) => {
                    let merged = state.try_update(|state| {
                        // Read anew meanwhile, the stretch may have other ends.
                        let adjoins = if older { state.first() == before } else { state.last() == after };
                        match (adjoins, older) {
                            (false, _) => Merged::Behind,
                            (true, true) => state.merge_older(&page, page.more),
                            (true, false) => state.merge_newer(&page, page.more),
                        }
                    });
                    behind = merged == Some(Merged::Behind);
                    if !behind {
                        break;
                    }
                }
                Some(Err(_)) | None => break,
            }
        }
        if behind {
            let _ = actions.problem().try_set("The history could not be read. Please try again.".into());
        }
        let _ = reading.try_set(false);
    });
}
