//! A member whose batches wait while another comes further with its partition.

#![allow(clippy::unwrap_used)]

use crate::{
    conformance::store::chat::{account, post, room},
    support::{PATIENCE, small_folder},
};
use app::model::{MessageId, Visibility};
use server::{
    log::{Log, sqlite::SqliteLog},
    pipeline::{Health, persist},
    store::{Store, sqlite::SqliteStore},
};
use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};
use std::{sync::Arc, time::Duration};

#[tokio::test]
async fn where_somebody_else_has_come_further_the_progress_does_not_go_back() {
    let dir = small_folder();
    let log: Arc<dyn Log> = Arc::new(SqliteLog::open(dir.path(), 1).await.unwrap());
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(dir.path()).await.unwrap());
    let author = account(&*store, "ada", "Ada").await;
    let room = room(&*store, "tea", Visibility::Public, 0).await.id;
    let running = tokio::spawn(persist::run(log.clone(), store.clone(), Health::default()));
    let append = async || log.append(0, room, post(room, &author, MessageId::new(), "tea").encode()).await.unwrap();
    append().await;
    while store.progress(0).await.unwrap() < 1 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    // As another member that had it meanwhile, and this one's batches wait.
    let options = SqliteConnectOptions::new().filename(dir.path().join("store.db"));
    let mut other = options.connect().await.unwrap();
    sqlx::raw_sql("begin immediate; update progress set next_offset = 8").execute(&mut other).await.unwrap();
    for _ in 0..3 {
        append().await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    sqlx::raw_sql("commit").execute(&mut other).await.unwrap();

    while append().await < 8 {}
    let folded = async {
        loop {
            match store.progress(0).await.unwrap() {
                9.. => break,
                progress => assert_eq!(progress, 8),
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, folded).await.unwrap();
    assert!(!running.is_finished());
}
