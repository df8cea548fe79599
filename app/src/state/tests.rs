#![allow(clippy::unwrap_used)]

use super::*;
use crate::model::{Millis, RoomChange, RoomChanged, Visibility};
use uuid::Uuid;

/// Offsets of one room rise with gaps: a partition carries many rooms.
fn place(n: u64) -> Position {
    Position::new(1, n * 3)
}

fn user(name: &str) -> User {
    let id = UserId(Uuid::from_u128(name.bytes().map(u128::from).sum()));
    User { id, username: name.into(), display_name: name.into(), guest: false, admin: false }
}

fn id(n: u64) -> MessageId {
    MessageId(Uuid::from_u128(u128::from(n)))
}

fn room() -> Room {
    Room {
        id: RoomId(Uuid::from_u128(1)),
        slug: "tea".into(),
        name: "Tea".into(),
        visibility: Visibility::Public,
        role: None,
        members: 0,
        topic: String::new(),
        archived: false,
        keep_days: 0,
    }
}

fn message(n: u64) -> Message {
    Message {
        id: id(n),
        at: place(n),
        author: user("ada"),
        body: format!("message {n}"),
        sent_at: 0,
        edited_at: None,
        deleted: false,
        reply_to: None,
        reactions: vec![],
        pinned: false,
        replies: 0,
    }
}

fn posted(n: u64) -> KnownEvent {
    KnownEvent::MessagePosted { message: Message { at: Position::START, ..message(n) } }
}

/// A little of everything that can happen in a room.
fn story() -> Vec<KnownEvent> {
    let by = user("lin");
    vec![
        posted(1),
        KnownEvent::MemberJoined { user: user("lin"), role: Role::Member },
        KnownEvent::ReactionAdded { id: id(1), emoji: "👍".into(), by: by.clone() },
        posted(4),
        KnownEvent::MessageEdited { id: id(1), body: "better".into(), edited_at: 7, posted_at: None },
        KnownEvent::ReactionRemoved { id: id(1), emoji: "👍".into(), by: by.clone() },
        KnownEvent::MessageDeleted { id: id(4), by: by.clone(), reply_to: None },
        KnownEvent::ReactionAdded { id: id(1), emoji: "🍵".into(), by: by.clone() },
        KnownEvent::MemberLeft { user: user("lin"), by },
        posted(10),
    ]
}

/// Event number `n`, counted from 1, as a live frame.
fn live(state: &mut RoomState, story: &[KnownEvent], n: usize) -> Applied {
    let prev = if n == 1 { Position::START } else { place(n as u64 - 1) };
    state.apply(place(n as u64), Some(prev), story[n - 1].clone().into())
}

/// What a node answers to a subscription since where the state is.
fn resume(state: &mut RoomState, story: &[KnownEvent], upto: usize) {
    let since = state.at();
    state.subscribed(place(upto as u64), true);
    for (n, event) in (1..=upto).zip(story) {
        if place(n as u64) > since {
            assert_eq!(state.apply(place(n as u64), None, event.clone().into()), Applied::Done);
        }
    }
}

/// A page as of the moment that it covers the room up to.
fn page(messages: Vec<Message>, at: Position, more: bool) -> MessagePage {
    MessagePage { messages, at, as_of: at, more }
}

/// A page that stops short of the newest message: it covers the room up to its last.
fn short(messages: Vec<Message>, as_of: Position) -> MessagePage {
    let at = messages.last().map_or(Position::START, |message| message.at);
    MessagePage { messages, at, as_of, more: true }
}

fn view(page: MessagePage, older: bool, newer: bool) -> RoomData {
    RoomData { room: room(), members: vec![], page, older, newer, read: None, pins: vec![], thread: None }
}

fn empty() -> RoomState {
    let page = page(vec![], Position::START, false);
    RoomState::new(room(), vec![], &page, false, false)
}

fn seen(state: &RoomState) -> (Vec<Message>, Vec<Member>, u64, Position) {
    let messages = state.messages().map(|m| (**m).clone()).collect();
    (messages, state.members().to_vec(), state.room().members, state.at())
}

/// The state of a reader who was there all the time.
fn fresh(upto: usize) -> RoomState {
    let mut state = empty();
    let story = story();
    for n in 1..=upto {
        assert_eq!(live(&mut state, &story, n), Applied::Done);
    }
    state
}

#[test]
fn events_in_order_make_the_room_as_it_is() {
    let state = fresh(10);
    let (messages, members, count, at) = seen(&state);
    assert_eq!(messages.iter().map(|m| m.body.as_str()).collect::<Vec<_>>(), ["better", "", "message 10"]);
    assert_eq!(messages[0].reactions, [Reaction { emoji: "🍵".into(), users: vec!["lin".into()] }]);
    assert!(messages[1].deleted && messages[2].at == place(10));
    assert_eq!((members.len(), count, at), (0, 0, place(10)));
}

#[test]
fn any_loss_and_repetition_ends_as_if_nothing_had_happened() {
    let story = story();
    let whole = seen(&fresh(10));
    // Each bit of `lost` is a live frame that did not arrive.
    for lost in 0..1_u32 << 10 {
        let mut state = empty();
        for n in 1..=10 {
            if lost >> (n - 1) & 1 == 1 {
                continue;
            }
            if live(&mut state, &story, n) == Applied::Hole {
                resume(&mut state, &story, n);
            }
            // The bus may deliver again what it delivered before.
            for again in 1..=n {
                assert_eq!(live(&mut state, &story, again), Applied::Ignored, "{lost:b} {n} {again}");
            }
        }
        resume(&mut state, &story, 10);
        assert_eq!(seen(&state), whole, "{lost:b}");
    }
}

#[test]
fn frames_out_of_order_are_holes_until_a_resume_fills_them() {
    let story = story();
    let whole = seen(&fresh(5));
    let orders = permutations(&[1, 2, 3, 4, 5]);
    assert_eq!(orders.len(), 120);
    for order in orders {
        let mut state = empty();
        for n in &order {
            live(&mut state, &story, *n);
        }
        resume(&mut state, &story, 5);
        assert_eq!(seen(&state), whole, "{order:?}");
    }
}

fn permutations(items: &[usize]) -> Vec<Vec<usize>> {
    if items.is_empty() {
        return vec![vec![]];
    }
    let mut all = vec![];
    for (i, first) in items.iter().enumerate() {
        let rest: Vec<_> = items.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, n)| *n).collect();
        all.extend(permutations(&rest).into_iter().map(|tail| [vec![*first], tail].concat()));
    }
    all
}

#[test]
fn live_frames_that_overtake_a_resume_are_not_lost() {
    let story = story();
    let mut state = fresh(3);
    assert_eq!(live(&mut state, &story, 6), Applied::Hole);
    // The answer to the resume comes while frames 7 and 8 are live already.
    resume(&mut state, &story, 6);
    for n in 7..=10 {
        assert_eq!(live(&mut state, &story, n), Applied::Done);
    }
    assert_eq!(seen(&state), seen(&fresh(10)));
}

#[test]
fn an_unknown_place_before_an_event_is_a_hole() {
    let mut state = fresh(3);
    assert_eq!(state.apply(place(4), None, posted(4).into()), Applied::Hole);
    assert_eq!(state.at(), place(3));
}

#[test]
fn what_one_connection_promised_does_not_hold_for_the_next() {
    let mut state = fresh(3);
    state.subscribed(place(9), true);
    state.disconnected();
    assert_eq!(state.apply(place(9), None, posted(9).into()), Applied::Hole);
}

#[test]
fn an_event_of_a_later_version_only_moves_the_position() {
    let mut state = fresh(4);
    let (messages, ..) = seen(&state);
    let event = Event::Unknown(serde_json::json!({"kind": "poll_opened"}));
    assert_eq!(state.apply(place(5), Some(place(4)), event), Applied::Done);
    assert_eq!((seen(&state).0, state.at()), (messages, place(5)));
}

#[test]
fn an_old_stretch_read_before_a_change_shows_the_change() {
    let newest = page(vec![message(5)], place(5), true);
    let mut state = RoomState::new(room(), vec![], &newest, true, false);
    let edit = KnownEvent::MessageEdited { id: id(2), body: "new".into(), edited_at: 9, posted_at: None };
    assert_eq!(state.apply(place(6), Some(place(5)), edit.into()), Applied::Done);
    // The read of the older stretch was answered by a store that had not seen the edit yet.
    let older = page(vec![message(1), message(2)], place(5), false);
    assert_eq!(state.merge_older(&older, false), Merged::Done);
    let bodies: Vec<_> = state.messages().map(|m| m.body.as_str()).collect();
    assert_eq!(bodies, ["message 1", "new", "message 5"]);
    assert!(!state.older());
}

#[test]
fn a_stretch_from_before_what_is_remembered_is_read_again() {
    let mut state = fresh(10);
    state.forgotten = place(8);
    let page = page(vec![message(1)], place(7), false);
    assert_eq!(state.merge_older(&page, false), Merged::Behind);
}

#[test]
fn new_messages_wait_while_the_stretch_ends_before_them() {
    let first = page(vec![message(1)], place(3), true);
    let mut state = RoomState::new(room(), vec![], &first, false, true);
    assert_eq!(state.apply(place(4), Some(place(3)), posted(4).into()), Applied::Done);
    assert_eq!(state.messages().count(), 1);
    // A read that does not reach what was held back must not close the gap.
    let part = page(vec![message(2), message(3)], place(3), false);
    assert_eq!(state.merge_newer(&part, false), Merged::Done);
    assert!(state.newer());
    let all = page(vec![message(2), message(3), message(4)], place(4), false);
    assert_eq!(state.merge_newer(&all, false), Merged::Done);
    assert_eq!((state.messages().count(), state.newer()), (4, false));
}

#[test]
fn the_oldest_go_only_while_the_newest_is_in_view() {
    let mut state = empty();
    state.follow(false);
    for n in 1..=500 {
        let prev = if n == 1 { Position::START } else { place(n - 1) };
        state.apply(place(n), Some(prev), posted(n).into());
    }
    assert_eq!((state.messages().count(), state.older()), (500, false));
    state.follow(true);
    state.apply(place(501), Some(place(500)), posted(501).into());
    assert_eq!((state.messages().count(), state.older()), (MAX_KEPT, true));
    assert!(state.message(id(1)).is_none() && state.message(id(501)).is_some());
}

#[test]
fn an_own_change_shows_before_its_event_and_only_once() {
    let mut state = fresh(1);
    let edit = KnownEvent::MessageEdited { id: id(1), body: "now".into(), edited_at: 3, posted_at: None };
    state.foresee(place(2), edit.clone());
    assert_eq!((state.message(id(1)).unwrap().body.as_str(), state.at()), ("now", place(1)));
    assert_eq!(state.apply(place(2), Some(place(1)), edit.into()), Applied::Done);
    // What came after it in the meantime is not undone.
    let later = KnownEvent::MessageEdited { id: id(1), body: "later".into(), edited_at: 4, posted_at: None };
    state.apply(place(3), Some(place(2)), later.into());
    state.foresee(place(2), KnownEvent::MessageEdited { id: id(1), body: "now".into(), edited_at: 3, posted_at: None });
    assert_eq!(state.message(id(1)).unwrap().body, "later");
}

#[test]
fn what_is_asked_for_shows_at_once_and_goes_if_it_is_refused() {
    let mut state = fresh(1);
    let before = state.clone();
    let shown = |state: &RoomState| {
        let message = state.shown(state.message(id(1)).unwrap());
        (message.body.clone(), message.deleted)
    };
    let edit = KnownEvent::MessageEdited { id: id(1), body: "now".into(), edited_at: 3, posted_at: None };
    let delete = KnownEvent::MessageDeleted { id: id(1), by: user("ada"), reply_to: None };
    state.hope(edit.clone());
    assert_eq!(
        (shown(&state), &state.message(id(1)).unwrap().body),
        (("now".into(), false), &before.message(id(1)).unwrap().body)
    );
    state.hope(delete.clone());
    assert_eq!(shown(&state), (String::new(), true));
    state.settle(&delete, None);
    assert_eq!(shown(&state), ("now".into(), false));
    state.settle(&edit, None);
    assert_eq!(state, before, "as if nothing had been asked for");
}

#[test]
fn what_was_asked_for_and_is_accepted_stays_also_when_the_room_was_read_anew_meanwhile() {
    let mut state = fresh(1);
    let edit = KnownEvent::MessageEdited { id: id(1), body: "now".into(), edited_at: 3, posted_at: None };
    state.hope(edit.clone());
    let view = RoomData {
        room: room(),
        members: vec![],
        page: page(vec![message(1)], place(1), false),
        older: false,
        newer: false,
        read: None,
        pins: vec![],
        thread: None,
    };
    assert!(state.replace(view, ResyncReason::TooOld));
    assert_eq!(state.shown(state.message(id(1)).unwrap()).body, "now");
    state.settle(&edit, Some(place(2)));
    assert_eq!((state.message(id(1)).unwrap().body.as_str(), state.hopes.len()), ("now", 0));
}

#[test]
fn an_early_stretch_is_heard_of_from_the_moment_it_was_read() {
    // A permalink into a room where 2000 events followed: who asks since the message itself is told to read again.
    let around = short(vec![message(1), message(2)], place(2_000));
    let state = RoomState::new(room(), vec![], &around, false, true);
    assert_eq!(state.at(), place(2_000));
    // The newest stretch is heard of from what it covers.
    let newest = page(vec![message(3)], place(4), true);
    assert_eq!(RoomState::new(room(), vec![], &newest, true, false).at(), place(4));
}

#[test]
fn newer_messages_follow_an_early_stretch_page_by_page() {
    let mut state = RoomState::new(room(), vec![], &short(vec![message(1)], place(9)), false, true);
    // The next page stops short too. Its rows are as new as the first's, though its last message is older.
    let next = short(vec![message(2), message(3)], place(9));
    assert_eq!(state.merge_newer(&next, true), Merged::Done);
    assert_eq!((state.messages().count(), state.newer()), (3, true));
    let rest = page(vec![message(4)], place(9), false);
    assert_eq!(state.merge_newer(&rest, false), Merged::Done);
    assert_eq!((state.messages().count(), state.newer()), (4, false));
}

#[test]
fn a_short_page_read_after_a_change_is_not_changed_again() {
    let mut state = RoomState::new(room(), vec![], &page(vec![message(9)], place(9), true), true, false);
    for (n, body) in [(10, "first"), (11, "second")] {
        let edit = KnownEvent::MessageEdited { id: id(2), body: body.into(), edited_at: n as Millis, posted_at: None };
        state.apply(place(n), Some(place(n - 1)), edit.into());
    }
    // As of the first edit: only the second one is missing.
    let stored = Message { body: "first".into(), edited_at: Some(10), ..message(2) };
    assert_eq!(state.merge_older(&short(vec![stored], place(10)), true), Merged::Done);
    assert_eq!(state.message(id(2)).unwrap().body, "second");
}

#[test]
fn a_page_older_than_what_is_known_replaces_nothing() {
    let mut state = fresh(10);
    let before = state.clone();
    assert!(!state.replace(view(page(vec![message(1)], place(9), false), false, false), ResyncReason::TooOld));
    assert_eq!(state, before);
    assert!(state.replace(view(page(vec![message(10)], place(10), true), true, false), ResyncReason::TooOld));
    assert_eq!((state.messages().count(), state.at()), (1, place(10)));
    // In a new generation of the log, nothing may be folded yet.
    assert!(state.replace(view(page(vec![], Position::START, false), false, false), ResyncReason::Epoch));
    assert_eq!(state.at(), Position::START);
}

#[test]
fn who_reads_further_back_gets_the_same_stretch_when_the_room_is_read_anew() {
    let mut state = RoomState::new(room(), vec![], &short(vec![message(1), message(2)], place(9)), true, true);
    let query = state.anew();
    let just_after = Position::new(1, place(2).offset + 1);
    assert_eq!((query.before, query.limit, query.at_least), (Some(just_after), Some(2), Some(place(9))));
    assert!(
        state.replace(view(page(vec![message(1), message(2)], place(2_000), true), true, true), ResyncReason::TooOld)
    );
    assert_eq!((state.messages().count(), state.newer(), state.at()), (2, true, place(2_000)));
    let newest = HistoryQuery { at_least: Some(place(10)), ..HistoryQuery::default() };
    assert_eq!(fresh(10).anew(), newest);
}

#[test]
fn a_person_is_called_as_the_members_or_else_the_messages_say() {
    let mut author = message(1);
    author.author.display_name = "Ada L.".into();
    let member = Member { user: User { display_name: "Lin W.".into(), ..user("lin") }, role: Role::Member };
    let state = RoomState::new(room(), vec![member], &page(vec![author], place(1), false), false, false);
    assert_eq!(["lin", "ada", "kim"].map(|name| state.display_name(name)), ["Lin W.", "Ada L.", "kim"]);
}

#[test]
fn a_room_is_what_it_was_last_changed_to_and_messages_stay() {
    let mut state = RoomState::new(room(), vec![], &empty_page(), false, false);
    let changed = |change| KnownEvent::RoomChanged(RoomChanged { by: user("ada"), change });
    let story = [
        changed(RoomChange { name: Some("Coffee".into()), archived: Some(true), ..RoomChange::default() }),
        posted(2),
        changed(RoomChange {
            topic: Some("Beans".into()),
            visibility: Some(Visibility::Private),
            ..RoomChange::default()
        }),
        changed(RoomChange { archived: Some(false), ..RoomChange::default() }),
    ];
    assert_eq!(live(&mut state, &story, 1), Applied::Done);
    assert!(state.room().archived);
    for n in 2..=4 {
        assert_eq!(live(&mut state, &story, n), Applied::Done);
    }
    // Told again, nothing goes back.
    assert_eq!(live(&mut state, &story, 1), Applied::Ignored);
    let Room { name, slug, topic, visibility, archived, .. } = state.room().clone();
    assert_eq!((name.as_str(), slug.as_str(), topic.as_str()), ("Coffee", "tea", "Beans"));
    assert_eq!((visibility, archived, state.messages().count()), (Visibility::Private, false, 1));
}

#[test]
fn who_is_made_a_moderator_is_no_second_member() {
    let mut state = RoomState::new(room(), vec![], &empty_page(), false, false);
    let as_role = |role| KnownEvent::MemberJoined { user: user("lin"), role };
    let story = [as_role(Role::Member), as_role(Role::Moderator)];
    live(&mut state, &story, 1);
    live(&mut state, &story, 2);
    assert_eq!((state.room().members, state.role_of(user("lin").id)), (1, Some(Role::Moderator)));
}

#[test]
fn a_stretch_is_taken_apart_from_the_side_that_adjoins() {
    let numbers = |page: &MessagePage| page.messages.iter().map(|message| message.at.offset / 3).collect::<Vec<_>>();
    for (older, parts) in [(true, [vec![4, 5], vec![2, 3], vec![1]]), (false, [vec![1, 2], vec![3, 4], vec![5]])] {
        for more in [false, true] {
            let mut whole = page((1..=5).map(message).collect(), place(9), more);
            for (n, part) in parts.iter().enumerate() {
                let taken = whole.take_part(2, older);
                assert_eq!((numbers(&taken), taken.as_of), (part.clone(), place(9)));
                assert_eq!(taken.more, more || n < 2, "there is more beyond all but the last");
            }
            assert_eq!(numbers(&whole), Vec::<u64>::new());
        }
    }
}

fn empty_page() -> MessagePage {
    MessagePage { messages: vec![], at: Position::START, as_of: Position::START, more: false }
}

fn reply(n: u64, to: u64) -> KnownEvent {
    KnownEvent::MessagePosted { message: Message { reply_to: Some(id(to)), at: Position::START, ..message(n) } }
}

fn deleted(n: u64, answered: Option<u64>) -> KnownEvent {
    KnownEvent::MessageDeleted { id: id(n), by: user("ada"), reply_to: answered.map(id) }
}

#[test]
fn a_reply_counts_once_until_it_is_deleted() {
    let replies = |state: &RoomState| state.message(id(1)).unwrap().replies;
    // Two delete the same at once.
    let story = [posted(1), reply(2, 1), reply(3, 1), deleted(2, Some(1)), deleted(2, Some(1)), deleted(3, Some(1))];
    let mut state = empty();
    let counts: Vec<_> = (1..=story.len())
        .map(|n| {
            assert_eq!(live(&mut state, &story, n), Applied::Done);
            assert_eq!(live(&mut state, &story, n), Applied::Ignored);
            replies(&state)
        })
        .collect();
    assert_eq!(counts, [0, 1, 2, 1, 1, 0]);
}

#[test]
fn a_page_that_is_ahead_of_the_socket_has_counted_already() {
    let mut state = RoomState::new(room(), vec![], &page(vec![message(5)], place(5), true), true, false);
    // Read as of the reply at 7, which the socket brings later.
    let older = page(vec![Message { replies: 2, ..message(1) }], place(7), false);
    assert_eq!(state.merge_older(&older, false), Merged::Done);
    for (n, count) in [(6, 2), (7, 2), (8, 3)] {
        state.apply(place(n), Some(place(n - 1)), reply(n, 1).into());
        assert_eq!(state.message(id(1)).unwrap().replies, count);
    }
}

#[test]
fn a_thread_beside_the_room_hears_what_the_room_hears() {
    let mut state = RoomState::new(room(), vec![], &page(vec![message(5)], place(5), true), true, false);
    let read = |replies, at| Thread { message: Message { replies, ..message(1) }, page: page(vec![], at, false) };
    let shown = |state: &RoomState| {
        let thread = state.thread().unwrap();
        (thread.messages().map(|m| m.body.clone()).collect::<Vec<_>>(), thread.message(id(1)).unwrap().replies)
    };
    assert_eq!(state.open(&read(0, place(4))), Merged::Behind, "what was between is not known");
    state.apply(place(6), Some(place(5)), reply(6, 1).into());
    // Read before that reply, which is known here.
    assert_eq!(state.open(&read(0, place(5))), Merged::Done);
    assert_eq!(shown(&state), (vec!["message 1".to_owned(), "message 6".into()], 1));
    state.apply(place(7), Some(place(6)), reply(7, 5).into());
    state.apply(place(8), Some(place(7)), reply(8, 1).into());
    state.apply(place(9), Some(place(8)), deleted(6, Some(1)).into());
    assert_eq!(shown(&state), (vec!["message 1".to_owned(), String::new(), "message 8".into()], 1));
    assert_eq!(state.thread_of(), Some(id(1)));
    state.close();
    assert_eq!(state.thread(), None);
}

fn expired(n: u64) -> KnownEvent {
    KnownEvent::MessagesExpired { up_to: place(n) }
}

#[test]
fn what_has_become_too_old_is_gone_with_its_pins_and_nothing_is_before_what_is_left() {
    let shown = page((1..=3).map(message).collect(), place(3), true);
    let mut state = RoomState::new(room(), vec![], &shown, true, false).with_pins(vec![message(1), message(3)]);
    let stale = page(vec![message(1), message(2)], place(3), true);
    let story = [posted(1), posted(2), posted(3), expired(2), expired(1)];
    assert_eq!(live(&mut state, &story, 4), Applied::Done);
    assert_eq!(seen(&state).0, [message(3)]);
    assert_eq!(state.pins().iter().map(|(id, _)| *id).collect::<Vec<_>>(), [id(3)]);
    assert!(!state.older() && state.message(id(2)).is_none());

    // Nor does it come back: by a page that was read before, or by an event that says less.
    assert_eq!(state.merge_older(&stale, true), Merged::Done);
    assert_eq!(live(&mut state, &story, 5), Applied::Done);
    assert_eq!(seen(&state).0, [message(3)]);
    assert!(!state.older());
}

#[test]
fn where_all_that_is_shown_of_the_past_becomes_too_old_what_came_after_it_is_read_anew() {
    let mut state = RoomState::new(room(), vec![], &short(vec![message(1), message(2)], place(9)), false, true);
    assert_eq!(state.apply(place(10), Some(place(9)), expired(4).into()), Applied::Done);
    assert_eq!(state.messages().count(), 0);
    assert!(state.newer() && state.older(), "there may be more on both sides of what is read next");
    assert_eq!(state.merge_newer(&page(vec![message(7), message(8)], place(10), true), true), Merged::Done);
    assert_eq!(seen(&state).0, [message(7), message(8)]);
    assert!(state.older());
}

#[test]
fn a_thread_goes_with_the_message_that_it_begins_with() {
    let answer = |n, to| Message { reply_to: Some(id(to)), ..message(n) };
    let thread = |to, n| Thread { message: message(to), page: page(vec![answer(n, to)], place(5), false) };
    let mut state =
        RoomState::new(room(), vec![], &page((1..=5).map(message).collect(), place(5), false), false, false);
    assert_eq!(state.open(&thread(3, 5)), Merged::Done);
    assert_eq!(state.apply(place(6), Some(place(5)), expired(2).into()), Applied::Done);
    assert_eq!(state.thread().map(|thread| thread.messages().count()), Some(2));
    assert_eq!(state.apply(place(7), Some(place(6)), expired(3).into()), Applied::Done);
    assert_eq!(state.thread_of(), None);
    assert_eq!(state.open(&thread(3, 5)), Merged::Behind, "what was read is of before");
}

#[test]
fn a_pinned_message_that_is_not_there_any_more_is_not_kept_in_view() {
    let mut state = RoomState::new(room(), vec![], &page(vec![message(5)], place(5), true), true, false);
    let pinned = |n| KnownEvent::MessagePinned { id: id(n), by: user("ada"), pinned_at: 0 };
    state.apply(place(6), Some(place(5)), pinned(1).into());
    state.apply(place(7), Some(place(6)), pinned(2).into());
    state.apply(place(8), Some(place(7)), expired(2).into());
    state.learn_pinned(id(1), Some(&page(vec![message(1)], place(7), false)));
    assert!(state.lacks_pinned(id(2)));
    state.learn_pinned(id(2), None);
    assert!(state.pins().is_empty());
}
