//! The terms of a text: what is kept of a message to find it by, and what is
//! looked up.
//!
//! A word is a term, in lower case and without diacritics. Scripts that do not
//! part words (Chinese, Japanese, Thai), and Korean, whose words carry endings,
//! are cut into pairs of neighbouring characters instead; the last character of
//! such a run stands alone. So each place of the text has one term, and what
//! stands together in a text stands together in its terms.

use std::ops::Range;
use unicode_normalization::char::{decompose_compatible, is_combining_mark};

/// Terms of a text: what comes after these is not found. More than a message of 16 KiB has in a language with words.
pub const MAX_TERMS: usize = 3_000;
/// Characters of a word: of a longer one the beginning counts.
const MAX_WORD_CHARS: usize = 64;

/// What a place of a text is found by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// As it is compared. Letters, digits and the like: nothing that means anything to a database.
    pub text: String,
    /// Where it stands in the text, in bytes.
    pub at: Range<usize>,
    /// Which kind of term.
    pub kind: Kind,
}

/// Kinds of terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A word, or an emoji.
    Word,
    /// Two neighbouring characters of a run.
    Pair,
    /// The last character of a run.
    Last,
}

/// What a character is to a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// Part of a word.
    Word,
    /// Part of a run without words.
    Run,
    /// A word of its own.
    Symbol,
    /// As if it were not there.
    Nothing,
    /// Between words.
    Gap,
}

fn class(c: char) -> Class {
    match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' => Class::Word,
        '\0'..='\u{7f}' => Class::Gap,
        // Soft hyphens, joiners, marks of direction, variants, skin tones.
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}' => {
            Class::Nothing
        }
        '\u{fe00}'..='\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0100}'..='\u{e01ef}' => Class::Nothing,
        // Thai, Lao, Myanmar, Khmer; Hangul; Kana; Han.
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' => run_or_gap(c),
        '\u{1100}'..='\u{11ff}' | '\u{3130}'..='\u{318f}' | '\u{ac00}'..='\u{d7ff}' => run_or_gap(c),
        '\u{3005}'..='\u{3007}' | '\u{3040}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}' | '\u{ff66}'..='\u{ff9f}' => {
            run_or_gap(c)
        }
        '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}' => run_or_gap(c),
        // Accents and vowel points may be left out by whoever searches; the vowel signs of India may not.
        _ if is_combining_mark(c) => {
            if matches!(c, '\u{900}'..='\u{1aaf}' | '\u{1b00}'..='\u{1dbf}' | '\u{a800}'..='\u{abff}') {
                Class::Word
            } else {
                Class::Nothing
            }
        }
        _ if c.is_alphanumeric() => Class::Word,
        '\u{2300}'..='\u{24ff}' | '\u{25a0}'..='\u{27bf}' | '\u{2b00}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}' => {
            Class::Symbol
        }
        _ => Class::Gap,
    }
}

fn run_or_gap(c: char) -> Class {
    if c.is_alphanumeric() || is_combining_mark(c) { Class::Run } else { Class::Gap }
}

/// The terms of a text, in order: [`MAX_TERMS`] at most.
pub fn terms(text: &str) -> Vec<Term> {
    let mut cut = Cut::default();
    for (at, c) in text.char_indices() {
        if cut.terms.len() >= MAX_TERMS {
            break;
        }
        let end = at + c.len_utf8();
        match class(c) {
            Class::Word => {
                cut.end_run();
                cut.add_to_word(c, at..end);
            }
            Class::Run => {
                cut.end_word();
                cut.add_to_run(c, at..end);
            }
            Class::Symbol => {
                cut.end();
                cut.terms.push(Term { text: c.into(), at: at..end, kind: Kind::Word });
            }
            Class::Nothing => {}
            Class::Gap => cut.end(),
        }
    }
    cut.end();
    cut.terms.truncate(MAX_TERMS);
    cut.terms
}

/// The terms of a text as the stores keep them: in order, with a space between.
pub fn line(text: &str) -> String {
    let terms = terms(text);
    let mut line = String::with_capacity(terms.iter().map(|term| term.text.len() + 1).sum());
    for term in terms {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&term.text);
    }
    line
}

/// A text that is being cut into terms.
#[derive(Default)]
struct Cut {
    terms: Vec<Term>,
    word: String,
    /// How many characters the word has, and where it stands.
    chars: usize,
    at: Range<usize>,
    /// The run's last character so far.
    last: Option<(char, Range<usize>)>,
}

impl Cut {
    fn add_to_word(&mut self, c: char, at: Range<usize>) {
        if self.chars == 0 {
            self.at = at.clone();
        }
        self.at.end = at.end;
        let (word, chars) = (&mut self.word, &mut self.chars);
        let mut add = |c: char| {
            if *chars < MAX_WORD_CHARS && class(c) == Class::Word {
                word.push(c);
                *chars += 1;
            }
        };
        if c.is_ascii() {
            return add(c.to_ascii_lowercase());
        }
        decompose_compatible(c, |part| {
            for c in part.to_lowercase() {
                match c {
                    'ß' => ['s', 's'].into_iter().for_each(&mut add),
                    'æ' => ['a', 'e'].into_iter().for_each(&mut add),
                    'œ' => ['o', 'e'].into_iter().for_each(&mut add),
                    'ø' => add('o'),
                    'đ' | 'ð' => add('d'),
                    'ł' => add('l'),
                    'ı' => add('i'),
                    'ς' => add('σ'),
                    other => add(other),
                }
            }
        });
    }

    fn add_to_run(&mut self, c: char, at: Range<usize>) {
        // Kana of half the width are written in two widths and meant as one. Hangul must not be taken apart.
        let mut whole = c;
        if matches!(c, '\u{ff66}'..='\u{ff9f}' | '\u{f900}'..='\u{faff}') {
            decompose_compatible(c, |part| whole = part);
        }
        if let Some((before, was)) = self.last.replace((whole, at.clone())) {
            let text = [before, whole].iter().collect();
            self.terms.push(Term { text, at: was.start..at.end, kind: Kind::Pair });
        }
    }

    fn end_word(&mut self) {
        if self.chars > 0 {
            self.terms.push(Term { text: std::mem::take(&mut self.word), at: self.at.clone(), kind: Kind::Word });
            self.chars = 0;
        }
    }

    fn end_run(&mut self) {
        if let Some((last, at)) = self.last.take() {
            self.terms.push(Term { text: last.into(), at, kind: Kind::Last });
        }
    }

    fn end(&mut self) {
        self.end_word();
        self.end_run();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_are_in_lower_case_and_without_diacritics() {
        for (text, terms) in [
            ("Tea, at FIVE o'clock?", "tea at five o clock"),
            ("Köln KÖLN Ko\u{308}ln", "koln koln koln"),
            ("Straße, smørrebrød, Łódź, Ærø", "strasse smorrebrod lodz aero"),
            ("İstanbul ΣΊΣΥΦΟΣ σίσυφος Ёлка", "istanbul σισυφοσ σισυφοσ елка"),
            ("ｆｕｌｌ １２３ ﬁne", "full 123 fine"),
            ("snake_case foo-bar.rs v2", "snake case foo bar rs v2"),
            ("नमस्ते مُحَمَّد שָׁלוֹם", "नमस्ते محمد שלום"),
            ("zero\u{200b}width soft\u{ad}hyphen", "zerowidth softhyphen"),
            ("", ""),
            ("!?… -- ''", ""),
        ] {
            assert_eq!(line(text), terms, "{text}");
        }
    }

    #[test]
    fn scripts_without_words_are_cut_into_pairs() {
        for (text, terms) in [
            ("東京都", "東京 京都 都"),
            ("東京、大阪。", "東京 京 大阪 阪"),
            ("犬", "犬"),
            ("カラオケ ｶﾗｵｹ", "カラ ラオ オケ ケ カラ ラオ オケ ケ"),
            ("안녕하세요", "안녕 녕하 하세 세요 요"),
            ("สวัสดี", "สว วั ัส สด ดี ี"),
            ("iPhone手机 15", "iphone 手机 机 15"),
        ] {
            assert_eq!(line(text), terms, "{text}");
        }
    }

    #[test]
    fn an_emoji_is_a_word_whatever_its_skin() {
        assert_eq!(line("Tea🎉👍🏽 ❤️"), "tea 🎉 👍 ❤");
    }

    #[test]
    fn a_term_says_where_it_stands() {
        let text = "Zoë: 東京";
        let found: Vec<&str> = terms(text).into_iter().map(|term| &text[term.at]).collect();
        assert_eq!(found, ["Zoë", "東京", "京"]);
    }

    #[test]
    fn neither_terms_nor_words_grow_without_bound() {
        assert_eq!(terms(&"a ".repeat(8_192)).len(), MAX_TERMS);
        assert_eq!(line(&"x".repeat(16_384)), "x".repeat(MAX_WORD_CHARS));
        assert_eq!(terms(&"字".repeat(5_461)).len(), MAX_TERMS);
        assert!(line(&"\u{fdfa}".repeat(5_461)).len() <= 256);
    }

    proptest! {
        #[test]
        fn a_term_holds_nothing_that_a_database_could_take_for_something_else(text in "(?s).{0,200}") {
            for term in terms(&text) {
                prop_assert!(!term.text.is_empty() && term.text.chars().count() <= MAX_WORD_CHARS);
                prop_assert!(term.text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || !c.is_ascii()));
                prop_assert!(!term.text.contains(char::is_whitespace));
                prop_assert!(text.get(term.at).is_some());
            }
        }

        #[test]
        fn what_is_a_term_stays_one(text in "\\PC{0,60}") {
            let once = line(&text);
            let of_words = terms(&text).iter().all(|term| term.kind == Kind::Word);
            prop_assert!(!of_words || line(&once) == once, "{once}");
        }
    }
}
