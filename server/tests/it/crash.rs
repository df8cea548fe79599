//! SIGKILL in the middle of everything.

use crate::support::{Installation, Kind, PATIENCE, Person, in_both_modes, installation::free_address, until};
use app::model::{MessageId, Position};
use reqwest::StatusCode;
use serde_json::json;
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
};

in_both_modes!(every_acknowledged_message_survives_the_nodes_death_once);

async fn every_acknowledged_message_survives_the_nodes_death_once(kind: Kind) {
    let installation = Installation::new(kind).await;
    let address = free_address();
    let mut process = installation.spawn(address);
    let ada = Person::register(&process.base, "ada").await;
    let room = ada.make_room("public").await;
    let acknowledged: Arc<Mutex<HashMap<MessageId, Position>>> = Arc::default();
    let mut mine = Position::START;
    let mut seen = HashSet::new();
    for round in 0..3 {
        let mut socket = ada.socket().await;
        let answer = socket.subscribe(&room, Some(mine)).await;
        assert_eq!(answer["type"], "subscribed", "{answer}");
        let writers: Vec<_> = (0..8)
            .map(|_| {
                let (ada, room, acknowledged) = (ada.clone(), room.clone(), acknowledged.clone());
                tokio::spawn(async move {
                    loop {
                        let id = MessageId::new();
                        let body = json!({ "id": id, "body": format!("round {round}") });
                        let path = format!("/rooms/{room}/messages");
                        let Ok(response) = ada.request(reqwest::Method::POST, &path).json(&body).send().await else {
                            return;
                        };
                        assert_eq!(response.status(), StatusCode::CREATED);
                        let Ok(answer) = response.json::<serde_json::Value>().await else { return };
                        acknowledged.lock().unwrap().insert(id, answer["at"].as_str().unwrap().parse().unwrap());
                    }
                })
            })
            .collect();
        let target = acknowledged.lock().unwrap().len() + 200;
        until("enough is acknowledged", async || acknowledged.lock().unwrap().len() >= target).await;
        process.kill();
        for writer in writers {
            tokio::time::timeout(PATIENCE, writer).await.expect("the writers end").unwrap();
        }
        // Whatever the socket had brought before it broke.
        while let Ok(frame) = socket.next().await {
            if frame["type"] == "event" {
                let at: Position = frame["at"].as_str().unwrap().parse().unwrap();
                assert!(at > mine, "live positions only rise");
                assert!(frame["prev"].as_str().unwrap().parse::<Position>().unwrap() <= mine, "a hole before {at}");
                mine = at;
                if frame["event"]["kind"] == "message_posted" {
                    assert!(seen.insert(frame["event"]["message"]["id"].as_str().unwrap().to_owned()), "doubled");
                }
            }
        }
        process = installation.spawn(address);
    }
    let (_, end) = ada.post(&room, "the end").await;

    // Every acknowledged one is in the history, once, where its sender was told.
    ada.bodies(&room, end).await;
    let mut found: HashMap<MessageId, Position> = HashMap::new();
    let mut query = "?limit=200&after=0.0".to_owned();
    loop {
        let page = ada.history(&room, &query).await;
        for message in page["messages"].as_array().unwrap() {
            let id = message["id"].as_str().unwrap().parse().unwrap();
            let at = message["at"].as_str().unwrap().parse().unwrap();
            assert!(found.insert(id, at).is_none(), "{id} is there twice");
            query = format!("?limit=200&after={at}");
        }
        if page["more"] == false {
            break;
        }
    }
    let acknowledged = acknowledged.lock().unwrap().clone();
    for (id, at) in acknowledged.iter() {
        assert_eq!(found.get(id), Some(at), "an acknowledged message is lost or moved");
    }
    println!("{} acknowledged over three kills, {} stored", acknowledged.len(), found.len());

    // And the one who watched all along catches up without a hole.
    let mut socket = ada.socket().await;
    let answer = socket.subscribe(&room, Some(mine)).await;
    assert_eq!(answer["type"], "subscribed", "{answer}");
    while mine < end {
        let (_, at, prev) = socket.posted().await;
        assert!(at > mine && prev.is_some_and(|prev| prev <= mine), "a hole before {at}");
        mine = at;
    }
}
