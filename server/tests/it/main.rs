//! Partyline's behaviour, tested from outside.

mod conformance;
mod log_kafka;
mod log_sqlite;
mod tls_kafka;
