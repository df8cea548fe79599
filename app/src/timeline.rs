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
}
