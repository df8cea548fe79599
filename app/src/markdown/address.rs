//! Web addresses that stand in a text as they are.

use crate::model::FileAddress;

/// Where the first one begins and how long it is, if there is one. `before`: the character before the text.
pub fn find(text: &str, before: Option<char>) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = text[from..].find("http").map(|at| from + at) {
        let glued = text[..at].chars().next_back().or(before).is_some_and(char::is_alphanumeric);
        if !glued && scheme(&text[at..]).is_some() {
            return Some(at);
        }
        from = at + "http".len();
    }
    None
}

/// The address that a text begins with.
pub fn at_start(text: &str) -> Option<&str> {
    let ends =
        |c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '"' | '`' | '[' | ']' | '\\' | '|');
    let address = trimmed(&text[..text.find(ends).unwrap_or(text.len())]);
    let host = &address[scheme(address)?.len()..];
    host.starts_with(char::is_alphanumeric).then_some(address)
}

fn scheme(text: &str) -> Option<&'static str> {
    ["https://", "http://"].into_iter().find(|scheme| text.starts_with(scheme))
}

/// Without the punctuation that ends the sentence, or the emphasis, rather than the address.
fn trimmed(address: &str) -> &str {
    let address = address.trim_end_matches(['.', ',', ';', ':', '!', '?', '\'', '*', '_', '~']);
    match address.strip_suffix(')') {
        Some(inner) if inner.matches('(').count() <= inner.matches(')').count() => trimmed(inner),
        _ => address,
    }
}

/// May be followed: nothing but `http`, `https`, `mailto` and the files of this site leads out of a message.
pub fn is_safe(address: &str) -> bool {
    if address.starts_with('/') {
        return address.parse::<FileAddress>().is_ok();
    }
    let begins = |scheme: &str| address.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    ["https://", "http://", "mailto:"].into_iter().any(begins) && !address.contains(|c: char| c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_ends_where_the_sentence_goes_on() {
        for (text, address) in [
            ("https://a.example/x_(y), or", "https://a.example/x_(y)"),
            ("http://b.example).", "http://b.example"),
            ("https://a.example/(((a)(b)))) c", "https://a.example/(((a)(b)))"),
            ("https://a.example/__init__.py", "https://a.example/__init__.py"),
            ("https://a.example**", "https://a.example"),
            ("https://ä.example/ö<b>", "https://ä.example/ö"),
        ] {
            assert_eq!(at_start(text), Some(address), "{text}");
        }
        for none in ["https://", "http:// a", "https://.", "ftp://a.example", "https:///etc"] {
            assert_eq!(at_start(none), None, "{none}");
        }
    }

    #[test]
    fn an_address_begins_a_word() {
        assert_eq!(find("see (https://a.example", None), Some(5));
        assert_eq!(find("xhttp://a.example http https://b.example", None), Some(23));
        assert_eq!(find("http://a.example", Some('x')), None);
        assert_eq!(find("nothing", None), None);
    }

    #[test]
    fn only_three_schemes_are_safe() {
        for safe in ["https://a", "HTTP://a", "mailto:a@b.c"] {
            assert!(is_safe(safe), "{safe}");
        }
        for bad in [
            "javascript:alert(1)",
            "JAVA\nscript:x",
            "data:text/html,x",
            "//a",
            "/a",
            "a",
            "",
            " https://a",
            "ä",
            "https://a\u{1}",
        ] {
            assert!(!is_safe(bad), "{bad}");
        }
    }
}
