//! Folding: from the log's records to the archive and to what is read.
//!
//! It decides nothing that the log has not decided, and looks at no clock: the
//! same records give the same rows, whenever and wherever they are folded.

use super::{
    Connection, chains,
    pending::Pending,
    progress, projection,
    rows::{self, Rows},
};
use crate::store::{FoldError, StoreError, Stretch, failure::refusal, row::signed};
use app::model::Position;

/// How many rows go to the database together.
pub(super) const RUN: usize = 512;

/// What is to be folded, ready for a transaction.
pub(super) struct Fold<'a> {
    stretches: &'a [Stretch<'a>],
    epoch: u32,
    rows: Vec<(u64, Rows<'a>)>,
}

impl<'a> Fold<'a> {
    /// `epoch`: the generation that the log is taken to be of.
    pub(super) async fn new(stretches: &'a [Stretch<'a>], epoch: u32) -> Self {
        Self { stretches, epoch, rows: rows::of(stretches, epoch).await }
    }

    /// Writes it. `run`: how many rows may go in together. With 1, [`FoldError::Poison`] names the right record. Returns
    /// the generation that the log is of.
    pub(super) async fn write(mut self, tx: &mut Connection, run: usize) -> Result<u32, FoldError> {
        let epoch = progress::advance(tx, self.stretches).await?;
        if epoch != self.epoch {
            self = Self::new(self.stretches, epoch).await;
        }
        #[cfg(feature = "sabotage")]
        if crate::sabotage::breaks(crate::sabotage::Promise::ProgressBeforeRows) {
            for statement in ["commit", "begin"] {
                sqlx::query(statement).execute(&mut *tx).await.map_err(StoreError::from)?;
            }
        }
        let mut pending = Pending::default();
        let mut last = 0;
        for (offset, rows) in self.rows {
            last = offset;
            apply(tx, &mut pending, Position::new(epoch, offset), rows).await?;
            if pending.len() >= run {
                pending.flush(tx).await.map_err(|e| poison_or_store(e, offset))?;
            }
        }
        pending.flush(tx).await.map_err(|e| poison_or_store(e, last))?;
        chains::extend(tx, pending.into_archived()).await?;
        Ok(epoch)
    }
}

async fn apply<'a>(
    tx: &mut Connection,
    pending: &mut Pending<'a>,
    at: Position,
    rows: Rows<'a>,
) -> Result<(), FoldError> {
    match rows {
        Rows::Post(message, event) => pending.post(message, event),
        Rows::Unknown(event) => pending.archive(event),
        Rows::Nul => {
            return Err(FoldError::Poison { offset: at.offset, detail: "a text has a NUL character".into() });
        }
        Rows::Change(placed, known, event) => {
            let poison_or_store = |e| poison_or_store(e, at.offset);
            // It looks at rows that may be among the pending ones.
            pending.flush(tx).await.map_err(poison_or_store)?;
            if projection::apply(tx, at, &placed.record, known).await.map_err(poison_or_store)? {
                pending.archive(event);
            }
        }
    }
    Ok(())
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
