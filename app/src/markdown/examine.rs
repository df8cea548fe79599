//! Reads the HTML of messages more strictly than any browser does, for tests and fuzzing.

#[cfg(feature = "ssr")]
use super::{Audience, excerpt, html::html};
use crate::model::FileAddress;

/// Makes HTML of a text, as a member and as a visitor gets it, and panics if anything is in it that no message has.
#[cfg(feature = "ssr")]
pub fn examine(body: &str) {
    let people = ["ada".to_owned()];
    for (me, edited) in [(Some("ada"), true), (None, false)] {
        examined(&html(body, Audience { people: &people, me }, edited));
    }
    assert!(excerpt(body, 120).chars().count() <= 120);
}

/// Every tag that there is, as it is written; addresses apart.
const TAGS: [&str; 41] = [
    "p",
    "p class=\"caption\"",
    "p class=\"heading\"",
    "p class=\"heading large\"",
    "blockquote",
    "div class=\"code\"",
    "pre",
    "code",
    "button type=\"button\" class=\"button quiet copy\"",
    "ul",
    "ol",
    "li",
    "div class=\"table\"",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "th class=\"center\"",
    "th class=\"right\"",
    "td",
    "td class=\"center\"",
    "td class=\"right\"",
    "em",
    "strong",
    "del",
    "br",
    "hr",
    "input type=\"checkbox\" disabled checked aria-label=\"done\"",
    "input type=\"checkbox\" disabled aria-label=\"to do\"",
    "span class=\"mention own\"",
    "span class=\"mention\"",
    "span class=\"edited\"",
    "span class=\"c\"",
    "span class=\"k\"",
    "span class=\"n\"",
    "span class=\"s\"",
    "a",
    "ol start=\"0\"",
    "ol start=\"2\"",
    "ol start=\"999999999\"",
];

/// The text of a message's HTML; panics at what is not a message's.
pub fn examined(html: &str) -> String {
    let (mut open, mut text, mut rest) = (Vec::<String>::new(), String::new(), html);
    while let Some(at) = rest.find('<') {
        text.push_str(&rest[..at]);
        let end = at + rest[at..].find('>').expect("a tag ends");
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "{html}");
            continue;
        }
        let name = tag.split(' ').next().unwrap_or_default();
        if let Some(link) = tag.strip_prefix("a href=\"") {
            assert!(!open.iter().any(|name| name == "a"), "a link in a link: {html}");
            let (to, behind) = link.split_once('"').expect("an address ends");
            let lower = to.to_ascii_lowercase();
            let of_file = [" class=\"file\" rel=\"external\"", " class=\"picture\" target=\"_blank\""];
            if of_file.contains(&behind) {
                assert!(to.parse::<FileAddress>().is_ok(), "{to}");
            } else if behind.is_empty() {
                assert!(to.strip_prefix("/rooms/").is_some_and(|slug| !slug.contains('/')), "{to}");
            } else {
                assert_eq!(behind, " rel=\"noopener noreferrer nofollow ugc\" target=\"_blank\"");
                assert!(["https://", "http://", "mailto:"].iter().any(|scheme| lower.starts_with(scheme)), "{to}");
            }
        } else if let Some(picture) = tag.strip_prefix("img src=\"") {
            assert_eq!(open.last().map(String::as_str), Some("a"), "a picture leads to itself: {html}");
            let (src, rest) = picture.split_once("\" alt=\"").expect("a picture is described");
            assert!(src.parse::<FileAddress>().is_ok_and(|address| address.size.is_some()), "{src}");
            let (_, rest) = rest.split_once("\" width=\"").expect("a picture has a width");
            let (width, rest) = rest.split_once("\" height=\"").expect("a picture has a height");
            let height = rest.strip_suffix("\" loading=\"lazy\" decoding=\"async\"").expect("nothing else");
            let side = |side: &str, most| (1..=most).contains(&side.parse().unwrap_or(0));
            assert!(side(width, 640) && side(height, 360), "{html}");
        } else {
            let numbered = tag.strip_prefix("ol start=\"").and_then(|tag| tag.strip_suffix('"'));
            let number = numbered.is_some_and(|number| number.bytes().all(|b| b.is_ascii_digit()));
            assert!(number || TAGS.contains(&tag), "<{tag}> in {html}");
        }
        if !["br", "hr", "img", "input"].contains(&name) {
            open.push(name.to_owned());
        }
        assert!(open.len() < 30, "too deep");
    }
    text.push_str(rest);
    assert_eq!(open, [""; 0], "{html}");
    assert!(!text.contains(['>', '"']), "{html}");
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}
