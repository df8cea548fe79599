//! What a window gave, and tables of it.

use hdrhistogram::Histogram;
use serde_json::{Map, Value};
use std::fmt::Write;

/// Figures by name.
#[derive(Clone, Default)]
pub struct Report(pub Map<String, Value>);

impl Report {
    /// Notes what is no measured number.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.into(), value.into());
    }

    /// Notes a number, cut to what the measurement can carry.
    pub fn num(&mut self, name: &str, value: f64) {
        let digits = match value.abs() {
            1000.0.. => 1.0,
            10.0.. => 10.0,
            _ => 1000.0,
        };
        self.set(name, (value * digits).round() / digits);
    }

    /// Notes percentiles, in ms.
    pub fn hist(&mut self, name: &str, histogram: &Histogram<u64>) {
        for (part, quantile) in [("p50", 0.5), ("p99", 0.99), ("p999", 0.999)] {
            self.num(&format!("{name}_{part}_ms"), histogram.value_at_quantile(quantile) as f64 / 1e6);
        }
    }

    /// A number that was noted under a name.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.0.get(name)?.as_f64()
    }

    /// What was noted under a name; empty if nothing was.
    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

/// A number of the median run of a server in a scenario; `None`: not measured.
pub fn figure(reports: &[Report], scenario: &str, label: &str, key: &str) -> Option<f64> {
    median(&values(reports.iter().filter(|r| r.text("scenario") == scenario), |l| l == label, key))
}

/// The same of the scenario's floor.
pub fn floor(reports: &[Report], scenario: &str, key: &str) -> Option<f64> {
    median(&values(reports.iter().filter(|r| r.text("scenario") == scenario), is_floor, key))
}

fn is_floor(label: &str) -> bool {
    label.starts_with("floor")
}

/// In order, of the runs whose label is meant.
fn values<'a>(runs: impl Iterator<Item = &'a Report>, label: impl Fn(&str) -> bool, key: &str) -> Vec<f64> {
    let runs = runs.filter(|run| label(run.text("label")));
    let mut values: Vec<f64> = runs.filter_map(|run| run.number(key)).collect();
    values.sort_by(f64::total_cmp);
    values
}

/// An empty one.
pub fn base(label: &str, scenario: &str) -> Report {
    let mut report = Report::default();
    report.set("label", label);
    report.set("scenario", scenario);
    report
}

/// What floors are measured in.
const BESIDE_THE_FLOOR: [&str; 5] =
    ["server_us_per_delivery", "acks_per_s", "records_per_s", "newest_p50_ms", "middle_p50_ms"];

const COLUMNS: &[(&str, &str)] = &[
    ("server_us_per_delivery", "CPU µs a delivery"),
    ("server_us_per_publish", "CPU µs a publish"),
    ("acks_per_s", "acks/s"),
    ("records_per_s", "records/s"),
    ("newest_p50_ms", "newest 50, p50 ms"),
    ("newest_p99_ms", "p99 ms"),
    ("middle_p50_ms", "50 in the middle, p50 ms"),
    ("middle_p99_ms", "p99 ms"),
    ("search_p50_ms", "search, p50 ms"),
    ("search_p99_ms", "p99 ms"),
    ("page_p50_ms", "room page's first byte, p50 ms"),
    ("page_p99_ms", "p99 ms"),
    ("deliveries_per_s", "deliveries/s"),
    ("latency_p50_ms", "p50 ms"),
    ("latency_p99_ms", "p99 ms"),
    ("ack_p50_ms", "ack p50 ms"),
    ("ack_p99_ms", "ack p99 ms"),
    ("frames_per_read", "frames a read"),
    ("rss_per_conn_kib", "KiB a connection"),
    ("server_us_per_connect", "CPU µs a connect"),
    ("idle_server_cores", "cores at rest"),
    ("rss_mib", "MiB in all"),
    ("server_cores", "server cores"),
    ("loadgen_cores", "load's cores"),
    ("others_cores", "others' cores"),
    ("missed", "missed"),
    ("duplicate", "doubled"),
    ("out_of_order", "disordered"),
    ("publish_failed", "failed"),
];

/// A table for each scenario: a row for each server, each cell `median (least–most)` over the repeats, and against the
/// floor where there is one.
pub fn tables(reports: &[Report]) -> String {
    let mut scenarios: Vec<&str> = vec![];
    for report in reports {
        if !scenarios.contains(&report.text("scenario")) {
            scenarios.push(report.text("scenario"));
        }
    }
    let mut text = String::new();
    for scenario in scenarios {
        let of: Vec<_> = reports.iter().filter(|report| report.text("scenario") == scenario).collect();
        let columns: Vec<_> =
            COLUMNS.iter().filter(|(key, _)| of.iter().any(|report| report.0.contains_key(*key))).collect();
        let heads: Vec<_> = columns.iter().map(|(_, name)| *name).collect();
        let _ = writeln!(
            text,
            "\n### {scenario}\n\n| | runs | {} |\n|---|---{}|",
            heads.join(" | "),
            "|---".repeat(heads.len())
        );
        let mut labels: Vec<&str> = vec![];
        for report in &of {
            if !labels.contains(&report.text("label")) {
                labels.push(report.text("label"));
            }
        }
        for label in &labels {
            let runs = of.iter().filter(|report| report.text("label") == *label).count();
            let cells = columns.iter().map(|(key, _)| {
                let values = values(of.iter().copied(), |l| l == *label, key);
                let mut cell = match (median(&values), values.as_slice()) {
                    (None, _) => "–".into(),
                    (Some(median), [least, .., most]) if least != most => format!("{median} ({least}–{most})"),
                    (Some(median), _) => format!("{median}"),
                };
                let floor = median(&values_of_floor(&of, key));
                if let (true, Some(median), Some(floor)) = (BESIDE_THE_FLOOR.contains(key), median(&values), floor)
                    && floor > 0.0
                {
                    let _ = write!(cell, ", {:.2} × the floor", median / floor);
                }
                cell
            });
            let cells: Vec<_> = cells.collect();
            let _ = writeln!(text, "| {label} | {runs} | {} |", cells.join(" | "));
        }
    }
    text
}

fn values_of_floor(of: &[&Report], key: &str) -> Vec<f64> {
    values(of.iter().copied(), is_floor, key)
}

fn median(sorted: &[f64]) -> Option<f64> {
    sorted.get(sorted.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::{base, figure, floor, tables};

    #[test]
    fn a_table_has_the_medians_and_what_they_are_of_the_floor() {
        let run = |label: &str, us: f64| {
            let mut report = base(label, "one room");
            report.num("server_us_per_delivery", us);
            report
        };
        let text = tables(&[run("floor", 2.0), run("ours", 3.0), run("ours", 5.0), run("ours", 2.5)]);
        assert!(text.contains("| ours | 3 | 3 (2.5–5), 1.50 × the floor |"), "{text}");
        assert!(text.contains("| floor | 1 | 2, 1.00 × the floor |"), "{text}");
    }

    #[test]
    fn acknowledgements_are_compared_with_the_floor_too_and_what_it_has_not_is_not() {
        let run = |label: &str, acks: f64| {
            let mut report = base(label, "publishing");
            report.num("acks_per_s", acks);
            report.num("ack_p50_ms", 2.0);
            report
        };
        let reports = [run("floor: SQLite alone", 1000.0), run("ours", 700.0)];
        let text = tables(&reports);
        assert!(text.contains("| ours | 1 | 700, 0.70 × the floor | 2 |"), "{text}");
        assert_eq!(floor(&reports, "publishing", "acks_per_s"), Some(1000.0));
        assert_eq!(figure(&reports, "publishing", "ours", "acks_per_s"), Some(700.0));
        assert_eq!(figure(&reports, "publishing", "theirs", "acks_per_s"), None);
    }
}
