//! A message's text as pieces: what its markup says, cleared of what a message may not do.
//!
//! Markup from the library becomes the few pieces that a message can have. Raw HTML becomes text, an image becomes a
//! link, a link that leads elsewhere than to the web stays as it was written, and nothing is nested without end.

use super::address;
use crate::model::FileAddress;
use pulldown_cmark::{Alignment, CodeBlockKind, Event, HeadingLevel, LinkType, Options, Parser, Tag};
use std::ops::Range;

/// Most elements inside each other; what is deeper is shown without them. Browsers have bounds too, and cut there.
const MAX_DEPTH: usize = 16;

/// What a message can be made of.
#[derive(Clone, Debug, PartialEq)]
pub enum Element {
    /// Lines of text.
    Paragraph,
    /// A title; or one of the larger kind.
    Heading(bool),
    /// What somebody else has said.
    Quote,
    /// What a block of code says of itself.
    Caption,
    /// Lines of code, with what is said of them: mostly a language.
    CodeBlock(String),
    /// With numbers from the one given on, or with dots.
    List(Option<u64>),
    /// Of a list.
    Item,
    /// With its columns.
    Table(Vec<Alignment>),
    /// A table's first row.
    Head,
    /// A table's later rows.
    Row,
    /// Of a row.
    Cell,
    /// Leaning letters.
    Emphasis,
    /// Bold letters.
    Strong,
    /// Struck through.
    Struck,
    /// To an address that is safe.
    Link(String),
}

impl Element {
    /// Stands within a line.
    pub fn is_inline(&self) -> bool {
        matches!(self, Self::Emphasis | Self::Strong | Self::Struck | Self::Link(_))
    }
}

/// A piece of a message, in order. What is opened is closed, inside out.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece<'a> {
    /// Begins.
    Open(&'a Element),
    /// Ends.
    Close(&'a Element),
    /// Text in which people and rooms may be named, with the character before it.
    Text(&'a str, Option<char>),
    /// Text that is nothing but itself: inside links and blocks of code.
    Literal(&'a str),
    /// Code within a line.
    Code(&'a str),
    /// An address that stands in the text.
    Address(&'a str),
    /// A picture of this site, and what is said of it for those who do not see it.
    Picture(&'a FileAddress, &'a str),
    /// The line ends.
    Break,
    /// A line across.
    Rule,
    /// Something to do, or done.
    Task(bool),
}

/// Reads a text and gives its pieces, each as it comes.
pub fn read(body: &str, give: &mut dyn FnMut(Piece<'_>)) {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut reader =
        Reader { body, give, open: vec![], depth: 0, text: String::new(), before: None, given: 0, pieces: 0 };
    for (event, range) in Parser::new_ext(body, options).into_offset_iter() {
        reader.take(event, range);
    }
    reader.flush();
}

/// The label of a picture, from its source.
fn said_of(source: &str, to: &str) -> String {
    let label = source.rfind(to).and_then(|at| source[..at].rfind("](")).and_then(|end| source.get(2..end));
    let mut said = String::new();
    let mut chars = label.unwrap_or_default().chars().peekable();
    while let Some(c) = chars.next() {
        let escaped = if c == '\\' { chars.next_if(char::is_ascii_punctuation) } else { None };
        said.push(escaped.unwrap_or(c));
    }
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

struct Open {
    /// `None`: its content is shown without it.
    element: Option<Element>,
    /// Where its content ends in the source.
    end: usize,
    /// How many pieces there were before it.
    since: usize,
}

struct Reader<'a> {
    body: &'a str,
    give: &'a mut dyn FnMut(Piece<'_>),
    open: Vec<Open>,
    depth: usize,
    /// Text that may go on.
    text: String,
    before: Option<char>,
    /// The source up to here has been given already, as an address or as it is.
    given: usize,
    pieces: usize,
}

impl Reader<'_> {
    fn take(&mut self, event: Event<'_>, range: Range<usize>) {
        let known = range.start < self.given;
        match event {
            Event::Start(tag) => self.start(tag, range, known),
            Event::End(_) => self.end(range),
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => self.text(&text, range),
            _ if known => {}
            Event::Code(code) => self.piece(Piece::Code(&code)),
            Event::SoftBreak | Event::HardBreak => self.piece(Piece::Break),
            Event::Rule => self.piece(Piece::Rule),
            Event::TaskListMarker(done) => self.piece(Piece::Task(done)),
            // Kinds that are not asked for.
            _ => {}
        }
    }

    fn piece(&mut self, piece: Piece<'_>) {
        self.flush();
        self.before = None;
        self.pieces += 1;
        (self.give)(piece);
    }

    fn flush(&mut self) {
        if !self.text.is_empty() {
            self.pieces += 1;
            (self.give)(Piece::Text(&self.text, self.before));
            self.before = self.text.chars().next_back();
            self.text.clear();
        }
    }

    fn start(&mut self, tag: Tag<'_>, range: Range<usize>, known: bool) {
        let end = match &tag {
            Tag::Emphasis => range.end - 1,
            Tag::Strong => range.end - 2,
            Tag::Strikethrough => self.body[..range.end].trim_end_matches('~').len(),
            _ => range.end,
        };
        let element = if known { None } else { self.element(tag, &range) };
        self.flush();
        if let Some(element) = &element {
            if !element.is_inline() {
                self.before = None;
            }
            (self.give)(Piece::Open(element));
            self.depth += 1;
        }
        self.open.push(Open { element, end, since: self.pieces });
    }

    /// What becomes of a tag; nothing if only its content is shown.
    fn element(&mut self, tag: Tag<'_>, range: &Range<usize>) -> Option<Element> {
        let parent = self.open.last().is_none_or(|open| open.element.is_some());
        // With what has to be in it.
        let fits = |levels| self.depth + levels <= MAX_DEPTH;
        match tag {
            Tag::Paragraph | Tag::HtmlBlock => Some(Element::Paragraph),
            Tag::Heading { level, .. } => Some(Element::Heading(level <= HeadingLevel::H2)),
            Tag::CodeBlock(kind) => {
                let info = match kind {
                    CodeBlockKind::Fenced(info) => info.into_string(),
                    CodeBlockKind::Indented => String::new(),
                };
                if !info.is_empty() {
                    self.caption(&info);
                }
                Some(Element::CodeBlock(info))
            }
            Tag::BlockQuote(_) => fits(1).then_some(Element::Quote),
            Tag::List(first) => fits(2).then_some(Element::List(first)),
            Tag::Table(columns) => fits(3).then_some(Element::Table(columns)),
            Tag::Item => parent.then_some(Element::Item),
            Tag::TableHead => parent.then_some(Element::Head),
            Tag::TableRow => parent.then_some(Element::Row),
            Tag::TableCell => parent.then_some(Element::Cell),
            Tag::Emphasis => fits(1).then_some(Element::Emphasis),
            Tag::Strong => fits(1).then_some(Element::Strong),
            Tag::Strikethrough => fits(1).then_some(Element::Struck),
            Tag::Link { link_type: LinkType::Email, dest_url, .. } => self.link(format!("mailto:{dest_url}"), range),
            Tag::Image { link_type: LinkType::Inline, dest_url, .. } => self.image(dest_url.into_string(), range),
            Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => self.link(dest_url.into_string(), range),
            _ => None,
        }
    }

    /// Pictures of this site are shown; of any other, a reader's browser would tell who reads.
    fn image(&mut self, to: String, range: &Range<usize>) -> Option<Element> {
        match to.parse::<FileAddress>() {
            Ok(address) if address.size.is_some() && !self.inside(|element| matches!(element, Element::Link(_))) => {
                let said = said_of(&self.body[range.clone()], &to);
                let said = if said.is_empty() { address.name.as_str().to_owned() } else { said };
                self.piece(Piece::Picture(&address, &said));
                self.given = range.end;
                None
            }
            _ => self.link(to, range),
        }
    }

    /// Mostly a language; whatever it is, it was written to be read.
    fn caption(&mut self, info: &str) {
        self.flush();
        (self.give)(Piece::Open(&Element::Caption));
        self.piece(Piece::Literal(info));
        (self.give)(Piece::Close(&Element::Caption));
    }

    fn link(&mut self, to: String, range: &Range<usize>) -> Option<Element> {
        if self.inside(|element| matches!(element, Element::Link(_))) {
            return None;
        }
        if address::is_safe(&to) {
            return Some(Element::Link(to));
        }
        self.piece(Piece::Literal(&self.body[range.clone()]));
        self.given = range.end;
        None
    }

    fn inside(&self, what: fn(&Element) -> bool) -> bool {
        self.open.iter().rev().any(|open| open.element.as_ref().is_some_and(what))
    }

    fn end(&mut self, range: Range<usize>) {
        let Some(open) = self.open.pop() else { return };
        // Markup that began inside an address: what of it stands behind that is text.
        if open.end < range.end && open.element.is_none() && self.given > range.start && self.given < range.end {
            self.text.push_str(&self.body[open.end.max(self.given)..range.end]);
        }
        let Some(element) = open.element else { return };
        if let Element::Link(to) = &element
            && open.since == self.pieces
            && self.text.is_empty()
        {
            self.piece(Piece::Literal(to));
        }
        self.flush();
        self.depth -= 1;
        (self.give)(Piece::Close(&element));
    }

    fn text(&mut self, text: &str, range: Range<usize>) {
        let (mut text, mut start) = (text, range.start);
        let verbatim = self.body.get(range.clone()) == Some(text);
        if start < self.given {
            if !verbatim || range.end <= self.given {
                return;
            }
            text = &text[self.given - start..];
            start = self.given;
        }
        if self.inside(|element| matches!(element, Element::Link(_) | Element::CodeBlock(_))) {
            return self.piece(Piece::Literal(text));
        }
        // `\@` names nobody.
        if text.starts_with(['@', '#']) && self.body[..start].ends_with('\\') {
            self.flush();
            self.before = Some('\\');
        }
        while verbatim && let Some(at) = address::find(text, self.text.chars().next_back().or(self.before)) {
            // Not only this stretch of text: in an address, what looks like markup is none.
            let end = self.open.last().map_or(self.body.len(), |open| open.end).max(start + text.len());
            let Some(address) = address::at_start(&self.body[start + at..end]) else {
                let (plain, rest) = text.split_at(at + "http".len());
                self.text.push_str(plain);
                (text, start) = (rest, start + plain.len());
                continue;
            };
            self.text.push_str(&text[..at]);
            self.piece(Piece::Address(address));
            self.given = start + at + address.len();
            match text.get(at + address.len()..) {
                Some(rest) => (text, start) = (rest, self.given),
                None => return,
            }
        }
        self.text.push_str(text);
    }
}
