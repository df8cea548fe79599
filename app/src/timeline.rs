//! How messages stand under each other: which begin a day, which begin a group of one author's.

use crate::{
    model::{Message, MessageId, Millis, Position, User},
    outbox::{Status, Unsent},
    state::RoomState,
};
use std::{collections::HashMap, sync::Arc};

/// Messages of one author within this time stand together.
const GROUP_MS: Millis = 5 * 60_000;

/// What a row shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The message, as the room has it or as it was written here.
    pub message: Arc<Message>,
    /// What became of it, while the room has not shown it.
    pub status: Option<Status>,
    /// It is the first of this day, counted from 1970-01-01 where the reader is.
    pub opens_day: Option<i64>,
    /// It shows its author.
    pub opens_group: bool,
    /// It is the first that the reader had not read when the page was opened.
    pub opens_new: bool,
}

/// Rows, oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// In order.
    pub order: Vec<MessageId>,
    /// Each.
    pub by_id: HashMap<MessageId, Row>,
}

/// Lays the room's messages out, and after them those on their way. `read`: up to where the reader had read. `day` gives
/// the day of a time where the reader is.
pub fn lay_out<'a>(
    state: &RoomState,
    unsent: impl Iterator<Item = &'a Unsent>,
    me: Option<&User>,
    read: Option<Position>,
    day: impl Fn(Millis) -> i64,
) -> Rows {
    let stored = state.messages().map(|message| (state.shown(message), None));
    let unsent = unsent.filter(|unsent| !unsent.is_in(state));
    let unsent = unsent.filter_map(|unsent| Some((Arc::new(shown_as(unsent, me?)), Some(unsent.status.clone()))));
    let first_new = read.and_then(|read| {
        let new = |m: &&Arc<Message>| m.at > read && !m.deleted && me.is_some_and(|me| me.id != m.author.id);
        state.messages().find(new).map(|message| message.id)
    });
    let mut rows = Rows::default();
    let mut before: Option<Arc<Message>> = None;
    for (message, status) in stored.chain(unsent) {
        let today = day(message.sent_at);
        let opens_day = before.as_ref().is_none_or(|before| day(before.sent_at) != today);
        let opens_new = first_new == Some(message.id);
        let opens_group = opens_day
            || opens_new
            || before.as_ref().is_none_or(|before| {
                before.author.id != message.author.id
                    || message.sent_at - before.sent_at > GROUP_MS
                    || message.reply_to.is_some()
            });
        rows.order.push(message.id);
        let opens_day = opens_day.then_some(today);
        rows.by_id.insert(message.id, Row { message: message.clone(), status, opens_day, opens_group, opens_new });
        before = Some(message);
    }
    rows
}

/// Rows in the groups that are put into the page as one.
///
/// What reads back adds a group before the others, and touches none of them. In one list all rows behind those that
/// come would be taken out and put in again, each with its style and its layout: Leptos moves them as soon as more than
/// one comes before them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups {
    groups: Vec<(u32, Vec<MessageId>)>,
    next: u32,
}

impl Groups {
    /// The same rows in this order, those that stay in the group where they are.
    pub fn follow(mut self, order: &[MessageId]) -> Self {
        let before = self.groups.iter().enumerate().flat_map(|(n, (_, ids))| ids.iter().map(move |id| (*id, n)));
        let before: HashMap<MessageId, usize> = before.collect();
        for (_, ids) in &mut self.groups {
            ids.clear();
        }
        let mut first = Vec::new();
        let mut here = None;
        for id in order {
            // Never back: what comes later in the order stands later.
            here = here.max(before.get(id).copied());
            here.map_or(&mut first, |n| &mut self.groups[n].1).push(*id);
        }
        if !first.is_empty() {
            self.groups.insert(0, (self.next, first));
            self.next += 1;
        }
        self.groups.retain(|(_, ids)| !ids.is_empty());
        self
    }

    /// What they are called, in order.
    pub fn keys(&self) -> Vec<u32> {
        self.groups.iter().map(|(key, _)| *key).collect()
    }

    /// The rows of one.
    pub fn of(&self, key: u32) -> Vec<MessageId> {
        self.groups.iter().find(|(own, _)| *own == key).map(|(_, ids)| ids.clone()).unwrap_or_default()
    }
}

fn shown_as(unsent: &Unsent, me: &User) -> Message {
    Message {
        id: unsent.id,
        at: crate::model::Position::START,
        author: me.clone(),
        body: unsent.body.clone(),
        sent_at: unsent.written_at,
        edited_at: None,
        deleted: false,
        reply_to: unsent.reply_to,
        reactions: vec![],
        pinned: false,
        replies: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{MessagePage, Room, RoomId, UserId, Visibility};

    fn user() -> User {
        User { id: UserId::new(), username: "ada".into(), display_name: "Ada".into(), guest: false, admin: false }
    }

    fn state(messages: Vec<Message>) -> RoomState {
        let room = Room {
            id: RoomId::new(),
            slug: "tea".into(),
            name: "Tea".into(),
            visibility: Visibility::Public,
            role: None,
            members: 0,
            topic: String::new(),
            archived: false,
            keep_days: 0,
        };
        let at = Position::new(1, 99);
        let page = MessagePage { messages, at, as_of: at, more: false };
        RoomState::new(room, vec![], &page, false, false)
    }

    fn message(n: u64, author: &User, sent_at: Millis) -> Message {
        Message {
            id: MessageId::new(),
            at: Position::new(1, n),
            author: author.clone(),
            body: String::new(),
            sent_at,
            edited_at: None,
            deleted: false,
            reply_to: None,
            reactions: vec![],
            pinned: false,
            replies: 0,
        }
    }

    #[test]
    fn messages_of_one_author_stand_together_for_five_minutes_and_within_a_day() {
        let (ada, lin, minute) = (user(), user(), 60_000);
        let times = [(&ada, 0), (&ada, 4), (&ada, 10), (&lin, 11), (&lin, 1_439), (&lin, 1_441)];
        let messages = (1..).zip(times).map(|(n, (author, at))| message(n, author, at * minute)).collect();
        let rows = lay_out(&state(messages), [].iter(), None, None, |at| at.div_euclid(crate::when::DAY));
        let shape: Vec<_> =
            rows.order.iter().map(|id| (rows.by_id[id].opens_group, rows.by_id[id].opens_day)).collect();
        let expected = [(true, Some(0)), (false, None), (true, None), (true, None), (true, None), (true, Some(1))];
        assert_eq!(shape, expected);
    }

    #[test]
    fn a_message_on_its_way_is_shown_once_and_last() {
        let me = user();
        let stored = message(1, &me, 0);
        let unsent = |id| Unsent {
            id,
            room: RoomId::new(),
            slug: "tea".into(),
            body: "on its way".into(),
            reply_to: None,
            written_at: 5,
            status: Status::Sending,
        };
        let waiting = [unsent(stored.id), unsent(MessageId::new())];
        let rows = lay_out(&state(vec![stored.clone()]), waiting.iter(), Some(&me), None, |_| 0);
        assert_eq!(rows.order, [stored.id, waiting[1].id]);
        assert_eq!(rows.by_id[&stored.id].status, None);
        assert_eq!(rows.by_id[&waiting[1].id].status, Some(Status::Sending));
    }

    #[test]
    fn what_is_put_before_or_after_leaves_the_groups_of_the_rows_that_stay() {
        let ids: Vec<_> = (0..9).map(|_| MessageId::new()).collect();
        let groups = Groups::default().follow(&ids[3..6]);
        assert_eq!((groups.keys(), groups.of(0)), (vec![0], ids[3..6].to_vec()));
        let groups = groups.follow(&ids[1..6]);
        assert_eq!((groups.keys(), groups.of(1), groups.of(0)), (vec![1, 0], ids[1..3].to_vec(), ids[3..6].to_vec()));
        let groups = groups.follow(&ids[0..8]);
        assert_eq!((groups.keys(), groups.of(2), groups.of(0)), (vec![2, 1, 0], ids[..1].to_vec(), ids[3..8].to_vec()));
        let groups = groups.follow(&ids[2..7]);
        assert_eq!((groups.keys(), groups.of(1), groups.of(0)), (vec![1, 0], ids[2..3].to_vec(), ids[3..7].to_vec()));
        let groups = groups.follow(&ids[8..]);
        assert_eq!((groups.keys(), groups.of(3)), (vec![3], ids[8..].to_vec()));
        assert_eq!(groups.of(0), vec![]);
    }

    proptest::proptest! {
        #[test]
        fn groups_have_the_rows_in_their_order(orders in proptest::collection::vec(proptest::collection::vec(0_u8..12, 0..12), 1..8)) {
            let ids: Vec<_> = (0..12).map(|_| MessageId::new()).collect();
            let mut groups = Groups::default();
            for order in orders {
                let mut order: Vec<_> = order.into_iter().map(|n| ids[usize::from(n)]).collect();
                let mut seen = std::collections::HashSet::new();
                order.retain(|id| seen.insert(*id));
                groups = groups.follow(&order);
                let all: Vec<_> = groups.keys().into_iter().flat_map(|key| groups.of(key)).collect();
                proptest::prop_assert_eq!(all, order);
                let keys: std::collections::HashSet<_> = groups.keys().into_iter().collect();
                proptest::prop_assert_eq!(keys.len(), groups.keys().len());
            }
        }
    }
}
