//! An installation of one's own, of either kind; nodes of it in this process or
//! in processes that can be killed.

use super::{PATIENCE, setting};
use chaos::proxy::Proxy;
use server::{
    Server,
    config::{Config, DatabaseConfig, KafkaConfig, Mode, Part, RedisConfig, Secret},
    log::kafka::KafkaLog,
};
use sqlx::{Connection, PgConnection};
use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener},
    process::{Child, Command, Stdio},
    sync::OnceLock,
};
use tempfile::TempDir;

/// The two modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Embedded,
    Cluster,
}

/// Few, so that one broker carries the topics of many tests.
const PARTITIONS: u32 = 4;
pub const JWT_SECRET: &str = "a secret of the tests, 32 bytes or more";

/// Data of its own: a folder, or a topic, a database and a key prefix.
pub struct Installation {
    pub mode: Mode,
    _dir: Option<TempDir>,
}

impl Installation {
    pub async fn new(kind: Kind) -> Self {
        match kind {
            Kind::Embedded => {
                let dir = tempfile::tempdir().unwrap();
                let mode = Mode::Embedded { data_dir: dir.path().join("data") };
                Self { mode, _dir: Some(dir) }
            }
            Kind::Cluster => Self::on(setting("PARTYLINE_TEST_KAFKA_BROKERS")).await,
        }
    }

    /// A cluster on other brokers than the tests share.
    pub async fn on(brokers: String) -> Self {
        let namespace = format!("test-{}", uuid::Uuid::new_v4().simple());
        let kafka = KafkaConfig { brokers, namespace: namespace.clone(), ca: None, identity: None, sasl: None };
        let database = DatabaseConfig { url: fresh_database(&namespace).await, ca: None, identity: None };
        let redis = RedisConfig { url: setting("PARTYLINE_TEST_REDIS_URL").into(), namespace, ca: None };
        // Makes the topic, smaller than a node would.
        drop(KafkaLog::connect(&kafka, PARTITIONS).await.unwrap());
        Self { mode: Mode::Cluster { kafka, redis, database }, _dir: None }
    }

    pub fn config(&self) -> Config {
        Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            public_urls: Vec::new(),
            mode: self.mode.clone(),
            parts: BTreeSet::from([Part::Web, Part::Persist, Part::Relay]),
            messages_per_second: 0,
            jwt_secret: Some(JWT_SECRET.to_owned().into()),
            jwt_secret_previous: None,
        }
    }

    /// The settings of a process that takes on these parts only.
    pub fn config_of(&self, parts: &[Part]) -> Config {
        Config { parts: parts.iter().copied().collect(), ..self.config() }
    }

    /// A node in this process.
    pub async fn start(&self) -> Node {
        self.start_with(self.config()).await
    }

    pub async fn start_with(&self, config: Config) -> Node {
        server::telemetry::init_quiet_log();
        Node::new(Server::start(config).await.expect("the node starts"))
    }

    /// The same data, reached another way.
    pub fn by(&self, change: impl FnOnce(&mut Mode)) -> Self {
        let mut mode = self.mode.clone();
        change(&mut mode);
        Self { mode, _dir: None }
    }

    /// The same data, Redis reached through a proxy.
    pub async fn behind_redis_proxy(&self) -> (Proxy, Self) {
        let Mode::Cluster { redis, .. } = &self.mode else { unreachable!("a cluster") };
        let (proxy, through) = Proxy::in_url(redis.url.expose()).await.unwrap();
        let changed = self.by(|mode| {
            let Mode::Cluster { redis, .. } = mode else { unreachable!("a cluster") };
            redis.url = through.into();
        });
        (proxy, changed)
    }

    /// The same data, PostgreSQL reached through a proxy.
    pub async fn behind_database_proxy(&self) -> (Proxy, Self) {
        let Mode::Cluster { database, .. } = &self.mode else { unreachable!("a cluster") };
        let (proxy, through) = Proxy::in_url(database.url.expose()).await.unwrap();
        let changed = self.by(|mode| {
            let Mode::Cluster { database, .. } = mode else { unreachable!("a cluster") };
            database.url = through.into();
        });
        (proxy, changed)
    }

    /// A node in a process of its own.
    pub fn spawn(&self, listen: SocketAddr) -> Process {
        Process::start(&self.mode, listen, &[])
    }

    /// The same, with more settings.
    pub fn spawn_with(&self, listen: SocketAddr, settings: &[(&str, &str)]) -> Process {
        Process::start(&self.mode, listen, settings)
    }
}

async fn fresh_database(name: &str) -> Secret {
    let url = setting("PARTYLINE_TEST_DATABASE_URL");
    let mut connection = PgConnection::connect(&url).await.expect("PostgreSQL is there");
    sqlx::query(sqlx::AssertSqlSafe(format!("create database \"{name}\""))).execute(&mut connection).await.unwrap();
    let (before, _) = url.rsplit_once('/').expect("the address names a database");
    format!("{before}/{name}").into()
}

/// A running node of this process.
pub struct Node {
    pub server: Server,
    pub base: String,
}

impl Node {
    fn new(server: Server) -> Self {
        let base = format!("http://{}", server.address());
        Self { server, base }
    }
}

/// One node a mode that many tests share: each makes its own rooms and people.
pub fn shared(kind: Kind) -> &'static str {
    static NODES: [OnceLock<String>; 2] = [const { OnceLock::new() }; 2];
    NODES[kind as usize].get_or_init(|| {
        let (told, hear) = std::sync::mpsc::sync_channel(1);
        // A runtime of its own, since each test's runtime ends with the test.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async {
                let installation = Installation::new(kind).await;
                let node = installation.start().await;
                told.send(node.base.clone()).unwrap();
                std::future::pending::<()>().await;
            });
        });
        hear.recv_timeout(PATIENCE * 2).expect("the shared node starts")
    })
}

/// A port that is free just now.
pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A node in a process of its own; killed when dropped.
pub struct Process {
    child: Child,
    pub base: String,
}

/// The program, told where the data is.
pub fn program(mode: &Mode) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_partyline"));
    match mode {
        Mode::Embedded { data_dir } => {
            command.env("PARTYLINE_DATA_DIR", data_dir);
            for name in ["KAFKA_BROKERS", "REDIS_URL", "DATABASE_URL"] {
                command.env_remove(name);
            }
        }
        Mode::Cluster { kafka, redis, database } => {
            command
                .env("PARTYLINE_NAMESPACE", &kafka.namespace)
                .env("KAFKA_BROKERS", &kafka.brokers)
                .env("REDIS_URL", redis.url.expose())
                .env("DATABASE_URL", database.url.expose());
        }
    }
    command
}

impl Process {
    fn start(mode: &Mode, listen: SocketAddr, settings: &[(&str, &str)]) -> Self {
        let mut command = program(mode);
        command
            .env("PARTYLINE_LISTEN", listen.to_string())
            .env("JWT_SECRET", JWT_SECRET)
            .env("PARTYLINE_MESSAGES_PER_SECOND", "0")
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        command.envs(settings.iter().copied());
        let mut child = command.spawn().expect("the program starts");
        // It prints where it is once it listens.
        let out = BufReader::new(child.stdout.take().unwrap());
        let ready = out.lines().map_while(Result::ok).any(|line| line.contains("listening"));
        assert!(ready, "the program ended before it listened");
        Self { child, base: format!("http://{listen}") }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal: `STOP`, `CONT`, `TERM`.
    pub fn signal(&self, name: &str) {
        super::signal(&self.child, name);
    }

    /// Whether it has ended, and well.
    pub fn ended(&mut self) -> Option<bool> {
        self.child.try_wait().unwrap().map(|status| status.success())
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
