//! What came of it, for people: on the terminal and as a row of a table.

use crate::{
    crash::Folder,
    oracle::{Promise, Verdict},
    run::{Recovery, Report},
    storm,
};
use anyhow::Context;
use std::{fmt::Write as _, fs, io::ErrorKind, path::Path, time::Duration};

/// The table's head.
pub const HEAD: &str = "\
| faults | rounds | acknowledged | shown | lost | doubled | moved | inverted | holes | phantoms | leaks | disagreements | recovery p50 | recovery max | command |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|
";

/// The head of the table of kills.
pub const CRASH_HEAD: &str = "\
| embedded | kills | acknowledged | shown | lost | doubled | moved | inverted | holes | phantoms | leaks | disagreements | command |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|
";

/// The head of the table of storms.
pub const STORM_HEAD: &str = "\
| resumes at once | rooms | half served | all served | store queries | lost | doubled | moved | inverted | holes | phantoms | leaks | disagreements | command |
|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|
";

/// Middle and most of some times, in seconds.
fn spread(times: impl Iterator<Item = Duration>) -> Option<(f64, f64)> {
    let mut times: Vec<f64> = times.map(|time| time.as_secs_f64()).collect();
    times.sort_by(f64::total_cmp);
    Some((*times.get(times.len() / 2)?, *times.last()?))
}

/// For the terminal.
pub fn text(report: &Report) -> String {
    let mut out = format!("{}\n\n", report.verdict);
    let line = "kind             rounds   posted p50 / max    shown p50 / max   all well p50 / max";
    let _ = writeln!(out, "{line}");
    for (kind, recoveries) in &report.recoveries {
        let of = |part: fn(&Recovery) -> Duration| {
            let (middle, most) = spread(recoveries.iter().map(part)).unwrap_or_default();
            format!("{middle:7.2} / {most:6.2} s")
        };
        let (posted, shown, all) = (of(|r| r.posted), of(|r| r.shown), of(|r| r.all));
        let _ = writeln!(out, "{kind:<16} {:>6} {posted:>18} {shown:>18} {all:>18}", recoveries.len());
    }
    for late in &report.late {
        let _ = writeln!(out, "late: {late}");
    }
    let _ = write!(out, "\n{} rounds in {:.0} s", report.rounds, report.took.as_secs_f64());
    out
}

/// A row of the table. `name`: what was broken; `command`: how to do it again.
pub fn row(report: &Report, name: &str, command: &str) -> String {
    let verdict = &report.verdict;
    let all = report.recoveries.values().flatten().map(|recovery| recovery.all);
    let (middle, most) = spread(all).unwrap_or_default();
    let mut row = format!("| {name} | {} | {} | {} |", report.rounds, verdict.acknowledged, verdict.shown);
    row += &broken(&[verdict]);
    let _ = writeln!(row, " {middle:.2} s | {most:.2} s | `{command}` |");
    row
}

/// A cell for each promise.
fn broken(verdicts: &[&Verdict]) -> String {
    let count = |promise| verdicts.iter().map(|verdict| verdict.count(promise)).sum::<u64>();
    Promise::ALL.iter().map(|promise| format!(" {} |", count(*promise))).collect()
}

/// How the kills went, for the terminal.
pub fn crashes(folders: &[Folder]) -> String {
    let (kills, acknowledged) = of_all(folders);
    let good = folders.iter().all(|folder| folder.verdict.is_good());
    format!("{kills} kills, {acknowledged} acknowledged, {}", if good { "all there" } else { "NOT all as it must be" })
}

fn of_all(folders: &[Folder]) -> (u32, u64) {
    folders.iter().fold((0, 0), |(kills, sum), folder| (kills + folder.kills, sum + folder.verdict.acknowledged))
}

/// A row of the table of kills.
pub fn crash_row(folders: &[Folder], name: &str, command: &str) -> String {
    let (kills, acknowledged) = of_all(folders);
    let verdicts: Vec<&Verdict> = folders.iter().map(|folder| &folder.verdict).collect();
    let shown: u64 = verdicts.iter().map(|verdict| verdict.shown).sum();
    format!("| {name} | {kills} | {acknowledged} | {shown} |{} `{command}` |\n", broken(&verdicts))
}

/// How the storm went, for the terminal.
pub fn storm(report: &storm::Report) -> String {
    format!(
        "{}\n{} resumes over {} rooms: half served after {:.2} s, all after {:.2} s, {} store queries",
        report.verdict,
        report.sockets,
        report.rooms,
        report.half.as_secs_f64(),
        report.all.as_secs_f64(),
        report.store_queries
    )
}

/// A row of the table of storms.
pub fn storm_row(report: &storm::Report, command: &str) -> String {
    format!(
        "| {} | {} | {:.2} s | {:.2} s | {} |{} `{command}` |\n",
        report.sockets,
        report.rooms,
        report.half.as_secs_f64(),
        report.all.as_secs_f64(),
        report.store_queries,
        broken(&[&report.verdict])
    )
}

/// Puts a row into the table with this head in a file of Markdown: in place of the row that begins like it, else as the
/// last. Without such a table one is added.
///
/// # Errors
/// The file cannot be written.
pub fn append(file: &Path, head: &str, row: &str) -> anyhow::Result<()> {
    let before = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(e) if e.kind() == ErrorKind::NotFound => String::new(),
        Err(e) => return Err(e).with_context(|| format!("reading {}", file.display())),
    };
    fs::write(file, with_row(&before, head, row)).with_context(|| format!("writing {}", file.display()))
}

fn with_row(before: &str, head: &str, row: &str) -> String {
    let Some(begin) = before.find(head).map(|at| at + head.len()) else {
        let between = if before.trim_end().is_empty() { "" } else { "\n\n" };
        return format!("{}{between}{head}{row}", before.trim_end());
    };
    let rest = &before[begin..];
    let length = rest.split_inclusive('\n').take_while(|line| line.starts_with('|')).map(str::len).sum();
    let (rows, after) = rest.split_at(length);
    let name = |line: &str| line.split('|').nth(1).map(str::to_owned);
    let mut rows: Vec<&str> = rows.split_inclusive('\n').collect();
    match rows.iter().position(|line| name(line) == name(row)) {
        Some(same) => rows[same] = row,
        None => rows.push(row),
    }
    format!("{}{}{after}", &before[..begin], rows.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_goes_to_its_table_and_takes_the_place_of_the_one_before() {
        let (head, other) = ("| a | b |\n|---|---|\n", "| x |\n|---|\n");
        let text = with_row("# Title\n", head, "| one | 1 |\n");
        let text = with_row(&text, other, "| y |\n");
        let text = with_row(&text, head, "| two | 2 |\n");
        let text = with_row(&text, head, "| one | 3 |\n");
        assert_eq!(text, format!("# Title\n\n{head}| one | 3 |\n| two | 2 |\n\n{other}| y |\n"));
    }
}
