//! Thousands come back to one node at once.

use crate::support::{
    Installation, Kind, PATIENCE, Person, Socket, in_both_modes,
    installation::{Process, free_address},
};
use app::model::Position;
use std::time::{Duration, Instant};
use tokio::{
    sync::{Barrier, Mutex},
    task::JoinSet,
    time::timeout,
};

in_both_modes!(three_thousand_resumes_at_once_are_served_from_memory,);

const ROOMS: usize = 3;
const MESSAGES: usize = 400;
const RESUMES: usize = 3_000;
/// Most have missed a little, some more than a ring holds.
const A_LITTLE: usize = 30;
const FROM_AFAR: usize = 25;
const QUERIES: &str = "partyline_resume_store_queries_total";
/// The modes one after the other: a crowd is a crowd.
static TURN: Mutex<()> = Mutex::const_new(());
const IN: Duration = Duration::from_secs(15);

async fn counted(node: &Process, name: &str) -> usize {
    let text = reqwest::get(format!("{}/metrics", node.base)).await.unwrap().text().await.unwrap();
    let of = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok();
    text.lines().find_map(of).unwrap_or(0)
}

/// To a node that has just been started, and in embedded mode has no rings yet; from as many places as there are.
async fn three_thousand_resumes_at_once_are_served_from_memory(kind: Kind) {
    let _turn = TURN.lock().await;
    let installation = Installation::new(kind).await;
    let node = installation.spawn(free_address());
    let ada = Person::register(&node.base, "ada").await;
    let mut rooms = Vec::new();
    for _ in 0..ROOMS {
        let room = ada.make_room("public").await;
        let mut posted = Vec::new();
        for first in (0..MESSAGES).step_by(16) {
            let posts = (first..first + 16).map(|n| {
                let (ada, room) = (&ada, &room);
                async move { ada.post(room, &n.to_string()).await.1 }
            });
            posted.extend(futures::future::join_all(posts).await);
        }
        posted.sort_unstable();
        ada.bodies(&room, posted[MESSAGES - 1]).await;
        rooms.push((room, posted));
    }
    node.kill();
    let node = installation.spawn(free_address());
    let before = counted(&node, QUERIES).await;

    // They connect, and all ask in the same moment.
    let ready = std::sync::Arc::new(Barrier::new(RESUMES + 1));
    let mut clients = JoinSet::new();
    for n in 0..RESUMES {
        let (room, posted) = &rooms[n % ROOMS];
        let back = if n % FROM_AFAR == 0 { (n * 7) % MESSAGES } else { n % A_LITTLE };
        let since = MESSAGES - 1 - back;
        let missed = posted[since + 1..].to_vec();
        let (base, room, since, ready) = (node.base.clone(), room.clone(), posted[since], ready.clone());
        clients.spawn(async move {
            let mut socket = Socket::connect(&base, None).await.unwrap();
            ready.wait().await;
            resume(&mut socket, &room, since, &missed).await;
        });
    }
    timeout(PATIENCE * 2, ready.wait()).await.expect("all connect");
    let begun = Instant::now();
    while let Some(client) = timeout(PATIENCE, clients.join_next()).await.expect("in time") {
        client.unwrap();
    }
    let took = begun.elapsed();
    let asked = counted(&node, QUERIES).await - before;
    let followings = counted(&node, "partyline_log_followings_total").await;
    println!("{kind:?}: {RESUMES} resumes in {took:?}, {asked} store queries");
    assert!(took < IN, "{took:?}");
    // A machine so busy that Redis seemed to be away brings each room one more, to follow the log from there.
    assert!(asked <= ROOMS * (1 + followings), "{asked} store queries for {ROOMS} rooms");
}

async fn resume(socket: &mut Socket, room: &str, since: Position, missed: &[Position]) {
    let answer = socket.subscribe(room, Some(since)).await;
    assert!(answer["type"] == "subscribed" && answer["recovered"] == true, "{answer}");
    let mut mine = since;
    for at in missed {
        let frame = socket.next_text().await;
        let place = format!(r#"{{"type":"event","room":"{room}","at":"{at}","prev":"{mine}","#);
        assert!(frame.starts_with(&place), "{frame} instead of {place}");
        mine = *at;
    }
}
