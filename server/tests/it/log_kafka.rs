//! The log in a topic: what its operators and its retention do to it.

#![allow(clippy::unwrap_used)]

use app::model::RoomId;
use bytes::Bytes;
use futures::future::join_all;
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
};
use server::{
    config::KafkaConfig,
    log::{AppendError, Assigned, Log, LogError, Start, StartAt, kafka::KafkaLog},
};
use std::{sync::Arc, time::Duration};
use tokio::{sync::mpsc, time::timeout};

const PATIENCE: Duration = Duration::from_secs(40);

fn config() -> KafkaConfig {
    let brokers = std::env::var("PARTYLINE_TEST_KAFKA_BROKERS")
        .expect("PARTYLINE_TEST_KAFKA_BROKERS is not set: run through `make test`");
    let namespace = format!("test-{}", RoomId::new());
    KafkaConfig { brokers, namespace, ca: None, identity: None, sasl: None }
}

fn operator(config: &KafkaConfig) -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", &config.brokers).create().unwrap()
}

/// Takes the oldest entries away, as retention does.
async fn forget_before(config: &KafkaConfig, offset: i64) {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&format!("{}.events", config.namespace), 0, Offset::Offset(offset)).unwrap();
    operator(config).delete_records(&list, &AdminOptions::new()).await.unwrap();
}

fn committed(rewind: u64) -> StartAt {
    Arc::new(move |_| Box::pin(async move { Ok(Start::Committed { rewind }) }))
}

async fn append(log: &KafkaLog, count: usize) {
    for n in 0..count {
        log.append(0, RoomId::new(), Bytes::from(n.to_string())).await.unwrap();
    }
}

async fn assigned(receiver: &mut mpsc::Receiver<Assigned>) -> Assigned {
    timeout(PATIENCE, receiver.recv()).await.expect("in time").expect("the member goes on")
}

async fn fails(mut receiver: mpsc::Receiver<Assigned>) {
    timeout(PATIENCE, async { while receiver.recv().await.is_some() {} }).await.expect("the receiver closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_start_together_make_one_topic() {
    let config = config();
    let logs = join_all((0..5).map(|_| KafkaLog::connect(&config, 7))).await;
    assert!(logs.iter().all(|log| log.as_ref().unwrap().partitions() == 7));
    let later = KafkaLog::connect(&config, 3).await.unwrap();
    assert_eq!(later.partitions(), 7, "what is there counts, not what is asked for");
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_that_passes_what_was_not_done_is_loud() {
    let config = config();
    let log = KafkaLog::connect(&config, 1).await.unwrap();
    append(&log, 10).await;
    let mut receiver = log.join("persist", committed(0)).await.unwrap();
    let mut held = assigned(&mut receiver).await;
    timeout(PATIENCE, held.entries.recv()).await.unwrap().unwrap();
    (held.commit)(4);
    drop(receiver);
    assert!(timeout(PATIENCE, async { while held.entries.recv().await.is_some() {} }).await.is_ok(), "it has left");

    forget_before(&config, 6).await;
    fails(log.join("persist", committed(0)).await.unwrap()).await;
    fails(log.join("persist", committed(2)).await.unwrap()).await;
    let error = log.read(0, 5, 10).await.unwrap_err();
    assert!(matches!(error, LogError::OutOfRange { partition: 0, offset: 5, .. }), "{error}");
    assert_eq!(log.read(0, 6, 10).await.unwrap().len(), 4);

    // A group that never committed begins at what there is.
    let mut receiver = log.join("relay", committed(0)).await.unwrap();
    let mut held = assigned(&mut receiver).await;
    let batch = timeout(PATIENCE, held.entries.recv()).await.unwrap().unwrap();
    assert_eq!(batch[0].offset, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_deleted_under_a_member_fails_it() {
    let config = config();
    let log = KafkaLog::connect(&config, 1).await.unwrap();
    append(&log, 3).await;
    let mut receiver = log.join("persist", committed(0)).await.unwrap();
    let mut held = assigned(&mut receiver).await;
    timeout(PATIENCE, held.entries.recv()).await.unwrap().unwrap();
    let topic = format!("{}.events", config.namespace);
    operator(&config).delete_topics(&[&topic], &AdminOptions::new()).await.unwrap();
    fails(receiver).await;
    let error = log.check().await.unwrap_err();
    assert!(matches!(error, LogError::Gone(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_too_large_is_not_persisted() {
    let log = KafkaLog::connect(&config(), 1).await.unwrap();
    let refused = log.append(0, RoomId::new(), Bytes::from(vec![b'x'; 2_000_000])).await.unwrap_err();
    assert!(matches!(refused, AppendError::NotPersisted(_)), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_was_paused_when_it_was_taken_away_is_read_again_when_it_comes_back() {
    let config = config();
    let (log, other) = (KafkaLog::connect(&config, 2).await.unwrap(), KafkaLog::connect(&config, 2).await.unwrap());
    // More than may wait for a holder that takes nothing: both partitions are paused.
    let large = Bytes::from(vec![b'x'; 200_000]);
    for partition in [0, 1] {
        join_all((0..30).map(|_| log.append(partition, RoomId::new(), large.clone()))).await;
    }
    let mut receiver = log.join("persist", committed(0)).await.unwrap();
    let held = [assigned(&mut receiver).await, assigned(&mut receiver).await];
    timeout(PATIENCE, async {
        while held.iter().any(|held| held.entries.len() < held.entries.max_capacity()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("as much waits as may");
    let mut elsewhere = other.join("persist", committed(0)).await.unwrap();
    let moved = assigned(&mut elsewhere).await.partition;
    drop(elsewhere);
    let mut back = assigned(&mut receiver).await;
    assert_eq!(back.partition, moved);
    let batch = timeout(PATIENCE, back.entries.recv()).await.expect("it is read").unwrap();
    assert_eq!(batch[0].offset, 0);
}
