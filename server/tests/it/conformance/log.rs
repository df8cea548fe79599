//! The guarantees of `Log`, each under its own name, against both adapters.

#![allow(clippy::unwrap_used)]

use app::model::RoomId;
use bytes::Bytes;
use futures::{StreamExt, future::join_all, stream};
use server::{
    config::KafkaConfig,
    log::{AppendError, Assigned, Entry, Log, LogError, Start, StartAt, kafka::KafkaLog, sqlite::SqliteLog},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    sync::mpsc,
    task::{JoinHandle, JoinSet},
    time::{Instant, timeout},
};

/// Kafka moves partitions in seconds; nothing here takes longer when it works.
const PATIENCE: Duration = Duration::from_secs(40);
const PARTITIONS: u32 = 4;

/// Where a log is, so that it can be opened again.
trait Place {
    async fn open(&self) -> Arc<dyn Log>;
}

struct InFile(TempDir);

impl InFile {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

impl Place for InFile {
    async fn open(&self) -> Arc<dyn Log> {
        Arc::new(SqliteLog::open(self.0.path(), PARTITIONS).await.unwrap())
    }
}

struct InTopic(KafkaConfig);

impl InTopic {
    fn new() -> Self {
        let brokers = std::env::var("PARTYLINE_TEST_KAFKA_BROKERS")
            .expect("PARTYLINE_TEST_KAFKA_BROKERS is not set: run through `make test`");
        let namespace = format!("test-{}", RoomId::new());
        Self(KafkaConfig { brokers, namespace, ca: None, identity: None, sasl: None })
    }
}

impl Place for InTopic {
    async fn open(&self) -> Arc<dyn Log> {
        Arc::new(KafkaLog::connect(&self.0, PARTITIONS).await.unwrap())
    }
}

macro_rules! conformance {
    ($($guarantee:ident)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $guarantee() {
                super::$guarantee(super::InFile::new()).await;
            })*
        }
        mod kafka {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $guarantee() {
                super::$guarantee(super::InTopic::new()).await;
            })*
        }
    };
}

conformance! {
    order_is_the_order_of_acknowledgement
    an_acknowledged_entry_is_there_after_a_crash
    a_member_that_did_not_commit_sees_the_entries_again
    a_member_begins_where_its_group_has_committed
    a_rewinding_member_sees_so_many_records_again
    a_member_that_names_an_offset_begins_there
    a_member_that_names_an_offset_that_is_not_there_fails
    a_member_that_cannot_name_an_offset_yet_is_asked_again
    what_each_partition_has_is_told_together
    an_entry_reaches_a_member_that_waits_for_it
    members_share_the_partitions_and_take_over_from_one_that_leaves
    a_partition_that_was_taken_from_a_slow_member_and_comes_back_is_read
    a_member_that_drops_a_partition_gives_up_its_membership
    two_groups_do_not_touch
    a_slow_member_is_waited_for_and_then_gets_everything
    reading_begins_at_any_offset_and_refuses_one_that_is_not_there
    who_follows_gets_every_entry_from_an_offset_on
    who_follows_slowly_gets_everything_all_the_same
    who_follows_from_an_offset_that_is_not_there_is_told
    the_end_is_the_offset_that_comes_next
    an_append_to_a_partition_that_is_not_there_is_not_persisted
    a_log_that_is_there_says_so
    a_closed_log_takes_nothing_more
}

fn payload(text: impl std::fmt::Display) -> Bytes {
    Bytes::from(text.to_string())
}

async fn append(log: &dyn Log, partition: u32, text: impl std::fmt::Display) -> u64 {
    log.append(partition, RoomId::new(), payload(text)).await.unwrap()
}

/// Appends numbers, each after the one before.
async fn append_range(log: &Arc<dyn Log>, partition: u32, range: std::ops::Range<u64>) {
    for n in range {
        append(&**log, partition, n).await;
    }
}

/// Appends so many entries, as many at once as a producer's queue has room for; returns them in the log's order.
async fn append_many(log: &Arc<dyn Log>, partition: u32, range: std::ops::Range<u64>) -> Vec<Entry> {
    let appends =
        range.map(|n| async move { Entry { offset: append(&**log, partition, n).await, payload: payload(n) } });
    let mut entries: Vec<Entry> = stream::iter(appends).buffer_unordered(4_000).collect().await;
    entries.sort_by_key(|entry| entry.offset);
    entries
}

fn at(offset: u64) -> StartAt {
    Arc::new(move |_| Box::pin(async move { Ok(Start::At(offset)) }))
}

fn committed(rewind: u64) -> StartAt {
    Arc::new(move |_| Box::pin(async move { Ok(Start::Committed { rewind }) }))
}

/// Polls to a deadline.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A member that takes everything it is given.
struct Member {
    seen: mpsc::UnboundedReceiver<(u32, Entry)>,
    held: Arc<Mutex<BTreeSet<u32>>>,
    task: JoinHandle<()>,
}

#[expect(clippy::disallowed_methods, reason = "it holds what one test has appended, and must not hold the log back")]
impl Member {
    async fn join(log: &Arc<dyn Log>, group: &str, start: StartAt, commits: bool) -> Self {
        let mut assigned = log.join(group, start).await.unwrap();
        let (tell, seen) = mpsc::unbounded_channel();
        let held = Arc::new(Mutex::new(BTreeSet::new()));
        let holding = held.clone();
        let task = tokio::spawn(async move {
            let mut partitions = JoinSet::new();
            while let Some(Assigned { partition, mut entries, commit }) = assigned.recv().await {
                holding.lock().unwrap().insert(partition);
                let (tell, holding) = (tell.clone(), holding.clone());
                partitions.spawn(async move {
                    while let Some(batch) = entries.recv().await {
                        let next = batch.last().unwrap().offset + 1;
                        if commits {
                            commit(next);
                        }
                        for entry in batch {
                            let _ = tell.send((partition, entry));
                        }
                    }
                    holding.lock().unwrap().remove(&partition);
                });
            }
        });
        Self { seen, held, task }
    }

    async fn next(&mut self) -> (u32, Entry) {
        timeout(PATIENCE, self.seen.recv()).await.expect("an entry in time").expect("the member goes on")
    }

    /// The texts of the next entries, which must come from one partition in order.
    async fn texts(&mut self, count: usize) -> Vec<String> {
        let mut texts = Vec::new();
        let mut last = None;
        for _ in 0..count {
            let (_, entry) = self.next().await;
            assert!(last.is_none_or(|last| last < entry.offset), "in order");
            last = Some(entry.offset);
            texts.push(String::from_utf8(entry.payload.to_vec()).unwrap());
        }
        texts
    }

    fn holds(&self) -> BTreeSet<u32> {
        self.held.lock().unwrap().clone()
    }

    async fn leave(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

async fn order_is_the_order_of_acknowledgement(place: impl Place) {
    const EACH: u64 = 20;
    let log = place.open().await;
    let appenders = (0..50).map(|appender| {
        let log = log.clone();
        async move {
            let mut acknowledged = Vec::new();
            for n in 0..EACH {
                let text = format!("{appender}/{n}");
                acknowledged.push((append(&*log, 1, &text).await, text));
            }
            assert!(acknowledged.is_sorted(), "what one waits for comes before what it sends next");
            acknowledged
        }
    });
    let acknowledged: BTreeMap<u64, String> = join_all(appenders).await.into_iter().flatten().collect();
    assert_eq!(acknowledged.len(), 50 * EACH as usize, "each entry has an offset of its own");

    let expected: Vec<_> = acknowledged.into_values().collect();
    let mut member = Member::join(&log, "readers", at(0), false).await;
    assert_eq!(member.texts(expected.len()).await, expected);
    let read = log.read(1, 0, expected.len()).await.unwrap();
    let read: Vec<_> = read.iter().map(|e| String::from_utf8(e.payload.to_vec()).unwrap()).collect();
    assert_eq!(read, expected);
}

async fn an_acknowledged_entry_is_there_after_a_crash(place: impl Place) {
    let log = place.open().await;
    let offset = append(&*log, 2, "kept").await;
    drop(log); // Not closed.
    let log = place.open().await;
    assert_eq!(log.read(2, offset, 10).await.unwrap(), [Entry { offset, payload: payload("kept") }]);
    assert_eq!(append(&*log, 2, "next").await, offset + 1);
}

async fn a_member_that_did_not_commit_sees_the_entries_again(place: impl Place) {
    let log = place.open().await;
    append_range(&log, 0, 0..10).await;
    let mut member = Member::join(&log, "persist", committed(0), false).await;
    let first = member.texts(10).await;
    member.leave().await;
    let mut member = Member::join(&log, "persist", committed(0), false).await;
    assert_eq!(member.texts(10).await, first);
}

async fn a_member_begins_where_its_group_has_committed(place: impl Place) {
    let log = place.open().await;
    append_range(&log, 0, 0..10).await;
    let mut member = Member::join(&log, "persist", committed(0), true).await;
    member.texts(10).await;
    member.leave().await;
    append(&*log, 0, "later").await;
    let mut member = Member::join(&log, "persist", committed(0), false).await;
    assert_eq!(member.texts(1).await, ["later"]);
    member.leave().await;

    // And so does one of the next process.
    log.close().await;
    drop(log);
    let log = place.open().await;
    let mut member = Member::join(&log, "persist", committed(0), false).await;
    assert_eq!(member.texts(1).await, ["later"]);
}

async fn a_rewinding_member_sees_so_many_records_again(place: impl Place) {
    let log = place.open().await;
    append_range(&log, 3, 0..10).await;
    let mut member = Member::join(&log, "relay", committed(0), true).await;
    member.texts(10).await;
    member.leave().await;
    let mut member = Member::join(&log, "relay", committed(4), true).await;
    assert_eq!(member.texts(4).await, ["6", "7", "8", "9"]);
    member.leave().await;
    let mut member = Member::join(&log, "relay", committed(1_000), false).await;
    assert_eq!(member.texts(10).await.len(), 10, "no further than the oldest");
}

async fn a_member_that_names_an_offset_begins_there(place: impl Place) {
    let log = place.open().await;
    append_range(&log, 0, 0..10).await;
    append_range(&log, 1, 0..5).await;
    // A start of its own for each partition; those that are named nothing special begin at their ends.
    let starts: StartAt =
        Arc::new(|partition| Box::pin(async move { Ok(Start::At([7, 5, 0, 0][partition as usize])) }));
    let mut member = Member::join(&log, "persist", starts, false).await;
    assert_eq!(member.texts(3).await, ["7", "8", "9"]);
    append(&*log, 1, "new").await;
    assert_eq!(member.texts(1).await, ["new"]);
}

async fn a_member_that_names_an_offset_that_is_not_there_fails(place: impl Place) {
    let log = place.open().await;
    append_range(&log, 0, 0..3).await;
    let mut receiver = log.join("persist", at(4)).await.unwrap();
    let closed = async { while receiver.recv().await.is_some() {} };
    timeout(PATIENCE, closed).await.expect("the receiver closes");

    let never: StartAt = Arc::new(|_| Box::pin(async { Err(LogError::Broken("no such thing".into())) }));
    let mut receiver = log.join("persist", never).await.unwrap();
    timeout(PATIENCE, async { while receiver.recv().await.is_some() {} }).await.expect("the receiver closes");

    let mut member = Member::join(&log, "persist", committed(0), false).await;
    assert_eq!(member.texts(3).await, ["0", "1", "2"], "joining again is fine");
}

async fn a_member_that_cannot_name_an_offset_yet_is_asked_again(place: impl Place) {
    let log = place.open().await;
    append_range(&log, 0, 0..3).await;
    let (asked, away) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(true)));
    let start: StartAt = {
        let (asked, away) = (asked.clone(), away.clone());
        Arc::new(move |_| {
            *asked.lock().unwrap() += 1;
            let answer = if *away.lock().unwrap() {
                Err(LogError::Unavailable("the store is away".into()))
            } else {
                Ok(Start::At(0))
            };
            Box::pin(async { answer })
        })
    };
    let mut member = Member::join(&log, "persist", start, false).await;
    until("each partition was asked for several times", || *asked.lock().unwrap() >= 3 * PARTITIONS).await;
    assert!(member.holds().is_empty());
    // Another comes and goes meanwhile: what moves to it and back is asked for anew.
    let other = Member::join(&log, "persist", committed(0), false).await;
    until("the other has its share", || other.holds().len() == PARTITIONS as usize / 2).await;
    other.leave().await;
    *away.lock().unwrap() = false;
    assert_eq!(member.texts(3).await, ["0", "1", "2"]);
    until("it has all", || member.holds().len() == PARTITIONS as usize).await;
}

async fn what_each_partition_has_is_told_together(place: impl Place) {
    let log = place.open().await;
    append_range(&log, 1, 0..3).await;
    let ranges = log.ranges().await.unwrap();
    let ends: Vec<(u64, u64)> = ranges.iter().map(|r| (r.oldest, r.end)).collect();
    assert_eq!(ends, [(0, 0), (0, 3), (0, 0), (0, 0)]);
    log.retention().await.unwrap();
}

async fn an_entry_reaches_a_member_that_waits_for_it(place: impl Place) {
    let log = place.open().await;
    let mut member = Member::join(&log, "relay", committed(0), false).await;
    until("the member has all partitions", || member.holds().len() == PARTITIONS as usize).await;
    for partition in 0..PARTITIONS {
        let offset = append(&*log, partition, "hello").await;
        assert_eq!(member.next().await, (partition, Entry { offset, payload: payload("hello") }));
    }
}

async fn members_share_the_partitions_and_take_over_from_one_that_leaves(place: impl Place) {
    let log = place.open().await;
    let all: BTreeSet<u32> = (0..PARTITIONS).collect();
    let shared = |a: &Member, b: &Member| {
        let (a, b) = (a.holds(), b.holds());
        a.len() == b.len() && a.is_disjoint(&b) && &a | &b == all
    };
    let mut ada = Member::join(&log, "persist", committed(0), true).await;
    until("one member has all", || ada.holds() == all).await;
    let mut lin = Member::join(&log, "persist", committed(0), true).await;
    until("two members have half each", || shared(&ada, &lin)).await;

    for partition in 0..PARTITIONS {
        append(&*log, partition, "to one of them").await;
    }
    let (mut ada_got, mut lin_got) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..PARTITIONS / 2 {
        ada_got.insert(ada.next().await.0);
        lin_got.insert(lin.next().await.0);
    }
    assert_eq!((ada_got, lin_got), (ada.holds(), lin.holds()), "each from its own partitions");

    ada.leave().await;
    until("the other takes over", || lin.holds() == all).await;
    for partition in 0..PARTITIONS {
        append(&*log, partition, "to the one that stayed").await;
    }
    let mut got = BTreeSet::new();
    while got != all {
        let (partition, entry) = lin.next().await;
        // What was not committed in time may come again; what is new must come.
        if entry.payload == payload("to the one that stayed") {
            got.insert(partition);
        }
    }
}

async fn a_partition_that_was_taken_from_a_slow_member_and_comes_back_is_read(place: impl Place) {
    const MANY: u64 = 12_000;
    let log = place.open().await;
    for partition in 0..PARTITIONS {
        append_many(&log, partition, 0..MANY).await;
    }
    // It takes what it is given, and reads nothing.
    let mut receiver = log.join("slow", at(0)).await.unwrap();
    let mut held = BTreeMap::new();
    while held.len() < PARTITIONS as usize {
        let assigned = timeout(PATIENCE, receiver.recv()).await.unwrap().unwrap();
        held.insert(assigned.partition, assigned);
    }
    until("all its queues are full", || held.values().all(|h| h.entries.len() == 4)).await;
    let other = Member::join(&log, "slow", at(0), false).await;
    until("the other has its share", || other.holds().len() == PARTITIONS as usize / 2).await;
    let moved = other.holds();
    other.leave().await;
    let mut read = BTreeSet::new();
    while read != moved {
        let mut back = timeout(PATIENCE, receiver.recv()).await.expect("it comes back").expect("it is a member");
        let mut next = 0;
        while next < MANY {
            let batch = timeout(PATIENCE, back.entries.recv()).await.expect("it is read").expect("it stays");
            assert_eq!(batch[0].offset, next);
            next += batch.len() as u64;
        }
        read.insert(back.partition);
        // Dropped, it would give up the membership.
        held.insert(back.partition, back);
    }
}

async fn a_member_that_drops_a_partition_gives_up_its_membership(place: impl Place) {
    let log = place.open().await;
    append_range(&log, 0, 0..3).await;
    let mut receiver = log.join("persist", committed(0)).await.unwrap();
    let first = timeout(PATIENCE, receiver.recv()).await.unwrap().unwrap();
    drop(first);
    timeout(PATIENCE, async { while receiver.recv().await.is_some() {} }).await.expect("the receiver closes");
    let mut member = Member::join(&log, "persist", committed(0), false).await;
    assert_eq!(member.texts(3).await, ["0", "1", "2"]);
}

async fn two_groups_do_not_touch(place: impl Place) {
    let log = place.open().await;
    let mut persist = Member::join(&log, "persist", committed(0), true).await;
    append_range(&log, 0, 0..5).await;
    assert_eq!(persist.texts(5).await.len(), 5);
    persist.leave().await;
    let mut relay = Member::join(&log, "relay", committed(0), false).await;
    assert_eq!(relay.texts(5).await, ["0", "1", "2", "3", "4"], "another group's commit is not ours");
}

async fn a_slow_member_is_waited_for_and_then_gets_everything(place: impl Place) {
    const MANY: u64 = 8_000;
    let log = place.open().await;
    let mut expected = append_many(&log, 0, 0..MANY).await;
    let mut receiver = log.join("slow", at(0)).await.unwrap();
    let mut held = BTreeMap::new();
    while held.len() < PARTITIONS as usize {
        let assigned = timeout(PATIENCE, receiver.recv()).await.unwrap().unwrap();
        held.insert(assigned.partition, assigned);
    }
    until("its queue is full", || held[&0].entries.len() == 4).await;

    // Its other partitions go on meanwhile.
    append(&*log, 1, "meanwhile").await;
    let other = timeout(PATIENCE, held.get_mut(&1).unwrap().entries.recv()).await.unwrap().unwrap();
    assert_eq!(other[0].payload, payload("meanwhile"));
    expected.extend(append_many(&log, 0, MANY..MANY + 100).await);
    assert_eq!(held[&0].entries.len(), 4, "no more than 4 batches wait");

    let entries = &mut held.get_mut(&0).unwrap().entries;
    let mut got = Vec::new();
    while got.len() < expected.len() {
        let batch = timeout(PATIENCE, entries.recv()).await.expect("it goes on").expect("it is still ours");
        assert!(batch.len() <= 1_000);
        got.extend(batch);
    }
    assert!(got == expected, "everything, once, in order");
}

async fn reading_begins_at_any_offset_and_refuses_one_that_is_not_there(place: impl Place) {
    let log = place.open().await;
    append_range(&log, 0, 0..10).await;
    for from in [0, 3, 9] {
        let read = log.read(0, from, 4).await.unwrap();
        let offsets: Vec<u64> = read.iter().map(|e| e.offset).collect();
        assert_eq!(offsets, (from..10.min(from + 4)).collect::<Vec<_>>());
    }
    assert_eq!(log.read(0, 10, 4).await.unwrap(), [], "nothing there yet");
    let error = log.read(0, 11, 4).await.unwrap_err();
    assert!(matches!(error, LogError::OutOfRange { partition: 0, offset: 11, .. }), "{error}");
    assert!(log.read(PARTITIONS, 0, 4).await.is_err(), "there is no such partition");
}

async fn the_end_is_the_offset_that_comes_next(place: impl Place) {
    let log = place.open().await;
    assert_eq!(log.partitions(), PARTITIONS);
    assert_eq!(log.end(3).await.unwrap(), 0);
    let offset = append(&*log, 3, "one").await;
    assert_eq!(log.end(3).await.unwrap(), offset + 1);
    assert_eq!(log.end(2).await.unwrap(), 0, "partitions do not touch");
}

async fn an_append_to_a_partition_that_is_not_there_is_not_persisted(place: impl Place) {
    let log = place.open().await;
    append(&*log, 0, "there").await;
    let refused = log.append(PARTITIONS, RoomId::new(), payload("nowhere")).await.unwrap_err();
    assert!(matches!(refused, AppendError::NotPersisted(_)), "{refused}");
}

async fn a_log_that_is_there_says_so(place: impl Place) {
    let log = place.open().await;
    log.check().await.unwrap();
}

async fn a_closed_log_takes_nothing_more(place: impl Place) {
    let log = place.open().await;
    let mut receiver = log.join("persist", committed(0)).await.unwrap();
    let waiting: Vec<_> = (0..100).map(|n| append(&*log, 0, n)).collect();
    let waiting = tokio::time::timeout(PATIENCE, join_all(waiting));
    assert_eq!(waiting.await.unwrap().len(), 100);
    log.close().await;
    assert!(log.append(0, RoomId::new(), payload("late")).await.is_err());
    timeout(PATIENCE, async { while receiver.recv().await.is_some() {} }).await.expect("members are let go");
    log.close().await; // Twice is fine.
}

async fn who_follows_gets_every_entry_from_an_offset_on(place: impl Place) {
    let log = place.open().await;
    append_range(&log, 0, 0..10).await;
    append_range(&log, 2, 0..3).await;
    let mut followed = log.follow(&[(0, 4), (1, 0), (2, 3)]).await.unwrap();
    let mut seen: BTreeMap<u32, Vec<Entry>> = BTreeMap::new();
    while seen.values().map(Vec::len).sum::<usize>() < 6 {
        let next = timeout(PATIENCE, followed.recv()).await.expect("in time").expect("it goes on");
        seen.entry(next.partition).or_default().extend(next.entries);
    }
    assert_eq!(seen.len(), 1, "of the others there is nothing to be seen");
    assert_eq!(seen[&0], log.read(0, 4, 100).await.unwrap());
    for partition in 0..3 {
        let appended = append_many(&log, partition, 100..140).await;
        let mut later = Vec::new();
        while later.len() < appended.len() {
            let next = timeout(PATIENCE, followed.recv()).await.expect("in time").expect("it goes on");
            assert_eq!(next.partition, partition);
            later.extend(next.entries);
        }
        assert_eq!(later, appended);
    }
    append(&*log, 3, "of a partition that nobody follows").await;
    append(&*log, 1, "the end").await;
    let next = timeout(PATIENCE, followed.recv()).await.expect("in time").expect("it goes on");
    assert_eq!((next.partition, next.entries[0].payload.clone()), (1, payload("the end")));
}

async fn who_follows_slowly_gets_everything_all_the_same(place: impl Place) {
    let log = place.open().await;
    let mut followed = log.follow(&[(0, 0)]).await.unwrap();
    let mut appended = Vec::new();
    for round in 0..20 {
        appended.extend(append_many(&log, 0, round * 500..(round + 1) * 500).await);
    }
    let mut seen = Vec::new();
    while seen.len() < appended.len() {
        seen.extend(timeout(PATIENCE, followed.recv()).await.expect("in time").expect("it goes on").entries);
    }
    assert_eq!(seen, appended);
}

async fn who_follows_from_an_offset_that_is_not_there_is_told(place: impl Place) {
    let log = place.open().await;
    append_range(&log, 0, 0..3).await;
    // At once, or by closing.
    if let Ok(mut followed) = log.follow(&[(0, 7)]).await {
        assert_eq!(timeout(PATIENCE, followed.recv()).await.expect("it ends in time"), None);
    }
}
