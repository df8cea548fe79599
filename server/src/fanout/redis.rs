//! The fan-out through Redis.
