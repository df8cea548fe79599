use super::{Actions, Hydrated, steady::keep_in_place};
use crate::{
    api::{Delete, Edit, Pin, React},
    model::{MAX_BODY_BYTES, Message},
    rcdata::textarea,
    reactive::memo,
    url,
};
use leptos::{html::Details, prelude::*, server_fn::ServerFn, wasm_bindgen::JsCast, web_sys};
use std::sync::Arc;

/// The emoji at hand.
const QUICK: [(&str, &str); 6] =
    [("👍", "thumbs up"), ("❤️", "heart"), ("😄", "smile"), ("🎉", "party"), ("👀", "eyes"), ("✅", "done")];

/// What can be done to a message: a disclosure, so that it opens without a script, by keyboard and by touch alike.
#[component]
pub fn MessageMenu(
    /// The message.
    message: Memo<Arc<Message>>,
    /// What can be done in this room.
    actions: Actions,
    /// What the id of the message's element begins with.
    anchor: &'static str,
) -> impl IntoView {
    let id = message.with_untracked(|message| message.id);
    let name = message.with_untracked(|message| message.author.display_name.clone());
    let menu = NodeRef::<Details>::new();
    // Without a script it must all be there. With one, what is in it comes when it is first opened: Chromium looks
    // through every form that comes for a password, with a layout for each, and this would be hundreds.
    let (hydrated, opened) = (Hydrated::signal(), RwSignal::new(false));
    let filled = memo(move || {
        let open = || menu.try_get_untracked().flatten().is_some_and(|menu| menu.open());
        !hydrated.get() || opened.get() || open()
    });
    let on_click = move |_| {
        keep_in_place(anchor, id);
        opened.set(true);
    };
    let on_key = move |event: leptos::ev::KeyboardEvent| {
        if event.key() == "Escape" && menu.get_untracked().is_some_and(|menu| menu.open()) {
            // What the menu is in stays open.
            event.stop_propagation();
            keep_in_place(anchor, id);
            let from_field =
                event.target().is_some_and(|target| target.dyn_into::<web_sys::HtmlTextAreaElement>().is_ok());
            if from_field {
                return leave(menu, anchor);
            }
            close(menu);
            if let Some(summary) = menu.get_untracked().and_then(|menu| menu.first_element_child()) {
                let _ = summary.unchecked_into::<web_sys::HtmlElement>().focus();
            }
        }
    };
    view! {
        <details class="menu" name="message-menu" node_ref=menu on:keydown=on_key on:click=on_click>
            <summary aria-label=format!("Actions for the message of {name}")>
                <span aria-hidden="true">"⋯"</span>
            </summary>
            {move || filled.get().then(|| view! { <Items message actions anchor menu /> })}
        </details>
    }
}

fn close(menu: NodeRef<Details>) {
    if let Some(menu) = menu.get_untracked() {
        menu.set_open(false);
    }
}

/// Closes it, and gives the cursor to where one writes.
fn leave(menu: NodeRef<Details>, anchor: &str) {
    close(menu);
    let field = if anchor == "m" { "#compose textarea" } else { "#thread-compose textarea" };
    if let Ok(Some(text)) = document().query_selector(field) {
        let _ = text.unchecked_into::<web_sys::HtmlElement>().focus();
    }
}

/// What is in the menu.
#[component]
fn Items(message: Memo<Arc<Message>>, actions: Actions, anchor: &'static str, menu: NodeRef<Details>) -> impl IntoView {
    let (id, author) = message.with_untracked(|message| (message.id, message.author.clone()));
    let (slug, may_write) = (actions.slug(), actions.may_write());
    let room = StoredValue::new(slug.clone());
    let ids = move || {
        view! {
            <input type="hidden" name="room" value=room.get_value() />
            <input type="hidden" name="id" value=id.to_string() />
        }
    };
    let quick = may_write.then(|| {
        view! {
            <form class="quick" method="post" action=React::url()>
                {ids()}
                <input type="hidden" name="on" value="true" />
                {QUICK
                    .map(|(emoji, name)| {
                        view! {
                            <button
                                name="emoji"
                                value=emoji
                                aria-label=format!("React with {name}")
                                on:click=move |event| {
                                    event.prevent_default();
                                    actions.react(id, emoji.to_owned(), true);
                                    close(menu);
                                }
                            >
                                {emoji}
                            </button>
                        }
                    })
                    .collect_view()}
            </form>
        }
    });
    let reply = may_write.then(|| {
        let href = format!("{}?reply_to={id}#compose", url::room(&slug));
        let on_click = move |event: leptos::ev::MouseEvent| {
            event.prevent_default();
            actions.reply_to().set(Some(id));
            close(menu);
        };
        view! { <a class="button quiet reply" href=href on:click=on_click>"Reply"</a> }
    });
    // The thread itself closes the menu and takes the cursor.
    let thread = may_write.then(|| {
        let href = format!("{}#thread-compose", url::thread(&slug, id));
        view! { <a class="button quiet" href=href>"Reply in thread"</a> }
    });
    // The row says which of the two is shown.
    let pin = actions.may_pin().then(|| {
        let on_click = move |event: leptos::ev::MouseEvent| {
            event.prevent_default();
            actions.pin(id, !message.with_untracked(|message| message.pinned));
            close(menu);
        };
        view! {
            <form method="post" action=Pin::url() on:click=on_click>
                {ids()}
                <button class="button quiet to-pin" name="on" value="true">"Pin"</button>
                <button class="button quiet to-unpin" name="on" value="false">"Unpin"</button>
            </form>
        }
    });
    let delete = actions.may_delete(&author).then(|| {
        let on_click = move |event: leptos::ev::MouseEvent| {
            event.prevent_default();
            leave(menu, anchor);
            actions.delete(id);
        };
        // Twice, since it cannot be undone.
        view! {
            <details class="delete">
                <summary class="button quiet danger">"Delete…"</summary>
                <form method="post" action=Delete::url()>
                    {ids()}
                    <button class="button danger" on:click=on_click>"Delete for everyone"</button>
                </form>
            </details>
        }
    });
    let edit = actions.owns(&author).then(|| {
        let (text, form) = (NodeRef::<leptos::html::Textarea>::new(), NodeRef::<leptos::html::Form>::new());
        // What was written is still in the form.
        let refused = move || {
            if let (Some(menu), Some(text)) = (menu.try_get_untracked().flatten(), text.try_get_untracked().flatten()) {
                menu.set_open(true);
                let _ = text.focus();
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
            if let Some(text) = text.get_untracked() {
                leave(menu, anchor);
                actions.edit(id, text.value(), refused);
            }
        };
        // In the browser the property holds the text and follows it, until the person has typed.
        let first = if cfg!(feature = "ssr") { message.with_untracked(|m| textarea(&m.body)) } else { String::new() };
        view! {
            <details class="edit">
                <summary class="button quiet">"Edit"</summary>
                <form node_ref=form method="post" action=Edit::url() on:submit=on_submit>
                    {ids()}
                    <textarea
                        node_ref=text
                        name="body"
                        required
                        rows="2"
                        maxlength=MAX_BODY_BYTES
                        aria-label="New text"
                        on:keydown=on_key
                        prop:defaultValue=move || message.read().body.clone()
                    >
                        {first}
                    </textarea>
                    <button class="button">"Save"</button>
                </form>
            </details>
        }
    });
    view! {
        <div class="menu-items">
            {quick} {reply} {thread} <a class="button quiet" href=url::message(&slug, id)>"Link"</a> {pin} {edit} {delete}
        </div>
    }
}
