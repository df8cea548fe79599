use super::{Hydrated, switcher_dialog};
use crate::{browser, error::ApiError, json::Brought, model::Room, pages::is_live, reactive::effect};
use leptos::{ev, prelude::*, task::spawn_local};

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
    let dialog = RwSignal::new(None::<switcher_dialog::Made>);
    effect(move || {
        if open.get() && dialog.get_untracked().is_none() {
            spawn_local(async move {
                match switcher_dialog::load().await {
                    Ok(made) => drop(dialog.try_set(Some(made))),
                    Err(_) => drop(open.try_set(false)),
                }
            });
        }
    });
    effect(move || {
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
        // Where a script comes, its place is kept until that is there.
        {is_live()
            .then(|| {
                let keys = move || if hydrated.get() && browser::on_a_mac() { "⌘K" } else { "Ctrl K" };
                view! {
                    <button type="button" class="switch" disabled=move || !hydrated.get() on:click=move |_| open.set(true)>
                        <span>"Jump to a room"</span>
                        <kbd>{keys}</kbd>
                    </button>
                }
            })}
        {move || {
            let dialog = open.get().then(|| dialog.get()).flatten()?;
            Some(view! {
                <Transition>
                    {move || Suspend::new(async move { dialog(open, rooms.await.unwrap_or_default()) })}
                </Transition>
            })
        }}
    }
}
