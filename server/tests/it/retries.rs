//! The same message sent again, elsewhere: one message, one position, in every answer.

use crate::support::{Installation, Kind, Person, installation::Node};
use app::model::MessageId;
use chaos::proxy::Way;
use futures::future::join_all;
use reqwest::StatusCode;
use serde_json::Value;
use server::config::Part;

/// Five tries, one after another and then at once, each at another node: where all answers say that it is.
async fn tried_everywhere(ada: &Person, nodes: &[&Node], room: &str) -> Vec<(MessageId, String)> {
    let mut sent = Vec::new();
    for round in 0..8 {
        let id = MessageId::new();
        let body = format!("tried {round}");
        let mut answers = Vec::new();
        if round % 2 == 0 {
            for try_ in 0..5 {
                answers.push(ada.at(&nodes[(round + try_) % nodes.len()].base).try_post(room, id, &body).await);
            }
        } else {
            let tries = (0..6).map(|try_| {
                let ada = ada.at(&nodes[try_ % nodes.len()].base);
                let body = &body;
                async move { ada.try_post(room, id, body).await }
            });
            answers = join_all(tries).await;
        }
        let first: &Value = &answers[0].1["at"];
        assert!(first.is_string(), "{answers:?}");
        assert!(
            answers.iter().all(|(status, a)| status.is_success() && a["at"] == *first),
            "round {round}: {answers:?}"
        );
        let (status, _) = ada.at(&nodes[0].base).try_post(room, id, "another text").await;
        assert_eq!(status, StatusCode::CONFLICT);
        sent.push((id, first.as_str().unwrap().to_owned()));
    }
    sent
}

/// Each message is in the history once, where its sender was told.
async fn each_is_there_once(ada: &Person, room: &str, sent: &[(MessageId, String)]) {
    let last = sent.iter().map(|(_, at)| at.parse().unwrap()).max().unwrap();
    ada.bodies(room, last).await;
    let page = ada.history(room, "?limit=200").await;
    let mut found: Vec<(MessageId, String)> = page["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| (serde_json::from_value(m["id"].clone()).unwrap(), m["at"].as_str().unwrap().to_owned()))
        .collect();
    let mut expected = sent.to_vec();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_tried_five_times_over_three_nodes_has_one_position() {
    let installation = Installation::new(Kind::Cluster).await;
    let (a, b, c) = tokio::join!(installation.start(), installation.start(), installation.start());
    let ada = Person::register(&a.base, "ada").await;
    let room = ada.make_room("public").await;
    let sent = tried_everywhere(&ada, &[&a, &b, &c], &room).await;
    each_is_there_once(&ada, &room, &sent).await;
    tokio::join!(a.server.shutdown(), b.server.shutdown(), c.server.shutdown());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_tried_over_three_nodes_while_the_store_lags_has_one_position() {
    let installation = Installation::new(Kind::Cluster).await;
    let with = |parts: &[Part]| installation.start_with(installation.config_of(parts));
    let web = [Part::Web, Part::Relay];
    let (a, b, c, persist) = tokio::join!(with(&web), with(&web), with(&web), with(&[Part::Persist]));
    let ada = Person::register(&a.base, "ada").await;
    let room = ada.make_room("public").await;
    let (_, at) = ada.post(&room, "the store has this").await;
    ada.bodies(&room, at).await;
    persist.server.shutdown().await;
    let mut sent = tried_everywhere(&ada, &[&a, &b, &c], &room).await;
    let persist = with(&[Part::Persist]).await;
    let id = ada.history(&room, "").await["messages"][0]["id"].clone();
    sent.push((serde_json::from_value(id).unwrap(), at.to_string()));
    each_is_there_once(&ada, &room, &sent).await;
    tokio::join!(a.server.shutdown(), b.server.shutdown(), c.server.shutdown(), persist.server.shutdown());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_tried_over_three_nodes_while_redis_goes_and_comes_has_one_position() {
    let (proxy, installation) = Installation::new(Kind::Cluster).await.behind_redis_proxy().await;
    let (a, b, c) = tokio::join!(installation.start(), installation.start(), installation.start());
    let ada = Person::register(&a.base, "ada").await;
    let room = ada.make_room("public").await;
    let nodes = [&a, &b, &c];
    // Everybody has seen the room while the members' changes could be told.
    for node in nodes {
        ada.at(&node.base).post(&room, "here").await;
    }
    let here = ada.post(&room, "here").await.1;
    ada.bodies(&room, here).await;
    let before: Vec<(MessageId, String)> = {
        let page = ada.history(&room, "").await;
        let all = page["messages"].as_array().unwrap().clone();
        all.iter()
            .map(|m| (serde_json::from_value(m["id"].clone()).unwrap(), m["at"].as_str().unwrap().into()))
            .collect()
    };
    let mut sent = before;
    for way in [Way::Closed, Way::Open, Way::Hole, Way::Open] {
        proxy.set(way);
        sent.extend(tried_everywhere(&ada, &nodes, &room).await);
    }
    each_is_there_once(&ada, &room, &sent).await;
    tokio::join!(a.server.shutdown(), b.server.shutdown(), c.server.shutdown());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_after_its_sender_hung_up_names_the_firsts_position() {
    let installation = Installation::new(Kind::Cluster).await;
    let (a, b) = tokio::join!(installation.start(), installation.start());
    let ada = Person::register(&a.base, "ada").await;
    let room = ada.make_room("public").await;
    for patience_ms in [0, 1, 2, 4, 8, 16] {
        let id = MessageId::new();
        let patience = std::time::Duration::from_millis(patience_ms);
        let _ = tokio::time::timeout(patience, ada.try_post(&room, id, "hung up")).await;
        let (status, first) = ada.at(&b.base).try_post(&room, id, "hung up").await;
        assert!(status.is_success(), "{first}");
        let (status, again) = ada.try_post(&room, id, "hung up").await;
        assert_eq!((status, &again["at"]), (StatusCode::OK, &first["at"]));
        let at = first["at"].as_str().unwrap().parse().unwrap();
        ada.bodies(&room, at).await;
        let page = ada.history(&room, &format!("?around={id}")).await;
        let found = page["messages"].as_array().unwrap().iter().find(|m| m["id"] == serde_json::json!(id)).unwrap();
        assert_eq!(found["at"], first["at"]);
    }
    tokio::join!(a.server.shutdown(), b.server.shutdown());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_posted_where_claims_cannot_be_made_and_tried_again_where_they_can_has_one_position() {
    let installation = Installation::new(Kind::Cluster).await;
    let (proxy, cut_off) = installation.behind_redis_proxy().await;
    let web = [Part::Web, Part::Relay];
    let (a, b, persist) = tokio::join!(
        cut_off.start_with(cut_off.config_of(&web)),
        installation.start_with(installation.config_of(&web)),
        installation.start_with(installation.config_of(&[Part::Persist])),
    );
    let ada = Person::register(&a.base, "ada").await;
    let room = ada.make_room("public").await;
    let mut sent = vec![ada.post(&room, "here").await, ada.at(&b.base).post(&room, "here").await];
    ada.bodies(&room, sent[1].1).await;
    // The store has nothing to say of what comes.
    persist.server.shutdown().await;
    proxy.set(Way::Closed);
    for round in 0..6 {
        let (id, body) = (MessageId::new(), format!("tried {round}"));
        let (status, first) = ada.try_post(&room, id, &body).await;
        assert!(status.is_success(), "{first}");
        tokio::time::sleep(std::time::Duration::from_millis(600)).await;
        let tries = [&a, &b, &b].map(|node| ada.at(&node.base)).map(|ada| {
            let (room, body) = (room.clone(), body.clone());
            async move { ada.try_post(&room, id, &body).await }
        });
        for (status, again) in join_all(tries).await {
            assert_eq!((status, &again["at"]), (StatusCode::OK, &first["at"]), "round {round}");
        }
        sent.push((id, first["at"].as_str().unwrap().parse().unwrap()));
    }
    proxy.set(Way::Open);
    let persist = installation.start_with(installation.config_of(&[Part::Persist])).await;
    let sent: Vec<_> = sent.into_iter().map(|(id, at)| (id, at.to_string())).collect();
    each_is_there_once(&ada, &room, &sent).await;
    tokio::join!(a.server.shutdown(), b.server.shutdown(), persist.server.shutdown());
}
