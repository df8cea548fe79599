use super::{
    chat::{self, Chat, PARTITION, message_id, placed},
    place::Place,
};
use app::model::{MessageId, MessagePage, Position, Visibility};
use server::{log::Record, store::Window};
use std::sync::atomic::{AtomicBool, Ordering};

async fn page(chat: &Chat, window: Window, limit: u32) -> MessagePage {
    chat.store.history(&chat.room, window, limit).await.expect("read").expect("a page")
}

fn bodies(page: &MessagePage) -> String {
    page.messages.iter().map(|m| m.body.as_str()).collect::<Vec<_>>().join(" ")
}

/// Ten messages with the bodies 0 to 9; their ids and places.
async fn ten(chat: &Chat) -> Vec<(MessageId, Position)> {
    let records: Vec<_> = (0..10).map(|i| chat.post(&chat.ada, &i.to_string())).collect();
    let ids: Vec<_> = records.iter().map(message_id).collect();
    ids.into_iter().zip(chat.fold(records).await).collect()
}

pub async fn a_room_without_messages_has_an_empty_page(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let empty = MessagePage { messages: vec![], at: Position::START, as_of: Position::START, more: false };
    for window in [Window::Newest, Window::Before(Position::new(1, 9)), Window::After(Position::START)] {
        assert_eq!(page(&chat, window, 50).await, empty, "{window:?}");
    }
    let around = chat.store.history(&chat.room, Window::Around(MessageId::new()), 50).await.expect("read");
    assert_eq!(around, None);
}

pub async fn history_is_paged_in_both_directions(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let places = ten(&chat).await;
    let at = |i: usize| places[i].1;

    let newest = page(&chat, Window::Newest, 4).await;
    assert_eq!((bodies(&newest).as_str(), newest.more, newest.at), ("6 7 8 9", true, at(9)));
    let before = page(&chat, Window::Before(at(6)), 4).await;
    assert_eq!((bodies(&before).as_str(), before.more), ("2 3 4 5", true));
    let first = page(&chat, Window::Before(at(2)), 2).await;
    assert_eq!((bodies(&first).as_str(), first.more), ("0 1", false));
    let after = page(&chat, Window::After(at(1)), 3).await;
    assert_eq!((bodies(&after).as_str(), after.more), ("2 3 4", true));
    let rest = page(&chat, Window::After(at(6)), 3).await;
    assert_eq!((bodies(&rest).as_str(), rest.more, rest.at), ("7 8 9", false, at(9)));
    let all = page(&chat, Window::After(Position::START), 100).await;
    assert_eq!((bodies(&all).as_str(), all.more), ("0 1 2 3 4 5 6 7 8 9", false));
    assert_eq!(page(&chat, Window::Before(Position::new(u32::MAX, u64::MAX)), 100).await.messages, all.messages);
    // Between two messages there are places of other rooms.
    let between = page(&chat, Window::Before(Position::new(1, at(3).offset + 1)), 1).await;
    assert_eq!(bodies(&between), "3");
}

pub async fn around_a_message_there_are_older_and_newer_ones(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let places = ten(&chat).await;

    for (i, limit, expected, more) in [
        (5, 5, "3 4 5 6 7", true),
        (5, 4, "3 4 5 6", true),
        (5, 1, "5", true),
        (0, 5, "0 1 2", false),
        (9, 5, "7 8 9", true),
        (2, 5, "0 1 2 3 4", false),
        (5, 100, "0 1 2 3 4 5 6 7 8 9", false),
    ] {
        let around = page(&chat, Window::Around(places[i].0), limit).await;
        assert_eq!((bodies(&around).as_str(), around.more), (expected, more), "{limit} around {i}");
    }
}

pub async fn every_page_says_as_of_when_its_rows_stand(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let places = ten(&chat).await;
    // A reaction under the second message, after all ten: a page of the first three has it, wherever it ends.
    let folded_to = chat.fold(vec![chat.react(&chat.lin, places[1].0, "👍", true)]).await[0];

    for window in [Window::Before(places[3].1), Window::After(Position::START), Window::Around(places[1].0)] {
        let page = page(&chat, window, 3).await;
        assert_eq!((bodies(&page).as_str(), page.messages[1].reactions.len()), ("0 1 2", 1), "{window:?}");
        assert_eq!(page.as_of, folded_to, "{window:?}");
    }
    for (window, limit) in [(Window::Newest, 3), (Window::After(places[9].1), 3), (Window::Around(places[9].0), 200)] {
        let page = page(&chat, window, limit).await;
        assert_eq!((page.at, page.as_of), (folded_to, folded_to), "{window:?}");
    }
}

pub async fn a_page_that_stops_short_covers_the_room_up_to_its_last_message(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let places = ten(&chat).await;
    let folded_to = chat.fold(vec![chat.react(&chat.lin, places[0].0, "👍", true)]).await[0];

    for (window, limit, at) in [
        (Window::Newest, 3, folded_to),
        (Window::After(places[4].1), 2, places[6].1),
        (Window::After(places[4].1), 5, folded_to),
        (Window::Around(places[4].0), 3, places[5].1),
        (Window::Around(places[8].0), 3, folded_to),
    ] {
        assert_eq!(page(&chat, window, limit).await.at, at, "{limit} of {window:?}");
    }
}

pub async fn a_page_and_its_position_are_of_one_moment(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let done = AtomicBool::new(false);

    let write = async {
        for offset in 0..150 {
            let record = placed(offset, vec![chat.post(&chat.ada, "tick")]);
            chat.store.fold(PARTITION, offset, offset + 1, &record).await.expect("folded");
        }
        done.store(true, Ordering::SeqCst);
    };
    let read = async {
        let mut reads = 0;
        while !done.load(Ordering::SeqCst) {
            let history = page(&chat, Window::Newest, 1).await;
            let last = history.messages.last().map_or(Position::START, |m| m.at);
            assert_eq!(history.at, last, "each batch is one message, so that the two can be compared");
            let archive = chat.store.events(&chat.room, history.at, 1_000).await.expect("read");
            let last = archive.events.last().map_or(history.at, |(at, _)| *at);
            assert_eq!(archive.at, last);
            reads += 1;
        }
        reads
    };
    let (reads, ()) = tokio::join!(read, write);
    assert!(reads > 1, "the reads were between the writes");
}

pub async fn a_thread_is_a_message_and_what_answers_it(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let other = chat::room(&*chat.store, "ops", Visibility::Public, PARTITION).await;
    let first = chat.post(&chat.ada, "first");
    let id = message_id(&first);
    let replies: Vec<_> = (0..6).map(|i| chat.reply(&chat.lin, id, &i.to_string())).collect();
    let ids: Vec<_> = replies.iter().map(message_id).collect();
    let nested = chat.reply(&chat.ada, ids[1], "nested");
    let foreign = Record { room: other.id, ..chat.reply(&chat.ada, id, "in another room") };
    let mut records = vec![first];
    for reply in replies {
        records.extend([reply, chat.post(&chat.ada, "beside")]);
    }
    records.extend([nested, foreign, chat.delete(&chat.lin, ids[2])]);
    let places = chat.fold(records).await;
    let at = |i: usize| places[1 + 2 * i];
    let end = *places.last().expect("folded");
    let thread = async |id, window, limit| chat.store.thread(&chat.room, id, window, limit).await.expect("read");

    let all = thread(id, Window::Newest, 50).await.expect("there");
    assert_eq!((bodies(&all.page).as_str(), all.page.more, all.page.at), ("0 1  3 4 5", false, end));
    assert_eq!((all.message.id, all.message.replies), (id, 5), "a deleted one does not count");
    for (window, limit, expected, more) in [
        (Window::Newest, 2, "4 5", true),
        (Window::Before(at(4)), 2, " 3", true),
        (Window::Before(at(2)), 2, "0 1", false),
        (Window::After(at(3)), 1, "4", true),
        (Window::After(at(3)), 2, "4 5", false),
        (Window::Around(ids[3]), 3, " 3 4", true),
    ] {
        let page = thread(id, window, limit).await.expect("there").page;
        assert_eq!((bodies(&page).as_str(), page.more), (expected, more), "{limit} of {window:?}");
    }
    assert_eq!(bodies(&thread(ids[1], Window::Newest, 50).await.expect("there").page), "nested");
    assert!(thread(ids[5], Window::Newest, 50).await.expect("there").page.messages.is_empty());
    assert_eq!(thread(MessageId::new(), Window::Newest, 50).await, None);
    assert_eq!(chat.store.thread(&other, id, Window::Newest, 50).await.expect("read"), None);

    let counts = |page: &MessagePage| page.messages.iter().map(|m| m.replies).collect::<Vec<_>>();
    assert_eq!(counts(&all.page), [0, 1, 0, 0, 0, 0]);
    assert_eq!(counts(&page(&chat, Window::After(Position::START), 4).await), [5, 0, 0, 1]);
    assert_eq!(chat.message(ids[1]).await.replies, 1);
}
