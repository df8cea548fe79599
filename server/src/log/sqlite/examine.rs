//! Before the log is used: is it ours, is it whole?
//!
//! SQLite notices damage only where it happens to look. A chat that starts on a
//! damaged log would hand out wrong history, or an offset twice. So the newest
//! entries are looked at before anything is served, up to a number that takes
//! about a second; of a log that is longer, the rest is looked at while it
//! serves ([`examine_rest`]).

use super::{Shared, acknowledged::MAX_PARTITIONS, offset_of, partition_of, place};
use crate::log::{BATCH_ENTRIES, LogError};
use futures::TryStreamExt;
use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};
use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

/// The form of the tables, kept in the file's `user_version`.
const FORM: i64 = 2;
/// What a file of this form has, by name, as SQLite keeps it.
const TABLES: [(&str, &str); 4] = [
    // `place` is partition and offset in one integer: SQLite's own row id, so entries lie in order and need no index.
    ("entries", "entries (place integer primary key, checksum integer not null, payload blob not null) strict"),
    (
        "groups",
        "groups (name text not null, partition integer not null, next integer not null, primary key (name, partition)) \
         strict",
    ),
    ("marks", "marks (partition integer not null, at integer not null, next integer not null) strict"),
    ("starts", "starts (partition integer primary key, first integer not null) strict"),
];
/// So many entries are examined before the log is used: about a second's work in a development build.
const AT_OPEN: u64 = 50_000;
/// The rest is read in pieces, with a pause after each: those who use the log come first.
const PAUSE: Duration = Duration::from_millis(20);

/// What an examined file holds.
pub(super) struct Found {
    /// Of each partition.
    pub spans: Vec<Span>,
    /// What each group has committed, by group and partition.
    pub committed: BTreeMap<(String, u32), u64>,
}

/// A partition's entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    /// The oldest that is kept.
    pub first: u64,
    /// Those from here on have been examined.
    pub examined: u64,
    /// The offset that comes next.
    pub next: u64,
}

pub(super) fn broken(file: &Path, error: &dyn std::fmt::Display) -> LogError {
    LogError::Broken(format!("{}: {error}", file.display()))
}

pub(super) async fn examine(db: &mut SqliteConnection, file: &Path, partitions: u32) -> Result<Found, LogError> {
    examine_up_to(db, file, partitions, AT_OPEN).await
}

async fn examine_up_to(
    db: &mut SqliteConnection,
    file: &Path,
    partitions: u32,
    at_open: u64,
) -> Result<Found, LogError> {
    let named = |e: sqlx::Error| broken(file, &e);
    prepare(db, file).await?;
    let mut spans = spans(db, file, partitions).await?;
    if spans.iter().map(|span| span.next - span.first).sum::<u64>() <= at_open {
        structure(db).await.map_err(|e| broken(file, &e))?;
    }
    let each = at_open / spans.len() as u64;
    for (partition, span) in (0..).zip(&mut spans) {
        span.examined = span.next.saturating_sub(each).max(span.first);
        let mut expected = span.examined;
        let rows =
            sqlx::query("select place, checksum, payload from entries where place >= ? and place < ? order by place");
        let mut rows = rows.bind(place(partition, expected)).bind(place(partition + 1, 0)).fetch(&mut *db);
        while let Some(row) = rows.try_next().await.map_err(named)? {
            follows(&row, expected).map_err(|e| broken(file, &e))?;
            expected += 1;
        }
        if expected != span.next {
            return Err(broken(file, &lacks(partition, expected)));
        }
    }
    let rows = sqlx::query("select name, partition, next from groups").fetch_all(&mut *db).await.map_err(named)?;
    let mut committed = BTreeMap::new();
    for row in rows {
        let (name, partition, next) = group(&row).map_err(named)?;
        match spans.get(partition as usize) {
            Some(span) if next <= span.next => committed.insert((name, partition), next),
            _ => return Err(broken(file, &format!("group {name} is at offset {next} of partition {partition}"))),
        };
    }
    Ok(Found { spans, committed })
}

fn group(row: &SqliteRow) -> Result<(String, u32, u64), sqlx::Error> {
    Ok((row.try_get("name")?, row.try_get("partition")?, row.try_get::<i64, _>("next")?.cast_unsigned()))
}

/// The tables are those of this form. Only a new file gets them; of a file that has some, none may be missing: made
/// anew, it would be empty.
async fn prepare(db: &mut SqliteConnection, file: &Path) -> Result<(), LogError> {
    let named = |e: sqlx::Error| broken(file, &e);
    let form: i64 = sqlx::query_scalar("pragma user_version").fetch_one(&mut *db).await.map_err(named)?;
    if form > FORM {
        return Err(broken(file, &format!("it was written by a later version (form {form}, this one knows {FORM})")));
    }
    let there = sqlx::query("select name, sql from sqlite_schema where type <> 'index'").fetch_all(&mut *db).await;
    let mut tables = BTreeMap::new();
    for row in there.map_err(named)? {
        let (name, sql): (String, String) = (row.try_get("name").map_err(named)?, row.try_get("sql").map_err(named)?);
        tables.insert(name, sql);
    }
    let known_before = match form {
        _ if tables.is_empty() => 0,
        1 => 2,
        _ => TABLES.len(),
    };
    for (name, definition) in &TABLES[..known_before] {
        if tables.get(*name).is_none_or(|sql| *sql != format!("CREATE TABLE {definition}")) {
            return Err(broken(file, &format!("it is damaged: its table {name} is not as it was made")));
        }
    }
    if form < FORM {
        for (_, definition) in &TABLES[known_before..] {
            let create = sqlx::AssertSqlSafe(format!("create table if not exists {definition}"));
            sqlx::query(create).execute(&mut *db).await.map_err(named)?;
        }
    }
    // Always: a file that can only be read is found out now.
    sqlx::query("pragma user_version = 2").execute(&mut *db).await.map_err(named)?;
    // Checkpoints reuse the write-ahead log; after a burst it gives the room back.
    sqlx::query("pragma journal_size_limit = 67108864").execute(&mut *db).await.map_err(named)?;
    Ok(())
}

/// From where to where each partition goes.
async fn spans(db: &mut SqliteConnection, file: &Path, partitions: u32) -> Result<Vec<Span>, LogError> {
    let named = |e: sqlx::Error| broken(file, &e);
    let mut starts = BTreeMap::new();
    for row in sqlx::query("select partition, first from starts").fetch_all(&mut *db).await.map_err(named)? {
        let (partition, first): (u32, i64) =
            (row.try_get("partition").map_err(named)?, row.try_get("first").map_err(named)?);
        starts.insert(partition, first.cast_unsigned());
    }
    let edges = sqlx::query_as("select (select min(place) from entries), (select max(place) from entries)");
    let (lowest, highest): (Option<i64>, Option<i64>) = edges.fetch_one(&mut *db).await.map_err(named)?;
    let count = highest.map_or(0, |place| (place >> super::OFFSET_BITS) + 1).max(i64::from(partitions.max(1)));
    if lowest.is_some_and(|place| place < 0) || count > MAX_PARTITIONS as i64 {
        return Err(broken(file, &"it is damaged: it has an entry at a place that cannot be"));
    }
    let mut spans = Vec::new();
    for partition in 0..u32::try_from(count).expect("checked above") {
        let next = end_of(db, partition).await.map_err(named)?;
        let oldest: Option<i64> = sqlx::query_scalar("select min(place) from entries where place >= ? and place < ?")
            .bind(place(partition, 0))
            .bind(place(partition + 1, 0))
            .fetch_one(&mut *db)
            .await
            .map_err(named)?;
        let first = starts.remove(&partition).unwrap_or(0);
        // Retention leaves the newest in every partition: one that has begun later than at 0 is never empty.
        if oldest.map_or(0, offset_of) != first {
            return Err(broken(file, &lacks(partition, first)));
        }
        spans.push(Span { first, examined: next, next });
    }
    Ok(spans)
}

/// The file's own structure, page by page.
async fn structure(db: &mut SqliteConnection) -> Result<(), String> {
    let check = sqlx::query_scalar::<_, String>("pragma quick_check(1)").fetch_one(db).await;
    match check.map_err(|e| e.to_string())?.as_str() {
        "ok" => Ok(()),
        place => Err(format!("it is damaged: {place}")),
    }
}

/// Examines what was left out at the start; what it finds is kept in [`Shared::damage`].
pub(super) async fn examine_rest(shared: Arc<Shared>, spans: Vec<Span>) {
    if spans.iter().all(|span| span.examined == span.first) {
        return;
    }
    match rest(&shared, &spans).await {
        Ok(()) => tracing::info!("the older part of the log was examined and is whole"),
        Err(LogError::Broken(place)) => {
            tracing::error!(place, "the log is damaged; what it takes from now on is not");
            let _ = shared.damage.set(place);
        }
        Err(error) => tracing::warn!(%error, "the older part of the log was not examined"),
    }
}

async fn rest(shared: &Shared, spans: &[Span]) -> Result<(), LogError> {
    let mut reader = shared.readers.acquire().await.map_err(|e| LogError::Unavailable(e.to_string()))?;
    structure(&mut reader).await.map_err(LogError::Broken)?;
    drop(reader);
    for (partition, span) in (0..).zip(spans) {
        let mut from = span.first;
        while from < span.examined {
            match shared.read(partition, from, BATCH_ENTRIES).await {
                Ok(batch) => from += batch.len().max(1) as u64,
                // Retention was here first.
                Err(LogError::OutOfRange { .. }) => from = shared.first(partition)?,
                Err(e) => return Err(e),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(())
}

/// The offset that comes next in a partition, from the table.
pub(super) async fn end_of(db: &mut SqliteConnection, partition: u32) -> Result<u64, sqlx::Error> {
    let last: Option<i64> = sqlx::query_scalar("select max(place) from entries where place >= ? and place < ?")
        .bind(place(partition, 0))
        .bind(place(partition + 1, 0))
        .fetch_one(db)
        .await?;
    Ok(last.map_or(0, |last| offset_of(last) + 1))
}

/// The payload of a row that has this offset, if it is the one that was written.
pub(super) fn follows(row: &SqliteRow, expected: u64) -> Result<Vec<u8>, String> {
    let found: i64 = row.try_get("place").map_err(|e| e.to_string())?;
    let (partition, offset) = (partition_of(found), offset_of(found));
    if offset != expected {
        return Err(lacks(partition, expected));
    }
    let written: Result<(i64, Vec<u8>), sqlx::Error> =
        row.try_get("checksum").and_then(|sum| Ok((sum, row.try_get("payload")?)));
    match written {
        Ok((sum, payload)) if checksum(&payload) == sum => Ok(payload),
        _ => Err(format!("the entry at partition {partition}, offset {offset} is damaged")),
    }
}

fn lacks(partition: u32, offset: u64) -> String {
    format!("partition {partition} lacks its offset {offset}")
}

/// CRC-32 (IEEE 802.3): finds each flipped bit and each burst of up to 32.
pub(super) fn checksum(payload: &[u8]) -> i64 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut i = 0;
        while i < 256 {
            let mut c = i as u32;
            let mut bit = 0;
            while bit < 8 {
                c = if c & 1 == 1 { 0xedb8_8320 ^ (c >> 1) } else { c >> 1 };
                bit += 1;
            }
            table[i] = c;
            i += 1;
        }
        table
    };
    let crc = payload.iter().fold(!0u32, |crc, byte| TABLE[((crc ^ u32::from(*byte)) & 0xff) as usize] ^ (crc >> 8));
    i64::from(!crc)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::log::{Log, sqlite::SqliteLog};
    use app::model::RoomId;
    use sqlx::{ConnectOptions, SqlitePool, sqlite::SqliteConnectOptions};
    use std::sync::{OnceLock, atomic::AtomicU64};
    use tokio::sync::watch;

    #[test]
    fn the_checksum_is_the_usual_crc_32() {
        assert_eq!(checksum(b"123456789"), 0xcbf4_3926);
    }

    #[tokio::test]
    async fn of_a_long_log_the_newest_is_examined_first_and_the_rest_while_it_serves() {
        let dir = tempfile::tempdir().unwrap();
        let log = SqliteLog::open(dir.path(), 1).await.unwrap();
        for n in 0..20 {
            log.append(0, RoomId::new(), format!("entry {n}").into()).await.unwrap();
        }
        log.close().await;
        let file = dir.path().join(crate::log::sqlite::FILE);
        let options = SqliteConnectOptions::new().filename(&file);
        let mut db = options.connect().await.unwrap();
        sqlx::query("update entries set payload = 'x' where place = 12").execute(&mut db).await.unwrap_err();
        sqlx::query("update entries set payload = x'78' where place = 12").execute(&mut db).await.unwrap();

        assert!(examine_up_to(&mut db, &file, 1, 8).await.is_err_and(|e| e.to_string().contains("offset 12")));
        let found = examine_up_to(&mut db, &file, 1, 7).await.unwrap();
        assert_eq!(found.spans, [Span { first: 0, examined: 13, next: 20 }]);
        let shared = Arc::new(Shared {
            readers: SqlitePool::connect_lazy_with(options),
            latest: super::super::Latest::new(1),
            ends: vec![watch::Sender::new(20)],
            firsts: vec![AtomicU64::new(0)],
            groups: super::super::Groups::new(1, Default::default()),
            damage: OnceLock::new(),
        });
        examine_rest(shared.clone(), found.spans).await;
        let damage = shared.damage.get().unwrap();
        assert!(damage.contains("partition 0, offset 12 is damaged"), "{damage}");
    }
}
