//! What the tests have in common.

pub mod proxy;

/// A setting that `end2end/services env` prints. Missing: the test fails, it is not skipped.
pub fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: run `end2end/services up`, then `eval \"$(end2end/services env)\"`")
    })
}
