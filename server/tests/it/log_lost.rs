//! A log that lost what it had: everything stops, loudly; nothing is put in a wrong order or skipped in silence.

use crate::support::{Installation, Kind, Person, installation::free_address, until};
use app::model::{MessageId, Position};
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication},
    client::DefaultClientContext,
};
use reqwest::StatusCode;
use server::{Server, config::Mode};
use std::time::{Duration, Instant};

fn topic(installation: &Installation) -> (String, AdminClient<DefaultClientContext>) {
    let Mode::Cluster { kafka, .. } = &installation.mode else { unreachable!("a cluster") };
    let operator = ClientConfig::new().set("bootstrap.servers", &kafka.brokers).create().unwrap();
    (format!("{}.events", kafka.namespace), operator)
}

async fn stops_accepting(ada: &Person, room: &str) {
    let since = Instant::now();
    until("the node is not ready", async || {
        reqwest::get(format!("{}/readyz", ada.base)).await.unwrap().status() == StatusCode::SERVICE_UNAVAILABLE
    })
    .await;
    assert!(since.elapsed() < Duration::from_secs(12), "{:?}", since.elapsed());
    let (status, problem) = ada.try_post(room, MessageId::new(), "out of place").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{problem}");
}

async fn does_not_start(installation: &Installation, remedy: &str) {
    let error = Server::start(installation.config()).await.err().expect("it does not start");
    let text = format!("{error:#}");
    assert!(text.contains(remedy), "it says what to do: {text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_recreated_under_running_nodes_stops_them_and_no_other_starts() {
    let installation = Installation::new(Kind::Cluster).await;
    let (a, b) = tokio::join!(installation.start(), installation.start());
    let ada = Person::register(&a.base, "ada").await;
    let room = ada.make_room("public").await;
    let mut last = Position::START;
    for i in 0..10 {
        last = ada.at(if i % 2 == 0 { &a.base } else { &b.base }).post(&room, &i.to_string()).await.1;
    }
    let bodies = ada.bodies(&room, last).await;
    let (topic, operator) = topic(&installation);
    operator.delete_topics(&[&topic], &AdminOptions::new()).await.unwrap();
    until("it can be made again", async || {
        let new = NewTopic::new(&topic, 4, TopicReplication::Fixed(1));
        operator.create_topics([&new], &AdminOptions::new()).await.unwrap()[0].is_ok()
    })
    .await;
    // Whoever posts meanwhile is not told a place that others have had before.
    while let (StatusCode::CREATED, answer) = ada.at(&b.base).try_post(&room, MessageId::new(), "meanwhile").await {
        let at: Position = answer["at"].as_str().unwrap().parse().unwrap();
        assert!(at > last, "{at} after {last}");
    }
    stops_accepting(&ada, &room).await;
    stops_accepting(&ada.at(&b.base), &room).await;
    assert_eq!(ada.bodies(&room, last).await, bodies, "what is stored can be read");
    does_not_start(&installation, "doctor --new-epoch").await;
    tokio::join!(a.server.shutdown(), b.server.shutdown());
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_that_passes_an_unpersisted_record_stops_the_nodes_and_is_warned_of_before() {
    let installation = Installation::new(Kind::Cluster).await;
    let (topic, operator) = topic(&installation);
    let node = installation.start().await;
    let ada = Person::register(&node.base, "ada").await;
    let room = ada.make_room("public").await;
    let (_, at) = ada.post(&room, "stored").await;
    ada.bodies(&room, at).await;
    node.server.shutdown().await;
    let config =
        rdkafka::admin::AlterConfig::new(rdkafka::admin::ResourceSpecifier::Topic(&topic)).set("retention.ms", "6000");
    operator.alter_configs([&config], &AdminOptions::new()).await.unwrap();

    // Nobody persists.
    let node = installation.spawn_with(free_address(), &[("PARTYLINE_ROLES", "web,relay")]);
    let ada = ada.at(&node.base);
    let mut last = Position::START;
    for i in 0..3 {
        last = ada.post(&room, &i.to_string()).await.1;
    }
    until("it is warned of", async || {
        let metrics = reqwest::get(format!("{}/metrics", node.base)).await.unwrap().text().await.unwrap();
        metrics.lines().any(|l| l == "partyline_retention_warning 1")
    })
    .await;
    let mut list = TopicPartitionList::new();
    for partition in 0..4 {
        list.add_partition_offset(&topic, partition, Offset::End).unwrap();
    }
    operator.delete_records(&list, &AdminOptions::new()).await.unwrap();
    stops_accepting(&ada, &room).await;
    assert!(last > at);
    does_not_start(&installation, "doctor --skip-lost").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_added_under_load_are_used_by_new_rooms_and_old_ones_stay() {
    let installation = Installation::new(Kind::Cluster).await;
    let (a, b) = tokio::join!(installation.start(), installation.start());
    let ada = Person::register(&a.base, "ada").await;
    let room = ada.make_room("public").await;
    let mut socket = ada.at(&b.base).socket().await;
    socket.subscribe(&room, None).await;
    let (topic, operator) = topic(&installation);
    let Mode::Cluster { database, .. } = &installation.mode else { unreachable!("a cluster") };
    let database = sqlx::PgPool::connect(database.url.expose()).await.unwrap();
    let mut sent = Vec::new();
    let mut post = async |room: &str| {
        let body = sent.len().to_string();
        let (_, at) = ada.at(if sent.len() % 2 == 0 { &a.base } else { &b.base }).post(room, &body).await;
        sent.push(body);
        at
    };
    for _ in 0..20 {
        post(&room).await;
    }
    operator.create_partitions([&NewPartitions::new(&topic, 8)], &AdminOptions::new()).await.unwrap();
    let since = Instant::now();
    let new_room = loop {
        post(&room).await;
        let new_room = ada.make_room("public").await;
        let partition: i64 = sqlx::query_scalar("select partition_no from rooms where id = $1")
            .bind(new_room.parse::<uuid::Uuid>().unwrap())
            .fetch_one(&database)
            .await
            .unwrap();
        if partition >= 4 {
            break new_room;
        }
        assert!(since.elapsed() < Duration::from_secs(45), "no new room in a new partition");
    };
    println!("a room in a new partition after {:?}", since.elapsed());
    for _ in 0..19 {
        post(&room).await;
    }
    let end = post(&room).await;
    // The node that did not make it knows the partition as well.
    let (_, at) = ada.at(&b.base).post(&new_room, "new").await;
    let (_, last) = ada.post(&new_room, "newer").await;
    assert!(last > at);
    assert_eq!(ada.bodies(&new_room, last).await, ["new", "newer"]);
    for body in &sent {
        assert_eq!(socket.posted().await.0, *body);
    }
    assert_eq!(ada.bodies(&room, end).await, sent[sent.len().saturating_sub(200)..]);
    tokio::join!(a.server.shutdown(), b.server.shutdown());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embedded_log_that_was_lost_stops_the_start() {
    let installation = Installation::new(Kind::Embedded).await;
    let node = installation.start().await;
    let ada = Person::register(&node.base, "ada").await;
    let room = ada.make_room("public").await;
    let (_, at) = ada.post(&room, "stored").await;
    ada.bodies(&room, at).await;
    node.server.shutdown().await;
    let Mode::Embedded { data_dir } = &installation.mode else { unreachable!("embedded") };
    for name in ["log.db", "log.db-wal", "log.db-shm"] {
        let _ = std::fs::remove_file(data_dir.join(name));
    }
    does_not_start(&installation, "doctor --new-epoch").await;
}
