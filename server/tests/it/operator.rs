//! What an operator does beside serving: audit, rebuild, doctor, dead letters, a new generation of the log.

use crate::support::{
    Installation, Kind, PASSWORD, PATIENCE, Person, in_both_modes,
    installation::{free_address, program},
    until,
};
use app::model::{MessageId, Position, RoomId, UserId};
use bytes::Bytes;
use rdkafka::{
    Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
    config::ClientConfig,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use server::{
    Server,
    config::{Mode, Part},
    log::{Log, kafka::KafkaLog, sqlite::SqliteLog},
};
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, sqlite::SqliteConnectOptions};
use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

in_both_modes!(
    an_audit_sees_what_was_changed_by_hand_and_a_rebuild_mends_it,
    a_rebuild_beside_a_node_that_is_written_to_loses_nothing,
    a_doctor_says_what_is_wrong_and_shows_no_secret,
    an_operator_makes_administrators_ends_sessions_and_sets_passwords,
    a_record_of_a_later_version_reaches_those_who_resume_whole,
    a_record_that_cannot_be_folded_is_listed_and_dealt_with,
    a_log_that_was_lost_is_refused_until_a_new_generation_is_declared,
    the_audit_beside_serving_sees_it_too,
);

/// What a command printed, and how it ended.
pub struct Done {
    pub code: i32,
    out: String,
    pub all: String,
}

fn command(mode: &Mode) -> Command {
    let mut command = program(mode);
    command.env("JWT_SECRET", "q5cG0y8mHq1lY1cH9lU3W2Jm0p4w7Zx6T8R1v5N2k3s").env("RUST_LOG", "off");
    command
}

/// Runs the program as an operator would.
pub async fn run(mode: &Mode, arguments: &[&str]) -> Done {
    let mut command = command(mode);
    command.args(arguments);
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    let all = format!("{out}{}", String::from_utf8_lossy(&output.stderr));
    Done { code: output.status.code().unwrap_or(-1), out, all }
}

/// What nobody should do to a store.
pub async fn meddle(mode: &Mode, sql: &'static str) {
    match mode {
        Mode::Embedded { data_dir } => {
            let options = SqliteConnectOptions::new().filename(data_dir.join("store.db"));
            options.connect().await.unwrap().execute(sql).await.unwrap();
        }
        Mode::Cluster { database, .. } => {
            PgConnection::connect(database.url.expose()).await.unwrap().execute(sql).await.unwrap();
        }
    }
}

/// Appends to the log of an installation whose nodes are down.
async fn append(mode: &Mode, partition: u32, payload: impl Into<Bytes>) -> u64 {
    let log: Box<dyn Log> = match mode {
        Mode::Embedded { data_dir } => Box::new(SqliteLog::open(data_dir, 1).await.unwrap()),
        Mode::Cluster { kafka, .. } => Box::new(KafkaLog::attach(kafka).await.unwrap()),
    };
    let offset = log.append(partition, RoomId::new(), payload.into()).await.unwrap();
    log.close().await;
    offset
}

async fn partition_of(mode: &Mode, room: &str) -> u32 {
    match mode {
        Mode::Embedded { .. } => 0,
        Mode::Cluster { database, .. } => {
            let mut db = PgConnection::connect(database.url.expose()).await.unwrap();
            let found: i64 = sqlx::query_scalar("select partition_no from rooms where id = $1")
                .bind(room.parse::<uuid::Uuid>().unwrap())
                .fetch_one(&mut db)
                .await
                .unwrap();
            u32::try_from(found).unwrap()
        }
    }
}

async fn an_audit_sees_what_was_changed_by_hand_and_a_rebuild_mends_it(kind: Kind) {
    let installation = Installation::new(kind).await;
    let mode = &installation.mode;
    let node = installation.start().await;
    let ada = Person::register(&node.base, "ada").await;
    let room = ada.make_room("public").await;
    for n in 0..20 {
        ada.post(&room, &format!("message {n}")).await;
    }
    let (id, _) = ada.post(&room, "kept in view").await;
    let pinned = ada.call(Method::PUT, &format!("/rooms/{room}/messages/{id}/pin"), None).await;
    assert_eq!(pinned.0, StatusCode::OK);
    let (_, last) = ada.post(&room, "the last").await;
    let before = ada.bodies(&room, last).await;
    let pins = ada.get(&format!("/rooms/{room}/pins")).await.1["pins"].clone();
    let clean = run(mode, &["audit"]).await;
    assert_eq!(clean.code, 0, "{}", clean.all);
    assert!(clean.out.contains("everything agrees"), "{}", clean.out);

    meddle(mode, "update messages set body = 'forged' where body = 'message 7'").await;
    meddle(mode, "delete from messages where body = 'message 9'").await;
    meddle(mode, "delete from pins").await;
    let found = run(mode, &["audit", "--json"]).await;
    assert_eq!(found.code, 1, "{}", found.all);
    let report: Value = serde_json::from_str(&found.out).unwrap();
    assert_eq!(report["difference_count"], 3, "{report}");
    assert_eq!(report["differences"][0]["room"], json!(room));
    assert_eq!(run(mode, &["audit", "--room", "welcome"]).await.code, 0, "another room is not concerned");

    let mended = run(mode, &["rebuild"]).await;
    assert_eq!(mended.code, 0, "{}", mended.all);
    assert!(mended.out.contains("3 rows put right"), "{}", mended.out);
    assert_eq!(run(mode, &["audit"]).await.code, 0);
    assert_eq!(ada.bodies(&room, last).await, before);
    assert_eq!(ada.get(&format!("/rooms/{room}/pins")).await.1["pins"], pins);

    // The archive itself is put right from the log.
    meddle(mode, "delete from events where body like '%message 3%'").await;
    meddle(mode, "delete from messages where body = 'message 3'").await;
    let found = run(mode, &["audit"]).await;
    assert_eq!(found.code, 1, "{}", found.all);
    assert!(found.out.contains("is not in the archive"), "{}", found.out);
    let mended = run(mode, &["rebuild", "--from-log"]).await;
    assert_eq!(mended.code, 0, "{}", mended.all);
    let clean = run(mode, &["audit"]).await;
    assert_eq!(clean.code, 0, "{}", clean.all);
    assert_eq!(ada.bodies(&room, last).await, before);
    node.server.shutdown().await;
}

async fn a_rebuild_beside_a_node_that_is_written_to_loses_nothing(kind: Kind) {
    let installation = Installation::new(kind).await;
    let mode = &installation.mode;
    let node = installation.start().await;
    let ada = Person::register(&node.base, "ada").await;
    let room = ada.make_room("public").await;
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let (ada, room, stop) = (ada.clone(), room.clone(), stop.clone());
            tokio::spawn(async move {
                let mut mine = Vec::new();
                while !stop.load(Ordering::SeqCst) {
                    let body = format!("{writer}-{}", mine.len());
                    let (id, at) = ada.post(&room, &body).await;
                    mine.push((id, at, body));
                }
                mine
            })
        })
        .collect();
    for _ in 0..3 {
        meddle(mode, "update messages set body = 'forged' where body like '1-%'").await;
        let mended = run(mode, &["rebuild"]).await;
        assert_eq!(mended.code, 0, "{}", mended.all);
    }
    stop.store(true, Ordering::SeqCst);
    let mut acknowledged = Vec::new();
    for writer in writers {
        acknowledged.extend(writer.await.unwrap());
    }
    let (_, end) = ada.post(&room, "the end").await;
    until("the store has it", async || {
        ada.history(&room, "?limit=1").await["at"].as_str().unwrap().parse::<Position>().unwrap() >= end
    })
    .await;
    let audit = run(mode, &["audit"]).await;
    assert_eq!(audit.code, 0, "{}", audit.all);
    for (id, at, body) in &acknowledged {
        let page = ada.history(&room, &format!("?around={id}&limit=1")).await;
        assert_eq!((&page["messages"][0]["at"], &page["messages"][0]["body"]), (&json!(at), &json!(body)));
    }
    println!("{} acknowledged while it was rebuilt", acknowledged.len());
    node.server.shutdown().await;
}

async fn a_doctor_says_what_is_wrong_and_shows_no_secret(kind: Kind) {
    let installation = Installation::new(kind).await;
    let mode = &installation.mode;
    let node = installation.start().await;
    let ada = Person::register(&node.base, "ada").await;
    let room = ada.make_room("public").await;
    ada.post(&room, "hello").await;
    until("it is folded", async || run(mode, &["doctor", "--json"]).await.out.contains("0 records are not folded"))
        .await;
    let healthy = run(mode, &["doctor", "--json"]).await;
    assert_eq!(healthy.code, 0, "{}", healthy.all);
    let report: Value = serde_json::from_str(&healthy.out).unwrap();
    let level = |check: &str| {
        let findings = report["findings"].as_array().unwrap();
        findings.iter().find(|f| f["check"] == check).unwrap_or_else(|| panic!("{check}: {report:#}"))["level"].clone()
    };
    for check in ["JWT_SECRET", "schema", "store and log", "persist", "store clock", "dead letters"] {
        assert_eq!(level(check), "ok", "{check}: {report:#}");
    }
    match kind {
        Kind::Embedded => assert_eq!((level("file modes"), level("server")), (json!("ok"), json!("ok"))),
        Kind::Cluster => {
            for check in ["kafka rights", "redis rights", "redis clock", "postgresql rights", "group persist"] {
                assert_eq!(level(check), "ok", "{check}: {report:#}");
            }
            assert_eq!(level("kafka copies"), "warning", "one broker");
        }
    }
    let refused = run(mode, &["doctor", "--new-epoch", "--yes"]).await;
    assert_ne!(refused.code, 0, "{}", refused.all);

    let sick = match mode {
        Mode::Embedded { data_dir } => {
            use std::os::unix::fs::PermissionsExt;
            let file = data_dir.join("store.db");
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
            let sick = run(mode, &["doctor"]).await;
            assert!(sick.out.contains("store.db has 644"), "{}", sick.out);
            sick
        }
        Mode::Cluster { .. } => {
            let mut command = command(mode);
            command.arg("doctor").env("REDIS_URL", format!("redis://:hidden-word@{}", free_address()));
            let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
            let out = String::from_utf8(output.stdout).unwrap();
            assert_eq!(output.status.code(), Some(1), "{out}");
            assert!(out.contains("PROBLEM  redis"), "{out}");
            Done { code: 1, all: out.clone(), out }
        }
    };
    for secret in ["q5cG0y8m", "hidden-word"] {
        assert!(!sick.all.contains(secret) && !healthy.all.contains(secret), "{}", sick.all);
    }
    node.server.shutdown().await;
}

async fn an_operator_makes_administrators_ends_sessions_and_sets_passwords(kind: Kind) {
    let installation = Installation::new(kind).await;
    let mode = &installation.mode;
    let node = installation.start().await;
    let ada = Person::register(&node.base, "ada").await;
    assert_eq!(ada.get("/me").await.1["user"]["admin"], false);
    let made = run(mode, &["admin", "make-admin", &ada.username]).await;
    assert_eq!(made.code, 0, "{}", made.all);
    let again = ada.sign_in_again().await;
    assert_eq!(again.get("/me").await.1["user"]["admin"], true);
    let nobody = run(mode, &["admin", "make-admin", "nobody-of-that-name"]).await;
    assert_eq!(nobody.code, 1);
    assert!(nobody.all.contains("there is no account nobody-of-that-name"), "{}", nobody.all);
    let guest = Person::guest(&node.base).await;
    assert_eq!(run(mode, &["admin", "make-admin", &guest.username]).await.code, 1, "a guest");

    let ended = run(mode, &["admin", "revoke-sessions", &ada.username]).await;
    assert_eq!(
        (ended.code, ended.out.trim()),
        (0, &*format!("2 sessions of {} are ended", ada.username)),
        "{}",
        ended.all
    );
    until("the session is over", async || ada.get("/me").await.0 == StatusCode::UNAUTHORIZED).await;

    let reset = run(mode, &["admin", "reset-password", &ada.username]).await;
    assert_eq!(reset.code, 0, "{}", reset.all);
    let sign_in = async |password: &str| {
        let body = json!({ "username": ada.username, "password": password });
        Person::visitor(&node.base).call(reqwest::Method::POST, "/sessions", Some(body)).await.0
    };
    assert_eq!(sign_in(PASSWORD).await, StatusCode::UNAUTHORIZED);
    assert_eq!(sign_in(reset.out.trim()).await, StatusCode::CREATED);
    node.server.shutdown().await;
}

async fn a_record_of_a_later_version_reaches_those_who_resume_whole(kind: Kind) {
    let installation = Installation::new(kind).await;
    let mode = &installation.mode;
    let node = installation.start().await;
    let ada = Person::register(&node.base, "ada").await;
    let room = ada.make_room("public").await;
    let (_, before) = ada.post(&room, "hello").await;
    let author = ada.get("/me").await.1["user"].clone();
    ada.bodies(&room, before).await;
    node.server.shutdown().await;

    let partition = partition_of(mode, &room).await;
    let record = |event: Value| {
        json!({ "v": 1, "room": room, "by": author["id"], "id": UserId::new(), "accepted_at": 1, "event": event })
            .to_string()
    };
    let poll = json!({ "kind": "poll_opened", "question": "Tea?", "choices": { "z": 1, "a": [true, null] } });
    append(mode, partition, record(poll.clone())).await;
    let id = MessageId::new();
    let message = json!({
        "id": id, "at": "0.0", "author": author, "body": "with more", "sent_at": 1, "edited_at": null, "deleted": false,
        "reply_to": null, "reactions": [], "attachments": [{ "name": "tea.png" }],
    });
    let offset =
        append(mode, partition, record(json!({ "kind": "message_posted", "message": message, "urgent": 7 }))).await;

    // From the ring at first; from the archive once nobody has a ring any more.
    for round in 0..2 {
        let node = installation.start().await;
        let ada = ada.at(&node.base);
        let at = Position::new(1, offset);
        assert_eq!(ada.bodies(&room, at).await.last().map(String::as_str), Some("with more"));
        let mut socket = ada.socket().await;
        assert_eq!(socket.subscribe(&room, Some(before)).await["type"], "subscribed");
        assert_eq!(socket.next_of("event").await["event"], poll, "round {round}");
        let mut expected = json!({ "kind": "message_posted", "message": message, "urgent": 7 });
        expected["message"]["at"] = json!(at);
        assert_eq!(socket.next_of("event").await["event"], expected, "round {round}");
        node.server.shutdown().await;
    }
    let audit = run(mode, &["audit"]).await;
    assert_eq!(audit.code, 0, "{}", audit.all);
}

async fn a_record_that_cannot_be_folded_is_listed_and_dealt_with(kind: Kind) {
    let installation = Installation::new(kind).await;
    let mode = &installation.mode;
    let node = installation.start().await;
    let ada = Person::register(&node.base, "ada").await;
    let room = ada.make_room("public").await;
    let (_, before) = ada.post(&room, "before").await;
    ada.bodies(&room, before).await;
    node.server.shutdown().await;

    let partition = partition_of(mode, &room).await;
    let garbage = append(mode, partition, "no record at all").await;
    let stranger = json!({
        "id": UserId::new(), "username": "eve", "display_name": "Eve", "guest": false, "admin": false,
    });
    let id = MessageId::new();
    let message = json!({
        "id": id, "at": "0.0", "author": stranger, "body": "too early", "sent_at": 1, "edited_at": null,
        "deleted": false, "reply_to": null, "reactions": [],
    });
    let record = json!({
        "v": 1, "room": room, "by": stranger["id"], "id": id, "accepted_at": 1,
        "event": { "kind": "message_posted", "message": message },
    });
    let letter = append(mode, partition, record.to_string()).await;
    let node = installation.start().await;
    let ada = ada.at(&node.base);
    let (_, after) = ada.post(&room, "after").await;
    assert_eq!(ada.bodies(&room, after).await, ["before", "after"]);

    let list = run(mode, &["admin", "dead-letters", "list"]).await;
    assert!(list.out.contains(&format!("{partition}/1.{garbage}  not a record")), "{}", list.all);
    assert!(list.out.contains("2 dead letters"), "{}", list.all);
    let audit = run(mode, &["audit"]).await;
    assert_eq!(audit.code, 1, "somebody has to look at them: {}", audit.all);
    assert!(audit.out.contains("dead letter: partition"), "{}", audit.out);

    let letter = format!("{partition}/1.{letter}");
    let refused = run(mode, &["admin", "dead-letters", "retry", &letter]).await;
    assert_eq!(refused.code, 1);
    assert!(refused.all.contains("there is no account"), "{}", refused.all);
    // Whoever wrote it is there now.
    let eve = stranger["id"].as_str().unwrap().parse::<uuid::Uuid>().unwrap();
    let make = "insert into accounts (id, username, display_name, admin, guest, created_at) values ($1, 'eve', 'Eve', $2, $2, 1)";
    match mode {
        Mode::Embedded { data_dir } => {
            let mut db = SqliteConnectOptions::new().filename(data_dir.join("store.db")).connect().await.unwrap();
            sqlx::query(make).bind(eve).bind(false).execute(&mut db).await.unwrap();
        }
        Mode::Cluster { database, .. } => {
            let mut db = PgConnection::connect(database.url.expose()).await.unwrap();
            sqlx::query(make).bind(eve).bind(false).execute(&mut db).await.unwrap();
        }
    }
    let retried = run(mode, &["admin", "dead-letters", "retry", &letter]).await;
    assert_eq!(retried.code, 0, "{}", retried.all);
    assert_eq!(ada.bodies(&room, after).await, ["before", "too early", "after"]);
    assert_eq!(run(mode, &["admin", "dead-letters", "retry", &letter]).await.code, 1, "once");
    let garbage = format!("{partition}/1.{garbage}");
    assert_eq!(run(mode, &["admin", "dead-letters", "retry", &garbage]).await.code, 1);
    assert_eq!(run(mode, &["admin", "dead-letters", "discard", &garbage]).await.code, 0);
    assert_eq!(run(mode, &["admin", "dead-letters", "list"]).await.out.trim(), "0 dead letters");
    node.server.shutdown().await;
}

/// Takes the log away and puts an empty one in its place.
async fn lose_the_log(mode: &Mode) {
    match mode {
        Mode::Embedded { data_dir } => {
            for name in ["log.db", "log.db-wal", "log.db-shm"] {
                let _ = std::fs::remove_file(data_dir.join(name));
            }
        }
        Mode::Cluster { kafka, .. } => {
            let admin: AdminClient<DefaultClientContext> =
                ClientConfig::new().set("bootstrap.servers", &kafka.brokers).create().unwrap();
            let topic = format!("{}.events", kafka.namespace);
            admin.delete_topics(&[&topic], &AdminOptions::new()).await.unwrap()[0].as_ref().unwrap();
            until("the topic is made again", async || {
                KafkaLog::connect(kafka, 4).await.is_ok_and(|log| log.partitions() == 4)
            })
            .await;
        }
    }
}

async fn a_log_that_was_lost_is_refused_until_a_new_generation_is_declared(kind: Kind) {
    let installation = Installation::new(kind).await;
    let mode = &installation.mode;
    let node = installation.start().await;
    let ada = Person::register(&node.base, "ada").await;
    let room = ada.make_room("public").await;
    for n in 0..5 {
        ada.post(&room, &format!("old {n}")).await;
    }
    let (_, old) = ada.post(&room, "old, the last").await;
    let before = ada.bodies(&room, old).await;
    lose_the_log(mode).await;
    // A node that runs notices, and must not go on.
    let why = tokio::time::timeout(PATIENCE, node.server.lost()).await.expect("it notices");
    let word = if kind == Kind::Embedded { "was removed or replaced" } else { "ahead of the log" };
    assert!(why.contains(word) && why.contains("--new-epoch"), "{why}");
    node.server.shutdown().await;

    let Err(refused) = Server::start(installation.config()).await else { panic!("it starts on another log") };
    let refused = format!("{refused:#}");
    let word = if kind == Kind::Embedded { "were acknowledged" } else { "ahead of the log" };
    assert!(refused.contains(word) && refused.contains("doctor --new-epoch"), "{refused}");
    assert_eq!(run(mode, &["doctor"]).await.code, 1);
    let asked = run(mode, &["doctor", "--new-epoch"]).await;
    assert_eq!(asked.code, 1, "{}", asked.all);
    assert!(asked.out.contains("--yes"), "{}", asked.all);
    let begun = run(mode, &["doctor", "--new-epoch", "--yes"]).await;
    assert_eq!(begun.code, 0, "{}", begun.all);
    assert!(begun.out.contains("generation 2"), "{}", begun.out);

    let node = installation.start().await;
    let ada = ada.at(&node.base);
    let page = ada.history(&room, "?limit=200").await;
    assert_eq!(page["messages"].as_array().unwrap().len(), before.len(), "the old history is there");
    let at: Position = page["at"].as_str().unwrap().parse().unwrap();

    // Who comes with a place of the old log starts over, and then is in step, even before anything is in the new log.
    let mut socket = ada.socket().await;
    let answer = socket.subscribe(&room, Some(old)).await;
    assert_eq!((&answer["type"], &answer["reason"]), (&json!("resync"), &json!("epoch")), "{answer}");
    let answer = socket.subscribe(&room, Some(at)).await;
    assert_eq!(answer["type"], "subscribed", "{answer}");
    let mut fresh = ada.socket().await;
    assert_eq!(fresh.subscribe(&room, None).await["type"], "subscribed");

    let (_, new) = ada.post(&room, "new").await;
    assert!(new > old && new.epoch == 2, "{new}");
    let (body, live, prev) = socket.posted().await;
    assert_eq!((body.as_str(), live), ("new", new));
    assert!(prev.is_some_and(|prev| prev <= at), "{prev:?}");
    assert_eq!(fresh.posted().await.0, "new");
    let expected: Vec<String> = before.iter().cloned().chain(["new".to_owned()]).collect();
    assert_eq!(ada.bodies(&room, new).await, expected, "old before new");
    let page = ada.history(&room, &format!("?before={new}&limit=1")).await;
    assert_eq!(page["messages"][0]["body"], "old, the last");
    let mut resumed = ada.socket().await;
    assert_eq!(resumed.subscribe(&room, Some(at)).await["type"], "subscribed");
    assert_eq!(resumed.posted().await.0, "new");

    let audit = run(mode, &["audit"]).await;
    assert_eq!(audit.code, 0, "{}", audit.all);
    assert_eq!(run(mode, &["doctor"]).await.code, 0);
    let again = run(mode, &["doctor", "--new-epoch", "--yes"]).await;
    assert_eq!(again.code, 1, "{}", again.all);
    node.server.shutdown().await;
}

/// Of Kafka alone: the embedded log forgets nothing.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_log_forgot_before_it_was_folded_stops_everything_until_it_is_given_up() {
    let installation = Installation::new(Kind::Cluster).await;
    let mode = &installation.mode;
    let Mode::Cluster { kafka, .. } = mode else { unreachable!() };
    let node = installation.start().await;
    let ada = Person::register(&node.base, "ada").await;
    let room = ada.make_room("public").await;
    let (_, folded) = ada.post(&room, "folded").await;
    ada.bodies(&room, folded).await;
    node.server.shutdown().await;

    // Nobody folds, and the log forgets.
    let mut config = installation.config();
    config.parts = [Part::Web, Part::Relay].into();
    let node = installation.start_with(config).await;
    let ada = ada.at(&node.base);
    let mut last = folded;
    for n in 0..5 {
        (_, last) = ada.post(&room, &format!("lost {n}")).await;
    }
    let partition = partition_of(mode, &room).await;
    let mut forget = TopicPartitionList::new();
    let (topic, before) = (format!("{}.events", kafka.namespace), Offset::Offset(last.offset.cast_signed()));
    forget.add_partition_offset(&topic, partition.cast_signed(), before).unwrap();
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", &kafka.brokers).create().unwrap();
    admin.delete_records(&forget, &AdminOptions::new()).await.unwrap();
    let why = tokio::time::timeout(PATIENCE, node.server.lost()).await.expect("it notices");
    assert!(why.contains("has forgotten") && why.contains("--skip-lost"), "{why}");
    node.server.shutdown().await;

    let Err(refused) = Server::start(installation.config()).await else { panic!("it starts all the same") };
    assert!(format!("{refused:#}").contains("has forgotten"), "{refused:#}");
    let refused = run(mode, &["doctor", "--new-epoch", "--yes"]).await;
    assert_eq!(refused.code, 1, "not a new log: {}", refused.all);
    let asked = run(mode, &["doctor", "--skip-lost"]).await;
    assert_eq!((asked.code, asked.out.contains("4 records")), (1, true), "{}", asked.all);
    let skipped = run(mode, &["doctor", "--skip-lost", "--yes"]).await;
    assert_eq!(skipped.code, 0, "{}", skipped.all);

    let node = installation.start().await;
    let ada = ada.at(&node.base);
    let (_, end) = ada.post(&room, "after").await;
    assert_eq!(ada.bodies(&room, end).await, ["folded", "lost 4", "after"], "what the log still had is there");
    node.server.shutdown().await;
}

async fn the_audit_beside_serving_sees_it_too(kind: Kind) {
    use server::{fanout, operator::watch, store};
    let installation = Installation::new(kind).await;
    let node = installation.start().await;
    let ada = Person::register(&node.base, "ada").await;
    let room = ada.make_room("public").await;
    let (_, at) = ada.post(&room, "hello").await;
    ada.bodies(&room, at).await;
    node.server.shutdown().await;

    let (log, store, fan): (Arc<dyn Log>, Arc<dyn store::Upkeep>, Arc<dyn fanout::Fanout>) = match &installation.mode {
        Mode::Embedded { data_dir } => (
            Arc::new(SqliteLog::open(data_dir, 1).await.unwrap()),
            Arc::new(store::sqlite::SqliteStore::open(data_dir).await.unwrap()),
            Arc::new(fanout::local::LocalFanout::new()),
        ),
        Mode::Cluster { kafka, redis, database } => (
            Arc::new(KafkaLog::attach(kafka).await.unwrap()),
            Arc::new(store::postgres::PostgresStore::connect(database).await.unwrap()),
            Arc::new(fanout::redis::RedisFanout::connect(redis).await.unwrap()),
        ),
    };
    // As many turns as bring every room and every partition once.
    let turns = async || {
        let (mut place, mut differences, mut records) = (watch::Place::default(), 0, 0);
        for _ in 0..4 {
            let report = watch::turn(&*log, &*store, &*fan, &mut place).await.unwrap();
            differences += report.difference_count;
            records += report.records;
        }
        assert!(records > 0);
        differences
    };
    assert_eq!(turns().await, 0);
    meddle(&installation.mode, "update messages set body = 'forged' where body = 'hello'").await;
    assert!(turns().await > 0);
    log.close().await;
}

fn copy(from: &std::path::Path, to: &std::path::Path, only: &str) {
    std::fs::create_dir_all(to).unwrap();
    for file in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let name = file.file_name();
        if name.to_string_lossy().starts_with(only) {
            std::fs::copy(file.path(), to.join(name)).unwrap();
        }
    }
}

fn remove(dir: &std::path::Path, what: &str) {
    for file in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        if file.file_name().to_string_lossy().starts_with(what) {
            std::fs::remove_file(file.path()).unwrap();
        }
    }
}

fn folder(installation: &Installation) -> &std::path::Path {
    let Mode::Embedded { data_dir } = &installation.mode else { unreachable!("embedded") };
    data_dir
}

/// Of files alone: nobody copies a topic.
#[tokio::test(flavor = "multi_thread")]
async fn an_archive_is_not_put_right_from_a_log_that_went_another_way() {
    let (one, two) = (Installation::new(Kind::Embedded).await, Installation::new(Kind::Embedded).await);
    let node = one.start().await;
    let ada = Person::register(&node.base, "ada").await;
    let room = ada.make_room("public").await;
    ada.post(&room, "common").await;
    node.server.shutdown().await;
    copy(folder(&one), folder(&two), "");
    for (installation, body) in [(&one, "one way"), (&two, "another way")] {
        let node = installation.start().await;
        for _ in 0..3 {
            let (_, at) = ada.at(&node.base).post(&room, body).await;
            ada.at(&node.base).bodies(&room, at).await;
        }
        node.server.shutdown().await;
    }
    remove(folder(&one), "log.");
    copy(folder(&two), folder(&one), "log.");

    let refused = run(&one.mode, &["rebuild", "--from-log"]).await;
    assert_ne!(refused.code, 0, "{}", refused.all);
    assert!(refused.all.contains("nothing is changed") && refused.all.contains("another log"), "{}", refused.all);
    assert_eq!(run(&one.mode, &["audit"]).await.code, 1);
    remove(folder(&one), "log.");
    let refused = run(&one.mode, &["doctor"]).await;
    assert_eq!(refused.code, 1, "{}", refused.all);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_copy_of_the_log_is_no_new_generation() {
    let installation = Installation::new(Kind::Embedded).await;
    let (mode, dir) = (&installation.mode, folder(&installation));
    let older = tempfile::tempdir().unwrap();
    let node = installation.start().await;
    let ada = Person::register(&node.base, "ada").await;
    let room = ada.make_room("public").await;
    ada.post(&room, "before").await;
    node.server.shutdown().await;
    copy(dir, older.path(), "log.db");
    let node = installation.start().await;
    let (_, after) = ada.at(&node.base).post(&room, "after").await;
    ada.at(&node.base).bodies(&room, after).await;
    node.server.shutdown().await;
    remove(dir, "log.db");
    copy(older.path(), dir, "log.db");

    let refused = run(mode, &["doctor", "--new-epoch", "--yes"]).await;
    assert_ne!(refused.code, 0, "{}", refused.all);
    assert!(refused.all.contains("begin with an empty log"), "{}", refused.all);
    // As it says.
    remove(dir, "log.db");
    let begun = run(mode, &["doctor", "--new-epoch", "--yes"]).await;
    assert_eq!(begun.code, 0, "{}", begun.all);
    let node = installation.start().await;
    let (_, at) = ada.at(&node.base).post(&room, "in the new one").await;
    assert_eq!(ada.at(&node.base).bodies(&room, at).await, ["before", "after", "in the new one"]);
    node.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_lost_is_not_begun_anew_beside_a_log_that_is_not() {
    let installation = Installation::new(Kind::Embedded).await;
    let (mode, dir) = (&installation.mode, folder(&installation));
    let node = installation.start().await;
    let ada = Person::register(&node.base, "ada").await;
    let room = ada.make_room("public").await;
    let (_, at) = ada.post(&room, "kept").await;
    ada.bodies(&room, at).await;
    node.server.shutdown().await;
    let kept = tempfile::tempdir().unwrap();
    copy(dir, kept.path(), "store.db");
    remove(dir, "store.db");

    let told = run(mode, &["doctor"]).await;
    assert_eq!((told.code, told.all.contains("restore it from a backup")), (1, true), "{}", told.all);
    // A process of its own: what it has opened is closed when it is gone, and the files can be put back.
    let refused = run(mode, &["serve", "--listen", "127.0.0.1:0"]).await;
    assert_eq!((refused.code, refused.all.contains("never heard of")), (1, true), "{}", refused.all);

    remove(dir, "store.db");
    copy(kept.path(), dir, "store.db");
    let node = installation.start().await;
    assert_eq!(ada.at(&node.base).bodies(&room, at).await, ["kept"]);
    node.server.shutdown().await;
}
