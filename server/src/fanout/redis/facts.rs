//! What an operator wants to know of Redis.

use super::client::client;
use crate::{config::RedisConfig, fanout::FanoutError};
use redis::{ConnectionAddr, RedisError};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(5);

/// What was found.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Its version.
    pub version: String,
    /// The connection is encrypted.
    pub tls: bool,
    /// Its clock, in milliseconds since 1970.
    pub clock: i64,
    /// What it does when its memory is full.
    pub eviction: Option<String>,
    /// May we write and publish?
    pub may_write: bool,
}

/// Asks Redis.
///
/// # Errors
/// [`FanoutError`] if it is not reached, not trusted or does not let us in; the text shows no password.
pub async fn facts(config: &RedisConfig) -> Result<Facts, FanoutError> {
    let client = client(config)?;
    let tls = matches!(client.get_connection_info().addr(), ConnectionAddr::TcpTls { .. });
    let failed = |e: RedisError| FanoutError(e.to_string());
    let asked = async {
        let mut connection = client.get_multiplexed_async_connection().await.map_err(failed)?;
        let info: String = redis::cmd("INFO").query_async(&mut connection).await.map_err(failed)?;
        let value = |key: &str| info.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(':')).map(str::to_owned);
        let (seconds, micros): (i64, i64) = redis::cmd("TIME").query_async(&mut connection).await.map_err(failed)?;
        // A key of its own that goes by itself, and a channel that nobody hears.
        let key = format!("{}:doctor", config.namespace);
        let mut write = redis::pipe();
        write.cmd("SET").arg(&key).arg("1").arg("EX").arg(10).ignore();
        write.cmd("XLEN").arg(format!("{}:{{doctor}}:ring", config.namespace)).ignore();
        write.publish(&key, "").ignore();
        write.del(&key).ignore();
        let written: Result<(), RedisError> = write.query_async(&mut connection).await;
        Ok(Facts {
            version: value("redis_version").unwrap_or_default(),
            tls,
            clock: seconds * 1000 + micros / 1000,
            eviction: value("maxmemory_policy"),
            may_write: written.is_ok(),
        })
    };
    tokio::time::timeout(PATIENCE, asked)
        .await
        .unwrap_or_else(|_| Err(FanoutError(format!("no answer within {} s", PATIENCE.as_secs()))))
}
