use crate::{browser, reactive::effect};
use leptos::{ev, prelude::*};

/// The keys of all pages, and a list of them. Without a script the list's keys do nothing, and the list is not there.
#[component]
pub fn Keys() -> impl IntoView {
    effect(|| {
        let keys = window_event_listener(ev::keydown, |event| {
            if !event.is_composing() && browser::press(&event) {
                event.prevent_default();
            }
        });
        on_cleanup(move || keys.remove());
    });
    // In the browser it is there already, and stays.
    let list = if cfg!(feature = "ssr") { LIST } else { "" };
    view! { <div id="keys" class="keys" popover="auto" role="dialog" aria-label="Keys" inner_html=list></div> }
}

const LIST: &str = "\
<h2>Keys</h2>
<dl>
<dt><kbd>Ctrl</kbd> <kbd>K</kbd></dt>
<dd>Jump to a room</dd>
<dt><kbd>/</kbd></dt>
<dd>Search</dd>
<dt><kbd>F6</kbd></dt>
<dd>Next part of the page</dd>
<dt><kbd>↑</kbd> <kbd>↓</kbd></dt>
<dd>From message to message, from room to room</dd>
<dt><kbd>Enter</kbd></dt>
<dd>Send; with Shift a new line</dd>
<dt><kbd>↑</kbd> in an empty field</dt>
<dd>Edit your last message</dd>
<dt><kbd>Ctrl</kbd> <kbd>B</kbd> or <kbd>I</kbd></dt>
<dd>Bold, italic</dd>
<dt><kbd>@</kbd> <kbd>#</kbd> <kbd>:</kbd></dt>
<dd>People, rooms, emoji</dd>
<dt><kbd>Shift</kbd> <kbd>Esc</kbd></dt>
<dd>Mark all read</dd>
<dt><kbd>Ctrl</kbd> <kbd>/</kbd></dt>
<dd>This list</dd>
</dl>";
