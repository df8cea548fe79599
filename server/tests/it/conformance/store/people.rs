use super::{
    chat::{Chat, account, new_account, room},
    place::Place,
};
use app::model::{AccountChange, SessionId, User, UserId, Visibility};
use futures::future::join_all;
use server::store::{Act, Acted, NewSession, Rotation, Store, Window};

const BEGIN: i64 = 1_000;
const MIDDLE: i64 = 1_500;
const END: i64 = 2_000;

async fn session(store: &dyn Store, user: UserId, token: u8, created_at: i64) -> SessionId {
    let id = SessionId::new();
    let new = NewSession { id, user, refresh_hash: [token; 32], created_at, expires_at: END };
    store.create_session(&new).await.expect("written");
    id
}

async fn admin(store: &dyn Store, name: &str) -> User {
    let mut new = new_account(name, name);
    new.user.admin = true;
    store.create_account(&new).await.expect("written");
    new.user
}

const SUSPEND: AccountChange = AccountChange { suspended: Some(true), admin: None };
const REINSTATE: AccountChange = AccountChange { suspended: Some(false), admin: None };
const MAKE: AccountChange = AccountChange { suspended: None, admin: Some(true) };
const UNMAKE: AccountChange = AccountChange { suspended: None, admin: Some(false) };

async fn act(store: &dyn Store, by: &User, subject: &str, change: AccountChange) -> Acted {
    let act = Act { by: Some(by.id), subject: subject.into(), change, end_sessions: false, at: MIDDLE };
    store.act(&act).await.expect("written")
}

async fn log(store: &dyn Store) -> Vec<(Option<String>, String, String)> {
    let entries = store.audit_log(None, 100).await.expect("read");
    entries.into_iter().map(|entry| (entry.by, entry.action, entry.subject)).collect()
}

pub async fn ones_own_sessions_are_listed_and_ended_and_nobody_elses(place: &Place) {
    let store = place.open().await;
    let (ada, lin) = (account(&*store, "ada", "Ada").await, account(&*store, "lin", "Lin").await);
    let old = session(&*store, ada.id, 1, BEGIN).await;
    let new = session(&*store, ada.id, 2, BEGIN + 1).await;
    let over = session(&*store, ada.id, 3, BEGIN).await;
    let lins = session(&*store, lin.id, 4, BEGIN).await;
    store.end_session(over).await.expect("written");
    assert!(matches!(store.rotate(&[1; 32], &[5; 32], MIDDLE).await, Ok(Rotation::Rotated { .. })));

    let listed = store.sessions_of(ada.id, MIDDLE).await.expect("read");
    let listed: Vec<_> = listed.into_iter().map(|s| (s.id, s.begun_at, s.renewed_at, s.expires_at)).collect();
    assert_eq!(listed, [(new, BEGIN + 1, None, END), (old, BEGIN, Some(MIDDLE), END)]);
    assert!(store.sessions_of(ada.id, END).await.expect("read").is_empty(), "expired");

    assert!(!store.end_session_of(ada.id, lins, MIDDLE).await.expect("written"), "somebody else's");
    assert!(!store.end_session_of(ada.id, over, MIDDLE).await.expect("written"));
    assert!(store.end_session_of(ada.id, old, MIDDLE).await.expect("written"));
    assert!(!store.end_session_of(ada.id, old, MIDDLE).await.expect("written"));
    assert_eq!(store.session(old, MIDDLE).await.expect("read"), None);

    let third = session(&*store, ada.id, 6, BEGIN).await;
    assert_eq!(store.end_other_sessions(ada.id, new).await.expect("written"), [third]);
    assert!(store.session(new, MIDDLE).await.expect("read").is_some());
    assert!(store.session(lins, MIDDLE).await.expect("read").is_some());
}

pub async fn a_password_is_changed_by_who_knows_the_old_one_and_the_other_sessions_end(place: &Place) {
    let store = place.open().await;
    let ada = account(&*store, "ada", "Ada").await;
    let (keep, other) = (session(&*store, ada.id, 1, BEGIN).await, session(&*store, ada.id, 2, BEGIN).await);
    let change = async |old| store.change_password(ada.id, old, "fresh", keep).await.expect("written");

    assert_eq!(change("another").await, None);
    assert!(store.session(other, MIDDLE).await.expect("read").is_some());
    assert_eq!(change("hash").await, Some(vec![other]));
    assert_eq!(change("hash").await, None, "of two at once one is refused");

    let hash = store.account("ada").await.expect("read").expect("there").password_hash;
    assert_eq!(hash.as_deref(), Some("fresh"));
    assert!(store.session(keep, MIDDLE).await.expect("read").is_some());
    assert_eq!(store.session(other, MIDDLE).await.expect("read"), None);
}

pub async fn another_display_name_is_beside_older_messages_too(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    chat.fold(vec![chat.post(&chat.ada, "Tea?")]).await;

    let renamed = chat.store.rename(chat.ada.id, "Ada L.").await.expect("written").expect("there");

    assert_eq!((renamed.id, renamed.display_name.as_str()), (chat.ada.id, "Ada L."));
    assert_eq!(chat.store.rename(UserId::new(), "Nobody").await.expect("written"), None);
    let page = chat.store.history(&chat.room, Window::Newest, 10).await.expect("read").expect("a page");
    assert_eq!(page.messages[0].author.display_name, "Ada L.");
}

pub async fn sessions_that_have_long_been_over_are_forgotten(place: &Place) {
    let store = place.open().await;
    let ada = account(&*store, "ada", "Ada").await;
    let mut expired = Vec::new();
    for token in 1..=3 {
        expired.push(session(&*store, ada.id, token, BEGIN).await);
    }
    let later = NewSession {
        id: SessionId::new(),
        user: ada.id,
        refresh_hash: [9; 32],
        created_at: BEGIN,
        expires_at: i64::MAX,
    };
    let live = later.id;
    store.create_session(&later).await.expect("written");
    let ended = NewSession { id: SessionId::new(), refresh_hash: [8; 32], ..later };
    store.create_session(&ended).await.expect("written");
    store.end_session_of(ada.id, ended.id, MIDDLE).await.expect("written");

    assert_eq!(store.forget_sessions(MIDDLE, 10).await.expect("written"), 0, "not before then");
    assert_eq!(store.forget_sessions(END + 1, 3).await.expect("written"), 3, "no more than was asked for");
    assert_eq!(store.forget_sessions(END + 1, 3).await.expect("written"), 1);
    assert_eq!(store.forget_sessions(END + 1, 3).await.expect("written"), 0);

    assert_eq!(store.session(live, MIDDLE).await.expect("read"), Some(ada));
    assert_eq!(store.session(expired[0], MIDDLE).await.expect("read"), None);
    assert_eq!(store.rotate(&[1; 32], &[7; 32], MIDDLE).await.expect("written"), Rotation::Unknown);
}

pub async fn an_act_and_its_entry_in_the_audit_log_are_one(place: &Place) {
    let store = place.open().await;
    let (ada, lin) = (admin(&*store, "ada").await, account(&*store, "lin", "Lin").await);
    let mut guest = new_account("guest-1", "Guest");
    guest.user.guest = true;
    store.create_account(&guest).await.expect("written");

    assert_eq!(act(&*store, &lin, "ada", SUSPEND).await, Acted::NotAllowed, "no administrator");
    assert_eq!(act(&*store, &ada, "nobody", SUSPEND).await, Acted::NoAccount);
    assert_eq!(act(&*store, &ada, "guest-1", MAKE).await, Acted::Guest);
    assert_eq!(act(&*store, &ada, "ada", SUSPEND).await, Acted::Oneself);
    assert_eq!(act(&*store, &ada, "ada", UNMAKE).await, Acted::LastAdmin);
    assert_eq!(act(&*store, &ada, "lin", REINSTATE).await, Acted::Done(vec![]), "nothing to be done");
    assert_eq!(log(&*store).await, [], "what was not done is not in the log");

    act(&*store, &ada, "lin", MAKE).await;
    act(&*store, &lin, "ada", UNMAKE).await;
    assert_eq!(act(&*store, &ada, "lin", SUSPEND).await, Acted::NotAllowed, "not any more");
    let operator = Act { by: None, subject: "lin".into(), change: SUSPEND, end_sessions: true, at: MIDDLE };
    assert_eq!(store.act(&operator).await.expect("written"), Acted::LastAdmin, "whoever acts");
    let both = AccountChange { suspended: Some(true), admin: Some(false) };
    act(&*store, &lin, "ada", both).await;

    let entry = |by: &str, action: &str, subject: &str| (Some(by.to_owned()), action.to_owned(), subject.to_owned());
    let expected =
        [entry("lin", "suspend", "ada"), entry("lin", "unmake_admin", "ada"), entry("ada", "make_admin", "lin")];
    assert_eq!(log(&*store).await, expected);
    let newest = store.audit_log(None, 1).await.expect("read");
    let older = store.audit_log(Some(newest[0].id), 10).await.expect("read");
    assert_eq!((newest.len(), older.len(), newest[0].at), (1, 2, MIDDLE));
}

pub async fn a_suspended_account_has_no_live_session(place: &Place) {
    let store = place.open().await;
    let (ada, lin) = (admin(&*store, "ada").await, account(&*store, "lin", "Lin").await);
    let own = session(&*store, lin.id, 1, BEGIN).await;

    assert_eq!(act(&*store, &ada, "lin", SUSPEND).await, Acted::Done(vec![own]));
    assert!(store.account("lin").await.expect("read").expect("there").suspended);
    assert_eq!(store.session(own, MIDDLE).await.expect("read"), None);
    // Signed in at the same moment, or at a node of the version before.
    let meanwhile = session(&*store, lin.id, 2, BEGIN).await;
    assert_eq!(store.session(meanwhile, MIDDLE).await.expect("read"), None);
    assert_eq!(store.rotate(&[2; 32], &[3; 32], MIDDLE).await.expect("written"), Rotation::Unknown);

    assert_eq!(act(&*store, &ada, "lin", REINSTATE).await, Acted::Done(vec![meanwhile]));
    assert!(!store.account("lin").await.expect("read").expect("there").suspended);
    assert_eq!(store.session(meanwhile, MIDDLE).await.expect("read"), None, "it does not come back");
    let details: Vec<_> = store.audit_log(None, 9).await.expect("read").into_iter().map(|e| e.detail).collect();
    assert_eq!(details, ["1 session ended", "1 session ended"]);
    let again = session(&*store, lin.id, 4, BEGIN).await;
    assert_eq!(store.session(again, MIDDLE).await.expect("read"), Some(lin));
}

pub async fn there_is_always_an_administrator(place: &Place) {
    let store = place.open().await;
    let mut admins = Vec::new();
    for i in 0..6 {
        admins.push(admin(&*store, &format!("admin-{i}")).await);
    }
    // Everybody tries to get rid of everybody else, at once.
    let pairs = admins.iter().flat_map(|by| admins.iter().map(move |of| (by, of)));
    join_all(pairs.enumerate().map(|(i, (by, of))| {
        let store = &store;
        async move { act(&**store, by, &of.username, if i % 2 == 0 { UNMAKE } else { SUSPEND }).await }
    }))
    .await;

    let left = store.accounts("", "", 100, MIDDLE).await.expect("read");
    let left = left.iter().filter(|account| account.user.admin && account.suspended_at.is_none()).count();
    assert_eq!(left, 1);
}

pub async fn accounts_are_found_by_part_of_a_name_and_paged(place: &Place) {
    let store = place.open().await;
    let lin = account(&*store, "lin", "Lin Ä_").await;
    account(&*store, "eve", "Eveline").await;
    account(&*store, "ada", "Ada").await;
    session(&*store, lin.id, 1, BEGIN).await;
    let found = async |q: &str, after: &str, limit| {
        let found = store.accounts(q, after, limit, MIDDLE).await.expect("read");
        found.into_iter().map(|account| account.user.username).collect::<Vec<_>>()
    };

    assert_eq!(found("", "", 2).await, ["ada", "eve"]);
    assert_eq!(found("", "eve", 2).await, ["lin"]);
    assert_eq!(found("LIN", "", 9).await, ["eve", "lin"], "in either name, in any case");
    assert_eq!(found("Ä_", "", 9).await, ["lin"]);
    for nobody in ["%", "a_a", "\\", "'"] {
        assert!(found(nobody, "", 9).await.is_empty(), "{nobody}");
    }
    let accounts = store.accounts("lin ", "", 9, MIDDLE).await.expect("read");
    assert_eq!((accounts.len(), accounts[0].sessions, accounts[0].suspended_at), (1, 1, None));
}

pub async fn all_rooms_are_listed_but_direct_conversations(place: &Place) {
    let chat = Chat::new(place.open().await).await;
    let at = chat.fold(vec![chat.post(&chat.ada, "Tea?"), chat.post(&chat.ada, "Or not?")]).await;
    room(&*chat.store, "attic", Visibility::Private, 1).await;
    room(&*chat.store, "~between-two", Visibility::Private, 1).await;

    let rooms = chat.store.all_rooms("", 10).await.expect("read");
    let named: Vec<_> = rooms.iter().map(|r| (r.slug.as_str(), r.members, r.last_message_at.is_some())).collect();
    assert_eq!(named, [("attic", 0, false), ("tea", 0, true)]);
    assert_eq!(at.len(), 2);
    let after = chat.store.all_rooms("attic", 1).await.expect("read");
    assert_eq!(after.iter().map(|r| r.slug.as_str()).collect::<Vec<_>>(), ["tea"]);
}
