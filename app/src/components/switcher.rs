use super::Hydrated;
use crate::{
    browser, direct::is_direct, error::ApiError, json::Brought, live::Live, model::Room, session, switcher::matching,
    url,
};
use leptos::{ev, html, prelude::*, web_sys};
use leptos_router::{NavigateOptions, hooks::use_navigate};

/// Jumps to a room by a few letters of its name: Ctrl+K, or ⌘K.
///
/// Only where there is a script; without one the rooms' list is all there.
#[component]
pub fn Switcher(
    /// The rooms that the viewer may know of.
    rooms: Resource<Result<Vec<Room>, ApiError>, Brought>,
) -> impl IntoView {
    let hydrated = Hydrated::signal();
    let open = RwSignal::new(false);
    Effect::new(move || {
        let keys = window_event_listener(ev::keydown, move |event| {
            let alone = !event.alt_key() && !event.shift_key();
            if alone && (event.ctrl_key() || event.meta_key()) && event.key().eq_ignore_ascii_case("k") {
                event.prevent_default();
                open.update(|open| *open = !*open);
            }
        });
        on_cleanup(move || keys.remove());
    });
    view! {
        {move || {
            hydrated
                .get()
                .then(|| {
                    view! {
                        <button type="button" class="switch" on:click=move |_| open.set(true)>
                            <span>"Jump to a room"</span>
                            <kbd>{if browser::on_a_mac() { "⌘K" } else { "Ctrl K" }}</kbd>
                        </button>
                    }
                })
        }}
        {move || {
            open.get()
                .then(|| {
                    view! {
                        <Transition>
                            {move || Suspend::new(async move {
                                view! { <Dialog open rooms=rooms.await.unwrap_or_default() /> }
                            })}
                        </Transition>
                    }
                })
        }}
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
    let found = Memo::new(move |_| {
        let weight = |room: &Room| live.map(|live| live.unread_in(room.id).unread).unwrap_or_default();
        matching(&rooms, &typed.read(), weight)
    });
    Effect::new(move || {
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
