use super::{
    chat::{Chat, PARTITION, message_id, placed, post, room},
    place::Place,
};
use app::model::{MessageId, MessagePage, Position, Role, RoomId, User, Visibility};
use server::{
    log::Record,
    store::{EventPage, FoldError, Placed, RoomRow, Store, Stretch, Window},
};

async fn newest(store: &dyn Store, room: &RoomRow) -> MessagePage {
    store.history(room, Window::Newest, 100).await.expect("read").expect("a page")
}

async fn archive(store: &dyn Store, room: &RoomRow) -> EventPage {
    store.events(room, Position::START, 10_000).await.expect("read")
}

fn bodies(page: &MessagePage) -> Vec<&str> {
    page.messages.iter().map(|m| m.body.as_str()).collect()
}

pub async fn progress_moves_with_the_rows_and_only_from_where_the_batch_begins(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let store = &chat.store;
    assert_eq!(store.progress(PARTITION).await.expect("read"), 0);
    store.fold(PARTITION, 0, 3, &placed(0, vec![chat.post(&chat.ada, "one")])).await.expect("folded");
    assert_eq!(store.progress(PARTITION).await.expect("read"), 3);
    assert_eq!(store.progress(PARTITION + 1).await.expect("read"), 0, "another partition");

    for from in [0, 2, 4] {
        let late = placed(from, vec![chat.post(&chat.ada, "late")]);
        let refused = store.fold(PARTITION, from, from + 1, &late).await;
        assert!(matches!(refused, Err(FoldError::Moved { actual: 3 })), "from {from}: {refused:?}");
    }
    let refused = store.fold(PARTITION + 1, 5, 6, &[]).await;
    assert!(matches!(refused, Err(FoldError::Moved { actual: 0 })), "{refused:?}");

    assert_eq!(bodies(&newest(&**store, &chat.room).await), ["one"], "what was refused left nothing");
    assert_eq!(archive(&**store, &chat.room).await.events.len(), 1);
}

pub async fn a_batch_without_records_moves_the_progress(place: &Place) {
    let store = place.open().await;
    store.fold(7, 0, 12, &[]).await.expect("folded");
    store.fold(7, 12, 12, &[]).await.expect("folded");
    assert_eq!(store.progress(7).await.expect("read"), 12);
}

pub async fn of_two_who_fold_the_same_batch_at_once_one_is_refused(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    // The first two make the partition's row of progress, the next two find it.
    for from in 0..2 {
        let records = placed(from, vec![chat.post(&chat.ada, "once")]);
        let fold = || chat.store.fold(PARTITION, from, from + 1, &records);

        let (one, other) = tokio::join!(fold(), fold());

        let refused = if one.is_ok() { other } else { one };
        assert!(matches!(refused, Err(FoldError::Moved { actual }) if actual == from + 1), "{refused:?}");
    }
    assert_eq!(bodies(&newest(&*chat.store, &chat.room).await), ["once", "once"]);
}

pub async fn the_first_of_several_records_with_one_message_id_stands(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let id = MessageId::new();
    let again = |by: &User, body| post(chat.room.id, by, id, body);

    let at =
        chat.fold(vec![again(&chat.ada, "first"), again(&chat.ada, "second"), chat.post(&chat.lin, "other")]).await;
    chat.fold(vec![again(&chat.lin, "third"), chat.post(&chat.lin, "last"), again(&chat.ada, "first")]).await;

    let page = newest(&*chat.store, &chat.room).await;
    assert_eq!(bodies(&page), ["first", "other", "last"]);
    assert_eq!((page.messages[0].id, page.messages[0].at), (id, at[0]));
    let posted = chat.store.posted(chat.room.id, id).await.expect("read").expect("there");
    assert_eq!((posted.author, posted.at, posted.body.as_deref()), (chat.ada.id, at[0], Some("first")));
    assert_eq!(archive(&*chat.store, &chat.room).await.events.len(), 3, "a repetition is no event");
}

pub async fn one_message_id_in_two_rooms_is_two_messages(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let other = room(&*chat.store, "coffee", Visibility::Public, PARTITION).await;
    let id = MessageId::new();

    chat.fold(vec![post(chat.room.id, &chat.ada, id, "tea"), post(other.id, &chat.lin, id, "coffee")]).await;

    assert_eq!(bodies(&newest(&*chat.store, &chat.room).await), ["tea"]);
    assert_eq!(bodies(&newest(&*chat.store, &other).await), ["coffee"]);
}

pub async fn a_record_that_cannot_be_applied_is_named_and_nothing_is_folded(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let nobody = super::chat::new_account("nobody", "Nobody").user;
    let nowhere = |record: Record| Record { room: RoomId::new(), ..record };
    let culprits = [
        nowhere(chat.post(&chat.ada, "where?")),
        nowhere(chat.join(&chat.ada, Role::Member)),
        chat.post(&nobody, "who?"),
        chat.join(&nobody, Role::Member),
    ];
    for culprit in culprits {
        let mut records: Vec<Record> = (0..30).map(|i| chat.post(&chat.ada, &i.to_string())).collect();
        records[17] = culprit;

        let refused = chat.refuse(records).await;

        assert!(matches!(refused, FoldError::Poison { offset: 17, .. }), "{refused:?}");
        assert_eq!(chat.store.progress(PARTITION).await.expect("read"), 0);
        assert!(newest(&*chat.store, &chat.room).await.messages.is_empty());
    }
    assert!(matches!(chat.refuse(vec![chat.post(&nobody, "who?")]).await, FoldError::Poison { offset: 0, .. }));
}

pub async fn what_is_buried_is_passed_by_and_once_only(place: &Place) {
    let store = place.open().await;
    store.bury(5, 0, b"\0\xff", "not a record: \0").await.expect("buried");
    assert_eq!(store.progress(5).await.expect("read"), 1);

    let again = store.bury(5, 0, b"\0\xff", "not a record").await;
    assert!(matches!(again, Err(FoldError::Moved { actual: 1 })), "{again:?}");
    let ahead = store.bury(5, 3, b"x", "not a record").await;
    assert!(matches!(ahead, Err(FoldError::Moved { actual: 1 })), "{ahead:?}");
    store.bury(5, 1, b"x", "not a record").await.expect("buried");
}

/// A seeded mixture of everything that can happen, repetitions and vain attempts too.
fn mixture(chat: &Chat, count: usize) -> Vec<Record> {
    let mut state = 0x5eed_u64;
    let mut below = move |n: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    };
    let people = [&chat.ada, &chat.lin];
    let mut ids = vec![MessageId::new()];
    let mut records = Vec::new();
    for i in 0..count {
        let (by, id) = (people[below(2)], ids[below(ids.len())]);
        let emoji = ["👍", "🎉"][below(2)];
        records.push(match below(14) {
            0..=5 => {
                let new = chat.post(by, &format!("message {i}"));
                ids.push(message_id(&new));
                new
            }
            6 => post(chat.room.id, by, id, "again"),
            7 => chat.edit(by, id, &format!("edit {i}")),
            8 => chat.delete(by, id),
            9 | 10 => chat.react(by, id, emoji, true),
            11 => chat.react(by, id, emoji, false),
            12 => chat.pin(by, id, true),
            _ => chat.pin(by, id, false),
        });
    }
    records
}

/// Records side by side, of a partition whose progress is where they begin.
fn stretch(partition: u32, records: &[Placed]) -> Stretch<'_> {
    let from = records[0].offset;
    Stretch { partition, from, next: from + records.len() as u64, records }
}

pub async fn batches_of_any_size_give_the_same_rows_and_so_do_partitions_together(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let store = &chat.store;
    let records = mixture(&chat, 300);
    let new_log = async |partition: u32| {
        let room = room(&**store, &format!("room-{partition}"), Visibility::Public, partition).await;
        let moved = records.iter().map(|r| Record { room: room.id, ..r.clone() }).collect();
        (room, placed(0, moved))
    };
    let mut rooms = Vec::new();
    for (partition, size) in [(10, 1), (11, 7), (12, 300)] {
        let (room, log) = new_log(partition).await;
        for batch in log.chunks(size) {
            let Stretch { from, next, records, .. } = stretch(partition, batch);
            store.fold(partition, from, next, records).await.expect("folded");
        }
        rooms.push(room);
    }
    let ((one, log), (other, also)) = (new_log(13).await, new_log(14).await);
    // The same offsets, together and once apart.
    for (n, (batch, also)) in log.chunks(7).zip(also.chunks(7)).enumerate() {
        let stretches = [stretch(13, batch), stretch(14, also)];
        if n == 3 {
            store.fold_together(&stretches[..1]).await.expect("folded");
            store.fold_together(&stretches[1..]).await.expect("folded");
        } else {
            store.fold_together(&stretches).await.expect("folded");
        }
    }
    rooms.extend([one, other]);
    let mut results = Vec::new();
    for room in &rooms {
        let history = store.history(room, Window::Newest, 1_000).await.expect("read").expect("a page");
        let pins = store.pins(room).await.expect("read").pins;
        results.push((history, archive(&**store, room).await, pins));
    }
    assert!(results[0].0.messages.len() > 100 && !results[0].2.is_empty());
    for (result, how) in results[1..].iter().zip(["by sevens", "all at once", "together", "together as the second"]) {
        assert_eq!(&results[0], result, "one by one and {how}");
    }
}

pub async fn partitions_are_folded_together_or_not_at_all(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let store = &chat.store;
    let other = room(&**store, "coffee", Visibility::Public, PARTITION + 1).await;
    let nobody = super::chat::new_account("nobody", "Nobody").user;
    let tea = placed(0, vec![chat.post(&chat.ada, "tea")]);
    let coffee = placed(0, vec![post(other.id, &chat.lin, MessageId::new(), "coffee")]);
    let bad = placed(0, vec![post(other.id, &nobody, MessageId::new(), "who?")]);
    let both = async |(from, coffee): (u64, &[Placed])| {
        let tea = Stretch { partition: PARTITION, from: 0, next: 1, records: &tea };
        let coffee = Stretch { partition: PARTITION + 1, from, next: from + 1, records: coffee };
        store.fold_together(&[tea, coffee]).await
    };

    let later = placed(4, vec![post(other.id, &chat.lin, MessageId::new(), "coffee")]);
    let moved = both((4, &later)).await;
    assert!(matches!(moved, Err(FoldError::Moved { actual: 0 })), "{moved:?}");
    let poison = both((0, &bad)).await;
    assert!(matches!(poison, Err(FoldError::Poison { .. })), "{poison:?}");
    assert_eq!(store.progress(PARTITION).await.expect("read"), 0);
    assert!(newest(&**store, &chat.room).await.messages.is_empty());

    both((0, &coffee)).await.expect("folded");
    let again = both((0, &coffee)).await;
    assert!(matches!(again, Err(FoldError::Moved { actual: 1 })), "{again:?}");
    assert_eq!(bodies(&newest(&**store, &chat.room).await), ["tea"]);
    assert_eq!(bodies(&newest(&**store, &other).await), ["coffee"]);
    assert_eq!(
        [store.progress(PARTITION).await.expect("read"), store.progress(PARTITION + 1).await.expect("read")],
        [1, 1]
    );
}
