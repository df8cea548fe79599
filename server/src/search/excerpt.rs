//! What is shown of a message that was found: the text around the first thing
//! that was looked for, with everything marked that was.

use super::{
    Phrase,
    terms::{Kind, Term, terms},
};
use app::model::Piece;
use std::ops::Range;

/// Characters that are shown.
const SHOWN: usize = 320;
/// Characters before the first thing that was found.
const BEFORE: usize = 80;

/// The pieces of a text that are shown; together they are the text, or a stretch of it with an ellipsis where it is cut.
pub fn excerpt(text: &str, phrases: &[Phrase]) -> Vec<Piece> {
    let found = found(text, phrases);
    let first = found.first().map_or(0, |at| at.start);
    let start = match text[..first].char_indices().rev().nth(BEFORE) {
        // Between words, if there is a gap soon.
        Some((cut, _)) => {
            let soon = text[cut..first].char_indices().take(BEFORE / 4).find(|(_, c)| c.is_whitespace());
            soon.map_or(cut, |(gap, space)| cut + gap + space.len_utf8())
        }
        None => 0,
    };
    let end = text[start..].char_indices().nth(SHOWN).map_or(text.len(), |(at, _)| start + at);

    let mut pieces = Pieces(Vec::new());
    if start > 0 {
        pieces.add("…", false);
    }
    let mut shown = start;
    for at in found {
        if at.start >= end {
            break;
        }
        let upto = at.end.min(end);
        pieces.add(&text[shown..at.start], false);
        pieces.add(&text[at.start..upto], true);
        shown = upto;
    }
    pieces.add(&text[shown..end], false);
    if end < text.len() {
        pieces.add("…", false);
    }
    pieces.0
}

struct Pieces(Vec<Piece>);

impl Pieces {
    fn add(&mut self, text: &str, found: bool) {
        match self.0.last_mut() {
            _ if text.is_empty() => {}
            Some(last) if last.found == found => last.text.push_str(text),
            _ => self.0.push(Piece { text: text.to_owned(), found }),
        }
    }
}

/// Where the phrases stand in a text, in order and apart.
fn found(text: &str, phrases: &[Phrase]) -> Vec<Range<usize>> {
    let terms = terms(text);
    let mut found: Vec<Range<usize>> = Vec::new();
    for phrase in phrases {
        found.extend(terms.windows(phrase.terms.len()).filter_map(|window| place(text, window, phrase)));
    }
    found.sort_unstable_by_key(|at| (at.start, at.end));
    let mut apart: Vec<Range<usize>> = Vec::with_capacity(found.len());
    for at in found {
        match apart.last_mut() {
            Some(last) if at.start <= last.end => last.end = last.end.max(at.end),
            _ => apart.push(at),
        }
    }
    apart
}

/// Where the phrase stands, if these terms are it.
fn place(text: &str, window: &[Term], phrase: &Phrase) -> Option<Range<usize>> {
    let (last, first) = window.split_last()?;
    let (wanted_last, wanted) = phrase.terms.split_last()?;
    let begins = phrase.prefix && last.text.starts_with(wanted_last.as_str());
    if !(begins || last.text == *wanted_last) || first.iter().zip(wanted).any(|(term, wanted)| term.text != *wanted) {
        return None;
    }
    let start = window[0].at.start;
    // Of a pair that only begins with it, its first character.
    let end = match last.kind {
        Kind::Pair if last.text != *wanted_last => {
            last.at.start + text[last.at.clone()].chars().next().map_or(0, char::len_utf8)
        }
        _ => last.at.end,
    };
    Some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::Query;
    use proptest::prelude::*;

    fn marked(text: &str, query: &str) -> String {
        let phrases = Query::parse(query).expect("a search").phrases;
        let pieces = excerpt(text, &phrases);
        pieces.into_iter().map(|p| if p.found { format!("[{}]", p.text) } else { p.text }).collect()
    }

    #[test]
    fn what_was_found_is_marked_as_it_is_written() {
        for (text, query, expected) in [
            ("Green Tea, green teapot", "tea", "Green [Tea], green [teapot]"),
            ("Green Tea, green teapot", "green \"tea\"", "[Green] [Tea], [green] teapot"),
            ("Köln is not koeln", "koln", "[Köln] is not koeln"),
            ("green tea and tea, green", "\"green tea\"", "[green tea] and tea, green"),
            ("東京都に住む", "京都", "東[京都]に住む"),
            ("東京都に住む", "京", "東[京]都に住む"),
            ("東京都", "都", "東京[都]"),
            ("nothing here", "tea", "nothing here"),
            ("<b>tea</b>", "tea", "<b>[tea]</b>"),
        ] {
            assert_eq!(marked(text, query), expected, "{query} in {text}");
        }
    }

    #[test]
    fn of_a_long_text_the_part_around_the_first_is_shown() {
        let text = format!("{}tea {}", "before ".repeat(100), "after ".repeat(100));
        let shown = marked(&text, "tea");
        assert!(shown.starts_with("…before ") && shown.ends_with('…') && shown.contains(" [tea] after "), "{shown}");
        assert!(shown.chars().count() <= SHOWN + 4, "{}", shown.chars().count());
        let glued = "字".repeat(400) + "🎉";
        assert!(marked(&glued, "🎉").ends_with("字[🎉]"));
    }

    proptest! {
        #[test]
        fn an_excerpt_is_a_stretch_of_the_text(text in "(?s)(.|tea|京都| ){0,300}", query in "(tea|京|a|\"tea a\"){1,3}") {
            let phrases = Query::parse(&query).expect("a search").phrases;
            let shown: String = excerpt(&text, &phrases).into_iter().map(|p| p.text).collect();
            let inner = shown.strip_prefix('…').filter(|_| !text.starts_with('…')).unwrap_or(&shown);
            let inner = inner.strip_suffix('…').filter(|_| !text.ends_with('…')).unwrap_or(inner);
            prop_assert!(text.contains(inner), "{shown}");
        }
    }
}
