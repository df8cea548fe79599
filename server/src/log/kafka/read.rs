//! Reading without a group, at an offset that the caller knows.

use super::{
    client::{Heard, describe},
    topic,
};
use crate::log::{BATCH_BYTES, DEADLINE, Entry, LogError, Range};
use bytes::Bytes;
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::RDKafkaErrorCode as Code,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::{sync::Semaphore, time::timeout};

/// Reads at once; the next ones wait their turn.
const READERS: usize = 4;
const POLL: Duration = Duration::from_millis(100);

/// A stock of consumers: connecting for each read would cost more than the read.
pub(super) struct Readers {
    settings: ClientConfig,
    topic: Arc<str>,
    heard: Heard,
    turns: Semaphore,
    idle: Mutex<Vec<BaseConsumer<Heard>>>,
}

impl Readers {
    pub fn new(settings: &ClientConfig, namespace: &str, topic: Arc<str>, heard: Heard) -> Self {
        let mut settings = settings.clone();
        settings
            // librdkafka assigns nothing without a group. This one is never joined and commits nothing.
            .set("group.id", format!("{namespace}.read"))
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "error")
            .set("queued.min.messages", "1000")
            .set("queued.max.messages.kbytes", "2048")
            // A consumer that read ahead for one caller would make the next one wait for the default second.
            .set("fetch.queue.backoff.ms", "10")
            .set("fetch.wait.max.ms", "100")
            .set("fetch.error.backoff.ms", "100");
        Self { settings, topic, heard, turns: Semaphore::new(READERS), idle: Mutex::default() }
    }

    pub async fn read(self: &Arc<Self>, partition: u32, from: u64, limit: usize) -> Result<Vec<Entry>, LogError> {
        let late = |_| LogError::Unavailable("Kafka does not answer".into());
        timeout(DEADLINE, async {
            let _turn = self.turns.acquire().await.map_err(|e| LogError::Unavailable(e.to_string()))?;
            let readers = self.clone();
            super::blocking(move || readers.read_now(partition, from, limit)).await
        })
        .await
        .map_err(late)?
    }

    /// The oldest offsets and the ends of the first `count` partitions, in two questions.
    pub fn ranges_now(&self, count: u32) -> Result<Vec<Range>, LogError> {
        let consumer = self.take()?;
        let ranges = ranges(&consumer, &self.topic, 0..count.cast_signed(), &self.heard)?;
        self.idle().push(consumer);
        Ok(ranges.into_values().collect())
    }

    fn take(&self) -> Result<BaseConsumer<Heard>, LogError> {
        let idle = self.idle().pop();
        let new = || self.settings.create_with_context(self.heard.clone()).map_err(|e| LogError::Broken(describe(&e)));
        idle.map_or_else(new, Ok)
    }

    /// Gives the stock back. Apart, because a consumer's end waits for its threads.
    pub fn clear(&self) {
        let idle = std::mem::take(&mut *self.idle());
        std::thread::spawn(move || drop(idle));
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<BaseConsumer<Heard>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_now(&self, partition: u32, from: u64, limit: usize) -> Result<Vec<Entry>, LogError> {
        let consumer = self.take()?;
        let read = self.read_with(&consumer, partition, from, limit);
        // After an error it may be in any state: only a good one goes back.
        if read.is_ok() && consumer.unassign().is_ok() {
            self.idle().push(consumer);
        }
        read
    }

    fn read_with(
        &self,
        consumer: &BaseConsumer<Heard>,
        partition: u32,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Entry>, LogError> {
        let deadline = Instant::now() + DEADLINE - 2 * POLL;
        let (oldest, end) = topic::range(consumer.client(), &self.topic, partition, &self.heard)?;
        let number = partition.cast_signed();
        in_range(partition, from, oldest, end)?;
        if from == end || limit == 0 {
            return Ok(Vec::new());
        }
        let mut assignment = TopicPartitionList::new();
        assignment
            .add_partition_offset(&self.topic, number, Offset::Offset(from.cast_signed()))
            .and_then(|()| consumer.assign(&assignment))
            .map_err(|e| self.heard.explain(&e))?;
        let (mut entries, mut bytes) = (Vec::<Entry>::new(), 0);
        while entries.len() < limit && bytes < BATCH_BYTES && entries.last().is_none_or(|last| last.offset + 1 < end) {
            match consumer.poll(POLL) {
                Some(Ok(message)) if message.partition() == number && message.offset() >= from.cast_signed() => {
                    let payload = Bytes::copy_from_slice(message.payload().unwrap_or_default());
                    bytes += payload.len();
                    entries.push(Entry { offset: message.offset().cast_unsigned(), payload });
                }
                Some(Err(e)) if e.rdkafka_error_code() == Some(Code::AutoOffsetReset) => {
                    return in_range(partition, from, end, end).map(|()| Vec::new());
                }
                // Others are tried again by librdkafka itself.
                Some(Ok(_) | Err(_)) | None => {}
            }
            if Instant::now() > deadline {
                return Err(LogError::Unavailable("Kafka does not answer".into()));
            }
        }
        Ok(entries)
    }
}

/// What partitions have, by their numbers. Blocks.
pub(super) fn ranges<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partitions: impl Iterator<Item = i32> + Clone,
    heard: &Heard,
) -> Result<BTreeMap<i32, Range>, LogError> {
    let ask = |offset| {
        let mut asked = TopicPartitionList::new();
        for partition in partitions.clone() {
            asked.add_partition_offset(topic, partition, offset).map_err(|e| heard.explain(&e))?;
        }
        if asked.count() == 0 {
            return Ok(BTreeMap::new());
        }
        // In this question -2 and -1 stand for the oldest and for the end, where others have a time.
        let found = consumer.offsets_for_times(asked, DEADLINE / 3).map_err(|e| heard.explain(&e))?;
        let mut offsets = BTreeMap::new();
        for found in found.elements() {
            found.error().map_err(|e| heard.explain(&e))?;
            let Offset::Offset(offset) = found.offset() else {
                return Err(LogError::Unavailable(format!(
                    "Kafka names no offset for partition {}",
                    found.partition()
                )));
            };
            offsets.insert(found.partition(), offset.cast_unsigned());
        }
        Ok::<_, LogError>(offsets)
    };
    let (oldest, ends) = (ask(Offset::Beginning)?, ask(Offset::End)?);
    Ok(ends.into_iter().map(|(p, end)| (p, Range { oldest: oldest.get(&p).copied().unwrap_or(end), end })).collect())
}

/// Refuses an offset that is not between the oldest entry and the end.
pub(super) fn in_range(partition: u32, offset: u64, oldest: u64, end: u64) -> Result<(), LogError> {
    if (oldest..=end).contains(&offset) {
        return Ok(());
    }
    let detail = format!("it has those from {oldest} on and before {end}");
    Err(LogError::OutOfRange { partition, offset, detail })
}
