use super::{
    Actions, EachRow, Hydrated, MessageRow,
    anchor::Anchor,
    arrival::{self, Arrival},
    copy::copy_code,
};
use crate::{
    api,
    browser::{self, sleep_ms},
    live::Live,
    model::{HistoryQuery, MessageId, Position},
    outbox::Outbox,
    reactive::{effect, memo},
    session,
    state::{Merged, RoomState},
    timeline::{Groups, Rows, lay_out},
    url, when,
};
use leptos::{html, prelude::*, task::spawn_local};

/// Nearer to an end of the list than this, in pixels, is at that end.
const NEAR_PX: i32 = 48;
/// Nearer to the beginning than this, in pixels, older messages are read.
const EARLY_PX: i32 = 400;
/// What was put into the list is in it for whoever reads it aloud, too.
const SETTLED_MS: u64 = 500;
/// So many rows at most are made before the browser may paint: all of a stretch at once would be a long task.
const ROWS_AT_ONCE: usize = 8;
const FRAME_MS: u64 = 16;

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
    /// Up to where the reader had read when the page was opened, if there was more.
    read: Option<Position>,
    /// What the address asks for to see the newest, if it does.
    latest: Option<String>,
) -> impl IntoView {
    let state = actions.state();
    let slug = StoredValue::new(actions.slug());
    let rows = laid_out(actions, read);
    let scroller = NodeRef::<html::Div>::new();
    // Where the newest message was when the reader scrolled away from it.
    let left_at = RwSignal::new(None::<Position>);
    let reading = RwSignal::new(false);
    // How many stretches are being read or were just put in: what changes meanwhile is not spoken.
    let quiet = RwSignal::new(0_u32);
    let anchor = Anchor::new(scroller);
    effect(move || {
        rows.track();
        anchor.restore();
    });

    let each = EachRow::of(rows);
    let groups =
        Memo::new(move |before: Option<&Groups>| before.cloned().unwrap_or_default().follow(&rows.read().order));

    let read_older = move || {
        if !reading.get_untracked() && state.with_untracked(|state| state.older()) {
            read_stretch(actions, reading, quiet, anchor, true);
        }
    };
    let read_newer = move || {
        if !reading.get_untracked() && state.with_untracked(|state| state.newer()) {
            read_stretch(actions, reading, quiet, anchor, false);
        }
    };
    // Where it stands; how far from the end that is.
    let stands = move || {
        let scroller = scroller.get_untracked()?;
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
        Some((scroller, from_end))
    };
    let on_scroll = move |_| {
        let Some((scroller, from_end)) = stands() else { return };
        if scroller.scroll_height() - scroller.client_height() - from_end < EARLY_PX {
            read_older();
        }
        if from_end < EARLY_PX {
            read_newer();
        }
    };
    let missed = memo(move || left_at.get().map(|at| state.with(|state| state.count_after(at))));
    let to_end = move |_| {
        if let Some(scroller) = scroller.get_untracked() {
            scroller.set_scroll_top(0);
        }
    };
    let first_new = rows.with_untracked(|rows| rows.order.iter().find(|id| rows.by_id[id].opens_new).copied());
    let arrival = match (highlight, first_new) {
        (Some(id), _) => Arrival::At(id),
        (None, Some(id)) if latest.is_none() => Arrival::Unread(id),
        _ => Arrival::End,
    };
    let view = arrival::number();
    // Before that nothing is seen: the page may still stand where another room was read.
    let arrived = RwSignal::new(false);
    effect(move || {
        arrival.arrive(view, scroller, anchor, move || {
            if arrived.try_set(true).is_none() {
                stands();
            }
        });
    });
    let live = use_context::<Live>();
    effect(move || {
        let here = move |live: &Live| arrived.get() && live.visible().get() && left_at.get().is_none();
        let Some(live) = live.filter(here) else { return };
        // As far as the stretch goes; what came to nothing after it is read with it.
        let seen = state.with(|state| if state.newer() { state.last() } else { Some(state.at()) });
        if let Some(at) = seen {
            live.seen(state.with_untracked(|state| state.id()), slug.get_value(), at);
        }
    });
    let older = memo(move || state.with(|state| state.older().then(|| state.first()).flatten()));
    let newer = memo(move || state.with(|state| state.newer().then(|| state.last()).flatten()));
    view! {
        <div class="timeline">
            <div class="scroller" node_ref=scroller on:scroll=on_scroll prop:partylineView=view on:click=|event| copy_code(&event) tabindex="0" role="region" aria-label="Message history">
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
                    <div role="log" aria-label="Messages" aria-busy=move || (quiet.get() > 0).to_string()>
                        <ol class="rows">
                            <For each=move || groups.read().keys() key=|group| *group let:group>
                                <Group group groups rows=each actions highlight above={group != 0 || arrival == Arrival::End} />
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
                                        read_stretch(actions, reading, quiet, anchor, false);
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
                    {seen_without_script(actions)}
                </div>
            </div>
            {move || match (newer.get(), missed.get()) {
                (Some(_), _) => {
                    // Once more, from where it was asked for before, is another address.
                    let href = url::latest(&slug.get_value(), latest.as_deref() == Some(url::LATEST));
                    Some(view! { <a class="button jump" href=href>"Jump to latest ↓"</a> }.into_any())
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

/// Without a script the page says by loading this that it was seen. As text: where scripts run, it is no element.
fn seen_without_script(actions: Actions) -> impl IntoView {
    session::me()?;
    let at = actions.state().with_untracked(|state| if state.newer() { state.last() } else { Some(state.at()) })?;
    let image = format!(r#"<img src="{}/seen?at={at}" alt="" width="1" height="1">"#, url::room(&actions.slug()));
    Some(view! { <noscript inner_html=image></noscript> })
}

fn laid_out(actions: Actions, read: Option<Position>) -> Memo<Rows> {
    let outbox = use_context::<Outbox>();
    let (state, me, hydrated) = (actions.state(), session::me(), Hydrated::signal());
    memo(move || {
        let local = hydrated.get();
        let day = |at| if local { browser::day(at) } else { i64::div_euclid(at, when::DAY) };
        state.with(|state| match outbox {
            Some(outbox) => outbox.queue().with(|queue| lay_out(state, queue.of(state.id()), me.as_ref(), read, day)),
            None => lay_out(state, [].iter(), me.as_ref(), read, day),
        })
    })
}

/// For who has an empty room before them. By hand: as a view it would be more for the browser to load.
const TIPS: &str = "\
    <li class=\"scripted\"><kbd>Enter</kbd> sends, <kbd>Shift Enter</kbd> begins a new line.</li>\
    <li><kbd>@</kbd> calls somebody, <kbd>#</kbd> names a room.</li>\
    <li><kbd>**bold**</kbd>, <kbd>*leaning*</kbd>, <kbd>`code`</kbd>, <kbd>- a list</kbd></li>";

/// What stands before the first message of a room.
#[component]
fn Beginning(actions: Actions, rows: Memo<Rows>) -> impl IntoView {
    let name = untrack(|| actions.room_called());
    let empty = memo(move || rows.read().order.is_empty());
    view! {
        <p class="beginning">
            {move || {
                if empty.get() {
                    let place = if name.starts_with('@') { "to" } else { "in" };
                    format!("Nothing has been said {place} {name} yet. The first message is yours.")
                } else {
                    format!("This is the beginning of {name}.")
                }
            }}
        </p>
        {move || {
            (empty.get() && actions.role().is_some())
                .then(|| {
                    view! {
                        <ul class="tips" inner_html=TIPS></ul>
                    }
                })
        }}
    }
}

fn end_of(state: &RoomState, older: bool) -> Option<Position> {
    if older { state.first() } else { state.last() }
}

#[component]
fn Group(
    group: u32,
    groups: Memo<Groups>,
    rows: EachRow,
    actions: Actions,
    highlight: Option<MessageId>,
    above: bool,
) -> impl IntoView {
    let ids = memo(move || groups.read().of(group));
    let listed = move || {
        // The list may move rows that stay.
        browser::keep_focus(".rows");
        ids.get()
    };
    view! {
        <For each=listed key=|id| *id let:id>
            <MessageRow id rows actions highlight=highlight == Some(id) anchor="m" above />
        </For>
    }
}

/// Reads the stretch before or after the one that is shown.
fn read_stretch(actions: Actions, reading: RwSignal<bool>, quiet: RwSignal<u32>, anchor: Anchor, older: bool) {
    let state = actions.state();
    reading.set(true);
    quiet.update(|stretches| *stretches += 1);
    spawn_local(async move {
        // The second read waits for the store to reach what is known here; should that fail too, the button remains.
        let mut behind = true;
        for _ in 0..2 {
            let Some(query) = state.try_with_untracked(|state| HistoryQuery {
                before: end_of(state, older).filter(|_| older),
                after: end_of(state, older).filter(|_| !older),
                at_least: Some(state.at()),
                ..HistoryQuery::default()
            }) else {
                return;
            };
            let mut end = if older { query.before } else { query.after };
            match browser::within_ms(10_000, api::history(actions.slug(), query)).await {
                Some(Ok(mut page)) => {
                    if !older {
                        // What is at the end now is in the middle then.
                        anchor.hold();
                    }
                    loop {
                        let part = page.take_part(ROWS_AT_ONCE, older);
                        let merged = state.try_update(|state| {
                            // Read anew meanwhile, the stretch may have other ends.
                            if end_of(state, older) != end {
                                return Merged::Behind;
                            }
                            let merged = if older {
                                state.merge_older(&part, part.more)
                            } else {
                                state.merge_newer(&part, part.more)
                            };
                            end = end_of(state, older);
                            merged
                        });
                        behind = merged == Some(Merged::Behind);
                        if behind || page.messages.is_empty() {
                            break;
                        }
                        sleep_ms(FRAME_MS).await;
                    }
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
        sleep_ms(SETTLED_MS).await;
        quiet.try_update(|stretches| *stretches -= 1);
    });
}
