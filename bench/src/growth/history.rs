//! Messages of one room, a thousand to ten million: reading a page, looking for a word and opening the room should take as
//! long, however many there are.

use super::{
    Part, bare, cell,
    fill::{self, Whose},
    line, picture, said,
    text::{RARE, RARE_HITS, text},
    up_to,
};
use crate::{
    document,
    goals::{self, Row},
    http,
    plot::{Axis, Line, Plot},
    program::{Mode, Place},
    report::{self, Report},
    target::Target,
    targets::Partyline,
    timed::{Answer, Asker, often},
};
use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use rusqlite::Connection;
use serde_json::Value;
use std::{
    net::SocketAddr,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};
use uuid::Uuid;

const STEPS: [u64; 5] = [1_000, 10_000, 100_000, 1_000_000, 10_000_000];
const PAGE: u64 = 50;
const WARM: usize = 20;
/// Different pages that are asked for in turn: not one that everybody has at hand.
const PLACES: u64 = 50;
/// "Independent of the room's length": the median of the longest is at most so many times that of the shortest. Trees
/// that are a thousand times larger are a level or two deeper, and less of them is in memory.
const INDEPENDENT: f64 = 2.0;

/// The room, and how to ask for it.
struct Room {
    id: String,
    slug: String,
    people: Partyline,
    whose: Whose,
}

pub(super) fn measure(program: &Path, mode: Mode, most: u64, requests: usize) -> Result<Part> {
    let place = Place::new(program, mode)?;
    let room = make(&place)?;
    let (mut ours, mut bares, mut filled) = (vec![], vec![], 0);
    for messages in up_to(&STEPS, most) {
        match mode {
            Mode::Embedded => fill::sqlite(&place.folder().join("store.db"), &room.whose, filled + 1, messages)?,
            Mode::Cluster => fill::postgres(&place.database()?, &room.whose, filled + 1, messages)?,
        }
        filled = messages;
        let node = place.start()?;
        let report = read(node.addr, &room, messages, requests, mode)?;
        said(&report);
        let bare = bare(&place, mode, &room, messages, requests)?;
        said(&bare);
        ours.push((messages as f64, report));
        bares.push((messages as f64, bare));
    }
    Ok(part(mode, requests, &ours, &bares))
}

/// A node makes the room, and ends again.
fn make(place: &Place) -> Result<Room> {
    let node = place.start()?;
    let target = Partyline::prepare(&[node.addr], 1)?;
    let (id, token) = (target.room_name("", 0)?, target.token(0));
    let ask = |path: &str| http::ask(node.addr, "GET", path, Some(&token), &Value::Null);
    let (room, me) = (ask(&format!("/api/v1/rooms/{id}"))?, ask("/api/v1/me")?);
    let text = |value: &Value, name: &str| value[name].as_str().map(str::to_owned).context("a text is missing");
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
    let slug = text(&room, "slug")?;
    let mut whose = Whose {
        room: id.parse()?,
        author: text(&me["user"], "id")?.parse()?,
        username: text(&me["user"], "username")?,
        first_at: now - (STEPS[STEPS.len() - 1].cast_signed() + 60) * 1_000,
        partition: 0,
    };
    drop(node);
    whose.partition = partition(place, whose.room)?;
    Ok(Room { id, slug, people: target, whose })
}

fn partition(place: &Place, room: Uuid) -> Result<i64> {
    let Ok(address) = place.database() else {
        let store = Connection::open(place.folder().join("store.db"))?;
        let query = "select partition_no from rooms where id = ?";
        return Ok(store.query_row(query, [room.as_bytes()], |row| row.get(0))?);
    };
    let said = crate::database::psql(&address, &format!("select partition_no from rooms where id = '{room}'"))?;
    said.trim().parse().context("a partition")
}

/// Places in the middle half, to read the page before: the newest of it is the message before the place.
fn places(messages: u64) -> Vec<u64> {
    let (from, width) = ((messages / 4).max(PAGE + 1), (messages / 2).max(1));
    (0..PLACES).map(|i| from + i * 7_919 * (width / PLACES).max(1) % width + 1).collect()
}

fn read(addr: SocketAddr, room: &Room, messages: u64, requests: usize, mode: Mode) -> Result<Report> {
    // To write ten million messages takes longer than a token lives.
    room.people.moved_to(addr).renew()?;
    let mut asker = Asker::connect(addr)?;
    let tokens: Vec<_> = (0..room.people.people()).map(|n| room.people.token(n)).collect();
    let token = Some(tokens[0].as_str());
    let history = format!("/api/v1/rooms/{}/messages", room.id);
    let newest = often(WARM, requests, |_| {
        let answer = asker.get(&history, token)?;
        is_page(&answer, messages)?;
        Ok(answer.whole_ns)
    })?;
    let places = places(messages);
    let middle = often(WARM, requests, |i| {
        let before = places[i % places.len()];
        let answer = asker.get(&format!("{history}?before=0.{before}"), token)?;
        is_page(&answer, before - 1)?;
        Ok(answer.whole_ns)
    })?;
    // One may search twenty times at once: a search each, in turn.
    let searches = requests.min(18 * tokens.len() - WARM);
    let search = often(WARM, searches, |i| {
        let who = Some(tokens[i % tokens.len()].as_str());
        let answer = asker.get(&format!("/api/v1/search?q={RARE}&room={}", room.slug), who)?;
        let found: Value = serde_json::from_slice(&answer.body)?;
        let hits = found["messages"].as_array().map_or(0, Vec::len) as u64;
        ensure!(hits == RARE_HITS, "{hits} found of {RARE_HITS}");
        Ok(answer.whole_ns)
    })?;
    let said = text(messages);
    let page = often(WARM, requests, |_| {
        let answer = asker.get(&format!("/rooms/{}", room.slug), token)?;
        ensure!(memchr::memmem::find(&answer.body, said.as_bytes()).is_some(), "the page lacks the newest message");
        Ok(answer.first_byte_ns)
    })?;
    let mut report = report::base(mode.label(), &format!("{messages} messages"));
    for (name, times) in [("newest", newest), ("middle", middle), ("search", search), ("page", page)] {
        report.hist(name, &times);
    }
    Ok(report)
}

/// Is it the fifty up to message `last`, in order and with their texts?
fn is_page(answer: &Answer, last: u64) -> Result<()> {
    let page: Value = serde_json::from_slice(&answer.body)?;
    let messages = page["messages"].as_array().context("no messages")?;
    ensure!(messages.len() as u64 == PAGE, "{} messages of {PAGE}", messages.len());
    for (n, message) in (last + 1 - PAGE..).zip(messages) {
        ensure!(message["at"] == format!("0.{n}"), "{} where 0.{n} belongs", message["at"]);
        ensure!(message["body"] == text(n), "0.{n} says {}", message["body"]);
    }
    Ok(())
}

fn bare(place: &Place, mode: Mode, room: &Room, messages: u64, requests: usize) -> Result<Report> {
    let Whose { room: id, partition, .. } = room.whose;
    let often = (WARM, requests);
    let page = |offsets: &[u64]| -> Result<Histogram<u64>> {
        match mode {
            Mode::Embedded => bare::sqlite(&place.folder().join("store.db"), id, partition, offsets, often),
            Mode::Cluster => bare::postgres(&place.database()?, id, partition, offsets, often),
        }
    };
    let mut report = report::base("floor: the query alone", &format!("{messages} messages"));
    report.hist("newest", &page(&[messages + 1])?);
    report.hist("middle", &page(&places(messages))?);
    Ok(report)
}

fn part(mode: Mode, requests: usize, ours: &[(f64, Report)], bares: &[(f64, Report)]) -> Part {
    let (name, file, store) = match mode {
        Mode::Embedded => ("history-embedded", "history-embedded.svg", "SQLite"),
        Mode::Cluster => ("history-cluster", "history-cluster.svg", "PostgreSQL"),
    };
    let heads = [
        "messages",
        "newest 50: p50 ms",
        "p99",
        "bare query p50",
        "50 in the middle: p50 ms",
        "p99",
        "bare query p50",
        "search: p50 ms",
        "p99",
        "room page's first byte: p50 ms",
        "p99",
    ];
    let rows: Vec<_> = ours
        .iter()
        .zip(bares)
        .map(|((messages, report), (_, bare))| {
            let mut row = vec![format!("{messages}")];
            for what in ["newest", "middle", "search", "page"] {
                row.extend(["p50", "p99"].map(|part| cell(report, &format!("{what}_{part}_ms"))));
                row.extend(bare.number(&format!("{what}_p50_ms")).map(|value| format!("{value}")));
            }
            row
        })
        .collect();
    let text = format!(
        "## Messages of one room: {store}\n\n{requests} requests each after {WARM} that do not count, one after another over\n\
         one connection. Each page is checked: fifty messages, in order, with the right texts. The rare word is in\n\
         {RARE_HITS} of the oldest thousand messages. The bare query is the one that a page is read by, without a chat around it.\n\
         The rows were put into the tables while no node ran.\n\n{}\n{}\n{}",
        picture(file, "Times over messages"),
        goals::rows(goal_rows(ours, bares).into_iter()),
        document::table(&heads, &rows)
    );
    let lines = [
        ("room page, first byte", "page_p50_ms"),
        ("search, rare word", "search_p50_ms"),
        ("page in the middle", "middle_p50_ms"),
        ("newest page", "newest_p50_ms"),
    ];
    let mut lines: Vec<_> = lines.iter().map(|(name, key)| Line::new(name, line(ours, key))).collect();
    lines.push(Line::floor("bare query, middle", line(bares, "middle_p50_ms")));
    let plot = Plot {
        title: format!("Reading a room as its history grows: {store}"),
        x: Axis::log("messages of the room"),
        y: Axis::log("ms, median"),
        lines,
    };
    Part { name, text, plots: vec![(file.to_owned(), plot)] }
}

/// Of the longest history that was measured.
fn goal_rows(ours: &[(f64, Report)], bares: &[(f64, Report)]) -> Vec<Row> {
    let (Some((messages, longest)), Some((_, bare)), Some((_, shortest))) = (ours.last(), bares.last(), ours.first())
    else {
        return vec![];
    };
    let mut rows = vec![];
    for (what, key) in [("newest page of 50", "newest_p50_ms"), ("page of 50 in the middle", "middle_p50_ms")] {
        let ratio = longest.number(key).zip(bare.number(key)).map(|(ours, bare)| ours / bare);
        rows.push(Row {
            what: format!("{what}, of {messages} messages"),
            goal: "≤ 2 × the bare query".into(),
            measured: format!("{} ms", cell(longest, key)),
            ratio: ratio.map_or_else(String::new, |ratio| format!("{ratio:.2} × {}", cell(bare, key))),
            met: ratio.map(|ratio| ratio <= 2.0),
        });
    }
    rows.push(Row {
        what: "room page's first byte, warm".into(),
        goal: "≤ 20 ms".into(),
        measured: format!("{} ms", cell(longest, "page_p50_ms")),
        ratio: String::new(),
        met: longest.number("page_p50_ms").map(|ms| ms <= 20.0),
    });
    for (what, key) in [
        ("newest page", "newest_p50_ms"),
        ("page in the middle", "middle_p50_ms"),
        ("search for a rare word", "search_p50_ms"),
        ("room page's first byte", "page_p50_ms"),
    ] {
        let ratio = longest.number(key).zip(shortest.number(key)).map(|(long, short)| long / short);
        rows.push(Row {
            what: format!("{what}, whatever the room's length"),
            goal: format!("≤ {INDEPENDENT} × that of {} messages", STEPS[0]),
            measured: format!("{} ms", cell(longest, key)),
            ratio: ratio.map_or_else(String::new, |ratio| format!("{ratio:.2} × {}", cell(shortest, key))),
            met: ratio.map(|ratio| ratio <= INDEPENDENT),
        });
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_lie_within_the_middle_half_and_differ() {
        for messages in STEPS {
            let places = places(messages);
            assert!(places.iter().all(|place| *place > PAGE && *place <= messages * 3 / 4 + 1), "{places:?}");
            let different: std::collections::HashSet<_> = places.iter().collect();
            assert!(different.len() > 40, "{messages}: {}", different.len());
        }
    }
}
