//! Says, beside persist, which messages have become too old in rooms that keep
//! them for some time only. That is an event like any other: what follows from it
//! is folded, and heard by who watches.
//!
//! Every node asks; the store tells each room to one of them an hour. Should two
//! say the same all the same, the second changes nothing.

use crate::{
    log::{Log, Record},
    store::{RoomRow, Store, StoreError},
    time::now,
};
use app::model::{KnownEvent, Millis, Position, UserId};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const DAY_MS: Millis = 24 * 3600 * 1000;
/// How often a room is looked at, in ms. One whose setting was changed is due at once.
const EVERY_MS: Millis = 3600 * 1000;
/// Messages of a room that become too old together: folding takes them in one transaction, with its batch.
const AT_ONCE: u32 = 500;
/// Rooms at once.
const ROOMS: u32 = 50;
/// Between two questions whether a room is due: of a few rows of an index.
const PAUSE: Duration = Duration::from_secs(5);

/// Runs until `stop`. What log and store cannot do now is tried again.
pub async fn run(log: Arc<dyn Log>, store: Arc<dyn Store>, stop: CancellationToken) {
    loop {
        let looking = async {
            if let Err(e) = once(&*log, &*store, now()).await {
                tracing::debug!(error = %e, "what has become too old waits for the store");
            }
            tokio::time::sleep(PAUSE).await;
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = looking => {}
        }
    }
}

/// Looks at the rooms that are due at `now`; in how many of them something has become too old.
///
/// # Errors
/// The store's. A room that the log took nothing for is due again.
pub async fn once(log: &dyn Log, store: &dyn Store, now: Millis) -> Result<usize, StoreError> {
    let mut count = 0;
    for room in store.forgetting(now, now + EVERY_MS, ROOMS).await? {
        let oldest = store.oldest(room.id, AT_ONCE).await?;
        let Some(up_to) = too_old(&oldest, now - Millis::from(room.keep_days) * DAY_MS, now) else { continue };
        count += 1;
        let said = say(log, &room, up_to, now).await;
        let more = oldest.len() == AT_ONCE as usize && oldest.last().is_some_and(|(last, _)| *last == up_to);
        if more || !said {
            store.look_again(room.id, now).await?;
        }
    }
    Ok(count)
}

async fn say(log: &dyn Log, room: &RoomRow, up_to: Position, now: Millis) -> bool {
    let event = KnownEvent::MessagesExpired { up_to }.into();
    // Nobody did it.
    let by = UserId(Uuid::nil());
    let record = Record { v: 1, room: room.id, by, id: Uuid::now_v7(), accepted_at: now, event };
    let said = log.append(room.partition, room.id, record.encode()).await;
    match &said {
        Ok(_) => metrics::counter!("partyline_expired_total").increment(1),
        Err(e) => tracing::debug!(error = %e, "what has become too old waits for the log"),
    }
    said.is_ok()
}

/// The last of a room's oldest messages, in order, before the first that is not too old yet: no clock that was behind
/// takes along what is to be kept. One that was ahead does not hold up the others.
fn too_old(oldest: &[(Position, Millis)], before: Millis, now: Millis) -> Option<Position> {
    let kept = |sent_at: Millis| (before..=now).contains(&sent_at);
    let first = oldest.iter().take_while(|(_, sent_at)| !kept(*sent_at));
    first.filter(|(_, sent_at)| *sent_at < before).last().map(|(at, _)| *at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_before_the_first_that_is_not_too_old_is() {
        let expired = |sent: &[Millis]| {
            let oldest: Vec<_> = (1..).zip(sent).map(|(n, sent_at)| (Position::new(1, n), *sent_at)).collect();
            too_old(&oldest, 100, 200).map(|at| at.offset)
        };
        assert_eq!(expired(&[]), None);
        assert_eq!(expired(&[10, 20, 99]), Some(3));
        assert_eq!(expired(&[10, 99, 100, 150]), Some(2));
        assert_eq!(expired(&[100, 10]), None, "a clock was behind");
        assert_eq!(expired(&[10, 500, 20, 150, 30]), Some(3), "a clock was ahead");
        assert_eq!(expired(&[10, 500, 150]), Some(1));
        assert_eq!(expired(&[500, 600]), None);
    }
}
