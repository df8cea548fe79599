//! The log in a Kafka topic: what many nodes share.
//!
//! One producer appends ([`produce`]); each membership of a group is a consumer
//! with a thread of its own ([`member`]); reads without a group borrow a
//! consumer from a small stock ([`read`]); [`follow`] has one of its own too. librdkafka's calls block, so none is
//! made on a thread that others need.

mod client;
pub mod facts;
mod follow;
mod holding;
mod member;
mod produce;
mod read;
mod starting;
mod topic;

use super::{
    AppendError, Assigned, BATCH_ENTRIES, DEADLINE, Entry, Followed, Log, LogError, Range, Retention, StartAt,
};
use crate::config::KafkaConfig;
use app::model::RoomId;
use async_trait::async_trait;
use bytes::Bytes;
use client::Heard;
use produce::Producer;
use rdkafka::{ClientConfig, producer::Producer as _};
use read::Readers;
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{sync::mpsc, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The log in a Kafka topic.
pub struct KafkaLog {
    settings: ClientConfig,
    namespace: String,
    topic: Arc<str>,
    partitions: Mutex<Growth>,
    heard: Heard,
    producer: Producer,
    readers: Arc<Readers>,
    members: TaskTracker,
    stop: CancellationToken,
}

impl KafkaLog {
    /// Connects, and makes the topic `{namespace}.events` with so many partitions if it is not there.
    ///
    /// # Errors
    /// Within 10 s: [`LogError::Unavailable`] if no broker answers, [`LogError::Broken`] if one refuses us or cannot
    /// prove who it is. The text names the broker and what it or we did not like, and shows no secret.
    pub async fn connect(config: &KafkaConfig, partitions: u32) -> Result<Self, LogError> {
        let settings = client::settings(config);
        let topic: Arc<str> = format!("{}.events", config.namespace).into();
        let heard = Heard::default();
        let producer = Producer::new(&settings, topic.clone(), heard.clone())?;
        let partitions = topic::ensure(&producer.client(), &settings, &topic, partitions, &heard).await?;
        Ok(Self::with(config, settings, topic, heard, producer, partitions))
    }

    /// Connects to the topic that is there.
    ///
    /// # Errors
    /// As [`KafkaLog::connect`], and [`LogError::Gone`] if there is no topic.
    pub async fn attach(config: &KafkaConfig) -> Result<Self, LogError> {
        let settings = client::settings(config);
        let topic: Arc<str> = format!("{}.events", config.namespace).into();
        let heard = Heard::default();
        let producer = Producer::new(&settings, topic.clone(), heard.clone())?;
        let found = topic::find(&producer.client(), &topic, &heard).await?;
        let partitions = found.ok_or_else(|| LogError::Gone(format!("there is no topic {topic}")))?;
        Ok(Self::with(config, settings, topic, heard, producer, partitions))
    }

    fn with(
        config: &KafkaConfig,
        settings: ClientConfig,
        topic: Arc<str>,
        heard: Heard,
        producer: Producer,
        partitions: u32,
    ) -> Self {
        Self {
            readers: Arc::new(Readers::new(&settings, &config.namespace, topic.clone(), heard.clone())),
            namespace: config.namespace.clone(),
            members: TaskTracker::new(),
            stop: CancellationToken::new(),
            settings,
            topic,
            partitions: Mutex::new(Growth { used: partitions, seen: None }),
            heard,
            producer,
        }
    }

    fn growth(&self) -> MutexGuard<'_, Growth> {
        self.partitions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many partitions the topic has by now. The producer knows them from then on.
    async fn count(&self) -> Result<u32, LogError> {
        const PATIENCE: Duration = Duration::from_secs(2);
        let (topic, heard) = (self.topic.clone(), self.heard.clone());
        let answered = Arc::new(AtomicBool::default());
        let told = answered.clone();
        let found = self.ask(move |client| topic::look(client, &topic, PATIENCE, &heard, &told)).await;
        if self.producer.answered(answered.load(Ordering::Acquire)) {
            self.readers.clear();
        }
        let found = found?;
        let count = found.ok_or_else(|| LogError::Gone(format!("the topic {} is gone", self.topic)))?;
        self.growth().see(count);
        Ok(count)
    }

    /// What librdkafka answers, asked on a thread that may block.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&produce::Client) -> Result<T, LogError> + Send + 'static,
    ) -> Result<T, LogError> {
        let client = self.producer.client();
        blocking(move || question(&client)).await
    }
}

/// How many partitions there are. New ones are used once every consumer has had the time to find them.
struct Growth {
    used: u32,
    seen: Option<(u32, Instant)>,
}

/// Consumers look every 5 s, and then their groups share the partitions anew.
const FOUND_BY_ALL: Duration = Duration::from_secs(15);

impl Growth {
    fn see(&mut self, count: u32) {
        if count <= self.used {
            return;
        }
        let since = self.seen.filter(|(seen, _)| *seen == count).map_or_else(Instant::now, |(_, since)| since);
        self.seen = Some((count, since));
        if since.elapsed() > FOUND_BY_ALL {
            tracing::info!(count, "the topic has more partitions: new rooms use them from now on");
            (self.used, self.seen) = (count, None);
        }
    }
}

/// Runs what blocks, with the deadline of every call.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LogError> + Send + 'static,
) -> Result<T, LogError> {
    let work = tokio::task::spawn_blocking(work);
    match timeout(DEADLINE, work).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(e)) => Err(LogError::Unavailable(e.to_string())),
        Err(_) => Err(LogError::Unavailable("Kafka does not answer".into())),
    }
}

#[async_trait]
impl Log for KafkaLog {
    fn partitions(&self) -> u32 {
        self.growth().used
    }

    async fn append(&self, partition: u32, room: RoomId, payload: Bytes) -> Result<u64, AppendError> {
        if self.stop.is_cancelled() {
            return Err(AppendError::NotPersisted("the log is closed".into()));
        }
        match self.producer.append(partition, room, &payload).await {
            // A partition that another node knows already.
            Err(AppendError::NotPersisted(_)) if partition >= self.partitions() && self.count().await.is_ok() => {
                self.producer.append(partition, room, &payload).await
            }
            answer => answer,
        }
    }

    async fn join(&self, group: &str, start: StartAt) -> Result<mpsc::Receiver<Assigned>, LogError> {
        self.check().await?;
        if self.stop.is_cancelled() {
            return Err(LogError::Unavailable("the log is closed".into()));
        }
        member::join(
            &self.settings,
            &format!("{}.{group}", self.namespace),
            member::Duty {
                topic: self.topic.clone(),
                start,
                heard: self.heard.clone(),
                stop: self.stop.child_token(),
                _tracked: self.members.token(),
            },
            self.partitions(),
        )
    }

    async fn read(&self, partition: u32, from: u64, limit: usize) -> Result<Vec<Entry>, LogError> {
        self.readers.read(partition, from, limit.min(BATCH_ENTRIES)).await
    }

    async fn follow(&self, from: &[(u32, u64)]) -> Result<mpsc::Receiver<Followed>, LogError> {
        if self.stop.is_cancelled() {
            return Err(LogError::Unavailable("the log is closed".into()));
        }
        follow::follow(
            &self.settings,
            &self.namespace,
            from,
            follow::Duty {
                topic: self.topic.clone(),
                heard: self.heard.clone(),
                stop: self.stop.child_token(),
                _tracked: self.members.token(),
            },
        )
    }

    async fn end(&self, partition: u32) -> Result<u64, LogError> {
        let (topic, heard) = (self.topic.clone(), self.heard.clone());
        self.ask(move |client| Ok(topic::range(client.client(), &topic, partition, &heard)?.1)).await
    }

    async fn ranges(&self) -> Result<Vec<Range>, LogError> {
        let count = self.count().await?;
        let readers = self.readers.clone();
        blocking(move || readers.ranges_now(count)).await
    }

    async fn retention(&self) -> Result<Retention, LogError> {
        topic::retention(&self.settings, &self.topic, &self.heard).await
    }

    async fn check(&self) -> Result<(), LogError> {
        self.count().await.map(drop)
    }

    async fn close(&self) {
        self.stop.cancel();
        self.members.close();
        let (_, left) = tokio::join!(self.producer.flush(), timeout(DEADLINE, self.members.wait()));
        if left.is_err() {
            tracing::warn!("members of consumer groups did not leave within {DEADLINE:?}");
        }
        self.readers.clear();
    }
}

impl Drop for KafkaLog {
    fn drop(&mut self) {
        // The members' threads see it within a poll, leave their groups and end.
        self.stop.cancel();
    }
}
