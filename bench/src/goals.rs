//! The goals that Partyline set itself, and whether a run meets them. What the run has not measured is said to be so.

use crate::{
    program::Mode::{self, Cluster, Embedded},
    report::{self, Report},
    scenario::Scenario::{self, Busy, CatchUp, Idle, Large, Publish, Rooms, Spread},
};
use std::fmt::Write;

const PEER: &str = "centrifugo";

/// What a figure may be at most or must be at least, and of what.
#[derive(Clone, Copy)]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

/// What a figure is held against.
#[derive(Clone, Copy)]
enum Beside {
    /// The scenario's floor.
    Floor,
    /// Centrifugo, which stores nothing.
    Peer,
    /// Nothing: the bound is in the figure's own unit.
    Nothing,
}

/// One goal.
struct Goal {
    what: &'static str,
    goal: &'static str,
    scenario: Scenario,
    mode: Mode,
    key: &'static str,
    unit: &'static str,
    beside: Beside,
    bound: Bound,
}

const fn goal(
    what: &'static str,
    goal: &'static str,
    (scenario, mode): (Scenario, Mode),
    (key, unit): (&'static str, &'static str),
    beside: Beside,
    bound: Bound,
) -> Goal {
    Goal { what, goal, scenario, mode, key, unit, beside, bound }
}

const DELIVERY: (&str, &str) = ("server_us_per_delivery", "µs");
const ACKS: (&str, &str) = ("acks_per_s", "acks/s");
const RECORDS: (&str, &str) = ("records_per_s", "records/s");
const CONNECTION: (&str, &str) = ("rss_per_conn_kib", "KiB");

#[rustfmt::skip]
const GOALS: &[Goal] = &[
    goal("delivery CPU, 1 × 1,000 at 20/s", "≤ 1.25 × floor", (Large, Embedded), DELIVERY, Beside::Floor, Bound::AtMost(1.25)),
    goal("", "≤ 0.6 × Centrifugo", (Large, Embedded), DELIVERY, Beside::Peer, Bound::AtMost(0.6)),
    goal("busy room, 1 × 100 at 2,000/s, CPU a delivery", "≤ 0.4 × Centrifugo", (Busy, Embedded), DELIVERY, Beside::Peer, Bound::AtMost(0.4)),
    goal("1,000 rooms × 5 at 1,000/s, CPU a publish with its deliveries", "≤ Centrifugo", (Rooms, Embedded), ("server_us_per_publish", "µs"), Beside::Peer, Bound::AtMost(1.0)),
    goal("idle connection in one room", "≤ 4 KiB", (Idle, Embedded), CONNECTION, Beside::Nothing, Bound::AtMost(4.0)),
    goal("idle connection over 2,000 rooms", "≤ 10 KiB", (Spread, Embedded), CONNECTION, Beside::Nothing, Bound::AtMost(10.0)),
    goal("10,000 connections on one node, in all", "< 150 MiB", (Idle, Embedded), ("rss_mib", "MiB"), Beside::Nothing, Bound::AtMost(150.0)),
    goal("the same over 2,000 rooms", "< 150 MiB", (Spread, Embedded), ("rss_mib", "MiB"), Beside::Nothing, Bound::AtMost(150.0)),
    goal("publish to receive, p50", "≤ 1.5 × Centrifugo", (Large, Embedded), ("latency_p50_ms", "ms"), Beside::Peer, Bound::AtMost(1.5)),
    goal("publish to receive, p99", "≤ 2 × Centrifugo", (Large, Embedded), ("latency_p99_ms", "ms"), Beside::Peer, Bound::AtMost(2.0)),
    goal("durable publish, embedded", "≥ 20,000 acks/s", (Publish, Embedded), ACKS, Beside::Nothing, Bound::AtLeast(20_000.0)),
    goal("", "≥ 0.7 × bare group commit", (Publish, Embedded), ACKS, Beside::Floor, Bound::AtLeast(0.7)),
    goal("durable publish, cluster", "≥ 0.6 × kafka-producer-perf-test", (Publish, Cluster), ACKS, Beside::Floor, Bound::AtLeast(0.6)),
    goal("persist, embedded", "≥ 0.7 × bare inserts", (CatchUp, Embedded), RECORDS, Beside::Floor, Bound::AtLeast(0.7)),
    goal("persist, cluster", "≥ 0.7 × bare COPY", (CatchUp, Cluster), RECORDS, Beside::Floor, Bound::AtLeast(0.7)),
];

/// A row of the table; `ratio` may be empty, `met` is `None` if it was not measured.
pub struct Row {
    /// What is meant; empty: as in the row before.
    pub what: String,
    /// What it is to be.
    pub goal: String,
    /// What it is, with its unit.
    pub measured: String,
    /// What it is of what it is held against.
    pub ratio: String,
    /// Whether it is so.
    pub met: Option<bool>,
}

impl Goal {
    fn row(&self, reports: &[Report]) -> Row {
        let name = self.scenario.name(self.mode);
        let ours = report::figure(reports, name, self.mode.label(), self.key);
        let against = match self.beside {
            Beside::Nothing => Some(1.0),
            Beside::Floor => report::floor(reports, name, self.key),
            Beside::Peer => report::figure(reports, name, PEER, self.key),
        };
        let ratio = ours.zip(against.filter(|against| *against > 0.0)).map(|(ours, against)| ours / against);
        Row {
            what: self.what.into(),
            goal: self.goal.into(),
            measured: ours.map_or_else(|| "–".into(), |ours| format!("{ours} {}", self.unit)),
            ratio: match (self.beside, ratio) {
                (Beside::Floor, Some(ratio)) => format!("{ratio:.2} × {}", against.unwrap_or_default()),
                (Beside::Peer, Some(ratio)) => format!("{ratio:.2} × {}", against.unwrap_or_default()),
                _ => String::new(),
            },
            met: ratio.map(|ratio| match self.bound {
                Bound::AtMost(most) => ratio <= most,
                Bound::AtLeast(least) => ratio >= least,
            }),
        }
    }
}

/// The goals as the first table of a report. Those that other commands measure are named with them.
pub fn table(reports: &[Report]) -> String {
    let elsewhere = [
        ("history page of a long room; room page's first byte; cost as it grows", "see GROWTH.md", "`make growth`"),
        ("what a browser downloads, and how the page feels", "see BROWSER.md", "`make size`, `make measure`"),
    ];
    let mut text = rows(GOALS.iter().map(|goal| goal.row(reports)));
    for (what, goal, command) in elsewhere {
        let _ = writeln!(text, "| {what} | {goal} | – | | not measured here: {command} |");
    }
    text
}

/// Rows under their heading.
pub fn rows(rows: impl Iterator<Item = Row>) -> String {
    let mut text = "\n### Goals\n\n| | goal | measured | ratio | met |\n|---|---|---|---|---|\n".to_owned();
    for Row { what, goal, measured, ratio, met } in rows {
        let met = match met {
            None => "not measured here",
            Some(true) => "yes",
            Some(false) => "**no**",
        };
        let _ = writeln!(text, "| {what} | {goal} | {measured} | {ratio} | {met} |");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::base;

    fn run(scenario: Scenario, mode: Mode, label: &str, key: &str, value: f64) -> Report {
        let mut report = base(label, scenario.name(mode));
        report.num(key, value);
        report
    }

    #[test]
    fn each_goal_says_what_was_measured_of_what_and_whether_that_will_do() {
        let ours = Embedded.label();
        let text = table(&[
            run(Large, Embedded, "floor: bare send", DELIVERY.0, 5.0),
            run(Large, Embedded, ours, DELIVERY.0, 6.0),
            run(Large, Embedded, PEER, DELIVERY.0, 9.0),
            run(Publish, Embedded, ours, ACKS.0, 15_000.0),
            run(Publish, Embedded, "floor: SQLite alone", ACKS.0, 20_000.0),
            run(Idle, Embedded, ours, CONNECTION.0, 3.5),
        ]);
        for line in [
            "| delivery CPU, 1 × 1,000 at 20/s | ≤ 1.25 × floor | 6 µs | 1.20 × 5 | yes |",
            "|  | ≤ 0.6 × Centrifugo | 6 µs | 0.67 × 9 | **no** |",
            "| durable publish, embedded | ≥ 20,000 acks/s | 15000 acks/s |  | **no** |",
            "|  | ≥ 0.7 × bare group commit | 15000 acks/s | 0.75 × 20000 | yes |",
            "| idle connection in one room | ≤ 4 KiB | 3.5 KiB |  | yes |",
            "| persist, cluster | ≥ 0.7 × bare COPY | – |  | not measured here |",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }

    #[test]
    fn without_the_peer_a_goal_beside_it_is_not_measured() {
        let text = table(&[run(Busy, Embedded, Embedded.label(), DELIVERY.0, 1.5)]);
        let line =
            "| busy room, 1 × 100 at 2,000/s, CPU a delivery | ≤ 0.4 × Centrifugo | 1.5 µs |  | not measured here |";
        assert!(text.contains(line), "{text}");
    }
}
