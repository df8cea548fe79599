//! Kafka, Redis and PostgreSQL of one's own, through `end2end/services`.

use super::free_ports;
use anyhow::{Context, bail};
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// One of the three.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Service {
    /// The log.
    Kafka,
    /// The fan-out.
    Redis,
    /// The store.
    Postgresql,
}

impl Service {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Kafka, Self::Redis, Self::Postgresql];

    /// As `end2end/services` calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kafka => "kafka",
            Self::Redis => "redis",
            Self::Postgresql => "postgresql",
        }
    }
}

/// The three, running; stopped and emptied when dropped.
pub struct Services {
    script: PathBuf,
    settings: Vec<(&'static str, String)>,
    /// `host:port` of Kafka, Redis and PostgreSQL.
    pub addresses: [String; 3],
    /// Ports at which Kafka listens for those who come through a proxy.
    pub doors: Vec<u16>,
    /// `postgres://user:password@`, to be followed by `host:port/database`.
    pub database_login: String,
}

impl Services {
    /// Starts them in a folder, on free ports. Kafka sends whoever comes to a door to the port that belongs to it.
    ///
    /// # Errors
    /// One does not start.
    pub fn start(root: &Path, dir: &Path, advertised: &[u16]) -> anyhow::Result<Self> {
        let names = [
            "PARTYLINE_KAFKA_PORT",
            "PARTYLINE_REDIS_PORT",
            "PARTYLINE_DATABASE_PORT",
            "PARTYLINE_KAFKA_TLS_PORT",
            "PARTYLINE_KAFKA_SASL_PORT",
            "PARTYLINE_KAFKA_CONTROLLER_PORT",
            "PARTYLINE_REDIS_TLS_PORT",
        ];
        let ports = free_ports::<32>()?;
        let doors: Vec<u16> = ports[names.len()..].iter().copied().take(advertised.len()).collect();
        let mut settings: Vec<(&str, String)> =
            names.iter().zip(ports).map(|(name, port)| (*name, port.to_string())).collect();
        let pairs: Vec<String> = doors.iter().zip(advertised).map(|(l, a)| format!("{l}:{a}")).collect();
        settings.push(("PARTYLINE_KAFKA_DOORS", pairs.join(" ")));
        settings.push(("PARTYLINE_SERVICES_DIR", dir.display().to_string()));
        // Fetched once for all who test here.
        let libs = std::env::var_os("PARTYLINE_KAFKA_LIBS").map(PathBuf::from).unwrap_or_else(|| {
            let usual = std::env::var_os("PARTYLINE_SERVICES_DIR").map(PathBuf::from);
            usual.unwrap_or_else(|| root.join("end2end/.services")).join("kafka-libs")
        });
        settings.push(("PARTYLINE_KAFKA_LIBS", libs.display().to_string()));
        let addresses = [0, 1, 2].map(|service| format!("127.0.0.1:{}", ports[service]));
        let mut services =
            Self { script: root.join("end2end/services"), settings, addresses, doors, database_login: String::new() };
        services.run(&["up"])?;
        let password = std::fs::read_to_string(dir.join("password")).context("the database's password")?;
        services.database_login = format!("postgres://partyline:{}@", password.trim());
        Ok(services)
    }

    /// `kill`, `end`, `start`, `pause` or `resume` one of them. Blocks.
    ///
    /// # Errors
    /// It did not work.
    pub fn tell(&self, command: &str, service: Service) -> anyhow::Result<()> {
        self.run(&[command, service.name()])
    }

    /// Keeps a copy of what the database has now. Blocks.
    ///
    /// # Errors
    /// It did not work.
    pub fn keep_database(&self) -> anyhow::Result<()> {
        self.run(&["keep"])
    }

    /// Kills the database and starts it again with the copy. Blocks.
    ///
    /// # Errors
    /// It did not work, or nothing was kept.
    pub fn put_database_back(&self) -> anyhow::Result<()> {
        self.run(&["put-back"])
    }

    /// Gives a topic more partitions. Blocks.
    ///
    /// # Errors
    /// Kafka did not do it.
    pub fn add_partitions(&self, topic: &str, count: u32) -> anyhow::Result<()> {
        self.run(&["partitions", topic, &count.to_string()])
    }

    fn run(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let mut command = Command::new(&self.script);
        command.args(arguments).envs(self.settings.iter().map(|(name, value)| (name, value))).stdin(Stdio::null());
        for given in ["PARTYLINE_TEST_KAFKA_BROKERS", "PARTYLINE_TEST_REDIS_URL", "PARTYLINE_TEST_DATABASE_URL"] {
            command.env_remove(given);
        }
        let output = command.output().with_context(|| format!("{}", self.script.display()))?;
        if !output.status.success() {
            bail!("end2end/services {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        // Nobody needs what they stored: what matters is in the history.
        if let Err(e) = self.run(&["reset"]) {
            eprintln!("{e:#}");
        }
    }
}
