//! Partyline's behaviour, tested from outside. One binary: it links once.
#![allow(clippy::unwrap_used, missing_docs)]

mod accounts;
mod api;
mod conformance;
mod crash;
mod live;
mod log_kafka;
mod log_sqlite;
mod messages;
mod nodes;
mod redis_away;
mod rooms;
mod support;
mod tls_kafka;
mod tls_postgres;
mod tls_redis;
