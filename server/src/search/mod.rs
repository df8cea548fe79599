//! Searching, as far as it is about texts: what a message is found by, what
//! somebody looks for, and what of a message is shown.
//!
//! It is all made here, so that both databases find the same: they only keep the
//! terms ([`terms`]) and look them up.

pub mod excerpt;
pub mod query;
pub mod terms;

pub use query::{Phrase, Query};
