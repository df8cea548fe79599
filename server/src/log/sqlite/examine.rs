//! Before the log is used: is it ours, is it whole?
//!
//! SQLite notices damage only where it happens to look. A chat that starts on a
//! damaged log would hand out wrong history, or an offset twice, so everything
//! is looked at once: the file's structure, then each entry's checksum and that
//! no offset is missing.

use super::{offset_of, partition_of, place};
use crate::log::LogError;
use futures::TryStreamExt;
use sqlx::{Row, SqliteConnection};
use std::{collections::BTreeMap, path::Path};

/// The form of the tables, kept in the file's `user_version`.
const FORM: i64 = 1;

/// What an examined file holds.
pub(super) struct Found {
    /// Per partition, the offset that comes next.
    pub ends: Vec<u64>,
    /// What each group has committed, by group and partition.
    pub committed: BTreeMap<(String, u32), u64>,
}

pub(super) fn broken(file: &Path, error: &dyn std::fmt::Display) -> LogError {
    LogError::Broken(format!("{}: {error}", file.display()))
}

pub(super) async fn examine(db: &mut SqliteConnection, file: &Path, partitions: u32) -> Result<Found, LogError> {
    prepare(db, file).await?;
    let mut ends = vec![0; partitions.max(1) as usize];
    let mut rows = sqlx::query("select place, checksum, payload from entries order by place").fetch(&mut *db);
    while let Some(row) = rows.try_next().await.map_err(|e| broken(file, &e))? {
        let found: i64 = row.get("place");
        let partition = partition_of(found) as usize;
        if ends.len() <= partition {
            ends.resize(partition + 1, 0);
        }
        if offset_of(found) != ends[partition] {
            let lost = ends[partition];
            return Err(broken(file, &format!("partition {partition} lacks its offset {lost}")));
        }
        verify(found, row.get("checksum"), row.get("payload")).map_err(|e| match e {
            LogError::Broken(detail) => broken(file, &detail),
            other => other,
        })?;
        ends[partition] += 1;
    }
    drop(rows);
    let rows = sqlx::query("select name, partition, next from groups").fetch_all(&mut *db).await;
    let committed = rows.map_err(|e| broken(file, &e))?;
    let committed = committed.iter().filter_map(|row| {
        let partition = u32::try_from(row.get::<i64, _>("partition")).ok()?;
        Some(((row.get("name"), partition), u64::try_from(row.get::<i64, _>("next")).ok()?))
    });
    Ok(Found { ends, committed: committed.collect() })
}

async fn prepare(db: &mut SqliteConnection, file: &Path) -> Result<(), LogError> {
    let check = sqlx::query_scalar::<_, String>("pragma quick_check(1)").fetch_one(&mut *db).await;
    match check.map_err(|e| broken(file, &e))?.as_str() {
        "ok" => {}
        place => return Err(broken(file, &format!("it is damaged: {place}"))),
    }
    let form = sqlx::query_scalar::<_, i64>("pragma user_version").fetch_one(&mut *db).await;
    let form = form.map_err(|e| broken(file, &e))?;
    if form > FORM {
        return Err(broken(file, &format!("it was written by a later version (form {form}, this one knows {FORM})")));
    }
    // `place` is partition and offset in one integer: SQLite's own row id, so entries lie in order and need no index.
    for statement in [
        "create table if not exists entries \
         (place integer primary key, checksum integer not null, payload blob not null) strict",
        "create table if not exists groups \
         (name text not null, partition integer not null, next integer not null, primary key (name, partition)) strict",
        "pragma user_version = 1",
        // Checkpoints reuse the write-ahead log; after a burst it gives the room back.
        "pragma journal_size_limit = 67108864",
    ] {
        sqlx::query(statement).execute(&mut *db).await.map_err(|e| broken(file, &e))?;
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

/// Refuses an entry whose payload is not the one that was written.
pub(super) fn verify(place: i64, written: i64, payload: &[u8]) -> Result<(), LogError> {
    if checksum(payload) == written {
        return Ok(());
    }
    let (partition, offset) = (partition_of(place), offset_of(place));
    Err(LogError::Broken(format!("the entry at partition {partition}, offset {offset} is damaged")))
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
    #[test]
    fn the_checksum_is_the_usual_crc_32() {
        assert_eq!(super::checksum(b"123456789"), 0xcbf4_3926);
    }
}
