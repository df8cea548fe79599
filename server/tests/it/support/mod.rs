//! What the tests have in common.

pub mod installation;
pub mod people;
pub mod proxy;
pub mod socket;

pub use installation::{Installation, Kind, shared};
pub use people::Person;
pub use socket::Socket;

/// How long anything may take that is waited for. Reached only when something is broken.
pub const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

/// A setting that `end2end/services env` prints. Missing: the test fails, it is not skipped.
pub fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: run `end2end/services up`, then `eval \"$(end2end/services env)\"`")
    })
}

/// Asks until the answer is yes.
pub async fn until<F: Future<Output = bool>>(what: &str, mut ask: impl FnMut() -> F) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !ask().await {
        assert!(tokio::time::Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
}

/// The same behaviour, tested under its own name in both modes.
macro_rules! in_both_modes {
    ($($name:ident),+ $(,)?) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name($crate::support::Kind::Embedded).await;
            })+
        }
        mod cluster {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name($crate::support::Kind::Cluster).await;
            })+
        }
    };
}
pub(crate) use in_both_modes;
