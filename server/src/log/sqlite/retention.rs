//! What is old and done leaves the log.
//!
//! An entry does not know when it was written. Now and then each partition's end
//! is marked with the time; what lies before a mark is at least as old as it.

use super::{Shared, place};
use sqlx::SqliteConnection;
use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

/// So many entries leave at once: the writer's other work does not wait long.
const AT_ONCE: u64 = 10_000;
/// The newest stay whatever their age: a partition's last entry tells where it ends.
const ALWAYS_KEPT: u64 = 1_000;
/// A time is marked so many times in the life of an entry.
const MARKS: u32 = 64;

/// How long entries are kept.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    /// At least so long.
    pub time: Duration,
    /// And at least until these groups have committed them.
    pub groups: &'static [&'static str],
}

impl Keep {
    /// Nothing leaves.
    pub const FOREVER: Self = Self { time: Duration::MAX, groups: &[] };
}

/// When something is to be done next.
pub(super) struct Forgetting {
    retention: Keep,
    due: Instant,
}

impl Forgetting {
    pub fn new(retention: Keep) -> Self {
        Self { retention, due: Instant::now() }
    }

    /// Does a little, if it is time. After an error a transaction may be open.
    pub async fn step(&mut self, db: &mut SqliteConnection, shared: &Shared) -> Result<(), sqlx::Error> {
        if self.retention.time == Duration::MAX || Instant::now() < self.due {
            return Ok(());
        }
        let mut more = false;
        for partition in 0..u32::try_from(shared.ends.len()).expect("opened with a u32") {
            self.mark(db, shared, partition).await?;
            more |= self.forget(db, shared, partition).await?;
        }
        if !more {
            self.due = Instant::now() + self.retention.time / MARKS;
        }
        Ok(())
    }

    async fn mark(&self, db: &mut SqliteConnection, shared: &Shared, partition: u32) -> Result<(), sqlx::Error> {
        let end = shared.ends[partition as usize].borrow().cast_signed();
        sqlx::query(
            "insert into marks (partition, at, next) select $1, $2, $3
             where not exists (select 1 from marks where partition = $1 and next = $3)",
        )
        .bind(partition)
        .bind(crate::time::now())
        .bind(end)
        .execute(db)
        .await?;
        Ok(())
    }

    /// Lets the oldest go; `true`: there is more.
    async fn forget(&self, db: &mut SqliteConnection, shared: &Shared, partition: u32) -> Result<bool, sqlx::Error> {
        let keep = i64::try_from(self.retention.time.as_millis()).unwrap_or(i64::MAX);
        let before = crate::time::now().saturating_sub(keep);
        let old: Option<i64> = sqlx::query_scalar("select max(next) from marks where partition = $1 and at <= $2")
            .bind(partition)
            .bind(before)
            .fetch_one(&mut *db)
            .await?;
        let old = old.unwrap_or(0).cast_unsigned();
        let done = self.retention.groups.iter().map(|group| shared.groups.done(group, partition));
        let newest = shared.ends[partition as usize].borrow().saturating_sub(ALWAYS_KEPT);
        let first = shared.firsts[partition as usize].load(Ordering::Acquire);
        let target = done.fold(old.min(newest), u64::min);
        if target <= first {
            return Ok(false);
        }
        let next = target.min(first + AT_ONCE);
        sqlx::query("begin immediate").execute(&mut *db).await?;
        sqlx::query("delete from entries where place >= $1 and place < $2")
            .bind(place(partition, first))
            .bind(place(partition, next))
            .execute(&mut *db)
            .await?;
        sqlx::query(
            "insert into starts (partition, first) values ($1, $2) on conflict do update set first = excluded.first",
        )
        .bind(partition)
        .bind(next.cast_signed())
        .execute(&mut *db)
        .await?;
        // The latest mark that has come of age still says how old its entries are.
        sqlx::query("delete from marks where partition = $1 and at <= $2 and next < $3")
            .bind(partition)
            .bind(before)
            .bind(old.cast_signed())
            .execute(&mut *db)
            .await?;
        sqlx::query("commit").execute(&mut *db).await?;
        shared.firsts[partition as usize].store(next, Ordering::Release);
        Ok(next < target)
    }
}
