use crate::{api, components::Sidebar, error::ApiError, model::Room};
use leptos::prelude::*;
use leptos_router::components::Outlet;

/// The rooms that the viewer may know of: read once for the sidebar and the pages beside it.
#[derive(Clone, Copy)]
pub struct Rooms(pub Resource<Result<Vec<Room>, ApiError>>);

/// The rooms on the side, a page beside them.
#[component]
pub fn Frame() -> impl IntoView {
    let rooms = Resource::new_blocking(|| (), |()| api::rooms());
    provide_context(Rooms(rooms));
    view! {
        <div class="frame">
            <Sidebar rooms />
            <Outlet />
        </div>
    }
}
