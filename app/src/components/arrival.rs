//! Where a room's history stands when it is opened: at the message that the page is about, at the first unread one, or
//! at the end.
//!
//! A room that is opened from another one takes over its elements, with where they were scrolled to, and does so some
//! time after its view was made. The scroller tells whose it is by a property that changes with that.

use super::anchor::Anchor;
use crate::{browser, model::MessageId};
use leptos::{html, prelude::*, wasm_bindgen::JsCast, web_sys};
use std::sync::atomic::{AtomicU32, Ordering};

/// The property.
const VIEW: &str = "partylineView";
/// After so many frames there is nothing more to wait for.
const MOST_FRAMES: u32 = 120;

/// To where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// The message that the page is about, in the middle.
    At(MessageId),
    /// The first unread message; one that is in view already moves nothing.
    Unread(MessageId),
    /// The newest message.
    End,
}

/// A number for a view of a history, which no other has.
pub fn number() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Arrival {
    /// Scrolls there once the view with this number is on the page; `then` runs after that, or when it does not come.
    pub fn arrive(self, view: u32, scroller: NodeRef<html::Div>, anchor: Anchor, then: impl Fn() + 'static) {
        let go = move || {
            let element = scroller.try_get_untracked()?.filter(|element| shows(element, view))?;
            let row = |id: MessageId| document().get_element_by_id(&format!("m-{id}"));
            anchor.release();
            match self {
                Self::At(id) => browser::scroll_to_middle(&row(id)?),
                Self::Unread(id) => {
                    element.set_scroll_top(0);
                    let new = row(id)?;
                    browser::scroll_into_view(&new.query_selector(".new").ok().flatten().unwrap_or(new));
                }
                Self::End => element.set_scroll_top(0),
            }
            Some(())
        };
        wait(0, go, then);
    }
}

fn shows(element: &web_sys::HtmlDivElement, view: u32) -> bool {
    let element: &web_sys::Element = element.unchecked_ref();
    element.is_connected() && browser::number_of(element, VIEW) == Some(view)
}

fn wait(frames: u32, go: impl Fn() -> Option<()> + 'static, then: impl Fn() + 'static) {
    if go().is_some() || frames == MOST_FRAMES {
        then();
    } else {
        request_animation_frame(move || wait(frames + 1, go, then));
    }
}
