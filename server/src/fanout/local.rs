//! The fan-out within one process.
