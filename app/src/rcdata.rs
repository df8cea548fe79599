//! Text for `<title>` and `<textarea>`, whose content Leptos does not escape.
//!
//! Both hold what HTML calls RCDATA: no elements, but character references, and an end tag ends them. On the server
//! leptos_meta writes a title as it is, and tachys the children of a text area, so that a room's name or a draft could
//! close the element and put elements of its own on the page. In the browser both are set through the DOM, where
//! nothing is parsed and nothing may be escaped.

/// `text` as it has to stand between the tags.
pub fn rcdata(text: &str) -> String {
    if cfg!(feature = "ssr") { escape(text) } else { text.to_owned() }
}

/// The same for a text area, where HTML drops a line end right after the tag.
pub fn textarea(text: &str) -> String {
    if cfg!(feature = "ssr") { in_textarea(text) } else { text.to_owned() }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

fn in_textarea(text: &str) -> String {
    let line_end = if text.starts_with(['\n', '\r']) { "\n" } else { "" };
    format!("{line_end}{}", escape(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_end_the_element_that_holds_it() {
        assert_eq!(escape("</title><b>&lt;</TEXTAREA >"), "&lt;/title>&lt;b>&amp;lt;&lt;/TEXTAREA >");
    }

    #[test]
    fn a_line_end_at_the_beginning_survives_the_one_that_html_drops() {
        assert_eq!(in_textarea("\n\na"), "\n\n\na");
        assert_eq!(in_textarea("a\n"), "a\n");
        assert_eq!(in_textarea(""), "");
    }
}
