//! The absences that ARCHITECTURE.md promises: what is nowhere in the source.

use std::{
    fs,
    path::{Path, PathBuf},
};

fn workspace() -> PathBuf {
    let xtask = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo says where the package is");
    Path::new(&xtask).parent().expect("xtask is a folder of the workspace").to_owned()
}

/// Every Rust file below a folder of the workspace, with its path from there.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![workspace().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the workspace") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).expect("readable");
                found.push((from_workspace(&path), text));
            }
        }
    }
    assert!(!found.is_empty(), "{folder} has no source");
    found
}

fn from_workspace(path: &Path) -> String {
    path.strip_prefix(workspace()).expect("inside").to_string_lossy().replace('\\', "/")
}

/// The lines of code that name a crate, outside the places where it belongs.
fn strays(folder: &str, krate: &str, allowed: &[&str]) -> Vec<String> {
    let names = [format!("{krate}::"), format!("use {krate};"), format!("extern crate {krate}")];
    let mut found = Vec::new();
    for (path, text) in sources(folder) {
        if allowed.iter().any(|place| path.starts_with(place)) {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if names.iter().any(|name| is_named(code, name)) {
                found.push(format!("{path}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    found
}

/// `redis::` but not `fanout::redis::` or `my_redis::`: those are ours.
fn is_named(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let before = code[..at].trim_end_matches("::").chars().next_back();
        code[..at].ends_with(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')) || before.is_none()
    })
}

#[test]
fn nothing_speaks_kafka_outside_the_log() {
    assert_eq!(strays("server/src", "rdkafka", &["server/src/log/"]), Vec::<String>::new());
}

#[test]
fn nothing_speaks_redis_outside_the_fan_out() {
    assert_eq!(strays("server/src", "redis", &["server/src/fanout/"]), Vec::<String>::new());
}

#[test]
fn nothing_speaks_sql_outside_the_store_and_the_embedded_log() {
    assert_eq!(strays("server/src", "sqlx", &["server/src/store/", "server/src/log/sqlite"]), Vec::<String>::new());
}

#[test]
fn what_the_browser_shares_does_no_io() {
    for krate in ["tokio", "axum", "sqlx", "redis", "rdkafka", "reqwest"] {
        assert_eq!(strays("app/src", krate, &[]), Vec::<String>::new());
    }
}

#[test]
fn an_own_module_of_the_same_name_is_not_the_crate() {
    assert!(is_named("use redis::Client;", "redis::"));
    assert!(is_named("redis::cmd(\"PING\")", "redis::"));
    assert!(!is_named("use crate::fanout::redis::RedisFanout;", "redis::"));
    assert!(!is_named("fanout::redis::connect()", "redis::"));
}
