//! TLS to Redis: full verification, nothing instead of it, and no secrets in what is said.

use crate::support::setting;
use app::model::{Position, RoomId};
use server::{
    config::RedisConfig,
    fanout::{Fanout, redis::RedisFanout},
};
use std::time::{Duration, Instant};

async fn connect(url: &str, ca: Option<String>) -> Result<RedisFanout, String> {
    let namespace = format!("test-{}", uuid::Uuid::new_v4());
    let config = RedisConfig { url: url.to_owned().into(), namespace, ca: ca.map(Into::into) };
    let begun = Instant::now();
    let connected = RedisFanout::connect(&config).await.map_err(|e| e.to_string());
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    connected
}

/// Fails, and says nothing that is nobody's business.
async fn refused(url: &str, ca: Option<String>) -> String {
    let text = connect(url, ca).await.err().expect("must not connect");
    assert!(!text.contains("BEGIN") && !text.contains("sesame"), "{text}");
    text
}

#[tokio::test]
async fn with_the_authority_given_redis_is_used_over_tls() {
    let fanout = connect(&setting("PARTYLINE_TEST_REDIS_TLS_URL"), Some(setting("PARTYLINE_TEST_CA"))).await.unwrap();
    let room = RoomId::new();
    fanout.watch(room).await.unwrap();
    fanout.check().await.unwrap();
    assert_eq!(fanout.ring(room, Position::START).await.unwrap().top, None);
}

#[tokio::test]
async fn a_server_that_another_authority_signed_is_refused() {
    let url = setting("PARTYLINE_TEST_REDIS_TLS_URL");
    let text = refused(&url, Some(setting("PARTYLINE_TEST_WRONG_CA"))).await;
    assert!(text.contains("invalid peer certificate"), "{text}");
    // Without an authority of its own it trusts the public ones, and none of them signed this.
    let text = refused(&url, None).await;
    assert!(text.contains("UnknownIssuer"), "{text}");
}

#[tokio::test]
async fn a_server_of_another_name_is_refused() {
    let url = setting("PARTYLINE_TEST_REDIS_TLS_URL").replace("localhost", "127.0.0.1");
    let text = refused(&url, Some(setting("PARTYLINE_TEST_CA"))).await;
    assert!(text.contains("not valid for name"), "{text}");
}

#[tokio::test]
async fn with_an_authority_given_there_is_no_plain_text() {
    let text = refused(&setting("PARTYLINE_TEST_REDIS_URL"), Some(setting("PARTYLINE_TEST_CA"))).await;
    assert!(text.contains("rediss"), "{text}");
}

#[tokio::test]
async fn verification_cannot_be_switched_off() {
    let url = format!("{}/#insecure", setting("PARTYLINE_TEST_REDIS_TLS_URL"));
    let text = refused(&url, Some(setting("PARTYLINE_TEST_CA"))).await;
    assert!(text.contains("insecure"), "{text}");
}

#[tokio::test]
async fn an_authority_that_is_no_certificate_is_named() {
    let url = setting("PARTYLINE_TEST_REDIS_TLS_URL");
    let text = refused(&url, Some("/etc/ca.pem".into())).await;
    assert!(text.contains("REDIS_CA"), "{text}");
    let broken = setting("PARTYLINE_TEST_CA").replace("MII", "M!!");
    let text = refused(&url, Some(broken)).await;
    assert!(text.contains("REDIS_CA"), "{text}");
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_not_repeated() {
    let url = setting("PARTYLINE_TEST_REDIS_URL").replace("redis://", "redis://nobody:open-sesame@");
    let text = refused(&url, None).await;
    assert!(text.contains("WRONGPASS") || text.to_lowercase().contains("authentication"), "{text}");
}

#[tokio::test]
async fn an_address_without_a_redis_is_refused_soon() {
    // Bound, so that nobody else listens there, and closed again.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let text = refused(&format!("redis://:open-sesame@127.0.0.1:{port}"), None).await;
    assert!(text.contains("refused"), "{text}");
    let text = refused("http://open-sesame@127.0.0.1", None).await;
    assert!(text.contains("REDIS_URL"), "{text}");
}

#[tokio::test]
async fn a_host_that_never_answers_is_given_up_in_time() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let text = refused(&format!("redis://{}", silent.local_addr().unwrap()), None).await;
    assert!(text.contains("timed out") || text.contains("within"), "{text}");
}
