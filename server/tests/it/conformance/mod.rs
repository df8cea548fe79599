//! What each port promises, kept by each of its adapters.

mod claims;
mod fanout;
mod log;
pub mod store;
