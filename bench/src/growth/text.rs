//! The messages of a long history, each made of its number: so that what is read can be told to be right.

use std::fmt::Write;
use uuid::Uuid;

/// In ten messages of the oldest thousand, and in no other.
pub(super) const RARE: &str = "quokka";
/// How many have it.
pub(super) const RARE_HITS: u64 = 10;

const SYLLABLES: [&str; 16] =
    ["ba", "de", "fi", "go", "hu", "ka", "le", "mi", "no", "pu", "ra", "se", "ti", "vo", "xu", "ze"];
/// With those before it and a space each, about 128 bytes.
const WORDS: usize = 17;

/// The text of message `n`, from 1 on: small letters, digits and spaces alone, so that it is also the line of its terms.
pub(super) fn text(n: u64) -> String {
    let mut text = format!("message {n}");
    if n <= 1_000 && n.is_multiple_of(100) {
        let _ = write!(text, " {RARE}");
    }
    let mut seed = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for _ in 0..WORDS {
        seed ^= seed >> 12;
        seed ^= seed << 25;
        seed ^= seed >> 27;
        let drawn = seed.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 40;
        // Some words are in every other text, some in one of hundreds: the smaller of two draws.
        let word = (drawn & 0xfff).min(drawn >> 12 & 0xfff) as usize;
        let _ = write!(text, " {}{}{}", SYLLABLES[word >> 8], SYLLABLES[word >> 4 & 15], SYLLABLES[word & 15]);
    }
    text.truncate(128);
    text.truncate(text.trim_end().len());
    text
}

/// The id of message `n`: ids rise, as those that browsers make do.
pub(super) fn id(n: u64) -> Uuid {
    let at = 0x0190_0000_0000 + n;
    Uuid::from_u128(u128::from(at) << 80 | 0x7 << 76 | 0x2 << 62 | u128::from(n))
}

/// When message `n` was sent: one a second, the newest before now however many there are.
pub(super) fn sent_at(n: u64, first_at: i64) -> i64 {
    first_at + n.cast_signed() * 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_of_one_size_differ_and_have_the_rare_word_ten_times() {
        let texts: Vec<_> = (1..5_000).map(text).collect();
        assert!(texts.iter().all(|text| (100..=128).contains(&text.len())), "{}", texts[0]);
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == ' ';
        assert!(texts.iter().all(|text| text.chars().all(plain) && !text.contains("  ")));
        assert_eq!(texts.iter().filter(|text| text.contains(RARE)).count() as u64, RARE_HITS);
        assert_eq!(texts.iter().collect::<std::collections::HashSet<_>>().len(), texts.len());
        assert!((1..100).all(|n| id(n) < id(n + 1)));
        assert_eq!(id(1).get_version_num(), 7);
    }
}
