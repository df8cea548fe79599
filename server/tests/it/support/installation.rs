//! An installation of one's own, of either kind; nodes of it in this process or
//! in processes that can be killed.

use super::{PATIENCE, setting};
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
const JWT_SECRET: &str = "a secret of the tests, 32 bytes or more";

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
            Kind::Cluster => {
                let namespace = format!("test-{}", uuid::Uuid::new_v4().simple());
                let kafka = KafkaConfig {
                    brokers: setting("PARTYLINE_TEST_KAFKA_BROKERS"),
                    namespace: namespace.clone(),
                    ca: None,
                    identity: None,
                    sasl: None,
                };
                let database = DatabaseConfig { url: fresh_database(&namespace).await, ca: None, identity: None };
                let redis = RedisConfig { url: setting("PARTYLINE_TEST_REDIS_URL").into(), namespace, ca: None };
                // Makes the topic, smaller than a node would.
                drop(KafkaLog::connect(&kafka, PARTITIONS).await.unwrap());
                Self { mode: Mode::Cluster { kafka, redis, database }, _dir: None }
            }
        }
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

    /// A node in this process.
    pub async fn start(&self) -> Node {
        self.start_with(self.config()).await
    }

    pub async fn start_with(&self, config: Config) -> Node {
        Node::new(Server::start(config).await.expect("the node starts"))
    }

    /// A node in a process of its own.
    pub fn spawn(&self, listen: SocketAddr) -> Process {
        Process::start(&self.mode, listen)
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

impl Process {
    fn start(mode: &Mode, listen: SocketAddr) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_partyline"));
        command
            .env("PARTYLINE_LISTEN", listen.to_string())
            .env("JWT_SECRET", JWT_SECRET)
            .env("PARTYLINE_MESSAGES_PER_SECOND", "0")
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
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
        let mut child = command.spawn().expect("the program starts");
        // It prints where it is once it listens.
        let out = BufReader::new(child.stdout.take().unwrap());
        let ready = out.lines().map_while(Result::ok).any(|line| line.contains("listening"));
        assert!(ready, "the program ended before it listened");
        Self { child, base: format!("http://{listen}") }
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
