//! Subscribers of one room, at about as many deliveries a second: what one costs should not depend on how many there are.
//!
//! A small room gets as many deliveries from more publishes, each of which is made durable, stored and relayed. So the
//! publishes are measured alone too, at the same rate with a single subscriber: what is left is the deliveries' own.

use super::{Part, WRONG, cell, factor, line, picture, said, up_to, wrong};
use crate::{
    document, floor,
    goals::{self, Row},
    measure::{self, Load, Server},
    plot::{Axis, Line, Plot},
    program::{Mode, Place},
    publisher::Plan,
    scenario::TEXT_BYTES,
    targets::Partyline,
};
use anyhow::Result;
use std::{path::Path, sync::Arc};

const STEPS: [usize; 5] = [100, 300, 1_000, 3_000, 10_000];
const DELIVERIES_PER_SECOND: f64 = 10_000.0;
/// "Flat": so much dearer at most, and not more than the floor itself has become. A window of some seconds repeats to
/// about a tenth.
const FLAT: f64 = 1.25;

pub(super) fn measure(program: &Path, most: usize, seconds: f64) -> Result<Part> {
    let (mut ours, mut floors) = (vec![], vec![]);
    for subs in up_to(&STEPS, most) {
        let rate = (DELIVERIES_PER_SECOND / subs as f64).max(1.0);
        let scenario = format!("{subs} subscribers");
        let floor = floor::send::measure(subs, rate, seconds, &scenario)?;
        said(&floor);
        floors.push((subs as f64, floor));
        let place = Place::new(program, Mode::Embedded)?;
        let node = place.start()?;
        let target = Arc::new(Partyline::prepare(&[node.addr], 1)?);
        let server = Server { label: Mode::Embedded.label().into(), target, pids: vec![node.pid()] };
        let plan =
            Plan { rate, conns: 1, warmup_s: 2.0, measure_s: seconds, payload: TEXT_BYTES, most: u64::MAX, first: 0 };
        let load = |subs| Load { scenario: scenario.clone(), rooms: 1, subs, plan, drain_s: 5.0 };
        let one = measure::load(&server, &load(1))?;
        let mut report = measure::load(&server, &load(subs))?;
        if let Some((all, one)) =
            report.number("server_us_per_publish").zip(one.number("server_us_per_publish")).filter(|_| subs > 1)
        {
            report.num("delivery_alone_us", (all - one) / (subs - 1) as f64);
        }
        said(&report);
        ours.push((subs as f64, report));
    }
    let rows: Vec<_> = ours
        .iter()
        .zip(&floors)
        .map(|((subs, report), (_, floor))| {
            let cells = [
                "delivery_alone_us",
                "server_us_per_delivery",
                "latency_p50_ms",
                "latency_p99_ms",
                "rss_mib",
                "rss_per_conn_kib",
            ];
            let mut row = vec![format!("{subs}"), cell(report, "deliveries_per_s")];
            row.extend(cells.iter().map(|key| cell(report, key)));
            row.insert(4, cell(floor, "server_us_per_delivery"));
            row.push(wrong(report));
            row
        })
        .collect();
    let heads = [
        "subscribers",
        "deliveries/s",
        "CPU µs a delivery, the publish taken off",
        "with its part of the publish",
        "floor: bare send, µs",
        "p50 ms",
        "p99 ms",
        "MiB in all",
        "KiB a connection",
        WRONG,
    ];
    let (cpu, whole) = (line(&ours, "delivery_alone_us"), line(&ours, "server_us_per_delivery"));
    let bare = line(&floors, "server_us_per_delivery");
    let grown = factor(&cpu).zip(factor(&bare));
    let goal = Row {
        what: format!(
            "CPU of a delivery alone, from {} to {} subscribers",
            STEPS[0],
            ours.last().map_or(0.0, |last| last.0)
        ),
        goal: format!("flat: ≤ {FLAT} ×, or ≤ {FLAT} × what the floor grows by"),
        measured: grown.map_or_else(|| "–".into(), |(ours, bare)| format!("{ours:.2} ×, the floor {bare:.2} ×")),
        ratio: grown.map_or_else(String::new, |(ours, bare)| format!("{:.2} × the floor's", ours / bare)),
        met: grown.map(|(ours, bare)| ours <= FLAT * bare.max(1.0)),
    };
    let memory = line(&ours, "rss_per_conn_kib");
    let linear = factor(&memory).filter(|_| memory.len() > 1);
    let memory_goal = Row {
        what: "memory of a connection, at the most subscribers".into(),
        goal: format!("linear: ≤ {FLAT} × that at 1,000"),
        measured: memory.last().map_or_else(|| "–".into(), |last| format!("{} KiB", last.1)),
        ratio: linear.map_or_else(String::new, |ratio| format!("{ratio:.2} × {}", memory[0].1)),
        met: linear.map(|ratio| ratio <= FLAT),
    };
    let files = ["subscribers-cpu.svg", "subscribers-latency.svg"];
    let text = format!(
        "## Subscribers of one room\n\nOne room, {DELIVERIES_PER_SECOND} deliveries a second over all (one message a second at least), embedded;\n\
         windows of {seconds} s. The floor puts as many ready bytes on as many sockets as often. What a\n\
         publish costs with a single subscriber is taken off in the first column: small rooms have more of them.\n\n{}\n{}\n{}\n{}",
        picture(files[0], "CPU a delivery over subscribers"),
        picture(files[1], "Latency over subscribers"),
        goals::rows([goal, memory_goal].into_iter()),
        document::table(&heads, &rows)
    );
    let subscribers = || Axis::log("subscribers of one room");
    let plots = vec![
        (
            files[0].to_owned(),
            Plot {
                title: "What a delivery costs as a room fills".into(),
                x: subscribers(),
                y: Axis::log("CPU µs a delivery"),
                lines: vec![
                    Line::new("a delivery alone", cpu),
                    Line::new("with the publish", whole),
                    Line::floor("bare send", bare),
                ],
            },
        ),
        (
            files[1].to_owned(),
            Plot {
                title: "From publish to receive as a room fills".into(),
                x: subscribers(),
                y: Axis::log("ms"),
                lines: vec![
                    Line::new("p99", line(&ours, "latency_p99_ms")),
                    Line::new("p50", line(&ours, "latency_p50_ms")),
                ],
            },
        ),
    ];
    Ok(Part { name: "subscribers", text, plots })
}
