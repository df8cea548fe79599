//! Several nodes on the same services.

use crate::support::{Installation, Judged, Kind, PATIENCE, Person, until};
use app::model::Position;
use chaos::{load::Scale, proxy::Way};
use reqwest::{Method, StatusCode};
use serde_json::json;
use server::config::Mode;

#[tokio::test(flavor = "multi_thread")]
async fn a_message_posted_at_one_node_is_heard_and_read_at_the_others() {
    let installation = Installation::new(Kind::Cluster).await;
    let (a, b, c) = tokio::join!(installation.start(), installation.start(), installation.start());
    let ada = Person::register(&a.base, "ada").await;
    let room = ada.make_room("members").await;
    let mut sockets = Vec::new();
    for base in [&a.base, &b.base, &c.base] {
        let mut socket = ada.at(base).socket().await;
        assert_eq!(socket.subscribe(&room, None).await["type"], "subscribed");
        sockets.push(socket);
    }
    let mut sent = Vec::new();
    for (i, base) in [&a.base, &b.base, &c.base].into_iter().cycle().take(30).enumerate() {
        sent.push((i.to_string(), ada.at(base).post(&room, &i.to_string()).await.1));
    }
    for socket in &mut sockets {
        for (body, at) in &sent {
            let heard = socket.posted().await;
            assert_eq!((&heard.0, &heard.1), (body, at));
        }
    }
    let bodies: Vec<String> = sent.iter().map(|(body, _)| body.clone()).collect();
    assert_eq!(ada.at(&b.base).bodies(&room, sent[29].1).await, bodies);
    // A retry at another node is the same message.
    let (id, at) = ada.post(&room, "again").await;
    ada.bodies(&room, at).await;
    let (status, answer) = ada.at(&c.base).try_post(&room, id, "again").await;
    assert_eq!((status, &answer["at"]), (StatusCode::OK, &json!(at)));
    // A session that ends at one node ends at all.
    assert_eq!(ada.at(&b.base).call(Method::DELETE, "/sessions/current", None).await.0, StatusCode::NO_CONTENT);
    for socket in &mut sockets {
        assert_eq!(socket.end().await.map(|(code, _)| code), Some(4401));
    }
    tokio::join!(a.server.shutdown(), b.server.shutdown(), c.server.shutdown());
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_node_dies_the_others_take_over_its_partitions_and_its_people() {
    let installation = Installation::new(Kind::Cluster).await;
    let doomed = installation.spawn(crate::support::installation::free_address());
    let (a, b) = tokio::join!(installation.start(), installation.start());
    let scale = Scale { rooms: 4, writers: 8, watchers: 3, per_second: 200 };
    // People know of the doomed node too, and go on trying it.
    let mut judged = Judged::begin(vec![a.base.clone(), doomed.base.clone(), b.base.clone()], scale).await;
    judged.load.until_acknowledged(200, PATIENCE).await.unwrap();
    doomed.kill();
    judged.load.until_acknowledged(judged.load.acknowledged.count() + 400, PATIENCE).await.unwrap();
    judged.end().await;
    tokio::join!(a.server.shutdown(), b.server.shutdown());
}

#[tokio::test(flavor = "multi_thread")]
async fn with_redis_away_messages_are_stored_and_after_it_heard_without_a_hole() {
    let (proxy, installation) = Installation::new(Kind::Cluster).await.behind_redis_proxy().await;
    let node = installation.start().await;
    let ada = Person::register(&node.base, "ada").await;
    let room = ada.make_room("public").await;
    let mut socket = ada.socket().await;
    socket.subscribe(&room, None).await;
    ada.post(&room, "before").await;
    assert_eq!(socket.posted().await.0, "before");

    proxy.set(Way::Closed);
    let mut last = Position::START;
    for i in 0..20 {
        last = ada.post(&room, &format!("during {i}")).await.1;
    }
    assert_eq!(ada.bodies(&room, last).await.len(), 21, "stored while Redis is away");
    let ready = reqwest::get(format!("{}/readyz", node.base)).await.unwrap();
    assert_eq!(ready.status(), StatusCode::OK);
    let ready: serde_json::Value = ready.json().await.unwrap();
    assert_ne!(ready["dependencies"]["fanout"], "ok", "and operators can see it");

    proxy.set(Way::Open);
    ada.post(&room, "after").await;
    for i in 0..20 {
        assert_eq!(socket.posted().await.0, format!("during {i}"));
    }
    assert_eq!(socket.posted().await.0, "after");
    node.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ended_while_a_node_heard_nothing_is_closed_there_all_the_same() {
    let installation = Installation::new(Kind::Cluster).await;
    let node = installation.start().await;
    let (proxy, far) = installation.behind_redis_proxy().await;
    let deaf = far.start().await;
    let ada = Person::register(&node.base, "ada").await;
    let mut socket = ada.at(&deaf.base).socket().await;
    proxy.set(Way::Closed);
    assert_eq!(ada.call(Method::DELETE, "/sessions", None).await.0, StatusCode::NO_CONTENT);
    proxy.set(Way::Open);
    // Nobody told it: it finds out at the socket's next heartbeat.
    assert_eq!(socket.end().await.map(|(code, _)| code), Some(4401));
    tokio::join!(node.server.shutdown(), deaf.server.shutdown());
}

#[tokio::test(flavor = "multi_thread")]
async fn with_postgresql_away_members_go_on_and_afterwards_everything_is_there() {
    let (proxy, installation) = Installation::new(Kind::Cluster).await.behind_database_proxy().await;
    let node = installation.start().await;
    let ada = Person::register(&node.base, "ada").await;
    let room = ada.make_room("public").await;
    let mut socket = ada.socket().await;
    socket.subscribe(&room, None).await;
    let (_, at) = ada.post(&room, "before").await;
    assert_eq!(ada.bodies(&room, at).await, ["before"]);

    proxy.set(Way::Closed);
    let mut last = at;
    for i in 0..5 {
        last = ada.post(&room, &format!("during {i}")).await.1;
    }
    for body in ["before", "during 0", "during 1", "during 2", "during 3", "during 4"] {
        assert_eq!(socket.posted().await.0, body, "live goes on");
    }
    let (status, problem) = ada.get(&format!("/rooms/{room}/messages")).await;
    assert_eq!((status, &problem["type"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("/problems/unavailable")));
    assert_eq!(ada.get("/rooms/never-heard-of").await.0, StatusCode::SERVICE_UNAVAILABLE, "unknown: refused");

    proxy.set(Way::Open);
    until("the store is back", async || ada.get(&format!("/rooms/{room}/messages")).await.0 == StatusCode::OK).await;
    assert_eq!(ada.bodies(&room, last).await.len(), 6);
    node.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_service_the_program_does_not_start_and_says_which() {
    let nobody = crate::support::installation::free_address().to_string();
    for (name, variable) in [("Kafka", "KAFKA_BROKERS"), ("Redis", "REDIS_URL"), ("PostgreSQL", "DATABASE_URL")] {
        let mut installation = Installation::new(Kind::Cluster).await;
        let Mode::Cluster { kafka, redis, database } = &mut installation.mode else { unreachable!("a cluster") };
        match name {
            "Kafka" => kafka.brokers = nobody.clone(),
            "Redis" => redis.url = format!("redis://:hush@{nobody}").into(),
            _ => database.url = format!("postgres://ada:hush@{nobody}/chat").into(),
        }
        let error = server::Server::start(installation.config()).await.err().expect("it does not start");
        let text = format!("{error:#}");
        assert!(text.contains(name) && text.contains(variable), "{text}");
        assert!(!text.contains("hush"), "no password in {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_work_can_be_split_over_processes() {
    use server::config::Part;
    let installation = Installation::new(Kind::Cluster).await;
    let (web, persist, relay) = tokio::join!(
        installation.start_with(installation.config_of(&[Part::Web])),
        installation.start_with(installation.config_of(&[Part::Persist])),
        installation.start_with(installation.config_of(&[Part::Relay])),
    );
    let ada = Person::register(&web.base, "ada").await;
    let room = ada.make_room("public").await;
    until("the room's owner is known", async || ada.get(&format!("/rooms/{room}")).await.1["role"] == "owner").await;
    let mut socket = ada.socket().await;
    socket.subscribe(&room, None).await;
    let (_, at) = ada.post(&room, "by three").await;
    assert_eq!(socket.posted().await.0, "by three");
    assert_eq!(ada.bodies(&room, at).await, ["by three"]);
    assert_eq!(reqwest::get(format!("{}/rooms/welcome", persist.base)).await.unwrap().status(), StatusCode::NOT_FOUND);
    let ready: serde_json::Value = reqwest::get(format!("{}/readyz", relay.base)).await.unwrap().json().await.unwrap();
    let running = json!({ "state": "running" });
    assert_eq!(ready["parts"], json!({ "relay": running, "watch": running }));
    tokio::join!(web.server.shutdown(), persist.server.shutdown(), relay.server.shutdown());
}
