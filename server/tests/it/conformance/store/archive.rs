use super::{
    chat::{Chat, message_id},
    place::Place,
};
use app::model::{Event, KnownEvent, MessageId, Position, Role};

pub async fn the_archive_is_read_in_order_from_any_position(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let empty = chat.store.events(&chat.room, Position::START, 10).await.expect("read");
    assert_eq!((empty.events.len(), empty.at, empty.more), (0, Position::START, false));
    let post = chat.post(&chat.ada, "Tee");
    let id = message_id(&post);
    let records = vec![
        chat.record(&chat.ada, KnownEvent::RoomCreated { by: chat.ada.clone() }),
        chat.join(&chat.ada, Role::Owner),
        post,
        chat.edit(&chat.ada, id, "Tea"),
        chat.react(&chat.lin, id, "👍", true),
    ];
    let at = chat.fold(records.clone()).await;
    let expected: Vec<(Position, Event)> = at.iter().zip(&records).map(|(at, r)| (*at, r.event_at(*at))).collect();

    let all = chat.store.events(&chat.room, Position::START, 5).await.expect("read");
    assert_eq!((&all.events, all.at, all.more), (&expected, at[4], false));
    let first = chat.store.events(&chat.room, Position::START, 2).await.expect("read");
    assert_eq!((&first.events[..], first.at, first.more), (&expected[..2], at[1], true));
    let rest = chat.store.events(&chat.room, first.at, 100).await.expect("read");
    assert_eq!((&rest.events[..], rest.at, rest.more), (&expected[2..], at[4], false));
    let none = chat.store.events(&chat.room, at[4], 100).await.expect("read");
    assert_eq!((none.events.len(), none.at, none.more), (0, at[4], false));
}

pub async fn what_was_posted_is_told_whatever_was_edited(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let post = chat.post(&chat.ada, "Tee");
    let id = message_id(&post);
    let at = chat.fold(vec![post, chat.edit(&chat.ada, id, "Tea")]).await;

    let posted = chat.store.posted(chat.room.id, id).await.expect("read").expect("there");
    assert_eq!((posted.author, posted.at, posted.body.as_deref()), (chat.ada.id, at[0], Some("Tee")));
    assert_eq!(chat.store.posted(chat.room.id, MessageId::new()).await.expect("read"), None);
    assert_eq!(chat.store.message(chat.room.id, MessageId::new()).await.expect("read"), None);
}
