use crate::api::{Guest, Join};
use leptos::{prelude::*, server_fn::ServerFn};

/// One click, and the visitor is somebody; in a room if given.
#[component]
pub fn GuestForm(
    /// The room's name in addresses.
    #[prop(optional, into)]
    room: Option<String>,
    /// Where to go on, if not into a room.
    #[prop(optional, into)]
    next: Option<String>,
    /// What the button says.
    #[prop(default = "Come in as a guest")]
    label: &'static str,
) -> impl IntoView {
    view! {
        <form method="post" action=Guest::url()>
            {room.map(|room| view! { <input type="hidden" name="room" value=room /> })}
            {next.map(|next| view! { <input type="hidden" name="next" value=next /> })}
            <button class="button primary">{label}</button>
        </form>
    }
}

/// Becomes a member of a room.
#[component]
pub fn JoinForm(
    /// The room's name in addresses.
    room: String,
    /// The room's name for people.
    name: String,
) -> impl IntoView {
    view! {
        <form method="post" action=Join::url()>
            <input type="hidden" name="room" value=room />
            <button class="button primary">{format!("Join #{name}")}</button>
        </form>
    }
}
