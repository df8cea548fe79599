//! Keeps the message that is being read where it is while others come and go around it.
//!
//! Browsers' own scroll anchoring is not in all of them, and in a reversed
//! column some move the view when older messages are put before it: the style
//! sheet turns it off, and this does it by hand.

use crate::browser;
use leptos::{html, prelude::*, wasm_bindgen::JsCast, web_sys};

/// The message at the top of what is seen, and how far below the edge its text stands.
#[derive(Clone, Copy)]
pub struct Anchor {
    scroller: NodeRef<html::Div>,
    held: StoredValue<Option<(String, f64)>>,
    /// Rows have changed and the view is not put right yet: what is seen now is not what was read.
    pending: StoredValue<bool>,
}

impl Anchor {
    /// For a scroller whose rows are placed relative to an element outside of it.
    pub fn new(scroller: NodeRef<html::Div>) -> Self {
        Self { scroller, held: StoredValue::new(None), pending: StoredValue::new(false) }
    }

    /// Remembers what is seen now.
    pub fn hold(self) {
        if !self.pending.get_value() {
            self.held.set_value(self.top_row());
        }
    }

    /// Lets go: the view follows the end of the list by itself.
    pub fn release(self) {
        self.held.set_value(None);
    }

    /// Puts what was held back to where it was, after the rows have changed and before they are painted.
    pub fn restore(self) {
        self.pending.set_value(true);
        request_animation_frame(move || {
            self.pending.try_update_value(|pending| *pending = false);
            let held = self.held.try_with_value(Clone::clone).flatten();
            let (Some((id, distance)), Some(scroller)) = (held, self.scroller.try_get_untracked().flatten()) else {
                return;
            };
            let moved =
                document().get_element_by_id(&id).and_then(|row| text_top(&row, &scroller)).map(|top| top - distance);
            if let Some(moved) = moved
                && moved.abs() >= 1.0
            {
                scroller.set_scroll_top(scroller.scroll_top() + moved.round() as i32);
            }
        });
    }

    fn top_row(self) -> Option<(String, f64)> {
        let scroller = self.scroller.get_untracked()?;
        let rows = scroller.query_selector(".rows").ok()??.children();
        let edge = scroller.scroll_top();
        let row = |i| rows.item(i).and_then(|row| row.dyn_into::<web_sys::HtmlElement>().ok());
        // The first row that ends below the edge: rows stand in order.
        let (mut low, mut high) = (0, rows.length());
        while low < high {
            let middle = low + (high - low) / 2;
            let seen = row(middle).is_some_and(|row| row.offset_top() + row.offset_height() > edge);
            (low, high) = if seen { (low, middle) } else { (middle + 1, high) };
        }
        let row = row(low)?;
        Some((row.id(), text_top(&row, &scroller)?))
    }
}

/// How far below the scroller's edge a row's text begins. What stands above it comes and goes with the rows before: a
/// day's line, the author.
fn text_top(row: &web_sys::Element, scroller: &web_sys::Element) -> Option<f64> {
    let content = row.query_selector(".content").ok()??;
    Some(browser::top_of(&content) - browser::top_of(scroller))
}
