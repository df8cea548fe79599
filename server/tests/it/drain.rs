//! SIGTERM under load: no message is lost, none twice, and it ends soon.

use crate::support::{Installation, Kind, PATIENCE, Person, in_both_modes, installation::free_address, until};
use app::model::{MessageId, Position};
use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer},
};
use reqwest::Method;
use serde_json::json;
use server::config::Mode;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

in_both_modes!(a_node_that_is_told_to_stop_under_load_loses_nothing_and_ends_soon);

/// Posts each message until it is acknowledged, at one node and then at the next; where each is, as every answer said.
async fn writer(
    ada: Person,
    bases: Vec<String>,
    room: String,
    stop: CancellationToken,
    sent: Arc<Mutex<BTreeMap<Position, String>>>,
) {
    let mut turn = 0;
    while !stop.is_cancelled() {
        let id = MessageId::new();
        let begun = Instant::now();
        loop {
            assert!(begun.elapsed() < PATIENCE, "a message that no retry mended");
            let request = ada.at(&bases[turn % bases.len()]).request(Method::POST, &format!("/rooms/{room}/messages"));
            let answer = request.json(&json!({ "id": id, "body": id.to_string() })).send().await;
            if let Ok(response) = answer
                && response.status().is_success()
                && let Ok(answer) = response.json::<serde_json::Value>().await
            {
                sent.lock().unwrap().insert(answer["at"].as_str().unwrap().parse().unwrap(), id.to_string());
                break;
            }
            turn += 1;
        }
    }
}

/// How many members a group has just now.
async fn members(installation: &Installation, group: &str) -> usize {
    let Mode::Cluster { kafka, .. } = &installation.mode else { unreachable!("a cluster") };
    let group = format!("{}.{group}", kafka.namespace);
    let consumer: BaseConsumer = ClientConfig::new().set("bootstrap.servers", &kafka.brokers).create().unwrap();
    let asked = tokio::task::spawn_blocking(move || {
        let groups = consumer.fetch_group_list(Some(&group), Duration::from_secs(10)).unwrap();
        groups.groups()[0].members().len()
    });
    asked.await.unwrap()
}

async fn a_node_that_is_told_to_stop_under_load_loses_nothing_and_ends_soon(kind: Kind) {
    let installation = Installation::new(kind).await;
    let address = free_address();
    let mut process = installation.spawn(address);
    let other = match kind {
        Kind::Cluster => Some(installation.spawn(free_address())),
        Kind::Embedded => None,
    };
    let ada = Person::register(&process.base, "ada").await;
    let room = ada.make_room("public").await;
    let bases: Vec<String> =
        [Some(process.base.clone()), other.as_ref().map(|n| n.base.clone())].into_iter().flatten().collect();
    let (stop, sent) = (CancellationToken::new(), Arc::<Mutex<BTreeMap<_, _>>>::default());
    let writers: Vec<_> = (0..8)
        .map(|_| tokio::spawn(writer(ada.clone(), bases.clone(), room.clone(), stop.clone(), sent.clone())))
        .collect();
    let count = || sent.lock().unwrap().len();
    for _ in 0..2 {
        let target = count() + 100;
        until("there is load", async || count() >= target).await;
        let mut socket = ada.socket().await;
        socket.subscribe(&room, None).await;
        process.signal("TERM");
        let told = Instant::now();
        until("it is not ready", async || {
            reqwest::get(format!("{}/readyz", process.base)).await.map_or(true, |r| r.status() == 503)
        })
        .await;
        let reconnect = socket.next_of("reconnect").await;
        assert!(reconnect["after_ms"].as_u64().unwrap() <= 2_000, "{reconnect}");
        assert_eq!(socket.end().await.map(|(code, _)| code), Some(1001));
        until("it ends", async || process.ended().is_some()).await;
        assert_eq!(process.ended(), Some(true), "and well");
        assert!(told.elapsed() < Duration::from_secs(20), "{:?}", told.elapsed());
        println!("{kind:?}: ended {:?} after SIGTERM", told.elapsed());
        if let Some(other) = &other {
            // Gone from the groups: nobody has to miss its heartbeats before the others get its partitions.
            for group in ["persist", "relay"] {
                assert_eq!(members(&installation, group).await, 1, "{group}");
            }
            let ada = ada.at(&other.base);
            let (_, at) = ada.post(&room, "taken over").await;
            sent.lock().unwrap().insert(at, "taken over".into());
            ada.bodies(&room, at).await;
        }
        process = installation.spawn(address);
    }
    let target = count() + 50;
    until("it goes on", async || count() >= target).await;
    stop.cancel();
    for writer in writers {
        tokio::time::timeout(PATIENCE, writer).await.unwrap().unwrap();
    }
    let sent = std::mem::take(&mut *sent.lock().unwrap());
    ada.bodies(&room, *sent.keys().last().unwrap()).await;
    let (mut found, mut query) = (Vec::new(), "?limit=200&after=0.0".to_owned());
    loop {
        let page = ada.history(&room, &query).await;
        let messages = page["messages"].as_array().unwrap();
        found.extend(messages.iter().map(|m| m["body"].as_str().unwrap().to_owned()));
        if page["more"] == false {
            break;
        }
        query = format!("?limit=200&after={}", messages[messages.len() - 1]["at"].as_str().unwrap());
    }
    let expected: Vec<String> = sent.into_values().collect();
    assert!(found == expected, "{} acknowledged, {} found", expected.len(), found.len());
}
