//! Each port's guarantees, run against every adapter.

pub mod log;
