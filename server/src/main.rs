//! `partyline`: the command.

use anyhow::Context;
use app::model::SessionId;
use clap::{Args, Parser, Subcommand};
use server::{
    Server,
    config::{BadConfig, Config, Mode, Settings},
    operator::{self, Sources, admin::Letter, doctor, epoch::Declared},
    store::{Revived, Upkeep},
};
use std::{fmt::Display, io::Write, process::ExitCode};

/// Thousands of small pieces that come and go, from many threads: the system's allocator takes more time and three times
/// the memory for them. SQLite and librdkafka use it too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A chat for teams that run it themselves.
#[derive(Parser)]
#[command(name = "partyline", version, about, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Settings,
}

#[derive(Subcommand)]
enum Command {
    /// Run a node: pages, API, sockets and the pipeline. The default.
    Serve(Settings),
    /// Bring the store's schema up to date, then end.
    Migrate(Settings),
    /// Look at everything that a node needs, and say what to do. Ends with 1 if there is a problem.
    Doctor(DoctorArgs),
    /// Prove that log, archive, rings and projections agree, beside serving nodes. Ends with 1 if they do not, with 2 if
    /// something cannot be asked.
    Audit(AuditArgs),
    /// Make messages, reactions, pins and members what the archive says, beside serving nodes.
    Rebuild(RebuildArgs),
    /// Dead letters, administrators, sessions, passwords.
    Admin(AdminArgs),
    /// Print the API's description (OpenAPI 3.1).
    Openapi,
}

#[derive(Args)]
struct DoctorArgs {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Declare that the log was lost or recreated: the store goes on with the log that is there now, from its beginning.
    /// What the store has stays and comes before. Refused while store and log belong together.
    #[arg(long)]
    new_epoch: bool,
    /// Let the store go on behind what the log has forgotten before it was folded. Refused if nothing was.
    #[arg(long, conflicts_with = "new_epoch")]
    skip_lost: bool,
    /// With --new-epoch or --skip-lost: do it. Without it they say what they would do.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Args)]
struct AuditArgs {
    /// Only this room, by id or slug.
    #[arg(long)]
    room: Option<String>,
    /// Give events that the version before has written their digests, from the log as far as it goes back.
    #[arg(long)]
    fill: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Args)]
struct RebuildArgs {
    /// Only this room, by id or slug.
    #[arg(long)]
    room: Option<String>,
    /// First put the archive right from the log, as far as the log goes back.
    #[arg(long)]
    from_log: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Args)]
struct AdminArgs {
    #[command(subcommand)]
    command: Admin,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Subcommand)]
enum Admin {
    /// Records that could not be folded.
    #[command(subcommand)]
    DeadLetters(DeadLetters),
    /// Make somebody an administrator.
    #[command(name = "make-admin")]
    Promote {
        /// Their user name.
        user: String,
    },
    /// End every session of somebody: they are signed out everywhere.
    RevokeSessions {
        /// Their user name.
        user: String,
    },
    /// Give somebody a new password, printed once, and sign them out everywhere.
    ResetPassword {
        /// Their user name.
        user: String,
    },
}

#[derive(Subcommand)]
enum DeadLetters {
    /// Show them all: partition/position, when, why.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Try one again, when what it needs is there by now: it comes to its own place in the history.
    Retry {
        /// As `list` shows it, like 3/1.42.
        letter: Letter,
    },
    /// Forget one for ever.
    Discard {
        /// As `list` shows it, like 3/1.42.
        letter: Letter,
    },
}

fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the runtime")?;
    let done = match cli.command {
        None => runtime.block_on(serve(cli.serve.check()?)),
        Some(Command::Serve(settings)) => runtime.block_on(serve(settings.check()?)),
        Some(Command::Migrate(settings)) => runtime.block_on(migrate(settings.check()?)),
        Some(Command::Doctor(args)) => runtime.block_on(doctor(args)),
        Some(Command::Audit(args)) => Ok(runtime.block_on(audit(args)).unwrap_or_else(|e| {
            eprintln!("Error: {e:?}");
            ExitCode::from(2)
        })),
        Some(Command::Rebuild(args)) => runtime.block_on(rebuild(args)),
        Some(Command::Admin(args)) => runtime.block_on(admin(args)),
        Some(Command::Openapi) => {
            println!("{}", server::http::OPENAPI);
            Ok(ExitCode::SUCCESS)
        }
    };
    // Clients of services that are away have threads that would be waited for.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    done
}

async fn serve(config: Config) -> anyhow::Result<ExitCode> {
    server::telemetry::init_log();
    let data = match &config.mode {
        Mode::Embedded { data_dir } => Some(data_dir.clone()),
        Mode::Cluster { .. } => None,
    };
    let server = Server::start(config).await?;
    announce(&server, data.as_deref());
    let failed = tokio::select! {
        signal = stop_signal() => signal.map(|()| None)?,
        reason = server.failed() => Some(reason),
    };
    tracing::info!("stopping: clients are asked to come back elsewhere");
    server.shutdown().await;
    match failed {
        None => Ok(ExitCode::SUCCESS),
        Some(reason) => anyhow::bail!(reason),
    }
}

/// For whoever started it by hand: where it is, and how to become its administrator.
fn announce(server: &Server, data: Option<&std::path::Path>) {
    let mut out = std::io::stdout().lock();
    let mut line = |name: &str, value: &str| {
        // Nobody reads it: then nobody misses it.
        let _ = writeln!(out, "  {name:<9} {value}");
    };
    line("Partyline", server.url());
    line("listening", &server.address().to_string());
    line("mode", server.mode());
    if let Some(data) = data {
        let absolute = std::fs::canonicalize(data).unwrap_or_else(|_| data.to_owned());
        line("data", &absolute.display().to_string());
    }
    if let Some(link) = server.admin_link() {
        line("admin", link);
        line("", "open this link once: whoever registers through it runs this installation");
    }
    let _ = out.flush();
}

async fn stop_signal() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Opening a store migrates it.
async fn migrate(config: Config) -> anyhow::Result<ExitCode> {
    server::telemetry::init_log();
    match &config.mode {
        Mode::Embedded { data_dir } => {
            std::fs::create_dir_all(data_dir).context("making the data folder")?;
            drop(server::store::sqlite::SqliteStore::open(data_dir).await?);
        }
        Mode::Cluster { database, .. } => drop(server::store::postgres::PostgresStore::connect(database).await?),
    }
    println!("the store's schema is up to date");
    Ok(ExitCode::SUCCESS)
}

/// A report for people or for programs.
fn print(report: &(impl Display + serde::Serialize), json: bool) -> anyhow::Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(report)?);
    } else {
        println!("{report}");
    }
    Ok(())
}

fn code(good: bool) -> ExitCode {
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn doctor(args: DoctorArgs) -> anyhow::Result<ExitCode> {
    server::telemetry::init_quiet_log();
    let config = match args.settings.check() {
        Ok(config) => config,
        Err(BadConfig(what)) => {
            print(&doctor::Report::of_bad_settings(&what), args.json)?;
            return Ok(ExitCode::FAILURE);
        }
    };
    let declared = match (args.new_epoch, args.skip_lost) {
        (true, _) => operator::epoch::new_epoch(&config, args.yes).await?,
        (_, true) => operator::epoch::skip_lost(&config, args.yes).await?,
        _ => {
            let report = doctor::run(&config).await;
            print(&report, args.json)?;
            return Ok(code(report.is_healthy()));
        }
    };
    match declared {
        Declared::Needed(what) => println!("{what}"),
        Declared::Done(what) => {
            println!("{what}");
            return Ok(ExitCode::SUCCESS);
        }
    }
    Ok(ExitCode::FAILURE)
}

async fn audit(args: AuditArgs) -> anyhow::Result<ExitCode> {
    server::telemetry::init_quiet_log();
    let sources = Sources::open(&args.settings.check()?).await?;
    let scope = operator::audit::Scope { room: args.room, fill: args.fill };
    let report = operator::audit::run(&sources, &scope).await;
    sources.log.close().await;
    let report = report?;
    print(&report, args.json)?;
    Ok(code(report.is_clean()))
}

async fn rebuild(args: RebuildArgs) -> anyhow::Result<ExitCode> {
    server::telemetry::init_quiet_log();
    let sources = Sources::open(&args.settings.check()?).await?;
    let report = operator::rebuild::run(&sources, args.room.as_deref(), args.from_log).await;
    sources.log.close().await;
    let report = report?;
    print(&report, args.json)?;
    Ok(code(report.archive.is_empty()))
}

async fn admin(args: AdminArgs) -> anyhow::Result<ExitCode> {
    server::telemetry::init_quiet_log();
    let config = args.settings.check()?;
    let store = operator::open_store(&config).await?;
    administer(&config, &*store, args.command).await
}

async fn administer(config: &Config, store: &dyn Upkeep, command: Admin) -> anyhow::Result<ExitCode> {
    use operator::admin;
    match command {
        Admin::DeadLetters(DeadLetters::List { json }) => {
            let letters = admin::dead_letters(store).await?;
            if json {
                println!("{}", serde_json::to_string_pretty(&letters)?);
            } else {
                letters.iter().for_each(|l| println!("{}/{}  {}", l.partition, l.at, l.reason));
                println!("{} dead letters", letters.len());
            }
        }
        Admin::DeadLetters(DeadLetters::Retry { letter }) => match admin::retry(store, letter).await? {
            Revived::Archived => println!("it is in the history now, at its own place"),
            Revived::Vain => println!("it changes nothing any more, and is forgotten"),
            Revived::Refused(why) => anyhow::bail!("it still cannot be applied: {why}"),
            Revived::Unknown => anyhow::bail!("somebody else has dealt with it just now"),
        },
        Admin::DeadLetters(DeadLetters::Discard { letter }) => {
            admin::discard(store, letter).await?;
            println!("it is forgotten");
        }
        Admin::Promote { user } => {
            admin::make_admin(store, &user).await?;
            println!("{user} is an administrator");
        }
        Admin::RevokeSessions { user } => {
            let sessions = admin::revoke_sessions(store, &user).await?;
            println!("{} sessions of {user} are ended", sessions.len());
            tell(config, sessions).await;
        }
        Admin::ResetPassword { user } => {
            // Shown first: whatever fails after it, it is the password now.
            println!("{}", admin::reset_password(store, &user).await?);
            tell(config, admin::revoke_sessions(store, &user).await?).await;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn tell(config: &Config, sessions: Vec<SessionId>) {
    if let Err(e) = operator::admin::tell(config, sessions).await {
        eprintln!("No node was told, each finds out within half a minute: {e:#}");
    }
}
