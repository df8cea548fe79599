use crate::model::MessageId;
use leptos::{prelude::*, wasm_bindgen::JsCast, web_sys::HtmlElement};

/// Keeps a message where it is on the screen while something in it, called right after this, opens or closes.
///
/// The timeline's column is reversed and stands at its end: by itself it would grow upwards, and take the message's
/// first line out of sight.
pub fn keep_in_place(anchor: &str, id: MessageId) {
    let row = document().get_element_by_id(&format!("{anchor}-{id}"));
    let scroller = row.as_ref().and_then(|row| row.closest(".scroller").ok().flatten());
    let element = |element: Option<leptos::web_sys::Element>| element?.dyn_into::<HtmlElement>().ok();
    let (Some(scroller), Some(row)) = (element(scroller), element(row)) else { return };
    let before = row.offset_top() - scroller.scroll_top();
    request_animation_frame(move || {
        let top = row.offset_top() - scroller.scroll_top();
        // What opens is seen to its end, even if the first line then has to give way.
        let space = (scroller.client_height() - top - row.offset_height()).max(0);
        let by = (top - before).max(-space);
        if by != 0 {
            scroller.set_scroll_top(scroller.scroll_top() + by);
        }
    });
}
