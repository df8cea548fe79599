//! What is left behind by those who give up, in PostgreSQL and on the way to it.

use crate::support::{Installation, Kind, PATIENCE};
use app::model::{MessageId, Position, RoomId, Visibility};
use chaos::proxy::{Direction, Proxy, Way};
use futures::future::join_all;
use server::{
    config::{DatabaseConfig, Mode},
    store::{RoomRow, Store, Window, postgres::PostgresStore},
};
use sqlx::{Connection, PgConnection};
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// Sessions of this database that are in the middle of a transaction in which nothing is done.
async fn forgotten_transactions(operator: &mut PgConnection) -> i64 {
    sqlx::query_scalar(
        "select count(*) from pg_stat_activity where datname = current_database() and state = 'idle in transaction'",
    )
    .fetch_one(operator)
    .await
    .unwrap()
}

/// The database's own address, and a store that reaches it through a proxy.
async fn behind_a_proxy() -> (String, Proxy, PostgresStore) {
    let Mode::Cluster { database, .. } = Installation::new(Kind::Cluster).await.mode else { unreachable!("a cluster") };
    let url = database.url.expose().to_owned();
    let (proxy, through) = Proxy::in_url(&url).await.unwrap();
    let store =
        PostgresStore::connect(&DatabaseConfig { url: through.into(), ca: None, identity: None }).await.unwrap();
    (url, proxy, store)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_host_that_is_gone_and_replaced_is_found_again_though_nobody_closed_a_connection() {
    let (_, proxy, store) = behind_a_proxy().await;
    let ask = || join_all((0..64).map(|_| store.rooms(None, false)));
    assert!(ask().await.iter().all(Result::is_ok));
    // Every connection has a question on its way, and no answer ever comes.
    proxy.set(Way::Hole);
    let unanswered = timeout(Duration::from_millis(500), ask()).await;
    assert!(unanswered.is_err());
    proxy.vanish();
    proxy.set(Way::Open);
    let gone = Instant::now();
    timeout(PATIENCE, async {
        while store.rooms(None, false).await.is_err() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await
    .expect("the successor is found");
    println!("found after {:?}", gone.elapsed());
    assert!(ask().await.iter().all(Result::is_ok));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_is_given_up_leaves_no_transaction_open() {
    let (url, proxy, store) = behind_a_proxy().await;
    let mut operator = PgConnection::connect(&url).await.unwrap();
    let room = RoomRow {
        id: RoomId::new(),
        slug: "room".into(),
        name: "Room".into(),
        visibility: Visibility::Public,
        partition: 0,
        topic: String::new(),
        archived: false,
        keep_days: 0,
        changed: Position::START,
    };
    // Two questions, so a transaction.
    let around = Window::Around(MessageId::new());
    store.history(&room, around, 1).await.unwrap();

    // The question arrives, the answer does not, and nobody waits for it. (Tried again if the only connection was not
    // back in the pool yet, for then it was a new one that did not come about.)
    timeout(PATIENCE, async {
        loop {
            proxy.set_one(Direction::Back, Way::Hole);
            timeout(Duration::from_millis(300), store.history(&room, around, 1)).await.unwrap_err();
            if forgotten_transactions(&mut operator).await > 0 {
                break;
            }
            proxy.set(Way::Open);
            store.check().await.unwrap();
        }
    })
    .await
    .expect("it is given up in the middle");
    proxy.set(Way::Open);
    store.check().await.unwrap();
    // Sooner than the server's own patience with such a transaction, 15 s, ends.
    timeout(Duration::from_secs(5), async {
        while forgotten_transactions(&mut operator).await > 0 {
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    })
    .await
    .expect("it is rolled back");
}
