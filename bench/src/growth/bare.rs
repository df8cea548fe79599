//! The page of a history without a chat: its query alone, as server/src/store/queries/history.rs asks it, each row read.

use crate::{database, timed::often};
use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use rusqlite::{Connection, OpenFlags, params};
use std::{fmt::Write, path::Path, time::Instant};
use uuid::Uuid;

/// `{reactions}` is where the databases differ; `{1}` to `{5}`: room, epoch, offset, limit, partition.
const QUERY: &str = "select meta.epoch as log_epoch, progress.next_offset as log_next, page.*
 from meta
 left join progress on progress.partition_no = {5}
 left join (
     select m.id, m.epoch, m.offset_no, m.body, m.sent_at, m.edited_at, m.deleted, m.reply_to,
            a.id as account, a.username, a.display_name, a.guest, a.admin,
            (select {reactions} from (
                 select x.emoji, who.username from reactions x join accounts who on who.id = x.account
                 where x.room = m.room and x.message = m.id order by x.epoch, x.offset_no
             ) as r) as reactions,
            exists (select 1 from pins p where p.room = m.room and p.message = m.id) as pinned,
            (select count(*) from messages x where x.room = m.room and x.reply_to = m.id and not x.deleted) as replies
     from messages m join accounts a on a.id = m.author
     where m.room = {1} and (m.epoch, m.offset_no) < ({2}, {3})
     order by m.epoch desc, m.offset_no desc limit {4}
 ) as page on true
 order by page.epoch, page.offset_no";

/// A page of 50 is asked for with one row more, which says whether there are more.
const LIMIT: i64 = 51;

fn query(reactions: &str, placeholder: &str) -> String {
    (1..=5).fold(QUERY.replace("{reactions}", reactions), |text, n| {
        text.replace(&format!("{{{n}}}"), &format!("{placeholder}{n}"))
    })
}

/// Pages before each of `offsets` of generation 0 in turn, read from a `store.db` that a node may have open. In ns.
///
/// # Errors
/// If a page is not there.
pub(super) fn sqlite(
    store: &Path,
    room: Uuid,
    partition: i64,
    offsets: &[u64],
    (warm, times): (usize, usize),
) -> Result<Histogram<u64>> {
    let db = Connection::open_with_flags(store, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut page = db.prepare(&query("json_group_array(json_array(r.emoji, r.username))", "?"))?;
    let columns = page.column_count();
    often(warm, times, |i| {
        let offset = offsets[i % offsets.len()].cast_signed();
        let began = Instant::now();
        let mut rows = page.query(params![room.as_bytes(), 0, offset, LIMIT, partition])?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            for column in 0..columns {
                std::hint::black_box(row.get_ref(column)?);
            }
            count += 1;
        }
        ensure!(count == LIMIT, "{count} rows");
        Ok(u64::try_from(began.elapsed().as_nanos())?)
    })
}

/// The same of PostgreSQL, prepared once, over one connection; `psql` tells how long it waited for each answer.
///
/// # Errors
/// If the database refuses.
pub(super) fn postgres(
    address: &str,
    room: Uuid,
    partition: i64,
    offsets: &[u64],
    (warm, times): (usize, usize),
) -> Result<Histogram<u64>> {
    let reactions = "json_agg(json_build_array(r.emoji, r.username))::text";
    let mut script = format!(
        "prepare page (uuid, bigint, bigint, bigint, bigint) as {};\n\\o /dev/null\n\\timing on\n",
        query(reactions, "$")
    );
    for i in 0..warm + times {
        let offset = offsets[i % offsets.len()];
        let _ = writeln!(script, "execute page ('{room}', 0, {offset}, {LIMIT}, {partition});");
    }
    let said = database::script(address, &script)?;
    let took: Vec<f64> =
        said.lines().filter_map(|line| line.strip_prefix("Time: ")?.split(' ').next()?.parse().ok()).collect();
    ensure!(took.len() == warm + times, "{} times of {}: {said}", took.len(), warm + times);
    often(warm, times, |i| Ok((took.get(i).context("a time each")? * 1e6) as u64))
}
