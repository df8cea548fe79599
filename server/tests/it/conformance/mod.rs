//! What each port promises, asked of each of its adapters.

pub mod store;
