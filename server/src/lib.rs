//! Partyline's server.

pub mod config;
pub mod fanout;
pub mod log;
pub mod store;
