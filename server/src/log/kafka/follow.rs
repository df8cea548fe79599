//! Following partitions without a group: one consumer for all of them, polled by
//! a thread of its own.

use super::client::{Heard, describe, is_setup};
use crate::log::{BATCH_BYTES, BATCH_ENTRIES, Entry, Followed, LogError, WAITING_BATCHES};
use bytes::Bytes;
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode as Code},
    message::BorrowedMessage,
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::task_tracker::TaskTrackerToken};

/// How long a poll waits: also how soon it is noticed that nobody follows any more.
const POLL: Duration = Duration::from_millis(100);

pub(super) struct Duty {
    pub topic: Arc<str>,
    pub heard: Heard,
    pub stop: CancellationToken,
    /// Held while the thread runs.
    pub _tracked: TaskTrackerToken,
}

pub(super) fn follow(
    settings: &ClientConfig,
    namespace: &str,
    from: &[(u32, u64)],
    duty: Duty,
) -> Result<mpsc::Receiver<Followed>, LogError> {
    let mut settings = settings.clone();
    settings
        // librdkafka assigns nothing without a group. This one is never joined and commits nothing.
        .set("group.id", format!("{namespace}.follow"))
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("queued.min.messages", "5000")
        .set("queued.max.messages.kbytes", "8192")
        // It is there to be quick.
        .set("fetch.wait.max.ms", "50")
        .set("fetch.queue.backoff.ms", "10")
        .set("fetch.error.backoff.ms", "100");
    let consumer: BaseConsumer<Heard> =
        settings.create_with_context(duty.heard.clone()).map_err(|e| LogError::Broken(describe(&e)))?;
    let mut assignment = TopicPartitionList::new();
    let mut next = BTreeMap::new();
    for (partition, offset) in from {
        let number = partition.cast_signed();
        next.insert(number, *offset);
        assignment
            .add_partition_offset(&duty.topic, number, Offset::Offset(offset.cast_signed()))
            .map_err(|e| LogError::Broken(describe(&e)))?;
    }
    consumer.assign(&assignment).map_err(|e| duty.heard.explain(&e))?;
    let (followed, receiver) = mpsc::channel(WAITING_BATCHES);
    let follower = Follower { duty, followed, next };
    std::thread::Builder::new()
        .name("kafka-follow".into())
        .spawn(move || follower.run(&consumer))
        .map_err(|e| LogError::Unavailable(format!("no thread to follow with: {e}")))?;
    Ok(receiver)
}

struct Follower {
    duty: Duty,
    followed: mpsc::Sender<Followed>,
    /// Per partition, the lowest offset that may come next.
    next: BTreeMap<i32, u64>,
}

impl Follower {
    fn run(mut self, consumer: &BaseConsumer<Heard>) {
        while !self.duty.stop.is_cancelled() && !self.followed.is_closed() {
            let mut batches: BTreeMap<u32, Vec<Entry>> = BTreeMap::new();
            let (mut entries, mut bytes) = (0, 0);
            let mut polled = consumer.poll(POLL);
            loop {
                match polled {
                    None => break,
                    Some(Ok(message)) => {
                        bytes += message.payload_len();
                        entries += 1;
                        self.take(&message, &mut batches);
                    }
                    Some(Err(error)) if is_the_end(&error) => {
                        return tracing::warn!(error = describe(&error), "partitions cannot be followed any further");
                    }
                    // librdkafka goes on trying; the reason was logged where it was heard.
                    Some(Err(_)) => {}
                }
                if entries >= BATCH_ENTRIES || bytes >= BATCH_BYTES {
                    break;
                }
                polled = consumer.poll(Duration::ZERO);
            }
            for (partition, entries) in batches {
                // Nobody else needs this thread: it waits for room.
                if self.followed.blocking_send(Followed { partition, entries }).is_err() {
                    return;
                }
            }
        }
    }

    fn take(&mut self, message: &BorrowedMessage<'_>, batches: &mut BTreeMap<u32, Vec<Entry>>) {
        let offset = message.offset().cast_unsigned();
        let Some(next) = self.next.get_mut(&message.partition()).filter(|next| **next <= offset) else { return };
        *next = offset + 1;
        let payload = Bytes::copy_from_slice(message.payload().unwrap_or_default());
        batches.entry(message.partition().cast_unsigned()).or_default().push(Entry { offset, payload });
    }
}

fn is_the_end(error: &KafkaError) -> bool {
    error.rdkafka_error_code().is_some_and(|code| matches!(code, Code::AutoOffsetReset | Code::Fatal) || is_setup(code))
}
