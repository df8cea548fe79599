use super::{Field, Problem, VisibilityChoices};
use crate::{
    api::CreateRoom as CreateRoomCall,
    model::{MAX_ROOM_NAME_CHARS, Visibility},
    url::Query,
    words,
};
use leptos::{prelude::*, server_fn::ServerFn};

/// The form that makes a room. A plain one: the answer is the room's page, or this one with the problem.
#[component]
pub fn CreateRoom() -> impl IntoView {
    let query = Query::of_page();
    let came_back = query.get("form") == Some("create-room");
    let kept = |name: &str| if came_back { query.text(name) } else { String::new() };
    let (name, visibility, error) = (kept("name"), kept("visibility"), kept("error"));
    let problem = if error.is_empty() { String::new() } else { words::explain_new_room(&error, &name) };
    let choices = [
        (Visibility::Public, "Public", "Anyone may read, members write."),
        (Visibility::Members, "Members", "Listed for everyone with an account; members read and write."),
        (Visibility::Private, "Private", "Not listed; by invitation only."),
    ];
    let chosen = visibility.parse().unwrap_or(Visibility::Public);
    view! {
        <form id="create-room" class="card form" method="post" action=CreateRoomCall::url()>
            <h2>"New room"</h2>
            <Problem text=problem />
            <Field label="Name" name="name" value=name maxlength=MAX_ROOM_NAME_CHARS autocomplete="off" />
            <VisibilityChoices choices chosen />
            <button class="button primary">"Create room"</button>
        </form>
    }
}
