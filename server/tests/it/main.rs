//! Everything that is tested from outside, in one program.

mod conformance;
mod tls_postgres;
