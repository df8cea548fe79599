//! What somebody looks for, as they have written it.

use super::terms::{Kind, terms};
use app::model::{Invalid, MAX_SEARCH_CHARS, Millis};

/// Terms of a search: each is looked up.
const MAX_TERMS: usize = 32;
/// Letters of a word that stands for all that begin like it: with one, that would be half of everything.
const MIN_PREFIX_CHARS: usize = 2;

/// Terms that follow each other in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phrase {
    /// In order; not empty.
    pub terms: Vec<String>,
    /// The last of them stands for all that begin like it.
    pub prefix: bool,
}

/// A search: a message is found if it has all of this.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// What the text has.
    pub phrases: Vec<Phrase>,
    /// `from:`, a user name as it was written.
    pub from: Option<String>,
    /// `in:`, a room as it was written.
    pub room: Option<String>,
    /// `before:`, the beginning of that day.
    pub sent_before: Option<Millis>,
}

/// What the last words of a search are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Last {
    #[default]
    Nothing,
    /// They mean themselves.
    Closed,
    /// They may be the beginning of longer ones.
    Open,
}

impl Query {
    /// Words, `"phrases"`, `from:name`, `in:room`, `before:2026-11-23`. The last word stands for all that begin like it.
    /// No other sign means anything.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if text.chars().count() > MAX_SEARCH_CHARS {
            return Err(Invalid("a search has 256 characters at most"));
        }
        let mut query = Self::default();
        let mut last = Last::default();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            if let Some(quoted) = rest.strip_prefix('"') {
                // One that is not closed goes to the end.
                let (inside, after) = quoted.split_once('"').unwrap_or((quoted, ""));
                if query.add(inside) != Last::Nothing {
                    last = Last::Closed;
                }
                rest = after.trim_start();
                continue;
            }
            let end = rest.find(|c: char| c.is_whitespace() || c == '"').unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            rest = after.trim_start();
            if !query.operator(word)? {
                match query.add(word) {
                    Last::Nothing => {}
                    other => last = other,
                }
            }
        }
        if let (Last::Open, Some(phrase)) = (last, query.phrases.last_mut()) {
            phrase.prefix = true;
        }
        if query.phrases.iter().map(|phrase| phrase.terms.len()).sum::<usize>() > MAX_TERMS {
            return Err(Invalid("a search has 32 words at most"));
        }
        if query.phrases.is_empty() && query.from.is_none() {
            return Err(Invalid("give a word to search for, or from:somebody"));
        }
        Ok(query)
    }

    /// Whether it is one.
    fn operator(&mut self, word: &str) -> Result<bool, Invalid> {
        let Some((name, value)) = word.split_once(':').filter(|(_, value)| !value.is_empty()) else { return Ok(false) };
        match name.to_ascii_lowercase().as_str() {
            "from" => once(&mut self.from, value.strip_prefix('@').unwrap_or(value).to_owned())?,
            "in" => once(&mut self.room, value.strip_prefix('#').unwrap_or(value).to_owned())?,
            "before" => once(&mut self.sent_before, day(value).ok_or(Invalid("give before: a day like 2026-11-23"))?)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// What stands together in the search stands together in the text.
    fn add(&mut self, text: &str) -> Last {
        let mut found = terms(text);
        let mut prefix = false;
        if let [.., before, last] = &*found
            && (before.kind, last.kind) == (Kind::Pair, Kind::Last)
        {
            // The run may go on in the text.
            found.pop();
        } else {
            // A character alone may begin any pair.
            prefix = found.last().is_some_and(|term| term.kind == Kind::Last);
        }
        let last = match found.last() {
            None => return Last::Nothing,
            Some(last) if last.kind == Kind::Word && last.text.chars().count() >= MIN_PREFIX_CHARS => Last::Open,
            Some(_) => Last::Closed,
        };
        self.phrases.push(Phrase { terms: found.into_iter().map(|term| term.text).collect(), prefix });
        last
    }
}

fn once<T>(field: &mut Option<T>, value: T) -> Result<(), Invalid> {
    match field.replace(value) {
        None => Ok(()),
        Some(_) => Err(Invalid("give from:, in: and before: once each")),
    }
}

/// When a day like `2026-11-23` begins (UTC).
fn day(text: &str) -> Option<Millis> {
    let number = |range: std::ops::Range<usize>| -> Option<i64> {
        let digits = text.get(range)?;
        digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let dashes = text.len() == 10 && text.as_bytes()[4] == b'-' && text.as_bytes()[7] == b'-';
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let longest = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !dashes || !(1..=longest).contains(&day) || year < 1970 {
        return None;
    }
    // Years that begin in March have their leap day last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    Some((days - 719_468) * 86_400_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phrases(text: &str) -> Vec<String> {
        let phrases = Query::parse(text).expect("a search").phrases;
        phrases.into_iter().map(|p| p.terms.join(" ") + if p.prefix { "*" } else { "" }).collect()
    }

    #[test]
    fn the_last_word_stands_for_all_that_begin_like_it() {
        for (text, expected) in [
            ("Green tea", &["green", "tea*"][..]),
            ("tea", &["tea*"]),
            ("t", &["t"]),
            ("tea from:ada", &["tea*"]),
            ("\"green tea\"", &["green tea"]),
            ("tea \"at five\"", &["tea", "at five"]),
            ("tea \"at five", &["tea", "at five"]),
            ("foo-bar don't", &["foo bar", "don t"]),
            ("tea !!!", &["tea*"]),
            ("東", &["東*"]),
            ("東京", &["東京"]),
            ("東京都 犬", &["東京 京都", "犬*"]),
            ("\"東京 大阪\"", &["東京 京 大阪"]),
            ("手机iphone", &["手机 机 iphone*"]),
        ] {
            assert_eq!(phrases(text), expected, "{text}");
        }
    }

    #[test]
    fn signs_of_other_languages_mean_nothing() {
        for text in
            ["tea\" OR 1 --", "tea* OR 1", "NEAR(tea, 2)", "tea & !coffee | (x)", "'; drop table messages", "a\0b"]
        {
            let query = Query::parse(text).expect("a search");
            let terms = query.phrases.iter().flat_map(|p| &p.terms);
            assert!(terms.into_iter().all(|t| t.chars().all(char::is_alphanumeric)), "{text}: {query:?}");
        }
        for nothing in ["", "   ", "\"", "\"\"", "*", "!?", "\0", "in:tea", "before:2026-11-23"] {
            assert!(Query::parse(nothing).is_err(), "{nothing:?}");
        }
    }

    #[test]
    fn operators_are_taken_out_of_the_words() {
        let query =
            Query::parse("tea FROM:@ada in:#garden before:2026-11-23 re:invent https://a.example").expect("fine");
        assert_eq!((query.from.as_deref(), query.room.as_deref()), (Some("ada"), Some("garden")));
        assert_eq!(query.sent_before, Some(1_795_392_000_000));
        assert_eq!(query.phrases.len(), 3);
        assert_eq!(Query::parse("from:ada").expect("fine").phrases, []);
        for bad in ["tea from:a from:b", "tea before:yesterday", "tea before:2026-02-29", "tea before:+026-01-01"] {
            assert!(Query::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        for (text, days) in
            [("1970-01-01", 0), ("2000-02-29", 11_016), ("2026-11-23", 20_780), ("9999-12-31", 2_932_896)]
        {
            assert_eq!(day(text), Some(days * 86_400_000), "{text}");
        }
        for bad in [
            "2026-13-01",
            "2026-00-10",
            "2026-04-31",
            "1969-12-31",
            "2026-1-1",
            "2026/11/23",
            "20261123ab",
            "ä026-11-2",
        ] {
            assert_eq!(day(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_search_has_bounds() {
        assert!(Query::parse(&"x".repeat(10_000)).is_err());
        assert!(Query::parse(&"a ".repeat(100)).is_err());
        assert!(Query::parse(&"字".repeat(MAX_SEARCH_CHARS)).is_err());
        assert!(Query::parse(&"a ".repeat(32)).is_ok());
    }
}
