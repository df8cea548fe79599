//! PostgreSQL goes and comes back, and persisters stop, die and wake up.

use crate::support::{Installation, Kind, PATIENCE, Person, Socket, installation::free_address, until};
use app::model::{MessageId, Position};
use chaos::proxy::Way;
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
};
use reqwest::{Method, StatusCode};
use serde_json::json;
use server::config::{Mode, Part};
use std::time::{Duration, Instant};

/// Ada, who owns a room that the store knows, and watches it.
async fn ada_in_a_room(base: &str) -> (Person, String, Socket) {
    let ada = Person::register(base, "ada").await;
    let room = ada.make_room("public").await;
    let mut socket = ada.socket().await;
    socket.subscribe(&room, None).await;
    let (_, at) = ada.post(&room, "before").await;
    assert_eq!(ada.bodies(&room, at).await, ["before"]);
    assert_eq!(socket.posted().await.0, "before");
    (ada, room, socket)
}

#[tokio::test(flavor = "multi_thread")]
async fn while_postgresql_is_silent_for_longer_than_anything_is_remembered_members_post_and_hear() {
    let installation = Installation::new(Kind::Cluster).await;
    let (proxy, installation) = installation.behind_database_proxy().await;
    let node = installation.start().await;
    let (ada, room, mut socket) = ada_in_a_room(&node.base).await;
    let stranger = Person::register(&node.base, "lin").await;
    let unseen = stranger.make_room("members").await;

    proxy.set(Way::Hole);
    let connected = proxy.accepted();
    let (begun, mut sent, mut slowest) = (Instant::now(), vec!["before".to_owned()], Duration::ZERO);
    while begun.elapsed() < Duration::from_secs(18) {
        let body = format!("during {}", sent.len());
        let posting = Instant::now();
        let (_, at) = ada.post(&room, &body).await;
        slowest = slowest.max(posting.elapsed());
        assert_eq!(socket.posted().await.1, at, "live goes on");
        sent.push(body);
        if sent.len() % 8 == 0 {
            let id = MessageId::new();
            let (first, again) = (ada.try_post(&room, id, "twice").await, ada.try_post(&room, id, "twice").await);
            assert_eq!((first.0, again.0, &first.1["at"]), (StatusCode::CREATED, StatusCode::OK, &again.1["at"]));
            socket.posted().await;
            sent.push("twice".into());
        }
    }
    assert!(slowest < Duration::from_secs(3), "{slowest:?}");
    // A node has 16 connections. A silent server is not asked for hundreds, which would be missing to everybody else.
    let tried = proxy.accepted() - connected;
    assert!(tried <= 32, "{tried} connections were begun while nobody answered");
    let (status, problem) = ada.get(&format!("/rooms/{room}/messages")).await;
    assert_eq!((status, &problem["type"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("/problems/unavailable")));
    let (status, _) = ada.try_post(&unseen, MessageId::new(), "may I?").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "unknown membership fails closed");

    proxy.set(Way::Open);
    until("the store is back", async || ada.get(&format!("/rooms/{room}/messages")).await.0 == StatusCode::OK).await;
    let (_, last) = ada.post(&room, "after").await;
    sent.push("after".into());
    assert_eq!(ada.bodies(&room, last).await, sent[sent.len().saturating_sub(200)..]);
    node.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_that_change_hands_while_postgresql_is_away_are_persisted_once_it_is_back() {
    let installation = Installation::new(Kind::Cluster).await;
    let (proxy, installation) = installation.behind_database_proxy().await;
    let stays = installation.spawn(free_address());
    let goes = installation.start().await;
    let (ada, room, mut socket) = ada_in_a_room(&stays.base).await;
    proxy.set(Way::Closed);
    let mut last = ada.post(&room, "one").await.1;
    goes.server.shutdown().await;
    for i in 0..5 {
        last = ada.post(&room, &format!("during {i}")).await.1;
    }
    for body in ["one", "during 0", "during 1", "during 2", "during 3", "during 4"] {
        assert_eq!(socket.posted().await.0, body, "live goes on");
    }
    let before = metric(&stays.base, "partyline_part_restarts_total").await;
    proxy.set(Way::Open);
    assert_eq!(ada.bodies(&room, last).await.len(), 7);
    let restarts = metric(&stays.base, "partyline_part_restarts_total").await;
    assert!(restarts == before, "nobody had to leave the group for it");
}

/// A metric at a node of its own process, summed over its labels.
async fn metric(base: &str, name: &str) -> f64 {
    let metrics = reqwest::get(format!("{base}/metrics")).await.unwrap().text().await.unwrap();
    let lines = metrics.lines().filter(|l| l.starts_with(name) && l[name.len()..].starts_with([' ', '{']));
    lines.map(|l| l.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_old_owner_that_wakes_up_writes_nothing() {
    let installation = Installation::new(Kind::Cluster).await;
    let (proxy, slow) = installation.behind_database_proxy().await;
    let new = installation.start().await;
    let old = slow.spawn(free_address());
    let ada = Person::register(&new.base, "ada").await;
    let mut rooms = Vec::new();
    // Some of them in each partition, most likely.
    for _ in 0..8 {
        rooms.push((ada.make_room("public").await, Vec::new(), Position::START));
    }
    // The old owner gets batches in its hands that its database does not answer...
    proxy.set(Way::Hole);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(300) {
        for (room, bodies, last) in &mut rooms {
            bodies.push(bodies.len().to_string());
            *last = ada.post(room, &bodies[bodies.len() - 1]).await.1;
        }
    }
    // ... sleeps until the other has them ...
    old.signal("STOP");
    for (room, bodies, last) in &rooms {
        assert_eq!(ada.bodies(room, *last).await, *bodies, "the new owner has taken over");
    }
    // ... goes on with what it was about to write, and finds its way back into the group.
    proxy.set(Way::Open);
    old.signal("CONT");
    let before = metric(&old.base, "partyline_persisted_records_total").await;
    until("it persists again", async || {
        for (room, bodies, last) in &mut rooms {
            bodies.push(bodies.len().to_string());
            *last = ada.post(room, &bodies[bodies.len() - 1]).await.1;
        }
        metric(&old.base, "partyline_persisted_records_total").await > before
    })
    .await;
    for (room, mut bodies, _) in rooms {
        bodies.push("after".into());
        let (_, last) = ada.post(&room, "after").await;
        let newest = bodies.split_off(bodies.len().saturating_sub(200));
        assert_eq!(ada.bodies(&room, last).await, newest);
    }
    new.server.shutdown().await;
}

/// What the group has committed of all partitions together.
fn committed(mode: &Mode) -> u64 {
    let Mode::Cluster { kafka, .. } = mode else { unreachable!("a cluster") };
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &kafka.brokers)
        .set("group.id", format!("{}.persist", kafka.namespace))
        .create()
        .unwrap();
    let mut asked = TopicPartitionList::new();
    asked.add_partition_range(&format!("{}.events", kafka.namespace), 0, 3);
    let found = consumer.committed_offsets(asked, PATIENCE).unwrap();
    let offset = |o| if let Offset::Offset(next) = o { next.cast_unsigned() } else { 0 };
    found.elements().iter().map(|e| offset(e.offset())).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_persister_killed_between_the_databases_commit_and_the_logs_doubles_nothing() {
    let installation = Installation::new(Kind::Cluster).await;
    let address = free_address();
    let (mut sent, mut last) = (Vec::new(), Position::START);
    let mut proved = 0;
    let mut person: Option<(Person, String)> = None;
    for round in 0..3 {
        let process = installation.spawn(address);
        let (ada, room) = match person.take() {
            Some(known) => known,
            None => {
                let ada = Person::register(&process.base, "ada").await;
                let room = ada.make_room("public").await;
                (ada, room)
            }
        };
        ada.bodies(&room, last).await;
        for i in 0..5 {
            sent.push(format!("{round}.{i}"));
            last = ada.post(&room, &sent[sent.len() - 1]).await.1;
        }
        assert_eq!(ada.bodies(&room, last).await, sent, "the database has it");
        process.kill();
        let mode = installation.mode.clone();
        let committed = tokio::task::spawn_blocking(move || committed(&mode)).await.unwrap();
        // Each record of the room is one of the partitions' records.
        proved += u32::from(committed <= last.offset);
        person = Some((ada, room));
    }
    assert!(proved > 0, "in no round was the log's commit behind the database's");
    let node = installation.start().await;
    let (ada, room) = person.map(|(ada, room)| (ada.at(&node.base), room)).unwrap();
    assert_eq!(ada.bodies(&room, last).await, sent);
    let (_, last) = ada.post(&room, "after").await;
    sent.push("after".into());
    assert_eq!(ada.bodies(&room, last).await, sent);
    node.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_removed_while_the_store_lags_finds_no_way_in_at_a_node_that_was_told_nothing() {
    let installation = Installation::new(Kind::Cluster).await;
    let with = |parts: &[Part]| installation.start_with(installation.config_of(parts));
    let (a, persist) = tokio::join!(with(&[Part::Web, Part::Relay]), with(&[Part::Persist]));
    let (ada, lin) = (Person::register(&a.base, "ada").await, Person::register(&a.base, "lin").await);
    let room = ada.make_room("private").await;
    let member = format!("/rooms/{room}/members/{}", lin.username);
    assert_eq!(ada.call(Method::PUT, &member, None).await.0, StatusCode::OK);
    let (_, since) = ada.post(&room, "before").await;
    ada.bodies(&room, since).await;
    persist.server.shutdown().await;
    assert_eq!(ada.call(Method::DELETE, &member, None).await.0, StatusCode::OK);
    // More than a ring keeps: what it begins with comes after the removal.
    for n in 0..1_100 {
        ada.post(&room, &format!("after {n}")).await;
    }
    let fresh = with(&[Part::Web]).await;
    let (ada, lin) = (ada.at(&fresh.base), lin.at(&fresh.base));
    let mut socket = lin.socket().await;
    for since in [None, Some(since)] {
        let answer = socket.subscribe(&room, since).await;
        assert_eq!(answer["type"], "error", "{answer}");
    }
    assert_eq!(lin.get(&format!("/rooms/{room}/messages")).await.0, StatusCode::NOT_FOUND);
    assert_eq!(lin.try_post(&room, MessageId::new(), "no").await.0, StatusCode::NOT_FOUND);
    let mut heard = ada.socket().await;
    assert_eq!(heard.subscribe(&room, None).await["type"], "subscribed");
    // And who is let in again is let in there, too.
    assert_eq!(ada.call(Method::PUT, &member, None).await.0, StatusCode::OK);
    let answer = socket.subscribe(&room, None).await;
    assert_eq!(answer["type"], "subscribed", "{answer}");
    let persist = with(&[Part::Persist]).await;
    let (_, end) = ada.post(&room, "end").await;
    assert_eq!(socket.posted().await.0, "end");
    ada.bodies(&room, end).await;
    assert_eq!(lin.get(&format!("/rooms/{room}/messages")).await.0, StatusCode::OK);
    tokio::join!(a.server.shutdown(), fresh.server.shutdown(), persist.server.shutdown());
}
