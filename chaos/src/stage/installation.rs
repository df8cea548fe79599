//! Nodes and what they need, each node behind its own proxies.

use super::{Node, Role, Service, Services, free_ports};
use crate::{client::Site, proxy::Proxy};
use anyhow::Context;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::net::TcpListener;

/// Which kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    /// Three nodes, a persister and a relay, on real services.
    Cluster,
    /// One process with its files.
    Embedded,
}

const NODES: [(&str, Role); 5] = [
    ("node 1", Role::All),
    ("node 2", Role::All),
    ("node 3", Role::Web),
    ("persister", Role::Persist),
    ("relay", Role::Relay),
];
/// Same everywhere: a session of one node is good on each.
const SECRET: &str = "a secret of the experiments, 32 bytes or more";
const NAMESPACE: &str = "chaos";

/// Where things are.
#[derive(Clone, Debug)]
pub struct Paths {
    /// The project's folder.
    pub root: PathBuf,
    /// The program under test.
    pub program: PathBuf,
    /// For everything that is written.
    pub dir: PathBuf,
}

/// An installation at work; ended when dropped.
pub struct Installation {
    /// Those that serve people come first, in the order of [`Site::nodes`].
    pub nodes: Vec<Node>,
    /// Of each node, before Kafka, Redis and PostgreSQL. None in embedded mode.
    pub links: Vec<[Proxy; 3]>,
    /// `None` in embedded mode.
    pub services: Option<Arc<Services>>,
    /// The nodes as people see them.
    pub site: Arc<Site>,
    http: reqwest::Client,
}

impl Installation {
    /// Starts everything, in an empty folder.
    ///
    /// # Errors
    /// Something does not start.
    pub async fn start(mode: Mode, paths: &Paths, sabotage: Option<&str>) -> anyhow::Result<Self> {
        let mut installation = match mode {
            Mode::Embedded => Self::embedded(paths, sabotage)?,
            Mode::Cluster => Self::cluster(paths, sabotage).await?,
        };
        for node in &mut installation.nodes {
            node.start(&installation.http).await?;
        }
        Ok(installation)
    }

    fn common(sabotage: Option<&str>) -> Vec<(String, String)> {
        let mut settings = vec![
            ("JWT_SECRET".to_owned(), SECRET.to_owned()),
            ("PARTYLINE_MESSAGES_PER_SECOND".to_owned(), "0".to_owned()),
        ];
        settings.extend(sabotage.map(|what| ("PARTYLINE_SABOTAGE".to_owned(), what.to_owned())));
        settings
    }

    fn embedded(paths: &Paths, sabotage: Option<&str>) -> anyhow::Result<Self> {
        let mut settings = Self::common(sabotage);
        settings.push(("PARTYLINE_DATA_DIR".into(), paths.dir.join("data").display().to_string()));
        let [port] = free_ports()?;
        let node = Node::new("node 1", Role::All, port, &paths.program, settings, &paths.dir);
        Self::of(vec![node], Vec::new(), None)
    }

    async fn cluster(paths: &Paths, sabotage: Option<&str>) -> anyhow::Result<Self> {
        // The proxies before Kafka listen first: Kafka has to know where its clients shall come to.
        let mut kafka_listeners = Vec::new();
        for _ in NODES {
            kafka_listeners.push(TcpListener::bind("127.0.0.1:0").await?);
        }
        let advertised: Vec<u16> =
            kafka_listeners.iter().map(|l| l.local_addr().map(|a| a.port())).collect::<Result<_, _>>()?;
        let (root, dir) = (paths.root.clone(), paths.dir.join("services"));
        let started = tokio::task::spawn_blocking(move || Services::start(&root, &dir, &advertised));
        let services = started.await.context("starting the services")??;
        let ports = free_ports::<{ NODES.len() }>()?;
        let (mut nodes, mut links) = (Vec::new(), Vec::new());
        for (nth, ((name, role), listener)) in NODES.into_iter().zip(kafka_listeners).enumerate() {
            let kafka = Proxy::on(listener, format!("127.0.0.1:{}", services.doors[nth]))?;
            let redis = Proxy::before(services.addresses[Service::Redis as usize].clone()).await?;
            let database = Proxy::before(services.addresses[Service::Postgresql as usize].clone()).await?;
            let mut settings = Self::common(sabotage);
            settings.extend([
                ("PARTYLINE_NAMESPACE".to_owned(), NAMESPACE.to_owned()),
                ("KAFKA_BROKERS".to_owned(), kafka.address.to_string()),
                ("REDIS_URL".to_owned(), format!("redis://{}", redis.address)),
                ("DATABASE_URL".to_owned(), format!("{}{}/partyline", services.database_login, database.address)),
            ]);
            nodes.push(Node::new(name, role, ports[nth], &paths.program, settings, &paths.dir));
            links.push([kafka, redis, database]);
        }
        Self::of(nodes, links, Some(Arc::new(services)))
    }

    fn of(nodes: Vec<Node>, links: Vec<[Proxy; 3]>, services: Option<Arc<Services>>) -> anyhow::Result<Self> {
        let people = nodes.iter().filter(|node| node.role.serves_people()).map(|node| node.base.clone()).collect();
        let site = Arc::new(Site::new(people)?);
        Ok(Self { nodes, links, services, site, http: reqwest::Client::new() })
    }

    /// The topic's name.
    pub fn topic(&self) -> String {
        format!("{NAMESPACE}.events")
    }

    /// Starts what does not run.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start_node(&mut self, index: usize) -> anyhow::Result<()> {
        if self.nodes[index].runs() { Ok(()) } else { self.nodes[index].start(&self.http).await }
    }

    /// Does something with a service, off the threads that serve.
    ///
    /// # Errors
    /// It did not work.
    pub async fn tell(&self, command: &'static str, service: Service) -> anyhow::Result<()> {
        let services = self.services.clone().context("embedded mode has no services")?;
        tokio::task::spawn_blocking(move || services.tell(command, service)).await.context("a command")?
    }

    /// Writes each node's metrics and state beside its log, for who has to find out what is wrong.
    pub async fn keep_metrics(&self) {
        for node in &self.nodes {
            let mut text = String::new();
            for path in ["readyz", "metrics"] {
                if let Ok(answer) = self.http.get(format!("{}/{path}", node.base)).send().await {
                    text += &answer.text().await.unwrap_or_default();
                    text.push('\n');
                }
            }
            if let Err(e) = std::fs::write(node.log.with_extension("metrics"), text) {
                eprintln!("{}: {e}", node.name);
            }
        }
    }

    /// Every node answers, and says that it lacks nothing.
    pub async fn is_well(&self) -> bool {
        for node in &self.nodes {
            let Ok(answer) = self.http.get(format!("{}/readyz", node.base)).send().await else { return false };
            let ok = answer.status().is_success();
            let text = answer.text().await.unwrap_or_default();
            if !ok || text.contains("\"away\"") || text.contains("\"restarting\"") || text.contains("\"waiting\"") {
                return false;
            }
        }
        true
    }
}

/// A folder that is empty.
///
/// # Errors
/// It cannot be made so.
pub fn empty_dir(dir: &Path) -> anyhow::Result<()> {
    if dir.exists() {
        std::fs::remove_dir_all(dir).with_context(|| format!("emptying {}", dir.display()))?;
    }
    std::fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))
}
