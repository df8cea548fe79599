//! `chaos`: the command.

use anyhow::Context;
use chaos::{
    load::Scale,
    report, run,
    stage::{
        Mode,
        installation::{Paths, empty_dir},
    },
};
use clap::{Args, Parser, Subcommand};
use std::{path::PathBuf, process::ExitCode, time::Duration};

/// Breaks a Partyline on purpose, and judges what became of its promises.
#[derive(Parser)]
#[command(name = "chaos", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Rounds of faults under load, by a plan that the seed decides.
    Run(RunArgs),
    /// Kill the embedded server again and again, at random moments under load.
    Crash(CrashArgs),
    /// Kill a node with many sockets, which all come back at once.
    Storm(StormArgs),
    /// Judge a history that was kept.
    Judge {
        /// The file.
        history: PathBuf,
    },
    /// Replace an older program by this one under load, node by node.
    Upgrade(UpgradeArgs),
}

#[derive(Args, Clone, Debug)]
struct Common {
    /// The program under test.
    #[arg(long, default_value = "target/debug/partyline")]
    partyline: PathBuf,
    /// For everything that is written; emptied first. It stays if a promise was broken.
    #[arg(long, default_value = "target/chaos")]
    history: PathBuf,
    /// Add what came of it to this file, as a row of a table.
    #[arg(long)]
    report: Option<PathBuf>,
    /// What the row is called.
    #[arg(long)]
    row: Option<String>,
}

impl Common {
    fn paths(&self) -> anyhow::Result<Paths> {
        let root = std::env::current_dir().context("the folder that we are in")?;
        anyhow::ensure!(root.join("end2end/services").exists(), "run this in the project's folder");
        let program = std::path::absolute(&self.partyline)?;
        anyhow::ensure!(program.exists(), "{} is not there: cargo build -p server", program.display());
        let dir = std::path::absolute(&self.history)?;
        empty_dir(&dir)?;
        Ok(Paths { root, program, dir })
    }
}

#[derive(Args, Clone, Debug)]
struct RunArgs {
    #[command(flatten)]
    common: Common,
    /// Decides the plan; printed, so that it can be run again. Not given: chosen.
    #[arg(long)]
    seed: Option<u64>,
    /// So many rounds.
    #[arg(long)]
    rounds: Option<u32>,
    /// No round begins later than this; 2 if neither is given.
    #[arg(long)]
    minutes: Option<f64>,
    /// Which kind of installation.
    #[arg(long, value_enum, default_value = "cluster")]
    mode: Mode,
    /// Only these kinds of fault.
    #[arg(long, value_delimiter = ',', value_parser = clap::builder::PossibleValuesParser::new(chaos::fault::KINDS))]
    only: Vec<String>,
    /// Rooms.
    #[arg(long, default_value_t = 4)]
    rooms: u32,
    /// Writers, each of which waits for its answer.
    #[arg(long, default_value_t = 16)]
    writers: u32,
    /// Watchers, each of every room.
    #[arg(long, default_value_t = 3)]
    watchers: u32,
    /// Messages a second that the writers try for together; 0: as many as are taken.
    #[arg(long, default_value_t = 300)]
    per_second: u32,
    /// Have the program break a promise: it has to be built with `--features sabotage`. Then the oracle must see it.
    #[arg(long = "break")]
    sabotage: Option<String>,
}

#[derive(Args, Clone, Debug)]
struct CrashArgs {
    #[command(flatten)]
    common: Common,
    /// Decides the moments. Not given: chosen.
    #[arg(long)]
    seed: Option<u64>,
    /// How often.
    #[arg(long, default_value_t = 1000)]
    times: u32,
    /// Writers, each of which waits for its answer.
    #[arg(long, default_value_t = 8)]
    writers: u32,
}

#[derive(Args, Clone, Debug)]
struct StormArgs {
    #[command(flatten)]
    common: Common,
    /// Decides who goes where. Not given: chosen.
    #[arg(long)]
    seed: Option<u64>,
    /// How many. Each needs a file descriptor here and one in a node: `ulimit -n`.
    #[arg(long, default_value_t = 3000)]
    sockets: usize,
    /// Over how many rooms.
    #[arg(long, default_value_t = 10)]
    rooms: u32,
}

#[derive(Args, Clone, Debug)]
struct UpgradeArgs {
    #[command(flatten)]
    common: Common,
    /// Of the load. Not given: chosen.
    #[arg(long)]
    seed: Option<u64>,
    /// The older program.
    #[arg(long)]
    previous: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = tokio::select! {
        done = go(cli.command) => done,
        // Everything that was started is ended on the way out.
        () = interrupted() => Err(anyhow::anyhow!("interrupted")),
    };
    done.unwrap_or_else(|e| {
        eprintln!("{e:#}");
        ExitCode::FAILURE
    })
}

async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let wait = async |kind| match signal(kind) {
        Ok(mut signal) => drop(signal.recv().await),
        Err(_) => std::future::pending().await,
    };
    tokio::select! {
        () = wait(SignalKind::interrupt()) => {}
        () = wait(SignalKind::terminate()) => {}
    }
}

async fn go(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Run(arguments) => faults(arguments).await,
        Command::Crash(arguments) => crashes(arguments).await,
        Command::Storm(arguments) => resumes(arguments).await,
        Command::Judge { history } => {
            let found = chaos::oracle::judge(&history)?;
            println!("{found}");
            Ok(if found.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Command::Upgrade(arguments) => upgrade(arguments).await,
    }
}

fn seed(given: Option<u64>) -> u64 {
    let seed = given.unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0 >> 12);
    eprintln!("seed {seed}");
    seed
}

async fn faults(arguments: RunArgs) -> anyhow::Result<ExitCode> {
    let seed = seed(arguments.seed);
    let minutes = arguments.minutes.or(arguments.rounds.is_none().then_some(2.0));
    let paths = arguments.common.paths()?;
    let settings = run::Settings {
        seed,
        rounds: arguments.rounds.unwrap_or(u32::MAX),
        time: minutes.map_or(Duration::MAX, |minutes| Duration::from_secs_f64(minutes * 60.0)),
        mode: arguments.mode,
        paths: paths.clone(),
        only: arguments.only.clone(),
        scale: Scale {
            rooms: arguments.rooms,
            writers: arguments.writers,
            watchers: arguments.watchers,
            per_second: arguments.per_second,
        },
        sabotage: arguments.sabotage.clone(),
    };
    let report = run::run(settings).await.with_context(|| format!("seed {seed}; see {}", paths.dir.display()))?;
    let kinds = if arguments.only.is_empty() { "all kinds, mixed".to_owned() } else { arguments.only.join(", ") };
    finish(&arguments.common, seed, &kinds, &report)
}

fn finish(common: &Common, seed: u64, name: &str, report: &run::Report) -> anyhow::Result<ExitCode> {
    println!("seed {seed}\n{}", report::text(report));
    if let Some(file) = &common.report {
        let name = common.row.as_deref().unwrap_or(name);
        report::append(file, report::HEAD, &report::row(report, name, &command_line(seed)))?;
    }
    verdict(report.verdict.is_good(), &report.history)
}

/// A good history has nothing more to say; another one is kept.
fn verdict(good: bool, history: &std::path::Path) -> anyhow::Result<ExitCode> {
    if good {
        std::fs::remove_file(history).context("removing the history")?;
        return Ok(ExitCode::SUCCESS);
    }
    println!("the history is {}", history.display());
    Ok(ExitCode::FAILURE)
}

async fn upgrade(arguments: UpgradeArgs) -> anyhow::Result<ExitCode> {
    let seed = seed(arguments.seed);
    let paths = arguments.common.paths()?;
    let previous = std::path::absolute(&arguments.previous)?;
    anyhow::ensure!(previous.exists(), "{} is not there", previous.display());
    let settings = run::Settings {
        seed,
        rounds: 0,
        time: Duration::MAX,
        mode: Mode::Cluster,
        paths,
        only: Vec::new(),
        scale: Scale { rooms: 4, writers: 16, watchers: 3, per_second: 200 },
        sabotage: None,
    };
    let report = run::upgrade(settings, previous).await?;
    finish(&arguments.common, seed, "an older program replaced, node by node", &report)
}

async fn crashes(arguments: CrashArgs) -> anyhow::Result<ExitCode> {
    let seed = seed(arguments.seed);
    let paths = arguments.common.paths()?;
    let scale = Scale { rooms: 2, writers: arguments.writers, watchers: 1, per_second: 0 };
    let begun = std::time::Instant::now();
    let mut kills = 0;
    let folders = chaos::crash::crash(arguments.times, seed, &paths, scale, |folder| {
        kills += folder.kills;
        println!("{kills} kills after {:.0} s\n{}", begun.elapsed().as_secs_f64(), folder.verdict);
    });
    let folders = folders.await?;
    println!("{}", report::crashes(&folders));
    if let Some(file) = &arguments.common.report {
        let name = arguments.common.row.as_deref().unwrap_or("embedded server killed");
        report::append(file, report::CRASH_HEAD, &report::crash_row(&folders, name, &command_line(seed)))?;
    }
    verdict(folders.iter().all(|folder| folder.verdict.is_good()), &paths.dir.join("history.jsonl"))
}

async fn resumes(arguments: StormArgs) -> anyhow::Result<ExitCode> {
    let seed = seed(arguments.seed);
    let paths = arguments.common.paths()?;
    let scale = Scale { rooms: arguments.rooms, writers: arguments.rooms, watchers: 1, per_second: 10 };
    let report = chaos::storm::storm(arguments.sockets, seed, &paths, scale).await?;
    println!("{}", report::storm(&report));
    if let Some(file) = &arguments.common.report {
        report::append(file, report::STORM_HEAD, &report::storm_row(&report, &command_line(seed)))?;
    }
    verdict(report.verdict.is_good(), &report.history)
}

/// How to do it again.
fn command_line(seed: u64) -> String {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    // Where the program is and where the row goes is not what is tried.
    for own in ["--report", "--row", "--history", "--partyline"] {
        if let Some(place) = words.iter().position(|word| word == own) {
            words.drain(place..(place + 2).min(words.len()));
        }
    }
    if !words.iter().any(|word| word.starts_with("--seed")) {
        words.extend(["--seed".to_owned(), seed.to_string()]);
    }
    format!("chaos {}", words.join(" "))
}
