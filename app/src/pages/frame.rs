use crate::{
    api,
    components::{Keys, Sidebar},
    error::ApiError,
    json::Brought,
    live::Live,
    model::Room,
    reactive::{effect, memo},
};
use leptos::prelude::*;
use leptos_router::components::Outlet;

/// The rooms that the viewer may know of: read once for the sidebar and the pages beside it.
#[derive(Clone, Copy)]
pub struct Rooms(pub Resource<Result<Vec<Room>, ApiError>, Brought>);

/// The rooms on the side, a page beside them.
#[component]
pub fn Frame() -> impl IntoView {
    let live = expect_context::<Live>();
    let rooms = Resource::new_with_options(move || live.rooms_changed(), |_| api::rooms(), true);
    let unread = Resource::new_with_options(move || live.rooms_changed(), |_| api::unread_rooms(), true);
    provide_context(Rooms(rooms));
    effect(move || live.count());
    let any = memo(move || live.unread().unread > 0);
    effect(move || {
        if let Some(icon) = document().get_element_by_id("icon") {
            let _ = icon.set_attribute("href", if any.get() { "/favicon-unread.svg" } else { "/favicon.svg" });
        }
    });
    view! {
        <div class="frame">
            <Sidebar rooms unread />
            <Outlet />
        </div>
        <Keys />
    }
}
