use super::{chat::account, place::Place};
use app::model::{SessionId, UserId};
use futures::future::join_all;
use server::store::{NewSession, Rotation, Store};

const BEGIN: i64 = 1_000;
const END: i64 = 2_000;
const MIDDLE: i64 = 1_500;

async fn session(store: &dyn Store, user: UserId, token: u8) -> SessionId {
    let id = SessionId::new();
    let new = NewSession { id, user, refresh_hash: [token; 32], created_at: BEGIN, expires_at: END };
    store.create_session(&new).await.expect("written");
    id
}

async fn rotate(store: &dyn Store, old: u8, new: u8) -> Rotation {
    store.rotate(&[old; 32], &[new; 32], MIDDLE).await.expect("written")
}

pub async fn a_session_is_live_until_it_expires(place: &Place) {
    let store = place.open().await;
    let ada = account(&*store, "ada", "Ada").await;
    let id = session(&*store, ada.id, 1).await;

    assert_eq!(store.session(id, END - 1).await.expect("read"), Some(ada));
    assert_eq!(store.session(id, END).await.expect("read"), None);
    assert_eq!(store.session(SessionId::new(), MIDDLE).await.expect("read"), None);
}

pub async fn ended_is_ended(place: &Place) {
    let store = place.open().await;
    let ada = account(&*store, "ada", "Ada").await;
    let id = session(&*store, ada.id, 1).await;

    store.end_session(id).await.expect("written");
    store.end_session(id).await.expect("twice is fine");

    assert_eq!(store.session(id, MIDDLE).await.expect("read"), None);
    assert_eq!(rotate(&*store, 1, 2).await, Rotation::Unknown);
    assert_eq!(rotate(&*store, 2, 3).await, Rotation::Unknown);
    assert_eq!(store.session(id, MIDDLE).await.expect("read"), None);
}

pub async fn a_refresh_token_is_good_once_and_using_it_again_ends_its_session(place: &Place) {
    let store = place.open().await;
    let ada = account(&*store, "ada", "Ada").await;
    let id = session(&*store, ada.id, 1).await;
    let other = session(&*store, ada.id, 9).await;

    assert_eq!(rotate(&*store, 1, 2).await, Rotation::Rotated { session: id, user: ada.clone() });
    assert_eq!(rotate(&*store, 2, 3).await, Rotation::Rotated { session: id, user: ada.clone() });
    assert_eq!(rotate(&*store, 1, 4).await, Rotation::Reused { session: id });

    assert_eq!(store.session(id, MIDDLE).await.expect("read"), None);
    assert_eq!(rotate(&*store, 3, 5).await, Rotation::Unknown, "the newest token went with its session");
    assert_eq!(rotate(&*store, 1, 6).await, Rotation::Unknown, "there is nothing left to end");
    assert_eq!(rotate(&*store, 77, 78).await, Rotation::Unknown);
    assert_eq!(store.session(other, MIDDLE).await.expect("read"), Some(ada), "another session is not touched");
}

pub async fn of_many_who_bring_a_refresh_token_at_once_one_gets_a_new_one(place: &Place) {
    let store = place.open().await;
    let ada = account(&*store, "ada", "Ada").await;
    let id = session(&*store, ada.id, 1).await;

    let rotations = join_all((10..18).map(|new| rotate(&*store, 1, new))).await;

    let rotated = rotations.iter().filter(|r| matches!(r, Rotation::Rotated { .. })).count();
    let reused = rotations.iter().filter(|r| **r == Rotation::Reused { session: id }).count();
    assert_eq!((rotated, reused), (1, 1), "{rotations:?}");
    assert_eq!(store.session(id, MIDDLE).await.expect("read"), None);
}

pub async fn a_refresh_token_of_an_expired_session_is_unknown(place: &Place) {
    let store = place.open().await;
    let ada = account(&*store, "ada", "Ada").await;
    session(&*store, ada.id, 1).await;

    assert_eq!(store.rotate(&[1; 32], &[2; 32], END).await.expect("written"), Rotation::Unknown);
}

pub async fn ending_all_sessions_of_an_account_spares_those_of_others(place: &Place) {
    let store = place.open().await;
    let ada = account(&*store, "ada", "Ada").await;
    let lin = account(&*store, "lin", "Lin").await;
    let mut own = vec![session(&*store, ada.id, 1).await, session(&*store, ada.id, 2).await];
    let over = session(&*store, ada.id, 3).await;
    let others = session(&*store, lin.id, 4).await;
    store.end_session(over).await.expect("written");

    let mut ended = store.end_sessions(ada.id).await.expect("written");

    ended.sort();
    own.sort();
    assert_eq!(ended, own);
    assert_eq!(store.session(own[0], MIDDLE).await.expect("read"), None);
    assert_eq!(store.session(others, MIDDLE).await.expect("read"), Some(lin));
    assert!(store.end_sessions(ada.id).await.expect("written").is_empty());
}
