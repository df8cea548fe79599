//! What a reaction may be.

use super::{Invalid, MAX_EMOJI_BYTES};

/// One emoji, at most 64 bytes of it: a symbol, a keycap, a flag, or several joined into one picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emoji(String);

impl Emoji {
    /// Checks. The form is that of Unicode's emoji sequences (UTS #51, 1.4.9): whatever has it shows something, and
    /// shows one thing; whether a system has a picture for it is another matter.
    ///
    /// # Errors
    /// [`Invalid`] with the rule.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let fits = (1..=MAX_EMOJI_BYTES).contains(&text.len());
        if !fits || !is_one_emoji(text) {
            return Err(Invalid("a reaction is one emoji"));
        }
        Ok(Self(text.to_owned()))
    }

    /// The emoji.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

const JOINER: char = '\u{200D}';

fn is_one_emoji(text: &str) -> bool {
    // Between joiners stands a whole emoji each: no joiner first, last or twice.
    text.split(JOINER).all(|element| is_element(element).is_some())
}

/// `Some` if the whole text is one element of a sequence.
fn is_element(text: &str) -> Option<()> {
    let mut rest = text.chars();
    match rest.next()? {
        '0'..='9' | '#' | '*' => {
            rest = after(rest, is_style);
            (rest.next()? == '\u{20E3}').then_some(())?;
        }
        first if is_regional(first) => is_regional(rest.next()?).then_some(())?,
        first => {
            is_symbol(first).then_some(())?;
            rest = after(rest, is_style);
            rest = after(rest, is_skin_tone);
            // The flags of England, Scotland and Wales spell the region in tags.
            let tags = rest.as_str().trim_start_matches(|c| matches!(c, '\u{E0020}'..='\u{E007E}'));
            if tags.len() < rest.as_str().len() {
                return (tags == "\u{E007F}").then_some(());
            }
        }
    }
    rest.next().is_none().then_some(())
}

/// What is left behind an optional character.
fn after(rest: std::str::Chars<'_>, optional: fn(char) -> bool) -> std::str::Chars<'_> {
    let mut skipped = rest.clone();
    if skipped.next().is_some_and(optional) { skipped } else { rest }
}

/// As text, or as a picture.
fn is_style(c: char) -> bool {
    matches!(c, '\u{FE0E}' | '\u{FE0F}')
}

fn is_skin_tone(c: char) -> bool {
    matches!(c, '\u{1F3FB}'..='\u{1F3FF}')
}

/// Two of these make a flag.
fn is_regional(c: char) -> bool {
    matches!(c, '\u{1F1E6}'..='\u{1F1FF}')
}

/// Where Unicode has its emoji (`emoji-data.txt`, with the places that it keeps for later ones). Not all that is called
/// a symbol: among those are letters in circles and squares, which would spell words.
fn is_symbol(c: char) -> bool {
    matches!(c,
        '©' | '®' | '‼' | '⁉' | '™' | 'ℹ' | '\u{2194}'..='\u{2199}' | '\u{21A9}'..='\u{21AA}'
        | '\u{231A}'..='\u{231B}' | '\u{2328}' | '\u{23CF}' | '\u{23E9}'..='\u{23F3}' | '\u{23F8}'..='\u{23FA}'
        | 'Ⓜ' | '\u{25AA}'..='\u{25AB}' | '▶' | '◀' | '\u{25FB}'..='\u{25FE}' | '\u{2600}'..='\u{2767}'
        | '\u{2794}'..='\u{27BF}' | '\u{2934}'..='\u{2935}' | '\u{2B05}'..='\u{2B07}' | '\u{2B1B}'..='\u{2B1C}'
        | '⭐' | '⭕' | '\u{3030}' | '\u{303D}' | '㊗' | '㊙' | '\u{1F004}' | '\u{1F0CF}' | '\u{1F170}'..='\u{1F171}'
        | '\u{1F17E}'..='\u{1F17F}' | '\u{1F18E}' | '\u{1F191}'..='\u{1F19A}' | '\u{1F201}'..='\u{1F202}'
        | '\u{1F21A}' | '\u{1F22F}' | '\u{1F232}'..='\u{1F23A}' | '\u{1F250}'..='\u{1F251}'
        | '\u{1F300}'..='\u{1F64F}' | '\u{1F680}'..='\u{1F6FF}' | '\u{1F7E0}'..='\u{1F7F0}'
        | '\u{1F90C}'..='\u{1F9FF}' | '\u{1FA70}'..='\u{1FAFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_emoji_is_one() {
        let pictures = "👍 ❤️ ❤ 😄 🎉 👀 ✅ ☕ ✔️ ℹ️ Ⓜ️ 🅰️ ㊙️ ™️ ⏰ ▶️ ⭐ 🫠 🪿 🏼";
        let sequences = "1️⃣ #⃣ 🇸🇪 👍🏽 👩🏽‍🚀 🏳️‍🌈 🏴‍☠️ ❤️‍🔥 👨‍👩‍👧‍👦 👁️‍🗨️ 🏋🏽‍♀️ 👩🏽‍❤️‍💋‍👨🏻";
        for emoji in pictures.split(' ').chain(sequences.split(' ')) {
            assert!(Emoji::parse(emoji).is_ok(), "{emoji}");
        }
        let scotland = "🏴\u{E0067}\u{E0062}\u{E0073}\u{E0063}\u{E0074}\u{E007F}";
        assert!(Emoji::parse(scotland).is_ok());
    }

    #[test]
    fn letters_marks_and_what_cannot_be_seen_are_none() {
        let long = "👍\u{200D}".repeat(10);
        for bad in [
            "",
            "ok",
            "+1",
            "1",
            "é",
            "да",
            "好",
            "ﷺ",
            "🄰",
            "ⓐ",
            "!",
            "…",
            "«",
            "👍 ",
            "👍👍",
            "👍a",
            "a👍",
            "🇸",
            "\u{FE0F}",
            "\u{200D}",
            "\u{200B}",
            "👍\u{200D}",
            "\u{200D}👍",
            "👍\u{200D}\u{200D}👍",
            "\u{3164}",
            "👍\u{202E}",
            "1\u{FE0F}",
            "👍\u{301}",
            "🏴\u{E0067}",
            "\u{E007F}",
            "\u{2800}",
            "👍\u{FE0F}\u{FE0F}",
            &long,
        ] {
            assert!(Emoji::parse(bad).is_err(), "{bad:?}");
        }
    }
}
