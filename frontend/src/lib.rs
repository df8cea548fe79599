//! The browser's entry: takes over the page that the server rendered.

/// Hydrates the document. Called once by the script in the page's head.
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    leptos::mount::hydrate_body(app::App);
}
