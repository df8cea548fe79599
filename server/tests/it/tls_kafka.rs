//! Kafka with certificates and passwords: what is right connects, what is wrong says what.

#![allow(clippy::unwrap_used)]

use app::model::RoomId;
use bytes::Bytes;
use server::{
    config::{KafkaConfig, Secret},
    log::{Log, LogError, kafka::KafkaLog},
};
use std::time::{Duration, Instant};

fn var(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run through `make test`"))
}

fn secret(name: &str) -> Secret {
    var(name).into()
}

fn plain(brokers: String) -> KafkaConfig {
    let namespace = format!("test-{}", RoomId::new());
    KafkaConfig { brokers, namespace, ca: None, identity: None, sasl: None }
}

/// The listener that asks for our certificate.
fn mutual_tls() -> KafkaConfig {
    KafkaConfig {
        ca: Some(secret("PARTYLINE_TEST_CA")),
        identity: Some((secret("PARTYLINE_TEST_CERTIFICATE"), secret("PARTYLINE_TEST_PRIVATE_KEY"))),
        ..plain(var("PARTYLINE_TEST_KAFKA_TLS"))
    }
}

/// The listener that asks for a password.
fn password() -> KafkaConfig {
    KafkaConfig {
        ca: Some(secret("PARTYLINE_TEST_CA")),
        sasl: Some((var("PARTYLINE_TEST_KAFKA_USERNAME"), secret("PARTYLINE_TEST_KAFKA_PASSWORD"))),
        ..plain(var("PARTYLINE_TEST_KAFKA_SASL"))
    }
}

async fn works(config: KafkaConfig) {
    let log = KafkaLog::connect(&config, 1).await.unwrap();
    let offset = log.append(0, RoomId::new(), Bytes::from_static(b"hello")).await.unwrap();
    assert_eq!(log.read(0, offset, 1).await.unwrap()[0].payload, "hello");
    log.close().await;
}

/// Refused in time, with a text that shows no secret.
async fn refusal(config: KafkaConfig) -> LogError {
    let begun = Instant::now();
    let error = KafkaLog::connect(&config, 1).await.err().expect("it must not connect");
    assert!(begun.elapsed() < Duration::from_secs(11), "an operator waits for it: {:?}", begun.elapsed());
    let text = error.to_string();
    let shown = config.sasl.iter().map(|(_, password)| password.expose()).chain(["PRIVATE KEY", "CERTIFICATE-----"]);
    for secret in shown {
        assert!(!text.contains(secret), "{text}");
    }
    error
}

async fn broken(config: KafkaConfig) -> String {
    match refusal(config).await {
        LogError::Broken(text) => text,
        other => panic!("not for an operator to mend: {other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mutual_tls_connects() {
    works(mutual_tls()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_over_tls_connects() {
    works(password()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_authority_is_refused() {
    let text = broken(KafkaConfig { ca: Some(secret("PARTYLINE_TEST_WRONG_CA")), ..mutual_tls() }).await;
    assert!(text.contains(&var("PARTYLINE_TEST_KAFKA_TLS")), "names the broker: {text}");
    assert!(text.contains("certificate verify failed"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_host_name_is_refused() {
    let by_number = var("PARTYLINE_TEST_KAFKA_TLS").replace("localhost", "127.0.0.1");
    let text = broken(KafkaConfig { brokers: by_number.clone(), ..mutual_tls() }).await;
    assert!(text.contains(&by_number), "names the broker: {text}");
    assert!(text.contains("certificate verify failed") || text.contains("mismatch"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_client_certificate_is_refused() {
    let text = broken(KafkaConfig { identity: None, ..mutual_tls() }).await;
    assert!(text.contains(&var("PARTYLINE_TEST_KAFKA_TLS")), "names the broker: {text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_refused() {
    let wrong = Some((var("PARTYLINE_TEST_KAFKA_USERNAME"), Secret::from("a wrong password".to_owned())));
    let text = broken(KafkaConfig { sasl: wrong, ..password() }).await;
    assert!(text.contains("uthentication"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_text_to_a_tls_listener_is_refused() {
    let error = refusal(plain(var("PARTYLINE_TEST_KAFKA_TLS"))).await;
    assert!(error.to_string().contains("localhost"), "names the broker: {error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn text_that_is_no_certificate_is_refused_without_showing_it() {
    let text = broken(KafkaConfig { ca: Some(Secret::from("not a certificate".to_owned())), ..mutual_tls() }).await;
    assert!(text.contains("ssl.ca.pem") && !text.contains("not a certificate"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_broker_is_named() {
    // Port 9 is discard: nobody listens.
    let error = refusal(plain("127.0.0.1:9".into())).await;
    assert!(matches!(error, LogError::Unavailable(_)), "it may come up yet: {error}");
    assert!(error.to_string().contains("127.0.0.1:9"), "names the broker: {error}");
}
