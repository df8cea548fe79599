use super::{
    chat::{Chat, PARTITION, new_account, placed},
    place::Place,
};
use server::store::{FoldError, RoomKey, StoreError, Window};
use std::time::{Duration, Instant};

pub async fn what_was_acknowledged_is_there_after_opening_again(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    chat.fold(vec![chat.post(&chat.ada, "Tea?")]).await;
    let before = chat.store.history(&chat.room, Window::Newest, 10).await.expect("read");
    let room = chat.room.clone();
    drop(chat);

    let store = place.open().await;

    store.check().await.expect("it answers");
    assert_eq!(store.room(&RoomKey::Id(room.id)).await.expect("read"), Some(room.clone()));
    assert!(store.account("ada").await.expect("read").is_some());
    assert_eq!(store.progress(PARTITION).await.expect("read"), 1);
    assert_eq!(store.history(&room, Window::Newest, 10).await.expect("read"), before);
}

pub async fn the_epoch_is_one_at_first(place: &Place) {
    assert_eq!(place.open().await.epoch().await.expect("read"), 1);
}

pub async fn a_call_that_is_blocked_is_given_up_in_time_and_works_again_later(place: &Place) {
    let store = place.open().await;
    let block = place.block().await;

    let started = Instant::now();
    let refused = store.create_account(&new_account("ada", "Ada")).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    assert!(started.elapsed() <= Duration::from_secs(10));
    assert!(store.account("ada").await.expect("reading goes on").is_none());

    block.release().await;
    store.create_account(&new_account("ada", "Ada")).await.expect("written");
}

pub async fn a_call_that_its_caller_drops_is_done_wholly_or_not_at_all(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let (mut next, mut dropped) = (0, 0);
    for step in 0..60 {
        let records = placed(next, (0..3).map(|_| chat.post(&chat.ada, "tick")).collect());
        let patience = Duration::from_micros(50 * step);
        let fold = chat.store.fold(PARTITION, next, next + 3, &records);
        match tokio::time::timeout(patience, fold).await {
            Ok(folded) => folded.expect("folded"),
            Err(_) => dropped += 1,
        }
        let progress = chat.store.progress(PARTITION).await.expect("read");
        // A dropped one may still come through, but only as a whole; so the next batch says from where.
        assert!(progress == next || progress == next + 3, "from {next} to {progress}");
        let batch = placed(progress, vec![chat.post(&chat.ada, "tock")]);
        next = match chat.store.fold(PARTITION, progress, progress + 1, &batch).await {
            Ok(()) => progress + 1,
            Err(FoldError::Moved { actual }) => actual,
            Err(e) => panic!("{e}"),
        };
    }
    assert!(dropped > 0, "no call was dropped");
    let page = chat.store.history(&chat.room, Window::Newest, 1_000).await.expect("read").expect("a page");
    assert_eq!(page.messages.len() as u64, chat.store.progress(PARTITION).await.expect("read"));
}

pub async fn a_store_that_a_later_version_has_used_opens_all_the_same(place: &Place) {
    drop(place.open().await);
    place
        .execute(
            "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
             values (9999, 'of a later version', true, '', 0)",
        )
        .await;
    place.open().await.check().await.expect("it answers");
}
