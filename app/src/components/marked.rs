//! What people wrote, in an element of its own.

use crate::markdown::{Audience, Renderer, as_written, escape, one_line};
use crate::reactive::effect;
use leptos::{
    prelude::*,
    tachys::{html::element::InnerHtmlValue, renderer::Rndr},
    task::spawn_local,
    web_sys::Element,
};

/// Says when the browser can read markup.
#[derive(Clone, Copy, PartialEq)]
pub struct Reader(RwSignal<bool>);

impl Reader {
    /// Puts it into the context of all pages; in the browser fetches what is lacking once the page stands.
    pub fn provide() {
        let reader = Self(RwSignal::new(Renderer::there().is_some()));
        effect(move || {
            reader.get();
        });
        provide_context(reader);
    }

    /// Reactive.
    fn get(self) -> Option<Renderer> {
        let renderer = Renderer::there();
        if !self.0.get() && renderer.is_none() {
            spawn_local(async move {
                // Without it texts stay as they were written; the next one tries again.
                if Renderer::load().await.is_ok() {
                    self.0.set(true);
                }
            });
        }
        renderer
    }
}

/// A text with markup, as the content of an element. The server's page has it already: the browser reads what comes
/// later, and what changes. What it cannot read yet is shown as it was written.
#[derive(Clone, PartialEq)]
pub struct Marked {
    reader: Reader,
    text: String,
    shape: Shape,
}

#[derive(Clone, PartialEq)]
enum Shape {
    Whole { people: Vec<String>, me: Option<String>, edited: bool },
    Excerpt { max_chars: usize },
}

impl Marked {
    /// A message.
    pub fn whole(text: String, people: Vec<String>, me: Option<String>, edited: bool) -> Self {
        Self { reader: expect_context(), text, shape: Shape::Whole { people, me, edited } }
    }

    /// The first words of one.
    pub fn excerpt(text: String, max_chars: usize) -> Self {
        Self { reader: expect_context(), text, shape: Shape::Excerpt { max_chars } }
    }

    /// As HTML, as far as the browser can read it by now. Reactive.
    pub fn shown(&self) -> String {
        self.reader.get().map_or_else(|| self.html_without_reader(), |by| self.html(by))
    }

    fn html(&self, by: Renderer) -> String {
        match &self.shape {
            Shape::Whole { people, me, edited } => {
                (by.html)(&self.text, Audience { people, me: me.as_deref() }, *edited)
            }
            Shape::Excerpt { max_chars } => escape(&(by.excerpt)(&self.text, *max_chars)),
        }
    }

    fn html_without_reader(&self) -> String {
        match self.shape {
            Shape::Whole { edited, .. } => as_written(&self.text, edited),
            Shape::Excerpt { max_chars } => escape(&one_line(&self.text, max_chars)),
        }
    }
}

/// What an element shows.
pub struct Shown {
    element: Element,
    what: Marked,
    /// It has been read.
    settled: bool,
}

impl Shown {
    fn show(&mut self) {
        let by = self.what.reader.get();
        self.settled = by.is_some();
        let html = by.map_or_else(|| self.what.html_without_reader(), |by| self.what.html(by));
        Rndr::set_inner_html(&self.element, &html);
    }
}

impl InnerHtmlValue for Marked {
    type AsyncOutput = Self;
    type State = Shown;
    type Cloneable = Self;
    type CloneableOwned = Self;

    fn html_len(&self) -> usize {
        self.text.len()
    }

    fn to_html(self, buf: &mut String) {
        let html = Renderer::there().map_or_else(|| self.html_without_reader(), |by| self.html(by));
        buf.push_str(&html);
    }

    fn to_template(_buf: &mut String) {}

    fn hydrate<const FROM_SERVER: bool>(self, element: &Element) -> Shown {
        if FROM_SERVER { Shown { element: element.clone(), what: self, settled: true } } else { self.build(element) }
    }

    fn build(self, element: &Element) -> Shown {
        let mut shown = Shown { element: element.clone(), what: self, settled: false };
        shown.show();
        shown
    }

    fn rebuild(self, shown: &mut Shown) {
        if !shown.settled || shown.what != self {
            shown.what = self;
            shown.show();
        }
    }

    fn into_cloneable(self) -> Self {
        self
    }

    fn into_cloneable_owned(self) -> Self {
        self
    }

    fn dry_resolve(&mut self) {}

    async fn resolve(self) -> Self {
        self
    }
}
