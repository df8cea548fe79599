//! Direct conversations: private rooms of a few people that stay the same.
//!
//! Their addresses begin with a sign that no other room's has, and their names
//! are the user names of all who are in them, so that each reads the others'.

use crate::model::Room;

/// What the slug of a direct conversation begins with.
pub const SIGN: char = '~';
/// Most people in one, whoever began it among them.
pub const MOST_PEOPLE: usize = 8;
const BETWEEN: &str = ", ";

/// Whether a room of this slug is a direct conversation.
pub fn is_direct(slug: &str) -> bool {
    slug.starts_with(SIGN)
}

/// The name of a conversation of these people, by user name.
pub fn name_of(mut people: Vec<&str>) -> String {
    people.sort_unstable();
    people.join(BETWEEN)
}

/// What a room is called by somebody: `#tea`, `@lin, @eve`.
pub fn called(room: &Room, me: Option<&str>) -> String {
    let (sign, name) = split(&room.slug, &room.name, me);
    format!("{sign}{name}")
}

/// The same, its sign apart, of a room of which no more need be known.
pub fn split(slug: &str, name: &str, me: Option<&str>) -> (&'static str, String) {
    if !is_direct(slug) {
        return ("#", name.to_owned());
    }
    let others: Vec<_> = name.split(BETWEEN).filter(|name| Some(*name) != me).collect();
    ("@", others.join(", @"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{RoomId, RoomName, Visibility};

    #[test]
    fn a_conversation_is_called_by_the_others() {
        let name = name_of(vec!["lin", "ada", "eve"]);
        let mut room = Room {
            id: RoomId::new(),
            slug: "~1".into(),
            name,
            visibility: Visibility::Private,
            role: None,
            members: 3,
            topic: String::new(),
            archived: false,
            keep_days: 0,
        };
        assert_eq!(called(&room, Some("ada")), "@eve, @lin");
        assert_eq!(called(&room, None), "@ada, @eve, @lin");
        (room.slug, room.name) = ("tea".into(), "Tea, ada".into());
        assert_eq!(called(&room, Some("ada")), "#Tea, ada");
    }

    #[test]
    fn no_room_that_somebody_names_looks_like_one() {
        for name in ["~tea", "~", "#~x", " ~ada"] {
            assert!(RoomName::parse(name).is_err() || !is_direct(RoomName::parse(name).unwrap().slug()), "{name}");
        }
    }
}
