//! What an operator wants to know of Kafka: asked without changing anything.

use super::{
    client::{self, Heard, describe},
    topic,
};
use crate::{config::KafkaConfig, log::LogError};
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication},
    consumer::{BaseConsumer, Consumer},
    error::RDKafkaErrorCode as Code,
    producer::{FutureProducer, FutureRecord, Producer as _},
};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(5);
/// A record larger than this is not made to see whether it would be refused.
const LARGEST_PROBE: usize = 4 * 1024 * 1024;

/// What was found.
#[derive(Clone, Debug)]
pub struct Facts {
    /// How many brokers there are.
    pub brokers: usize,
    /// The topic's name.
    pub topic: String,
    /// The topic, if it is there.
    pub found: Option<Topic>,
    /// May we make topics? `None`: nobody says.
    pub may_create: Option<bool>,
}

/// What was found of the topic.
#[derive(Clone, Debug)]
pub struct Topic {
    /// How many partitions.
    pub partitions: u32,
    /// Copies of the partition that has the fewest.
    pub replicas: usize,
    /// In-sync copies of the partition that has the fewest.
    pub in_sync: usize,
    /// Partitions without a leader.
    pub leaderless: usize,
    /// `retention.ms`; negative: for ever.
    pub retention_ms: Option<i64>,
    /// `min.insync.replicas`.
    pub min_insync: Option<usize>,
    /// `cleanup.policy`.
    pub cleanup: Option<String>,
    /// May we append? `None`: it could not be tried without appending.
    pub may_append: Option<bool>,
}

/// Asks Kafka.
///
/// # Errors
/// If no broker answers, refuses us or cannot prove who it is; the text shows no secret.
pub async fn facts(config: &KafkaConfig) -> Result<Facts, LogError> {
    let settings = client::settings(config);
    let heard = Heard::default();
    let name = format!("{}.events", config.namespace);
    let asked = {
        let (settings, heard, name) = (settings.clone(), heard.clone(), name.clone());
        super::blocking(move || metadata(&settings, &heard, &name))
    };
    let (brokers, mut found) = asked.await?;
    let admin: AdminClient<Heard> =
        settings.create_with_context(heard.clone()).map_err(|e| LogError::Broken(describe(&e)))?;
    let options = AdminOptions::new().request_timeout(Some(PATIENCE));
    if let Some(topic) = &mut found {
        let described = admin.describe_configs([&ResourceSpecifier::Topic(&name)], &options).await;
        let mut largest = None;
        if let Ok(Some(Ok(config))) = described.map(|d| d.into_iter().next()) {
            let value = |key: &str| config.get(key).and_then(|entry| entry.value.clone());
            topic.retention_ms = value("retention.ms").and_then(|v| v.parse().ok());
            topic.min_insync = value("min.insync.replicas").and_then(|v| v.parse().ok());
            topic.cleanup = value("cleanup.policy");
            largest = value("max.message.bytes").and_then(|v| v.parse::<usize>().ok());
        }
        if let Some(largest) = largest.filter(|bytes| *bytes <= LARGEST_PROBE) {
            topic.may_append = may_append(&settings, &heard, &name, largest).await;
        }
    }
    let may_create = may_create(&admin, &config.namespace).await;
    Ok(Facts { brokers, topic: name, found, may_create })
}

fn metadata(settings: &ClientConfig, heard: &Heard, name: &str) -> Result<(usize, Option<Topic>), LogError> {
    let client: BaseConsumer<Heard> =
        settings.create_with_context(heard.clone()).map_err(|e| LogError::Broken(describe(&e)))?;
    let metadata = client.fetch_metadata(Some(name), PATIENCE).map_err(|e| heard.explain(&e))?;
    let Some(topic) = metadata.topics().iter().find(|t| t.name() == name) else {
        return Ok((metadata.brokers().len(), None));
    };
    match topic.error().map(Code::from) {
        None => {}
        Some(Code::UnknownTopicOrPartition | Code::UnknownTopic) => return Ok((metadata.brokers().len(), None)),
        Some(code) => return Err(LogError::Broken(format!("Kafka: the topic {name}: {code}"))),
    }
    let partitions = topic.partitions();
    Ok((
        metadata.brokers().len(),
        Some(Topic {
            partitions: u32::try_from(partitions.len()).unwrap_or(u32::MAX),
            replicas: partitions.iter().map(|p| p.replicas().len()).min().unwrap_or(0),
            in_sync: partitions.iter().map(|p| p.isr().len()).min().unwrap_or(0),
            leaderless: partitions.iter().filter(|p| p.leader() < 0).count(),
            retention_ms: None,
            min_insync: None,
            cleanup: None,
            may_append: None,
        }),
    ))
}

/// Only asks whether it would be made.
async fn may_create(admin: &AdminClient<Heard>, namespace: &str) -> Option<bool> {
    let name = format!("{namespace}.doctor");
    let topic = NewTopic::new(&name, 1, TopicReplication::Fixed(-1));
    let options = AdminOptions::new().request_timeout(Some(PATIENCE)).validate_only(true);
    match admin.create_topics([&topic], &options).await.ok()?.into_iter().next()? {
        Ok(_) | Err((_, Code::TopicAlreadyExists)) => Some(true),
        Err((_, Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed)) => Some(false),
        Err(_) => None,
    }
}

/// Sends a record that is too large to be taken: a broker looks first whether we may write at all, and appends nothing.
async fn may_append(settings: &ClientConfig, heard: &Heard, topic: &str, largest: usize) -> Option<bool> {
    let mut settings = settings.clone();
    settings
        .set("message.max.bytes", (2 * largest + 1_000_000).to_string())
        .set("message.timeout.ms", PATIENCE.as_millis().to_string())
        .set("acks", "all")
        .set("retries", "0");
    let client: FutureProducer<Heard> = settings.create_with_context(heard.clone()).ok()?;
    let payload = vec![0; largest + 1];
    let sent = client.send_result(FutureRecord::<(), _>::to(topic).partition(0).payload(&payload)).ok()?;
    let answer = tokio::time::timeout(PATIENCE * 2, sent).await.ok()?.ok()?;
    let end = move || drop(client.flush(Duration::ZERO));
    tokio::task::spawn_blocking(end).await.ok()?;
    match answer.err()?.0.rdkafka_error_code()? {
        Code::MessageSizeTooLarge => Some(true),
        Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed => Some(false),
        _ => None,
    }
}

/// How far a group is behind the end of the topic, in records over all partitions. `None`: it has committed nothing.
///
/// # Errors
/// If Kafka does not answer.
pub async fn lag(config: &KafkaConfig, group: &str, partitions: u32) -> Result<Option<u64>, LogError> {
    let mut settings = client::settings(config);
    settings.set("group.id", format!("{}.{group}", config.namespace)).set("enable.auto.commit", "false");
    let (heard, name) = (Heard::default(), format!("{}.events", config.namespace));
    super::blocking(move || {
        let client: BaseConsumer<Heard> =
            settings.create_with_context(heard.clone()).map_err(|e| LogError::Broken(describe(&e)))?;
        let mut asked = TopicPartitionList::new();
        for partition in 0..partitions {
            asked.add_partition(&name, partition.cast_signed());
        }
        let committed = client.committed_offsets(asked, PATIENCE).map_err(|e| heard.explain(&e))?;
        let mut lag = None;
        for element in committed.elements() {
            if let Offset::Offset(next) = element.offset() {
                let partition = element.partition().cast_unsigned();
                let (_, end) = topic::range(client.client(), &name, partition, &heard)?;
                *lag.get_or_insert(0) += end.saturating_sub(next.cast_unsigned());
            }
        }
        Ok(lag)
    })
    .await
}
