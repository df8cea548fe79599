//! `partyline`: the command.

use anyhow::Context;
use clap::{Parser, Subcommand};
use server::{
    Server,
    config::{Config, Mode, Settings},
};
use std::io::Write;

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
    /// Print the API's description (OpenAPI 3.1).
    Openapi,
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the runtime")?;
    match cli.command {
        None => runtime.block_on(serve(cli.serve.check()?)),
        Some(Command::Serve(settings)) => runtime.block_on(serve(settings.check()?)),
        Some(Command::Migrate(settings)) => runtime.block_on(migrate(settings.check()?)),
        Some(Command::Openapi) => {
            println!("{}", server::http::OPENAPI);
            Ok(())
        }
    }
}

async fn serve(config: Config) -> anyhow::Result<()> {
    server::telemetry::init_log();
    let data = match &config.mode {
        Mode::Embedded { data_dir } => Some(data_dir.clone()),
        Mode::Cluster { .. } => None,
    };
    let server = Server::start(config).await?;
    announce(&server, data.as_deref());
    stop_signal().await?;
    tracing::info!("stopping: clients are asked to come back elsewhere");
    server.shutdown().await;
    Ok(())
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
async fn migrate(config: Config) -> anyhow::Result<()> {
    server::telemetry::init_log();
    match &config.mode {
        Mode::Embedded { data_dir } => {
            std::fs::create_dir_all(data_dir).context("making the data folder")?;
            drop(server::store::sqlite::SqliteStore::open(data_dir).await?);
        }
        Mode::Cluster { database, .. } => drop(server::store::postgres::PostgresStore::connect(database).await?),
    }
    println!("the store's schema is up to date");
    Ok(())
}
