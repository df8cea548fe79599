//! The commands of operators.

use super::{Adapter, Connection, administration, bulk, chains, migrations, progress, replay, restore};
use crate::store::{
    Archived, DeadLetter, Placed, Replay, Revived, RoomRow, Schema, StoreError, Upkeep,
    chain::{Digest, Link},
    row::{RoomColumns, position, room_columns, signed, small, unsigned},
};
use app::model::{Millis, Position, RoomId};
use async_trait::async_trait;
use std::{future::Future, time::Duration};
use uuid::Uuid;

/// Operators wait longer than those who chat.
const PATIENCE: Duration = Duration::from_secs(60);
/// Events whose digests are read together.
const SEALED_AT_ONCE: i64 = 5_000;

async fn patiently<T>(call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    match tokio::time::timeout(PATIENCE, call).await {
        Ok(done) => done,
        Err(_) => Err(StoreError::Unavailable(format!("no answer within {} s", PATIENCE.as_secs()))),
    }
}

#[async_trait]
impl Upkeep for Adapter {
    async fn schema(&self) -> Result<Schema, StoreError> {
        patiently(async {
            let there: Option<i64> = sqlx::query_scalar("select max(version) from _sqlx_migrations where success")
                .fetch_one(&mut *self.reader().await?)
                .await?;
            let known = migrations().iter().map(|m| m.version).max().unwrap_or(0);
            Ok(Schema { there: there.unwrap_or(0), known })
        })
        .await
    }

    async fn clock(&self) -> Result<Millis, StoreError> {
        patiently(async { Ok(sqlx::query_scalar(database_clock!()).fetch_one(&mut *self.reader().await?).await?) })
            .await
    }

    async fn rooms_after(&self, after: Option<RoomId>, limit: u32) -> Result<Vec<RoomRow>, StoreError> {
        patiently(async { rooms_after(&mut *self.reader().await?, after, limit).await }).await
    }

    async fn partitions_used(&self) -> Result<u32, StoreError> {
        patiently(async {
            let last: Option<i64> =
                sqlx::query_scalar("select max(partition_no) from rooms").fetch_one(&mut *self.reader().await?).await?;
            Ok(last.map_or(0, |last| small(last) + 1))
        })
        .await
    }

    async fn replay(&self, room: &RoomRow, replay: &mut Replay, mend: bool) -> Result<(), StoreError> {
        patiently(async {
            let mut tx = if mend { self.begin().await? } else { self.snapshot().await? };
            if mend {
                progress::hold(&mut tx, room.partition).await?;
            }
            replay::step(&mut tx, room, replay, mend).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    async fn archived(&self, rooms: &[RoomId], epoch: u32, from: u64, to: u64) -> Result<Vec<Archived>, StoreError> {
        patiently(async {
            let rooms: Vec<Uuid> = rooms.iter().map(|room| room.0).collect();
            let rows: Vec<ArchivedRow> = bulk::archived(&mut *self.reader().await?, &rooms, epoch, from, to).await?;
            rows.into_iter().map(Archived::try_from).collect()
        })
        .await
    }

    async fn archived_count(&self, room: RoomId, epoch: u32, from: u64, to: u64) -> Result<u64, StoreError> {
        patiently(async {
            let count: i64 = sqlx::query_scalar(
                "select count(*) from events where room = $1 and epoch = $2 and offset_no >= $3 and offset_no < $4",
            )
            .bind(room.0)
            .bind(i64::from(epoch))
            .bind(signed(from))
            .bind(signed(to))
            .fetch_one(&mut *self.reader().await?)
            .await?;
            Ok(unsigned(count))
        })
        .await
    }

    async fn last_sealed(&self, partition: u32, epoch: u32) -> Result<Option<Archived>, StoreError> {
        patiently(async {
            let row: Option<ArchivedRow> = sqlx::query_as(
                "select e.room, e.epoch, e.offset_no, e.digest, null as body
                 from rooms r
                 join chains c on c.room = r.id
                 join events e on e.room = c.room and e.epoch = c.last_epoch and e.offset_no = c.last_offset
                 where r.partition_no = $1 and c.last_epoch = $2
                 order by c.last_offset desc limit 1",
            )
            .bind(i64::from(partition))
            .bind(i64::from(epoch))
            .fetch_optional(&mut *self.reader().await?)
            .await?;
            row.map(Archived::try_from).transpose()
        })
        .await
    }

    async fn is_vain(&self, at: Position, placed: &Placed) -> Result<bool, StoreError> {
        patiently(async { restore::is_vain(&mut *self.reader().await?, at, placed).await }).await
    }

    async fn fill(&self, digests: &[(RoomId, Position, Digest)]) -> Result<(), StoreError> {
        patiently(async {
            let mut tx = self.begin().await?;
            for (room, at, digest) in digests {
                sqlx::query(
                    "update events set digest = $4
                     where room = $1 and epoch = $2 and offset_no = $3 and digest is null",
                )
                .bind(room.0)
                .bind(i64::from(at.epoch))
                .bind(signed(at.offset))
                .bind(&digest[..])
                .execute(&mut *tx)
                .await?;
            }
            Ok(tx.commit().await?)
        })
        .await
    }

    async fn restore(&self, partition: u32, epoch: u32, records: &[Placed]) -> Result<Vec<RoomId>, StoreError> {
        patiently(async {
            let mut tx = self.begin().await?;
            progress::hold(&mut tx, partition).await?;
            let mut restored = Vec::new();
            for placed in records {
                if restore::one(&mut tx, partition, Position::new(epoch, placed.offset), placed).await? {
                    restored.push(placed.record.room);
                }
            }
            tx.commit().await?;
            Ok(restored)
        })
        .await
    }

    async fn seal(&self, room: &RoomRow) -> Result<(), StoreError> {
        patiently(async {
            let mut tx = self.begin().await?;
            progress::hold(&mut tx, room.partition).await?;
            seal(&mut tx, room.id).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    async fn dead_letters(&self, after: Option<(u32, Position)>, limit: u32) -> Result<Vec<DeadLetter>, StoreError> {
        patiently(async {
            let (partition, at) = after.map_or((-1, Position::START), |(partition, at)| (i64::from(partition), at));
            let rows: Vec<(i64, i64, i64, Vec<u8>, String, i64)> = sqlx::query_as(
                "select partition_no, epoch, offset_no, payload, reason, buried_at from dead_letters
                 where (partition_no, epoch, offset_no) > ($1, $2, $3)
                 order by partition_no, epoch, offset_no limit $4",
            )
            .bind(partition)
            .bind(i64::from(at.epoch))
            .bind(signed(at.offset))
            .bind(i64::from(limit))
            .fetch_all(&mut *self.reader().await?)
            .await?;
            let letter = |(partition, epoch, offset, payload, reason, buried_at)| DeadLetter {
                partition: small(partition),
                at: position(epoch, offset),
                reason,
                buried_at,
                payload,
            };
            Ok(rows.into_iter().map(letter).collect())
        })
        .await
    }

    async fn revive(&self, partition: u32, at: Position, placed: &Placed) -> Result<Revived, StoreError> {
        patiently(async {
            let mut tx = self.begin().await?;
            progress::hold(&mut tx, partition).await?;
            let revived = restore::revive(&mut tx, partition, at, placed).await?;
            match revived {
                Revived::Archived | Revived::Vain => tx.commit().await?,
                Revived::Refused(_) | Revived::Unknown => tx.rollback().await?,
            }
            Ok(revived)
        })
        .await
    }

    async fn discard(&self, partition: u32, at: Position) -> Result<bool, StoreError> {
        patiently(async { discard(&mut *self.writer().await?, partition, at).await }).await
    }

    async fn set_password(&self, username: &str, hash: &str) -> Result<bool, StoreError> {
        patiently(async {
            let mut tx = self.begin().await?;
            let set = sqlx::query("update accounts set password_hash = $2 where username = $1 and guest = $3")
                .bind(username)
                .bind(hash)
                .bind(false)
                .execute(&mut *tx)
                .await?;
            if set.rows_affected() == 0 {
                return Ok(false);
            }
            administration::record(&mut tx, None, crate::time::now(), "set_password", username, "").await?;
            tx.commit().await?;
            Ok(true)
        })
        .await
    }

    async fn begin_epoch(&self, from: u32, begins: &[u64]) -> Result<bool, StoreError> {
        patiently(async {
            let mut tx = self.begin().await?;
            let moved = sqlx::query("update meta set epoch = epoch + 1 where epoch = $1")
                .bind(i64::from(from))
                .execute(&mut *tx)
                .await?;
            if moved.rows_affected() == 0 {
                return Ok(false);
            }
            sqlx::query("delete from progress").execute(&mut *tx).await?;
            for (partition, begins) in (0_i64..).zip(begins) {
                sqlx::query("insert into progress (partition_no, next_offset) values ($1, $2)")
                    .bind(partition)
                    .bind(signed(*begins))
                    .execute(&mut *tx)
                    .await?;
            }
            tx.commit().await?;
            Ok(true)
        })
        .await
    }
}

#[derive(sqlx::FromRow)]
struct ArchivedRow {
    room: Uuid,
    epoch: i64,
    offset_no: i64,
    digest: Option<Vec<u8>>,
    body: Option<String>,
}

impl TryFrom<ArchivedRow> for Archived {
    type Error = StoreError;
    fn try_from(row: ArchivedRow) -> Result<Self, StoreError> {
        let at = position(row.epoch, row.offset_no);
        Ok(Self { room: RoomId(row.room), at, digest: row.digest.map(|d| digest(&d, at)).transpose()?, body: row.body })
    }
}

pub(super) fn digest(bytes: &[u8], at: Position) -> Result<Digest, StoreError> {
    bytes.try_into().map_err(|_| StoreError::Broken(format!("the digest of the event at {at} has not 32 bytes")))
}

async fn rooms_after(conn: &mut Connection, after: Option<RoomId>, limit: u32) -> Result<Vec<RoomRow>, StoreError> {
    let rows: Vec<RoomColumns> =
        sqlx::query_as(concat!("select ", room_columns!(), " from rooms r where r.id > $1 order by r.id limit $2"))
            .bind(after.map_or(Uuid::nil(), |room| room.0))
            .bind(i64::from(limit))
            .fetch_all(conn)
            .await?;
    rows.into_iter().map(RoomRow::try_from).collect()
}

/// Makes the chain anew over everything after the last event without a digest.
pub(super) async fn seal(tx: &mut Connection, room: RoomId) -> Result<(), StoreError> {
    let gap: Option<(i64, i64)> = sqlx::query_as(
        "select epoch, offset_no from events where room = $1 and digest is null
         order by epoch desc, offset_no desc limit 1",
    )
    .bind(room.0)
    .fetch_optional(&mut *tx)
    .await?;
    sqlx::query("delete from chains where room = $1").bind(room.0).execute(&mut *tx).await?;
    let mut after = gap.map_or(Position::START, |(epoch, offset)| position(epoch, offset));
    loop {
        let rows: Vec<(i64, i64, Vec<u8>)> = sqlx::query_as(
            "select epoch, offset_no, digest from events
             where room = $1 and (epoch, offset_no) > ($2, $3) order by epoch, offset_no limit $4",
        )
        .bind(room.0)
        .bind(i64::from(after.epoch))
        .bind(signed(after.offset))
        .bind(SEALED_AT_ONCE)
        .fetch_all(&mut *tx)
        .await?;
        let Some((epoch, offset, _)) = rows.last() else { return Ok(()) };
        after = position(*epoch, *offset);
        let links = rows.iter().map(|(epoch, offset, bytes)| {
            let at = position(*epoch, *offset);
            Ok(Link { room: room.0, at, digest: digest(bytes, at)? })
        });
        chains::extend(tx, links.collect::<Result<_, StoreError>>()?).await?;
    }
}

pub(super) async fn discard(conn: &mut Connection, partition: u32, at: Position) -> Result<bool, StoreError> {
    let gone = sqlx::query("delete from dead_letters where partition_no = $1 and epoch = $2 and offset_no = $3")
        .bind(i64::from(partition))
        .bind(i64::from(at.epoch))
        .bind(signed(at.offset))
        .execute(conn)
        .await?;
    Ok(gone.rows_affected() == 1)
}
