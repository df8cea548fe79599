//! The log in a Kafka topic: what many nodes share.
//!
//! One producer appends ([`produce`]); each membership of a group is a consumer
//! with a thread of its own ([`member`]); reads without a group borrow a
//! consumer from a small stock ([`read`]). librdkafka's calls block, so none is
//! made on a thread that others need.

mod client;
mod holding;
mod member;
mod produce;
mod read;
mod topic;

use super::{AppendError, Assigned, BATCH_ENTRIES, DEADLINE, Entry, Log, LogError, StartAt};
use crate::config::KafkaConfig;
use app::model::RoomId;
use async_trait::async_trait;
use bytes::Bytes;
use client::Heard;
use produce::Producer;
use rdkafka::{ClientConfig, producer::Producer as _};
use read::Readers;
use std::{sync::Arc, time::Duration};
use tokio::{sync::mpsc, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The log in a Kafka topic.
pub struct KafkaLog {
    settings: ClientConfig,
    namespace: String,
    topic: Arc<str>,
    partitions: u32,
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
        Ok(Self {
            readers: Arc::new(Readers::new(&settings, &config.namespace, topic.clone(), heard.clone())),
            namespace: config.namespace.clone(),
            members: TaskTracker::new(),
            stop: CancellationToken::new(),
            settings,
            topic,
            partitions,
            heard,
            producer,
        })
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
        self.partitions
    }

    async fn append(&self, partition: u32, room: RoomId, payload: Bytes) -> Result<u64, AppendError> {
        if self.stop.is_cancelled() {
            return Err(AppendError::NotPersisted("the log is closed".into()));
        }
        self.producer.append(partition, room, &payload).await
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
            self.partitions,
        )
    }

    async fn read(&self, partition: u32, from: u64, limit: usize) -> Result<Vec<Entry>, LogError> {
        self.readers.read(partition, from, limit.min(BATCH_ENTRIES)).await
    }

    async fn end(&self, partition: u32) -> Result<u64, LogError> {
        let (topic, heard) = (self.topic.clone(), self.heard.clone());
        self.ask(move |client| Ok(topic::range(client.client(), &topic, partition, &heard)?.1)).await
    }

    async fn check(&self) -> Result<(), LogError> {
        const PATIENCE: Duration = Duration::from_secs(2);
        let (topic, heard) = (self.topic.clone(), self.heard.clone());
        let found = self.ask(move |client| topic::look(client, &topic, PATIENCE, &heard)).await?;
        found.map(|_| ()).ok_or_else(|| LogError::Broken(format!("the topic {} is gone", self.topic)))
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
