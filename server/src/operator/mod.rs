//! What an operator does besides serving: look whether all is well, prove it,
//! put it right. Each command is a file here, with a report; `main.rs` prints it.
//!
//! All of them work beside serving nodes.

use crate::{
    config::{Config, Mode},
    fanout::{self, Fanout},
    log::{self, Log},
    store::{self, RoomKey, RoomRow, Upkeep},
};
use anyhow::Context;
use std::sync::Arc;

pub mod admin;
pub mod audit;
pub mod doctor;
pub mod epoch;
pub mod rebuild;
pub mod watch;

/// Rooms that are asked for together.
const ROOMS: u32 = 200;

/// Log, store and fan-out as a command sees them.
pub struct Sources {
    /// For reading; in embedded mode it is the serving process's alone to write.
    pub log: Arc<dyn Log>,
    /// The store.
    pub store: Arc<dyn Upkeep>,
    /// `None`: the rings are in the serving process.
    pub fanout: Option<Arc<dyn Fanout>>,
}

impl Sources {
    /// Opens or connects what an installation has; makes nothing but the store's newer tables.
    ///
    /// # Errors
    /// Whatever is not there, cannot be reached or not be trusted; the text names it and shows no secret.
    pub async fn open(config: &Config) -> anyhow::Result<Self> {
        Ok(match &config.mode {
            Mode::Embedded { data_dir } => {
                let store = open_store(config).await?;
                let log = log::sqlite::SqliteLogReader::open(data_dir, 1).await?;
                Self { log: Arc::new(log), store, fanout: None }
            }
            Mode::Cluster { kafka, redis, .. } => {
                let (log, store, fanout) = tokio::join!(
                    log::kafka::KafkaLog::attach(kafka),
                    open_store(config),
                    fanout::redis::RedisFanout::connect(redis),
                );
                Self {
                    log: Arc::new(log.context("Kafka (KAFKA_BROKERS)")?),
                    store: store?,
                    fanout: Some(Arc::new(fanout.context("Redis (REDIS_URL)")?)),
                }
            }
        })
    }

    /// The rooms that a command is about: one by id or slug, or all, page by page.
    async fn next_rooms(&self, one: Option<&str>, after: Option<&RoomRow>) -> anyhow::Result<Vec<RoomRow>> {
        match (one, after) {
            (Some(_), Some(_)) => Ok(Vec::new()),
            (Some(room), None) => {
                let found = self.store.room(&RoomKey::parse(room)).await?;
                Ok(vec![found.with_context(|| format!("there is no room {room}"))?])
            }
            (None, after) => Ok(self.store.rooms_after(after.map(|room| room.id), ROOMS).await?),
        }
    }
}

/// The store that an installation has, with its newer tables. What else there is may be away.
///
/// # Errors
/// As [`Sources::open`].
pub async fn open_store(config: &Config) -> anyhow::Result<Arc<dyn Upkeep>> {
    Ok(match &config.mode {
        Mode::Embedded { data_dir } => {
            anyhow::ensure!(
                data_dir.join("store.db").is_file(),
                "there is no store.db in {}: is PARTYLINE_DATA_DIR right?",
                data_dir.display()
            );
            Arc::new(store::sqlite::SqliteStore::open(data_dir).await?)
        }
        Mode::Cluster { database, .. } => {
            let store = store::postgres::PostgresStore::connect(database).await;
            Arc::new(store.context("PostgreSQL (DATABASE_URL)")?)
        }
    })
}
