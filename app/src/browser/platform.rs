//! The browser's side.

use crate::model::Millis;
use futures::{
    FutureExt,
    future::{Either, select},
    pin_mut,
};
use gloo_timers::future::TimeoutFuture;
use js_sys::{Date, Function, Intl::DateTimeFormat, Math, Object, Reflect};
use leptos::prelude::{document, request_animation_frame, window};
use std::{
    cell::{Cell, RefCell},
    future::Future,
};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{
    Element, HtmlDocument, HtmlElement, HtmlTextAreaElement, ScrollBehavior, ScrollIntoViewOptions,
    ScrollLogicalPosition, Storage,
};

/// The time by this browser's clock.
pub fn now() -> Millis {
    Date::now() as Millis
}

/// From 0 to 1.
pub fn random() -> f64 {
    Math::random()
}

/// Waits.
pub async fn sleep_ms(ms: u64) {
    TimeoutFuture::new(u32::try_from(ms).unwrap_or(u32::MAX)).await;
}

/// What `future` gives, unless the time is over first.
pub async fn within_ms<T>(ms: u64, future: impl Future<Output = T>) -> Option<T> {
    let deadline = sleep_ms(ms).fuse();
    pin_mut!(future, deadline);
    match select(future, deadline).await {
        Either::Left((value, _)) => Some(value),
        Either::Right(_) => None,
    }
}

/// None where the person has forbidden it.
fn storage() -> Option<Storage> {
    window().local_storage().ok().flatten()
}

/// Keeps a text over reloads, where there is room for it.
pub fn store(key: &str, text: &str) {
    if let Some(storage) = storage() {
        // Full or forbidden: the page works on without.
        let _ = storage.set_item(key, text);
    }
}

/// A kept text.
pub fn stored(key: &str) -> Option<String> {
    storage()?.get_item(key).ok().flatten()
}

/// All kept texts whose keys begin alike.
pub fn stored_under(prefix: &str) -> Vec<String> {
    let Some(storage) = storage() else { return Vec::new() };
    let keys = (0..storage.length().unwrap_or(0)).filter_map(|i| storage.key(i).ok().flatten());
    keys.filter(|key| key.starts_with(prefix)).filter_map(|key| storage.get_item(&key).ok().flatten()).collect()
}

/// Keeps a text no longer.
pub fn forget(key: &str) {
    if let Some(storage) = storage() {
        let _ = storage.remove_item(key);
    }
}

/// How a time is written: names and values, as `Intl.DateTimeFormat` takes them.
type Options = &'static [(&'static str, &'static str)];

thread_local! {
    /// When the day begins and ends that was asked for last, and which it is: it is asked for each message again.
    static LAST_DAY: Cell<(Millis, Millis, i64)> = const { Cell::new((0, 0, 0)) };
    /// Making one takes longer than all that is written with it.
    static FORMATS: RefCell<Vec<(Options, Function)>> = RefCell::default();
}

/// The day of a time where the reader is, counted from 1970-01-01.
pub fn day(at: Millis) -> i64 {
    let (begin, end, day) = LAST_DAY.get();
    if (begin..end).contains(&at) {
        return day;
    }
    let date = Date::new(&JsValue::from_f64(at as f64));
    let (year, month, of_month) = (date.get_full_year(), date.get_month() as i32, date.get_date() as i32);
    // The first of the month, read as if it were UTC.
    let first = Date::utc(f64::from(year), f64::from(month));
    let day = (first / 86_400_000.0) as i64 + i64::from(of_month) - 1;
    let midnight = |of_month| Date::new_with_year_month_day(year, month, of_month).get_time() as Millis;
    LAST_DAY.set((midnight(of_month), midnight(of_month + 1), day));
    day
}

/// The time of day where the reader is, as the reader's language writes it.
pub fn time(at: Millis) -> String {
    formatted(at, &[("hour", "2-digit"), ("minute", "2-digit")])
}

/// Day and time where the reader is.
pub fn day_and_time(at: Millis) -> String {
    formatted(at, &[("dateStyle", "full"), ("timeStyle", "short")])
}

/// A day, counted from 1970-01-01, as people call it.
pub fn day_name(days: i64) -> String {
    match day(now()) - days {
        0 => "Today".into(),
        1 => "Yesterday".into(),
        _ => {
            let noon = days * 86_400_000 + 43_200_000;
            formatted(noon, &[("weekday", "long"), ("day", "numeric"), ("month", "long"), ("timeZone", "UTC")])
        }
    }
}

fn formatted(at: Millis, options: Options) -> String {
    let known =
        FORMATS.with_borrow(|known| known.iter().find(|(of, _)| *of == options).map(|(_, format)| format.clone()));
    let format = known.unwrap_or_else(|| {
        let format = formatter(options);
        FORMATS.with_borrow_mut(|known| known.push((options, format.clone())));
        format
    });
    let text = format.call1(&JsValue::UNDEFINED, &JsValue::from_f64(at as f64));
    text.ok().and_then(|text| text.as_string()).unwrap_or_default()
}

fn formatter(options: Options) -> Function {
    let wanted = Object::new();
    for (name, value) in options {
        // Setting a property of a fresh object cannot fail.
        let _ = Reflect::set(&wanted, &JsValue::from_str(name), &JsValue::from_str(value));
    }
    DateTimeFormat::new(&js_sys::Array::new(), &wanted).format()
}

/// There is a pointer and so most likely a keyboard: putting the cursor into a field opens nothing on the screen.
pub fn has_keyboard() -> bool {
    window().match_media("(hover: hover) and (pointer: fine)").ok().flatten().is_some_and(|query| query.matches())
}

/// Shortcuts are made with ⌘ here.
pub fn on_a_mac() -> bool {
    window().navigator().platform().is_ok_and(|platform| platform.starts_with("Mac") || platform.starts_with("iP"))
}

/// The tab is in view.
pub fn visible() -> bool {
    document().visibility_state() == web_sys::VisibilityState::Visible
}

/// Brings an element into the middle of what is seen.
pub fn scroll_to_middle(element: &Element) {
    scroll_to(element, ScrollLogicalPosition::Center);
}

/// Gives what has the focus in such an element the focus back, should it lose it by what is about to change in the
/// page: an element that is moved does.
pub fn keep_focus(within: &str) {
    let focused = document().active_element().filter(|element| element.closest(within).ok().flatten().is_some());
    let Some(focused) = focused else { return };
    request_animation_frame(move || {
        if document().active_element().is_none_or(|element| element.tag_name() == "BODY") {
            let _ = focused.unchecked_into::<HtmlElement>().focus();
        }
    });
}

/// A number that was put on an element as this property.
pub fn number_of(element: &Element, property: &str) -> Option<u32> {
    let value = js_sys::Reflect::get(element, &property.into()).ok()?.as_f64()?;
    Some(value as u32)
}

/// How far below the upper edge of what is seen an element begins, in pixels.
pub fn top_of(element: &Element) -> f64 {
    element.get_bounding_client_rect().top()
}

/// Whether there is a network, as far as the browser knows.
pub fn online() -> bool {
    window().navigator().on_line()
}

/// Scrolls as little as it takes to see an element.
pub fn scroll_into_view(element: &Element) {
    scroll_to(element, ScrollLogicalPosition::Nearest);
}

fn scroll_to(element: &Element, place: ScrollLogicalPosition) {
    let options = ScrollIntoViewOptions::new();
    options.set_block(place);
    options.set_behavior(ScrollBehavior::Instant);
    element.scroll_into_view_with_scroll_into_view_options(&options);
}

/// Puts an element's text into the clipboard; `false` if the browser would not.
///
/// By way of the selection: browsers keep their newer interface from pages that came without TLS.
pub fn copy(element: &Element) -> bool {
    let Some(selection) = window().get_selection().ok().flatten() else { return false };
    let page = document().unchecked_into::<HtmlDocument>();
    let copied = selection.select_all_children(element).is_ok() && page.exec_command("copy").unwrap_or(false);
    // What could not be copied stays selected: the person can.
    copied && selection.remove_all_ranges().is_ok()
}

/// Puts a text in place of a field's selection, so that the browser's "undo" takes it back.
pub fn insert(field: &HtmlTextAreaElement, text: &str) {
    let page = document().unchecked_into::<HtmlDocument>();
    let done = if text.is_empty() {
        page.exec_command("delete")
    } else {
        page.exec_command_with_show_ui_and_value("insertText", false, text)
    };
    if !done.unwrap_or(false) {
        let _ = field.set_range_text(text);
    }
}

/// Gives a field as many rows as its text has, ten at most, where style sheets cannot.
pub fn grow(field: &HtmlTextAreaElement) {
    if web_sys::css::supports_with_value("field-sizing", "content").unwrap_or(false) {
        return;
    }
    field.set_rows(1);
    while field.rows() < 10 && field.scroll_height() > field.client_height() {
        field.set_rows(field.rows() + 1);
    }
}
