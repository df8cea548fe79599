//! Kafka goes and comes back.

use crate::support::{Installation, Person, broker::Broker, until};
use app::model::{MessageId, Position, RoomId};
use bytes::Bytes;
use futures::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::json;
use server::{
    config::Mode,
    log::{AppendError, Log, kafka::KafkaLog},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// Posts one message after another, each until it is acknowledged; where each is.
async fn writer(ada: Person, room: String, stop: CancellationToken, sent: Arc<Mutex<BTreeMap<Position, MessageId>>>) {
    while !stop.is_cancelled() {
        let id = MessageId::new();
        loop {
            let request = ada.request(Method::POST, &format!("/rooms/{room}/messages"));
            let response = request.json(&json!({ "id": id, "body": id.to_string() })).send().await.unwrap();
            let (status, retry_after) = (response.status(), response.headers().get("retry-after").cloned());
            let answer: serde_json::Value = response.json().await.unwrap();
            if status.is_success() {
                sent.lock().unwrap().insert(answer["at"].as_str().unwrap().parse().unwrap(), id);
                break;
            }
            assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{answer}");
            assert!(
                retry_after.is_some() && ["not_persisted", "unknown"].map(|o| answer["outcome"] == o).contains(&true)
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_killed_under_load_loses_nothing_and_posting_goes_on_soon_after_it_is_back() {
    let mut broker = Broker::start().await;
    let installation = Installation::on(broker.address.clone()).await;
    let (a, b) = tokio::join!(installation.start(), installation.start());
    let ada = Person::register(&a.base, "ada").await;
    let room = ada.make_room("public").await;
    let (stop, sent) = (CancellationToken::new(), Arc::<Mutex<BTreeMap<_, _>>>::default());
    let writers: Vec<_> = (0..8)
        .map(|i| {
            let ada = ada.at(if i % 2 == 0 { &a.base } else { &b.base });
            tokio::spawn(writer(ada, room.clone(), stop.clone(), sent.clone()))
        })
        .collect();
    let count = || sent.lock().unwrap().len();
    for round in 0..2 {
        let target = count() + 100;
        until("there is load", async || count() >= target).await;
        broker.kill();
        let (status, problem) = ada.try_post(&room, MessageId::new(), "into the void").await;
        assert_eq!((status, &problem["type"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("/problems/unavailable")));
        assert_eq!(ada.get(&format!("/rooms/{room}/messages")).await.0, StatusCode::OK, "reading goes on");
        broker.start_again().await;
        let (back, before) = (Instant::now(), count());
        until("messages are acknowledged again", async || count() > before).await;
        println!("round {round}: acknowledged {:?} after the broker took connections", back.elapsed());
        assert!(back.elapsed() < Duration::from_secs(10), "{:?}", back.elapsed());
    }
    stop.cancel();
    for writer in writers {
        writer.await.unwrap();
    }
    let sent = std::mem::take(&mut *sent.lock().unwrap());
    let expected: Vec<String> = sent.values().map(ToString::to_string).collect();
    let found = everything(&ada, &room, *sent.keys().last().unwrap()).await;
    let found: Vec<String> = found.into_iter().filter(|body| body != "into the void").collect();
    assert!(found == expected, "{} acknowledged, {} found", expected.len(), found.len());
    tokio::join!(a.server.shutdown(), b.server.shutdown());
}

/// The bodies of a whole room, once the store has `at`.
async fn everything(ada: &Person, room: &str, at: Position) -> Vec<String> {
    ada.bodies(room, at).await;
    let (mut bodies, mut query) = (Vec::new(), "?limit=200&after=0.0".to_owned());
    loop {
        let page = ada.history(room, &query).await;
        let messages = page["messages"].as_array().unwrap();
        bodies.extend(messages.iter().map(|m| m["body"].as_str().unwrap().to_owned()));
        if page["more"] == false {
            return bodies;
        }
        query = format!("?limit=200&after={}", messages[messages.len() - 1]["at"].as_str().unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_silent_broker_left_open_is_settled_by_trying_again() {
    let broker = Broker::start().await;
    let installation = Installation::on(broker.address.clone()).await;
    let (a, b) = tokio::join!(installation.start(), installation.start());
    let ada = Person::register(&a.base, "ada").await;
    let lin = Person::register(&a.base, "lin").await;
    let room = ada.make_room("public").await;
    lin.join(&room).await;
    let (_, at) = lin.at(&b.base).post(&room, "here").await;
    ada.bodies(&room, at).await;

    broker.signal("STOP");
    let ids: Vec<MessageId> = (0..4).map(|_| MessageId::new()).collect();
    let tries = join_all(ids.iter().map(|id| ada.try_post(&room, *id, "perhaps")));
    let remove = format!("/rooms/{room}/members/{}", lin.username);
    let (answers, removed) = tokio::join!(tries, ada.call(Method::DELETE, &remove, None));
    for (status, problem) in answers.iter().chain([&removed]) {
        assert_eq!((*status, problem["outcome"].is_string()), (StatusCode::SERVICE_UNAVAILABLE, true), "{problem}");
    }
    broker.signal("CONT");
    for id in &ids {
        let mut told = Vec::new();
        for base in [&b.base, &a.base, &b.base] {
            until("it is acknowledged", async || {
                let (status, answer) = ada.at(base).try_post(&room, *id, "perhaps").await;
                told.extend(answer["at"].as_str().map(str::to_owned));
                status.is_success()
            })
            .await;
        }
        assert!(told.len() == 3 && told.iter().all(|at| *at == told[0]), "{told:?}");
    }
    let (after, mut at) = (MessageId::new(), None);
    until("the next message is acknowledged", async || {
        let (status, answer) = ada.try_post(&room, after, "after").await;
        at = answer["at"].as_str().and_then(|at| at.parse().ok());
        status.is_success()
    })
    .await;
    let at = at.unwrap();
    assert_eq!(ada.bodies(&room, at).await, ["here", "perhaps", "perhaps", "perhaps", "perhaps", "after"]);
    // The removal may have got into the log as well, unless the answer was no; if it did, every node follows.
    let members = ada.get(&format!("/rooms/{room}/members")).await.1;
    if !members.to_string().contains(&lin.username) {
        assert_eq!(removed.1["outcome"], "unknown");
        until("the other node knows it", async || {
            lin.at(&b.base).try_post(&room, MessageId::new(), "may I?").await.0 == StatusCode::FORBIDDEN
        })
        .await;
    }
    tokio::join!(a.server.shutdown(), b.server.shutdown());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_whose_queue_is_full_refuses_at_once() {
    let broker = Broker::start().await;
    let installation = Installation::on(broker.address.clone()).await;
    let Mode::Cluster { kafka, .. } = &installation.mode else { unreachable!("a cluster") };
    let log = Arc::new(KafkaLog::connect(kafka, 1).await.unwrap());
    log.append(0, RoomId::new(), Bytes::from_static(b"there")).await.unwrap();
    broker.signal("STOP");
    let appends: Vec<_> = (0..10_200)
        .map(|_| {
            let log = log.clone();
            tokio::spawn(async move {
                let begun = Instant::now();
                (log.append(0, RoomId::new(), Bytes::from_static(b"x")).await, begun.elapsed())
            })
        })
        .collect();
    let mut full = 0;
    for append in appends {
        if let (Err(AppendError::NotPersisted(reason)), took) = append.await.unwrap()
            && reason.contains("QueueFull")
        {
            full += 1;
            assert!(took < Duration::from_secs(2), "{took:?}");
        }
    }
    assert!(full >= 100, "{full} were refused");
    broker.signal("CONT");
    until("it takes records again", async || log.append(0, RoomId::new(), Bytes::from_static(b"y")).await.is_ok())
        .await;
    log.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_long_silence_of_the_broker_a_node_takes_a_new_client_and_goes_on() {
    let broker = Broker::start().await;
    let installation = Installation::on(broker.address.clone()).await;
    let node = installation.start().await;
    let ada = Person::register(&node.base, "ada").await;
    let room = ada.make_room("public").await;
    ada.post(&room, "before").await;
    broker.signal("STOP");
    until("a new client was taken", async || {
        let metrics = reqwest::get(format!("{}/metrics", node.base)).await.unwrap().text().await.unwrap();
        metrics.lines().any(|line| line.starts_with("partyline_producers_replaced_total") && !line.ends_with(" 0"))
    })
    .await;
    broker.signal("CONT");
    until("it takes messages again", async || {
        ada.try_post(&room, MessageId::new(), "after").await.0 == StatusCode::CREATED
    })
    .await;
    node.server.shutdown().await;
}
