use super::{
    chat::{Chat, message_id},
    place::Place,
};
use app::model::{KnownEvent, MAX_UNREAD, NotificationLevel, Position, Role, Unread, User};

/// Ada and Lin in a room; where both have joined.
async fn two_in_a_room(place: &Place) -> (Chat, Position) {
    let chat = Chat::new(place.open().await).await;
    chat.fold(vec![chat.join(&chat.ada, Role::Owner), chat.join(&chat.lin, Role::Member)]).await;
    let joined = chat.store.head(&chat.room).await.expect("read");
    (chat, joined)
}

async fn unread(chat: &Chat, user: &User) -> (Position, u32, u32) {
    let all = chat.store.unread(user).await.expect("read");
    let [Unread { room, read, unread, mentions, .. }] = all[..] else { panic!("one room: {all:?}") };
    assert_eq!(room, chat.room.id);
    (read, unread, mentions)
}

pub async fn what_others_have_posted_since_one_has_read_is_unread(place: &Place) {
    let (chat, joined) = two_in_a_room(place).await;
    assert_eq!(unread(&chat, &chat.lin).await, (joined, 0, 0));
    let posts: Vec<_> = ["one", "two, @lin", "three"].map(|body| chat.post(&chat.ada, body)).into();
    let last = message_id(&posts[2]);
    chat.fold(posts).await;
    chat.fold(vec![chat.post(&chat.lin, "her own")]).await;
    assert_eq!(unread(&chat, &chat.lin).await, (joined, 3, 1));
    assert_eq!(unread(&chat, &chat.ada).await.1, 1);
    let head = chat.store.head(&chat.room).await.expect("read");
    assert_eq!(chat.store.unread(&chat.lin).await.expect("read")[0].upto, head);

    chat.fold(vec![
        chat.record(&chat.ada, KnownEvent::MessageDeleted { id: last, by: chat.ada.clone(), reply_to: None }),
    ])
    .await;
    assert_eq!(unread(&chat, &chat.lin).await, (joined, 2, 1));
    let first = Position::new(joined.epoch, joined.offset + 1);
    chat.store.mark_read(chat.room.id, chat.lin.id, first).await.expect("written");
    assert_eq!(unread(&chat, &chat.lin).await, (first, 1, 1));
    chat.store.mark_read(chat.room.id, chat.lin.id, head).await.expect("written");
    assert_eq!(unread(&chat, &chat.lin).await, (head, 0, 0));

    chat.fold(vec![chat.record(&chat.lin, KnownEvent::MemberLeft { user: chat.lin.clone(), by: chat.lin.clone() })])
        .await;
    assert_eq!(chat.store.unread(&chat.lin).await.expect("read"), []);
}

pub async fn a_mention_is_of_the_name_and_not_of_one_that_begins_alike(place: &Place) {
    let (chat, _) = two_in_a_room(place).await;
    let bodies = ["@linda", "mail@lin.example", "100% @l_n", "@LIN", "tea,@lin!", "no"];
    chat.fold(bodies.map(|body| chat.post(&chat.ada, body)).into()).await;
    let (_, unread, mentions) = unread(&chat, &chat.lin).await;
    assert_eq!((unread, mentions), (6, 2));
}

pub async fn unread_messages_are_counted_up_to_a_hundred(place: &Place) {
    let (chat, joined) = two_in_a_room(place).await;
    chat.fold((0..130).map(|n| chat.post(&chat.ada, &format!("{n} @lin"))).collect()).await;
    assert_eq!(unread(&chat, &chat.lin).await, (joined, MAX_UNREAD, MAX_UNREAD));
}

pub async fn whoever_writes_much_and_reads_nothing_counts_what_came_lately(place: &Place) {
    let (chat, joined) = two_in_a_room(place).await;
    let by = |user: &User, count: u32| (0..count).map(|n| chat.post(user, &format!("{n} @lin"))).collect();
    chat.fold(by(&chat.ada, 3)).await;
    chat.fold(by(&chat.lin, 2 * MAX_UNREAD - 1)).await;
    assert_eq!(unread(&chat, &chat.lin).await, (joined, 1, 1));
    chat.fold(by(&chat.lin, 1)).await;
    assert_eq!(unread(&chat, &chat.lin).await, (joined, 0, 0));
    chat.fold(by(&chat.ada, 2)).await;
    assert_eq!(unread(&chat, &chat.lin).await, (joined, 2, 2));
}

pub async fn how_much_one_wants_to_be_told_of_is_kept(place: &Place) {
    let (chat, _) = two_in_a_room(place).await;
    let level = async |user: &User| chat.store.unread(user).await.expect("read")[0].level;
    assert_eq!(level(&chat.lin).await, NotificationLevel::All);
    for chosen in
        [NotificationLevel::Mute, NotificationLevel::Mentions, NotificationLevel::All, NotificationLevel::Mute]
    {
        chat.store.set_level(chat.room.id, chat.lin.id, chosen).await.expect("written");
        assert_eq!((level(&chat.lin).await, level(&chat.ada).await), (chosen, NotificationLevel::All));
    }
    // The counts are what they are.
    chat.fold(vec![chat.post(&chat.ada, "tea, @lin")]).await;
    let (_, unread, mentions) = unread(&chat, &chat.lin).await;
    assert_eq!((unread, mentions), (1, 1));
}
