//! The HTML of a message. Everything that a person wrote goes through [`escape`], and every tag is one of those here.

use super::{
    code::Colours,
    read::{Element, Piece, read},
};
use crate::{
    mentions::{EVERYONE, Part, parts, readings},
    model::{FileAddress, MAX_BODY_BYTES},
    url,
};
use pulldown_cmark::Alignment;
use std::fmt::Write;

/// More elements than this, and the text is shown as it was written: a page holds hundreds of messages.
const MAX_ELEMENTS: usize = 1_500;
/// Longer than this, and the text is shown as it was written.
const MAX_HTML_BYTES: usize = 8 * MAX_BODY_BYTES;

/// Who is in the room, and who reads.
#[derive(Clone, Copy, Debug)]
pub struct Audience<'a> {
    /// User names.
    pub people: &'a [String],
    /// The reader's.
    pub me: Option<&'a str>,
}

/// A message's text as HTML. It can be put on a page as it is.
pub fn html(body: &str, audience: Audience<'_>, edited: bool) -> String {
    let mut page =
        Html { out: String::new(), elements: 0, columns: vec![], column: 0, head: false, code: None, audience };
    read(body, &mut |piece| page.add(&piece));
    let mut out = page.out;
    if page.elements > MAX_ELEMENTS || out.len() > MAX_HTML_BYTES {
        out = format!("<p>{}</p>", escape(body));
    }
    if edited { said_edited(&out) } else { out }
}

/// With a note that the text was changed: at the end of the last line, where there is one.
fn said_edited(html: &str) -> String {
    let (text, end) = html.strip_suffix("</p>").map_or((html, "<p>"), |text| (text, ""));
    format!("{text}{end}<span class=\"edited\"> (edited)</span></p>")
}

/// The HTML that a message has if it is without markup. Shown of any message until it can be read.
pub fn as_written(body: &str, edited: bool) -> String {
    let out = format!("<p>{}</p>", escape(body).replace('\n', "<br>"));
    if edited { said_edited(&out) } else { out }
}

/// A text as HTML, also between quotation marks.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

struct Html<'a> {
    out: String,
    elements: usize,
    /// Of the table that is open: there is none inside another.
    columns: Vec<Alignment>,
    column: usize,
    head: bool,
    /// Inside a block of code in a language that is known.
    code: Option<Colours>,
    audience: Audience<'a>,
}

impl Html<'_> {
    fn add(&mut self, piece: &Piece<'_>) {
        // Too much already: nothing of it will be shown.
        if self.elements > MAX_ELEMENTS || self.out.len() > MAX_HTML_BYTES {
            return;
        }
        match piece {
            Piece::Open(element) => self.open(element),
            Piece::Close(element) => self.close(element),
            Piece::Text(text, before) => self.text(text, *before),
            Piece::Literal(text) => self.literal(text),
            Piece::Code(code) => self.tag(&format!("<code>{}</code>", escape(code))),
            Piece::Address(address) => {
                self.link(address);
                self.put(&escape(address));
                self.put("</a>");
            }
            Piece::Picture(address, said) => self.picture(address, said),
            Piece::Break => self.tag("<br>"),
            Piece::Rule => self.tag("<hr>"),
            Piece::Task(true) => self.tag("<input type=\"checkbox\" disabled checked aria-label=\"done\">"),
            Piece::Task(false) => self.tag("<input type=\"checkbox\" disabled aria-label=\"to do\">"),
        }
    }

    fn put(&mut self, html: &str) {
        self.out.push_str(html);
    }

    /// What begins with one more element.
    fn tag(&mut self, html: &str) {
        self.elements += 1;
        self.put(html);
    }

    fn open(&mut self, element: &Element) {
        if let Element::CodeBlock(info) = element {
            self.code = Colours::of(info);
        }
        match element {
            Element::Link(to) => self.link(to),
            Element::List(Some(first)) if *first != 1 => self.tag(&format!("<ol start=\"{first}\">")),
            Element::Table(columns) => {
                self.columns.clone_from(columns);
                self.tag("<div class=\"table\"><table>");
            }
            Element::Head => {
                (self.head, self.column) = (true, 0);
                self.tag("<thead><tr>");
            }
            Element::Row => {
                self.column = 0;
                self.tag("<tr>");
            }
            Element::Cell => {
                let name = if self.head { "th" } else { "td" };
                let class = match self.columns.get(self.column) {
                    Some(Alignment::Center) => " class=\"center\"",
                    Some(Alignment::Right) => " class=\"right\"",
                    _ => "",
                };
                self.column += 1;
                self.tag(&format!("<{name}{class}>"));
            }
            plain => self.tag(tags(plain).0),
        }
    }

    fn close(&mut self, element: &Element) {
        let end = match element {
            Element::Cell if self.head => "</th>",
            plain => tags(plain).1,
        };
        self.put(end);
        match element {
            Element::Head => self.head = false,
            Element::CodeBlock(_) => self.code = None,
            _ => {}
        }
    }

    fn literal(&mut self, text: &str) {
        let Some(mut colours) = self.code.take() else { return self.put(&escape(text)) };
        colours.read(text, &mut |piece, kind| match kind {
            // Colours are the first to go: they alone must not make a text too much for a page.
            Some(kind) if self.elements < MAX_ELEMENTS / 2 && self.out.len() < MAX_HTML_BYTES / 2 => {
                self.tag(&format!("<span class=\"{}\">{}</span>", kind.class(), escape(piece)));
            }
            _ => self.put(&escape(piece)),
        });
        self.code = Some(colours);
    }

    /// In the room that it will take; a click shows the whole, beside the chat.
    fn picture(&mut self, address: &FileAddress, said: &str) {
        let (width, height) = address.shown_size().unwrap_or((1, 1));
        // An address has nothing that needs to be escaped: letters, digits, hyphens, dots and percent signs.
        self.tag(&format!(
            "<a href=\"{address}\" class=\"picture\" target=\"_blank\"><img src=\"{address}\" alt=\"{}\" width=\"{width}\" height=\"{height}\" \
             loading=\"lazy\" decoding=\"async\"></a>",
            escape(said)
        ));
    }

    fn link(&mut self, to: &str) {
        let to = escape(to);
        if to.starts_with('/') {
            // No page of this site: not for the router.
            return self.tag(&format!("<a href=\"{to}\" class=\"file\" rel=\"external\">"));
        }
        self.tag(&format!("<a href=\"{to}\" rel=\"noopener noreferrer nofollow ugc\" target=\"_blank\">"));
    }

    fn text(&mut self, text: &str, before: Option<char>) {
        for part in parts(text, before) {
            match part {
                Part::Plain(text) => self.put(&escape(text)),
                Part::Name(written) => self.name(written),
                Part::Room(written) => {
                    let to = url::room(&written[1..].to_lowercase());
                    self.tag("<a href=\"");
                    // Neither needs to be escaped: the one is percent-encoded, the other letters, digits and hyphens.
                    let _ = write!(self.out, "{to}\">{written}</a>");
                }
            }
        }
    }

    fn name(&mut self, written: &str) {
        let Audience { people, me } = self.audience;
        let name = readings(written).into_iter().find(|name| name == EVERYONE || people.contains(name));
        let Some(name) = name else { return self.put(written) };
        let own = if me.is_some_and(|me| me == name || name == EVERYONE) { " own" } else { "" };
        // What is not of the name ends the sentence.
        let (shown, rest) = written.split_at(1 + name.len());
        self.tag(&format!("<span class=\"mention{own}\">{shown}</span>{rest}"));
    }
}

/// What stands before and behind an element's content.
fn tags(element: &Element) -> (&'static str, &'static str) {
    match element {
        Element::Paragraph => ("<p>", "</p>"),
        // Not headings of the page: its outline is not for messages to change.
        Element::Heading(true) => ("<p class=\"heading large\">", "</p>"),
        Element::Heading(false) => ("<p class=\"heading\">", "</p>"),
        Element::Caption => ("<p class=\"caption\">", "</p>"),
        Element::Quote => ("<blockquote>", "</blockquote>"),
        Element::CodeBlock(_) => (
            "<div class=\"code\"><pre><code>",
            "</code></pre><button type=\"button\" class=\"button quiet copy\">Copy</button></div>",
        ),
        Element::List(Some(_)) => ("<ol>", "</ol>"),
        Element::List(None) => ("<ul>", "</ul>"),
        Element::Item => ("<li>", "</li>"),
        Element::Table(_) => ("<div class=\"table\"><table>", "</tbody></table></div>"),
        Element::Head => ("<thead><tr>", "</tr></thead><tbody>"),
        Element::Row => ("<tr>", "</tr>"),
        Element::Cell => ("<td>", "</td>"),
        Element::Emphasis => ("<em>", "</em>"),
        Element::Strong => ("<strong>", "</strong>"),
        Element::Struck => ("<del>", "</del>"),
        Element::Link(_) => ("", "</a>"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(body: &str) -> String {
        let people = ["ada", "lin", "lin.", "a_b"].map(str::to_owned);
        html(body, Audience { people: &people, me: Some("ada") }, false)
    }

    fn link(to: &str, text: &str) -> String {
        format!("<a href=\"{to}\" rel=\"noopener noreferrer nofollow ugc\" target=\"_blank\">{text}</a>")
    }

    #[test]
    fn markup_becomes_elements() {
        for (body, expected) in [
            ("one\ntwo\n\nthree", "<p>one<br>two</p><p>three</p>"),
            ("**a** *b* ~~c~~ `d<`", "<p><strong>a</strong> <em>b</em> <del>c</del> <code>d&lt;</code></p>"),
            ("# A\n### B", "<p class=\"heading large\">A</p><p class=\"heading\">B</p>"),
            ("> a\n> b", "<blockquote><p>a<br>b</p></blockquote>"),
            ("- a\n- b\n  1. c", "<ul><li>a</li><li>b<ol><li>c</li></ol></li></ul>"),
            (
                "```sql\nselect 1 -- a\n```",
                "<p class=\"caption\">sql</p><div class=\"code\"><pre><code><span class=\"k\">select</span> \
                 <span class=\"n\">1</span> <span class=\"c\">-- a</span>\n</code></pre><button type=\"button\" \
                 class=\"button quiet copy\">Copy</button></div>",
            ),
            ("7. a", "<ol start=\"7\"><li>a</li></ol>"),
            (
                "- [ ] a\n- [x] b",
                "<ul><li><input type=\"checkbox\" disabled aria-label=\"to do\">a</li>\
                 <li><input type=\"checkbox\" disabled checked aria-label=\"done\">b</li></ul>",
            ),
            (
                "a|b\n-|-:\nc|d",
                "<div class=\"table\"><table><thead><tr><th>a</th><th class=\"right\">b</th></tr></thead>\
                 <tbody><tr><td>c</td><td class=\"right\">d</td></tr></tbody></table></div>",
            ),
            (
                "```rust\n<b> @ada\n```",
                "<p class=\"caption\">rust</p><div class=\"code\"><pre><code>&lt;b&gt; @ada\n</code></pre>\
                 <button type=\"button\" class=\"button quiet copy\">Copy</button></div>",
            ),
            ("a\n\n---", "<p>a</p><hr>"),
        ] {
            assert_eq!(shown(body), expected, "{body}");
        }
    }

    #[test]
    fn html_is_shown_as_text() {
        assert_eq!(shown("a <b onclick=\"x\">&lt;"), "<p>a &lt;b onclick=&quot;x&quot;&gt;&lt;</p>");
        assert_eq!(shown("<script>\nalert(1)\n</script>"), "<p>&lt;script&gt;\nalert(1)\n&lt;/script&gt;</p>");
        assert_eq!(shown("<!-- a -->"), "<p>&lt;!-- a --&gt;</p>");
    }

    #[test]
    fn links_lead_to_the_web_and_nowhere_else() {
        let a = "https://a.example/x";
        for (body, expected) in [
            ("[b](https://a.example/x)", link(a, "b")),
            ("<https://a.example/x>", link(a, "https://a.example/x")),
            ("<a@b.example>", link("mailto:a@b.example", "a@b.example")),
            ("[b][1]\n\n[1]: https://a.example/x", link(a, "b")),
            ("![b](https://a.example/x)", link(a, "b")),
            ("![](https://a.example/x)", link(a, a)),
            ("[![b](https://b.example)](https://a.example/x)", link(a, "b")),
            ("![a [b](https://b.example)](https://a.example/x)", link(a, "a b")),
            ("[b](https://a.example/x?a=1&b=\"2\")", link("https://a.example/x?a=1&amp;b=&quot;2&quot;", "b")),
            ("[b](javascript:alert(1))", "[b](javascript:alert(1))".into()),
            ("<javascript:alert(1)>", "&lt;javascript:alert(1)&gt;".into()),
            ("![b](data:image/png;base64,AA)", "![b](data:image/png;base64,AA)".into()),
            ("[*b*](/rooms/tea) c", "[*b*](/rooms/tea) c".into()),
            ("[b](java&#x73;cript:x)", "[b](java&amp;#x73;cript:x)".into()),
        ] {
            assert_eq!(shown(body), format!("<p>{expected}</p>"), "{body}");
        }
    }

    #[test]
    fn pictures_of_this_site_are_shown_and_its_files_are_links() {
        let at = "/files/01900000-0000-7000-8000-000000000001";
        let shown_as = |said: &str| {
            format!(
                "<a href=\"{at}/4000x3000/a%20b.png\" class=\"picture\" target=\"_blank\"><img src=\"{at}/4000x3000/a%20b.png\" alt=\"{said}\" \
                 width=\"480\" height=\"360\" loading=\"lazy\" decoding=\"async\"></a>"
            )
        };
        let file = |text: &str| format!("<a href=\"{at}/b.pdf\" class=\"file\" rel=\"external\">{text}</a>");
        for (body, expected) in [
            (format!("![a](file) ![c]({at}/4000x3000/a%20b.png) d"), format!("![a](file) {} d", shown_as("c"))),
            (format!("![]({at}/4000x3000/a%20b.png)"), shown_as("a b.png")),
            (format!("![a \\] \"*b*\" @ada](<{at}/4000x3000/a%20b.png> \"t\")"), shown_as("a ] &quot;*b*&quot; @ada")),
            (format!("[b *c*]({at}/b.pdf)"), file("b <em>c</em>")),
            (format!("![b]({at}/b.pdf)"), file("b")),
            (format!("[b]({at}/b.pdf?x)"), format!("[b]({at}/b.pdf?x)")),
            (format!("![b](//a.example{at}/1x1/b.png)"), format!("![b](//a.example{at}/1x1/b.png)")),
            (format!("![b](https://a.example{at}/1x1/b.png)"), link(&format!("https://a.example{at}/1x1/b.png"), "b")),
            (format!("[![b]({at}/1x1/b.png)](https://a.example)"), link("https://a.example", "b")),
        ] {
            assert_eq!(shown(&body), format!("<p>{expected}</p>"), "{body}");
        }
    }

    #[test]
    fn what_an_upload_is_answered_with_shows_it() {
        let name = "a [*b*](c) _d_ `e` <f> ~~g~~ \\ !|&amp;.png";
        for size in [None, Some((20, 10))] {
            let address =
                FileAddress { id: crate::model::FileId::new(), size, name: crate::model::FileName::nearest(name) };
            let text = super::super::examine::examined(&shown(&address.markdown()));
            let said = escape(address.name.as_str());
            assert!(shown(&address.markdown()).contains(&said), "{}", shown(&address.markdown()));
            assert_eq!(text.is_empty(), size.is_some());
        }
    }

    #[test]
    fn an_address_is_a_link_and_no_markup() {
        let a = |to: &str| link(to, to);
        for (body, expected) in [
            ("see https://a.example/x_(y), or", format!("see {}, or", a("https://a.example/x_(y)"))),
            ("https://a.example/__init__.py b", format!("{} b", a("https://a.example/__init__.py"))),
            ("https://a.example/*b*/c*", format!("{}*", a("https://a.example/*b*/c"))),
            ("**https://a.example/x**", format!("<strong>{}</strong>", a("https://a.example/x"))),
            ("*b https://a.example/~c d*", format!("<em>b {} d</em>", a("https://a.example/~c"))),
            ("https://a.example/_b c_ d", format!("{} c_ d", a("https://a.example/_b"))),
            ("https://a.example/_b *c_* d", format!("{} *c_* d", a("https://a.example/_b"))),
            (
                "https://a.example?a=1&amp;b=2",
                link("https://a.example?a=1&amp;amp;b=2", "https://a.example?a=1&amp;amp;b=2"),
            ),
            ("https://a.example/`b c`", format!("{}<code>b c</code>", a("https://a.example/"))),
            (
                "https://a.example/[b](https://c.example)",
                format!("{}{}", a("https://a.example/"), link("https://c.example", "b")),
            ),
            ("https://a.example/<b>", format!("{}&lt;b&gt;", a("https://a.example/"))),
            ("https://\nhttps://a.example", format!("https://<br>{}", a("https://a.example"))),
            ("`https://a.example`", "<code>https://a.example</code>".into()),
        ] {
            assert_eq!(shown(body), format!("<p>{expected}</p>"), "{body}");
        }
        assert!(shown("|a|\n|-|\n|https://a.example/b|").contains(&a("https://a.example/b")));
    }

    #[test]
    fn people_of_the_room_and_rooms_are_shown_as_such() {
        for (body, expected) in [
            ("@Ada: hi", "<span class=\"mention own\">@Ada</span>: hi"),
            ("@ada.", "<span class=\"mention own\">@ada</span>."),
            ("@lin.", "<span class=\"mention\">@lin.</span>"),
            ("_@a_b_", "<em><span class=\"mention\">@a_b</span></em>"),
            ("@nobody a@lin", "@nobody a@lin"),
            ("`@lin` \\@lin \\#tea", "<code>@lin</code> @lin #tea"),
            ("#tea, #Köln", "<a href=\"/rooms/tea\">#tea</a>, <a href=\"/rooms/k%C3%B6ln\">#Köln</a>"),
            ("#1 C#", "#1 C#"),
        ] {
            assert_eq!(shown(body), format!("<p>{expected}</p>"), "{body}");
        }
        assert_eq!(
            shown("[@ada #tea](https://a.example)"),
            format!("<p>{}</p>", link("https://a.example", "@ada #tea"))
        );
    }

    #[test]
    fn an_edited_message_says_so_at_its_end() {
        let edited = |body| html(body, Audience { people: &[], me: None }, true);
        assert_eq!(edited("a"), "<p>a<span class=\"edited\"> (edited)</span></p>");
        assert_eq!(edited("- a"), "<ul><li>a</li></ul><p><span class=\"edited\"> (edited)</span></p>");
    }

    #[test]
    fn what_would_be_too_much_for_a_page_is_shown_as_it_was_written() {
        for body in ["*a* ".repeat(4_000), format!("{}\n{}{}", "|a".repeat(90), "|-".repeat(90), "\n|b|".repeat(99))] {
            let body = body.trim_end();
            assert!(shown(body) == format!("<p>{body}</p>"));
        }
    }
}
