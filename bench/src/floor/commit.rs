//! Durable publishing without a chat: rows like the log's, committed and synced in groups, by one thread that does nothing
//! else.

use super::RECORD_BYTES;
use crate::report::{self, Report};
use anyhow::Result;
use rusqlite::{Connection, params_from_iter, types::Value};
use std::{path::Path, time::Instant};

/// Sixty-four who wait for their acknowledgement are in one commit, at best.
const ROWS: usize = 64;

/// Opens a file as Partyline's log and store do.
///
/// # Errors
/// If SQLite cannot.
pub fn open(file: &Path) -> Result<Connection> {
    let db = Connection::open(file)?;
    db.execute_batch(
        "pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = off;
         pragma journal_size_limit = 67108864;",
    )?;
    Ok(db)
}

/// Rows a second for `seconds`, in a file of its own in the folder for temporary files, where Partyline's log is too.
///
/// # Errors
/// If the disk cannot.
pub fn measure(seconds: f64, scenario: &str) -> Result<Report> {
    let folder = tempfile::tempdir()?;
    let db = open(&folder.path().join("log.db"))?;
    // As in server/src/log/sqlite/examine.rs.
    db.execute_batch(
        "create table entries (place integer primary key, checksum integer not null, payload blob not null) strict",
    )?;
    let values = vec!["(?, ?, ?)"; ROWS].join(", ");
    let mut insert = db.prepare(&format!("insert into entries (place, checksum, payload) values {values}"))?;
    let payload = vec![b'x'; RECORD_BYTES];
    let (began, mut place) = (Instant::now(), 0_i64);
    while began.elapsed().as_secs_f64() < seconds {
        let rows = (place..).take(ROWS).flat_map(|place| {
            [Value::Integer(place), Value::Integer(place * 7919 % 0xffff_ffff), Value::Blob(payload.clone())]
        });
        db.execute_batch("begin immediate")?;
        insert.execute(params_from_iter(rows))?;
        db.execute_batch("commit")?;
        place += ROWS as i64;
    }
    let mut report = report::base("floor: SQLite alone, 64 rows a synced commit", scenario);
    report.num("acks_per_s", place as f64 / began.elapsed().as_secs_f64());
    Ok(report)
}
