use super::{
    chat::{Chat, PARTITION, message_id, new_account, placed, post},
    place::Place,
};
use app::model::{KnownEvent, MessageId, Position, Role, User};
use bytes::Bytes;
use server::{
    log::Entry,
    store::{NewAccount, Placed, Replay, Revived, RoomKey, Upkeep, Window},
};
use std::{sync::Arc, time::Duration};

/// A room with some of everything: messages, edits, deletions, reactions, members.
async fn lively(place: &Place) -> (Chat, Arc<dyn Upkeep>) {
    let chat = Chat::new(place.open().await).await;
    let posts: Vec<_> = (0..5).map(|n| chat.post(&chat.ada, &format!("Tea {n}"))).collect();
    let ids: Vec<MessageId> = posts.iter().map(message_id).collect();
    chat.fold(vec![chat.record(&chat.ada, KnownEvent::RoomCreated { by: chat.ada.clone() })]).await;
    chat.fold(posts).await;
    chat.fold(vec![
        chat.join(&chat.lin, Role::Member),
        chat.edit(&chat.ada, ids[0], "Tea 0, edited"),
        chat.edit(&chat.lin, ids[1], "in vain"),
        chat.edit(&chat.ada, ids[2], "secret"),
        chat.react(&chat.lin, ids[0], "👍", true),
        chat.react(&chat.ada, ids[0], "👍", true),
        chat.react(&chat.lin, ids[1], "🎉", true),
        chat.react(&chat.lin, ids[1], "🎉", false),
        chat.react(&chat.lin, ids[2], "👍", true),
        chat.delete(&chat.ada, ids[2]),
    ])
    .await;
    (chat, place.upkeep().await)
}

async fn through(store: &dyn Upkeep, chat: &Chat, mend: bool) -> Replay {
    let mut replay = Replay::new();
    while !replay.is_done() {
        store.replay(&chat.room, &mut replay, mend).await.expect("a step");
    }
    replay
}

async fn is_clean(store: &dyn Upkeep, chat: &Chat) {
    let replay = through(store, chat, false).await;
    assert_eq!((replay.archive, replay.projections), Default::default());
}

pub async fn a_room_that_was_only_folded_agrees_with_itself(place: &Place) {
    let (chat, store) = lively(place).await;
    let replay = through(&*store, &chat, false).await;
    assert_eq!((&replay.archive, &replay.projections), (&Default::default(), &Default::default()));
    assert_eq!((replay.events, replay.messages, replay.unsealed), (15, 5, 0));
    let (found, expected) = replay.digests();
    assert_eq!(found, expected);
}

pub async fn an_event_that_was_changed_taken_out_or_put_in_is_found(place: &Place) {
    let (chat, store) = lively(place).await;
    for (wrong, right) in [
        (
            "update events set body = replace(body, 'Tea 1', 'Pea 1')",
            "update events set body = replace(body, 'Pea 1', 'Tea 1')",
        ),
        (
            "update events set offset_no = 1000 where offset_no = 0",
            "update events set offset_no = 0 where offset_no = 1000",
        ),
        (
            "insert into events (room, epoch, offset_no, kind, body, digest)
             select room, epoch, 2, kind, body, digest from events where offset_no = 0",
            "delete from events where offset_no = 2",
        ),
        (
            "update events set body = replace(body, 'Tea 4', '') where kind = 'message_posted'",
            "update events set body = replace(body, '\"body\":\"\"', '\"body\":\"Tea 4\"') where kind = 'message_posted' and body not like '%\"deleted\":true%'",
        ),
    ] {
        place.execute(wrong).await;
        let replay = through(&*store, &chat, false).await;
        assert!(replay.archive.count > 0, "not found: {wrong}");
        place.execute(right).await;
        is_clean(&*store, &chat).await;
    }
    place.execute("delete from events where offset_no = (select max(offset_no) from events)").await;
    assert!(through(&*store, &chat, false).await.archive.count > 0, "a lost end is found too");
}

pub async fn the_version_before_goes_on_writing_beside_this_one(place: &Place) {
    let (chat, store) = lively(place).await;
    // What 0.1.0 does when it folds: nothing that it writes names a digest or a chain.
    let before = chat.store.progress(PARTITION).await.expect("read");
    place
        .execute(
            "insert into events (room, epoch, offset_no, kind, message, body)
             select room, epoch, 900, kind, null, body from events where kind = 'member_joined'",
        )
        .await;
    place.execute("update progress set next_offset = 901").await;
    assert!(before < 901);
    let replay = through(&*store, &chat, false).await;
    assert_eq!((replay.archive.count, replay.unsealed), (0, 1), "{:?}", replay.archive);

    // This version goes on behind it, and the chain begins anew.
    let later = placed(901, vec![chat.post(&chat.ada, "later"), chat.post(&chat.lin, "and later")]);
    chat.store.fold(PARTITION, 901, 903, &later).await.expect("folded");
    let replay = through(&*store, &chat, false).await;
    assert_eq!((replay.archive.count, replay.unsealed), (0, 16), "{:?}", replay.archive);

    // Digests from the log close the gap.
    let archived = store.archived(&[chat.room.id], 1, 900, 901).await.expect("read");
    let body = archived[0].body.clone().expect("it has no digest");
    store.fill(&[(chat.room.id, archived[0].at, server::store::chain::digest(&body))]).await.expect("filled");
    store.seal(&chat.room).await.expect("sealed");
    let replay = through(&*store, &chat, false).await;
    assert_eq!((replay.archive.count, replay.unsealed, replay.events), (0, 0, 18), "{:?}", replay.archive);
}

pub async fn every_wrong_row_is_found_and_put_right(place: &Place) {
    let (chat, store) = lively(place).await;
    let history = chat.store.history(&chat.room, Window::Newest, 50).await.expect("read");
    let members = chat.store.members(chat.room.id).await.expect("read");
    let (before, _) = through(&*store, &chat, false).await.digests();
    for wrong in [
        "update messages set body = 'forged' where offset_no = 1",
        "update messages set deleted = not deleted",
        "update messages set offset_no = offset_no + 500",
        "delete from reactions",
        "update reactions set emoji = 'x' where emoji = (select max(emoji) from reactions)",
        "update memberships set role = 'owner'",
        "delete from memberships",
        "insert into messages (room, id, epoch, offset_no, author, body, sent_at, deleted)
         select room, author, epoch, 77777, author, 'never posted', 0, deleted from messages where offset_no = 1",
    ] {
        place.execute(wrong).await;
        let found = through(&*store, &chat, false).await;
        assert!(found.projections.count > 0, "not found: {wrong}");
        assert_ne!(found.digests().0, before, "{wrong}");
        let mended = through(&*store, &chat, true).await;
        assert!(mended.mended > 0, "not mended: {wrong}");
        let after = through(&*store, &chat, false).await;
        assert_eq!((after.projections.count, after.archive.count), (0, 0), "{wrong}: {:?}", after.projections);
        assert_eq!(after.digests(), (before, before), "{wrong}");
    }
    place.execute("delete from reactions").await;
    place.execute("delete from messages").await;
    through(&*store, &chat, true).await;
    assert_eq!(chat.store.history(&chat.room, Window::Newest, 50).await.expect("read"), history);
    assert_eq!(chat.store.members(chat.room.id).await.expect("read"), members);
}

pub async fn what_is_folded_while_a_room_is_mended_is_not_lost(place: &Place) {
    let (chat, store) = lively(place).await;
    // More than a step goes through.
    for _ in 0..6 {
        chat.fold((0..400).map(|_| chat.post(&chat.ada, "tick")).collect()).await;
    }
    place.execute("update messages set body = 'forged' where body = 'tick'").await;
    let mut replay = Replay::new();
    while !replay.is_done() {
        store.replay(&chat.room, &mut replay, true).await.expect("a step");
        let page = chat.store.history(&chat.room, Window::After(Position::new(1, 50)), 1).await.expect("read");
        let early = page.expect("a page").messages[0].id;
        let new = chat.post(&chat.ada, "tock");
        let edit = chat.edit(&chat.ada, message_id(&new), "tock!");
        chat.fold(vec![new, edit, chat.react(&chat.lin, early, "👍", true)]).await;
    }
    assert!(replay.mended >= 2_400, "{}", replay.mended);
    is_clean(&*store, &chat).await;
}

pub async fn mending_beside_folding_changes_nothing_that_is_right(place: &Place) {
    let (chat, store) = lively(place).await;
    let posts: Vec<_> = (0..50).map(|_| chat.post(&chat.ada, "tick")).collect();
    let ids: Vec<MessageId> = posts.iter().map(message_id).collect();
    chat.fold(posts).await;
    let folding = async {
        for n in 0..200 {
            let id = ids[n % ids.len()];
            chat.fold(vec![
                chat.edit(&chat.ada, id, &format!("tock {n}")),
                chat.react(&chat.lin, id, "👍", n % 2 == 0),
            ])
            .await;
        }
    };
    let mending = async {
        for _ in 0..100 {
            let replay = through(&*store, &chat, true).await;
            assert_eq!((replay.mended, replay.projections), (0, Default::default()), "what is right was changed");
            // SQLite gives its one lock to whoever happens to ask, not in turn.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    futures::join!(folding, mending);
    is_clean(&*store, &chat).await;
}

pub async fn what_this_version_does_not_know_is_carried_whole(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let known = chat.post(&chat.ada, "Tea");
    let mut json: serde_json::Value = serde_json::from_slice(&known.encode()).expect("json");
    json["event"]["message"]["poll"] = serde_json::json!({ "z": [1, 2], "a": "?" });
    json["event"]["urgent"] = true.into();
    json["signed"] = "by a later version".into();
    let entry = Entry { offset: 0, payload: Bytes::from(json.to_string()) };
    let placed = Placed::decode(&entry).expect("a record");
    chat.store.fold(PARTITION, 0, 1, &[placed]).await.expect("folded");

    let page = chat.store.events(&chat.room, Position::START, 10).await.expect("read");
    let (at, body) = page.bodies().next().expect("an event");
    let mut expected = json["event"].clone();
    expected["message"]["at"] = at.to_string().into();
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&body).expect("json"), expected);
    is_clean(&*place.upkeep().await, &chat).await;
}

fn stranger() -> NewAccount {
    new_account("eve", "Eve")
}

/// A message of somebody whom the store does not know, buried at the end of what is folded.
async fn bury(chat: &Chat, author: &User, body: &str) -> (Position, MessageId) {
    let offset = chat.store.progress(PARTITION).await.expect("read");
    let letter = post(chat.room.id, author, MessageId::new(), body);
    let refused = chat.refuse(vec![letter.clone()]).await;
    chat.store.bury(PARTITION, offset, &letter.encode(), &refused.to_string()).await.expect("buried");
    chat.skip(1);
    (Position::new(1, offset), message_id(&letter))
}

pub async fn a_dead_letter_comes_to_its_own_place_once(place: &Place) {
    let (chat, store) = lively(place).await;
    let eve = stranger();
    let (at, id) = bury(&chat, &eve.user, "too early").await;
    chat.fold(vec![chat.post(&chat.lin, "after it"), chat.react(&chat.lin, id, "👍", true)]).await;
    assert_eq!(store.dead_letters(None, 10).await.expect("read")[0].at, at);

    chat.store.create_account(&eve).await.expect("written");
    let letter = store.dead_letters(None, 10).await.expect("read").remove(0);
    let entry = Entry { offset: at.offset, payload: Bytes::from(letter.payload) };
    let placed = Placed::decode(&entry).expect("a record");
    assert_eq!(store.revive(PARTITION, at, &placed).await.expect("done"), Revived::Archived);
    let mended = through(&*store, &chat, true).await;
    assert_eq!(mended.archive, Default::default());

    let page = chat.store.history(&chat.room, Window::Newest, 3).await.expect("read").expect("a page");
    let bodies: Vec<&str> = page.messages.iter().map(|m| m.body.as_str()).collect();
    assert_eq!(bodies, ["Tea 4", "too early", "after it"]);
    assert_eq!((page.messages[1].at, page.messages[1].reactions.len()), (at, 1), "what came after it holds");
    assert!(store.dead_letters(None, 10).await.expect("read").is_empty());
    assert_eq!(store.revive(PARTITION, at, &placed).await.expect("done"), Revived::Unknown);
    is_clean(&*store, &chat).await;
}

pub async fn a_dead_letter_that_still_cannot_be_applied_stays(place: &Place) {
    let (chat, store) = lively(place).await;
    let eve = stranger();
    let (at, id) = bury(&chat, &eve.user, "nobody's").await;
    let letter = store.dead_letters(None, 10).await.expect("read").remove(0);
    let placed = Placed::decode(&Entry { offset: at.offset, payload: Bytes::from(letter.payload) }).expect("a record");
    let refused = store.revive(PARTITION, at, &placed).await.expect("answered");
    assert!(matches!(&refused, Revived::Refused(why) if why.contains("account")), "{refused:?}");
    assert_eq!(store.dead_letters(None, 10).await.expect("read").len(), 1);

    // The same id was posted later, by a retry that could be folded: then the letter changes nothing.
    let retried = post(chat.room.id, &chat.ada, id, "nobody's");
    chat.fold(vec![retried]).await;
    chat.store.create_account(&eve).await.expect("written");
    assert_eq!(store.revive(PARTITION, at, &placed).await.expect("answered"), Revived::Vain);
    assert!(store.dead_letters(None, 10).await.expect("read").is_empty());
    assert!(!store.discard(PARTITION, at).await.expect("answered"));
    is_clean(&*store, &chat).await;
}

pub async fn what_the_archive_lost_comes_back_from_the_log(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let store = place.upkeep().await;
    let (one, two) = (chat.post(&chat.ada, "one"), chat.post(&chat.ada, "secret"));
    let (first, second) = (message_id(&one), message_id(&two));
    let log = placed(
        0,
        vec![
            chat.record(&chat.ada, KnownEvent::RoomCreated { by: chat.ada.clone() }),
            one.clone(),
            one,
            two,
            chat.edit(&chat.ada, first, "one!"),
            chat.edit(&chat.lin, first, "in vain"),
            chat.delete(&chat.ada, second),
        ],
    );
    chat.store.fold(PARTITION, 0, 7, &log).await.expect("folded");
    let history = chat.store.history(&chat.room, Window::Newest, 10).await.expect("read");
    place.execute("delete from events where offset_no in (0, 1, 3)").await;
    place.execute("update events set body = replace(body, 'one!', '')").await;
    place.execute("delete from messages").await;

    let restored = store.restore(PARTITION, 1, &log).await.expect("restored");
    assert_eq!(restored.len(), 4);
    store.seal(&chat.room).await.expect("sealed");
    through(&*store, &chat, true).await;
    is_clean(&*store, &chat).await;
    assert_eq!(chat.store.history(&chat.room, Window::Newest, 10).await.expect("read"), history);
    assert!(store.restore(PARTITION, 1, &log).await.expect("restored").is_empty());
}

pub async fn a_new_epoch_comes_after_everything_before_it(place: &Place) {
    let (chat, store) = lively(place).await;
    let mut old = chat.store.history(&chat.room, Window::Newest, 50).await.expect("read").expect("a page").messages;
    assert!(!store.begin_epoch(7, &[0; 4]).await.expect("answered"), "somebody else's idea of the generation");
    assert!(store.begin_epoch(1, &[0; 4]).await.expect("answered"));
    assert_eq!((store.epoch().await.expect("read"), store.progress(PARTITION).await.expect("read")), (2, 0));

    // Nothing of the new log yet: everything of the old one is covered.
    let page = chat.store.history(&chat.room, Window::Newest, 50).await.expect("read").expect("a page");
    assert_eq!((page.at, page.messages.len()), (Position::before(2), old.len()));
    let events = chat.store.events(&chat.room, Position::START, 100).await.expect("read");
    assert_eq!((events.at, events.events.len()), (Position::before(2), 15));
    assert_eq!(page.at.to_string().parse(), Ok(page.at));

    // Small offsets again, and all the same later.
    let (new, id) = (chat.post(&chat.lin, "new"), old[0].id);
    let log = placed(0, vec![new, chat.edit(&chat.ada, id, "edited in the new log")]);
    chat.store.fold(PARTITION, 0, 2, &log).await.expect("folded");
    let page = chat.store.history(&chat.room, Window::Newest, 50).await.expect("read").expect("a page");
    assert_eq!(page.at, Position::new(2, 1));
    old[0].body = "edited in the new log".into();
    old[0].edited_at = Some(2_000);
    assert_eq!(page.messages[..old.len()], old);
    assert_eq!((page.messages[old.len()].body.as_str(), page.messages[old.len()].at), ("new", Position::new(2, 0)));
    let after = chat.store.history(&chat.room, Window::After(old[3].at), 50).await.expect("read").expect("a page");
    let bodies: Vec<&str> = after.messages.iter().map(|m| m.body.as_str()).collect();
    assert_eq!(bodies, ["Tea 4", "new"]);
    let before = chat.store.history(&chat.room, Window::Before(Position::new(2, 0)), 2).await.expect("read");
    assert_eq!(before.expect("a page").messages[1].body, "Tea 4");
    let row = chat.store.room(&RoomKey::Id(chat.room.id)).await.expect("read").expect("there");
    assert_eq!(chat.store.head(&row).await.expect("read"), Position::new(2, 1));
    chat.store.mark_read(chat.room.id, chat.ada.id, Position::new(1, 999)).await.expect("written");
    chat.store.mark_read(chat.room.id, chat.ada.id, Position::new(2, 0)).await.expect("written");
    let marker = chat.store.read_marker(chat.room.id, chat.ada.id).await.expect("read");
    assert_eq!(marker, Some(Position::new(2, 0)));
    is_clean(&*store, &chat).await;
}
