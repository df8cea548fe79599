//! Links that let people into rooms.

use super::{chat::Chat, place::Place};
use app::model::{Millis, Position, Role};
use futures::future::join_all;
use server::store::NewInvite;
use uuid::Uuid;

fn invite(chat: &Chat, n: u8, expires_at: Millis, uses: Option<u32>) -> NewInvite {
    let (id, secret_hash) = (Uuid::now_v7(), [n; 32]);
    NewInvite { id, room: chat.room.id, secret_hash, by: chat.ada.id, created_at: 1_000, expires_at, uses }
}

pub async fn a_link_is_good_until_it_is_too_old_or_taken_back(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let store = &chat.store;
    let new = invite(&chat, 1, 5_000, None);
    assert!(store.create_invite(&new).await.expect("written"));
    let found = store.invite(&[1; 32], 4_999).await.expect("read").expect("there");
    assert_eq!((found.room.clone(), found.invite.id, &found.invite.by), (chat.room.clone(), new.id, &chat.ada));
    assert_eq!((found.invite.uses, found.invite.used, found.invite.expires_at), (None, 0, 5_000));
    assert_eq!(store.invite(&[1; 32], 5_000).await.expect("read"), None);
    assert_eq!(store.invite(&[2; 32], 4_999).await.expect("read"), None);
    assert!(!store.take_invite(new.id, 5_000).await.expect("written"));
    assert!(store.take_invite(new.id, 4_999).await.expect("written"));
    let listed = store.invites(chat.room.id, 4_999).await.expect("read");
    assert_eq!(listed.iter().map(|i| (i.id, i.used)).collect::<Vec<_>>(), [(new.id, 1)]);
    assert!(store.invites(chat.room.id, 5_000).await.expect("read").is_empty());

    assert!(!store.revoke_invite(app::model::RoomId::new(), new.id).await.expect("written"), "of another room");
    assert!(store.revoke_invite(chat.room.id, new.id).await.expect("written"));
    assert!(!store.revoke_invite(chat.room.id, new.id).await.expect("written"));
    assert_eq!(store.invite(&[1; 32], 4_999).await.expect("read"), None);
    assert!(!store.take_invite(new.id, 4_999).await.expect("written"));
}

/// Each with its own way to the store, as several nodes have.
pub async fn of_many_who_come_in_by_the_last_use_one_gets_in(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let other = place.open().await;
    let new = invite(&chat, 1, 5_000, Some(3));
    assert!(chat.store.create_invite(&new).await.expect("written"));
    let tries = (0..20).map(|n| if n % 2 == 0 { &chat.store } else { &other }.take_invite(new.id, 2_000));
    let taken = join_all(tries).await.into_iter().filter(|taken| *taken.as_ref().expect("answered")).count();
    assert_eq!(taken, 3);
    assert_eq!(chat.store.invite(&[1; 32], 2_000).await.expect("read"), None, "used up");
    chat.store.give_back_invite(new.id).await.expect("written");
    assert!(other.take_invite(new.id, 2_000).await.expect("written"));
    assert!(!chat.store.take_invite(new.id, 2_000).await.expect("written"));
}

pub async fn a_room_has_a_hundred_links_at_most_and_old_ones_make_room(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    for n in 0..100 {
        assert!(chat.store.create_invite(&invite(&chat, n, 5_000, None)).await.expect("written"));
    }
    assert!(!chat.store.create_invite(&invite(&chat, 200, 9_000, None)).await.expect("written"));
    let later = NewInvite { created_at: 5_000, ..invite(&chat, 200, 9_000, None) };
    assert!(chat.store.create_invite(&later).await.expect("written"));
    assert_eq!(chat.store.invites(chat.room.id, 2_000).await.expect("read").len(), 1);
}

pub async fn a_link_knows_what_was_folded_before_it_was_made(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let made = async |n: u8| {
        assert!(chat.store.create_invite(&invite(&chat, n, 5_000, None)).await.expect("written"));
        chat.store.invite(&[n; 32], 2_000).await.expect("read").expect("there").made
    };
    assert_eq!(made(1).await, Position::new(1, 0));
    chat.fold(vec![chat.join(&chat.lin, Role::Member)]).await;
    let between = made(2).await;
    let at = chat.fold(vec![chat.leave(&chat.lin, &chat.ada)]).await;
    assert!(between <= at[0] && made(3).await > at[0]);
}
