//! Which rooms somebody means who types a few letters of a name. Pure.

use crate::model::Room;

/// Most rooms that are offered.
const MOST: usize = 12;

/// The rooms that fit what was typed, best first; with nothing typed those with the most unread of `weight`.
pub fn matching(rooms: &[Room], typed: &str, weight: impl Fn(&Room) -> u32) -> Vec<Room> {
    let typed = typed.trim().trim_start_matches(['#', '@']).to_lowercase();
    let mut found: Vec<_> = rooms
        .iter()
        .filter_map(|room| {
            let fit = fit(&room.name.to_lowercase(), &typed)?;
            // Among names that fit equally well: one's own, then those with something to read, then by name.
            Some(((fit, room.role.is_none(), u32::MAX - weight(room), room.slug.clone()), room))
        })
        .collect();
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    found.into_iter().take(MOST).map(|(_, room)| room.clone()).collect()
}

/// How well a name fits, less is better: it begins so, a word in it does, it has that, it has the letters in order.
fn fit(name: &str, typed: &str) -> Option<u8> {
    if name.starts_with(typed) {
        return Some(0);
    }
    let begins_word = |at: usize| !name[..at].ends_with(char::is_alphanumeric);
    match name.match_indices(typed).map(|(at, _)| begins_word(at)).max() {
        Some(true) => Some(1),
        Some(false) => Some(2),
        None => {
            let mut letters = name.chars();
            typed.chars().all(|wanted| letters.any(|letter| letter == wanted)).then_some(3)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Role, RoomId, Visibility};

    fn rooms(names: &[&str]) -> Vec<Room> {
        let room = |name: &&str| Room {
            id: RoomId::new(),
            slug: name.to_lowercase(),
            name: (*name).into(),
            visibility: Visibility::Public,
            role: (!name.starts_with("Other")).then_some(Role::Member),
            members: 1,
            topic: String::new(),
            archived: false,
            keep_days: 0,
        };
        names.iter().map(room).collect()
    }

    fn names(rooms: &[Room], typed: &str) -> Vec<String> {
        matching(rooms, typed, |room| u32::from(room.name == "Ops")).into_iter().map(|room| room.name).collect()
    }

    #[test]
    fn the_better_a_name_fits_the_earlier_it_comes() {
        let rooms = rooms(&["Old teapot", "Tea", "Steam", "The ear", "Coffee", "Other tea"]);
        assert_eq!(names(&rooms, "#TEA"), ["Tea", "Old teapot", "Other tea", "Steam", "The ear"]);
        assert!(names(&rooms, "xyz").is_empty());
    }

    #[test]
    fn with_nothing_typed_what_is_unread_comes_first_and_others_rooms_last() {
        let rooms = rooms(&["Other", "Beer", "Ops", "Äpfel"]);
        assert_eq!(names(&rooms, " "), ["Ops", "Beer", "Äpfel", "Other"]);
        assert_eq!(names(&rooms, "ä"), ["Äpfel"]);
    }
}
