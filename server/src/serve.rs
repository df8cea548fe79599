//! Puts the parts together, starts them, and takes them down in order.

use crate::{
    auth::Auth,
    config::{Config, Mode, Part, Secret},
    fanout::{self, Fanout},
    http::{self, Origins},
    hub::Hub,
    log::{
        self, Log,
        guard::GuardedLog,
        sqlite::{Keep, SqliteLog},
    },
    operator,
    pipeline::{
        self, Health, expire, index, persist, relay, sweep, unnamed,
        watch::{self as comparing, Watch},
    },
    service::Service,
    store::{self, Store, Upkeep},
    telemetry,
};
use anyhow::Context;
use app::protocol::Status;
use base64::{Engine, prelude::BASE64_STANDARD};
use std::{
    fs,
    io::Write,
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// One partition is enough where one file is written by one process; it keeps the group commit whole.
const EMBEDDED_PARTITIONS: u32 = 1;
/// How long its log keeps what the store and the rings have: as Kafka does if nothing else is said.
const EMBEDDED_LOG_KEEPS: Duration = Duration::from_secs(7 * 24 * 3600);
/// Partitions of a topic that we make: what a cluster's consumers can be spread over.
const CLUSTER_PARTITIONS: u32 = 16;
/// How long the store may take at the start to fold what a crash left in the log.
const CATCH_UP_AT_START: Duration = Duration::from_secs(60);
/// Clients are asked to come back elsewhere, spread over this.
const DRAIN_OVER: Duration = Duration::from_secs(2);
/// Requests under way may take so long to end.
const REQUESTS_END: Duration = Duration::from_secs(10);

/// A running node.
pub struct Server {
    address: SocketAddr,
    origins: Origins,
    admin_link: Option<String>,
    mode: &'static str,
    hub: Arc<Hub>,
    service: Arc<Service>,
    log: Arc<dyn Log>,
    draining: CancellationToken,
    stop_serving: CancellationToken,
    stop_parts: CancellationToken,
    serving: JoinHandle<()>,
    parts: TaskTracker,
    failed: watch::Receiver<Option<String>>,
    guard: Arc<GuardedLog>,
}

struct Adapters {
    log: Arc<dyn Log>,
    store: Arc<dyn Upkeep>,
    fanout: Arc<dyn Fanout>,
    secret: Secret,
    mode: &'static str,
}

impl Server {
    /// Opens or connects everything, starts the parts of this process, and listens.
    ///
    /// # Errors
    /// Whatever cannot be opened, reached or trusted; the text names it and shows no secret.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        #[cfg(feature = "sabotage")]
        crate::sabotage::announce();
        telemetry::metrics();
        let listener =
            TcpListener::bind(config.listen).await.with_context(|| format!("cannot listen on {}", config.listen))?;
        let address = listener.local_addr()?;
        let Adapters { log, store: upkeep, fanout, secret, mode } = adapters(&config).await?;
        let store: Arc<dyn Store> = upkeep.clone();
        let guard = Arc::new(GuardedLog::new(log));
        let log: Arc<dyn Log> = guard.clone();
        let health = Health::default();
        let watch = Arc::new(Watch::new(guard.clone(), store.clone(), health.clone()));
        watch.examine().await.context("comparing log and store")?;
        operator::epoch::fits(&*log, &*upkeep).await?;
        let epoch = store.epoch().await.context("reading the log's generation from the store")?;

        let origins = Origins::new(if config.public_urls.is_empty() {
            ["localhost", "127.0.0.1"].map(|host| format!("http://{host}:{}", address.port())).to_vec()
        } else {
            config.public_urls.clone()
        });
        let auth = Arc::new(Auth::new(store.clone(), &secret, config.jwt_secret_previous.as_ref(), origins.secure()));
        let service = Arc::new(Service::new(
            log.clone(),
            store.clone(),
            fanout.clone(),
            auth.clone(),
            watch.clone(),
            epoch,
            config.messages_per_second,
        ));
        let hub = Hub::new(log.clone(), store.clone(), fanout.clone(), epoch);
        let (draining, stop_serving, stop_parts) =
            (CancellationToken::new(), CancellationToken::new(), CancellationToken::new());
        let parts = TaskTracker::new();
        parts.spawn(telemetry::upkeep(stop_parts.clone()));
        {
            let (health, stop) = (health.clone(), stop_parts.clone());
            parts.spawn(pipeline::supervise(comparing::PART, health, stop, move || {
                let watch = watch.clone();
                async move { watch.run().await }
            }));
        }
        let (failing, failed) = watch::channel(None);
        let epochs = operator::epoch::guard(guard.clone(), upkeep.clone(), epoch, stop_parts.clone());
        parts.spawn(async move { failing.send_replace(epochs.await) });

        if config.parts.contains(&Part::Persist) {
            parts.spawn(operator::watch::run(log.clone(), upkeep, fanout.clone(), stop_parts.clone()));
            parts.spawn(index::run(store.clone(), stop_parts.clone()));
            parts.spawn(unnamed::run(log.clone(), store.clone(), stop_parts.clone()));
            parts.spawn(sweep::run(store.clone(), stop_parts.clone()));
            parts.spawn(expire::run(log.clone(), store.clone(), stop_parts.clone()));
            let (log, store, health, stop) = (log.clone(), store.clone(), health.clone(), stop_parts.clone());
            let guard = guard.clone();
            let of_run = health.clone();
            parts.spawn(pipeline::supervise(persist::PART, health, stop, move || {
                unless_lost(guard.clone(), persist::run(log.clone(), store.clone(), of_run.clone()))
            }));
        }
        if config.parts.contains(&Part::Relay) {
            let (log, store, fanout) = (log.clone(), store.clone(), fanout.clone());
            let (health, stop) = (health.clone(), stop_parts.clone());
            let guard = guard.clone();
            let of_run = health.clone();
            parts.spawn(pipeline::supervise(relay::PART, health, stop, move || {
                let run = relay::run(log.clone(), store.clone(), fanout.clone(), epoch, of_run.clone());
                unless_lost(guard.clone(), run)
            }));
        }

        let (says, status) = tokio::sync::watch::channel(Status::WELL);
        parts.spawn(http::watch_status(log.clone(), store.clone(), says, stop_parts.clone()));
        let web = Arc::new(http::Shared {
            service: service.clone(),
            auth: auth.clone(),
            hub: hub.clone(),
            log: log.clone(),
            store: store.clone(),
            fanout: fanout.clone(),
            health,
            status,
            origins: origins.clone(),
            draining: draining.clone(),
        });
        let mut admin_link = None;
        let router = if config.parts.contains(&Part::Web) {
            if let Mode::Embedded { .. } = config.mode {
                // A retry of what was posted just before a crash finds the first in the store, not a second place in
                // the log.
                catch_up(&*log, &*store).await?;
            }
            service.seed().await.context("making the room #welcome")?;
            if let Mode::Embedded { .. } = config.mode {
                let (learning, stop) = (service.clone().posts_alone(), stop_parts.clone());
                parts.spawn(async move { stop.run_until_cancelled(learning).await });
            }
            if !store.has_admin().await.context("looking for an administrator")? {
                admin_link = Some(format!("{}/register?admin={}", origins.first(), auth.admin_token()));
            }
            let signals = fanout.signals().context("the fan-out's signals have been taken already")?;
            let heard = service.clone();
            parts.spawn(hub.clone().run(signals, move |signal| heard.heard(signal)));
            http::router(web)
        } else {
            http::operators(web)
        };
        let stop = stop_serving.clone();
        let serving = tokio::spawn(async move {
            http::listen(listener, router, stop).await;
        });
        Ok(Self {
            address,
            origins,
            admin_link,
            mode,
            hub,
            service,
            log,
            draining,
            stop_serving,
            stop_parts,
            serving,
            parts,
            failed,
            guard,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What browsers open.
    pub fn url(&self) -> &str {
        self.origins.first()
    }

    /// The link that makes the first administrator, while there is none.
    pub fn admin_link(&self) -> Option<&str> {
        self.admin_link.as_deref()
    }

    /// `embedded` or `cluster`.
    pub fn mode(&self) -> &'static str {
        self.mode
    }

    /// Waits until the log is lost, and says how. The node reads and shows what there is, and takes nothing any more.
    pub async fn lost(&self) -> String {
        self.guard.lost().await
    }

    /// Waits until this node must not go on, and says why: somebody has declared a new generation of the log. Then it is
    /// to be shut down, and started again.
    pub async fn failed(&self) -> String {
        let mut failed = self.failed.clone();
        loop {
            if let Some(reason) = failed.borrow_and_update().clone() {
                return reason;
            }
            if failed.changed().await.is_err() {
                // The guard has ended without a word: the node is being shut down.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Goes away in order: not ready any more; clients asked to go elsewhere; sockets closed; requests under way
    /// answered; the groups left and their offsets committed; what was appended acknowledged.
    pub async fn shutdown(self) {
        self.draining.cancel();
        self.hub.drain(DRAIN_OVER).await;
        self.stop_serving.cancel();
        if tokio::time::timeout(REQUESTS_END, self.serving).await.is_err() {
            tracing::warn!("some requests were still under way at the end");
        }
        // Of requests whose senders have hung up something may be under way still.
        if tokio::time::timeout(REQUESTS_END, self.service.finish()).await.is_err() {
            tracing::warn!("some appends were still under way at the end");
        }
        self.hub.stop().await;
        self.stop_parts.cancel();
        self.parts.close();
        if tokio::time::timeout(REQUESTS_END, self.parts.wait()).await.is_err() {
            tracing::warn!("a part of the pipeline did not end in time");
        }
        self.log.close().await;
    }
}

/// A part of the pipeline ends as soon as the log is lost: what it would read is not what it thinks.
async fn unless_lost(log: Arc<GuardedLog>, part: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::select! {
        ended = part => ended,
        reason = log.lost() => anyhow::bail!("{reason}"),
    }
}

async fn adapters(config: &Config) -> anyhow::Result<Adapters> {
    Ok(match &config.mode {
        Mode::Embedded { data_dir } => {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(data_dir)
                .with_context(|| format!("cannot make the data folder {}", data_dir.display()))?;
            // Whatever the folder allows: the files are their owner's.
            for name in ["log.db", "store.db"] {
                let file = data_dir.join(name);
                let made = fs::OpenOptions::new().append(true).create(true).mode(0o600).open(&file);
                made.and_then(|f| f.set_permissions(fs::Permissions::from_mode(0o600)))
                    .with_context(|| format!("cannot write {}", file.display()))?;
            }
            let retention = Keep { time: EMBEDDED_LOG_KEEPS, groups: &[persist::PART, relay::PART] };
            let log = SqliteLog::open_with(data_dir, EMBEDDED_PARTITIONS, retention).await?;
            let store = store::sqlite::SqliteStore::open(data_dir).await?;
            let secret = match &config.jwt_secret {
                Some(secret) => secret.clone(),
                None => generated_secret(data_dir)?,
            };
            Adapters {
                log: Arc::new(log),
                store: Arc::new(store),
                fanout: Arc::new(fanout::local::LocalFanout::new()),
                secret,
                mode: "embedded",
            }
        }
        Mode::Cluster { kafka, redis, database } => {
            let secret = config.jwt_secret.clone().context("JWT_SECRET is required in cluster mode")?;
            let (log, store, fanout) = tokio::join!(
                log::kafka::KafkaLog::connect(kafka, CLUSTER_PARTITIONS),
                store::postgres::PostgresStore::connect(database),
                fanout::redis::RedisFanout::connect(redis),
            );
            let fanout = fanout.context("Redis (REDIS_URL)")?;
            fanout.greet().await;
            Adapters {
                log: Arc::new(log.context("Kafka (KAFKA_BROKERS)")?),
                store: Arc::new(store.context("PostgreSQL (DATABASE_URL)")?),
                fanout: Arc::new(fanout),
                secret,
                mode: "cluster",
            }
        }
    })
}

/// Waits until the store has everything that the log has.
async fn catch_up(log: &dyn Log, store: &dyn Store) -> anyhow::Result<()> {
    let deadline = Instant::now() + CATCH_UP_AT_START;
    for partition in 0..log.partitions() {
        let end = log.end(partition).await?;
        loop {
            let progress = store.progress(partition).await?;
            if progress >= end {
                break;
            }
            if Instant::now() > deadline {
                tracing::warn!(partition, progress, end, "the store is still catching up with the log");
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    Ok(())
}

/// The secret that embedded mode keeps for itself, readable by its owner only.
fn generated_secret(data_dir: &Path) -> anyhow::Result<Secret> {
    let path = data_dir.join("jwt_secret");
    let fresh = BASE64_STANDARD.encode(rand::random::<[u8; 48]>());
    match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
        Ok(mut file) => {
            file.write_all(fresh.as_bytes()).and_then(|()| file.sync_all()).context("writing the generated secret")?;
            Ok(fresh.into())
        }
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
            let kept = fs::read_to_string(&path).context("reading the generated secret")?;
            anyhow::ensure!(kept.len() >= 32, "{} is damaged: remove it, and everyone signs in again", path.display());
            Ok(kept.into())
        }
        Err(e) => Err(e).with_context(|| format!("making {}", path.display())),
    }
}
