//! What the tests have in common.

pub mod broker;
pub mod installation;
pub mod judged;
pub mod people;
pub mod redis;
pub mod socket;

pub use installation::{Installation, Kind, shared};
pub use judged::Judged;
pub use people::{PASSWORD, Person};
pub use socket::Socket;

/// How long anything may take that is waited for. Reached only when something is broken.
pub const PATIENCE: std::time::Duration = std::time::Duration::from_secs(120);

/// A setting that `end2end/services env` prints. Missing: the test fails, it is not skipped.
pub fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: run `end2end/services up`, then `eval \"$(end2end/services env)\"`")
    })
}

/// Asks until the answer is yes.
pub async fn until(what: &str, mut ask: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !ask().await {
        assert!(tokio::time::Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
}

/// Sends a signal. One that is told to STOP has stopped when this returns: each of its threads does so by itself,
/// and one that has not yet may still write an answer.
#[expect(clippy::disallowed_methods, reason = "a moment, and tests send signals from where nothing can be awaited")]
pub fn signal(child: &std::process::Child, name: &str) {
    let sent = std::process::Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status();
    assert!(sent.unwrap().success());
    let threads = format!("/proc/{}/task", child.id());
    let stopped = |thread: std::fs::DirEntry| {
        let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        // The name before the state is in parentheses, and may have spaces.
        stat.rsplit(") ").next().is_none_or(|rest| rest.is_empty() || rest.starts_with('T'))
    };
    let deadline = std::time::Instant::now() + PATIENCE;
    while name == "STOP" && !std::fs::read_dir(&threads).unwrap().all(|thread| stopped(thread.unwrap())) {
        assert!(std::time::Instant::now() < deadline, "not stopped");
        std::thread::sleep(std::time::Duration::from_millis(1));
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

/// A folder in memory, where this system has such a place: for tests that open thousands of small files.
pub fn small_folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}
