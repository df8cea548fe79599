//! What went wrong, in words for people.
//!
//! Without JavaScript an error comes back as a word in the address. Only words
//! from the tables here are shown, so that no link can put text on the page.

use crate::model::RoomName;
#[cfg(not(feature = "hydrate"))]
use crate::model::{DisplayName, MAX_PASSWORD_BYTES, MIN_PASSWORD_CHARS, Username};

/// Says what `code`, one of [`crate::error::ApiError::code`], means for a form in general.
pub fn explain(code: &str) -> &'static str {
    match code {
        "invalid" => "Something in the form does not fit. Please check it and try again.",
        "too_large" => "A message may have 16 KiB at most. Please shorten it.",
        "unauthenticated" => "Please sign in first.",
        "bad_credentials" => "That user name and password do not fit.",
        "forbidden" => "You may not do that here.",
        "not_found" => "There is no such thing here, or it is not for you.",
        "conflict" => "That is there already with another content.",
        "too_many_requests" => "That was a little fast. Please wait a moment and try again.",
        "unavailable" => "The server cannot do this just now. Trying again is safe.",
        "storage_full" => "The server has no room left to store messages. Reading goes on.",
        _ => "Something went wrong on the server. Please try again.",
    }
}

/// Why an account was not made, as far as the names that came back tell.
#[cfg(not(feature = "hydrate"))]
pub fn explain_registration(code: &str, username: &str, display_name: &str) -> String {
    let shown = if display_name.trim().is_empty() { username } else { display_name };
    match code {
        "conflict" => "That user name is taken. Please choose another.".into(),
        "forbidden" => "This link for the first administrator is not valid any more.".into(),
        "invalid" => match (Username::parse(username), DisplayName::parse(shown)) {
            (Err(rule), _) | (_, Err(rule)) => sentence(rule.0),
            _ => format!(
                "A password has at least {MIN_PASSWORD_CHARS} characters and at most {MAX_PASSWORD_BYTES} bytes."
            ),
        },
        _ => explain(code).into(),
    }
}

/// Why a room was not made, as far as the name that came back tells.
pub fn explain_new_room(code: &str, name: &str) -> String {
    match (code, RoomName::parse(name)) {
        ("conflict", Ok(name)) => format!("There is a room #{} already. Please choose another name.", name.slug()),
        ("conflict", _) => "There is a room of that name already. Please choose another.".into(),
        ("invalid", Err(rule)) => sentence(rule.0),
        _ => explain(code).into(),
    }
}

/// With a capital letter and a full stop.
pub fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    let end = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_registration_names_the_rule_that_was_broken() {
        assert!(explain_registration("invalid", "-", "").starts_with("A user name has"));
        assert!(explain_registration("invalid", "ada", "").starts_with("A password has"));
        assert!(explain_registration("conflict", "ada", "").contains("taken"));
        assert!(explain_registration("invalid", "ada", "System").contains("reserved"));
    }

    #[test]
    fn a_made_up_word_in_the_address_puts_no_text_of_its_own_on_the_page() {
        assert!(!explain("<b>win a prize</b>").contains("prize"));
    }
}
