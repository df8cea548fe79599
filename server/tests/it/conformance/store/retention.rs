//! Messages that have become too old.

use super::{
    chat::{Chat, PARTITION, message_id, placed, post},
    place::Place,
};
use app::model::{Event, KnownEvent, MessageId, Millis, Position, Role, RoomChange};
use server::{
    log::Record,
    search::Query,
    store::{Placed, Replay, Revived, RoomKey, Search, Upkeep, Window},
};

fn sent(mut record: Record, at: Millis) -> Record {
    if let Event::Known(KnownEvent::MessagePosted { message }, _) = &mut record.event {
        message.sent_at = at;
    }
    record
}

fn expired(chat: &Chat, up_to: Position) -> Record {
    chat.record(&chat.ada, KnownEvent::MessagesExpired { up_to })
}

fn keep(chat: &Chat, days: u32) -> Record {
    chat.change(RoomChange { keep_days: Some(days), ..RoomChange::default() })
}

/// Posts messages with these texts: their ids and places.
async fn posted(chat: &Chat, bodies: &[&str]) -> Vec<(MessageId, Position)> {
    let posts: Vec<_> = bodies.iter().map(|body| chat.post(&chat.ada, body)).collect();
    let ids: Vec<_> = posts.iter().map(message_id).collect();
    ids.into_iter().zip(chat.fold(posts).await).collect()
}

async fn history(chat: &Chat) -> Vec<String> {
    let page = chat.store.history(&chat.room, Window::Newest, 100).await.expect("read").expect("a page");
    assert!(!page.more);
    page.messages.into_iter().map(|message| message.body).collect()
}

/// The texts in the archive, by message; events without a text are passed over.
async fn texts(chat: &Chat) -> Vec<String> {
    let page = chat.store.events(&chat.room, Position::START, 100).await.expect("read");
    let text = |event: Event| match event {
        Event::Known(KnownEvent::MessagePosted { message }, _) => Some(message.body),
        Event::Known(KnownEvent::MessageEdited { body, .. }, _) => Some(body),
        _ => None,
    };
    page.events.into_iter().filter_map(|(_, event)| text(event)).collect()
}

async fn through(store: &dyn Upkeep, chat: &Chat, mend: bool) -> Replay {
    let mut replay = Replay::new();
    while !replay.is_done() {
        store.replay(&chat.room, &mut replay, mend).await.expect("a step");
    }
    replay
}

async fn agrees(place: &Place, chat: &Chat) -> u64 {
    let replay = through(&*place.upkeep().await, chat, false).await;
    assert_eq!((&replay.archive.told, &replay.projections.told), (&vec![], &vec![]));
    let (found, expected) = replay.digests();
    assert_eq!(found, expected);
    replay.messages
}

pub async fn of_what_has_become_too_old_nothing_is_left_but_places(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    chat.fold(vec![chat.join(&chat.ada, Role::Owner), chat.join(&chat.lin, Role::Member)]).await;
    let old = posted(&chat, &["old harbour", "old pier"]).await;
    let (one, up_to) = (old[0].0, old[1].1);
    chat.fold(vec![
        chat.react(&chat.lin, one, "👍", true),
        chat.pin(&chat.ada, one, true),
        chat.edit(&chat.ada, one, "old harbour, edited"),
        chat.reply(&chat.ada, one, "new answer"),
    ])
    .await;
    let new = posted(&chat, &["new harbour"]).await;
    chat.fold(vec![chat.pin(&chat.ada, new[0].0, true), chat.react(&chat.lin, new[0].0, "🍵", true)]).await;
    assert_eq!(chat.store.unread(&chat.lin).await.expect("read")[0].unread, 4);

    chat.fold(vec![expired(&chat, up_to)]).await;
    assert_eq!(history(&chat).await, ["new answer", "new harbour"]);
    assert_eq!(texts(&chat).await, ["", "", "", "new answer", "new harbour"], "the edit's too");
    assert_eq!(chat.store.message(chat.room.id, one).await.expect("read"), None);
    assert_eq!(chat.store.thread(&chat.room, one, Window::Newest, 10).await.expect("read"), None);
    let pins = chat.store.pins(&chat.room).await.expect("read").pins;
    assert_eq!(pins.iter().map(|pin| pin.message.body.as_str()).collect::<Vec<_>>(), ["new harbour"]);
    assert_eq!(chat.message(new[0].0).await.reactions.len(), 1);
    assert_eq!(chat.store.unread(&chat.lin).await.expect("read")[0].unread, 2);
    let phrases = Query::parse("harbour").expect("a search").phrases;
    let search = Search { phrases, limit: 50, ..Search::default() };
    let found = chat.store.search(&search).await.expect("read").hits;
    assert_eq!(found.iter().map(|(_, message)| message.body.as_str()).collect::<Vec<_>>(), ["new harbour"]);
    assert_eq!(agrees(place, &chat).await, 2);

    // It only moves forward, and never beyond itself.
    chat.fold(vec![expired(&chat, old[0].1), expired(&chat, Position::new(7, 7))]).await;
    posted(&chat, &["newer"]).await;
    assert_eq!(history(&chat).await, ["newer"]);
    assert_eq!(chat.store.unread(&chat.lin).await.expect("read")[0].unread, 1);
    assert_eq!(agrees(place, &chat).await, 1);
}

pub async fn where_everything_is_too_old_nothing_is_unread_and_the_room_is_known_up_to_there(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    chat.fold(vec![chat.join(&chat.lin, Role::Member)]).await;
    let old = posted(&chat, &["one", "two"]).await;
    chat.fold(vec![expired(&chat, old[1].1)]).await;
    let unread = chat.store.unread(&chat.lin).await.expect("read");
    assert_eq!((unread[0].unread, unread[0].upto), (0, old[1].1));
}

pub async fn what_has_become_too_old_is_not_posted_again_nor_edited(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let record = chat.post(&chat.ada, "one");
    let id = message_id(&record);
    let at = chat.fold(vec![record.clone()]).await[0];
    chat.fold(vec![expired(&chat, at)]).await;
    let told = chat.store.posted(chat.room.id, id).await.expect("read").expect("it was posted");
    assert_eq!((told.author, told.at, told.body), (chat.ada.id, at, None));
    chat.fold(vec![record, chat.edit(&chat.ada, id, "edited"), chat.post(&chat.ada, "two")]).await;
    assert_eq!(history(&chat).await, ["two"]);
    assert_eq!(texts(&chat).await, ["", "two"], "neither is kept");
    agrees(place, &chat).await;
}

pub async fn a_room_that_forgets_is_told_to_one_who_asks_and_again_in_time(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let ask = async |now, again| {
        let rooms = chat.store.forgetting(now, again, 10).await.expect("told");
        rooms.into_iter().map(|room| (room.id, room.keep_days)).collect::<Vec<_>>()
    };
    assert_eq!(ask(1_000, 2_000).await, [], "it keeps everything");
    chat.fold(vec![keep(&chat, 30)]).await;
    let found = chat.store.room(&RoomKey::Id(chat.room.id)).await.expect("read").expect("there");
    assert_eq!(found.keep_days, 30);
    let (one, two) = futures::join!(ask(1_000, 2_000), ask(1_000, 2_000));
    assert_eq!([one, two].concat(), [(chat.room.id, 30)]);
    assert_eq!(ask(1_999, 9_000).await, []);
    assert_eq!(ask(2_000, 9_000).await, [(chat.room.id, 30)]);
    chat.fold(vec![keep(&chat, 7)]).await;
    assert_eq!(ask(2_001, 9_000).await, [(chat.room.id, 7)], "at once when it was changed");
    chat.store.look_again(chat.room.id, 3_000).await.expect("written");
    assert_eq!(ask(3_000, 9_000).await, [(chat.room.id, 7)]);
    chat.fold(vec![keep(&chat, 0)]).await;
    assert_eq!(ask(99_000, 99_000).await, []);

    let posts = vec![sent(chat.post(&chat.ada, "one"), 7), sent(chat.post(&chat.ada, "two"), 9)];
    let at = chat.fold(posts).await;
    assert_eq!(chat.store.oldest(chat.room.id, 10).await.expect("read"), [(at[0], 7), (at[1], 9)]);
    chat.fold(vec![expired(&chat, at[0])]).await;
    assert_eq!(chat.store.oldest(chat.room.id, 10).await.expect("read"), [(at[1], 9)]);
}

pub async fn what_came_back_of_the_forgotten_is_found_and_taken_out(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let store = place.upkeep().await;
    let old = posted(&chat, &["one", "two"]).await;
    chat.fold(vec![chat.edit(&chat.ada, old[0].0, "one, edited"), expired(&chat, old[1].1), keep(&chat, 30)]).await;
    posted(&chat, &["three"]).await;
    let (digest, _) = through(&*store, &chat, false).await.digests();
    for wrong in [
        "insert into messages (room, id, epoch, offset_no, author, body, sent_at, deleted)
         select e.room, e.message, e.epoch, e.offset_no, m.author, 'one', 1000, m.deleted
         from events e, messages m where e.kind = 'message_posted' and m.body = 'three'
         order by e.epoch, e.offset_no limit 1",
        "update rooms set expired_offset = 0",
        "update rooms set keep_days = 0",
    ] {
        place.execute(wrong).await;
        assert!(through(&*store, &chat, false).await.projections.count > 0, "not found: {wrong}");
        assert!(through(&*store, &chat, true).await.mended > 0, "not mended: {wrong}");
        assert_eq!(through(&*store, &chat, false).await.digests(), (digest, digest), "{wrong}");
        agrees(place, &chat).await;
        assert_eq!(history(&chat).await, ["three"]);
    }
    place.execute("update events set body = replace(body, '\"body\":\"\"', '\"body\":\"back\"')").await;
    let found = through(&*store, &chat, false).await;
    assert!(found.archive.told.iter().any(|told| told.contains("forgotten message")), "{:?}", found.archive);
}

pub async fn a_dead_letter_that_is_too_old_by_now_comes_to_its_place_without_its_text(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let store = place.upkeep().await;
    chat.fold(vec![chat.post(&chat.ada, "one")]).await;
    let from = chat.store.progress(PARTITION).await.expect("read");
    let late = post(chat.room.id, &chat.ada, MessageId::new(), "late");
    let letter = Placed::new(from, late);
    chat.store.bury(PARTITION, from, &letter.payload, "for a while").await.expect("buried");
    let records = placed(from + 1, vec![expired(&chat, Position::new(1, from)), chat.post(&chat.ada, "two")]);
    chat.store.fold(PARTITION, from + 1, from + 3, &records).await.expect("folded");
    assert_eq!(store.revive(PARTITION, Position::new(1, from), &letter).await.expect("done"), Revived::Archived);
    through(&*store, &chat, true).await;
    assert_eq!(history(&chat).await, ["two"]);
    assert_eq!(texts(&chat).await, ["", "", "two"]);
    agrees(place, &chat).await;
}
