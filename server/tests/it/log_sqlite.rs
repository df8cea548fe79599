//! The log in a file: what crashes, damage and a second process do to it.

#![allow(clippy::unwrap_used)]

use app::model::RoomId;
use bytes::Bytes;
use server::log::{Log, LogError, sqlite::SqliteLog};
use std::path::Path;
use tempfile::TempDir;

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
