use super::{
    chat::{Chat, account, room},
    place::Place,
};
use app::model::{KnownEvent, Position, Role, RoomId, User, Visibility};
use futures::future::join_all;
use server::store::{NewRoom, RoomKey, RoomRow, Store};

pub async fn a_room_is_found_by_id_and_by_slug(place: &Place) {
    let store = place.open().await;
    let tea = room(&*store, "Köln-Tea", Visibility::Members, 63).await;

    assert_eq!(store.room(&RoomKey::Id(tea.id)).await.expect("read"), Some(tea.clone()));
    assert_eq!(store.room(&RoomKey::Slug("köln-tea".into())).await.expect("read"), Some(tea));
    assert_eq!(store.room(&RoomKey::Id(RoomId::new())).await.expect("read"), None);
    assert_eq!(store.room(&RoomKey::Slug("coffee".into())).await.expect("read"), None);
}

pub async fn a_slug_is_taken_once(place: &Place) {
    let store = place.open().await;
    let first = room(&*store, "tea", Visibility::Public, 0).await;
    let second = NewRoom {
        id: RoomId::new(),
        slug: "tea".into(),
        name: "Tea!".into(),
        visibility: Visibility::Private,
        partition: 1,
        created_at: 2_000,
    };

    assert!(!store.create_room(&second).await.expect("written"));
    assert_eq!(store.room(&RoomKey::Slug("tea".into())).await.expect("read"), Some(first));
}

/// Each with its own way to the store, as at the first start of a cluster.
pub async fn nodes_that_make_the_same_room_at_once_make_it_once(place: &Place) {
    let store = place.open().await;
    for n in 0..25 {
        let (slug, name) = (format!("welcome{n}"), "welcome".to_owned());
        let new =
            NewRoom { id: RoomId::new(), slug, name, visibility: Visibility::Public, partition: 0, created_at: 1_000 };
        let made = join_all((0..6).map(|_| store.create_room(&new))).await;
        assert_eq!(made.into_iter().filter(|made| *made.as_ref().expect("written or taken")).count(), 1);
    }
}

async fn join(store: &dyn Store, room: &RoomRow, user: &User, role: Role) {
    let from = store.progress(room.partition).await.expect("read");
    let event = KnownEvent::MemberJoined { user: user.clone(), role };
    let records = super::chat::placed(from, vec![super::chat::record(room.id, user, event)]);
    store.fold(room.partition, from, from + 1, &records).await.expect("folded");
}

pub async fn a_list_of_rooms_has_ones_own_first_and_nothing_that_one_may_not_know_of(place: &Place) {
    let store = place.open().await;
    let (ada, lin) = (account(&*store, "ada", "Ada").await, account(&*store, "lin", "Lin").await);
    let zoo = room(&*store, "zoo", Visibility::Public, 0).await;
    let mine = room(&*store, "mine", Visibility::Private, 0).await;
    let theirs = room(&*store, "theirs", Visibility::Private, 0).await;
    room(&*store, "Staff", Visibility::Members, 0).await;
    room(&*store, "books", Visibility::Public, 0).await;
    join(&*store, &zoo, &ada, Role::Member).await;
    join(&*store, &zoo, &lin, Role::Owner).await;
    join(&*store, &mine, &ada, Role::Owner).await;
    join(&*store, &theirs, &lin, Role::Owner).await;

    let seen = |rooms: Vec<app::model::Room>| -> Vec<(String, Option<Role>, u64)> {
        rooms.into_iter().map(|r| (r.name, r.role, r.members)).collect()
    };
    assert_eq!(
        seen(store.rooms(Some(ada.id), false).await.expect("read")),
        [
            ("mine".into(), Some(Role::Owner), 1),
            ("zoo".into(), Some(Role::Member), 2),
            ("books".into(), None, 0),
            ("Staff".into(), None, 0),
        ]
    );
    assert_eq!(
        seen(store.rooms(None, false).await.expect("read")),
        [("books".into(), None, 0), ("zoo".into(), None, 2)],
        "a visitor"
    );
}

pub async fn a_list_of_rooms_ends_at_500(place: &Place) {
    let store = place.open().await;
    let ada = account(&*store, "ada", "Ada").await;
    for i in 0..501 {
        room(&*store, &format!("room-{i:03}"), Visibility::Public, 0).await;
    }
    let own = room(&*store, "zoo", Visibility::Private, 0).await;
    join(&*store, &own, &ada, Role::Owner).await;

    let rooms = store.rooms(Some(ada.id), false).await.expect("read");

    assert_eq!(rooms.len(), 500);
    assert_eq!(rooms[0].id, own.id, "one's own is never crowded out");
    assert_eq!(rooms[499].slug, "room-498");
}

pub async fn members_are_listed_by_name_whatever_its_case(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let bob = account(&*chat.store, "bob", "bob").await;
    chat.fold(vec![
        chat.join(&chat.lin, Role::Member),
        chat.join(&bob, Role::Member),
        chat.join(&chat.ada, Role::Owner),
    ])
    .await;

    let members = chat.store.members(chat.room.id).await.expect("read");

    let named: Vec<_> = members.iter().map(|m| (m.user.display_name.as_str(), m.role)).collect();
    assert_eq!(named, [("Ada", Role::Owner), ("bob", Role::Member), ("Lin", Role::Member)]);
    assert_eq!(chat.store.member_count(chat.room.id).await.expect("read"), 3);
}

pub async fn who_joins_twice_has_the_last_role_and_who_leaves_has_none(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let role = async || chat.store.role(chat.room.id, chat.ada.id).await.expect("read");
    assert_eq!(role().await, None);

    chat.fold(vec![chat.join(&chat.ada, Role::Member), chat.join(&chat.ada, Role::Owner)]).await;
    assert_eq!(role().await, Some(Role::Owner));
    assert_eq!(chat.store.member_count(chat.room.id).await.expect("read"), 1);

    let left = KnownEvent::MemberLeft { user: chat.ada.clone(), by: chat.lin.clone() };
    chat.fold(vec![chat.record(&chat.lin, left)]).await;
    assert_eq!(role().await, None);
    assert!(chat.store.members(chat.room.id).await.expect("read").is_empty());
}

pub async fn a_read_marker_moves_forward_only(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    chat.fold(vec![chat.join(&chat.ada, Role::Member)]).await;
    let joined = chat.store.head(&chat.room).await.expect("read");
    let marker = async |user: &User| chat.store.read_marker(chat.room.id, user.id).await.expect("read");
    let mark = async |at| chat.store.mark_read(chat.room.id, chat.ada.id, at).await.expect("written");
    // Who has never said so has read what was there when they joined.
    assert_eq!(marker(&chat.ada).await, Some(joined));

    for (at, expected) in [
        (Position::new(1, 9), Position::new(1, 9)),
        (Position::new(1, 10), Position::new(1, 10)),
        (Position::new(1, 2), Position::new(1, 10)),
        (Position::new(2, 0), Position::new(2, 0)),
        (Position::new(1, 99), Position::new(2, 0)),
    ] {
        mark(at).await;
        assert_eq!(marker(&chat.ada).await, Some(expected), "after {at}");
    }
    assert_eq!(marker(&chat.lin).await, None);
}
