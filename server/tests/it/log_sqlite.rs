//! The log in a file: what crashes, damage and a second process do to it.

#![allow(clippy::unwrap_used)]

use app::model::RoomId;
use bytes::Bytes;
use server::log::{Log, LogError, sqlite::SqliteLog};
use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};
use tempfile::TempDir;

const DIR: &str = "PARTYLINE_TEST_KILLED_DIR";

async fn append(log: &SqliteLog, text: &str) -> u64 {
    log.append(0, RoomId::new(), Bytes::from(text.to_owned())).await.unwrap()
}

/// The files as a power cut would leave them: the log is open, nothing was checkpointed or closed.
fn crash_image(dir: &Path) -> TempDir {
    let image = tempfile::tempdir().unwrap();
    for name in ["log.db", "log.db-wal"] {
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
    append(&log, "cut short").await;
    let image = crash_image(dir.path());
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
