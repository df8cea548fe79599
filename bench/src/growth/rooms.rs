//! Rooms, one subscriber in each, at as many publishes a second over all: what one costs should not depend on how many
//! other rooms there are.

use super::{Part, WRONG, cell, line, picture, said, up_to, wrong};
use crate::{
    document,
    measure::{self, Load, Server},
    plot::{Axis, Line, Plot},
    procstat,
    program::{Mode, Place},
    publisher::Plan,
    scenario::TEXT_BYTES,
    targets::Partyline,
};
use anyhow::Result;
use std::{path::Path, sync::Arc};

const STEPS: [usize; 5] = [1, 10, 100, 1_000, 10_000];
/// What one connection can have acknowledged, one after another: a room's messages go through one.
const PUBLISHES_PER_SECOND: f64 = 200.0;

pub(super) fn measure(program: &Path, most: usize, seconds: f64) -> Result<Part> {
    let mut all = vec![];
    for rooms in up_to(&STEPS, most) {
        let place = Place::new(program, Mode::Embedded)?;
        let node = place.start()?;
        let people = Partyline::prepare(&[node.addr], 0)?;
        // What hashing their passwords took of memory is given back at some time or other: not to be in the figures.
        drop(node);
        let node = place.start()?;
        let empty = procstat::rss_of(&[node.pid()]) as f64;
        let target = Arc::new(people.again(node.addr, rooms)?);
        let server = Server { label: Mode::Embedded.label().into(), target, pids: vec![node.pid()] };
        let plan = Plan {
            rate: PUBLISHES_PER_SECOND,
            conns: 16,
            warmup_s: 2.0,
            measure_s: seconds,
            payload: TEXT_BYTES,
            most: u64::MAX,
            first: 0,
        };
        let scenario = format!("{rooms} rooms");
        let mut report = measure::load(&server, &Load { scenario, rooms, subs: rooms, plan, drain_s: 5.0 })?;
        if rooms >= 1_000 {
            let grown = procstat::rss_of(&server.pids) as f64 - empty;
            report.num("rss_per_room_kib", grown / 1024.0 / rooms as f64);
        }
        said(&report);
        all.push((rooms as f64, report));
    }
    let keys = [
        "server_us_per_publish",
        "latency_p50_ms",
        "latency_p99_ms",
        "ack_p50_ms",
        "rss_mib",
        "rss_per_room_kib",
        "rss_per_conn_kib",
    ];
    let heads = [
        "rooms",
        "CPU µs a publish",
        "p50 ms",
        "p99 ms",
        "ack p50 ms",
        "MiB in all",
        "KiB a room with its connection",
        "KiB a connection",
        WRONG,
    ];
    let rows: Vec<_> = all
        .iter()
        .map(|(rooms, report)| {
            let mut row = vec![format!("{rooms}")];
            row.extend(keys.iter().map(|key| cell(report, key)));
            row.push(wrong(report));
            row
        })
        .collect();
    let files = ["rooms-cpu.svg", "rooms-memory.svg"];
    let text = format!(
        "## Rooms\n\nOne subscriber in each, {PUBLISHES_PER_SECOND} publishes a second over all of them in turn, embedded; windows of\n\
         {seconds} s. CPU a publish has the delivery with it, and what the server does beside.\n\n{}\n{}\n\n{}",
        picture(files[0], "CPU a publish over rooms"),
        picture(files[1], "Memory over rooms"),
        document::table(&heads, &rows)
    );
    let rooms = || Axis::log("rooms, one subscriber in each");
    let plots = vec![
        (
            files[0].to_owned(),
            Plot {
                title: "What a publish costs as rooms become more".into(),
                x: rooms(),
                y: Axis::log("CPU µs a publish, its delivery included"),
                lines: vec![Line::new("Partyline", line(&all, "server_us_per_publish"))],
            },
        ),
        (
            files[1].to_owned(),
            Plot {
                title: "Memory as rooms become more".into(),
                x: rooms(),
                y: Axis::log("MiB resident, under load"),
                lines: vec![Line::new("Partyline", line(&all, "rss_mib"))],
            },
        ),
    ];
    Ok(Part { name: "rooms", text, plots })
}
