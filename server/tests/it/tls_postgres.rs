//! PostgreSQL over TLS: with an authority given, its server is the right one, or there is no connection.

use crate::conformance::store::place::{TestDatabase, connect, in_database, setting};
use server::{
    config::{DatabaseConfig, Secret},
    store::{Store, StoreError, postgres::PostgresStore},
};
use sqlx::{Connection, Executor};
use std::time::{Duration, Instant};

fn config(url: &str, ca: Option<String>) -> DatabaseConfig {
    DatabaseConfig { url: Secret::from(url.to_owned()), ca: ca.map(Secret::from), identity: None }
}

/// The error of a connection that must not come about: in time, and without anything secret in it.
async fn refused(config: DatabaseConfig) -> StoreError {
    let started = Instant::now();
    let error = PostgresStore::connect(&config).await.err().expect("no connection");
    assert!(started.elapsed() <= Duration::from_secs(11), "{:?}", started.elapsed());
    let text = error.to_string();
    for secret in [&config.ca, &Some(config.url)].into_iter().flatten() {
        assert!(!text.contains(secret.expose()), "{text}");
    }
    assert!(!text.contains("BEGIN"), "{text}");
    error
}

#[track_caller]
fn assert_broken(error: &StoreError, about: &str) {
    assert!(matches!(error, StoreError::Broken(text) if text.contains(about)), "{error:?}");
}

#[tokio::test]
async fn a_server_that_the_authority_vouches_for_is_used_over_tls() {
    let database = TestDatabase::create().await;
    let url = in_database(&setting("PARTYLINE_TEST_DATABASE_TLS_URL"), &database.name);
    // What the URL says of TLS does not weaken it.
    let store = PostgresStore::connect(&config(&format!("{url}?sslmode=disable"), Some(setting("PARTYLINE_TEST_CA"))))
        .await
        .expect("a store");
    store.check().await.expect("it answers");

    let mut admin = connect(&database.url).await;
    let over_tls: Vec<bool> = sqlx::query_scalar(
        "select s.ssl from pg_stat_ssl s join pg_stat_activity a using (pid)
         where a.datname = current_database() and a.application_name = 'partyline'",
    )
    .fetch_all(&mut admin)
    .await
    .expect("read");
    assert!(!over_tls.is_empty() && over_tls.iter().all(|ssl| *ssl), "{over_tls:?}");
    admin.close().await.expect("closed");
    database.remove().await;
}

#[tokio::test]
async fn a_server_of_another_authority_is_refused() {
    let url = setting("PARTYLINE_TEST_DATABASE_TLS_URL");
    let error = refused(config(&url, Some(setting("PARTYLINE_TEST_WRONG_CA")))).await;
    assert_broken(&error, "UnknownIssuer");
}

#[tokio::test]
async fn a_server_with_another_name_is_refused() {
    let url = setting("PARTYLINE_TEST_DATABASE_TLS_URL").replace("localhost", "127.0.0.1");
    let error = refused(config(&url, Some(setting("PARTYLINE_TEST_CA")))).await;
    assert_broken(&error, "not valid for name");
}

#[tokio::test]
async fn an_authority_that_cannot_be_read_is_named_but_not_shown() {
    let url = setting("PARTYLINE_TEST_DATABASE_TLS_URL");
    for ca in ["secret", "-----BEGIN CERTIFICATE-----\nsecret\n-----END CERTIFICATE-----\n"] {
        let error = refused(config(&url, Some(ca.into()))).await;
        assert_broken(&error, "DATABASE_CA");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_asks_for_our_certificate_gets_it() {
    let database = TestDatabase::create().await;
    let mut admin = connect(&database.url).await;
    admin.execute("grant create, usage on schema public to partyline_mutual").await.expect("granted");
    admin.close().await.expect("closed");
    let url = in_database(&setting("PARTYLINE_TEST_DATABASE_MUTUAL_TLS_URL"), &database.name);
    let mut config = config(&url, Some(setting("PARTYLINE_TEST_CA")));

    assert_broken(&refused(config.clone()).await, "certificate");

    let identity = (setting("PARTYLINE_TEST_CERTIFICATE"), setting("PARTYLINE_TEST_PRIVATE_KEY"));
    config.identity = Some((identity.0.into(), identity.1.into()));
    PostgresStore::connect(&config).await.expect("a store").check().await.expect("it answers");
    database.remove().await;
}

#[tokio::test]
async fn a_wrong_password_is_refused_at_once() {
    let url = setting("PARTYLINE_TEST_DATABASE_URL");
    let (_, rest) = url.split_once("://").expect("an address");
    let (_, server) = rest.split_once('@').expect("user and password");
    let started = Instant::now();
    let error = refused(config(&format!("postgres://partyline:wrong@{server}"), None)).await;
    assert_broken(&error, "password");
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_server_without_tls_and_one_that_is_silent_are_refused_when_an_authority_is_given() {
    let plain = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = |listener: &tokio::net::TcpListener| {
        format!("postgres://partyline:secret@localhost:{}/x", listener.local_addr().expect("bound").port())
    };
    let ca = || Some(setting("PARTYLINE_TEST_CA"));
    // PostgreSQL's way to say that it has no TLS.
    let say_no = async {
        let (mut socket, _) = plain.accept().await.expect("somebody");
        tokio::io::AsyncWriteExt::write_all(&mut socket, b"N").await.expect("written");
        let mut rest = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut tokio::io::AsyncReadExt::take(socket, 1_000), &mut rest)
            .await
            .expect("read");
        rest
    };
    let (without, heard) = tokio::join!(refused(config(&url(&plain), ca())), say_no);
    assert_broken(&without, "TLS");
    assert_eq!(heard.len(), 8, "nothing but the question for TLS was sent");

    let (silence, _held) = tokio::join!(refused(config(&url(&silent), ca())), silent.accept());
    assert!(matches!(silence, StoreError::Unavailable(_)), "{silence:?}");
}
