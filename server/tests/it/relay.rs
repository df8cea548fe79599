//! The relay, between a log and a fan-out that may have been put back.

use crate::support::{Installation, Kind, PATIENCE, Person, Socket, setting, until};
use app::model::{Event, KnownEvent, Message, MessageId, Position, RoomId, User, UserId, Visibility};
use server::{
    config::{Part, RedisConfig},
    fanout::{Fanout, Notice, Signal, local::LocalFanout, redis::RedisFanout},
    hub::{Connection, Hub},
    log::{Log, Record, sqlite::SqliteLog},
    pipeline::{Health, relay},
    store::{AccountMade, NewAccount, NewRoom, Placed, RoomKey, Store, sqlite::SqliteStore},
};
use std::{sync::Arc, time::Duration};
use tempfile::TempDir;
use tokio::{task::JoinHandle, time::timeout};

/// A log, a store and a room in them.
struct Place {
    _dir: TempDir,
    log: Arc<dyn Log>,
    store: Arc<dyn Store>,
    author: User,
    room: RoomId,
}

impl Place {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let log = SqliteLog::open(dir.path(), 1).await.unwrap();
        let store = SqliteStore::open(dir.path()).await.unwrap();
        let author =
            User { id: UserId::new(), username: "ada".into(), display_name: "Ada".into(), guest: false, admin: false };
        let account = NewAccount { user: author.clone(), password_hash: None, created_at: 0, only_first_admin: false };
        assert_eq!(store.create_account(&account).await.unwrap(), AccountMade::Made);
        let room = RoomId::new();
        let (slug, name) = ("room".into(), "Room".into());
        let new = NewRoom { id: room, slug, name, visibility: Visibility::Public, partition: 0, created_at: 0 };
        assert!(store.create_room(&new).await.unwrap());
        Self { _dir: dir, log: Arc::new(log), store: Arc::new(store), author, room }
    }

    fn message(&self, id: MessageId, body: &str) -> Record {
        let message = Message::new(id, self.author.clone(), body, 0);
        let event = KnownEvent::MessagePosted { message }.into();
        Record { v: 1, room: self.room, by: self.author.id, id: id.0, accepted_at: server::time::now(), event }
    }

    async fn post(&self, id: MessageId, body: &str) -> Position {
        let offset = self.log.append(0, self.room, self.message(id, body).encode()).await.unwrap();
        Position::new(1, offset)
    }

    async fn post_many(&self, count: u64) -> Position {
        let posts = (0..count).map(|n| async move { self.post(MessageId::new(), &n.to_string()).await });
        futures::future::join_all(posts).await.into_iter().max().unwrap()
    }

    /// The store has everything that the log has.
    async fn fold(&self) {
        let mut from = self.store.progress(0).await.unwrap();
        loop {
            let entries = self.log.read(0, from, 1_000).await.unwrap();
            let Some(next) = entries.last().map(|e| e.offset + 1) else { return };
            let records: Vec<Placed> = entries.iter().map(|e| Placed::decode(e).unwrap()).collect();
            self.store.fold(0, from, next, &records).await.unwrap();
            from = next;
        }
    }

    fn relay(&self, fanout: &Arc<dyn Fanout>) -> JoinHandle<anyhow::Result<()>> {
        tokio::spawn(relay::run(self.log.clone(), self.store.clone(), fanout.clone(), 1, Health::default()))
    }
}

async fn relayed_to(fanout: &Arc<dyn Fanout>, at: Position) {
    until("the relay is there", async || fanout.relayed(&[0]).await.unwrap() == [Some(at)]).await;
}

async fn stop(relay: JoinHandle<anyhow::Result<()>>) {
    relay.abort();
    let _ = relay.await;
}

/// The notice of it was lost; the event was not. Whoever remembers members here must not remember an old one.
#[tokio::test(flavor = "multi_thread")]
async fn a_removal_that_nobody_told_is_learned_from_its_event() {
    let (place, fanout) = (Place::new().await, Arc::new(LocalFanout::new()));
    let hub = Hub::new(place.log.clone(), place.store.clone(), fanout.clone(), 1);
    let (tell, mut heard) = tokio::sync::mpsc::channel(64);
    let signals = fanout.signals().unwrap();
    let running = tokio::spawn(hub.clone().run(signals, move |signal| drop(tell.try_send(signal.clone()))));
    let fanout: Arc<dyn Fanout> = fanout;
    let relay = place.relay(&fanout);
    let last = place.post_many(1).await;
    relayed_to(&fanout, last).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let connection = Connection::new(Some(&place.author), None, listener.accept().await.unwrap().0);
    let row = place.store.room(&RoomKey::Id(place.room)).await.unwrap().unwrap();
    hub.subscribe(&Arc::new(connection), &row, true, server::hub::Since { at: None, counting: false }).await.unwrap();
    timeout(PATIENCE, client.readable()).await.expect("an answer").unwrap();
    let left = KnownEvent::MemberLeft { user: place.author.clone(), by: place.author.clone() };
    let record = Record { event: left.into(), ..place.message(MessageId::new(), "") };
    let offset = place.log.append(0, place.room, record.encode()).await.unwrap();
    let learned = Notice::MemberChanged {
        room: place.room,
        user: place.author.id,
        role: None,
        at: Position::new(1, offset),
        removed: false,
    };
    while timeout(PATIENCE, heard.recv()).await.expect("in time").unwrap() != Signal::Notice(learned.clone()) {}
    stop(relay).await;
    hub.stop().await;
    running.await.unwrap();
}

async fn in_redis() -> (Arc<dyn Fanout>, redis::aio::MultiplexedConnection, String) {
    let url = setting("PARTYLINE_TEST_REDIS_URL");
    let namespace = format!("test-{}", uuid::Uuid::new_v4());
    let config = RedisConfig { url: url.clone().into(), namespace: namespace.clone(), ca: None };
    let fanout = RedisFanout::connect(&config).await.unwrap();
    let operator = redis::Client::open(url).unwrap().get_multiplexed_async_connection().await.unwrap();
    (Arc::new(fanout), operator, namespace)
}

/// What is to be put back, as a failover to a lagging copy would: ring and marker, to the same moment.
struct Moment {
    ring: (String, Vec<u8>),
    marker: (String, Vec<u8>),
}

impl Moment {
    async fn take(operator: &mut redis::aio::MultiplexedConnection, namespace: &str, room: RoomId) -> Self {
        let dump = async |key: String| {
            let dumped: Vec<u8> = redis::cmd("DUMP").arg(&key).query_async(&mut operator.clone()).await.unwrap();
            (key, dumped)
        };
        Self {
            ring: dump(format!("{namespace}:{{{room}}}:ring")).await,
            marker: dump(format!("{namespace}:relayed:0")).await,
        }
    }

    async fn put_back(&self, operator: &mut redis::aio::MultiplexedConnection) {
        let mut restore = redis::pipe();
        restore.atomic();
        for (key, dumped) in [&self.ring, &self.marker] {
            restore.cmd("RESTORE").arg(key).arg(0).arg(dumped).arg("REPLACE").ignore();
        }
        restore.exec_async(operator).await.unwrap();
    }
}

/// The ring is whole: from `since` on nothing is missing, up to `top`.
async fn is_whole(fanout: &Arc<dyn Fanout>, place: &Place, since: Position, top: Position) {
    let ring = fanout.ring(place.room, since).await.unwrap();
    assert_eq!((ring.top, ring.complete), (Some(top), true));
    let missing = (since.offset + 1..=top.offset).collect::<Vec<_>>();
    assert_eq!(ring.events.iter().map(|e| e.at.offset).collect::<Vec<_>>(), missing);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_redis_lost_while_the_relay_ran_is_published_again_before_anything_new() {
    let (place, (fanout, mut operator, namespace)) = (Place::new().await, in_redis().await);
    let relay = place.relay(&fanout);
    let old = place.post_many(20).await;
    relayed_to(&fanout, old).await;
    let moment = Moment::take(&mut operator, &namespace, place.room).await;
    let lost = place.post_many(30).await;
    relayed_to(&fanout, lost).await;
    moment.put_back(&mut operator).await;
    let new = place.post(MessageId::new(), "after").await;
    relayed_to(&fanout, new).await;
    is_whole(&fanout, &place, Position::new(1, 9), new).await;
    stop(relay).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_redis_lost_of_a_quiet_partition_is_published_again_soon() {
    let (place, (fanout, mut operator, namespace)) = (Place::new().await, in_redis().await);
    let relay = place.relay(&fanout);
    let old = place.post_many(20).await;
    relayed_to(&fanout, old).await;
    let moment = Moment::take(&mut operator, &namespace, place.room).await;
    let lost = place.post_many(30).await;
    relayed_to(&fanout, lost).await;
    moment.put_back(&mut operator).await;
    relayed_to(&fanout, lost).await;
    is_whole(&fanout, &place, Position::new(1, 9), lost).await;
    let _: () = redis::cmd("DEL").arg(&moment.ring.0).arg(&moment.marker.0).query_async(&mut operator).await.unwrap();
    relayed_to(&fanout, lost).await;
    is_whole(&fanout, &place, Position::new(1, 40), lost).await;
    stop(relay).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_redis_lost_while_nobody_relayed_is_published_again() {
    let (place, (fanout, mut operator, namespace)) = (Place::new().await, in_redis().await);
    let relay = place.relay(&fanout);
    let old = place.post_many(20).await;
    relayed_to(&fanout, old).await;
    let moment = Moment::take(&mut operator, &namespace, place.room).await;
    // More than is read again at a start anyway.
    let lost = place.post_many(2_500).await;
    relayed_to(&fanout, lost).await;
    stop(relay).await;
    moment.put_back(&mut operator).await;
    let relay = place.relay(&fanout);
    relayed_to(&fanout, lost).await;
    let ring = fanout.ring(place.room, Position::new(1, lost.offset - 200)).await.unwrap();
    assert_eq!((ring.top, ring.complete, ring.events.len()), (Some(lost), true, 200));
    stop(relay).await;
}

/// It got into the log a second time, long after the first, and the relay that remembered the first is gone.
async fn a_late_repetition(fanout: Arc<dyn Fanout>) {
    let place = Place::new().await;
    let mut heard = fanout.signals().unwrap();
    fanout.watch(place.room).await.unwrap();
    let relay = place.relay(&fanout);
    let id = MessageId::new();
    place.post(id, "once").await;
    let last = place.post_many(1_500).await;
    relayed_to(&fanout, last).await;
    stop(relay).await;
    place.fold().await;
    let relay = place.relay(&fanout);
    place.post(id, "once").await;
    let end = place.post(MessageId::new(), "the end").await;
    let mut times = 0;
    loop {
        let signal = timeout(PATIENCE, heard.recv()).await.expect("in time").unwrap();
        let Signal::Event { event, .. } = signal else { panic!("{signal:?}") };
        let Ok(Event::Known(KnownEvent::MessagePosted { message }, _)) = serde_json::from_slice(&event.payload) else {
            panic!("{event:?}")
        };
        times += usize::from(message.id == id);
        if event.at == end {
            break;
        }
    }
    assert_eq!(times, 1);
    stop(relay).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repetition_long_after_the_first_is_shown_once_embedded() {
    a_late_repetition(Arc::new(LocalFanout::new())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repetition_long_after_the_first_is_shown_once_cluster() {
    a_late_repetition(in_redis().await.0).await;
}

/// Wherever the relay is: cut off from Redis, held, or waiting for its group.
#[tokio::test(flavor = "multi_thread")]
async fn while_nobody_relays_messages_are_heard_all_the_same_and_none_twice_after() {
    let installation = Installation::new(Kind::Cluster).await;
    let node = installation.start_with(installation.config_of(&[Part::Web, Part::Persist])).await;
    let ada = Person::register(&node.base, "ada").await;
    let room = ada.make_room("public").await;
    let mut socket = ada.socket().await;
    socket.subscribe(&room, None).await;
    let heard = async |socket: &mut Socket, body: &str| {
        let (_, at) = ada.post(&room, body).await;
        let (heard, live, _) = socket.posted().await;
        assert_eq!((heard.as_str(), live), (body, at));
    };
    for n in 0..5 {
        heard(&mut socket, &format!("by the log, {n}")).await;
    }
    let relay = installation.start_with(installation.config_of(&[Part::Relay])).await;
    for n in 0..40 {
        heard(&mut socket, &format!("by whichever, {n}")).await;
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    relay.server.shutdown().await;
    heard(&mut socket, "by the log again").await;
    node.server.shutdown().await;
}
