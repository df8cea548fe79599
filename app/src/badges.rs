//! What one has not read, room by room: what the server counted, and what was heard of since. Pure.
//!
//! Everything is by position, so that it does not matter in which order a count,
//! a message, and one's own reading on another device are heard of.

use crate::{
    mentions::calls,
    model::{Event, KnownEvent, MAX_UNREAD, MessageId, NotificationLevel, Position, RoomId, Unread, User},
};
use std::collections::{HashMap, VecDeque};

/// Unread messages of a room, and those that mention the reader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Messages of others, [`MAX_UNREAD`] at most.
    pub unread: u32,
    /// Those among them that mention the reader.
    pub mentions: u32,
}

impl Count {
    fn and(self, other: Self) -> Self {
        let add = |a: u32, b: u32| a.saturating_add(b).min(MAX_UNREAD);
        Self { unread: add(self.unread, other.unread), mentions: add(self.mentions, other.mentions) }
    }

    /// As it is written where there is little room.
    pub fn text(count: u32) -> String {
        if count >= MAX_UNREAD { format!("{}+", MAX_UNREAD - 1) } else { count.to_string() }
    }
}

/// Whether what is known is enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// It is.
    Enough,
    /// Only the server can tell: count again.
    CountAgain,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Badge {
    read: Position,
    /// What the server counted, up to `counted_upto`.
    counted: Count,
    counted_upto: Position,
    /// Heard of since, oldest first.
    heard: VecDeque<Heard>,
    upto: Position,
    direct: bool,
    level: NotificationLevel,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Heard {
    at: Position,
    id: MessageId,
    mentions_me: bool,
}

/// Of all one's rooms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Badges(HashMap<RoomId, Badge>);

impl Badges {
    /// The server has counted. What was heard of meanwhile, and read, stands.
    pub fn counted(&mut self, rooms: &[Unread]) {
        let mut before = std::mem::take(&mut self.0);
        for room in rooms {
            let known = before.remove(&room.room);
            let mut badge = Badge {
                read: room.read,
                counted: Count { unread: room.unread, mentions: room.mentions },
                counted_upto: room.upto,
                heard: VecDeque::new(),
                upto: room.upto,
                direct: room.direct,
                level: room.level,
            };
            if let Some(known) = known {
                badge.heard = known.heard.into_iter().filter(|heard| heard.at > room.upto).collect();
                badge.upto = badge.upto.max(known.upto);
                badge.read_to(known.read);
            }
            self.0.insert(room.room, badge);
        }
    }

    /// Whether the rooms are these.
    pub fn is_of(&self, rooms: &[Unread]) -> bool {
        rooms.len() == self.0.len() && rooms.iter().all(|room| self.0.contains_key(&room.room))
    }

    /// The rooms, and up to where each is known.
    pub fn rooms(&self) -> impl Iterator<Item = (RoomId, Position)> {
        self.0.iter().map(|(room, badge)| (*room, badge.upto))
    }

    /// Up to where a room is known.
    pub fn upto(&self, room: RoomId) -> Option<Position> {
        Some(self.0.get(&room)?.upto)
    }

    /// Something happened in a room.
    pub fn heard(&mut self, room: RoomId, at: Position, event: &Event, me: &User) -> Known {
        let Some(badge) = self.0.get_mut(&room).filter(|badge| badge.upto < at) else { return Known::Enough };
        badge.upto = at;
        match event {
            Event::Known(KnownEvent::MessagePosted { message }, _) if message.author.id != me.id => {
                if badge.heard.len() >= MAX_UNREAD as usize {
                    badge.heard.pop_front();
                }
                let mentions_me = badge.direct || calls(&message.body, &me.username);
                badge.heard.push_back(Heard { at, id: message.id, mentions_me });
            }
            Event::Known(KnownEvent::MessageDeleted { id, .. }, _) => badge.heard.retain(|heard| heard.id != *id),
            // What is gone need not be read.
            Event::Known(KnownEvent::MessagesExpired { up_to }, _) => return badge.read_to(*up_to),
            _ => {}
        }
        Known::Enough
    }

    /// One has read a room up to here, in this tab or elsewhere.
    pub fn read(&mut self, room: RoomId, at: Position) -> Known {
        self.0.get_mut(&room).map_or(Known::Enough, |badge| badge.read_to(at))
    }

    /// Whether the reader has read a room up to here, as far as is known. Of a room that is not theirs nothing is kept.
    pub fn is_read(&self, room: RoomId, at: Position) -> bool {
        self.0.get(&room).is_none_or(|badge| at <= badge.read)
    }

    /// What is unread in a room, as far as the reader wants to be told of it.
    pub fn of(&self, room: RoomId) -> Count {
        self.0.get(&room).map(Badge::count).unwrap_or_default()
    }

    /// How much of a room the reader wants to be told of; `None`: it is not theirs.
    pub fn level(&self, room: RoomId) -> Option<NotificationLevel> {
        self.0.get(&room).map(|badge| badge.level)
    }

    /// The reader has chosen, in this tab or elsewhere.
    pub fn set_level(&mut self, room: RoomId, level: NotificationLevel) {
        if let Some(badge) = self.0.get_mut(&room) {
            badge.level = level;
        }
    }

    /// Everything that is known of is read, as the server will be told.
    pub fn read_all(&mut self) {
        for badge in self.0.values_mut() {
            let _ = badge.read_to(badge.upto);
        }
    }

    /// What is unread in all rooms.
    pub fn total(&self) -> Count {
        self.0.values().map(Badge::count).fold(Count::default(), Count::and)
    }
}

impl Badge {
    fn count(&self) -> Count {
        let mentions = self.heard.iter().filter(|heard| heard.mentions_me).count();
        let few = |n: usize| u32::try_from(n).unwrap_or(MAX_UNREAD);
        let all = self.counted.and(Count { unread: few(self.heard.len()), mentions: few(mentions) });
        match self.level {
            NotificationLevel::All => all,
            NotificationLevel::Mentions => Count { unread: all.mentions, ..all },
            NotificationLevel::Mute => Count::default(),
        }
    }

    fn read_to(&mut self, at: Position) -> Known {
        if at <= self.read {
            return Known::Enough;
        }
        self.read = at;
        self.heard.retain(|heard| heard.at > at);
        if at >= self.counted_upto {
            self.counted = Count::default();
        }
        if self.counted.unread > 0 { Known::CountAgain } else { Known::Enough }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Message, UserId};

    fn at(offset: u64) -> Position {
        Position::new(1, offset)
    }

    fn user(name: &str) -> User {
        User { id: UserId::new(), username: name.into(), display_name: name.into(), guest: false, admin: false }
    }

    fn posted(id: MessageId, offset: u64, author: &User, body: &str) -> Event {
        let message = Message {
            id,
            at: at(offset),
            author: author.clone(),
            body: body.into(),
            sent_at: 0,
            edited_at: None,
            deleted: false,
            reply_to: None,
            reactions: vec![],
            pinned: false,
            replies: 0,
        };
        KnownEvent::MessagePosted { message }.into()
    }

    fn counted(room: RoomId, read: u64, upto: u64, unread: u32, mentions: u32) -> Unread {
        Unread { room, read: at(read), upto: at(upto), unread, mentions, direct: false, level: NotificationLevel::All }
    }

    #[test]
    fn what_others_post_counts_once_and_what_one_posts_does_not() {
        let (room, ada, lin) = (RoomId::new(), user("ada"), user("lin"));
        let mut badges = Badges::default();
        badges.counted(&[counted(room, 1, 5, 2, 1)]);
        for _ in 0..2 {
            badges.heard(room, at(6), &posted(MessageId::new(), 6, &lin, "tea, @ada?"), &ada);
            badges.heard(room, at(7), &posted(MessageId::new(), 7, &ada, "yes, @ada"), &ada);
            badges.heard(room, at(8), &posted(MessageId::new(), 8, &lin, "good"), &ada);
            // The server has counted this one.
            badges.heard(room, at(4), &posted(MessageId::new(), 4, &lin, "earlier"), &ada);
        }
        assert_eq!(badges.of(room), Count { unread: 4, mentions: 2 });
        assert_eq!(badges.upto(room), Some(at(8)));
        assert_eq!(badges.of(RoomId::new()), Count::default());
    }

    #[test]
    fn reading_takes_away_what_is_up_to_there_and_asks_for_what_only_the_server_knows() {
        let (room, ada, lin) = (RoomId::new(), user("ada"), user("lin"));
        let mut badges = Badges::default();
        badges.counted(&[counted(room, 1, 5, 2, 0)]);
        for offset in [6, 7, 8] {
            badges.heard(room, at(offset), &posted(MessageId::new(), offset, &lin, "@ada"), &ada);
        }
        assert_eq!(badges.read(room, at(3)), Known::CountAgain);
        assert_eq!(badges.read(room, at(2)), Known::Enough);
        assert_eq!(badges.read(room, at(7)), Known::Enough);
        assert_eq!(badges.of(room), Count { unread: 1, mentions: 1 });
        // A count that was made before does not bring back what has been read since.
        badges.counted(&[counted(room, 1, 6, 3, 1)]);
        assert_eq!(badges.of(room), Count { unread: 1, mentions: 1 });
    }

    #[test]
    fn what_is_deleted_unread_need_not_be_read() {
        let (room, ada, lin, id) = (RoomId::new(), user("ada"), user("lin"), MessageId::new());
        let mut badges = Badges::default();
        badges.counted(&[counted(room, 0, 0, 0, 0)]);
        badges.heard(room, at(1), &posted(id, 1, &lin, "@ada"), &ada);
        badges.heard(room, at(2), &KnownEvent::MessageDeleted { id, by: lin, reply_to: None }.into(), &ada);
        assert_eq!(badges.total(), Count::default());
    }

    #[test]
    fn what_has_become_too_old_unread_need_not_be_read() {
        let (room, ada, lin) = (RoomId::new(), user("ada"), user("lin"));
        let mut badges = Badges::default();
        badges.counted(&[counted(room, 1, 5, 2, 1)]);
        for offset in [6, 7] {
            badges.heard(room, at(offset), &posted(MessageId::new(), offset, &lin, "@ada"), &ada);
        }
        let expired = |up_to| KnownEvent::MessagesExpired { up_to: at(up_to) }.into();
        assert_eq!(
            badges.heard(room, at(8), &expired(3), &ada),
            Known::CountAgain,
            "how many are left is the server's"
        );
        assert_eq!(badges.heard(room, at(9), &expired(6), &ada), Known::Enough);
        assert_eq!(badges.of(room), Count { unread: 1, mentions: 1 });
    }

    #[test]
    fn each_message_of_a_direct_conversation_is_meant() {
        let (room, ada, lin) = (RoomId::new(), user("ada"), user("lin"));
        let mut badges = Badges::default();
        badges.counted(&[Unread { direct: true, ..counted(room, 0, 0, 0, 0) }]);
        badges.heard(room, at(1), &posted(MessageId::new(), 1, &lin, "hello"), &ada);
        assert_eq!(badges.total(), Count { unread: 1, mentions: 1 });
    }

    #[test]
    fn one_is_told_as_much_of_a_room_as_one_wants() {
        let (room, ada, lin) = (RoomId::new(), user("ada"), user("lin"));
        let mut badges = Badges::default();
        badges.counted(&[counted(room, 1, 5, 3, 1)]);
        badges.heard(room, at(6), &posted(MessageId::new(), 6, &lin, "tea, @ada?"), &ada);
        for (level, unread, mentions) in
            [(NotificationLevel::Mentions, 2, 2), (NotificationLevel::Mute, 0, 0), (NotificationLevel::All, 4, 2)]
        {
            badges.set_level(room, level);
            assert_eq!(badges.total(), Count { unread, mentions }, "{level:?}");
            // What is read is another matter.
            assert!(!badges.is_read(room, at(6)));
        }
        badges.read_all();
        assert_eq!(badges.total(), Count::default());
        assert!(badges.is_read(room, at(6)));
    }

    #[test]
    fn a_room_that_one_has_left_is_gone_and_counts_have_a_limit() {
        let (tea, coffee, ada, lin) = (RoomId::new(), RoomId::new(), user("ada"), user("lin"));
        let mut badges = Badges::default();
        badges.counted(&[counted(tea, 0, 0, 90, 0), counted(coffee, 0, 0, 90, 0)]);
        for offset in 1..300 {
            badges.heard(tea, at(offset), &posted(MessageId::new(), offset, &lin, "more"), &ada);
        }
        assert_eq!(Count::text(badges.of(tea).unread), "99+");
        assert_eq!(Count::text(badges.of(coffee).unread), "90");
        badges.counted(&[counted(coffee, 0, 0, 1, 0)]);
        assert_eq!(badges.total(), Count { unread: 1, mentions: 0 });
    }
}
