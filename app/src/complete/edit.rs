//! Changes to a text that is being written.

use std::ops::Range;

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// From here on
    pub from: usize,
    /// to here the text is replaced
    pub to: usize,
    /// by this.
    pub text: String,
    /// What is selected then: from, to.
    pub select: (usize, usize),
}

impl Edit {
    /// The text after it, and what is selected.
    #[cfg(test)]
    pub fn applied(&self, text: &str) -> (String, (usize, usize)) {
        (format!("{}{}{}", &text[..self.from], self.text, &text[self.to..]), self.select)
    }
}

/// The place in a text that browsers count in units of UTF-16.
pub fn bytes(text: &str, units: u32) -> usize {
    let mut left = units as usize;
    let taken = text.chars().take_while(|c| {
        let fits = c.len_utf16() <= left;
        left = left.saturating_sub(c.len_utf16());
        fits
    });
    taken.map(char::len_utf8).sum()
}

/// The place as browsers count it.
pub fn units(text: &str, bytes: usize) -> u32 {
    let units = text.char_indices().take_while(|(at, _)| *at < bytes).map(|(_, c)| c.len_utf16()).sum::<usize>();
    u32::try_from(units).unwrap_or(u32::MAX)
}

/// Puts `mark` around what is selected, or takes it away if it is there: `*` leans the letters, `**` makes them bold.
pub fn emphasise(text: &str, selected: Range<usize>, mark: &str) -> Edit {
    // Marks that do not touch a letter are none.
    let inner = text.get(selected.clone()).unwrap_or_default();
    let from = selected.start + (inner.len() - inner.trim_start().len());
    let inner = inner.trim();
    let (from, to) = if inner.is_empty() { (selected.start, selected.start) } else { (from, from + inner.len()) };
    let (before, after) = (&text[..from], &text[to..]);
    let stars =
        (before.len() - before.trim_end_matches('*').len()).min(after.len() - after.trim_start_matches('*').len());
    // One star leans, two are bold, three are both.
    let there = if mark.len() == 1 { stars % 2 == 1 } else { stars >= 2 };
    let width = mark.len();
    if there {
        let from = from - width;
        return Edit { from, to: to + width, text: inner.to_owned(), select: (from, from + inner.len()) };
    }
    Edit { from, to, text: format!("{mark}{inner}{mark}"), select: (from + width, from + width + inner.len()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn emphasis_is_put_around_words_and_taken_away_again() {
        let done = |text: &str, range: Range<usize>, mark: &str| emphasise(text, range, mark).applied(text);
        assert_eq!(done("a bc d", 2..4, "**"), ("a **bc** d".into(), (4, 6)));
        assert_eq!(done("a **bc** d", 4..6, "**"), ("a bc d".into(), (2, 4)));
        assert_eq!(done("a **bc** d", 4..6, "*"), ("a ***bc*** d".into(), (5, 7)));
        assert_eq!(done("***bc***", 3..5, "**"), ("*bc*".into(), (1, 3)));
        assert_eq!(done("***bc***", 3..5, "*"), ("**bc**".into(), (2, 4)));
        assert_eq!(done("*bc*", 1..3, "**"), ("***bc***".into(), (3, 5)));
        assert_eq!(done("a bc d", 1..5, "*"), ("a *bc* d".into(), (3, 5)));
        assert_eq!(done("é", 2..2, "**"), ("é****".into(), (4, 4)));
        assert_eq!(done("é****", 4..4, "**"), ("é".into(), (2, 2)));
        assert_eq!(done("a  b", 1..3, "*"), ("a**  b".into(), (2, 2)));
    }

    proptest! {
        #[test]
        fn a_place_counted_in_utf16_and_back_is_the_same(text in ".{0,20}", at in 0..30_usize) {
            let at = text.floor_char_boundary(at.min(text.len()));
            prop_assert_eq!(bytes(&text, units(&text, at)), at);
        }

        #[test]
        fn any_place_in_utf16_is_one_between_characters(text in ".{0,20}", at in 0..60_u32) {
            prop_assert!(text.is_char_boundary(bytes(&text, at)));
        }

        #[test]
        fn emphasis_twice_is_none(text in "[a-c é\n]{0,12}", from in 0..12_usize, to in 0..12_usize, bold: bool) {
            let (from, to) = (text.floor_char_boundary(from), text.floor_char_boundary(to));
            let mark = if bold { "**" } else { "*" };
            let (once, (start, end)) = emphasise(&text, from.min(to)..from.max(to), mark).applied(&text);
            let (twice, _) = emphasise(&once, start..end, mark).applied(&once);
            prop_assert_eq!(twice, text);
        }
    }
}
