//! Redis is away: live goes on from the log, and nobody notices when it is back.

use crate::support::{Installation, Kind, PATIENCE, Person, Socket, redis::OwnRedis, until};
use app::model::Position;
use chaos::proxy::Way;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use server::config::Mode;
use std::time::{Duration, Instant};
use tokio::{task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

/// How late a message may be heard while Redis is away, and while it goes and comes.
const LATE: Duration = Duration::from_secs(1);

fn redis_url(installation: &mut Installation) -> &mut server::config::Secret {
    let Mode::Cluster { redis, .. } = &mut installation.mode else { unreachable!("a cluster") };
    &mut redis.url
}

/// A cluster with a Redis of its own.
async fn with_own_redis() -> (Installation, OwnRedis) {
    let mut installation = Installation::new(Kind::Cluster).await;
    let redis = OwnRedis::start();
    *redis_url(&mut installation) = redis.url().into();
    (installation, redis)
}

/// Posts one message after the other; each says when.
struct Posting {
    stop: CancellationToken,
    task: JoinHandle<Vec<(String, Position)>>,
}

impl Posting {
    fn begin(person: &Person, room: &str, epoch: Instant) -> Self {
        let stop = CancellationToken::new();
        let (person, room, stopped) = (person.clone(), room.to_owned(), stop.clone());
        let task = tokio::spawn(async move {
            let mut posted = Vec::new();
            while !stopped.is_cancelled() {
                let body = format!("{}:{}", posted.len(), epoch.elapsed().as_micros());
                let (_, at) = person.post(&room, &body).await;
                posted.push((body, at));
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            posted
        });
        Self { stop, task }
    }

    async fn end(self) -> Vec<(String, Position)> {
        self.stop.cancel();
        self.task.await.unwrap()
    }
}

/// Hears messages until one whose body is `end`; what it heard, and how late each was.
fn hearing(mut socket: Socket, epoch: Instant) -> JoinHandle<Vec<(String, Position, Duration)>> {
    tokio::spawn(async move {
        let mut heard = Vec::new();
        let mut mine = None;
        loop {
            let (body, at, prev) = socket.posted().await;
            if let Some(mine) = mine {
                assert!(at > mine, "{at} after {mine}");
                assert!(prev.is_some_and(|prev| prev <= mine), "a hole before {at}");
            }
            mine = Some(at);
            if body == "end" {
                return heard;
            }
            let late = epoch.elapsed().saturating_sub(said(&body));
            heard.push((body, at, late));
        }
    })
}

/// That exactly this was heard, and how late it was: the longest and, roughly, the 99th percentile.
fn judge(posted: &[(String, Position)], heard: &[(String, Position, Duration)]) -> (Duration, Duration) {
    let told: Vec<_> = heard.iter().map(|(body, at, _)| (body.clone(), *at)).collect();
    assert_eq!(posted, told);
    let mut late: Vec<Duration> = heard.iter().map(|(_, _, late)| *late).collect();
    late.sort_unstable();
    (late[late.len() - 1], late[late.len() * 99 / 100])
}

async fn metric(base: &str, name: &str) -> f64 {
    let text = reqwest::get(format!("{base}/metrics")).await.unwrap().text().await.unwrap();
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok()).unwrap_or(0.0)
}

async fn live_goes_on_while_redis_is_away(way: Way) {
    let (proxy, installation) = Installation::new(Kind::Cluster).await.behind_redis_proxy().await;
    let node = installation.start().await;
    let (ada, epoch) = (Person::register(&node.base, "ada").await, Instant::now());
    let room = ada.make_room("public").await;
    let mut socket = ada.socket().await;
    socket.subscribe(&room, None).await;
    let heard = hearing(socket, epoch);
    let posting = Posting::begin(&ada, &room, epoch);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let gone = epoch.elapsed();
    for _ in 0..3 {
        proxy.set(way);
        tokio::time::sleep(Duration::from_secs(3)).await;
        proxy.set(Way::Open);
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
    until("the log is no longer followed", async || metric(&node.base, "partyline_following_log ").await == 0.0).await;
    let posted = posting.end().await;
    ada.post(&room, "end").await;
    let heard = timeout(PATIENCE, heard).await.unwrap().unwrap();
    let (longest, p99) = judge(&posted, &heard);
    // What this machine takes anyway while it is busy with something else does not count.
    let (with_redis, _) = heard.split_at(heard.iter().position(|(body, ..)| said(body) > gone).unwrap());
    let usual = with_redis.iter().map(|(.., late)| *late).max().unwrap();
    println!("{way:?}: {} messages, p99 {p99:?}, longest {longest:?}; before {usual:?}", posted.len());
    assert!(p99 <= LATE + usual, "{p99:?}");
    node.server.shutdown().await;
}

/// When it was posted.
fn said(body: &str) -> Duration {
    Duration::from_micros(body.split_once(':').unwrap().1.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn with_redis_gone_messages_are_heard_within_a_second() {
    live_goes_on_while_redis_is_away(Way::Closed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_redis_silent_messages_are_heard_within_a_second() {
    live_goes_on_while_redis_is_away(Way::Hole).await;
}

/// Others still have Redis: the deaf node hears the log, and both hear the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_alone_has_lost_redis_hears_what_the_others_hear() {
    let whole = Installation::new(Kind::Cluster).await;
    let (proxy, far) = whole.behind_redis_proxy().await;
    let node = whole.start().await;
    let mut config = far.config();
    config.parts.remove(&server::config::Part::Relay);
    let deaf = whole.start_with(config).await;
    let (ada, epoch) = (Person::register(&node.base, "ada").await, Instant::now());
    let room = ada.make_room("public").await;
    let mut heard = Vec::new();
    for base in [&node.base, &deaf.base] {
        let mut socket = ada.at(base).socket().await;
        socket.subscribe(&room, None).await;
        heard.push(hearing(socket, epoch));
    }
    let posting = Posting::begin(&ada, &room, epoch);
    for way in [Way::Closed, Way::Open, Way::Hole, Way::Open] {
        proxy.set(way);
        tokio::time::sleep(Duration::from_millis(1_500)).await;
    }
    let posted = posting.end().await;
    ada.post(&room, "end").await;
    // The first one shows what this machine takes anyway.
    let mut usual = Duration::ZERO;
    for heard in heard {
        let (longest, p99) = judge(&posted, &timeout(PATIENCE, heard).await.unwrap().unwrap());
        println!("{} messages, p99 {p99:?}, longest {longest:?}", posted.len());
        assert!(p99 <= LATE + usual, "{p99:?}");
        usual = p99;
    }
    tokio::join!(node.server.shutdown(), deaf.server.shutdown());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_is_first_watched_while_redis_is_away_is_complete() {
    let (proxy, installation) = Installation::new(Kind::Cluster).await.behind_redis_proxy().await;
    let node = installation.start().await;
    let ada = Person::register(&node.base, "ada").await;
    let (quiet, busy) = (ada.make_room("public").await, ada.make_room("public").await);
    let (_, since) = ada.post(&quiet, "known").await;
    ada.post(&busy, "known").await;
    proxy.set(Way::Closed);
    until("the log is followed", async || metric(&node.base, "partyline_following_log ").await == 1.0).await;
    for n in 0..5 {
        ada.post(&quiet, &format!("missed {n}")).await;
    }
    let mut socket = ada.socket().await;
    let answer = socket.subscribe(&quiet, Some(since)).await;
    assert_eq!((&answer["type"], &answer["recovered"]), (&json!("subscribed"), &json!(true)), "{answer}");
    for n in 0..5 {
        assert_eq!(socket.posted().await.0, format!("missed {n}"));
    }
    ada.post(&quiet, "live").await;
    assert_eq!(socket.posted().await.0, "live");
    let mut late = ada.socket().await;
    late.subscribe(&busy, None).await;
    ada.post(&busy, "first heard").await;
    assert_eq!(late.posted().await.0, "first heard");
    proxy.set(Way::Open);
    ada.post(&quiet, "after").await;
    assert_eq!(socket.posted().await.0, "after");
    node.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_who_is_removed_while_redis_is_away_hears_and_reads_nothing_later() {
    let (proxy, installation) = Installation::new(Kind::Cluster).await.behind_redis_proxy().await;
    let (node, other) = tokio::join!(installation.start(), installation.start());
    let (ada, lin) = (Person::register(&node.base, "ada").await, Person::register(&node.base, "lin").await);
    let room = ada.make_room("private").await;
    let add = format!("/rooms/{room}/members/{}", lin.username);
    assert_eq!(ada.call(Method::PUT, &add, None).await.0, StatusCode::OK);
    let lin = lin.at(&other.base);
    let mut socket = lin.socket().await;
    assert_eq!(socket.subscribe(&room, None).await["type"], "subscribed");
    let (_, since) = ada.post(&room, "before").await;
    assert_eq!(socket.posted().await.0, "before");
    proxy.set(Way::Closed);
    until("the log is followed", async || metric(&other.base, "partyline_following_log ").await == 1.0).await;
    ada.post(&room, "during").await;
    let (status, answer) = ada.call(Method::DELETE, &add, None).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    ada.post(&room, "not for lin").await;
    assert_eq!(socket.posted().await.0, "during");
    let removed = Instant::now();
    assert_eq!(socket.next_of("error").await["room"], json!(room));
    assert!(removed.elapsed() < LATE, "{:?}", removed.elapsed());
    // The other node has heard of it by now, and asks nobody who might be behind.
    assert_eq!(lin.get(&format!("/rooms/{room}/messages")).await.0, StatusCode::NOT_FOUND);
    assert_eq!(socket.subscribe(&room, Some(since)).await["type"], "error");
    proxy.set(Way::Open);
    tokio::join!(node.server.shutdown(), other.server.shutdown());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ended_while_redis_is_away_is_closed_within_ten_seconds() {
    let (proxy, installation) = Installation::new(Kind::Cluster).await.behind_redis_proxy().await;
    let (node, other) = tokio::join!(installation.start(), installation.start());
    let ada = Person::register(&node.base, "ada").await;
    let mut socket = ada.at(&other.base).socket().await;
    proxy.set(Way::Closed);
    until("the log is followed", async || metric(&other.base, "partyline_following_log ").await == 1.0).await;
    // So that the other node has just been told that the session lives.
    assert_eq!(ada.at(&other.base).get("/me").await.0, StatusCode::OK);
    assert_eq!(ada.call(Method::DELETE, "/sessions", None).await.0, StatusCode::NO_CONTENT);
    let ended = Instant::now();
    assert_eq!(socket.end().await.map(|(code, _)| code), Some(4401));
    assert!(ended.elapsed() < Duration::from_secs(11), "{:?}", ended.elapsed());
    proxy.set(Way::Open);
    tokio::join!(node.server.shutdown(), other.server.shutdown());
}

/// What a Redis may come back with.
#[derive(Clone, Copy, Debug)]
enum Back {
    Empty,
    Old,
}

async fn redis_comes_back_with_less_than_it_had(back: Back) {
    let (installation, mut redis) = with_own_redis().await;
    let (node, other) = tokio::join!(installation.start(), installation.start());
    let (ada, epoch) = (Person::register(&node.base, "ada").await, Instant::now());
    let room = ada.make_room("public").await;
    let mut heard = Vec::new();
    for base in [&node.base, &other.base] {
        let mut socket = ada.at(base).socket().await;
        socket.subscribe(&room, None).await;
        heard.push(hearing(socket, epoch));
    }
    let posting = Posting::begin(&ada, &room, epoch);
    tokio::time::sleep(Duration::from_millis(500)).await;
    if let Back::Old = back {
        redis.save().await;
    }
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    redis.kill();
    redis.start_again();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    // At once, without a connection lost for long.
    if let Back::Empty = back {
        let _: () = redis::cmd("FLUSHALL").query_async(&mut redis.operator().await).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1_500)).await;
    }
    let posted = posting.end().await;
    let (_, end) = ada.post(&room, "end").await;
    for heard in heard {
        let (longest, p99) = judge(&posted, &timeout(PATIENCE, heard).await.unwrap().unwrap());
        println!("{back:?}: {} messages, p99 {p99:?}, longest {longest:?}", posted.len());
    }
    // And whoever comes back from anywhere, to a node that knows only the rings, gets all that came later.
    ada.bodies(&room, end).await;
    let fresh = installation.start().await;
    for (n, (_, since)) in posted.iter().enumerate().step_by(posted.len() / 10) {
        let mut socket = ada.at(&fresh.base).socket().await;
        let answer = socket.subscribe(&room, Some(*since)).await;
        assert_eq!((&answer["type"], &answer["recovered"]), (&json!("subscribed"), &json!(true)), "{answer}");
        for (body, _) in &posted[n + 1..] {
            assert_eq!(&socket.posted().await.0, body);
        }
    }
    tokio::join!(node.server.shutdown(), other.server.shutdown(), fresh.server.shutdown());
}

#[tokio::test(flavor = "multi_thread")]
async fn when_redis_comes_back_empty_nothing_is_missing_or_doubled() {
    redis_comes_back_with_less_than_it_had(Back::Empty).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_redis_comes_back_with_an_old_state_nothing_is_missing_or_doubled() {
    redis_comes_back_with_less_than_it_had(Back::Old).await;
}

/// The message reached Redis and no node, and Redis forgot it: nobody will ever publish it again.
#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_rooms_last_message_that_redis_lost_is_heard() {
    let (installation, mut redis) = with_own_redis().await;
    let node = installation.start().await;
    let ada = Person::register(&node.base, "ada").await;
    let room = ada.make_room("public").await;
    let mut socket = ada.socket().await;
    socket.subscribe(&room, None).await;
    ada.post(&room, "first").await;
    assert_eq!(socket.posted().await.0, "first");
    redis.kill();
    ada.post(&room, "second").await;
    redis.lose_everything();
    redis.start_again();
    assert_eq!(socket.posted().await.0, "second");
    let third = ada.post(&room, "third").await;
    let heard = socket.posted().await;
    assert_eq!((heard.0.as_str(), heard.1), ("third", third.1));
    node.server.shutdown().await;
}

/// Redis ends a connection that reads too slowly. Here it ends one: what it was about to say is lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_that_redis_drops_misses_nothing() {
    let (installation, redis) = with_own_redis().await;
    let node = installation.start().await;
    let (ada, epoch) = (Person::register(&node.base, "ada").await, Instant::now());
    let room = ada.make_room("public").await;
    let mut socket = ada.socket().await;
    socket.subscribe(&room, None).await;
    let heard = hearing(socket, epoch);
    let posting = Posting::begin(&ada, &room, epoch);
    let mut operator = redis.operator().await;
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let killed: Value = Value::from(
            redis::cmd("CLIENT").arg("KILL").arg("TYPE").arg("pubsub").query_async::<i64>(&mut operator).await.unwrap(),
        );
        assert_ne!(killed, 0, "somebody listened");
    }
    let posted = posting.end().await;
    ada.post(&room, "end").await;
    let (longest, p99) = judge(&posted, &timeout(PATIENCE, heard).await.unwrap().unwrap());
    println!("{} messages, p99 {p99:?}, longest {longest:?}", posted.len());
    assert!(p99 <= LATE, "{p99:?}");
    node.server.shutdown().await;
}

/// Stands in for a relay whose every publish is lost on the way: the rings have the events, and nobody was told.
struct SilentRelay {
    log: server::log::kafka::KafkaLog,
    operator: redis::aio::MultiplexedConnection,
    namespace: String,
}

impl SilentRelay {
    async fn of(installation: &Installation) -> Self {
        let Mode::Cluster { kafka, redis, .. } = &installation.mode else { unreachable!("a cluster") };
        let client = redis::Client::open(redis.url.expose()).unwrap();
        Self {
            log: server::log::kafka::KafkaLog::connect(kafka, 4).await.unwrap(),
            operator: client.get_multiplexed_async_connection().await.unwrap(),
            namespace: kafka.namespace.clone(),
        }
    }

    /// Puts everything that the log has into the rings.
    async fn relay(&mut self) {
        use server::log::{Log, Record};
        for partition in 0..self.log.partitions() {
            let mut ends = std::collections::HashMap::new();
            let entries = self.log.read(partition, 0, 1_000).await.unwrap();
            for entry in &entries {
                let record = Record::decode(&entry.payload).unwrap();
                let payload = serde_json::to_vec(&record.event_at(Position::new(1, entry.offset))).unwrap();
                let prev = ends.insert(record.room, entry.offset).map_or("0-0".to_owned(), |o| format!("1-{o}"));
                let added: Result<String, _> = redis::cmd("XADD")
                    .arg(format!("{}:{{{}}}:ring", self.namespace, record.room))
                    .arg(format!("1-{}", entry.offset))
                    .arg("prev")
                    .arg(prev)
                    .arg("payload")
                    .arg(payload)
                    .query_async(&mut self.operator)
                    .await;
                // What the ring has already it refuses.
                drop(added);
            }
            if let Some(last) = entries.last() {
                let key = format!("{}:relayed:{partition}", self.namespace);
                let marker = format!("1-{}", last.offset);
                let _: () = redis::cmd("SET").arg(key).arg(marker).query_async(&mut self.operator).await.unwrap();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_rooms_lost_last_message_is_heard_within_ten_seconds_and_once() {
    let installation = Installation::new(Kind::Cluster).await;
    let mut config = installation.config();
    config.parts.remove(&server::config::Part::Relay);
    let (node, other) = tokio::join!(installation.start_with(config.clone()), installation.start_with(config));
    let mut relay = SilentRelay::of(&installation).await;
    let ada = Person::register(&node.base, "ada").await;
    let room = ada.make_room("public").await;
    let (_, first) = ada.post(&room, "first").await;
    ada.bodies(&room, first).await;
    relay.relay().await;
    let mut sockets = Vec::new();
    for base in [&node.base, &node.base, &other.base] {
        let mut socket = ada.at(base).socket().await;
        socket.subscribe(&room, None).await;
        sockets.push(socket);
    }
    for n in 0..2 {
        let lost = format!("lost {n}");
        let (_, at) = ada.post(&room, &lost).await;
        relay.relay().await;
        let relayed = Instant::now();
        for socket in &mut sockets {
            let heard = socket.posted().await;
            assert_eq!((&heard.0, heard.1), (&lost, at));
        }
        println!("found after {:?}", relayed.elapsed());
        assert!(relayed.elapsed() < Duration::from_secs(10), "{:?}", relayed.elapsed());
    }
    for socket in &mut sockets {
        socket.send(json!({ "type": "ping" })).await;
        assert_eq!(socket.next().await.unwrap()["type"], "pong", "nothing came twice");
    }
    tokio::join!(node.server.shutdown(), other.server.shutdown());
}
