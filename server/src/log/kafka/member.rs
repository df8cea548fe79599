//! A member of a consumer group: one consumer, polled by a thread of its own.
//!
//! The thread never stops polling, or Kafka would take the member for dead: a
//! partition whose holder is slow is paused, not waited for. It alone touches
//! the consumer; holders only note what they have done ([`Done`]).

use super::{
    client::{Heard, describe, is_setup},
    holding::{Changes, Holding},
    read::{in_range, ranges},
    starting::Starting,
};
use crate::log::{
    Assigned, BATCH_ENTRIES, DEADLINE, Entry, LogError, Start, StartAt,
    lease::{Done, lease},
};
use bytes::Bytes;
use rdkafka::{
    ClientConfig, ClientContext, Message, Offset, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol},
    error::{KafkaError, RDKafkaErrorCode as Code},
    message::BorrowedMessage,
    types::RDKafkaRespErr,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::{
    runtime::Handle,
    sync::mpsc::{self, error::TrySendError},
};
use tokio_util::{sync::CancellationToken, task::task_tracker::TaskTrackerToken};

/// How long a poll waits: also how soon a commit is taken over and a leaving noticed.
const POLL: Duration = Duration::from_millis(100);
/// The same while something waits for a holder: its room must be noticed soon.
const POLL_WHILE_FULL: Duration = Duration::from_millis(10);

/// A member that has been given nothing for so long may be stuck: librdkafka (2.12) now and then does not come back to
/// its group after its coordinator was away. Another one takes its place. Longer than a group waits for members that do
/// not come back.
const FORGOTTEN: Duration = Duration::from_secs(30);

/// What a member is for.
pub(super) struct Duty {
    pub topic: Arc<str>,
    pub start: StartAt,
    pub heard: Heard,
    pub stop: CancellationToken,
    /// Held while the thread runs.
    pub _tracked: TaskTrackerToken,
}

/// Becomes a member of a group; its thread runs until the receiver is dropped or the log is closed.
pub(super) fn join(
    settings: &ClientConfig,
    group: &str,
    duty: Duty,
    partitions: u32,
) -> Result<mpsc::Receiver<Assigned>, LogError> {
    let mut settings = settings.clone();
    settings
        .set("group.id", group)
        // Cooperative: when a node comes or goes, only the partitions that move are interrupted.
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("session.timeout.ms", "10000")
        // Who left or came is noticed within one.
        .set("heartbeat.interval.ms", "1000")
        // Also how long a group waits for members that do not come back to share the partitions anew.
        .set("max.poll.interval.ms", "20000")
        // Commits are what holders say is done, never what was merely read.
        .set("enable.auto.commit", "true")
        .set("auto.commit.interval.ms", "1000")
        .set("enable.auto.offset.store", "false")
        // An offset that is not there must be loud: skipping would lose messages in silence.
        .set("auto.offset.reset", "error")
        // More partitions are found, and shared, in seconds.
        .set("topic.metadata.refresh.interval.ms", "5000")
        .set("queued.min.messages", "5000")
        .set("queued.max.messages.kbytes", "8192")
        // What is asked of Kafka waits there for the partitions that have nothing, and a partition that is read on again for
        // that.
        .set("fetch.wait.max.ms", "100")
        .set("fetch.queue.backoff.ms", "100")
        .set("fetch.error.backoff.ms", "100");
    // Room for a few changes of hands that the member has not looked at yet.
    let (assigned, receiver) = mpsc::channel((partitions as usize).saturating_mul(4).max(16));
    let member =
        Member { duty, group: group.to_owned(), runtime: Handle::current(), assigned, state: Mutex::default() };
    let topic = member.duty.topic.clone();
    let consumer: BaseConsumer<Member> =
        settings.create_with_context(member).map_err(|e| LogError::Broken(describe(&e)))?;
    consumer.subscribe(&[&topic]).map_err(|e| LogError::Broken(describe(&e)))?;
    std::thread::Builder::new()
        .name("kafka-member".into())
        .spawn(move || run(consumer))
        .map_err(|e| LogError::Unavailable(format!("no thread for a member: {e}")))?;
    Ok(receiver)
}

struct Member {
    duty: Duty,
    group: String,
    runtime: Handle,
    assigned: mpsc::Sender<Assigned>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    holding: Holding,
    starting: Starting,
    failed: bool,
    waiting: Waiting,
}

/// Since when it has waited to be told which partitions are its own. `None`: it has been told.
struct Waiting(Option<Instant>);

impl Default for Waiting {
    fn default() -> Self {
        Self(Some(Instant::now()))
    }
}

/// The member's thread.
fn run(consumer: BaseConsumer<Member>) {
    let member = consumer.context().clone();
    while !member.is_over() {
        let patience = if member.someone_is_slow() { POLL_WHILE_FULL } else { POLL };
        let mut polled = consumer.poll(patience);
        for _ in 0..BATCH_ENTRIES {
            match polled {
                None => break,
                Some(Ok(message)) => member.take(&message),
                Some(Err(error)) => member.hear(&error),
            }
            polled = consumer.poll(Duration::ZERO);
        }
        if let Some(Ok(message)) = polled {
            member.take(&message);
        }
        member.hand_over(&consumer);
        member.store_commits(&consumer);
        member.begin(&consumer);
        member.look_whether_it_is_forgotten();
    }
    // Leaves the group; the partitions are taken away in the course of it.
    drop(consumer);
    tracing::debug!(group = member.group, "left the group");
}

impl Member {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self) -> bool {
        let state = self.state();
        self.duty.stop.is_cancelled() || self.assigned.is_closed() || state.failed || state.holding.is_given_up()
    }

    fn someone_is_slow(&self) -> bool {
        self.state().holding.is_someone_slow()
    }

    fn fail(&self, error: &dyn std::fmt::Display) {
        tracing::error!(group = self.group, %error, "a member of a group failed");
        self.state().failed = true;
    }

    fn look_whether_it_is_forgotten(&self) {
        let since = self.state().waiting.0;
        if since.is_some_and(|since| since.elapsed() > FORGOTTEN) {
            self.fail(&format_args!("it has been given nothing for {} s", FORGOTTEN.as_secs()));
        }
    }

    fn hear(&self, error: &KafkaError) {
        match error.rdkafka_error_code() {
            Some(Code::AutoOffsetReset | Code::Fatal) => self.fail(&describe(error)),
            Some(code) if is_setup(code) => self.fail(&describe(error)),
            // librdkafka goes on trying; the reason was logged where it was heard.
            _ => tracing::debug!(group = self.group, "polling: {}", describe(error)),
        }
    }

    fn take(&self, message: &BorrowedMessage<'_>) {
        let payload = Bytes::copy_from_slice(message.payload().unwrap_or_default());
        let entry = Entry { offset: message.offset().cast_unsigned(), payload };
        self.state().holding.take(message.partition(), entry);
    }

    /// Gives each holder what it has room for; pauses and resumes partitions accordingly.
    fn hand_over(&self, consumer: &BaseConsumer<Self>) {
        let Changes { full, free } = self.state().holding.hand_over();
        let list = |partitions: Vec<i32>| {
            let mut list = TopicPartitionList::new();
            for partition in partitions {
                list.add_partition(&self.duty.topic, partition);
            }
            list
        };
        let paused = if full.is_empty() { Ok(()) } else { consumer.pause(&list(full)) };
        let resumed = if free.is_empty() { Ok(()) } else { consumer.resume(&list(free)) };
        if let Err(error) = paused.and(resumed) {
            self.fail(&describe(&error));
        }
    }

    /// Passes on what the holders have done; librdkafka commits it every second and when a partition is taken away.
    fn store_commits(&self, consumer: &BaseConsumer<Self>) {
        let mut offsets = TopicPartitionList::new();
        for (partition, next) in self.state().holding.take_done() {
            let offset = Offset::Offset(next.cast_signed());
            let stored = offsets.add_partition_offset(&self.duty.topic, partition, offset);
            stored.expect("an offset is not negative");
        }
        if offsets.count() > 0
            && let Err(error) = consumer.store_offsets(&offsets)
        {
            // A hint only: without it, entries are delivered again.
            tracing::debug!(group = self.group, "offsets were not stored: {}", describe(&error));
        }
    }

    /// Begins to read the partitions whose starts have been named.
    fn begin(&self, consumer: &BaseConsumer<Self>) {
        let ready = self.state().starting.ready(&self.runtime);
        let begun = ready.and_then(|ready| if ready.is_empty() { Ok(()) } else { self.begin_at(consumer, &ready) });
        match begun {
            Ok(()) => {}
            Err(LogError::Unavailable(reason)) => {
                tracing::warn!(group = self.group, reason, "partitions wait to be read");
                self.state().starting.later();
            }
            Err(error) => self.fail(&error),
        }
    }

    fn begin_at(&self, consumer: &BaseConsumer<Self>, ready: &[(i32, Start)]) -> Result<(), LogError> {
        let heard = &self.duty.heard;
        let ranges = ranges(consumer, &self.duty.topic, ready.iter().map(|(partition, _)| *partition), heard)?;
        let committed = self.committed(consumer, ready)?;
        let mut list = TopicPartitionList::new();
        for (partition, start) in ready {
            let gone = || LogError::Unavailable(format!("Kafka says nothing of partition {partition}"));
            let range = ranges.get(partition).ok_or_else(gone)?;
            let from = resolve(*start, committed.get(partition).copied(), range.oldest);
            in_range(partition.cast_unsigned(), from, range.oldest, range.end)?;
            let added = list.add_partition_offset(&self.duty.topic, *partition, Offset::Offset(from.cast_signed()));
            added.expect("an offset is not negative");
        }
        for (partition, _) in ready {
            self.state().starting.forget(*partition);
            self.hand_out(*partition);
        }
        // One that was paused when it was taken away is still paused when it comes back.
        consumer
            .incremental_assign(&list)
            .and_then(|()| consumer.resume(&list))
            .map_err(|e| LogError::Broken(describe(&e)))
    }

    fn committed(&self, consumer: &BaseConsumer<Self>, ready: &[(i32, Start)]) -> Result<BTreeMap<i32, u64>, LogError> {
        let mut asked = TopicPartitionList::new();
        for (partition, start) in ready {
            if matches!(start, Start::Committed { .. }) {
                asked.add_partition(&self.duty.topic, *partition);
            }
        }
        if asked.count() == 0 {
            return Ok(BTreeMap::new());
        }
        let known = consumer.committed_offsets(asked, DEADLINE / 2).map_err(|e| self.duty.heard.explain(&e))?;
        let mut committed = BTreeMap::new();
        for known in known.elements() {
            known.error().map_err(|e| self.duty.heard.explain(&e))?;
            if let Offset::Offset(next) = known.offset() {
                committed.insert(known.partition(), next.cast_unsigned());
            }
        }
        Ok(committed)
    }

    /// Partitions are ours. They are read once it is known from where, see [`Self::begin`].
    fn given(&self, consumer: &BaseConsumer<Self>, list: &TopicPartitionList) {
        tracing::info!(group = self.group, partitions = numbers(list), "given");
        {
            let mut state = self.state();
            state.waiting.0 = None;
            for given in list.elements() {
                state.starting.ask(&self.runtime, given.partition(), &self.duty.start);
            }
        }
        // The assignment must be answered all the same.
        if let Err(error) = consumer.incremental_assign(&TopicPartitionList::new()) {
            self.fail(&describe(&error));
        }
    }

    fn hand_out(&self, partition: i32) {
        let done = Done::nothing();
        let (entries, assigned) = lease(partition.cast_unsigned(), done.clone());
        match self.assigned.try_send(assigned) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return self.fail(&"nobody takes the partitions that it is given"),
            // Leaving: the loop sees it too.
            Err(TrySendError::Closed(_)) => return,
        }
        self.state().holding.add(partition, entries, done);
    }

    fn taken(&self, consumer: &BaseConsumer<Self>, list: &TopicPartitionList) {
        tracing::info!(group = self.group, partitions = numbers(list), "taken away");
        self.store_commits(consumer);
        if consumer.assignment_lost() {
            self.state().waiting.0 = Some(Instant::now());
        }
        let mut read = TopicPartitionList::new();
        for element in list.elements() {
            let mut state = self.state();
            state.starting.forget(element.partition());
            if state.holding.remove(element.partition()) {
                read.add_partition(&self.duty.topic, element.partition());
            }
        }
        let unassigned = match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_unassign(&read),
            _ => consumer.unassign(),
        };
        if let Err(error) = unassigned {
            self.fail(&describe(&error));
        }
    }
}

fn numbers(list: &TopicPartitionList) -> String {
    let numbers: Vec<String> = list.elements().iter().map(|element| element.partition().to_string()).collect();
    numbers.join(" ")
}

/// The offset to begin at. Rewinding stops at the oldest entry; a commit that is older than that stays where it is, for
/// the check of the range to refuse it: entries were lost before they were done.
fn resolve(start: Start, committed: Option<u64>, oldest: u64) -> u64 {
    match (start, committed) {
        (Start::At(offset), _) => offset,
        (Start::Committed { .. }, None) => oldest,
        (Start::Committed { rewind }, Some(next)) => next.saturating_sub(rewind).max(oldest.min(next)),
    }
}

impl ClientContext for Member {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.duty.heard.log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.duty.heard.error(error, reason);
    }
}

impl ConsumerContext for Member {
    /// Called within `poll`, on the member's thread.
    fn rebalance(&self, consumer: &BaseConsumer<Self>, what: RDKafkaRespErr, list: &mut TopicPartitionList) {
        match what {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => self.given(consumer, list),
            _ => self.taken(consumer, list),
        }
    }

    fn commit_callback(&self, result: Result<(), KafkaError>, _: &TopicPartitionList) {
        if let Err(error) = result
            && error.rdkafka_error_code() != Some(Code::NoOffset)
        {
            tracing::warn!(group = self.group, "a commit failed: {}", describe(&error));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Start, resolve};

    #[test]
    fn a_member_begins_where_it_was_told_or_so_many_records_before_the_commit() {
        assert_eq!(resolve(Start::At(7), Some(3), 0), 7);
        assert_eq!(resolve(Start::Committed { rewind: 10 }, None, 4), 4);
        assert_eq!(resolve(Start::Committed { rewind: 3 }, Some(9), 4), 6);
        assert_eq!(resolve(Start::Committed { rewind: 30 }, Some(9), 4), 4);
    }

    #[test]
    fn a_commit_that_the_log_no_longer_has_is_not_mended_in_silence() {
        assert_eq!(resolve(Start::Committed { rewind: 2 }, Some(3), 4), 3);
    }
}
