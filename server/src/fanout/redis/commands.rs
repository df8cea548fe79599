//! The connection that asks: rings, heads, publishing.

use super::client::{ANSWER, CONNECT};
use crate::fanout::FanoutError;
use redis::{
    Client, ErrorKind, FromRedisValue, Pipeline, RedisError, RedisResult, Script, ServerErrorKind,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use std::time::Duration;

/// The longest that one call waits, with reconnecting.
const DEADLINE: Duration = Duration::from_secs(2);

/// One connection, shared by all callers, that mends itself.
pub(super) struct Commands {
    manager: ConnectionManager,
    publish: Script,
    head: Script,
}

impl Commands {
    /// Connects when first used.
    pub(super) fn new(client: Client) -> Result<Self, FanoutError> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(ANSWER))
            // One attempt for each call that finds the connection gone: callers learn at once that Redis is away.
            .set_number_of_retries(0);
        let manager = ConnectionManager::new_lazy_with_config(client, config).map_err(failed)?;
        Ok(Self {
            manager,
            publish: Script::new(include_str!("publish.lua")),
            head: Script::new(include_str!("head.lua")),
        })
    }

    /// The name of `publish.lua` for `EVALSHA`.
    pub(super) fn publish_script(&self) -> &str {
        self.publish.get_hash()
    }

    /// The name of `head.lua` for `EVALSHA`.
    pub(super) fn head_script(&self) -> &str {
        self.head.get_hash()
    }

    /// Sends commands in one go and reads all answers. Each command may be carried out twice.
    pub(super) async fn ask<T: FromRedisValue>(&self, commands: &Pipeline) -> Result<T, FanoutError> {
        match tokio::time::timeout(DEADLINE, self.ask_patiently(commands)).await {
            Ok(answer) => answer.map_err(failed),
            Err(_) => Err(FanoutError(format!("no answer within {} s", DEADLINE.as_secs()))),
        }
    }

    async fn ask_patiently<T: FromRedisValue>(&self, commands: &Pipeline) -> RedisResult<T> {
        let mut connection = self.manager.clone();
        let mut tries = 3;
        loop {
            tries -= 1;
            match commands.query_async(&mut connection).await {
                // A Redis that was restarted knows no scripts.
                Err(e) if tries > 0 && e.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                    let mut load = redis::pipe();
                    load.load_script(&self.publish).load_script(&self.head);
                    load.exec_async(&mut connection).await?;
                }
                // What failed may be the last attempt to connect, long ago: this call makes one of its own.
                Err(e) if tries > 0 && e.is_io_error() && !e.is_timeout() => {}
                answer => return answer,
            }
        }
    }
}

/// What Redis or the connection says never repeats address, password or key.
pub(super) fn failed(e: RedisError) -> FanoutError {
    FanoutError(e.to_string())
}
