//! What each port promises, kept by each of its adapters.

mod fanout;
mod log;
pub mod store;
