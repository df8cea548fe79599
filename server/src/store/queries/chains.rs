//! The rooms' chains: they grow with the archive, in the same transaction.

use super::{Connection, Row, bulk};
use crate::store::{
    StoreError,
    chain::{Chain, Link},
    row::{ChainRow, position, unsigned},
};
use app::model::RoomId;
use sqlx::{FromRow, Row as _};
use std::collections::HashMap;
use uuid::Uuid;

/// A room's chain, as a batch finds it.
pub(super) struct Found {
    room: Uuid,
    chain: Option<Chain>,
    /// There are events between it and the batch.
    gap: bool,
}

/// Adds what a batch has archived, in whatever order.
///
/// Where the version before has archived something in between, which has no digest, the chain begins anew; `audit
/// --fill` closes such gaps while the log still has what is in them.
pub(super) async fn extend(tx: &mut Connection, mut links: Vec<Link>) -> Result<(), StoreError> {
    if links.is_empty() {
        return Ok(());
    }
    links.sort_unstable_by_key(|link| (link.room, link.at));
    let rooms: Vec<&[Link]> = links.chunk_by(|a, b| a.room == b.room).collect();
    let firsts: Vec<Link> = rooms.iter().map(|links| links[0]).collect();
    let found: Vec<Found> = bulk::find_chains(tx, &firsts).await?;
    let mut before: HashMap<Uuid, Chain> =
        found.into_iter().filter(|f| !f.gap).filter_map(|f| Some((f.room, f.chain?))).collect();
    let grown = rooms.iter().map(|links| {
        let room = links[0].room;
        let (chain, rest) = match before.remove(&room) {
            Some(chain) => (chain, *links),
            None => (Chain::begin(&links[0]), &links[1..]),
        };
        ChainRow { room, chain: rest.iter().fold(chain, Chain::and) }
    });
    Ok(bulk::write_chains(tx, &grown.collect::<Vec<_>>()).await?)
}

/// A room's chain.
pub(super) async fn of(conn: &mut Connection, room: RoomId) -> Result<Option<Chain>, StoreError> {
    let row: Option<Stored> = sqlx::query_as(
        "select first_epoch, first_offset, last_epoch, last_offset, events, digest from chains where room = $1",
    )
    .bind(room.0)
    .fetch_optional(conn)
    .await?;
    Ok(row.and_then(|Stored(chain)| chain))
}

struct Stored(Option<Chain>);

impl FromRow<'_, Row> for Stored {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        chain(row).map(Self)
    }
}

impl FromRow<'_, Row> for Found {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        Ok(Self { room: row.try_get("room")?, chain: chain(row)?, gap: row.try_get("gap")? })
    }
}

/// The chain's columns; all null: there is none.
fn chain(row: &Row) -> Result<Option<Chain>, sqlx::Error> {
    let Some(digest) = row.try_get::<Option<Vec<u8>>, _>("digest")? else { return Ok(None) };
    let digest = digest.try_into().map_err(|_| sqlx::Error::Decode("a chain's digest has 32 bytes".into()))?;
    Ok(Some(Chain {
        first: position(row.try_get("first_epoch")?, row.try_get("first_offset")?),
        last: position(row.try_get("last_epoch")?, row.try_get("last_offset")?),
        events: unsigned(row.try_get("events")?),
        digest,
    }))
}
