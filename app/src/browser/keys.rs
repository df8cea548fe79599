//! The keys of all pages.

use leptos::prelude::document;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement, KeyboardEvent, Node};

/// What F6 goes through, each with what in it takes the focus, the first that is there and seen.
const LANDMARKS: [&[&str]; 4] = [
    &[".rooms [aria-current]", ".rooms a"],
    &[".rows .row:focus", ".scroller"],
    &[".writing textarea", ".composer .button", "main .button.primary"],
    &[".details :is(a, button)"],
];

/// Whether the key was one of ours.
pub fn press(event: &KeyboardEvent) -> bool {
    let control = event.ctrl_key() || event.meta_key();
    match event.key().as_str() {
        "F6" if !control && !event.alt_key() => next_landmark(event.shift_key()),
        "/" if control => document().get_element_by_id("keys").is_some_and(|keys| toggle(&keys)),
        "Escape" if event.shift_key() => click(".read-all button"),
        "ArrowUp" if !control && !event.shift_key() => rove(event, false),
        "ArrowDown" if !control && !event.shift_key() => rove(event, true),
        _ => false,
    }
}

fn toggle(popover: &Element) -> bool {
    popover.clone().dyn_into::<HtmlElement>().is_ok_and(|keys| keys.toggle_popover().is_ok())
}

fn click(selector: &str) -> bool {
    let found = document().query_selector(selector).ok().flatten();
    found.and_then(|found| found.dyn_into::<HtmlElement>().ok()).is_some_and(|button| {
        button.click();
        true
    })
}

fn next_landmark(back: bool) -> bool {
    let active = document().active_element();
    let regions = [".rooms", ".timeline", ".composer, main", ".details"];
    let here = regions
        .iter()
        .position(|region| active.as_ref().is_some_and(|active| active.closest(region).ok().flatten().is_some()));
    let count = LANDMARKS.len();
    let step = if back { count - 1 } else { 1 };
    let first = here.map_or(if back { count - 1 } else { 0 }, |here| (here + step) % count);
    (0..count).map(|n| LANDMARKS[(first + n * step) % count]).any(|landmark| landmark.iter().any(|part| focus(part)))
}

/// Puts the focus on the first such element that is seen.
fn focus(selector: &str) -> bool {
    all(selector).into_iter().filter_map(|node| node.dyn_into::<HtmlElement>().ok()).any(|element| {
        // A sheet that is not open has no place in the page.
        element.offset_parent().is_some() && element.focus().is_ok()
    })
}

fn all(selector: &str) -> Vec<Node> {
    let found = document().query_selector_all(selector).ok();
    found.map(|found| (0..found.length()).filter_map(|n| found.get(n)).collect()).unwrap_or_default()
}

/// From a message to the next, from a room to the next.
fn rove(event: &KeyboardEvent, down: bool) -> bool {
    let Some(from) = event.target().and_then(|target| target.dyn_into::<Element>().ok()) else { return false };
    for items in [".rows .row", ".rooms .room-link"] {
        if !from.matches(items).unwrap_or_default() {
            continue;
        }
        let nodes = all(items);
        let Some(here) = nodes.iter().position(|node| node.is_same_node(Some(&from))) else { return false };
        let next = if down { here + 1 } else { here.wrapping_sub(1) };
        return nodes.get(next).is_some_and(focus_row);
    }
    // From the history itself to its newest message.
    from.matches(".scroller").unwrap_or_default()
        && !down
        && document()
            .query_selector(".rows > :last-child")
            .ok()
            .flatten()
            .is_some_and(|newest| focus_row(&newest.into()))
}

fn focus_row(node: &Node) -> bool {
    let Some(element) = node.dyn_ref::<HtmlElement>() else { return false };
    if !element.has_attribute("href") {
        element.set_tab_index(-1);
    }
    element.focus().is_ok()
}
