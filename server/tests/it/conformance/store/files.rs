use super::{
    chat::{Chat, PARTITION, message_id, placed, room},
    place::Place,
};
use app::model::{FileAddress, FileId, FileName, KnownEvent, Position, User, Visibility};
use server::store::{FileRow, NewFile, PART_BYTES, Replay, RoomRow};

/// Later than all files of these tests.
const LATER: i64 = 1_000_000;

async fn save(chat: &Chat, by: &User, room: &RoomRow, content: Vec<u8>) -> FileAddress {
    let address = FileAddress { id: FileId::new(), size: Some((4, 3)), name: FileName::nearest("höhe \"1\".png") };
    let media_type = "image/png".to_owned();
    let new =
        NewFile { room: room.id, uploader: by.id, address: address.clone(), media_type, created_at: 1_500, content };
    chat.store.save_file(&new).await.expect("saved");
    address
}

async fn of_ada(chat: &Chat) -> FileAddress {
    save(chat, &chat.ada, &chat.room, b"content".to_vec()).await
}

async fn is_there(chat: &Chat, address: &FileAddress) -> bool {
    let there = chat.store.file(address.id).await.expect("read").is_some();
    let content = chat.store.file_part(address.id, 0).await.expect("read").is_some();
    assert_eq!(there, content, "a file goes with its content");
    there
}

/// Which of them nobody has named for long.
async fn forgotten(chat: &Chat, of: &[&FileAddress]) -> Vec<bool> {
    chat.store.forget_files(LATER, 100).await.expect("forgotten");
    let mut gone = Vec::new();
    for address in of {
        gone.push(!is_there(chat, address).await);
    }
    gone
}

pub async fn a_file_comes_back_as_it_was_saved(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let content: Vec<u8> = (0..2 * PART_BYTES + 7).map(|n| (n % 251) as u8).collect();
    let address = save(&chat, &chat.ada, &chat.room, content.clone()).await;
    let store = place.open().await;
    let expected = FileRow {
        id: address.id,
        room: chat.room.id,
        address: address.clone(),
        media_type: "image/png".into(),
        bytes: content.len() as u64,
    };
    assert_eq!(store.file(address.id).await.expect("read"), Some(expected));
    let mut found = Vec::new();
    for part in 0.. {
        let Some(piece) = store.file_part(address.id, part).await.expect("read") else { break };
        assert!(piece.len() == PART_BYTES || part == 2);
        found.extend_from_slice(&piece);
    }
    assert!(found == content);
    assert_eq!(store.file(FileId::new()).await.expect("read"), None);
}

pub async fn a_file_that_no_message_names_is_forgotten_after_its_time(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let (one, two, named) = (of_ada(&chat).await, of_ada(&chat).await, of_ada(&chat).await);
    chat.fold(vec![chat.post(&chat.ada, &format!("look: {} and nothing else", named.markdown()))]).await;
    assert_eq!(chat.store.forget_files(1_500, 100).await.expect("forgotten"), 0, "not yet");
    assert_eq!(chat.store.forget_files(1_501, 1).await.expect("forgotten"), 1, "so many at most");
    assert_eq!(chat.store.forget_files(1_501, 100).await.expect("forgotten"), 1);
    assert!(!is_there(&chat, &one).await && !is_there(&chat, &two).await);
    assert!(is_there(&chat, &named).await);
}

pub async fn only_its_uploader_names_a_file_and_only_in_its_room(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let elsewhere = room(&*chat.store, "garden", Visibility::Public, PARTITION).await;
    let [by_lin, in_tea, other, begun] = [(); 4].map(|()| of_ada(&chat));
    let (by_lin, in_tea, other, begun) = (by_lin.await, in_tea.await, other.await, begun.await);
    let there = save(&chat, &chat.ada, &elsewhere, b"x".to_vec()).await;
    chat.fold(vec![
        chat.post(&chat.lin, &by_lin.markdown()),
        chat.post(&chat.ada, &format!("{} {}", in_tea.markdown(), there.markdown())),
        chat.post(&chat.ada, &format!("/files/{}/4x3/", begun.id)),
    ])
    .await;
    assert_eq!(forgotten(&chat, &[&by_lin, &in_tea, &there, &other, &begun]).await, [true, false, true, true, true]);
}

pub async fn what_a_message_names_goes_with_it(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let (one, two, kept) = (of_ada(&chat).await, of_ada(&chat).await, of_ada(&chat).await);
    let message = chat.post(&chat.ada, &format!("{}\n{}", one.markdown(), two.markdown()));
    let other = chat.post(&chat.ada, &kept.markdown());
    let id = message_id(&message);
    chat.fold(vec![message, other, chat.post(&chat.lin, &format!("> {}", one.markdown()))]).await;
    assert!(is_there(&chat, &one).await);
    // Whoever deletes it: the room's owner too.
    chat.fold(vec![chat.delete(&chat.lin, id)]).await;
    assert!(!is_there(&chat, &one).await && !is_there(&chat, &two).await);
    assert!(is_there(&chat, &kept).await);
}

pub async fn what_has_become_too_old_goes_with_its_files(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let (old, kept) = (of_ada(&chat).await, of_ada(&chat).await);
    let at = chat.fold(vec![chat.post(&chat.ada, &old.markdown()), chat.post(&chat.ada, &kept.markdown())]).await;
    chat.fold(vec![chat.record(&chat.ada, KnownEvent::MessagesExpired { up_to: at[0] })]).await;
    assert!(!is_there(&chat, &old).await && is_there(&chat, &kept).await);
    // As if the version before had folded it.
    let late = of_ada(&chat).await;
    chat.fold(vec![chat.post(&chat.ada, &late.markdown())]).await;
    place.execute("delete from messages where offset_no = (select max(offset_no) from messages)").await;
    let store = place.upkeep().await;
    let last = Position::new(1, chat.store.progress(PARTITION).await.expect("read") - 1);
    chat.fold(vec![chat.record(&chat.ada, KnownEvent::MessagesExpired { up_to: last })]).await;
    assert!(is_there(&chat, &late).await, "its message was not there to say so");
    let mut replay = Replay::new();
    while !replay.is_done() {
        store.replay(&chat.room, &mut replay, true).await.expect("a step");
    }
    assert!(!is_there(&chat, &late).await);
}

pub async fn an_edit_names_files_and_lets_go_of_others(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let (before, after) = (of_ada(&chat).await, of_ada(&chat).await);
    let message = chat.post(&chat.ada, &before.markdown());
    let id = message_id(&message);
    chat.fold(vec![message, chat.edit(&chat.lin, id, "not the author"), chat.edit(&chat.ada, id, &after.markdown())])
        .await;
    // Counted from the edit, which is of 2,000, not from the upload.
    assert_eq!(chat.store.forget_files(2_000, 100).await.expect("forgotten"), 0);
    assert_eq!(forgotten(&chat, &[&before, &after]).await, [true, false]);
    chat.fold(vec![chat.edit(&chat.ada, id, "nothing"), chat.edit(&chat.ada, id, &after.markdown())]).await;
    assert_eq!(forgotten(&chat, &[&after]).await, [false]);
    chat.fold(vec![chat.delete(&chat.ada, id)]).await;
    assert!(!is_there(&chat, &after).await);
}

pub async fn what_is_put_right_names_its_files_again(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let (one, two, gone) = (of_ada(&chat).await, of_ada(&chat).await, of_ada(&chat).await);
    let deleted = chat.post(&chat.ada, &gone.markdown());
    let id = message_id(&deleted);
    chat.fold(vec![chat.post(&chat.ada, &one.markdown()), chat.post(&chat.ada, &two.markdown()), deleted]).await;
    // As if the version before had folded these, or somebody had meddled with them.
    place.execute("update messages set body = 'something else'").await;
    place.execute("update files set message = null").await;
    // One whose deletion never came through.
    let (from, next) = (chat.store.progress(PARTITION).await.expect("read"), 1_000);
    chat.store.fold(PARTITION, from, next, &placed(from, vec![chat.delete(&chat.ada, id)])).await.expect("folded");
    place.execute("update messages set deleted = false, body = 'back' where deleted").await;
    let store = place.upkeep().await;
    let mut replay = Replay::new();
    while !replay.is_done() {
        store.replay(&chat.room, &mut replay, true).await.expect("a step");
    }
    assert_eq!(replay.mended, 3);
    assert_eq!(forgotten(&chat, &[&one, &two, &gone]).await, [false, false, true]);
    // And once more, as a store that is folded anew from the log.
    let repeated = chat.post(&chat.ada, &one.markdown());
    chat.store.fold(PARTITION, next, next + 1, &placed(next, vec![repeated])).await.expect("folded");
    assert_eq!(forgotten(&chat, &[&one, &two]).await, [false, false]);
}
