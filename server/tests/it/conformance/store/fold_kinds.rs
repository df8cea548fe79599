use super::{
    chat::{Chat, message_id},
    place::Place,
};
use app::model::{Event, KnownEvent, Position, Reaction};
use server::store::FoldError;

pub async fn unknown_kinds_are_kept(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let json = r#"{"kind":"poll_opened","question":"Tea? \u0000","order":{"z":1,"a":2}}"#;
    let event: Event = serde_json::from_str(json).expect("json");
    let bare: Event = serde_json::from_str(r#"{"no":"kind"}"#).expect("json");

    let at = chat.fold(vec![chat.record(&chat.ada, event.clone()), chat.record(&chat.ada, bare.clone())]).await;

    let page = chat.store.events(&chat.room, Position::START, 10).await.expect("read");
    assert_eq!(page.events, [(at[0], event), (at[1], bare)]);
}

pub async fn an_edit_changes_the_text_if_it_is_the_authors(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let post = chat.post(&chat.ada, "Tee");
    let id = message_id(&post);
    let at = chat.fold(vec![post, chat.edit(&chat.ada, id, "Tea"), chat.edit(&chat.lin, id, "Coffee")]).await;

    let message = chat.message(id).await;
    assert_eq!((message.body.as_str(), message.edited_at, message.at), ("Tea", Some(2_000), at[0]));
    let events = chat.store.events(&chat.room, Position::START, 10).await.expect("read").events;
    assert_eq!(events.iter().map(|(at, _)| *at).collect::<Vec<_>>(), at[..2], "the vain attempt is no event");
}

pub async fn deleting_blanks_projection_and_archive(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let (post, other) = (chat.post(&chat.ada, "secret one"), chat.post(&chat.ada, "kept"));
    let (id, kept) = (message_id(&post), message_id(&other));
    chat.fold(vec![post, other, chat.edit(&chat.ada, id, "secret two"), chat.react(&chat.lin, id, "👍", true)]).await;
    // In one batch with what it blanks, too.
    chat.fold(vec![chat.edit(&chat.ada, id, "secret three"), chat.delete(&chat.lin, id)]).await;

    let message = chat.message(id).await;
    assert_eq!((message.body.as_str(), message.deleted, message.reactions.len()), ("", true, 0));
    let posted = chat.store.posted(chat.room.id, id).await.expect("read").expect("its place remains");
    assert_eq!(posted.body, None);
    let events = chat.store.events(&chat.room, Position::START, 10).await.expect("read").events;
    assert_eq!(events.len(), 6);
    let archive = serde_json::to_string(&events.iter().map(|(_, event)| event).collect::<Vec<_>>()).expect("json");
    assert!(!archive.contains("secret"), "{archive}");
    assert!(archive.contains("kept"));
    assert_eq!(chat.message(kept).await.body, "kept");
}

pub async fn an_edit_after_the_deletion_is_not_kept(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let post = chat.post(&chat.ada, "one");
    let id = message_id(&post);
    chat.fold(vec![
        post,
        chat.delete(&chat.ada, id),
        chat.edit(&chat.ada, id, "too late"),
        chat.react(&chat.lin, id, "👍", true),
        chat.delete(&chat.ada, id),
    ])
    .await;

    let message = chat.message(id).await;
    assert_eq!((message.body.as_str(), message.deleted, message.edited_at), ("", true, None));
    assert!(message.reactions.is_empty());
    let events = chat.store.events(&chat.room, Position::START, 10).await.expect("read").events;
    assert!(!events.iter().any(|(_, e)| matches!(e, Event::Known(KnownEvent::MessageEdited { .. }, _))), "{events:?}");
}

pub async fn reactions_are_listed_in_order_of_time_and_each_once(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let (first, second) = (chat.post(&chat.ada, "one"), chat.post(&chat.ada, "two"));
    let (one, two) = (message_id(&first), message_id(&second));
    chat.fold(vec![first, second]).await;
    chat.fold(vec![
        chat.react(&chat.lin, one, "🎉", true),
        chat.react(&chat.ada, one, "👍", true),
        chat.react(&chat.lin, one, "👍", true),
        chat.react(&chat.ada, one, "🎉", true),
        chat.react(&chat.lin, one, "🎉", true),
        chat.react(&chat.ada, two, "👍", true),
        chat.react(&chat.ada, two, "👍", false),
        chat.react(&chat.lin, two, "👍", false),
        chat.react(&chat.lin, app::model::MessageId::new(), "👍", true),
    ])
    .await;

    let expected = [
        Reaction { emoji: "🎉".into(), users: vec!["lin".into(), "ada".into()] },
        Reaction { emoji: "👍".into(), users: vec!["ada".into(), "lin".into()] },
    ];
    assert_eq!(chat.message(one).await.reactions, expected);
    assert!(chat.message(two).await.reactions.is_empty());
    let page = chat.store.history(&chat.room, server::store::Window::Newest, 10).await.expect("read").expect("a page");
    assert_eq!(page.messages[0].reactions, expected);
    assert!(page.messages[1].reactions.is_empty());
}

pub async fn a_text_with_nul_is_poison(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let refused = chat.refuse(vec![chat.post(&chat.ada, "one"), chat.post(&chat.ada, "a\0b")]).await;
    assert!(matches!(refused, FoldError::Poison { offset: 1, .. }), "{refused:?}");
}
