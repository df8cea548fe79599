//! Nodes of a cluster on one machine, at the same load: what is done once for each node shows, what could be lost between
//! them too.

use super::{Part, WRONG, cell, line, picture, said, wrong};
use crate::{
    document,
    measure::{self, Load, Server},
    plot::{Axis, Line, Plot},
    program::{Mode, Place, Program},
    publisher::Plan,
    scenario::TEXT_BYTES,
    targets::Partyline,
};
use anyhow::Result;
use std::{path::Path, sync::Arc, thread::sleep, time::Duration};

const STEPS: [usize; 3] = [1, 2, 3];
const ROOMS: usize = 10;
const SUBS: usize = 1_000;
const PUBLISHES_PER_SECOND: f64 = 50.0;
/// Groups share their partitions out anew with each node that comes: until that is done, nothing is relayed.
const SETTLED_AFTER: Duration = Duration::from_secs(3);

pub(super) fn measure(program: &Path, seconds: f64) -> Result<Part> {
    let mut all = vec![];
    for count in STEPS {
        let place = Place::new(program, Mode::Cluster)?;
        let nodes: Vec<Program> = (0..count).map(|_| place.start()).collect::<Result<_>>()?;
        let addrs: Vec<_> = nodes.iter().map(|node| node.addr).collect();
        let target = Arc::new(Partyline::prepare(&addrs, ROOMS)?);
        sleep(SETTLED_AFTER);
        let label = format!("Partyline, {count} nodes");
        let server = Server { label, target, pids: nodes.iter().map(Program::pid).collect() };
        let plan = Plan {
            rate: PUBLISHES_PER_SECOND,
            conns: ROOMS,
            warmup_s: 3.0,
            measure_s: seconds,
            payload: TEXT_BYTES,
            most: u64::MAX,
            first: 0,
        };
        let load = Load { scenario: format!("{count} nodes"), rooms: ROOMS, subs: SUBS, plan, drain_s: 10.0 };
        let report = measure::load(&server, &load)?;
        said(&report);
        all.push((count as f64, report));
    }
    let keys = [
        "server_us_per_delivery",
        "server_us_per_publish",
        "latency_p50_ms",
        "latency_p99_ms",
        "ack_p50_ms",
        "rss_mib",
        "others_cores",
    ];
    let heads = [
        "nodes",
        "CPU µs a delivery",
        "CPU µs a publish",
        "p50 ms",
        "p99 ms",
        "ack p50 ms",
        "MiB in all",
        "others' cores",
        WRONG,
    ];
    let rows: Vec<_> = all
        .iter()
        .map(|(nodes, report)| {
            let mut row = vec![format!("{nodes}")];
            row.extend(keys.iter().map(|key| cell(report, key)));
            row.push(wrong(report));
            row
        })
        .collect();
    let files = ["nodes-cpu.svg", "nodes-latency.svg"];
    let text = format!(
        "## Nodes\n\nA cluster on this one machine: {SUBS} subscribers of {ROOMS} rooms, each room's spread over all nodes,\n\
         {PUBLISHES_PER_SECOND} publishes a second, to all nodes too; windows of {seconds} s. CPU and memory are the nodes' sum;\n\
         Kafka, Redis and PostgreSQL are in \"others' cores\". More nodes on the same cores are no faster: the\n\
         figures show what each node costs besides what it carries.\n\n{}\n{}\n\n{}",
        picture(files[0], "CPU over nodes"),
        picture(files[1], "Latency over nodes"),
        document::table(&heads, &rows)
    );
    let nodes = || Axis::linear("nodes");
    let plots = vec![
        (
            files[0].to_owned(),
            Plot {
                title: "What the nodes of a cluster cost together".into(),
                x: nodes(),
                y: Axis::linear("CPU µs a delivery, all nodes together"),
                lines: vec![Line::new("Partyline", line(&all, "server_us_per_delivery"))],
            },
        ),
        (
            files[1].to_owned(),
            Plot {
                title: "From publish to receive over several nodes".into(),
                x: nodes(),
                y: Axis::log("ms"),
                lines: vec![
                    Line::new("p99", line(&all, "latency_p99_ms")),
                    Line::new("p50", line(&all, "latency_p50_ms")),
                ],
            },
        ),
    ];
    Ok(Part { name: "nodes", text, plots })
}
