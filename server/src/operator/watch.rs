//! The audit beside serving: some rooms and some of the log each minute, and what
//! does not agree as a metric and in the log lines.

use super::audit::{self, Report};
use crate::{
    fanout::Fanout,
    log::Log,
    store::{RoomRow, Upkeep},
};
use app::model::RoomId;
use std::{collections::HashSet, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// How often.
const EVERY: Duration = Duration::from_secs(60);
/// Rooms a turn.
const ROOMS: u32 = 10;
/// One turn ends by itself after this.
const DEADLINE: Duration = Duration::from_secs(50);

/// Audits until `stop`.
pub async fn run(log: Arc<dyn Log>, store: Arc<dyn Upkeep>, fanout: Arc<dyn Fanout>, stop: CancellationToken) {
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    // Not at once: a node that has just started has better things to do.
    every.reset();
    // Several nodes begin at different rooms.
    let mut place = Place { room: Some(RoomId(uuid::Uuid::new_v4())), partition: 0 };
    metrics::counter!("partyline_audit_differences_total").increment(0);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = every.tick() => {}
        }
        tokio::select! {
            () = stop.cancelled() => return,
            turn = tokio::time::timeout(DEADLINE, turn(&*log, &*store, &*fanout, &mut place)) => match turn {
                Ok(Ok(report)) => tell(&report),
                Ok(Err(e)) => tracing::debug!(error = %format!("{e:#}"), "the audit waits: something is away"),
                Err(_) => tracing::debug!("the audit did not come round in time"),
            }
        }
    }
}

/// Where the next turn begins.
#[derive(Default)]
pub struct Place {
    room: Option<RoomId>,
    partition: u32,
}

fn tell(report: &Report) {
    metrics::counter!("partyline_audit_rooms_total").increment(report.rooms);
    metrics::counter!("partyline_audit_differences_total").increment(report.difference_count);
    for difference in &report.differences {
        tracing::error!(
            room = difference.room.map(|room| room.to_string()),
            part = difference.part,
            what = difference.what,
            "the audit found a difference: see `partyline audit`"
        );
    }
}

/// Some rooms, and the latest of a partition of the log.
///
/// # Errors
/// When something cannot be asked.
pub async fn turn(log: &dyn Log, store: &dyn Upkeep, fanout: &dyn Fanout, place: &mut Place) -> anyhow::Result<Report> {
    let mut report = Report { epoch: store.epoch().await?, ring_events: Some(0), ..Report::default() };
    let rooms: Vec<RoomRow> = store.rooms_after(place.room, ROOMS).await?;
    // Even if one of them takes too long: the next turn goes on behind them.
    place.room = rooms.last().map(|room| room.id);
    let partition = place.partition;
    place.partition = (partition + 1) % log.partitions();

    let progress = store.progress(partition).await?;
    let entries = audit::tail(log, partition, progress).await?;
    let letters =
        store.dead_letters(partition.checked_sub(1).map(|p| (p, app::model::Position::new(u32::MAX, u64::MAX))), 1_000);
    let buried: HashSet<u64> = letters
        .await?
        .iter()
        .filter(|letter| letter.partition == partition && letter.at.epoch == report.epoch)
        .map(|letter| letter.at.offset)
        .collect();
    audit::stretch(store, (partition, report.epoch), &entries, None, &buried, &mut report).await?;
    for room in &rooms {
        audit::replayed(store, room, &mut report).await?;
        audit::ring(store, fanout, room, &mut report).await?;
    }
    Ok(report)
}
