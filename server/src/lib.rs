//! Partyline's server: one program, a chat, in one process or many.
//!
//! # The way of a message
//! 1. **Accept.** [`http`] takes it in and finds out who sends it ([`auth`]);
//!    [`service`] decides whether they may.
//! 2. **Append.** One record to the room's partition of the [`log`]. Only when the
//!    log has it durably is the sender answered.
//! 3. Two consumer groups ([`pipeline`]) read the log, in parallel: `persist`
//!    folds records into the [`store`]; `relay` puts them into the rooms' rings and
//!    sends them on through the [`fanout`].
//! 4. **Hub.** Each node's [`hub`] listens to the rooms that are watched here and
//!    hands each frame to every watcher's bounded queue.
//! 5. **Socket.** `http::socket` writes it out; the browser applies it.
//!
//! Log, store and fan-out are traits with two adapters each: files and memory
//! of one process, or Kafka, PostgreSQL and Redis. [`Server::start`] puts them
//! together.
#![recursion_limit = "512"]

pub mod auth;
pub mod config;
pub mod fanout;
#[doc(hidden)]
pub mod fuzz;
pub mod http;
pub mod hub;
pub mod log;
pub mod operator;
pub mod pictures;
pub mod pipeline;
mod remember;
#[cfg(feature = "sabotage")]
pub mod sabotage;
pub mod search;
mod serve;
pub mod service;
pub mod store;
pub mod telemetry;
pub mod time;
mod wal;
pub mod websocket;

pub use serve::Server;
