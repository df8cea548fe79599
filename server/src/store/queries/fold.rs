//! Folding: from the log's records to the archive and to what is read.
//!
//! It decides nothing that the log has not decided, and looks at no clock: the
//! same records give the same rows, whenever and wherever they are folded.

use super::{Connection, chains, pending::Pending, progress, projection};
use crate::store::{FoldError, Placed, StoreError, Stretch, failure::refusal, row::signed};
use app::model::{Event, KnownEvent, Position, RoomChanged};

/// How many rows go to the database together.
pub(super) const RUN: usize = 500;

/// `run`: how many rows may go in together. With 1, [`FoldError::Poison`] names the right record.
pub(super) async fn fold(tx: &mut Connection, stretches: &[Stretch<'_>], run: usize) -> Result<(), FoldError> {
    let epoch = progress::advance(tx, stretches).await?;
    #[cfg(feature = "sabotage")]
    if crate::sabotage::breaks(crate::sabotage::Promise::ProgressBeforeRows) {
        for statement in ["commit", "begin"] {
            sqlx::query(statement).execute(&mut *tx).await.map_err(StoreError::from)?;
        }
    }
    let mut pending = Pending::default();
    let mut offset = 0;
    for stretch in stretches {
        for placed in stretch.records {
            offset = placed.offset;
            apply(tx, &mut pending, stretch.partition, Position::new(epoch, offset), placed).await?;
            if pending.len() >= run {
                pending.flush(tx).await.map_err(|e| poison_or_store(e, offset))?;
            }
        }
    }
    pending.flush(tx).await.map_err(|e| poison_or_store(e, offset))?;
    Ok(chains::extend(tx, pending.into_archived()).await?)
}

async fn apply<'a>(
    tx: &mut Connection,
    pending: &mut Pending<'a>,
    partition: u32,
    at: Position,
    placed: &'a Placed,
) -> Result<(), FoldError> {
    let record = &placed.record;
    let known = match &record.event {
        Event::Known(known, _) => known,
        // A later version's: kept, and nothing follows from it here.
        Event::Unknown(_) => {
            pending.archive(placed, at, None);
            return Ok(());
        }
    };
    if has_nul(known) {
        // PostgreSQL's text cannot hold it; so that a log folds to the same rows everywhere, SQLite's may not either.
        return Err(FoldError::Poison { offset: at.offset, detail: "a text has a NUL character".into() });
    }
    if let KnownEvent::MessagePosted { message } = known {
        pending.post(placed, partition, at, message);
        return Ok(());
    }
    let poison_or_store = |e| poison_or_store(e, at.offset);
    // The others look at rows that may be among the pending ones.
    pending.flush(tx).await.map_err(poison_or_store)?;
    if projection::apply(tx, at, record, known).await.map_err(poison_or_store)? {
        pending.archive(placed, at, Some(known));
    }
    Ok(())
}

pub(super) fn has_nul(event: &KnownEvent) -> bool {
    match event {
        KnownEvent::MessagePosted { message } => message.body.contains('\0'),
        KnownEvent::MessageEdited { body, .. } => body.contains('\0'),
        KnownEvent::ReactionAdded { emoji, .. } => emoji.contains('\0'),
        KnownEvent::RoomChanged(RoomChanged { change, .. }) => {
            [&change.name, &change.topic].into_iter().flatten().any(|text| text.contains('\0'))
        }
        _ => false,
    }
}

fn poison_or_store(e: sqlx::Error, offset: u64) -> FoldError {
    match refusal(&e) {
        Some(detail) => FoldError::Poison { offset, detail },
        None => FoldError::Store(e.into()),
    }
}

pub(super) async fn bury(
    tx: &mut Connection,
    partition: u32,
    offset: u64,
    payload: &[u8],
    reason: &str,
) -> Result<(), FoldError> {
    let epoch = progress::advance_one(tx, partition, offset, offset + 1).await?;
    sqlx::query(
        "insert into dead_letters (partition_no, epoch, offset_no, payload, reason, buried_at)
         values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(i64::from(partition))
    .bind(i64::from(epoch))
    .bind(signed(offset))
    .bind(payload)
    // A reason may quote what it is about, NUL and all.
    .bind(reason.replace('\0', " "))
    .bind(crate::time::now())
    .execute(tx)
    .await
    .map_err(StoreError::from)?;
    Ok(())
}
