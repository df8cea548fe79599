//! The log's files, cut at every byte and with every byte damaged: it serves all that was acknowledged, or it refuses
//! and says where. Never less in silence.

#![allow(clippy::unwrap_used)]

use crate::support::{PATIENCE, small_folder};
use app::model::RoomId;
use bytes::Bytes;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use server::log::{Log, LogError, sqlite::SqliteLog};
use sqlx::{
    ConnectOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode},
};
use std::{collections::BTreeMap, path::Path};
use tempfile::TempDir;

const DATABASE: &str = "log.db";
const WAL: &str = "log.db-wal";
const NOTE: &str = "log.acknowledged";

/// A folder's files.
type Image = BTreeMap<&'static str, Vec<u8>>;

fn image(dir: &Path) -> Image {
    let files = [DATABASE, WAL, NOTE].into_iter();
    files.filter_map(|name| Some((name, std::fs::read(dir.join(name)).ok()?))).collect()
}

fn text(n: u64) -> String {
    format!("entry number {n}")
}

/// A log whose file has small pages, so that every byte of it can be tried.
async fn small_log() -> (TempDir, SqliteLog) {
    let dir = small_folder();
    let options = SqliteConnectOptions::new().filename(dir.path().join(DATABASE)).create_if_missing(true);
    let made = options.page_size(512).journal_mode(SqliteJournalMode::Wal).connect().await.unwrap();
    sqlx::Connection::close(made).await.unwrap();
    let log = SqliteLog::open(dir.path(), 1).await.unwrap();
    (dir, log)
}

async fn append(log: &SqliteLog, range: std::ops::Range<u64>) {
    for n in range {
        assert_eq!(log.append(0, RoomId::new(), Bytes::from(text(n))).await.unwrap(), n);
    }
}

/// How many entries the log serves from these files; `Err`: why it refuses.
async fn serves(image: &Image) -> Result<u64, String> {
    let dir = small_folder();
    for (name, bytes) in image {
        std::fs::write(dir.path().join(name), bytes).unwrap();
    }
    let opened = tokio::time::timeout(PATIENCE, SqliteLog::open(dir.path(), 1)).await.expect("it opens or refuses");
    let log = match opened {
        Ok(log) => log,
        Err(LogError::Broken(text)) => return Err(text),
        Err(other) => panic!("refused with {other}"),
    };
    let (mut entries, end) = (Vec::new(), log.end(0).await.unwrap());
    while (entries.len() as u64) < end {
        entries.extend(log.read(0, entries.len() as u64, 1_000).await.unwrap());
    }
    for (n, entry) in (0..).zip(&entries) {
        assert_eq!((entry.offset, &entry.payload[..]), (n, text(n).as_bytes()), "what it serves is what was written");
    }
    append(&log, end..end + 1).await;
    log.close().await;
    Ok(end)
}

async fn judge(damaged: &Image, acknowledged: u64, what: &str) -> bool {
    match serves(damaged).await {
        Ok(served) => {
            assert!(served >= acknowledged, "{what}: serves {served} of {acknowledged} acknowledged entries");
            true
        }
        Err(text) => {
            assert!(text.contains(DATABASE), "{what}: refused without naming the place: {text}");
            false
        }
    }
}

#[tokio::test]
async fn cut_at_any_byte_it_has_all_that_was_acknowledged_or_refuses() {
    let (dir, log) = small_log().await;
    append(&log, 0..4).await;
    let acknowledged = image(dir.path());
    append(&log, 4..5).await;
    // The crash came in the middle of the fifth entry, which nobody was told of.
    let mut crashed = image(dir.path());
    crashed.insert(NOTE, acknowledged[NOTE].clone());
    let (whole, all) = (acknowledged[WAL].len(), crashed[WAL].len());
    assert!(all > whole, "the fifth is at the end");
    for length in (0..whole - 1_200).step_by(23).chain(whole - 1_200..=all) {
        let mut cut = crashed.clone();
        cut.get_mut(WAL).unwrap().truncate(length);
        let served = serves(&cut).await;
        match length {
            _ if length == all => assert_eq!(served, Ok(5)),
            _ if length >= whole => assert_eq!(served, Ok(4), "cut at {length} of {whole} to {all}"),
            _ => {
                let text = served.expect_err("what is lost was acknowledged");
                assert!(text.contains(DATABASE), "{text}");
            }
        }
    }

    log.close().await;
    let closed = image(dir.path());
    for length in (0..closed[DATABASE].len()).step_by(5).chain(closed[DATABASE].len() - 40..closed[DATABASE].len()) {
        let mut cut = closed.clone();
        cut.get_mut(DATABASE).unwrap().truncate(length);
        assert!(!judge(&cut, 5, &format!("{DATABASE} cut at {length}")).await);
    }
}

#[tokio::test]
async fn with_any_byte_damaged_it_has_all_that_was_acknowledged_or_refuses() {
    let (dir, log) = small_log().await;
    append(&log, 0..6).await;
    let crashed = image(dir.path());
    log.close().await;
    let closed = image(dir.path());
    let seed = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    // Most of what is in the table's file is empty: of that every byte only when asked for.
    let thorough = std::env::var_os("PARTYLINE_TEST_EVERY_BYTE").is_some();
    for (image, name) in [(&crashed, WAL), (&crashed, DATABASE), (&closed, DATABASE), (&closed, NOTE)] {
        let (mut refused, mut harmless) = (0, 0);
        for at in 0..image[name].len().min(12 * 1024) {
            if name != WAL && !thorough && !random.random_bool(0.25) {
                continue;
            }
            let bit = random.random_range(0..8);
            let mut damaged = image.clone();
            damaged.get_mut(name).unwrap()[at] ^= 1 << bit;
            match judge(&damaged, 6, &format!("{name}, byte {at} bit {bit}")).await {
                true => harmless += 1,
                false => refused += 1,
            }
        }
        println!("{name}: refused {refused}, harmless {harmless}");
    }
}

#[tokio::test]
async fn a_bigger_file_is_judged_alike() {
    const MANY: u64 = 2_000;
    let dir = small_folder();
    let log = SqliteLog::open(dir.path(), 1).await.unwrap();
    append(&log, 0..MANY).await;
    let crashed = image(dir.path());
    log.close().await;
    let closed = image(dir.path());
    let seed = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    for (image, name) in [(&crashed, WAL), (&closed, DATABASE)] {
        for _ in 0..60 {
            let at = random.random_range(0..image[name].len());
            let length = random.random_range(1..600.min(image[name].len() - at + 1));
            let mut damaged = image.clone();
            // A sector that has become something else.
            random.fill(&mut damaged.get_mut(name).unwrap()[at..at + length]);
            judge(&damaged, MANY, &format!("{name}, {length} bytes from {at} on")).await;
        }
    }
}
