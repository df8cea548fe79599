//! Appending: one idempotent producer, and what its errors mean.

use super::client::{Heard, describe};
use crate::log::{AppendError, DEADLINE, LogError};
use app::model::RoomId;
use rdkafka::{
    ClientConfig,
    error::{KafkaError, RDKafkaErrorCode as Code},
    producer::{FutureProducer, FutureRecord, Producer as _},
};
use std::{
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::{Duration, Instant},
};
use tokio::time::timeout;

/// librdkafka's producer; its own thread serves its callbacks, so it also answers questions.
pub(super) type Client = FutureProducer<Heard>;

pub(super) struct Producer {
    settings: ClientConfig,
    topic: Arc<str>,
    heard: Heard,
    /// Replaced after an error that leaves a producer unusable.
    client: RwLock<(u64, Client)>,
    /// Since when no question has been answered.
    silent_since: Mutex<Option<Instant>>,
}

/// A client that has had no answer for so long is replaced: longer than any record waits in its queue.
const STUCK: Duration = Duration::from_secs(20);

impl Producer {
    pub fn new(settings: &ClientConfig, topic: Arc<str>, heard: Heard) -> Result<Self, LogError> {
        let mut settings = settings.clone();
        settings
            // An acknowledgement means: each in-sync replica has it, once, in the order of sending.
            .set("enable.idempotence", "true")
            .set("acks", "all")
            // Senders get a `503` rather than a long wait; what waits is bounded in number and bytes.
            .set("message.timeout.ms", "8000")
            .set("request.timeout.ms", "5000")
            .set("queue.buffering.max.messages", "10000")
            .set("queue.buffering.max.kbytes", "32768")
            // What arrives within so many ms shares a request. Measured with 64 senders on one broker: 9,000
            // acknowledgements a second without, 24,000 with 1 ms, 9,000 with 5 ms (the default).
            .set("linger.ms", "1")
            .set("retry.backoff.ms", "100")
            .set("retry.backoff.max.ms", "1000");
        let client = create(&settings, &heard).map_err(|e| LogError::Broken(describe(&e)))?;
        Ok(Self { settings, topic, heard, client: RwLock::new((0, client)), silent_since: Mutex::default() })
    }

    /// The present client. Cheap.
    pub fn client(&self) -> Client {
        self.present().1
    }

    fn present(&self) -> (u64, Client) {
        self.client.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub async fn append(&self, partition: u32, room: RoomId, payload: &[u8]) -> Result<u64, AppendError> {
        let partition = i32::try_from(partition)
            .map_err(|_| AppendError::NotPersisted(format!("there is no partition {partition}")))?;
        let key = room.to_string();
        let record = FutureRecord::to(&self.topic).partition(partition).key(&key).payload(payload);
        let (generation, client) = self.present();
        let delivery = match client.send_result(record) {
            Ok(delivery) => delivery,
            Err((error, _)) => {
                self.replace_if_fatal(generation, &client);
                // It never came into the queue.
                return Err(AppendError::NotPersisted(describe(&error)));
            }
        };
        match timeout(DEADLINE, delivery).await {
            // Tried again by the producer, and found to be there already: then Kafka may not say where.
            Ok(Ok(Ok(delivery))) => u64::try_from(delivery.offset)
                .map_err(|_| AppendError::Unknown("Kafka has it, and does not say where".into())),
            Ok(Ok(Err((error, _)))) => {
                self.replace_if_fatal(generation, &client);
                Err(refusal(&error))
            }
            Ok(Err(_)) => Err(AppendError::Unknown("the producer was replaced".into())),
            Err(_) => Err(AppendError::Unknown("Kafka does not answer".into())),
        }
    }

    /// Hands over everything that waits, or gives up at the deadline.
    pub async fn flush(&self) {
        let client = self.client();
        let flushed = super::blocking(move || {
            client.flush(DEADLINE - DEADLINE / 20).map_err(|e| LogError::Unavailable(describe(&e)))
        });
        if let Err(error) = flushed.await {
            tracing::warn!(%error, "some appends were not acknowledged before the log closed");
        }
    }

    /// An idempotent producer that lost count of its sequence numbers refuses everything from then on.
    fn replace_if_fatal(&self, generation: u64, client: &Client) {
        if let Some((_, reason)) = client.client().fatal_error() {
            self.replace(generation, &reason);
        }
    }

    /// Whether the brokers have answered just now. A client that gets no answer for long may be the one that is stuck: a
    /// new one is taken. Whether that is so.
    pub fn answered(&self, answered: bool) -> bool {
        let mut since = self.silent_since.lock().unwrap_or_else(PoisonError::into_inner);
        if answered {
            *since = None;
            return false;
        }
        if since.get_or_insert_with(Instant::now).elapsed() < STUCK {
            return false;
        }
        *since = None;
        self.replace(self.present().0, "no broker has answered it for long");
        true
    }

    fn replace(&self, generation: u64, reason: &str) {
        let mut present = self.client.write().unwrap_or_else(PoisonError::into_inner);
        if present.0 != generation {
            return;
        }
        tracing::error!(reason, "Kafka's producer is of no use any more; taking a new one");
        match create(&self.settings, &self.heard) {
            Ok(new) => {
                metrics::counter!("partyline_producers_replaced_total").increment(1);
                let old = std::mem::replace(&mut *present, (generation + 1, new));
                // Its end waits for its thread.
                std::thread::spawn(move || drop(old));
            }
            Err(error) => tracing::error!(error = describe(&error), "no new producer"),
        }
    }
}

fn create(settings: &ClientConfig, heard: &Heard) -> Result<Client, KafkaError> {
    settings.create_with_context(heard.clone())
}

/// Whether the record may be in the log. In doubt it may.
fn refusal(error: &KafkaError) -> AppendError {
    let not_persisted = matches!(
        error.rdkafka_error_code(),
        Some(
            // Refused before it was sent.
            Code::QueueFull
                | Code::PurgeQueue
                | Code::UnknownTopic
                | Code::UnknownPartition
                // Refused by the broker before it was written.
                | Code::UnknownTopicOrPartition
                | Code::MessageSizeTooLarge
                | Code::InvalidMessage
                | Code::InvalidMessageSize
                | Code::InvalidRecord
                | Code::PolicyViolation
                | Code::NotEnoughReplicas
                | Code::TopicAuthorizationFailed
                | Code::ClusterAuthorizationFailed
        )
    );
    let text = describe(error);
    // Among the rest: timed out (librdkafka does not tell whether it was sent), and too few replicas after writing.
    if not_persisted { AppendError::NotPersisted(text) } else { AppendError::Unknown(text) }
}
