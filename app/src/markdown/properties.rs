//! Whatever is written: the HTML is well formed, holds nothing but the elements of messages, and is made soon.

use super::{Audience, as_written, examine::examined, excerpt, html::html, one_line, read};
use crate::{
    markdown::Piece,
    mentions::{calls, mentions},
    model::MAX_BODY_BYTES,
};
use proptest::prelude::*;
use std::time::Instant;

/// Markup, pieces of it, and what people would try.
const NASTY: [&str; 67] = [
    "a",
    "w ",
    "é",
    "👍🏽",
    " ",
    "  ",
    "    ",
    "\n",
    "\n\n",
    "\t",
    "*",
    "**",
    "_",
    "__",
    "~",
    "~~",
    "`",
    "```",
    "```\n",
    "#",
    "# ",
    "> ",
    "- ",
    "1. ",
    "- [ ] ",
    "- [x] ",
    "|",
    "|-|",
    "a|b\n-|-\n",
    "---\n",
    "[",
    "]",
    "](",
    "!",
    "![",
    ")",
    "(",
    "\\",
    "&",
    "&lt;",
    "&#x3c;",
    "<",
    ">",
    "\"",
    "'",
    "=",
    "<script>",
    "</script>",
    "<img src=x onerror=alert(1)>",
    "<!--",
    "-->",
    "<b onclick=x>",
    "javascript:alert(1)",
    "java\tscript:x",
    "data:text/html,<script>",
    "https://a.example/",
    "https://",
    "HTTP://B",
    "mailto:a@b.c",
    "[1]: https://a.example '",
    "![a](/files/01900000-0000-7000-8000-000000000001/4000x3000/a.png)",
    "/files/01900000-0000-7000-8000-000000000001/20x10/a.png",
    "[b](/files/01900000-0000-7000-8000-000000000001/b.pdf)",
    "[1]",
    "@ada",
    "#tea",
    "\u{202e}\u{0}",
];

fn nasty() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(NASTY.as_slice()).prop_map(str::to_owned);
    let any = prop_oneof![8 => pieces, 1 => ".{0,4}"];
    prop::collection::vec(any, 0..60).prop_map(|pieces| pieces.concat())
}

fn rendered(body: &str) -> String {
    let people = ["ada".to_owned()];
    html(body, Audience { people: &people, me: Some("ada") }, body.len().is_multiple_of(2))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn whatever_is_written_the_page_stays_whole(body in nasty()) {
        examined(&rendered(&body));
        excerpt(&body, 120);
    }

    #[test]
    fn text_without_markup_is_shown_as_it_was_written(body in r#"\p{L}[\p{L}\p{N} ,;!?'"()]{0,30}[\p{L}.](\n\p{L}[\p{L} ,.]{0,9}\p{L}){0,3}"#) {
        prop_assert_eq!(as_written(&body, body.len().is_multiple_of(2)), rendered(&body));
        prop_assert_eq!(one_line(&body, 20), excerpt(&body, 20));
    }

    #[test]
    fn until_it_is_read_a_text_puts_nothing_on_the_page(body in nasty()) {
        examined(&as_written(&body, false));
    }

    #[test]
    fn who_is_counted_is_who_is_shown(body in nasty()) {
        let shown = rendered(&body).contains("<span class=\"mention own\">");
        prop_assert_eq!(calls(&body, "ada"), shown, "{}", body);
    }

    #[test]
    fn what_is_opened_is_closed(body in nasty()) {
        let mut open = vec![];
        read(&body, &mut |piece| match piece {
            Piece::Open(element) => open.push(element.clone()),
            Piece::Close(element) => assert_eq!(open.pop().as_ref(), Some(element)),
            _ => {}
        });
        prop_assert!(open.is_empty());
    }

    #[test]
    fn no_word_is_lost(pieces in prop::collection::vec((0..9_usize, 0..12_usize), 0..40)) {
        let marks = ["*", "_", "**", " ", "\n", "~", "https://a.example/", "<", "> "];
        let mut body = String::new();
        for (n, (mark, times)) in pieces.iter().enumerate() {
            body.push_str(marks[*mark]);
            if *times > 3 {
                body.push_str(&format!("word{n}x"));
            }
        }
        let text = examined(&rendered(&body));
        for (n, (_, times)) in pieces.iter().enumerate() {
            prop_assert_eq!(text.matches(&format!("word{n}x")).count(), usize::from(*times > 3), "{} of {}", n, body);
        }
    }
}

#[test]
fn nothing_that_fits_into_a_message_takes_long() {
    let lines = |line: &str| line.repeat(MAX_BODY_BYTES / line.len());
    let mut worst = (0, String::new());
    let more = [
        "> ",
        "- ",
        "1. ",
        "*a ",
        "**a*",
        "_a __b ",
        "[",
        "![",
        "[a](",
        "[a]",
        "](",
        "<",
        "<a ",
        "<!--",
        "&",
        "&amp;",
        "\\",
        "`",
        "`a``",
        "~~a~",
        "|",
        "|-",
        "a\n",
        "\n|",
        "- a\n",
        " - a\n",
        "> - ",
        "https://",
        "https://a.example/_",
        "@",
        "@a",
        "@ada ",
        "#",
        "#a",
        "http",
        "(",
        "*",
        "_",
        "***a",
        "[a]: b\n",
        "<?",
        "<![CDATA[",
        "\"",
        "\t",
        "x",
        "👍",
        "[a](<",
        "!",
        "h",
        "(https://a",
    ];
    let tables = format!("{}\n{}{}", "|a".repeat(2_000), "|-".repeat(2_000), "\n|".repeat(4_000));
    let references = format!("[a]: https://a.example/{}\n\n{}", "x".repeat(8_000), "[a]".repeat(2_700));
    let steps: String = (0..180).map(|n| format!("{}- a\n", " ".repeat(n))).collect();
    let fences: String = (0..180).map(|n| "`".repeat(n) + "a").collect();
    let both: String = "*".repeat(8_000) + "a" + &"*".repeat(8_000);
    let deep = NASTY.map(lines).into_iter().chain(more.map(lines)).chain([tables, references, steps, fences, both]);
    for body in deep {
        let start = Instant::now();
        examined(&rendered(&body));
        mentions(&body);
        let took = start.elapsed().as_millis();
        if took > worst.0 {
            worst = (took, body.chars().take(40).collect());
        }
    }
    // Some ten milliseconds without optimisation on an idle machine.
    assert!(worst.0 < 2_000, "{worst:?}");
    println!("{worst:?}");
}
