//! A thread: a message, what answers it, and where one answers. Few pages show one, so it is a chunk of its own (feature
//! `split`).

use super::{Actions, EachRow, Kept, MessageRow, Problem, beside::say_failed};
use crate::{
    api::{self, Post},
    browser,
    markdown::NotLoaded,
    model::{MAX_BODY_BYTES, MessageBody, MessageId},
    outbox::Outbox,
    rcdata::textarea,
    reactive::{effect, memo},
    session,
    state::{Merged, RoomState},
    timeline::{Rows, lay_out},
    url::{self, Query},
    when, words,
};
use leptos::{
    html,
    prelude::*,
    server_fn::ServerFn,
    task::spawn_local,
    wasm_bindgen::JsCast,
    web_sys::{Element, HtmlElement, HtmlTextAreaElement},
};
use leptos_router::hooks::use_location;
use std::sync::OnceLock;

/// What is in the chunk.
#[derive(Clone, Copy, Debug)]
pub struct Panel {
    /// Reads the thread of a message into the room's state.
    pub read: fn(Actions, MessageId),
    /// Shows it from there.
    pub show: fn(Actions, MessageId) -> AnyView,
}

const PANEL: Panel = Panel { read, show };

static LOADED: OnceLock<Panel> = OnceLock::new();

impl Panel {
    /// The panel, where it has been fetched; the server has it always.
    pub fn at_hand() -> Option<Self> {
        #[cfg(feature = "ssr")]
        return Some(PANEL);
        #[cfg(not(feature = "ssr"))]
        LOADED.get().copied()
    }

    /// Fetches it if it is not there.
    pub async fn load() -> Result<Self, NotLoaded> {
        let panel = fetch().await?;
        let _ = LOADED.set(panel);
        Ok(panel)
    }
}

/// There is nothing to wait for.
#[cfg(not(feature = "split"))]
async fn fetch() -> Result<Panel, NotLoaded> {
    Ok(PANEL)
}

#[cfg(feature = "split")]
use split::fetch;

#[cfg(feature = "split")]
mod split {
    use super::*;
    use leptos::wasm_split::{self, wasm_split};

    /// What this refers to, and nothing else does, is cut out.
    #[wasm_split(thread, wasm_split_path = wasm_split, fallible)]
    #[allow(unsafe_code, reason = "names symbols for the tool that splits the file")]
    pub fn fetch() -> Result<Panel, NotLoaded> {
        Ok(PANEL)
    }
}

fn show(room: Actions, of: MessageId) -> AnyView {
    let state = room.state();
    // What goes wrong here is said here.
    let actions = Actions::new(state, None, String::new());
    let rows = laid_out(actions, of);
    let each = EachRow::of(rows);
    let panel = NodeRef::<html::Aside>::new();
    effect(move || {
        // Whoever came by a link in the history is led here; whoever wants to answer, to where one does.
        let Some(panel) = panel.get().filter(|_| focused_in(".replies")) else { return };
        let _ = panel.focus();
    });
    effect(move || {
        // The same link once more, with the thread there already.
        let clicks = window_event_listener(leptos::ev::click, move |event| {
            let clicked = event.target().and_then(|target| target.dyn_into::<Element>().ok());
            let link = format!("[href$='{of}#thread-compose']");
            if clicked.is_some_and(|clicked| clicked.closest(&link).ok().flatten().is_some()) {
                to_composer();
            }
        });
        on_cleanup(move || clicks.remove());
    });
    on_cleanup(move || left(state, of));
    let on_key = move |event: leptos::ev::KeyboardEvent| {
        if event.key() == "Escape"
            && !event.shift_key()
            && !event.is_composing()
            && let Some(close) = element("#thread .close")
        {
            close.click();
        }
    };
    let count = memo(move || rows.read().by_id.get(&of).map_or(0, |row| row.message.replies));
    let cut = move || state.with(|state| state.thread().is_some_and(RoomState::older));
    let slug = StoredValue::new(actions.slug());
    let writes = memo(move || actions.role().is_some() && !actions.archived());
    view! {
        <aside id="thread" class="thread" aria-label="Thread" tabindex="-1" node_ref=panel on:keydown=on_key>
            <header>
                <h2>"Thread"</h2>
                <a class="button quiet close" href=url::room(&slug.get_value())>"Close"</a>
            </header>
            <div class="scroller" tabindex="0" role="region" aria-label="Messages of the thread">
                <div class="history">
                    <ol>
                        <MessageRow id=of rows=each actions highlight=false anchor="t" />
                    </ol>
                    <p class="count" role="status">
                        {move || words::replies(count.get())}
                    </p>
                    {move || {
                        cut()
                            .then(|| {
                                view! {
                                    <p class="hint">
                                        "Here are the newest; earlier ones stand in "
                                        <a href=url::message(&slug.get_value(), of)>"the room's history"</a> "."
                                    </p>
                                }
                            })
                    }}
                    <ol>
                        <For
                            each=move || rows.with(|rows| rows.order.iter().copied().filter(|id| *id != of).collect::<Vec<_>>())
                            key=|id| *id
                            let:id
                        >
                            <MessageRow id rows=each actions highlight=false anchor="t" />
                        </For>
                    </ol>
                </div>
            </div>
            <Problem text=actions.problem() />
            {move || writes.get().then(|| view! { <Answer actions of /> })}
        </aside>
    }
    .into_any()
}

/// Where one answers: a plain form, which a script sends through the outbox.
#[component]
fn Answer(actions: Actions, of: MessageId) -> impl IntoView {
    let kept = Kept::of(&Query::of_page());
    let problem = RwSignal::new(kept.problem);
    let outbox = use_context::<Outbox>();
    let room = actions.state().with_untracked(RoomState::id);
    let (form, text) = (NodeRef::<html::Form>::new(), NodeRef::<html::Textarea>::new());
    let draft_key = StoredValue::new(actions.draft_key(of));
    // Somebody may have been quicker than the script.
    let here = format!("#thread-compose:has([value='{of}']) textarea");
    let typed = element(&here).map(|field| (field.unchecked_into::<HtmlTextAreaElement>().value(), focused_in(&here)));
    let wanted = use_location().hash.get_untracked() == "#thread-compose";
    effect(move || {
        let Some(text) = text.get() else { return };
        let (typed, focused) = typed.clone().unwrap_or_default();
        if !typed.is_empty() {
            text.set_value(&typed);
        } else if text.value().is_empty()
            && let Some(draft) = draft_key.with_value(|key| browser::stored(key))
        {
            text.set_value(&draft);
        }
        browser::grow(&text);
        if wanted {
            to_composer();
        } else if focused {
            let _ = text.focus();
        }
    });
    let on_input = move |_| {
        if let Some(text) = text.get_untracked() {
            browser::grow(&text);
            draft_key.with_value(|key| browser::store(key, &text.value()));
        }
    };
    let on_key = move |event: leptos::ev::KeyboardEvent| {
        let composing = event.is_composing() || event.key_code() == 229;
        if event.key() == "Enter" && !event.shift_key() && !composing {
            event.prevent_default();
            if let Some(form) = form.get_untracked() {
                let _ = form.request_submit();
            }
        }
    };
    let on_submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let (Some(text), Some(outbox)) = (text.get_untracked(), outbox) else { return };
        match MessageBody::parse(&text.value()) {
            Ok(body) => {
                outbox.send(room, actions.slug(), body.into_string(), Some(of));
                text.set_value("");
                browser::grow(&text);
                draft_key.with_value(|key| browser::forget(key));
                problem.set(String::new());
                if let Some(scroller) = element("#thread .scroller") {
                    scroller.set_scroll_top(0);
                }
            }
            Err(crate::model::BadBody::Empty) => {}
            Err(error) => problem.set(words::sentence(&error.to_string())),
        }
    };
    view! {
        <div class="composer" id="thread-compose">
            <Problem text=problem />
            <form node_ref=form method="post" action=Post::url() on:submit=on_submit>
                <input type="hidden" name="room" value=actions.slug() />
                <input type="hidden" name="id" value=kept.id.unwrap_or_default().to_string() />
                <input type="hidden" name="reply_to" value=of.to_string() />
                <input type="hidden" name="in_thread" value="true" />
                <textarea
                    node_ref=text
                    name="body"
                    rows="1"
                    required
                    maxlength=MAX_BODY_BYTES
                    placeholder="Reply…"
                    aria-label="Reply in thread"
                    enterkeyhint="send"
                    autocomplete="off"
                    on:keydown=on_key
                    on:input=on_input
                >
                    {textarea(&kept.draft)}
                </textarea>
                <button class="send" aria-label="Send reply">
                    <svg viewBox="0 0 24 24" aria-hidden="true">
                        <path d="M4 12l16-8-5 16-3-7z" />
                    </svg>
                </button>
            </form>
        </div>
    }
}

/// The thread's messages, and those on their way to it.
fn laid_out(actions: Actions, of: MessageId) -> Memo<Rows> {
    let outbox = use_context::<Outbox>();
    let (state, me, hydrated) = (actions.state(), session::me(), super::Hydrated::signal());
    memo(move || {
        let local = hydrated.get();
        let day = |at| if local { browser::day(at) } else { i64::div_euclid(at, when::DAY) };
        state.with(|state| {
            let Some(thread) = state.thread().filter(|_| state.thread_of() == Some(of)) else { return Rows::default() };
            match outbox {
                Some(outbox) => outbox.queue().with(|queue| {
                    let unsent = queue.of(state.id()).filter(|unsent| unsent.reply_to == Some(of));
                    lay_out(thread, unsent, me.as_ref(), None, day)
                }),
                None => lay_out(thread, [].iter(), me.as_ref(), None, day),
            }
        })
    })
}

/// Reads the thread, and shows it beside the room.
fn read(actions: Actions, of: MessageId) {
    let state = actions.state();
    spawn_local(async move {
        // The second read waits for the store to reach what is known here.
        for _ in 0..2 {
            let Some(at) = state.try_with_untracked(RoomState::at) else { return };
            let read = browser::within_ms(10_000, api::read_thread(actions.slug(), of, at)).await;
            let Some(Ok(thread)) = read else { break };
            if state.try_update(|state| state.open(&thread)) != Some(Merged::Behind) {
                return;
            }
        }
        say_failed(actions);
    });
}

/// The thread is shown no longer.
fn left(state: RwSignal<RoomState>, of: MessageId) {
    // The server's page ends too, and is shown nowhere.
    if !cfg!(feature = "hydrate") {
        return;
    }
    let focused = focused_in("#thread");
    let _ = state.try_update(|state| {
        if state.thread_of() == Some(of) {
            state.close();
        }
    });
    request_animation_frame(move || {
        if focused && element("#thread").is_none() {
            // Back to where it was opened.
            let at = format!("#m-{of}");
            let _ = focus(&format!("{at} .replies")) || focus(&format!("{at} summary")) || focus("#compose textarea");
        }
    });
}

/// The cursor leaves the menu that it was in.
fn to_composer() {
    if let Some(menu) = element(".menu[open]") {
        let _ = menu.remove_attribute("open");
    }
    focus("#thread-compose textarea");
}

/// In the browser alone.
fn element(selector: &str) -> Option<HtmlElement> {
    if !cfg!(feature = "hydrate") {
        return None;
    }
    document().query_selector(selector).ok().flatten()?.dyn_into().ok()
}

/// Whether there is such an element to take the focus.
fn focus(selector: &str) -> bool {
    element(selector).is_some_and(|element| element.focus().is_ok())
}

/// The focus is on such an element, or inside.
fn focused_in(selector: &str) -> bool {
    document().active_element().is_some_and(|active| active.closest(selector).ok().flatten().is_some())
}
