//! What a message's writer may mean: whom, which room, which emoji. Pure; places in a text are in bytes.

mod edit;
pub mod emoji;

use crate::{
    markdown::escape,
    mentions::EVERYONE,
    model::{Room, User},
};
pub use edit::{Edit, bytes, emphasise, units};

/// Most suggestions at once.
const MAX_SHOWN: usize = 8;

/// What a word is the beginning of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `@ada`
    Person,
    /// `#garden`
    Room,
    /// `:tea:`
    Emoji,
}

/// A word that can be completed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// As what.
    pub kind: Kind,
    /// Where its sign stands.
    pub from: usize,
    /// What is there of it, without the sign, in lower case.
    pub word: String,
}

/// The word before the cursor, if it can be completed.
pub fn begun(text: &str, cursor: usize) -> Option<Begun> {
    let before = text.get(..cursor)?;
    let from = before.rfind(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '+')))?;
    let (lead, token) = before.split_at(from);
    let mut chars = token.chars();
    let kind = match chars.next()? {
        '@' => Kind::Person,
        '#' => Kind::Room,
        ':' => Kind::Emoji,
        _ => return None,
    };
    let word = chars.as_str().to_lowercase();
    // As in a message, a sign within a word is none. A colon alone is more often a colon.
    let glued = lead.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '\\' | '@' | '#' | ':' | '/'));
    let enough = if kind == Kind::Emoji { 2 } else { 0 };
    (!glued && word.len() >= enough).then_some(Begun { kind, from, word })
}

/// Something that may be meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// What stands in the text in its place.
    pub text: String,
    /// What it is called.
    pub name: String,
}

/// What may be meant, the likeliest first. `me`: the writer, who seldom means themselves.
pub fn candidates(
    begun: &Begun,
    people: &mut dyn Iterator<Item = &User>,
    rooms: &[Room],
    me: Option<&str>,
) -> Vec<Candidate> {
    let word = begun.word.as_str();
    let mut found = vec![];
    let mut add = |rank: Option<u8>, later: bool, order: String, text: String, name: String| {
        if let Some(rank) = rank {
            found.push(((rank, later, order), Candidate { text, name }));
        }
    };
    match begun.kind {
        Kind::Person => {
            people.for_each(|User { username, display_name, .. }| {
                let rank = rank(word, username, display_name);
                add(rank, me == Some(username), username.clone(), format!("@{username}"), display_name.clone());
            });
            let name = "Everyone in this room";
            // Behind all user names.
            add(rank(word, EVERYONE, name), true, "~".into(), format!("@{EVERYONE}"), name.into());
        }
        Kind::Room => rooms.iter().for_each(|Room { slug, name, role, .. }| {
            add(rank(word, slug, name), role.is_none(), slug.clone(), format!("#{slug}"), name.clone());
        }),
        Kind::Emoji => emoji::all().enumerate().for_each(|(n, (name, emoji))| {
            add(rank(word, name, ""), false, format!("{n:03}"), emoji.to_owned(), format!(":{name}:"));
        }),
    }
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    found.into_iter().map(|(_, candidate)| candidate).take(MAX_SHOWN).collect()
}

/// How well a word fits: the less, the better.
fn rank(word: &str, handle: &str, name: &str) -> Option<u8> {
    if handle.starts_with(word) {
        return Some(0);
    }
    let name = name.to_lowercase();
    let begins = |text: &str| text.split(|c: char| !c.is_alphanumeric()).any(|part| part.starts_with(word));
    if begins(&name) || begins(handle) { Some(1) } else { (handle.contains(word) || name.contains(word)).then_some(2) }
}

/// The list of what is offered, as HTML: an element each, with this id and its number.
pub fn options(list: &str, offered: &[Candidate], chosen: usize) -> String {
    let option = |(n, found): (usize, &Candidate)| {
        format!(
            "<li id=\"{list}-{n}\" role=\"option\" aria-selected=\"{}\"><span class=\"sign\">{}</span> <span class=\"hint\">{}</span></li>",
            n == chosen,
            escape(&found.text),
            escape(&found.name)
        )
    };
    offered.iter().enumerate().map(option).collect()
}

/// Puts a candidate in the place of what was begun, and the cursor behind it and a space.
pub fn accept(text: &str, cursor: usize, begun: &Begun, candidate: &Candidate) -> Edit {
    let rest = text.get(cursor..).unwrap_or_default();
    // What follows may have its space already, or be a comma.
    let space = if rest.chars().next().is_none_or(char::is_alphanumeric) { " " } else { "" };
    let text = format!("{}{space}", candidate.text);
    let end = begun.from + text.len() + usize::from(rest.starts_with(' '));
    Edit { from: begun.from, to: cursor, text, select: (end, end) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Role, RoomId, UserId, Visibility};

    fn user(username: &str, display_name: &str) -> User {
        let (username, display_name) = (username.to_owned(), display_name.to_owned());
        User { id: UserId::new(), username, display_name, guest: false, admin: false }
    }

    fn room(slug: &str, role: Option<Role>) -> Room {
        let name = slug.to_uppercase();
        Room {
            id: RoomId::new(),
            slug: slug.into(),
            name,
            visibility: Visibility::Public,
            role,
            members: 1,
            topic: String::new(),
            archived: false,
            keep_days: 0,
        }
    }

    fn offered(text: &str) -> Vec<String> {
        let people = [user("lin", "Lin"), user("ada", "Ada Lovelace"), user("adam", "Šárka"), user("noor", "Dalia")];
        let rooms = [room("köln-bonn", None), room("tea", None), room("team", Some(Role::Member))];
        let Some(begun) = begun(text, text.len()) else { return vec![] };
        candidates(&begun, &mut people.iter(), &rooms, Some("ada")).into_iter().map(|found| found.text).collect()
    }

    #[test]
    fn a_word_is_completed_where_a_message_would_name_something() {
        let kind = |text: &str| begun(text, text.len()).map(|begun| (begun.kind, begun.from, begun.word));
        assert_eq!(kind("@"), Some((Kind::Person, 0, String::new())));
        assert_eq!(kind("hi (@Ad"), Some((Kind::Person, 4, "ad".into())));
        assert_eq!(kind("é\n#kö"), Some((Kind::Room, 3, "kö".into())));
        assert_eq!(kind("a :+1"), Some((Kind::Emoji, 2, "+1".into())));
        for none in ["", "ada", "a@b", "@ada ", "C#", "10:30", "https://a", "::te", ":t", "a :)", r"\@ada", "_@"] {
            assert_eq!(kind(none), None, "{none}");
        }
        assert_eq!(begun("@ada and", 3).map(|begun| begun.word), Some("ad".into()));
        assert_eq!(begun("é", 1), None, "not between two characters");
        assert_eq!(begun("é", 9), None);
    }

    #[test]
    fn the_likeliest_comes_first() {
        assert_eq!(offered("@"), ["@adam", "@lin", "@noor", "@ada", "@all"]);
        assert_eq!(
            offered("@a"),
            ["@adam", "@ada", "@all", "@noor"],
            "oneself after others, a letter in the middle last"
        );
        assert_eq!(offered("@love"), ["@ada"]);
        assert_eq!(offered("@šár"), ["@adam"]);
        assert_eq!(offered("@zzz"), [""; 0]);
        assert_eq!(offered("#"), ["#team", "#köln-bonn", "#tea"], "one's own rooms first");
        assert_eq!(offered("#bo"), ["#köln-bonn"]);
        assert_eq!(offered(":thumbsu"), ["👍"]);
        assert_eq!(offered(":ar").len(), MAX_SHOWN);
    }

    #[test]
    fn what_is_accepted_stands_in_the_place_of_what_was_begun() {
        let done = |text: &str, cursor: usize| {
            let begun = begun(text, cursor).expect("begun");
            let edit = accept(text, cursor, &begun, &Candidate { text: "@ada".into(), name: String::new() });
            edit.applied(text)
        };
        assert_eq!(done("é @a", 5), ("é @ada ".into(), (8, 8)));
        assert_eq!(done("@a, hi", 2), ("@ada, hi".into(), (4, 4)));
        assert_eq!(done("@a hi", 2), ("@ada hi".into(), (5, 5)));
        assert_eq!(done("@a\nhi", 2), ("@ada\nhi".into(), (4, 4)));
        assert_eq!(done("@ahi", 2), ("@ada hi".into(), (5, 5)));
    }

    #[test]
    fn every_emoji_is_one_and_can_be_found_by_its_name() {
        for (name, emoji) in emoji::all() {
            assert!(crate::model::Emoji::parse(emoji).is_ok(), "{name} {emoji}");
            assert!(offered(&format!(":{name}")).contains(&emoji.to_owned()), "{name}");
        }
        assert!(emoji::all().count() > 100);
    }
}
