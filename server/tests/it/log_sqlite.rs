//! The log in a file: what crashes, damage and a second process do to it.

#![allow(clippy::unwrap_used)]

use crate::support::{PATIENCE, until};
use app::model::RoomId;
use bytes::Bytes;
use server::log::{
    AppendError, Log, LogError, Start, StartAt,
    sqlite::{Keep, SqliteLog},
};
use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};
use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};
use tempfile::TempDir;

const DIR: &str = "PARTYLINE_TEST_KILLED_DIR";

async fn append(log: &SqliteLog, text: &str) -> u64 {
    log.append(0, RoomId::new(), Bytes::from(text.to_owned())).await.unwrap()
}

/// The files as a power cut would leave them: the log is open, nothing was checkpointed or closed.
fn crash_image(dir: &Path) -> TempDir {
    let image = tempfile::tempdir().unwrap();
    for name in ["log.db", "log.db-wal", "log.acknowledged"] {
        std::fs::copy(dir.join(name), image.path().join(name)).unwrap();
    }
    image
}

fn flip_a_bit(file: &Path, needle: &[u8]) {
    let mut bytes = std::fs::read(file).unwrap();
    let at = bytes.windows(needle.len()).position(|w| w == needle).expect("the text is in the file");
    bytes[at] ^= 1;
    std::fs::write(file, bytes).unwrap();
}

async fn refusal(dir: &Path) -> String {
    match SqliteLog::open(dir, 1).await {
        Err(LogError::Broken(text)) => text,
        Err(other) => panic!("refused with {other}"),
        Ok(_) => panic!("opened all the same"),
    }
}

#[tokio::test]
async fn what_is_on_the_disk_when_append_returns_is_enough() {
    let dir = tempfile::tempdir().unwrap();
    let log = SqliteLog::open(dir.path(), 1).await.unwrap();
    for n in 0..20 {
        let offset = append(&log, &format!("entry {n}")).await;
        let after_the_crash = SqliteLog::open(crash_image(dir.path()).path(), 1).await.unwrap();
        assert_eq!(after_the_crash.end(0).await.unwrap(), offset + 1);
    }
}

#[tokio::test]
async fn a_second_process_is_refused_and_told_why() {
    let dir = tempfile::tempdir().unwrap();
    let log = SqliteLog::open(dir.path(), 1).await.unwrap();
    assert!(refusal(dir.path()).await.contains("in use by another process"));
    log.close().await;
    SqliteLog::open(dir.path(), 1).await.expect("once the first is closed");
}

#[tokio::test]
async fn a_torn_end_is_dropped_and_the_log_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let log = SqliteLog::open(dir.path(), 1).await.unwrap();
    append(&log, "whole").await;
    let acknowledged = crash_image(dir.path());
    append(&log, "cut short").await;
    let image = crash_image(dir.path());
    // The crash came before the acknowledgement.
    std::fs::copy(acknowledged.path().join("log.acknowledged"), image.path().join("log.acknowledged")).unwrap();
    let wal = image.path().join("log.db-wal");
    let bytes = std::fs::read(&wal).unwrap();
    std::fs::write(&wal, &bytes[..bytes.len() - 100]).unwrap();

    let log = SqliteLog::open(image.path(), 1).await.unwrap();
    assert_eq!(log.read(0, 0, 10).await.unwrap().len(), 1);
    assert_eq!(append(&log, "again").await, 1);
}

#[tokio::test]
async fn a_flipped_bit_is_found_before_anything_is_served() {
    let dir = tempfile::tempdir().unwrap();
    let log = SqliteLog::open(dir.path(), 1).await.unwrap();
    for text in ["first entry", "second entry", "third entry"] {
        append(&log, text).await;
    }

    // In the write-ahead log, where SQLite by itself would drop all that follows.
    let image = crash_image(dir.path());
    flip_a_bit(&image.path().join("log.db-wal"), b"second entry");
    let text = refusal(image.path()).await;
    assert!(text.contains("log.db-wal: damaged at byte"), "{text}");

    // In the table itself.
    log.close().await;
    flip_a_bit(&dir.path().join("log.db"), b"second entry");
    let text = refusal(dir.path()).await;
    assert!(text.contains("partition 0, offset 1 is damaged"), "{text}");
}

#[tokio::test]
async fn a_file_that_is_something_else_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("log.db"), "a shopping list".repeat(1_000)).unwrap();
    assert!(refusal(dir.path()).await.contains("log.db"));
}

#[tokio::test]
async fn partitions_that_were_there_stay() {
    let dir = tempfile::tempdir().unwrap();
    let log = SqliteLog::open(dir.path(), 4).await.unwrap();
    log.append(3, RoomId::new(), Bytes::from_static(b"kept")).await.unwrap();
    log.close().await;
    assert_eq!(SqliteLog::open(dir.path(), 1).await.unwrap().partitions(), 4);
}

/// Lets a group do everything up to an offset.
async fn commit(log: &SqliteLog, group: &str, next: u64) {
    let start: StartAt = Arc::new(|_| Box::pin(async { Ok(Start::Committed { rewind: 0 }) }));
    let mut assigned = log.join(group, start).await.unwrap();
    let partition = assigned.recv().await.unwrap();
    (partition.commit)(next);
}

async fn oldest(log: &SqliteLog) -> u64 {
    match log.read(0, 0, 1).await {
        Ok(_) => 0,
        Err(LogError::OutOfRange { detail, .. }) => {
            let (_, rest) = detail.split_once("those from ").unwrap();
            rest.split(' ').next().unwrap().parse().unwrap()
        }
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_old_leaves_once_all_groups_have_done_it_and_offsets_go_on() {
    const GROUPS: &[&str] = &["persist", "relay"];
    let (dir, at_once) = (tempfile::tempdir().unwrap(), Keep { time: Duration::ZERO, groups: GROUPS });
    let log = SqliteLog::open_with(dir.path(), 1, at_once).await.unwrap();
    let texts = (0..5_000).map(|n| log.append(0, RoomId::new(), Bytes::from(format!("entry {n}"))));
    assert!(futures::future::join_all(texts).await.into_iter().all(|answer| answer.is_ok()));

    commit(&log, "relay", 5_000).await;
    commit(&log, "persist", 700).await;
    until("what both have done is gone", async || oldest(&log).await == 700).await;
    assert_eq!(log.read(0, 700, 1).await.unwrap()[0].offset, 700);
    commit(&log, "persist", 5_000).await;
    until("all but the newest is gone", async || oldest(&log).await == 4_000).await;

    // Whoever wants what is gone is told; whoever would only like it gets what there is.
    let named: StartAt = Arc::new(|_| Box::pin(async { Ok(Start::At(3_999)) }));
    let mut refused = log.join("persist", named).await.unwrap();
    assert!(tokio::time::timeout(PATIENCE, refused.recv()).await.unwrap().is_none(), "stopped, loudly");
    let rewound: StartAt = Arc::new(|_| Box::pin(async { Ok(Start::Committed { rewind: 2_000 }) }));
    let mut assigned = log.join("relay", rewound).await.unwrap();
    let mut partition = assigned.recv().await.unwrap();
    let first = tokio::time::timeout(PATIENCE, partition.entries.recv()).await.unwrap().unwrap();
    assert_eq!(first[0].offset, 4_000);
    drop((assigned, partition));

    log.close().await;
    let log = SqliteLog::open_with(dir.path(), 1, at_once).await.unwrap();
    assert_eq!((oldest(&log).await, log.end(0).await.unwrap()), (4_000, 5_000));
    assert_eq!(append(&log, "next").await, 5_000);
}

/// Waits until the log has looked after what is old, at a moment when it ended here.
async fn looked_after(dir: &Path, end: i64) {
    let options = SqliteConnectOptions::new().filename(dir.join("log.db")).read_only(true);
    until("the log has looked after what is old", async || {
        let mut db = options.connect().await.unwrap();
        let marked = sqlx::query_scalar::<_, i64>("select count(*) from marks where next = $1").bind(end);
        marked.fetch_one(&mut db).await.unwrap() > 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_young_or_not_done_stays() {
    let dir = tempfile::tempdir().unwrap();
    let log = SqliteLog::open(dir.path(), 1).await.unwrap();
    let texts = (0..1_200).map(|n| log.append(0, RoomId::new(), Bytes::from(format!("entry {n}"))));
    assert!(futures::future::join_all(texts).await.into_iter().all(|answer| answer.is_ok()));
    commit(&log, "persist", 1_200).await;
    log.close().await;

    let week = Keep { time: Duration::from_secs(7 * 24 * 3600), groups: &["persist"] };
    let log = SqliteLog::open_with(dir.path(), 1, week).await.unwrap();
    looked_after(dir.path(), 1_200).await;
    // The next entry is written after that step, by the same task.
    append(&log, "next").await;
    assert_eq!(oldest(&log).await, 0, "it is young");
    log.close().await;

    let nobody_did = Keep { time: Duration::ZERO, groups: &["persist", "relay"] };
    let log = SqliteLog::open_with(dir.path(), 1, nobody_did).await.unwrap();
    looked_after(dir.path(), 1_201).await;
    append(&log, "next").await;
    assert_eq!(oldest(&log).await, 0, "relay never said that it has done anything");
}

#[tokio::test]
async fn a_log_of_the_form_before_is_taken_over() {
    let dir = tempfile::tempdir().unwrap();
    let log = SqliteLog::open(dir.path(), 1).await.unwrap();
    append(&log, "kept").await;
    log.close().await;
    let mut db = SqliteConnectOptions::new().filename(dir.path().join("log.db")).connect().await.unwrap();
    for statement in ["drop table marks", "drop table starts", "pragma user_version = 1"] {
        sqlx::query(statement).execute(&mut db).await.unwrap();
    }
    sqlx::Connection::close(db).await.unwrap();
    std::fs::remove_file(dir.path().join("log.acknowledged")).unwrap();

    let log = SqliteLog::open(dir.path(), 1).await.unwrap();
    assert_eq!(log.read(0, 0, 10).await.unwrap().len(), 1);
    assert_eq!(append(&log, "next").await, 1);
}

#[tokio::test]
async fn a_log_whose_end_is_lost_or_that_is_an_older_one_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let log = SqliteLog::open(dir.path(), 1).await.unwrap();
    append(&log, "first").await;
    let older = crash_image(dir.path());
    append(&log, "second").await;
    let (newer, gone) = (crash_image(dir.path()), crash_image(dir.path()));

    std::fs::copy(newer.path().join("log.acknowledged"), older.path().join("log.acknowledged")).unwrap();
    let text = refusal(older.path()).await;
    assert!(text.contains("ends before offset 1, but entries before 2 were acknowledged"), "{text}");
    std::fs::remove_file(gone.path().join("log.db-wal")).unwrap();
    refusal(gone.path()).await;
    std::fs::remove_file(gone.path().join("log.db")).unwrap();
    let text = refusal(gone.path()).await;
    assert!(text.contains("ends before offset 0, but entries before 2 were acknowledged"), "{text}");
}

/// What the process does that is killed. It says which offsets were acknowledged.
async fn append_until_killed(dir: &Path) {
    let log = Arc::new(SqliteLog::open(dir, 1).await.unwrap());
    let mut senders = tokio::task::JoinSet::new();
    for sender in 0..8 {
        let log = log.clone();
        senders.spawn(async move {
            for n in 0..1_000_000 {
                let text = format!("sender {sender}, message {n}");
                let offset = append(&log, &text).await;
                println!("acknowledged {offset} {text}");
            }
        });
    }
    senders.join_next().await;
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    // It starts itself again, to be the one that is killed.
    if let Some(dir) = std::env::var_os(DIR) {
        return append_until_killed(Path::new(&dir)).await;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = Vec::new();
    for round in 1..=10 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "log_sqlite::nothing_acknowledged_is_lost_when_the_process_is_killed", "--nocapture"])
            .env(DIR, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // Killed at another place of the transaction each time.
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut heard = 0;
        while heard < round * 17 {
            let line = lines.next().expect("it goes on").unwrap();
            if let Some((_, said)) = line.split_once("acknowledged ") {
                acknowledged.push(said.to_owned());
                heard += 1;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What it had said before it died counts as well; its last line may be cut short.
        let mut rest: Vec<String> = lines.map_while(Result::ok).collect();
        rest.pop();
        acknowledged.extend(rest.iter().filter_map(|line| Some(line.split_once("acknowledged ")?.1.to_owned())));

        let log = SqliteLog::open(dir.path(), 1).await.unwrap();
        let (mut kept, end) = (Vec::new(), log.end(0).await.unwrap());
        while (kept.len() as u64) < end {
            kept.extend(log.read(0, kept.len() as u64, 1_000).await.unwrap());
        }
        for said in &acknowledged {
            let (offset, text) = said.split_once(' ').unwrap();
            assert_eq!(kept[offset.parse::<usize>().unwrap()].payload, text.as_bytes(), "round {round}");
        }
        log.close().await;
    }
}

const FAILING: &str = "PARTYLINE_TEST_FAILING_DISK_DIR";

/// What the process does whose disk fails. It says what became of each entry.
async fn append_on_a_failing_disk(dir: &Path) {
    let log = SqliteLog::open(dir, 1).await.unwrap();
    println!("opened");
    for n in 0..60 {
        let text = format!("message {n}");
        match log.append(0, RoomId::new(), Bytes::from(text.clone())).await {
            Ok(offset) => println!("acknowledged {offset} {text}"),
            Err(AppendError::Unknown(why) | AppendError::NotPersisted(why)) => println!("refused {text}: {why}"),
            Err(AppendError::Full) => panic!("it is not full"),
        }
    }
    println!("the end");
    std::process::abort();
}

/// Lets the disk refuse to sync from the n-th time on, so many times, counted for each thread; what the process said.
fn with_failing_syncs(dir: &Path, when: &str) -> Vec<String> {
    let mut child = Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync"])
        .arg("-e")
        .arg(format!("inject=fsync,fdatasync:error=EIO:when={when}"))
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "log_sqlite::a_sync_that_failed_is_followed_by_no_acknowledgement", "--nocapture"])
        .env(FAILING, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("strace is there: `apt-get install strace`");
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let said: Vec<String> = lines.skip_while(|line| !line.ends_with("opened")).collect();
    child.wait().unwrap();
    assert_eq!(said.last().map(String::as_str), Some("the end"), "{said:?}");
    said
}

#[tokio::test]
async fn a_sync_that_failed_is_followed_by_no_acknowledgement() {
    if let Some(dir) = std::env::var_os(FAILING) {
        return append_on_a_failing_disk(Path::new(&dir)).await;
    }
    // For ever, and for a while: then the log makes sure of its file and goes on.
    for (when, goes_on) in [("20+", false), ("20..24", true), ("21..21", true)] {
        let dir = tempfile::tempdir().unwrap();
        let said = with_failing_syncs(dir.path(), when);
        let acknowledged: Vec<&str> = said.iter().filter_map(|line| line.strip_prefix("acknowledged ")).collect();
        let failed = said.iter().position(|line| line.starts_with("refused")).expect("a sync failed");
        let after = said[failed..].iter().filter(|line| line.starts_with("acknowledged")).count();
        assert!(failed > 3, "it worked at first: {said:?}");
        assert_eq!(after > 0, goes_on, "{when}: {said:?}");

        let log = SqliteLog::open(dir.path(), 1).await.unwrap();
        let kept = log.read(0, 0, 1_000).await.unwrap();
        for said in &acknowledged {
            let (offset, text) = said.split_once(' ').unwrap();
            assert_eq!(kept[offset.parse::<usize>().unwrap()].payload, text.as_bytes(), "{when}");
        }
        println!(
            "{when}: {} acknowledged, {} refused, {} kept",
            acknowledged.len(),
            said.len() - acknowledged.len() - 2,
            kept.len()
        );
    }
}
