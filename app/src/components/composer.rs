use super::{
    Actions, Kept, Problem,
    suggestions::{SuggestionList, Suggestions, apply},
    upload_list::{Attach, PlainAttach, UploadList},
    uploads::{Uploads, dropping},
};
use crate::{
    api::{Post, Sent, Typing},
    browser,
    complete::bytes,
    live::Live,
    markdown::Renderer,
    mentions,
    model::{MAX_BODY_BYTES, MessageBody},
    outbox::Outbox,
    rcdata::textarea,
    reactive::{effect, memo},
    url, words,
};
use leptos::{
    html,
    prelude::*,
    server_fn::ServerFn,
    task::{spawn_local, tick},
    wasm_bindgen::JsCast,
    web_sys,
};

/// In a room of more people than this a call to everyone is asked about before it goes.
const MANY: u64 = 10;

/// How often others are told that somebody types.
const TYPING_EVERY_MS: i64 = 3_000;

/// Where messages are written. A plain form; a script sends through the outbox instead.
#[component]
pub fn Composer(
    /// What can be done in this room.
    actions: Actions,
    /// What an earlier try left behind.
    kept: Kept,
) -> impl IntoView {
    let outbox = use_context::<Outbox>();
    let room = actions.state().with_untracked(|state| state.id());
    let placeholder = move || format!("Message {}", actions.room_called());
    let (form, text) = (NodeRef::<html::Form>::new(), NodeRef::<html::Textarea>::new());
    let draft_key = StoredValue::new(actions.draft_key(room));
    let told = StoredValue::new(0_i64);
    // The text that was asked about: sent again as it is, it goes.
    let asked = StoredValue::new(String::new());
    let suggestions = Suggestions::new(actions, text);
    let uploads = Uploads::new(actions, form);
    let dropping = dropping(uploads);

    effect(move || {
        let Some(text) = text.get() else { return };
        if text.value().is_empty()
            && let Some(draft) = draft_key.with_value(|key| browser::stored(key))
        {
            text.set_value(&draft);
        }
        browser::grow(&text);
        if browser::has_keyboard() {
            let _ = text.focus();
        }
    });
    Effect::new(move |before: Option<()>| {
        // Not at first: the page decides where the cursor is then.
        if actions.reply_to().get().is_some()
            && before.is_some()
            && let Some(text) = text.get_untracked()
        {
            let _ = text.focus();
        }
    });
    let on_input = move |event: leptos::ev::Event| {
        let Some(text) = text.get_untracked() else { return };
        browser::grow(&text);
        // What an input method has not made up its mind about is no word yet.
        if event.unchecked_ref::<web_sys::InputEvent>().is_composing() {
            suggestions.close();
        } else {
            suggestions.look();
        }
        draft_key.with_value(|key| browser::store(key, &text.value()));
        if browser::now() - told.get_value() >= TYPING_EVERY_MS && !text.value().trim().is_empty() {
            told.set_value(browser::now());
            // Ephemeral: whether it arrives does not matter.
            let sent = Sent { room: Some(actions.slug()), ..Sent::default() };
            spawn_local(async move {
                let _ = sent.to::<()>(Typing::PATH).await;
            });
        }
    };
    let on_key = move |event: leptos::ev::KeyboardEvent| {
        // 229: an input method takes the key, in browsers that do not say so otherwise.
        let composing = event.is_composing() || event.key_code() == 229;
        if composing || suggestions.take(&event) {
            return;
        }
        if let Some(mark) = mark_of(&event) {
            event.prevent_default();
            if let Some(field) = text.get_untracked() {
                mark_selected(&field, mark);
            }
        } else if event.key() == "Enter" && !event.shift_key() {
            event.prevent_default();
            if let Some(form) = form.get_untracked() {
                let _ = form.request_submit();
            }
        } else if event.key() == "Escape" && actions.reply_to().get_untracked().is_some() {
            event.prevent_default();
            actions.reply_to().set(None);
        } else if event.key() == "ArrowUp" && text.get_untracked().is_some_and(|t| t.value().is_empty()) {
            event.prevent_default();
            edit_last(actions);
        }
    };
    // The cursor has moved, and the text has not.
    let on_key_up = move |event: leptos::ev::KeyboardEvent| {
        if matches!(event.key().as_str(), "ArrowLeft" | "ArrowRight" | "Home" | "End") && !event.is_composing() {
            suggestions.look();
        }
    };
    let on_submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let (Some(text), Some(outbox)) = (text.get_untracked(), outbox) else { return };
        let Some(body) = uploads.with_text(&text.value()) else {
            if uploads.stuck() {
                actions.problem().set("A file could not be uploaded. Please try again, or take it out.".into());
            }
            return;
        };
        match MessageBody::parse(&body) {
            Ok(body) if calls_many(actions, &body) && asked.with_value(|asked| asked != body.as_str()) => {
                let others = actions.state().with_untracked(|state| state.room().members.saturating_sub(1));
                asked.set_value(body.into_string());
                actions
                    .problem()
                    .set(format!("This calls all {others} others in the room. Send it once more if you mean it."));
            }
            Ok(body) => {
                outbox.send(room, actions.slug(), body.into_string(), actions.reply_to().get_untracked());
                text.set_value("");
                uploads.clear();
                browser::grow(&text);
                suggestions.close();
                draft_key.with_value(|key| browser::forget(key));
                actions.reply_to().set(None);
                actions.problem().set(String::new());
                show_end();
            }
            Err(crate::model::BadBody::Empty) => {}
            Err(error) => actions.problem().set(words::sentence(&error.to_string())),
        }
    };
    let on_paste = move |event: leptos::ev::ClipboardEvent| {
        if uploads.add(browser::pasted(&event)) {
            event.prevent_default();
        }
    };
    let id = kept.id.unwrap_or_default();
    view! {
        <div class="composer" id="compose" class:dropping=move || dropping.get()>
            <Problem text=actions.problem() />
            <Answering actions />
            <UploadList uploads />
            <form class="writing" node_ref=form method="post" action=Post::url() on:submit=on_submit>
                <SuggestionList suggestions />
                <input type="hidden" name="room" value=actions.slug() />
                <input type="hidden" name="id" value=id.to_string() />
                {move || {
                    actions
                        .reply_to()
                        .get()
                        .map(|id| view! { <input type="hidden" name="reply_to" value=id.to_string() /> })
                }}
                <Attach uploads />
                <textarea
                    node_ref=text
                    name="body"
                    rows="1"
                    required=move || uploads.is_empty()
                    maxlength=MAX_BODY_BYTES
                    placeholder=placeholder
                    aria-label=placeholder
                    enterkeyhint="send"
                    autocomplete="off"
                    on:keydown=on_key
                    on:keyup=on_key_up
                    on:input=on_input
                    on:paste=on_paste
                    on:compositionend=move |_| suggestions.look()
                    on:click=move |_| suggestions.look()
                    on:blur=move |_| suggestions.close()
                >
                    {textarea(&kept.draft)}
                </textarea>
                <button class="send" aria-label="Send">
                    <svg viewBox="0 0 24 24" aria-hidden="true">
                        <path d="M4 12l16-8-5 16-3-7z" />
                    </svg>
                </button>
                <PlainAttach slug=actions.slug() />
            </form>
            <Typing actions />
        </div>
    }
}

fn calls_many(actions: Actions, body: &MessageBody) -> bool {
    actions.state().with_untracked(|state| state.room().members > MANY)
        && mentions::calls(body.as_str(), mentions::EVERYONE)
}

/// What Ctrl or ⌘ with B or I puts around words.
fn mark_of(event: &leptos::ev::KeyboardEvent) -> Option<&'static str> {
    if !(event.ctrl_key() || event.meta_key()) || event.alt_key() || event.shift_key() {
        return None;
    }
    match event.key().as_str() {
        "b" => Some("**"),
        "i" => Some("*"),
        _ => None,
    }
}

fn mark_selected(field: &web_sys::HtmlTextAreaElement, mark: &str) {
    let Some(by) = Renderer::there() else { return };
    let text = field.value();
    let at = |place: Result<Option<u32>, _>| bytes(&text, place.ok().flatten().unwrap_or_default());
    let edit = (by.emphasise)(&text, at(field.selection_start())..at(field.selection_end()), mark);
    apply(field, &text, &edit);
}

/// One's own message is the newest: that is where one wants to be.
fn show_end() {
    let element = |selector| document().query_selector(selector).ok().flatten();
    if let Some(link) = element(".timeline > a.jump") {
        // The stretch that is shown ends before it.
        link.unchecked_into::<web_sys::HtmlElement>().click();
    } else if let Some(scroller) = element(".scroller") {
        scroller.set_scroll_top(0);
    }
}

/// Opens the last own message for editing, the way its menu does.
fn edit_last(actions: Actions) {
    let own = actions.state().with_untracked(|state| {
        state.messages().rev().find(|message| !message.deleted && actions.owns(&message.author)).map(|own| own.id)
    });
    let Some(row) = own.and_then(|id| document().get_element_by_id(&format!("m-{id}"))) else { return };
    let part = move |selector| row.query_selector(selector).ok().flatten();
    if let Some(summary) = part(".menu:not([open]) > summary") {
        summary.unchecked_into::<web_sys::HtmlElement>().click();
    }
    spawn_local(async move {
        // What is in a menu comes with its first opening.
        tick().await;
        if let Some(edit) = part(".edit") {
            edit.unchecked_into::<web_sys::HtmlDetailsElement>().set_open(true);
        }
        if let Some(text) = part(".edit textarea") {
            let _ = text.unchecked_into::<web_sys::HtmlElement>().focus();
        }
    });
}

#[component]
fn Answering(actions: Actions) -> impl IntoView {
    move || {
        let id = actions.reply_to().get()?;
        let name = actions.state().with(|state| state.message(id).map(|message| message.author.display_name.clone()));
        let cancel = move |event: leptos::ev::MouseEvent| {
            event.prevent_default();
            actions.reply_to().set(None);
        };
        Some(view! {
            <p class="answering">
                "Replying to " <strong>{name.unwrap_or_else(|| "an earlier message".into())}</strong> " "
                <a href=url::room(&actions.slug()) on:click=cancel>
                    "Cancel"
                </a>
            </p>
        })
    }
}

#[component]
fn Typing(actions: Actions) -> impl IntoView {
    let live = use_context::<Live>();
    let state = actions.state();
    let room = state.with_untracked(|state| state.id());
    let me = actions.me();
    let who = memo(move || {
        let who = live.map(|live| live.typing_in(room)).unwrap_or_default();
        let others = who.into_iter().filter(|name| Some(name) != me.as_ref());
        state.with(|state| others.map(|name| state.display_name(&name)).collect::<Vec<_>>())
    });
    view! {
        <p class="typing" aria-live="off">
            {move || match who.read().as_slice() {
                [] => String::new(),
                [one] => format!("{one} is typing…"),
                [one, two] => format!("{one} and {two} are typing…"),
                _ => "Several people are typing…".into(),
            }}
        </p>
    }
}
