//! The server has no browser: nothing is stored, no time passes.

use super::Chosen;
use crate::{model::Millis, when};
use leptos::web_sys::{ClipboardEvent, DragEvent, Element, HtmlInputElement, HtmlTextAreaElement, KeyboardEvent};
use std::future::Future;

/// The time.
pub fn now() -> Millis {
    0
}

/// From 0 to 1.
pub fn random() -> f64 {
    0.5
}

/// Never ends.
pub async fn sleep_ms(_ms: u64) {
    std::future::pending().await
}

/// What `future` gives.
pub async fn within_ms<T>(_ms: u64, future: impl Future<Output = T>) -> Option<T> {
    Some(future.await)
}

/// Keeps nothing.
pub fn store(_key: &str, _text: &str) {}

/// Nothing is kept.
pub fn stored(_key: &str) -> Option<String> {
    None
}

/// Nothing is kept.
pub fn stored_under(_prefix: &str) -> Vec<String> {
    Vec::new()
}

/// Nothing is kept.
pub fn forget(_key: &str) {}

/// The day in UTC.
pub fn day(at: Millis) -> i64 {
    at.div_euclid(when::DAY)
}

/// The time in UTC.
pub fn time(at: Millis) -> String {
    when::utc_time(at)
}

/// Day and time in UTC.
pub fn day_and_time(at: Millis) -> String {
    when::iso(at)
}

/// The day in UTC.
pub fn day_name(days: i64) -> String {
    when::day_name(days)
}

/// No hand is on a keyboard here.
pub fn has_keyboard() -> bool {
    false
}

/// Most keyboards are not.
pub fn on_a_mac() -> bool {
    false
}

/// No keys.
pub fn press(_event: &KeyboardEvent) -> bool {
    false
}

/// Nothing to see.
pub fn visible() -> bool {
    false
}

/// Nothing to scroll.
pub fn scroll_to_middle(_element: &Element) {}

/// Nothing has the focus.
pub fn keep_focus(_within: &str) {}

/// Nothing to scroll.
pub fn scroll_into_view(_element: &Element) {}

/// No number.
pub fn number_of(_element: &Element, _property: &str) -> Option<u32> {
    None
}

/// Nothing is seen.
pub fn top_of(_element: &Element) -> f64 {
    0.0
}

/// There is one.
pub fn online() -> bool {
    true
}

/// No clipboard.
pub fn copy(_element: &Element) -> bool {
    false
}

/// No field.
pub fn insert(_field: &HtmlTextAreaElement, _text: &str) {}

/// No field.
pub fn grow(_field: &HtmlTextAreaElement) {}

/// Nothing is pasted.
pub fn pasted(_event: &ClipboardEvent) -> Vec<Chosen> {
    Vec::new()
}

/// Nothing is dragged.
pub fn drags_files(_event: &DragEvent) -> bool {
    false
}

/// Nothing is dropped.
pub fn dropped(_event: &DragEvent) -> Vec<Chosen> {
    Vec::new()
}

/// Nothing is chosen.
pub fn chosen(_field: &HtmlInputElement) -> Vec<Chosen> {
    Vec::new()
}

/// Nothing is sent.
pub fn upload(_number: u32, _url: &str, _progress: impl Fn(u8) + 'static, _done: impl FnOnce(u16, String) + 'static) {}

/// Nothing is kept.
pub fn let_go(_number: u32) {}
