//! The topic: is it there, and if not, make it.

use super::{
    client::{Heard, describe, is_setup},
    produce::Client,
};
use crate::log::{DEADLINE, LogError, Retention};
use rdkafka::{
    ClientConfig, ClientContext,
    admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication},
    error::{KafkaError, RDKafkaErrorCode as Code},
    producer::Producer,
};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

/// One question to the brokers. Short, so that a reason that was heard meanwhile ends the waiting.
const ATTEMPT: Duration = Duration::from_secs(1);
/// A broker that is busy takes its time with 64 partitions; that happens once in an installation's life.
const APPEARS: Duration = Duration::from_secs(30);
/// Between looks at a topic that is being made.
const PAUSE: Duration = Duration::from_millis(50);

/// The topic's number of partitions, after making it if it is not there.
pub(super) async fn ensure(
    client: &Client,
    settings: &ClientConfig,
    topic: &str,
    partitions: u32,
    heard: &Heard,
) -> Result<u32, LogError> {
    let deadline = Instant::now() + DEADLINE - 2 * ATTEMPT;
    if let Some(found) = wait(client, topic, heard, deadline).await? {
        return Ok(found);
    }
    create(settings, topic, partitions, heard).await?;
    let deadline = Instant::now() + APPEARS;
    loop {
        if let Some(found) = wait(client, topic, heard, deadline).await? {
            return Ok(found);
        }
        if Instant::now() >= deadline {
            return Err(LogError::Unavailable(format!("the topic {topic} was made but does not appear")));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The topic's number of partitions, if it is there.
pub(super) async fn find(client: &Client, topic: &str, heard: &Heard) -> Result<Option<u32>, LogError> {
    wait(client, topic, heard, Instant::now() + DEADLINE - 2 * ATTEMPT).await
}

/// Asks until there is an answer, a refusal, or no time left.
async fn wait(client: &Client, topic: &str, heard: &Heard, deadline: Instant) -> Result<Option<u32>, LogError> {
    loop {
        let (client, topic, listen) = (client.clone(), topic.to_owned(), heard.clone());
        let answer = super::blocking(move || look(&client, &topic, ATTEMPT, &listen, &AtomicBool::default())).await;
        match answer {
            Err(LogError::Unavailable(_)) if Instant::now() < deadline && !heard.refused() => {
                tokio::time::sleep(PAUSE).await;
            }
            answer => return answer,
        }
    }
}

/// The topic's number of partitions, if it is there and each has a leader. Blocks. `answered` gets whether a broker did.
pub(super) fn look(
    client: &Client,
    topic: &str,
    patience: Duration,
    heard: &Heard,
    answered: &AtomicBool,
) -> Result<Option<u32>, LogError> {
    let metadata = client.client().fetch_metadata(Some(topic), patience).map_err(|e| heard.explain(&e))?;
    answered.store(true, Ordering::Release);
    heard.forget();
    let Some(found) = metadata.topics().iter().find(|t| t.name() == topic) else { return Ok(None) };
    match found.error().map(Code::from) {
        None => {}
        Some(Code::UnknownTopicOrPartition | Code::UnknownTopic) => return Ok(None),
        Some(code) if is_setup(code) => return Err(LogError::Broken(format!("Kafka: the topic {topic}: {code}"))),
        Some(code) => return Err(LogError::Unavailable(format!("Kafka: the topic {topic}: {code}"))),
    }
    if let Some(orphan) = found.partitions().iter().find(|p| p.leader() < 0) {
        return Err(LogError::Unavailable(format!("Kafka: partition {} of {topic} has no leader", orphan.id())));
    }
    Ok(u32::try_from(found.partitions().len()).ok().filter(|count| *count > 0))
}

/// A partition's oldest offset and the one that comes next. Blocks.
#[expect(clippy::disallowed_methods, reason = "it runs on a thread of its own, which waits for the broker anyway")]
pub(super) fn range<C: ClientContext>(
    client: &rdkafka::client::Client<C>,
    topic: &str,
    partition: u32,
    heard: &Heard,
) -> Result<(u64, u64), LogError> {
    let number = i32::try_from(partition);
    let number = number.map_err(|_| LogError::Broken(format!("there is no partition {partition}")))?;
    let deadline = Instant::now() + DEADLINE / 2;
    loop {
        let left = deadline.saturating_duration_since(Instant::now()).max(PAUSE);
        match client.fetch_watermarks(topic, number, left) {
            Ok((oldest, end)) => return Ok((oldest.cast_unsigned(), end.cast_unsigned())),
            // A partition that is changing its leader, or has just got its first, is there in a moment.
            Err(error) if is_moving(&error) && Instant::now() < deadline => std::thread::sleep(PAUSE),
            Err(error) => return Err(heard.explain(&error)),
        }
    }
}

fn is_moving(error: &KafkaError) -> bool {
    let code = error.rdkafka_error_code();
    matches!(code, Some(Code::NotLeaderForPartition | Code::LeaderNotAvailable | Code::FencedLeaderEpoch))
}

async fn create(settings: &ClientConfig, topic: &str, partitions: u32, heard: &Heard) -> Result<(), LogError> {
    let admin: AdminClient<Heard> =
        settings.create_with_context(heard.clone()).map_err(|e| LogError::Broken(describe(&e)))?;
    // -1: how many copies is the operator's choice, made in the brokers' `default.replication.factor`.
    let count = i32::try_from(partitions.max(1)).unwrap_or(i32::MAX);
    // Compaction would forget all but a room's last record.
    let new = NewTopic::new(topic, count, TopicReplication::Fixed(-1)).set("cleanup.policy", "delete");
    let options = AdminOptions::new().request_timeout(Some(DEADLINE / 2)).operation_timeout(Some(DEADLINE / 2));
    let made = admin.create_topics([&new], &options).await.map_err(|e| heard.explain(&e))?;
    match made.into_iter().next() {
        // Another node was quicker.
        None | Some(Ok(_) | Err((_, Code::TopicAlreadyExists))) => Ok(()),
        Some(Err((_, code))) => Err(LogError::Broken(format!("Kafka: the topic {topic} cannot be made: {code}"))),
    }
}

/// When the topic forgets its oldest records.
pub(super) async fn retention(settings: &ClientConfig, topic: &str, heard: &Heard) -> Result<Retention, LogError> {
    let admin: AdminClient<Heard> =
        settings.create_with_context(heard.clone()).map_err(|e| LogError::Broken(describe(&e)))?;
    let options = AdminOptions::new().request_timeout(Some(DEADLINE / 2));
    let found = admin.describe_configs([&ResourceSpecifier::Topic(topic)], &options).await;
    let found = found.map_err(|e| heard.explain(&e))?.into_iter().next();
    let config = match found {
        Some(Ok(config)) => config,
        Some(Err(code)) => return Err(LogError::Unavailable(format!("Kafka: the settings of {topic}: {code}"))),
        None => return Ok(Retention::default()),
    };
    // -1: never.
    let number = |name| config.get(name).and_then(|entry| entry.value.as_deref()).and_then(|v| v.parse::<u64>().ok());
    Ok(Retention { time: number("retention.ms").map(Duration::from_millis), bytes: number("retention.bytes") })
}
