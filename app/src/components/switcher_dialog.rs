//! What the switcher opens: many never do, so it is a chunk of its own (feature `split`).

use crate::{
    direct::is_direct,
    live::Live,
    markdown::NotLoaded,
    model::Room,
    reactive::{effect, memo},
    session,
    switcher::matching,
    url,
};
use leptos::{ev, html, prelude::*, web_sys};
use leptos_router::{NavigateOptions, hooks::use_navigate};

/// Makes the dialog, over these rooms.
pub type Made = fn(RwSignal<bool>, Vec<Room>) -> AnyView;

fn made(open: RwSignal<bool>, rooms: Vec<Room>) -> AnyView {
    view! { <Dialog open rooms /> }.into_any()
}

#[cfg(not(feature = "split"))]
pub async fn load() -> Result<Made, NotLoaded> {
    Ok(made)
}

#[cfg(feature = "split")]
pub use split::load;

#[cfg(feature = "split")]
mod split {
    use super::{Made, NotLoaded, made};
    use leptos::wasm_split::{self, wasm_split};

    /// Fetches the chunk if it is not there.
    pub async fn load() -> Result<Made, NotLoaded> {
        fetch().await
    }

    /// What this refers to, and nothing else does, is cut out.
    #[wasm_split(switcher, wasm_split_path = wasm_split, fallible)]
    #[allow(unsafe_code, reason = "names symbols for the tool that splits the file")]
    fn fetch() -> Result<Made, NotLoaded> {
        Ok(made)
    }
}

#[component]
fn Dialog(open: RwSignal<bool>, rooms: Vec<Room>) -> impl IntoView {
    let live = use_context::<Live>();
    let navigate = StoredValue::new_local(use_navigate());
    let (dialog, input) = (NodeRef::<html::Dialog>::new(), NodeRef::<html::Input>::new());
    let typed = RwSignal::new(String::new());
    let chosen = RwSignal::new(0_usize);
    // Found by what they are called here.
    let rooms: Vec<Room> =
        rooms.into_iter().map(|room| Room { name: session::called(&room.slug, &room.name).1, ..room }).collect();
    let found = memo(move || {
        let weight = |room: &Room| live.map(|live| live.unread_in(room.id).unread).unwrap_or_default();
        matching(&rooms, &typed.read(), weight)
    });
    effect(move || {
        // The platform's own dialog: it keeps the focus inside, and gives it back.
        if let Some(dialog) = dialog.get() {
            let _ = dialog.show_modal();
        }
        if let Some(input) = input.get() {
            let _ = input.focus();
        }
    });
    let go = move |room: &Room| {
        open.set(false);
        let page = url::room(&room.slug);
        navigate.with_value(|navigate| navigate(&page, NavigateOptions::default()));
    };
    let on_key = move |event: ev::KeyboardEvent| {
        if event.is_composing() || event.key_code() == 229 {
            return;
        }
        let count = found.with(Vec::len);
        match event.key().as_str() {
            "ArrowDown" if count > 0 => chosen.update(|n| *n = (*n + 1) % count),
            "ArrowUp" if count > 0 => chosen.update(|n| *n = (*n + count - 1) % count),
            "Enter" => {
                if let Some(room) = found.with(|found| found.get(chosen.get_untracked()).cloned()) {
                    go(&room);
                }
            }
            _ => return,
        }
        event.prevent_default();
    };
    let on_click = move |event: ev::MouseEvent| {
        // Beside the box: what is behind the dialog is the dialog itself.
        let beside =
            event.target() == dialog.get_untracked().map(|dialog| web_sys::EventTarget::from((*dialog).clone()));
        if beside {
            open.set(false);
        }
    };
    let option = move |n: usize, room: Room| {
        let count = live.map(|live| live.unread_in(room.id)).unwrap_or_default();
        let hint = if count.unread > 0 {
            format!("{} unread", crate::badges::Count::text(count.unread))
        } else {
            String::new()
        };
        let (name, sign) = (room.name.clone(), if is_direct(&room.slug) { "@" } else { "#" });
        view! {
            <li
                id=format!("switch-{n}")
                role="option"
                aria-selected=move || (chosen.get() == n).to_string()
                on:click=move |_| go(&room)
            >
                <span class="sigil" aria-hidden="true">{sign}</span>
                <span class="name">{name}</span>
                <span class="hint">{hint}</span>
            </li>
        }
    };
    view! {
        <dialog class="switcher" node_ref=dialog aria-label="Jump to a room" on:close=move |_| open.set(false) on:click=on_click>
            <div class="box">
                <input
                    node_ref=input
                    type="text"
                    role="combobox"
                    aria-label="Room"
                    aria-expanded="true"
                    aria-controls="switch-list"
                    aria-autocomplete="list"
                    aria-activedescendant=move || format!("switch-{}", chosen.get())
                    placeholder="Jump to a room…"
                    autocomplete="off"
                    spellcheck="false"
                    on:input=move |event| {
                        typed.set(event_target_value(&event));
                        chosen.set(0);
                    }
                    on:keydown=on_key
                />
                <ul id="switch-list" role="listbox" aria-label="Rooms that fit">
                    {move || found.get().into_iter().enumerate().map(|(n, room)| option(n, room)).collect_view()}
                </ul>
                {move || found.with(Vec::is_empty).then(|| view! { <p class="hint">"No room has such a name."</p> })}
            </div>
        </dialog>
    }
}
