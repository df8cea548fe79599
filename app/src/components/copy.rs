use crate::browser;
use leptos::{prelude::*, wasm_bindgen::JsCast, web_sys::Element};

/// How long the button says that it has worked.
const SAYS_SO_MS: u64 = 2_000;

/// Copies the code above the button that was clicked, if one was. The buttons are part of messages' HTML: one listener
/// around them hears them all.
pub fn copy_code(event: &leptos::ev::MouseEvent) {
    let clicked = event.target().and_then(|target| target.dyn_into::<Element>().ok());
    let Some(button) = clicked.filter(|element| element.class_list().contains("copy")) else { return };
    let code = button.parent_element().and_then(|block| block.query_selector("code").ok().flatten());
    if code.is_some_and(|code| browser::copy(&code)) {
        button.set_text_content(Some("Copied"));
        set_timeout(move || button.set_text_content(Some("Copy")), std::time::Duration::from_millis(SAYS_SO_MS));
    }
}
