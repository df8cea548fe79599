//! What rooms keep in view.

use super::{
    chat::{Chat, PARTITION, message_id, new_account, placed},
    place::Place,
};
use app::model::{MessageId, Position};
use server::store::{FoldError, Replay, Upkeep, Window};

async fn pinned(chat: &Chat) -> Vec<String> {
    let list = chat.store.pins(&chat.room).await.expect("read");
    list.pins.into_iter().map(|pin| pin.message.body).collect()
}

async fn posted(chat: &Chat, bodies: &[&str]) -> Vec<MessageId> {
    let posts: Vec<_> = bodies.iter().map(|body| chat.post(&chat.ada, body)).collect();
    let ids = posts.iter().map(message_id).collect();
    chat.fold(posts).await;
    ids
}

pub async fn the_last_pinned_is_listed_first_and_each_once(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let empty = chat.store.pins(&chat.room).await.expect("read");
    assert!(empty.pins.is_empty());
    let ids = posted(&chat, &["one", "two", "three"]).await;
    let at = chat
        .fold(vec![
            chat.pin(&chat.lin, ids[2], true),
            chat.pin(&chat.ada, ids[0], true),
            chat.pin(&chat.ada, ids[1], true),
            chat.pin(&chat.ada, ids[2], true),
            chat.pin(&chat.lin, ids[1], false),
            chat.pin(&chat.lin, ids[1], false),
            chat.edit(&chat.ada, ids[0], "one, edited"),
        ])
        .await;

    let list = chat.store.pins(&chat.room).await.expect("read");
    assert_eq!(list.at, at[6]);
    let who: Vec<_> =
        list.pins.iter().map(|p| (p.message.body.as_str(), p.by.username.as_str(), p.pinned_at)).collect();
    assert_eq!(who, [("one, edited", "ada", 3_000), ("three", "lin", 3_000)], "the first to pin it stands");
    assert!(list.pins.iter().all(|pin| pin.message.pinned && pin.message.author.username == "ada"));
    let page = chat.store.history(&chat.room, Window::Newest, 10).await.expect("read").expect("a page");
    assert_eq!(page.messages.iter().map(|m| m.pinned).collect::<Vec<_>>(), [true, false, true]);
    assert!(!chat.message(ids[1]).await.pinned);
    assert_eq!(list.pins[0].message, chat.message(ids[0]).await);
}

pub async fn nothing_is_pinned_that_is_not_there_any_more(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let ids = posted(&chat, &["one", "two"]).await;
    chat.fold(vec![
        chat.pin(&chat.ada, ids[0], true),
        chat.delete(&chat.ada, ids[0]),
        chat.pin(&chat.ada, ids[0], true),
        chat.pin(&chat.ada, MessageId::new(), true),
        chat.pin(&chat.ada, ids[1], true),
    ])
    .await;
    assert_eq!(pinned(&chat).await, ["two"]);
    assert!(!chat.message(ids[0]).await.pinned);
    let events = chat.store.events(&chat.room, Position::START, 10).await.expect("read").events;
    assert_eq!(events.len(), 7, "each is an event all the same");
    let eve = new_account("eve", "Eve").user;
    let other = chat.post(&chat.ada, "three");
    let id = message_id(&other);
    chat.fold(vec![other]).await;
    let refused = chat.refuse(vec![chat.pin(&eve, id, true)]).await;
    assert!(matches!(refused, FoldError::Poison { .. }), "nobody has pinned it: {refused:?}");
}

pub async fn a_list_and_its_position_are_of_one_moment(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let ids = posted(&chat, &["one"]).await;
    let from = chat.store.progress(PARTITION).await.expect("read");
    let folding = async {
        for n in 0..200_u64 {
            let records = placed(from + n, vec![chat.pin(&chat.ada, ids[0], n % 2 == 0)]);
            chat.store.fold(PARTITION, from + n, from + n + 1, &records).await.expect("folded");
        }
    };
    let reading = async {
        for _ in 0..100 {
            let list = chat.store.pins(&chat.room).await.expect("read");
            let pinned = list.at.offset >= from && (list.at.offset - from) % 2 == 0;
            assert_eq!(list.pins.len(), usize::from(pinned), "at {}", list.at);
        }
    };
    futures::join!(folding, reading);
}

async fn through(store: &dyn Upkeep, chat: &Chat, mend: bool) -> Replay {
    let mut replay = Replay::new();
    while !replay.is_done() {
        store.replay(&chat.room, &mut replay, mend).await.expect("a step");
    }
    replay
}

pub async fn every_wrong_pin_is_found_and_put_right(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let store = place.upkeep().await;
    let ids = posted(&chat, &["one", "two", "three", "four"]).await;
    chat.fold(vec![
        chat.pin(&chat.ada, ids[0], true),
        chat.pin(&chat.lin, ids[1], true),
        chat.pin(&chat.lin, ids[0], true),
        chat.pin(&chat.lin, ids[2], true),
        chat.pin(&chat.ada, ids[2], false),
        chat.pin(&chat.ada, ids[3], true),
        chat.delete(&chat.ada, ids[3]),
        chat.pin(&chat.ada, ids[3], true),
    ])
    .await;
    let before = chat.store.pins(&chat.room).await.expect("read");
    let clean = through(&*store, &chat, false).await;
    assert_eq!((clean.projections.count, clean.archive.count), (0, 0), "{:?}", clean.projections);
    let (digest, _) = clean.digests();
    for wrong in [
        "delete from pins",
        "update pins set pinned_at = 7",
        "update pins set offset_no = offset_no + 500",
        "update pins set account = (select account from pins order by account limit 1)",
        "insert into pins (room, message, account, pinned_at, epoch, offset_no)
         select room, id, author, 3000, epoch, 500 from messages where deleted or body = 'three'",
    ] {
        place.execute(wrong).await;
        let found = through(&*store, &chat, false).await;
        assert!(found.projections.count > 0, "not found: {wrong}");
        assert!(found.projections.told.iter().all(|told| told.ends_with("differs in pin")), "{:?}", found.projections);
        assert_ne!(found.digests().0, digest, "{wrong}");
        let mended = through(&*store, &chat, true).await;
        assert!(mended.mended > 0, "not mended: {wrong}");
        assert_eq!(through(&*store, &chat, false).await.digests(), (digest, digest), "{wrong}");
        let after = chat.store.pins(&chat.room).await.expect("read");
        assert_eq!(after, before, "{wrong}");
    }
}
