//! What went wrong, in words for people.
//!
//! Without JavaScript an error comes back as a word in the address. Only words
//! from the tables here are shown, so that no link can put text on the page.

use crate::model::RoomName;
#[cfg(not(feature = "hydrate"))]
use crate::model::{DisplayName, MAX_PASSWORD_BYTES, MIN_PASSWORD_CHARS, Username};

/// How many messages answer one.
pub fn replies(count: u32) -> String {
    match count {
        0 => "No replies yet".into(),
        1 => "1 reply".into(),
        n => format!("{n} replies"),
    }
}

/// Says what `code`, one of [`crate::error::ApiError::code`], means for a form in general.
pub fn explain(code: &str) -> &'static str {
    match code {
        "invalid" => "Something in the form does not fit. Please check it and try again.",
        "too_large" => "A message may have 16 KiB at most. Please shorten it.",
        "file_too_large" => "A file may have 10 MiB at most. Please choose a smaller one.",
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

/// What an administrator did to somebody (`…`), in the words of the log. `None`: a later version knows.
#[cfg(not(feature = "hydrate"))]
pub fn act(action: &str) -> Option<&'static str> {
    Some(match action {
        "suspend" => "suspended …",
        "reinstate" => "reinstated …",
        "make_admin" => "made … an administrator",
        "unmake_admin" => "made … an administrator no longer",
        "end_sessions" => "ended the sessions of …",
        "set_password" => "gave … another password",
        _ => return None,
    })
}

/// What one just did to `of`, if that is the name of somebody.
#[cfg(not(feature = "hydrate"))]
pub fn done(action: &str, of: &str) -> String {
    match (act(action), Username::parse(of)) {
        (Some(words), Ok(name)) => format!("You {}.", words.replace('…', &format!("@{}", name.as_str()))),
        _ => String::new(),
    }
}

/// Why somebody could not be administered.
#[cfg(not(feature = "hydrate"))]
pub fn explain_act(code: &str, action: &str) -> &'static str {
    match (code, action) {
        ("conflict", "make_admin") => "A guest cannot be an administrator: they have to register first.",
        ("conflict", "suspend") => "Nobody suspends themselves, and somebody has to run this installation.",
        ("conflict", _) => "Somebody has to run this installation: make another administrator first.",
        ("not_found", _) => "There is no such person.",
        _ => explain(code),
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

/// How long a file is, for people.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{} kB", bytes / 1_000),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10),
    }
}

/// Why a form of a room's settings was refused.
#[cfg(not(feature = "hydrate"))]
pub fn explain_settings(form: &str, code: &str) -> &'static str {
    match (form, code) {
        ("change", "invalid") => {
            "A name has 1 to 80 characters, a letter or digit among them, and a topic 250 at most; all of them visible."
        }
        ("keep", "invalid") => "Messages are kept for 1 to 3650 days, or for ever.",
        ("change" | "archive", "conflict") => "#welcome is for everyone: it stays public and in use.",
        ("role" | "leave", "conflict") => "A room with members needs an owner: make somebody else one first.",
        ("role", "forbidden") => "Owners say who runs the room, and guests cannot.",
        ("add", "not_found" | "invalid") => "Nobody here has that user name.",
        ("add", "forbidden") => "They were removed from this room, or adding people is for those who run it.",
        ("add" | "invite", "conflict") => "This room is archived, or has a hundred invite links: take one back first.",
        ("remove", "forbidden") => "Only an owner removes those who run this room.",
        ("invite", "invalid") => "A link is for 1 to 10,000 people, or for any number.",
        ("revoke", "not_found") => "That link was no longer good.",
        _ => explain(code),
    }
}

/// What a form of a room's settings has done.
#[cfg(not(feature = "hydrate"))]
pub fn settings_done(form: &str) -> &'static str {
    match form {
        "change" => "Saved.",
        "keep" => "Saved: what is older goes within some minutes.",
        "archive" => "Done: the room's lists show it where it belongs now.",
        "role" => "They have that role now.",
        "add" => "They are in the room now.",
        "remove" => "They are out of the room, and come back only if somebody lets them in.",
        "revoke" => "The link is good no more.",
        _ => "",
    }
}

/// How long a room keeps its messages.
#[cfg(not(feature = "hydrate"))]
pub fn kept_for(days: u32) -> String {
    match days {
        0 => "for ever".into(),
        1 => "for a day".into(),
        days => format!("for {days} days"),
    }
}

/// Why somebody did not come in by a link.
#[cfg(not(feature = "hydrate"))]
pub fn explain_invite(code: &str) -> &'static str {
    match code {
        "forbidden" => "You were removed from this room: this takes an invitation that was made since.",
        "conflict" => "This room is archived: nobody comes in any more.",
        "not_found" => "Somebody was faster: this invitation is used up.",
        code => explain(code),
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
    fn a_size_is_short() {
        assert_eq!([7, 1_999, 10_485_760].map(size), ["7 bytes", "1 kB", "10.4 MB"]);
    }

    #[test]
    fn a_made_up_word_in_the_address_puts_no_text_of_its_own_on_the_page() {
        assert!(!explain("<b>win a prize</b>").contains("prize"));
    }
}
