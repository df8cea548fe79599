use super::{chat::new_account, place::Place};
use futures::future::join_all;
use server::store::AccountMade;

pub async fn an_account_is_found_by_its_user_name(place: &Place) {
    let store = place.open().await;
    let ada = new_account("ada", "Ada Ä.");
    let mut guest = new_account("guest-1", "Guest");
    (guest.user.guest, guest.password_hash) = (true, None);
    for new in [&ada, &guest] {
        assert_eq!(store.create_account(new).await.expect("written"), AccountMade::Made);
    }

    let found = store.account("ada").await.expect("read").expect("there");
    assert_eq!((found.user, found.password_hash.as_deref()), (ada.user, Some("hash")));
    let found = store.account("guest-1").await.expect("read").expect("there");
    assert_eq!((found.user, found.password_hash), (guest.user, None));
    assert!(store.account("Ada").await.expect("read").is_none());
}

pub async fn a_user_name_is_taken_once(place: &Place) {
    let store = place.open().await;
    let accounts: Vec<_> = (0..8).map(|i| new_account("ada", &format!("Ada {i}"))).collect();

    let made = join_all(accounts.iter().map(|new| store.create_account(new))).await;

    let made: Vec<_> = made.into_iter().map(|m| m.expect("written")).collect();
    assert_eq!(made.iter().filter(|m| **m == AccountMade::Made).count(), 1, "{made:?}");
    assert!(made.iter().all(|m| matches!(m, AccountMade::Made | AccountMade::NameTaken)), "{made:?}");
}

pub async fn of_many_who_would_be_the_first_administrator_one_is(place: &Place) {
    let store = place.open().await;
    assert!(!store.has_admin().await.expect("read"));
    let accounts: Vec<_> = (0..8)
        .map(|i| {
            let mut new = new_account(&format!("ada{i}"), "Ada");
            (new.user.admin, new.only_first_admin) = (true, true);
            new
        })
        .collect();

    let made = join_all(accounts.iter().map(|new| store.create_account(new))).await;

    let made: Vec<_> = made.into_iter().map(|m| m.expect("written")).collect();
    assert_eq!(made.iter().filter(|m| **m == AccountMade::Made).count(), 1, "{made:?}");
    assert_eq!(made.iter().filter(|m| **m == AccountMade::AdminExists).count(), 7, "{made:?}");
    assert!(store.has_admin().await.expect("read"));
    assert_eq!(store.create_account(&new_account("lin", "Lin")).await.expect("written"), AccountMade::Made);
}

/// Each with its own way to the store, as at the first start of a cluster.
pub async fn nodes_that_make_the_same_account_at_once_make_it_once(place: &Place) {
    let store = place.open().await;
    for n in 0..25 {
        let new = new_account(&format!("partyline{n}"), "Partyline");
        let made = join_all((0..6).map(|_| store.create_account(&new))).await;
        let made: Vec<_> = made.into_iter().map(|made| made.expect("written or taken")).collect();
        assert_eq!(made.iter().filter(|made| **made == AccountMade::Made).count(), 1, "{made:?}");
    }
}
