//! Puts messages straight into a store that no node has open: ten million of them would take hours over HTTP.
//!
//! They stand in generation 0 of the log, which is before every log that is there: the store's progress and the log
//! agree as before, and nobody misses in the log what is only here. The rows are those that a fold writes: the message, its
//! terms, and its event in the archive; but no chain over these, so that an audit would object.

use super::text::{id, sent_at, text};
use crate::{database, floor::commit};
use anyhow::Result;
use rusqlite::params;
use serde_json::json;
use std::{fmt::Write, path::Path};
use uuid::Uuid;

/// Whose messages, and where.
pub(super) struct Whose {
    pub(super) room: Uuid,
    pub(super) author: Uuid,
    pub(super) username: String,
    /// When the first was sent, in ms since 1970.
    pub(super) first_at: i64,
    /// The partition of the room.
    pub(super) partition: i64,
}

impl Whose {
    /// The event as the archive has it.
    fn event(&self, n: u64, text: &str) -> String {
        let author = json!({
            "id": self.author, "username": self.username, "display_name": self.username, "guest": false, "admin": false
        });
        let message = json!({
            "id": id(n), "at": format!("0.{n}"), "author": author, "body": text, "sent_at": sent_at(n, self.first_at),
            "edited_at": null, "deleted": false, "reply_to": null, "reactions": []
        });
        json!({"kind": "message_posted", "message": message}).to_string()
    }

    /// As in server/src/store/search.rs: what all messages of the room, and of the author, have in common.
    fn terms_of_all(&self) -> [String; 2] {
        let short = |id: Uuid| format!("{:010x}", id.as_u128() & 0xff_ffff_ffff);
        [format!("#{}", short(self.room)), format!("@{}", short(self.author))]
    }
}

/// Of one transaction.
const BATCH: u64 = 50_000;

/// Messages `from` to `to`, both included, into a `store.db`.
///
/// # Errors
/// If SQLite refuses.
pub(super) fn sqlite(store: &Path, whose: &Whose, from: u64, to: u64) -> Result<()> {
    let db = commit::open(store)?;
    // Who loses power fills again.
    db.execute_batch("pragma synchronous = off; pragma cache_size = -262144")?;
    let (room, author, [of_room, of_author]) = (whose.room.as_bytes(), whose.author.as_bytes(), whose.terms_of_all());
    // As in server/src/store/search.rs, `place`.
    let place = |n: u64| 1 << 62 | n.cast_signed() << 8 | whose.partition & 0xff;
    {
        let mut message = db.prepare(
            "insert into messages (room, id, epoch, offset_no, author, body, sent_at, deleted, place)
             values (?, ?, 0, ?, ?, ?, ?, 0, ?)",
        )?;
        let mut terms = db.prepare("insert into message_terms (rowid, terms) values (?, ?)")?;
        let mut event = db.prepare(
            "insert into events (room, epoch, offset_no, kind, message, body, digest)
             values (?, 0, ?, 'message_posted', ?, ?, zeroblob(32))",
        )?;
        let mut next = from;
        while next <= to {
            let last = to.min(next + BATCH - 1);
            db.execute_batch("begin immediate")?;
            for n in next..=last {
                let (id, text, offset) = (id(n), text(n), n.cast_signed());
                let sent_at = sent_at(n, whose.first_at);
                message.execute(params![room, id.as_bytes(), offset, author, text, sent_at, place(n)])?;
                event.execute(params![room, offset, id.as_bytes(), whose.event(n, &text)])?;
            }
            // The index has the newest first.
            for n in (next..=last).rev() {
                terms.execute(params![-place(n), format!("{of_room} {of_author} {}", text(n))])?;
            }
            db.execute_batch("commit")?;
            next = last + 1;
        }
    }
    db.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(()))?;
    Ok(())
}

/// Messages `from` to `to`, both included, into a database; then what its own housekeeping would do in time.
///
/// # Errors
/// If the database refuses.
pub(super) fn postgres(address: &str, whose: &Whose, from: u64, to: u64) -> Result<()> {
    let [of_room, of_author] = whose.terms_of_all();
    let mut next = from;
    while next <= to {
        let last = to.min(next + BATCH - 1);
        let mut script = String::from(
            "begin;\ncopy messages (room, id, epoch, offset_no, author, body, sent_at, deleted, terms) from stdin;\n",
        );
        for n in next..=last {
            let text = text(n);
            let _ = write!(
                script,
                "{}\t{}\t0\t{n}\t{}\t{text}\t{}\tf\t'{of_room}' '{of_author}'",
                whose.room,
                id(n),
                whose.author,
                sent_at(n, whose.first_at)
            );
            for (place, word) in (1..).zip(text.split(' ')) {
                let _ = write!(script, " '{word}':{place}");
            }
            script.push('\n');
        }
        script.push_str("\\.\ncopy events (room, epoch, offset_no, kind, message, body, digest) from stdin;\n");
        for n in next..=last {
            let event = whose.event(n, &text(n));
            let digest = "00".repeat(32);
            let _ = writeln!(script, "{}\t0\t{n}\tmessage_posted\t{}\t{event}\t\\\\x{digest}", whose.room, id(n));
        }
        script.push_str("\\.\ncommit;\n");
        database::script(address, &script)?;
        next = last + 1;
    }
    database::script(address, "vacuum (analyze) messages;\nvacuum (analyze) events;")?;
    Ok(())
}
