//! SIGKILL in the middle of everything.

use crate::support::{Installation, Judged, Kind, PATIENCE, in_both_modes, installation::free_address};
use chaos::load::Scale;

in_both_modes!(every_acknowledged_message_survives_the_nodes_death_once);

async fn every_acknowledged_message_survives_the_nodes_death_once(kind: Kind) {
    let installation = Installation::new(kind).await;
    let address = free_address();
    let mut process = installation.spawn(address);
    let scale = Scale { rooms: 2, writers: 8, watchers: 2, per_second: 0 };
    let mut judged = Judged::begin(vec![process.base.clone()], scale).await;
    for _ in 0..3 {
        let target = judged.load.acknowledged.count() + 200;
        judged.load.until_acknowledged(target, PATIENCE).await.unwrap();
        process.kill();
        process = installation.spawn(address);
    }
    let target = judged.load.acknowledged.count() + 50;
    judged.load.until_acknowledged(target, PATIENCE).await.unwrap();
    let verdict = judged.end().await;
    assert!(verdict.acknowledged >= 650);
}
