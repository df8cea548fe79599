//! The embedded server killed again and again at random moments, under load.

use crate::{
    client::Dice,
    history::{Recorder, What},
    load::{Load, Scale},
    oracle::{self, Verdict},
    stage::{
        Installation, Mode,
        installation::{Paths, empty_dir},
    },
};
use anyhow::Context;
use std::{sync::Arc, time::Duration};
use tokio::time::sleep;

/// So many kills share a data folder; then everything is read back and judged, and a new one begins: reading all of it
/// after each kill would take longer and longer. What a kill loses is still lost when the folder is read.
const KILLS_A_FOLDER: u32 = 100;
/// A node that was killed has to take messages again within this.
const RECOVERY: Duration = Duration::from_secs(60);
/// A kill comes at most so long after the first message that the new process took.
const LATEST: Duration = Duration::from_millis(200);

/// What came of one folder.
#[derive(Debug)]
pub struct Folder {
    /// How often it was killed.
    pub kills: u32,
    /// What the oracle says.
    pub verdict: Verdict,
}

/// Kills so many times, and judges folder by folder; stops at the first that is not as it must be. `judged` hears of
/// each.
///
/// # Errors
/// The node does not come back, or something could not be tried.
pub async fn crash(
    times: u32,
    seed: u64,
    paths: &Paths,
    scale: Scale,
    mut judged: impl FnMut(&Folder),
) -> anyhow::Result<Vec<Folder>> {
    let mut dice = Dice::new(seed);
    let mut folders = Vec::new();
    let mut left = times;
    while left > 0 {
        let kills = left.min(KILLS_A_FOLDER);
        left -= kills;
        empty_dir(&paths.dir)?;
        let verdict = folder(kills, dice.fork(), paths, scale).await?;
        let folder = Folder { kills, verdict };
        judged(&folder);
        let good = folder.verdict.is_good();
        folders.push(folder);
        if !good {
            break;
        }
    }
    Ok(folders)
}

async fn folder(kills: u32, mut dice: Dice, paths: &Paths, scale: Scale) -> anyhow::Result<Verdict> {
    let mut installation = Installation::start(Mode::Embedded, paths, None).await?;
    let history = paths.dir.join("history.jsonl");
    let recorder = Arc::new(Recorder::create(&history).context("making the history")?);
    let mut load = Load::begin(installation.site.clone(), recorder.clone(), scale, dice.fork()).await?;
    for kill in 1..=kills {
        load.until_acknowledged(load.acknowledged.count() + 1, RECOVERY)
            .await
            .with_context(|| format!("before kill {kill}"))?;
        sleep(dice.between(Duration::ZERO, LATEST)).await;
        recorder.write(0, What::Note { text: format!("kill {kill}") });
        installation.nodes[0].kill()?;
        installation.start_node(0).await.with_context(|| format!("after kill {kill}"))?;
    }
    load.end().await?;
    drop(installation);
    tokio::task::spawn_blocking(move || oracle::judge(&history)).await.context("judging")?
}
