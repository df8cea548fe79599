//! What costs as there is more of it: people in a room, rooms, nodes, messages that a room has. A table and a plot each.

mod bare;
mod fill;
mod history;
mod nodes;
mod rooms;
mod subscribers;
mod text;

use crate::{
    document,
    plot::Plot,
    program::Mode::{Cluster, Embedded},
    report::Report,
};
use anyhow::Result;
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};

/// What is measured, and how far.
#[derive(Args)]
pub struct Growth {
    /// Series; if none is named, all but what needs --cluster
    #[arg(long, value_delimiter = ',')]
    only: Vec<Series>,
    /// All series, those of a cluster too: these are on the services of `end2end/services env`
    #[arg(long, conflicts_with = "only")]
    cluster: bool,
    /// How long a window is
    #[arg(long, default_value_t = 8.0)]
    seconds: f64,
    /// Subscribers and rooms at most
    #[arg(long, default_value_t = 10_000)]
    most: usize,
    /// Messages of the longest history, at most 10,000,000: these take some 15 GB of disk, for each mode in turn
    #[arg(long, default_value_t = 10_000_000)]
    messages: u64,
    /// How often each thing is asked for
    #[arg(long, default_value_t = 200)]
    requests: usize,
    /// The folder of GROWTH.md and of growth/, which has the plots
    #[arg(long, default_value = "end2end")]
    out: PathBuf,
}

/// What becomes more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Series {
    /// Subscribers of one room, 100 to 10,000, at as many deliveries a second
    Subscribers,
    /// Rooms, 1 to 10,000, at as many publishes a second
    Rooms,
    /// Nodes of a cluster, 1 to 3, at the same load
    Nodes,
    /// Messages of a room in SQLite, a thousand to ten million
    History,
    /// The same in a cluster's PostgreSQL
    ClusterHistory,
}

/// A part of the document.
struct Part {
    name: &'static str,
    text: String,
    /// File and picture.
    plots: Vec<(String, Plot)>,
}

/// Measures, and writes each part as soon as it is there.
///
/// # Errors
/// If a server cannot be started, ends, or answers something else than it should.
pub fn run(program: &Path, growth: &Growth) -> Result<()> {
    let wanted = |series| match growth.only.as_slice() {
        [] => growth.cluster || !matches!(series, Series::Nodes | Series::ClusterHistory),
        only => only.contains(&series),
    };
    let put = |part: Part| {
        println!("{}", part.text);
        let pictures: Vec<_> = part.plots.iter().map(|(file, plot)| (file.clone(), plot.svg())).collect();
        document::put(&growth.out, part.name, &part.text, &pictures)
    };
    if wanted(Series::Subscribers) {
        put(subscribers::measure(program, growth.most, growth.seconds)?)?;
    }
    if wanted(Series::Rooms) {
        put(rooms::measure(program, growth.most, growth.seconds)?)?;
    }
    if wanted(Series::Nodes) {
        put(nodes::measure(program, growth.seconds)?)?;
    }
    if wanted(Series::History) {
        put(history::measure(program, Embedded, growth.messages, growth.requests)?)?;
    }
    if wanted(Series::ClusterHistory) {
        put(history::measure(program, Cluster, growth.messages, growth.requests)?)?;
    }
    Ok(())
}

/// Steps up to what is allowed, the first in any case.
fn up_to<T: Copy + PartialOrd>(steps: &[T], most: T) -> Vec<T> {
    let first = steps.first().copied();
    steps.iter().copied().filter(|step| *step <= most || Some(*step) == first).collect()
}

fn said(report: &Report) {
    eprintln!("{}", serde_json::Value::Object(report.0.clone()));
}

/// How a figure looks in a table; a dash if it was not measured.
fn cell(report: &Report, key: &str) -> String {
    report.number(key).map_or_else(|| "–".into(), |value| format!("{value}"))
}

/// Missed, doubled, disordered, failed: what should be nought.
fn wrong(report: &Report) -> String {
    let keys = ["missed", "duplicate", "out_of_order", "publish_failed"];
    let sum: f64 = keys.iter().filter_map(|key| report.number(key)).sum();
    format!("{sum}")
}

/// The heads of [`wrong`].
const WRONG: &str = "missed, doubled, disordered or failed";

/// A line through what reports say, over what there was of it.
fn line(of: &[(f64, Report)], key: &str) -> Vec<(f64, f64)> {
    of.iter().filter_map(|(x, report)| Some((*x, report.number(key)?))).collect()
}

fn picture(file: &str, what: &str) -> String {
    format!("![{what}](growth/{file})")
}

/// How many times the last is of the first.
fn factor(line: &[(f64, f64)]) -> Option<f64> {
    Some(line.last()?.1 / line.first().filter(|first| first.1 > 0.0)?.1)
}
