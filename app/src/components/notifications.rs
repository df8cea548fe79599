use crate::{
    api::Notifications as Choose,
    live::Live,
    model::{NotificationLevel, RoomId},
    reactive::{effect, memo},
};
use leptos::{prelude::*, server_fn::ServerFn};

/// How much of a room one wants to be told of. A plain form; a script chooses at once.
#[component]
pub fn Notifications(
    /// The room.
    room: RoomId,
    /// Its name in addresses.
    slug: String,
) -> impl IntoView {
    let live = use_context::<Live>();
    let slug = StoredValue::new(slug);
    let level = memo(move || live.and_then(|live| live.level_of(room)));
    // The server may have rendered this before it knew the level, and hydration corrects no attribute: it is set once
    // more afterwards.
    let there = RwSignal::new(!cfg!(feature = "hydrate"));
    effect(move || there.set(true));
    let choice = move |value: NotificationLevel, label: &'static str| {
        let on_click = move |event: leptos::ev::MouseEvent| {
            event.prevent_default();
            if let Some(live) = live {
                live.choose_level(room, slug.get_value(), value);
            }
        };
        let pressed = move || (there.get() && level.get() == Some(value)).to_string();
        view! {
            <button name="level" value=value.as_str() aria-pressed=pressed on:click=on_click>
                {label}
            </button>
        }
    };
    view! {
        <form method="post" action=Choose::url() class="themes" aria-label="Notifications of this room">
            <input type="hidden" name="room" value=slug.get_value() />
            {choice(NotificationLevel::All, "All")}
            {choice(NotificationLevel::Mentions, "Mentions")}
            {choice(NotificationLevel::Mute, "Mute")}
        </form>
    }
}
