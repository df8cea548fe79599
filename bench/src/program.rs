//! Partylines of this run's own: started on empty data, ended afterwards.

use crate::database;
use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    env,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use uuid::Uuid;

/// A store of ten million messages is looked at before it serves.
const READY_WITHIN: Duration = Duration::from_secs(120);
/// How long it may take to end, which writes what waits.
const GONE_WITHIN: Duration = Duration::from_secs(60);

/// Where its log and store are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// SQLite, in a folder of its own.
    Embedded,
    /// The services that `end2end/services env` names.
    Cluster,
}

impl Mode {
    /// What one node of it is called in the tables.
    pub fn label(self) -> &'static str {
        match self {
            Self::Embedded => "Partyline, embedded",
            Self::Cluster => "Partyline, one node of a cluster",
        }
    }
}

/// Data that nodes serve: outlives each of them, and is gone with this value.
pub struct Place {
    program: PathBuf,
    data: tempfile::TempDir,
    services: Option<Services>,
}

/// What the nodes of a cluster share.
struct Services {
    kafka: String,
    redis: String,
    /// The server, with a database that is always there.
    postgres: String,
    /// Of the topic, the Redis keys and the database.
    name: String,
    secret: String,
}

impl Services {
    fn database(&self) -> Result<String> {
        let (start, _) = self.postgres.rsplit_once('/').context("a database's address ends with its name")?;
        Ok(format!("{start}/{}", self.name))
    }
}

impl Place {
    /// Nothing yet, for the nodes of `program`.
    ///
    /// # Errors
    /// In cluster mode, if the services are not named or give no database.
    pub fn new(program: &Path, mode: Mode) -> Result<Self> {
        let services = match mode {
            Mode::Embedded => None,
            Mode::Cluster => {
                let name = format!("bench_{}", Uuid::new_v4().simple());
                let postgres = given("PARTYLINE_TEST_DATABASE_URL")?;
                database::psql(&postgres, &format!("create database {name}"))?;
                let (kafka, redis) = (given("PARTYLINE_TEST_KAFKA_BROKERS")?, given("PARTYLINE_TEST_REDIS_URL")?);
                Some(Services { kafka, redis, postgres, name, secret: Uuid::new_v4().simple().to_string() })
            }
        };
        Ok(Self { program: program.into(), data: tempfile::tempdir()?, services })
    }

    /// The folder with `log.db` and `store.db` in embedded mode.
    pub fn folder(&self) -> &Path {
        self.data.path()
    }

    /// The address of the store in cluster mode.
    ///
    /// # Errors
    /// In embedded mode, which has none.
    pub fn database(&self) -> Result<String> {
        self.services.as_ref().context("no database in embedded mode")?.database()
    }

    /// Starts a node and waits until it is ready. Embedded mode takes one at a time.
    ///
    /// # Errors
    /// If it ends at once or is not ready in time.
    pub fn start(&self) -> Result<Program> {
        let mut program = self.begin("web,persist,relay")?;
        program.ready()?;
        Ok(program)
    }

    /// Starts a node with these roles, and does not wait.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn begin(&self, roles: &str) -> Result<Program> {
        let addr = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut command = Command::new(&self.program);
        command
            .arg("serve")
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .env("PARTYLINE_LISTEN", addr.to_string())
            .env("PARTYLINE_DATA_DIR", self.folder())
            .env("PARTYLINE_MESSAGES_PER_SECOND", "0")
            .env("PARTYLINE_ROLES", roles)
            .env("RUST_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        if let Some(site) = env::var_os("LEPTOS_SITE_ROOT") {
            command.env("LEPTOS_SITE_ROOT", site);
        }
        if let Some(services) = &self.services {
            command
                .env("KAFKA_BROKERS", &services.kafka)
                .env("REDIS_URL", &services.redis)
                .env("DATABASE_URL", services.database()?)
                .env("JWT_SECRET", &services.secret)
                .env("PARTYLINE_NAMESPACE", &services.name);
        }
        let child = command.spawn().with_context(|| format!("{} cannot be started", self.program.display()))?;
        Ok(Program { child, addr })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(Services { postgres, name, kafka, .. }) = &self.services else { return };
        let _ = database::psql(postgres, &format!("drop database if exists {name} with (force)"));
        // Hundreds of partitions that nobody reads any more slow the broker down.
        let _ = crate::floor::kafka::remove_topics(kafka, &format!("{name}.*"));
    }
}

/// A running node. Ends with this value.
pub struct Program {
    child: Child,
    /// Where it listens.
    pub addr: SocketAddr,
}

impl Program {
    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it is ready.
    ///
    /// # Errors
    /// If it ends or is not ready in time.
    pub fn ready(&mut self) -> Result<()> {
        let began = Instant::now();
        while began.elapsed() < READY_WITHIN {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended at once: {status}");
            }
            let answers = TcpStream::connect(self.addr).is_ok();
            if answers && crate::http::status(self.addr, "/readyz").is_ok_and(|status| status == 200) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("the server was not ready after {READY_WITHIN:?}")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Some(pid) = Pid::from_raw(self.child.id() as i32) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let began = Instant::now();
        while began.elapsed() < GONE_WITHIN {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A setting of `end2end/services env`.
///
/// # Errors
/// If it is not there.
pub fn given(name: &str) -> Result<String> {
    env::var(name).with_context(|| format!("{name} is not set: eval \"$(end2end/services env)\" first"))
}
