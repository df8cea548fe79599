//! The keys of all pages.

use leptos::prelude::document;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement, KeyboardEvent};

/// What F6 goes through, each with what in it takes the focus, the first that is seen.
const LANDMARKS: [(&str, &[&str]); 4] = [
    (".rooms", &[".rooms [aria-current]", ".rooms a"]),
    (".timeline", &[".rows .row:focus", ".scroller"]),
    ("main", &[".writing textarea", ".composer .button", "main .button.primary"]),
    (".details, .thread", &[".thread .composer textarea", ".thread a", ".details :is(a, button)"]),
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
    let button = all(selector).into_iter().next();
    button.inspect(HtmlElement::click).is_some()
}

fn next_landmark(back: bool) -> bool {
    let active = document().active_element();
    let within = |region: &str| active.as_ref().is_some_and(|active| active.closest(region).ok().flatten().is_some());
    let here = LANDMARKS.iter().position(|(region, _)| within(region));
    let count = LANDMARKS.len();
    let step = if back { count - 1 } else { 1 };
    let first = here.map_or(if back { count - 1 } else { 0 }, |here| (here + step) % count);
    (0..count).map(|n| LANDMARKS[(first + n * step) % count]).any(|(_, parts)| parts.iter().any(|part| focus(part)))
}

/// Puts the focus on the first such element that is seen.
fn focus(selector: &str) -> bool {
    // A sheet that is not open has no place in the page.
    all(selector).iter().any(|element| element.offset_parent().is_some() && element.focus().is_ok())
}

fn all(selector: &str) -> Vec<HtmlElement> {
    let Ok(found) = document().query_selector_all(selector) else { return Vec::new() };
    (0..found.length()).filter_map(|n| found.get(n)?.dyn_into().ok()).collect()
}

/// From a message to the next, from a room to the next.
fn rove(event: &KeyboardEvent, down: bool) -> bool {
    let Some(from) = event.target().and_then(|target| target.dyn_into::<Element>().ok()) else { return false };
    for items in [".rows .row", ".rooms .room-link"] {
        if !from.matches(items).unwrap_or_default() {
            continue;
        }
        let all = all(items);
        let Some(here) = all.iter().position(|element| element.is_same_node(Some(&from))) else { return false };
        let next = if down { here + 1 } else { here.wrapping_sub(1) };
        return all.get(next).is_some_and(focus_row);
    }
    // From the history itself to its newest message.
    from.matches(".scroller").unwrap_or_default() && !down && all(".rows > :last-child").last().is_some_and(focus_row)
}

fn focus_row(element: &HtmlElement) -> bool {
    if !element.has_attribute("href") {
        element.set_tab_index(-1);
    }
    element.focus().is_ok()
}
