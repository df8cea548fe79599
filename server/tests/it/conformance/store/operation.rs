use super::{
    chat::{Chat, PARTITION, new_account},
    place::Place,
};
use server::store::{RoomKey, StoreError, Window};
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
