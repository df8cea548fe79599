//! A Partyline of this run's own: started on empty data, ended afterwards.

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    env,
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use uuid::Uuid;

const READY_WITHIN: Duration = Duration::from_secs(60);

/// Where its log and store are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// SQLite, in a folder of its own.
    Embedded,
    /// The services that `end2end/services env` names.
    Cluster,
}

/// A running server. Ends with this value.
pub struct Program {
    child: Child,
    /// Where it listens.
    pub addr: SocketAddr,
    database: Option<(String, String)>,
    _data: tempfile::TempDir,
}

impl Program {
    /// Starts it and waits until it is ready.
    pub fn start(path: &Path, mode: Mode) -> Result<Self> {
        let data = tempfile::tempdir()?;
        let addr = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut command = Command::new(path);
        command
            .arg("serve")
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .env("PARTYLINE_LISTEN", addr.to_string())
            .env("PARTYLINE_DATA_DIR", data.path())
            .env("PARTYLINE_MESSAGES_PER_SECOND", "0")
            .env("RUST_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        if let Some(site) = env::var_os("LEPTOS_SITE_ROOT") {
            command.env("LEPTOS_SITE_ROOT", site);
        }
        let database = match mode {
            Mode::Embedded => None,
            Mode::Cluster => {
                let name = format!("bench_{}", Uuid::new_v4().simple());
                let services = given("PARTYLINE_TEST_DATABASE_URL")?;
                psql(&services, &format!("create database {name}"))?;
                let (start, _) = services.rsplit_once('/').context("a database's address ends with its name")?;
                command
                    .env("KAFKA_BROKERS", given("PARTYLINE_TEST_KAFKA_BROKERS")?)
                    .env("REDIS_URL", given("PARTYLINE_TEST_REDIS_URL")?)
                    .env("DATABASE_URL", format!("{start}/{name}"))
                    .env("JWT_SECRET", Uuid::new_v4().simple().to_string())
                    .env("PARTYLINE_NAMESPACE", &name);
                Some((services, name))
            }
        };
        let child = command.spawn().with_context(|| format!("{} cannot be started", path.display()))?;
        let mut program = Self { child, addr, database, _data: data };
        program.ready()?;
        Ok(program)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn ready(&mut self) -> Result<()> {
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
        let _ = self.child.wait();
        if let Some((services, name)) = &self.database {
            let _ = psql(services, &format!("drop database if exists {name} with (force)"));
        }
    }
}

fn given(name: &str) -> Result<String> {
    env::var(name).with_context(|| format!("{name} is not set: eval \"$(end2end/services env)\" first"))
}

fn psql(address: &str, statement: &str) -> Result<()> {
    let status = Command::new("psql").args(["--quiet", address, "-c", statement]).status().context("psql")?;
    if !status.success() {
        bail!("{statement}: psql says {status}");
    }
    Ok(())
}
