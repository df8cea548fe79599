//! Breaks a promise on purpose, so that the fault tests can be seen to notice.
//!
//! Only there with the feature `sabotage`, which no release has; does nothing
//! until `PARTYLINE_SABOTAGE` names a promise.

#[cfg(not(debug_assertions))]
compile_error!("the feature `sabotage` is for tests of the fault tests: no release is built with it");

use std::sync::OnceLock;

/// Promises that can be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// A message is acknowledged before the log has it.
    AckBeforeLog,
    /// The store takes a batch wherever it is, and persist goes on from where it remembers to be.
    NoCompareAndSet,
    /// The store's progress is committed by itself, before the rows.
    ProgressBeforeRows,
    /// The hub takes any event for the next one.
    NoPrevCheck,
}

fn chosen() -> Option<Promise> {
    static CHOSEN: OnceLock<Option<Promise>> = OnceLock::new();
    *CHOSEN.get_or_init(|| match std::env::var("PARTYLINE_SABOTAGE").ok()?.as_str() {
        "ack_before_log" => Some(Promise::AckBeforeLog),
        "no_compare_and_set" => Some(Promise::NoCompareAndSet),
        "progress_before_rows" => Some(Promise::ProgressBeforeRows),
        "no_prev_check" => Some(Promise::NoPrevCheck),
        other => panic!(
            "PARTYLINE_SABOTAGE={other}: ack_before_log, no_compare_and_set, progress_before_rows or no_prev_check"
        ),
    })
}

/// Is this one to be broken?
pub fn breaks(promise: Promise) -> bool {
    chosen() == Some(promise)
}

/// Says so loudly, at the start.
pub fn announce() {
    tracing::error!("THIS PROGRAM IS BUILT TO BREAK ITS PROMISES (feature `sabotage`): never let people use it");
    if let Some(promise) = chosen() {
        tracing::error!(?promise, "and it will");
    }
}
