//! Names: of accounts, of people, of rooms. What two readers could not tell apart is not a name.

use super::{Invalid, MAX_DISPLAY_NAME_CHARS, MAX_ROOM_NAME_CHARS};
use uuid::Uuid;

/// A name to sign in with: 2 to 32 of `a-z`, `0-9`, `-`, `_`, `.`, beginning with a letter or digit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Username(String);

impl Username {
    /// Lower-cases and checks.
    ///
    /// # Errors
    /// [`Invalid`] with the rule.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        const RULE: Invalid = Invalid(
            "a user name has 2 to 32 letters a-z, digits, hyphens, dots or underscores and begins with a letter or digit",
        );
        let text = text.trim().to_ascii_lowercase();
        let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.');
        let first = text.bytes().next().ok_or(RULE)?;
        if !(2..=32).contains(&text.len()) || !text.bytes().all(good) || !first.is_ascii_alphanumeric() {
            return Err(RULE);
        }
        Ok(Self(text))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Display names that would be taken for the program's own, or for who runs it.
const RESERVED: [&str; 4] = ["partyline", "admin", "administrator", "system"];

/// What a person is called by others: 1 to 60 characters on one line, a letter or digit among them, none invisible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisplayName(String);

impl DisplayName {
    /// Folds white space and checks.
    ///
    /// # Errors
    /// [`Invalid`] with the rule.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let name = one_line(text, MAX_DISPLAY_NAME_CHARS)
            .ok_or(Invalid("a display name has 1 to 60 characters, all of them visible"))?;
        let bare: String = name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
        if bare.is_empty() {
            return Err(Invalid("a display name needs a letter or a digit"));
        }
        // Without the rest, so that "[Admin]" is no way around.
        if RESERVED.contains(&bare.as_str()) {
            return Err(Invalid("that display name is reserved"));
        }
        Ok(Self(name))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A room's name and the slug that follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomName {
    name: String,
    slug: String,
}

impl RoomName {
    /// Folds white space, checks, and derives the slug: letters and digits of any script in lower case, the rest as
    /// single hyphens.
    ///
    /// # Errors
    /// [`Invalid`] with the rule.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let name = one_line(text.trim().trim_start_matches('#'), MAX_ROOM_NAME_CHARS)
            .ok_or(Invalid("a room's name has 1 to 80 characters, all of them visible"))?;
        let spaced: String = name.to_lowercase().chars().map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
        let slug = spaced.split_whitespace().collect::<Vec<_>>().join("-");
        if slug.is_empty() {
            return Err(Invalid("a room's name needs a letter or a digit"));
        }
        if slug.parse::<Uuid>().is_ok() {
            return Err(Invalid("a room's name may not look like an id"));
        }
        Ok(Self { name, slug })
    }

    /// The name for people.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name in addresses.
    pub fn slug(&self) -> &str {
        &self.slug
    }
}

fn one_line(text: &str, max_chars: usize) -> Option<String> {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let fits = (1..=max_chars).contains(&text.chars().count());
    (fits && !text.contains(deceives)).then_some(text)
}

/// Shows nothing, or turns the text around it: with such a character a name could look like another one.
///
/// Control characters; what Unicode calls `Default_Ignorable_Code_Point` (zero-width characters, fillers, variation
/// selectors, tags); the controls of writing direction; the marks of annotations; the blank of Braille.
pub(super) fn deceives(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
            | '\u{2800}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}'
            | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_at_the_edge() {
        assert_eq!(Username::parse(" Ada.L ").expect("good").as_str(), "ada.l");
        for bad in ["a", "", "-ab", "a b", "ädä", &"x".repeat(33)] {
            assert!(Username::parse(bad).is_err(), "{bad}");
        }
        let room = RoomName::parse("#Köln &  Bonn!").expect("good");
        assert_eq!((room.name(), room.slug()), ("Köln & Bonn!", "köln-bonn"));
        assert!(RoomName::parse("!!!").is_err());
        for good in ["Ada", "  Ada \n Lovelace ", "李娜", "O'Neil-Šárka", "Noor 🌿", "Zoë", "נועה", "นภา"]
        {
            assert!(DisplayName::parse(good).is_ok(), "{good}");
        }
        assert_eq!(DisplayName::parse("  Ada \n Lovelace ").expect("good").as_str(), "Ada Lovelace");
    }

    #[test]
    fn a_name_holds_nothing_that_cannot_be_seen_or_that_turns_the_text_around_it() {
        let controls =
            "\u{61C}\u{200E}\u{200F}\u{202A}\u{202B}\u{202C}\u{202D}\u{202E}\u{2066}\u{2067}\u{2068}\u{2069}";
        let unseen =
            "\u{200B}\u{200C}\u{200D}\u{2060}\u{2064}\u{FEFF}\u{AD}\u{180E}\u{E0000}\u{E007F}\u{FE0F}\u{E0100}";
        let blanks = "\u{34F}\u{115F}\u{3164}\u{FFA0}\u{2800}\0\u{7}\u{1B}\u{85}";
        // Line ends and other white space inside a name become a space; at its ends they fall away.
        for c in controls.chars().chain(unseen.chars()).chain(blanks.chars()).filter(|c| !c.is_whitespace()) {
            for text in [format!("Ad{c}a"), format!("{c}Ada"), format!("Ada{c}"), c.to_string()] {
                assert!(DisplayName::parse(&text).is_err(), "{text:?}");
                assert!(RoomName::parse(&text).is_err(), "{text:?}");
            }
        }
    }

    #[test]
    fn a_display_name_needs_something_to_read() {
        for bad in ["", " ", ".", "---", "🌿", "\u{301}", "「」"] {
            assert!(DisplayName::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn nobody_is_called_as_the_program_or_who_runs_it() {
        for bad in ["Partyline", "ADMIN", " administrator ", "System", "[Admin]", "ad.min", "S y s t e m"] {
            assert_eq!(DisplayName::parse(bad), Err(Invalid("that display name is reserved")), "{bad}");
        }
        assert!(DisplayName::parse("Systema").is_ok() && DisplayName::parse("Admiral").is_ok());
    }
}
