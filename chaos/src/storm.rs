//! A node dies, and everyone who was there comes back elsewhere at once.

use crate::{
    client::{Dice, Watcher},
    history::{Recorder, What},
    load::{Load, Scale, Watching},
    oracle::{self, Verdict},
    position::Position,
    stage::{Installation, Mode, installation::Paths},
};
use anyhow::{Context, bail};
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep};

/// How long they may take to come at all, and to come back; what is promised is less.
const PATIENCE: Duration = Duration::from_secs(300);
const POLL: Duration = Duration::from_millis(10);
/// Counts each time that a resume has to ask the store.
const STORE_QUERIES: &str = "partyline_resume_store_queries_total";
/// Sockets that connect at the same time before the storm.
const AT_ONCE: usize = 100;

/// What came of it.
#[derive(Debug)]
pub struct Report {
    /// How many came back.
    pub sockets: usize,
    /// Over how many rooms.
    pub rooms: u32,
    /// Of the half that was served first, the last was served after this.
    pub half: Duration,
    /// Everyone had been let into their room again and shown what they had missed after this.
    pub all: Duration,
    /// How often the nodes that were left asked the store for missed events.
    pub store_queries: u64,
    /// What the oracle says.
    pub verdict: Verdict,
    /// What was written down.
    pub history: PathBuf,
}

/// Connects so many sockets to a node, kills it, and waits until all are served elsewhere.
///
/// # Errors
/// They do not come back in five minutes, or something could not be tried.
pub async fn storm(sockets: usize, seed: u64, paths: &Paths, scale: Scale) -> anyhow::Result<Report> {
    let mut dice = Dice::new(seed);
    let mut installation = Installation::start(Mode::Cluster, paths, None).await?;
    let history = paths.dir.join("history.jsonl");
    let recorder = Arc::new(Recorder::create(&history).context("making the history")?);
    let mut load = Load::begin(installation.site.clone(), recorder.clone(), scale, dice.fork()).await?;
    load.until_acknowledged(u64::from(scale.rooms) * 4, PATIENCE).await?;
    let first = load.watchers().len();
    while load.watchers().len() < first + sockets {
        let begun = load.watchers().len();
        for _ in begun..(begun + AT_ONCE).min(first + sockets) {
            let room = load.watchers().len() % load.rooms.len();
            let (site, recorder, owner) = (load.site.clone(), recorder.clone(), load.owner.clone());
            let (rooms, dice) = (vec![load.rooms[room]], dice.fork());
            load.joins(Watching::begin(vec![room], |mood| {
                Watcher::new(site, recorder, owner, rooms, dice, mood).first_at(0).since(Position::START)
            }));
        }
        let came = |w: &Watching| w.progress.subscribed() > 0;
        until("they come", || load.watchers()[begun..].iter().all(came)).await?;
    }
    let before = store_queries(&load).await?;
    let subscribed: Vec<u64> = load.watchers().iter().map(|w| w.progress.subscribed()).collect();
    // Something is missed by everyone: what is acknowledged while nobody is let in yet.
    let target = load.acknowledged.newest();
    recorder.write(0, What::Note { text: format!("{sockets} sockets: their node is killed") });
    installation.nodes[0].kill()?;
    let begun = Instant::now();
    let mut half = None;
    loop {
        let served = |(w, before): &(&Watching, &u64)| w.progress.subscribed() > **before && w.has(&target);
        let count = load.watchers().iter().zip(&subscribed).skip(first).filter(served).count();
        if half.is_none() && count * 2 >= sockets {
            half = Some(begun.elapsed());
        }
        if count == sockets {
            break;
        }
        if begun.elapsed() > PATIENCE {
            bail!("only {count} of {sockets} were served again within {PATIENCE:?}");
        }
        sleep(POLL).await;
    }
    let (all, half) = (begun.elapsed(), half.unwrap_or_default());
    let store_queries = store_queries(&load).await? - before;
    // The end reads at the first node too.
    installation.start_node(0).await?;
    load.end().await?;
    drop(installation);
    let judged = history.clone();
    let verdict = tokio::task::spawn_blocking(move || oracle::judge(&judged)).await.context("judging")??;
    Ok(Report { sockets, rooms: scale.rooms, half, all, store_queries, verdict, history })
}

async fn until(what: &str, mut is: impl FnMut() -> bool) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !is() {
        if Instant::now() > deadline {
            bail!("waited in vain: {what}");
        }
        sleep(POLL).await;
    }
    Ok(())
}

/// By the nodes that survive.
async fn store_queries(load: &Load) -> anyhow::Result<u64> {
    let mut sum = 0;
    for node in 1..load.site.nodes.len() {
        let (_, text) = load.site.get(node as u16, "/metrics").await?;
        let values = text.lines().filter(|line| line.starts_with(STORE_QUERIES));
        sum += values.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>() as u64;
    }
    Ok(sum)
}
