use super::{Actions, Marked};
use crate::{api::Pin, markdown::escape, state::Pinned, url};
use leptos::{ev, html, prelude::*, server_fn::ServerFn, wasm_bindgen::JsCast, web_sys};
use std::fmt::Write;

/// What the room keeps in view: who wrote it, how it begins, and where it is. Written by hand: as views it would be much
/// for the browser to load.
#[component]
pub fn PinnedList(
    /// What can be done in this room, and its state.
    actions: Actions,
) -> impl IntoView {
    let (slug, may_pin) = (actions.slug(), actions.may_pin());
    let list = move || actions.state().with(|state| list(&slug, state.pins(), may_pin));
    let on_submit = move |event: ev::SubmitEvent| {
        let form = event.target().map(JsCast::unchecked_into::<web_sys::Element>);
        // Its property `id` is the field of that name.
        let id = form.and_then(|form| form.get_attribute("id"));
        if let Some(id) = id.and_then(|id| id.strip_prefix("unpin-")?.parse().ok()) {
            event.prevent_default();
            actions.pin(id, false);
        }
    };
    html::div().class("pins").inner_html(list).on(ev::submit, on_submit)
}

fn list(slug: &str, pins: &[Pinned], may_pin: bool) -> String {
    let mut items = String::new();
    for (id, message) in pins {
        let (name, text) = match message {
            Some(message) => (escape(&message.author.display_name), message.body.clone()),
            None => (String::new(), "An earlier message".into()),
        };
        let (at, text) = (url::message(slug, *id), Marked::excerpt(text, 120).shown());
        let _ = write!(items, r#"<li><a href="{at}"><strong>{name}</strong> <span>{text}</span></a>"#);
        if may_pin {
            let (action, room) = (Pin::url(), escape(slug));
            let _ = write!(
                items,
                r#"<form id="unpin-{id}" method="post" action="{action}"><input type="hidden" name="room" value="{room}"><input type="hidden" name="id" value="{id}"><button name="on" value="false" title="Unpin" aria-label="Unpin the message of {name}">×</button></form>"#
            );
        }
        items.push_str("</li>");
    }
    if items.is_empty() { items } else { format!("<h2>Pinned</h2><ul>{items}</ul>") }
}
