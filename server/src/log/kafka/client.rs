//! What all clients of Kafka have in common: settings, and hearing what goes wrong.

use crate::{config::KafkaConfig, log::LogError};
use rdkafka::{
    ClientConfig, ClientContext,
    config::RDKafkaLogLevel,
    consumer::ConsumerContext,
    error::{KafkaError, RDKafkaErrorCode as Code},
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The settings of every client.
pub(super) fn settings(config: &KafkaConfig) -> ClientConfig {
    let mut settings = ClientConfig::new();
    settings
        .set("bootstrap.servers", &config.brokers)
        .set("client.id", "partyline")
        // Half-open connections are given up in seconds, and brokers that come back are found within one.
        .set("socket.timeout.ms", "6000")
        .set("socket.connection.setup.timeout.ms", "5000")
        .set("socket.keepalive.enable", "true")
        .set("reconnect.backoff.max.ms", "1000")
        // The brokers that are known are asked again and again. librdkafka (2.12) would by default forget them when all
        // are away and begin with the bootstrap servers; now and then a client then never connects again.
        .set("metadata.recovery.strategy", "none")
        .set("topic.metadata.refresh.interval.ms", "30000")
        // A topic that is gone is noticed in seconds, not in the default half minute.
        .set("topic.metadata.propagation.max.ms", "5000")
        // Asking whether the topic is there must not make it, with whatever the broker thinks is right.
        .set("allow.auto.create.topics", "false")
        .set_log_level(RDKafkaLogLevel::Info);
    let tls = config.ca.is_some() || config.identity.is_some();
    settings.set(
        "security.protocol",
        match (tls, config.sasl.is_some()) {
            (true, true) => "sasl_ssl",
            (true, false) => "ssl",
            (false, true) => "sasl_plaintext",
            (false, false) => "plaintext",
        },
    );
    if tls {
        settings
            .set("enable.ssl.certificate.verification", "true")
            .set("ssl.endpoint.identification.algorithm", "https");
    }
    if let Some(ca) = &config.ca {
        settings.set("ssl.ca.pem", ca.expose());
    }
    if let Some((certificate, key)) = &config.identity {
        settings.set("ssl.certificate.pem", certificate.expose()).set("ssl.key.pem", key.expose());
    }
    if let Some((username, password)) = &config.sasl {
        settings
            .set("sasl.mechanism", "SCRAM-SHA-512")
            .set("sasl.username", username)
            .set("sasl.password", password.expose());
    }
    settings
}

/// What librdkafka last complained of. Its errors are codes; the reason comes by callback only.
#[derive(Clone, Default)]
pub(super) struct Heard(Arc<Mutex<Last>>);

#[derive(Default)]
struct Last {
    complaint: Option<String>,
    /// We are refused, or the broker cannot prove who it is: waiting will not help.
    refused: bool,
}

impl ClientContext for Heard {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        let text = text.rsplit_once("]: ").map_or(text, |(_thread, text)| text);
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
                tracing::warn!(facility, "Kafka's client: {text}");
            }
            _ => tracing::debug!(facility, "Kafka's client: {text}"),
        }
        // A connection that was closed on us is no error to librdkafka, but all that there is to hear.
        let mut last = self.last();
        if facility == "FAIL" && !last.refused {
            let hint = if text.contains("APIVERSION_QUERY") {
                " (if it stays so: does the broker want TLS or a password?)"
            } else {
                ""
            };
            last.complaint = Some(format!("{text}{hint}"));
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(reason, "Kafka's client: {}", describe(&error));
        let code = error.rdkafka_error_code();
        // "All brokers are down" follows each real reason and would hide it.
        if code == Some(Code::AllBrokersDown) {
            return;
        }
        let mut last = self.last();
        // What a broker dislikes about our certificate comes after the handshake, as the end of the connection.
        last.refused = matches!(code, Some(Code::SSL | Code::Authentication)) || reason.contains("SSL alert number");
        last.complaint = Some(reason.to_owned());
    }
}

impl ConsumerContext for Heard {}

impl Heard {
    fn last(&self) -> MutexGuard<'_, Last> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A broker refused us, or could not prove who it is.
    pub fn refused(&self) -> bool {
        self.last().refused
    }

    /// All is well again: what was heard before explains nothing that comes.
    pub fn forget(&self) {
        *self.last() = Last::default();
    }

    /// The error with the reason that was heard for it.
    pub fn explain(&self, error: &KafkaError) -> LogError {
        let last = self.last();
        let described = describe(error);
        if last.refused {
            return LogError::Broken(format!("Kafka: {}", last.complaint.as_deref().unwrap_or(&described)));
        }
        match (error.rdkafka_error_code(), &last.complaint) {
            (Some(Code::BrokerTransportFailure | Code::OperationTimedOut | Code::AllBrokersDown), Some(complaint)) => {
                LogError::Unavailable(format!("Kafka: {described}; last heard: {complaint}"))
            }
            (Some(code), _) if is_setup(code) => LogError::Broken(format!("Kafka: {described}")),
            (None, _) => LogError::Broken(format!("Kafka: {described}")),
            _ => LogError::Unavailable(format!("Kafka: {described}")),
        }
    }
}

/// Codes that only an operator can mend.
pub(super) fn is_setup(code: Code) -> bool {
    matches!(
        code,
        Code::UnknownTopic
            | Code::UnknownPartition
            | Code::UnknownTopicOrPartition
            | Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::PolicyViolation
            | Code::InvalidTopic
            | Code::InvalidPartitions
            | Code::InvalidReplicationFactor
            | Code::SaslAuthenticationFailed
            | Code::UnsupportedSASLMechanism
    )
}

/// The error in words. Not its `Display`: that shows a setting's value, which may be a password or a key.
pub(super) fn describe(error: &KafkaError) -> String {
    match error {
        KafkaError::ClientConfig(_, problem, key, _) => format!("the setting {key}: {problem}"),
        other => other.to_string(),
    }
}
