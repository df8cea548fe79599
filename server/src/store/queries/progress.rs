//! The log's generation, and how far each partition is folded.

use super::{Connection, bulk};
use crate::store::{
    FoldError, StoreError, Stretch,
    row::{signed, small, unsigned},
};
use app::model::Position;

pub(super) async fn epoch(conn: &mut Connection) -> Result<u32, StoreError> {
    let epoch: i64 = sqlx::query_scalar("select epoch from meta").fetch_one(conn).await?;
    Ok(small(epoch))
}

pub(super) async fn next(conn: &mut Connection, partition: u32) -> Result<u64, StoreError> {
    let next: Option<i64> = sqlx::query_scalar("select next_offset from progress where partition_no = $1")
        .bind(i64::from(partition))
        .fetch_optional(conn)
        .await?;
    Ok(unsigned(next.unwrap_or(0)))
}

/// The position that everything folded so far is at or before, from what a query found of `meta` and `progress`.
pub(super) fn folded_to(epoch: i64, next: Option<i64>) -> Position {
    match unsigned(next.unwrap_or(0)) {
        // Of this log nothing yet, but of the one before it all that there will ever be.
        0 => Position::before(small(epoch)),
        next => Position::new(small(epoch), next - 1),
    }
}

/// Moves the progress of partitions, all or none; the epoch that their records are of. None: 0.
pub(super) async fn advance(conn: &mut Connection, stretches: &[Stretch<'_>]) -> Result<u32, FoldError> {
    if let Some(stretch) = stretches.iter().find(|stretch| !stretch.goes_on()) {
        let Stretch { partition, from, next, .. } = stretch;
        return Err(StoreError::Broken(format!("partition {partition} does not go on from {from} to {next}")).into());
    }
    // One partition twice would be moved once, and taken for moved twice.
    let apart = stretches.windows(2).all(|pair| pair[0].partition < pair[1].partition);
    let moved = if stretches.len() > 1 && apart {
        bulk::advance(conn, stretches).await.map_err(StoreError::from)?
    } else {
        Vec::new()
    };
    let mut epoch = moved.first().map_or(0, |(_, epoch)| small(*epoch));
    // Those that have no row yet, and those that are not where they are said to be.
    for stretch in stretches.iter().filter(|s| moved.iter().all(|(partition, _)| *partition != i64::from(s.partition)))
    {
        epoch = advance_one(conn, stretch.partition, stretch.from, stretch.next).await?;
    }
    Ok(epoch)
}

/// Moves a partition's progress, only from where it is said to be, and returns the epoch that its records are of. The
/// row stays locked until the transaction ends, so two folds of a partition come one after the other.
pub(super) async fn advance_one(conn: &mut Connection, partition: u32, from: u64, next: u64) -> Result<u32, FoldError> {
    #[cfg(feature = "sabotage")]
    let from = if crate::sabotage::breaks(crate::sabotage::Promise::NoCompareAndSet) {
        self::next(&mut *conn, partition).await?
    } else {
        from
    };
    let epoch: Option<i64> = sqlx::query_scalar(
        "insert into progress (partition_no, next_offset)
         select $1, $3 where $2 = 0 or exists (select 1 from progress where partition_no = $1)
         on conflict (partition_no) do update set next_offset = excluded.next_offset
         where progress.next_offset = $2
         returning (select epoch from meta)",
    )
    .bind(i64::from(partition))
    .bind(signed(from))
    .bind(signed(next))
    .fetch_optional(&mut *conn)
    .await
    .map_err(StoreError::from)?;
    match epoch {
        Some(epoch) => Ok(small(epoch)),
        None => Err(FoldError::Moved { actual: self::next(conn, partition).await? }),
    }
}

/// Nothing of the partition is folded until the transaction ends, nor is it while something is being folded.
pub(super) async fn hold(tx: &mut Connection, partition: u32) -> Result<(), StoreError> {
    sqlx::query(
        "insert into progress (partition_no, next_offset) values ($1, 0)
         on conflict (partition_no) do update set next_offset = progress.next_offset",
    )
    .bind(i64::from(partition))
    .execute(tx)
    .await?;
    Ok(())
}
