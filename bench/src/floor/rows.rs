//! Persisting without a chat: the rows that a store has, put once more into like tables by a loop that does nothing else.
//! A thousand records a transaction; Partyline takes a batch more where it is far behind.

use super::commit;
use crate::{
    database,
    report::{self, Report},
};
use anyhow::{Context, Result};
use rusqlite::{Connection, OpenFlags, params_from_iter, types::Value};
use std::{fmt::Write, path::Path, time::Instant};

/// Records of one transaction.
const BATCH: usize = 1_000;
/// Rows of one statement of SQLite's: as many as Partyline's (`server/src/store/sqlite/bulk.rs`).
const ROWS: usize = 256;
/// What its writer sets (`server/src/store/sqlite.rs`).
const SETTINGS: &str = "pragma cache_size = -16384; pragma wal_autocheckpoint = 2048;";

/// Rows of a table in the order in which they were put there.
struct Table {
    into: &'static str,
    columns: usize,
    rows: Vec<Vec<Value>>,
}

/// The messages of a `store.db` that no node has open, with their events and terms, into a file beside. `records`: how
/// many messages it must have.
///
/// # Errors
/// If it has others, or cannot be read.
pub fn sqlite(store: &Path, records: u64, scenario: &str) -> Result<Report> {
    let from = Connection::open_with_flags(store, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let newest = format!("from messages order by epoch desc, offset_no desc limit {records}");
    let tables = [
        Table {
            into: "messages (room, id, epoch, offset_no, author, body, sent_at, deleted, reply_to, place)",
            columns: 10,
            rows: read(
                &from,
                &format!("select room, id, epoch, offset_no, author, body, sent_at, deleted, reply_to, place {newest}"),
            )?,
        },
        Table {
            into: "message_terms (rowid, terms)",
            columns: 2,
            rows: read(&from, &format!("select place, room, author, body {newest}"))?.into_iter().map(terms).collect(),
        },
        Table {
            into: "events (room, epoch, offset_no, kind, message, body, digest)",
            columns: 7,
            rows: read(
                &from,
                &format!(
                    "select room, epoch, offset_no, kind, message, body, digest from events
                     where kind = 'message_posted' order by epoch desc, offset_no desc limit {records}"
                ),
            )?,
        },
    ];
    let folder = tempfile::tempdir()?;
    let db = commit::open(&folder.path().join("store.db"))?;
    db.execute_batch(SETTINGS)?;
    let mut schema = from.prepare(
        "select sql from sqlite_schema where sql is not null and name not like 'message_terms_%'
           and tbl_name in ('messages', 'events', 'message_terms') and type in ('table', 'index') order by rowid",
    )?;
    let schema: Vec<String> = schema.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    db.execute_batch(&schema.join(";\n"))?;
    let began = Instant::now();
    for batch in 0..tables[0].rows.len().div_ceil(BATCH) {
        db.execute_batch("begin immediate")?;
        for Table { into, columns, rows } in &tables {
            let rows = &rows[(batch * BATCH).min(rows.len())..((batch + 1) * BATCH).min(rows.len())];
            for rows in rows.chunks(ROWS) {
                let row = format!("({})", vec!["?"; *columns].join(", "));
                let mut insert =
                    db.prepare(&format!("insert into {into} values {}", vec![row; rows.len()].join(", ")))?;
                insert.execute(params_from_iter(rows.iter().flatten()))?;
            }
        }
        db.execute_batch("commit")?;
    }
    let seconds = began.elapsed().as_secs_f64();
    Ok(done("floor: the same rows into like tables of SQLite", scenario, tables[0].rows.len() as u64, seconds))
}

/// In ascending order: what is read begins with the newest.
fn read(db: &Connection, query: &str) -> Result<Vec<Vec<Value>>> {
    let mut query = db.prepare(query)?;
    let columns = query.column_count();
    let rows = query.query_map([], |row| (0..columns).map(|i| row.get(i)).collect())?;
    let mut rows: Vec<Vec<Value>> = rows.collect::<Result<_, _>>()?;
    rows.reverse();
    Ok(rows)
}

/// Place, room, author, text, as the index keeps them: its terms are not given back, so they are made of the text.
fn terms(row: Vec<Value>) -> Vec<Value> {
    let [place, room, author, body] = <[Value; 4]>::try_from(row).expect("four columns were asked for");
    let short = |id: &Value| match id {
        Value::Blob(id) => id.iter().skip(11).fold(String::new(), |text, byte| format!("{text}{byte:02x}")),
        _ => String::new(),
    };
    let Value::Text(body) = body else { return vec![place, Value::Null] };
    let words = body.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let mut line = format!("#{} @{}", short(&room), short(&author));
    for word in words {
        let _ = write!(line, " {}", word[..word.len().min(64)].to_ascii_lowercase());
    }
    vec![place, Value::Text(line)]
}

/// The messages of a database, with their events, into like tables there, by `COPY`.
///
/// # Errors
/// If the database refuses.
pub fn postgres(address: &str, records: u64, scenario: &str) -> Result<Report> {
    database::script(
        address,
        "create schema bare;
         create table bare.messages (like messages including all);
         create table bare.events (like events including all);",
    )?;
    let newest = |table: &str, only: &str| {
        let query = format!("select * from {table} {only} order by epoch desc, offset_no desc limit {records}");
        database::psql(address, &format!("copy ({query}) to stdout;"))
    };
    let messages = newest("messages", "")?;
    let events = newest("events", "where kind = 'message_posted'")?;
    let (messages, events): (Vec<&str>, Vec<&str>) = (messages.lines().collect(), events.lines().collect());
    let mut script = String::new();
    for batch in 0..messages.len().div_ceil(BATCH) {
        script.push_str("begin;\n");
        for (table, rows) in [("messages", &messages), ("events", &events)] {
            let rows = &rows[(batch * BATCH).min(rows.len())..((batch + 1) * BATCH).min(rows.len())];
            let _ = writeln!(script, "copy bare.{table} from stdin;\n{}\n\\.", rows.join("\n"));
        }
        script.push_str("commit;\n");
    }
    let began = Instant::now();
    database::script(address, &script)?;
    let seconds = began.elapsed().as_secs_f64();
    let copied = database::psql(address, "select count(*) from bare.messages")?;
    let copied = copied.trim().parse().context("a number of rows")?;
    Ok(done("floor: the same rows into like tables of PostgreSQL by COPY", scenario, copied, seconds))
}

fn done(label: &str, scenario: &str, records: u64, seconds: f64) -> Report {
    let mut report = report::base(label, scenario);
    report.num("records_per_s", records as f64 / seconds);
    report
}
