//! Everything that is tested from outside, in one binary: it links once.
#![allow(clippy::unwrap_used)]

mod conformance;
mod redis_away;
mod support;
mod tls_redis;
