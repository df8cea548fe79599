//! The store's file, cut and damaged: it is named, or it serves.

#![allow(clippy::unwrap_used)]

use crate::support::{PATIENCE, small_folder};
use app::model::{User, UserId};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use server::store::{NewAccount, Store, StoreError, sqlite::SqliteStore};
use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};
use std::path::Path;

const PEOPLE: usize = 40;

async fn make_account(store: &SqliteStore, n: usize) {
    let username = format!("person-{n}");
    let user =
        User { id: UserId::new(), username: username.clone(), display_name: username, guest: true, admin: false };
    store
        .create_account(&NewAccount { user, password_hash: None, created_at: 0, only_first_admin: false })
        .await
        .unwrap();
}

fn copy(from: &Path, to: &Path) {
    for name in ["store.db", "store.db-wal"] {
        if from.join(name).exists() {
            std::fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
}

/// How many accounts it knows; `Err`: why it refuses.
async fn serves(dir: &Path) -> Result<usize, String> {
    let opened = tokio::time::timeout(PATIENCE, SqliteStore::open(dir)).await.expect("it opens or refuses");
    let store = match opened {
        Ok(store) => store,
        Err(StoreError::Broken(text)) => return Err(text),
        Err(other) => panic!("refused with {other}"),
    };
    let mut found = 0;
    for n in 0..PEOPLE {
        match store.account(&format!("person-{n}")).await {
            Ok(account) => found += usize::from(account.is_some()),
            Err(StoreError::Broken(_)) => {}
            Err(other) => panic!("{other}"),
        }
    }
    Ok(found)
}

#[tokio::test]
async fn a_damaged_store_is_named_and_what_a_crash_left_is_not_dropped_in_silence() {
    let dir = small_folder();
    let store = SqliteStore::open(dir.path()).await.unwrap();
    for n in 0..PEOPLE {
        make_account(&store, n).await;
    }
    let crashed = small_folder();
    copy(dir.path(), crashed.path());
    let wal = std::fs::read(crashed.path().join("store.db-wal")).unwrap();
    let seed = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    for _ in 0..60 {
        let damaged = small_folder();
        copy(crashed.path(), damaged.path());
        let mut bytes = wal.clone();
        // Before the last account's transaction, of a few pages.
        let at = random.random_range(0..bytes.len() - 6 * 4_120);
        bytes[at] ^= 1 << random.random_range(0..8);
        std::fs::write(damaged.path().join("store.db-wal"), bytes).unwrap();
        let text = serves(damaged.path()).await.expect_err("accounts would be lost");
        assert!(text.contains("store.db-wal: damaged at byte"), "{text}");
    }

    let mut db = SqliteConnectOptions::new().filename(crashed.path().join("store.db")).connect().await.unwrap();
    sqlx::query("pragma wal_checkpoint(truncate)").execute(&mut db).await.unwrap();
    sqlx::Connection::close(db).await.unwrap();
    let database = std::fs::read(crashed.path().join("store.db")).unwrap();
    let mut refused = 0;
    for _ in 0..60 {
        let damaged = small_folder();
        let mut bytes = database.clone();
        if random.random_bool(0.3) {
            bytes.truncate(random.random_range(100..bytes.len()));
        } else {
            let at = random.random_range(0..bytes.len());
            bytes[at] ^= 1 << random.random_range(0..8);
        }
        std::fs::write(damaged.path().join("store.db"), bytes).unwrap();
        if let Err(text) = serves(damaged.path()).await {
            assert!(text.contains("store.db"), "{text}");
            refused += 1;
        }
    }
    println!("{refused} of 60 damaged files refused");
    assert!(refused > 10, "those that were cut at least");
    assert_eq!(serves(crashed.path()).await, Ok(PEOPLE));
}
