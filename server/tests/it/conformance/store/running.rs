//! Rooms that people run.

use super::{
    chat::{Chat, room},
    place::Place,
};
use app::model::{DirectoryQuery, Position, Role, Room, RoomChange, Visibility};
use server::store::{FoldError, Replay, RoomKey};

fn named(name: &str) -> RoomChange {
    RoomChange { name: Some(name.into()), ..RoomChange::default() }
}

fn about(topic: &str) -> RoomChange {
    RoomChange { topic: Some(topic.into()), ..RoomChange::default() }
}

fn archived(archived: bool) -> RoomChange {
    RoomChange { archived: Some(archived), ..RoomChange::default() }
}

fn names(rooms: Vec<Room>) -> Vec<String> {
    rooms.into_iter().map(|room| room.name).collect()
}

pub async fn a_room_is_what_it_was_last_changed_to(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let private = RoomChange { visibility: Some(Visibility::Private), ..RoomChange::default() };
    chat.fold(vec![chat.change(named("Coffee")), chat.change(private), chat.change(named("Tea time"))]).await;
    let at = chat.fold(vec![chat.change(about("Green, 100 %"))]).await;

    let found = chat.store.room(&RoomKey::Slug("tea".into())).await.expect("read").expect("there");
    assert_eq!((found.name.as_str(), found.topic.as_str()), ("Tea time", "Green, 100 %"));
    assert_eq!((found.visibility, found.archived, found.changed), (Visibility::Private, false, at[0]));
    assert_eq!((found.id, found.slug), (chat.room.id, "tea".into()));
    let kinds = chat.store.events(&chat.room, Position::START, 10).await.expect("read").events.len();
    assert_eq!(kinds, 4, "each change is an event");
    let refused = chat.refuse(vec![chat.change(about("a\0b"))]).await;
    assert!(matches!(refused, FoldError::Poison { .. }), "{refused:?}");
}

pub async fn a_moderator_is_one_until_they_are_something_else(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let role = || async { chat.store.role(chat.room.id, chat.lin.id).await.expect("read") };
    chat.fold(vec![chat.join(&chat.ada, Role::Owner), chat.join(&chat.lin, Role::Moderator)]).await;
    assert_eq!(role().await, Some(Role::Moderator));
    let members = chat.store.members(chat.room.id).await.expect("read");
    assert_eq!(members.iter().map(|m| m.role).collect::<Vec<_>>(), [Role::Owner, Role::Moderator]);
    let rooms = chat.store.rooms(Some(chat.lin.id), false).await.expect("read");
    assert_eq!(rooms[0].role, Some(Role::Moderator));
    assert_eq!(chat.store.owners(chat.room.id).await.expect("read"), 1);
    chat.fold(vec![chat.join(&chat.lin, Role::Owner)]).await;
    assert_eq!((role().await, chat.store.owners(chat.room.id).await.expect("read")), (Some(Role::Owner), 2));
    chat.fold(vec![chat.join(&chat.lin, Role::Member)]).await;
    assert_eq!(role().await, Some(Role::Member));
}

pub async fn who_was_taken_out_is_remembered_until_they_are_back(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let removal = || async { chat.store.removal(chat.room.id, chat.lin.id).await.expect("read") };
    chat.fold(vec![chat.join(&chat.lin, Role::Member), chat.leave(&chat.lin, &chat.lin)]).await;
    assert_eq!(removal().await, None, "they left");
    let at = chat.fold(vec![chat.join(&chat.lin, Role::Member), chat.leave(&chat.lin, &chat.ada)]).await;
    assert_eq!(removal().await, Some(at[1]));
    let again = chat.fold(vec![chat.leave(&chat.lin, &chat.ada)]).await;
    assert_eq!(removal().await, Some(again[0]));
    chat.fold(vec![chat.join(&chat.lin, Role::Member)]).await;
    assert_eq!(removal().await, None);
}

pub async fn an_archived_room_is_in_a_list_of_its_own(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    room(&*chat.store, "books", Visibility::Public, 0).await;
    chat.fold(vec![chat.join(&chat.ada, Role::Owner), chat.change(archived(true))]).await;
    for user in [Some(chat.ada.id), None] {
        assert_eq!(names(chat.store.rooms(user, false).await.expect("read")), ["books"]);
        let old = chat.store.rooms(user, true).await.expect("read");
        assert!(old[0].archived);
        assert_eq!(names(old), ["tea"]);
    }
    assert!(chat.store.unread(&chat.ada).await.expect("read").is_empty(), "nothing is to be read");
    chat.fold(vec![chat.change(archived(false))]).await;
    assert_eq!(names(chat.store.rooms(None, false).await.expect("read")), ["books", "tea"]);
}

pub async fn rooms_are_found_by_name_and_topic_in_any_case_and_paged(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    for n in 0..60 {
        room(&*chat.store, &format!("many{n:02}"), Visibility::Public, 0).await;
    }
    for (name, visibility) in [("Köln_Bonn", Visibility::Members), ("secret", Visibility::Private)] {
        room(&*chat.store, name, visibility, 0).await;
    }
    room(&*chat.store, "~direct", Visibility::Public, 0).await;
    chat.fold(vec![chat.join(&chat.ada, Role::Owner), chat.change(about("Ölbäume & 5% MILK"))]).await;
    let find = |user, q: &str, archived| {
        let query = DirectoryQuery { q: q.into(), archived, after: None };
        let store = chat.store.clone();
        async move { names(store.directory(user, &query).await.expect("read").rooms) }
    };
    let ada = Some(chat.ada.id);
    assert_eq!(find(ada, "KÖLN_", false).await, ["Köln_Bonn"]);
    assert_eq!(find(ada, "ölBÄUME", false).await, ["tea"]);
    assert_eq!(find(ada, "5% m", false).await, ["tea"]);
    assert!(find(ada, "5_ m", false).await.is_empty(), "no patterns");
    assert!(find(ada, "secret", false).await.is_empty() && find(ada, "direct", false).await.is_empty());
    assert!(find(None, "köln", false).await.is_empty());
    assert!(find(ada, "tea", true).await.is_empty());

    let mut query = DirectoryQuery::default();
    let first = chat.store.directory(ada, &query).await.expect("read");
    assert_eq!((first.rooms.len(), first.more), (50, true));
    assert!(first.rooms.is_sorted_by_key(|room| room.slug.clone()));
    query.after = first.rooms.last().map(|room| room.slug.clone());
    let rest = chat.store.directory(ada, &query).await.expect("read");
    assert!(!rest.more && rest.rooms[0].slug > *query.after.as_ref().expect("a slug"));
    let tea = rest.rooms.iter().find(|room| room.slug == "tea").expect("the last but one");
    assert_eq!((tea.role, tea.members, tea.topic.as_str()), (Some(Role::Owner), 1, "Ölbäume & 5% MILK"));
}

pub async fn what_the_rows_lack_of_changes_is_found_and_put_right(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let store = place.upkeep().await;
    chat.fold(vec![
        chat.join(&chat.ada, Role::Owner),
        chat.join(&chat.lin, Role::Moderator),
        chat.change(named("Coffee")),
        chat.leave(&chat.lin, &chat.ada),
        chat.change(archived(true)),
    ])
    .await;
    let before = chat.store.room(&RoomKey::Id(chat.room.id)).await.expect("read");
    let through = async |mend: bool| {
        let mut replay = Replay::new();
        while !replay.is_done() {
            store.replay(&chat.room, &mut replay, mend).await.expect("a step");
        }
        replay.projections.count
    };
    assert_eq!(through(false).await, 0);
    // As the version before leaves it, which lets changes of rooms pass.
    place
        .execute("update rooms set name = 'tea', archived = not archived, changed_epoch = 0, changed_offset = 0")
        .await;
    place.execute("delete from removals").await;
    assert_eq!(through(false).await, 1);
    through(true).await;
    assert_eq!(through(false).await, 0);
    assert_eq!(chat.store.room(&RoomKey::Id(chat.room.id)).await.expect("read"), before);
    assert!(chat.store.removal(chat.room.id, chat.lin.id).await.expect("read").is_some());
}
