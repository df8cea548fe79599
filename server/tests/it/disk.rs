//! The embedded server on a full disk: posting says so, reading goes on, and once there is room it works again, without
//! a restart. The disk is a small tmpfs in a mount namespace of the test's own.

#![allow(clippy::unwrap_used)]

use crate::support::{Installation, PATIENCE, Person, installation::free_address, until};
use app::model::{MessageId, Position};
use reqwest::{Method, StatusCode};
use serde_json::json;
use server::config::Mode;
use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

const DISK: &str = "PARTYLINE_TEST_SMALL_DISK";

/// Runs the test again where a folder is a disk of a few megabytes; `true` in that run.
fn on_small_disks(test: &str) -> Option<PathBuf> {
    if let Some(disk) = std::env::var_os(DISK) {
        return Some(PathBuf::from(disk));
    }
    let dir = tempfile::tempdir().unwrap();
    for name in ["log", "store"] {
        std::fs::create_dir(dir.path().join(name)).unwrap();
    }
    let script = "mount -t tmpfs -o size=12m tmpfs \"$0/log\" && mount -t tmpfs -o size=8m tmpfs \"$0/store\" \
                  && exec \"$1\" --exact \"$2\" --nocapture";
    let ended = Command::new("unshare")
        .args(["--mount", "--map-root-user", "sh", "-c", script])
        .arg(dir.path())
        .arg(std::env::current_exe().unwrap())
        .arg(test)
        .env(DISK, dir.path())
        .status()
        .expect("unshare is there: it is part of util-linux");
    assert!(ended.success(), "on a small disk, which needs user namespaces: {ended}");
    None
}

/// Takes all that is left of a disk, but what is given back when it is dropped.
struct Filler(PathBuf);

impl Filler {
    fn new(disk: &Path) -> Self {
        let path = disk.join("filler");
        Self::fill(&path);
        Self(path)
    }

    /// Again, what SQLite has given back meanwhile.
    fn fill(path: &Path) {
        let mut file = File::options().create(true).append(true).open(path).unwrap();
        for size in [64 * 1024, 4096, 1] {
            while file.write_all(&vec![b'x'; size]).is_ok() {}
        }
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

async fn every_page(ada: &Person, room: &str) -> Vec<(MessageId, Position)> {
    let (mut found, mut query) = (Vec::new(), "?limit=200&after=0.0".to_owned());
    loop {
        let page = ada.history(room, &query).await;
        for message in page["messages"].as_array().unwrap() {
            let at = message["at"].as_str().unwrap();
            query = format!("?limit=200&after={at}");
            found.push((message["id"].as_str().unwrap().parse().unwrap(), at.parse().unwrap()));
        }
        if page["more"] == false {
            return found;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_posts_and_serves_reads_and_works_again_once_there_is_room() {
    let Some(disks) =
        on_small_disks("disk::a_full_disk_refuses_posts_and_serves_reads_and_works_again_once_there_is_room")
    else {
        return;
    };
    let disk = disks.join("log");
    let mut installation = Installation::new(crate::support::Kind::Embedded).await;
    installation.mode = Mode::Embedded { data_dir: disk.join("data") };
    let process = installation.spawn(free_address());
    let ada = Person::register(&process.base, "ada").await;
    let room = ada.make_room("public").await;
    let mut acknowledged = Vec::new();
    for _ in 0..20 {
        acknowledged.push(ada.post(&room, "while there is room").await);
    }
    for round in 0..3 {
        ada.bodies(&room, acknowledged.last().unwrap().1).await;
        let filler = Filler::new(&disk);
        let (mut refused, deadline) = (0, Instant::now() + PATIENCE);
        while refused < 5 {
            assert!(Instant::now() < deadline, "the disk never gets full");
            let id = MessageId::new();
            let (status, answer) = ada.try_post(&room, id, &"x".repeat(8_000)).await;
            match status {
                StatusCode::CREATED => {
                    refused = 0;
                    acknowledged.push((id, answer["at"].as_str().unwrap().parse().unwrap()));
                    Filler::fill(&filler.0);
                }
                StatusCode::INSUFFICIENT_STORAGE => refused += 1,
                _ => panic!("round {round}: {status} {answer}"),
            }
        }
        let page = ada.history(&room, "").await;
        assert_eq!(page["messages"].as_array().unwrap().len(), 20.max(acknowledged.len()).min(50), "reading goes on");
        assert_eq!(ada.get("/rooms").await.0, StatusCode::OK);
        drop(filler);

        let id = MessageId::new();
        let deadline = Instant::now() + PATIENCE;
        let at = loop {
            let (status, answer) = ada.try_post(&room, id, "there is room again").await;
            if status.is_success() {
                break answer["at"].as_str().unwrap().parse().unwrap();
            }
            assert_eq!(status, StatusCode::INSUFFICIENT_STORAGE, "{answer}");
            assert!(Instant::now() < deadline, "it does not work again");
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        acknowledged.push((id, at));
    }
    ada.bodies(&room, acknowledged.last().unwrap().1).await;
    assert_eq!(every_page(&ada, &room).await, acknowledged, "each once, in order");
    process.kill();
    let process = installation.spawn(free_address());
    let ada = ada.at(&process.base);
    assert_eq!(every_page(&ada, &room).await, acknowledged, "and after a crash");
    println!("{} acknowledged over three full disks", acknowledged.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_only_the_stores_disk_is_full_posting_goes_on_and_the_store_catches_up() {
    let Some(disks) =
        on_small_disks("disk::while_only_the_stores_disk_is_full_posting_goes_on_and_the_store_catches_up")
    else {
        return;
    };
    let data = disks.join("log").join("data");
    std::fs::create_dir(&data).unwrap();
    // SQLite keeps the rest of a database beside what the link leads to.
    std::os::unix::fs::symlink(disks.join("store").join("store.db"), data.join("store.db")).unwrap();
    let mut installation = Installation::new(crate::support::Kind::Embedded).await;
    installation.mode = Mode::Embedded { data_dir: data };
    let process = installation.spawn(free_address());
    let ada = Person::register(&process.base, "ada").await;
    let room = ada.make_room("public").await;
    let mut acknowledged = vec![ada.post(&room, "before").await];
    ada.bodies(&room, acknowledged[0].1).await;
    let mut socket = ada.socket().await;
    assert_eq!(socket.subscribe(&room, Some(acknowledged[0].1)).await["type"], "subscribed");

    let filler = Filler::new(&disks.join("store"));
    until("the store is full", async || {
        Filler::fill(&filler.0);
        let body =
            json!({ "username": crate::support::people::unique("lin"), "password": crate::support::people::PASSWORD });
        let (status, answer) = Person::visitor(&process.base).call(Method::POST, "/accounts", Some(body)).await;
        assert!(matches!(status, StatusCode::CREATED | StatusCode::INSUFFICIENT_STORAGE), "{status} {answer}");
        status == StatusCode::INSUFFICIENT_STORAGE
    })
    .await;
    for n in 0..60 {
        acknowledged.push(ada.post(&room, &format!("{n} {}", "x".repeat(4_000))).await);
    }
    // Live delivery does not ask the store.
    for (_, expected) in &acknowledged[1..] {
        let (_, at, _) = tokio::time::timeout(PATIENCE, socket.posted()).await.unwrap();
        assert_eq!(at, *expected);
    }
    assert!(every_page(&ada, &room).await.len() < acknowledged.len(), "the history says up to where it is");
    drop(filler);
    ada.bodies(&room, acknowledged.last().unwrap().1).await;
    assert_eq!(every_page(&ada, &room).await, acknowledged);
    println!("{} acknowledged", acknowledged.len());
}

#[tokio::test]
async fn a_second_server_on_the_same_folder_refuses_and_the_first_goes_on() {
    let installation = Installation::new(crate::support::Kind::Embedded).await;
    let process = installation.spawn(free_address());
    let Mode::Embedded { data_dir } = &installation.mode else { unreachable!("it is embedded") };
    let second = Command::new(env!("CARGO_BIN_EXE_partyline"))
        .env("PARTYLINE_LISTEN", free_address().to_string())
        .env("PARTYLINE_DATA_DIR", data_dir)
        .output()
        .unwrap();
    assert!(!second.status.success());
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(said.contains("in use by another process"), "{said}");
    let ada = Person::register(&process.base, "ada").await;
    let room = ada.make_room("public").await;
    ada.post(&room, "still here").await;
}
