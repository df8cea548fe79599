//! The store in PostgreSQL.

use super::{
    StoreError,
    failure::{DEADLINE, within},
};
use crate::config::DatabaseConfig;
use gate::Gate;
use sqlx::{
    ConnectOptions, Connection as _, PgPool, Postgres, Transaction,
    migrate::Migrator,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use std::{
    io::ErrorKind,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU32},
    time::Duration,
};

/// The pairs (emoji, user name) of rows `r`, as JSON.
macro_rules! json_of_reactions {
    () => {
        "json_agg(json_build_array(r.emoji, r.username))::text"
    };
}

/// The postings of the messages of `x`, and whether each is deleted; nothing if it has become too old.
///
/// Each looked up by itself: for a plan that is made while the table is small, and kept while it grows, all of it read
/// and hashed would look best.
macro_rules! postings_of_x {
    () => {
        "select e.room, e.message, e.epoch, e.offset_no, e.body, m.deleted
         from x
         cross join lateral (
             select * from events e
             where e.room = x.room and e.message = x.message and e.kind = 'message_posted' offset 0
         ) e
         left join messages m on m.room = e.room and m.id = e.message"
    };
}

/// Each room of `x` with its chain, and whether the archive has events between the chain's end and `x`'s place: the
/// version before, which knows no chains, has written them.
macro_rules! chains_of_x {
    () => {
        "select x.room, c.first_epoch, c.first_offset, c.last_epoch, c.last_offset, c.events, c.digest,
                exists (
                    select 1 from events e
                    where e.room = x.room and (e.epoch, e.offset_no) < (x.epoch, x.offset_no)
                      and (e.epoch, e.offset_no) > (coalesce(c.last_epoch, 0), coalesce(c.last_offset, 0))
                ) as gap
         from x left join lateral (select * from chains c where c.room = x.room limit 1) c on true"
    };
}

macro_rules! over_the_old_chain {
    () => {
        "on conflict (room) do update set
             first_epoch = excluded.first_epoch, first_offset = excluded.first_offset,
             last_epoch = excluded.last_epoch, last_offset = excluded.last_offset,
             events = excluded.events, digest = excluded.digest"
    };
}

/// The database's clock, in milliseconds since 1970.
macro_rules! database_clock {
    () => {
        "select (extract(epoch from clock_timestamp()) * 1000)::bigint"
    };
}

macro_rules! archived_where {
    () => {
        "select room, epoch, offset_no, digest, case when digest is null then body end as body from events where"
    };
}

/// A message `m` that is not in the index.
macro_rules! not_indexed {
    () => {
        "m.terms is null"
    };
}

/// A join of what stands before it with what stands after it, in the order that the planner finds best.
macro_rules! join_in_turn {
    () => {
        "join"
    };
}

/// Another node passes over what this one is at.
macro_rules! for_this_node_alone {
    () => {
        "for update of m skip locked"
    };
}

mod bulk;
pub mod facts;
mod gate;
mod lookup;
mod options;
#[allow(clippy::duplicate_mod)] // The same text, compiled for either database: there is no second copy to keep in step.
#[path = "queries/mod.rs"]
mod queries;

type Adapter = PostgresStore;
type Connection = sqlx::PgConnection;
type Row = sqlx::postgres::PgRow;

/// A node's connections. PostgreSQL takes 100 by default, from all nodes together.
const CONNECTIONS: u32 = 16;
/// How long a call waits for a connection: half of the deadline, so that an answer may still come after it.
const ACQUIRE: Duration = Duration::from_secs(5);
/// How long a connection that was in use is believed to stand. A server that restarts is away for longer.
const TRUSTED: Duration = Duration::from_secs(1);
/// How long a start waits for another node's migrations, and for its own.
const MIGRATE: Duration = Duration::from_secs(120);

/// A server that has been silent for so long may have gone for good, and nobody says so to the connections to it, which
/// the system gives up after a quarter of an hour: new ones are made, which find its successor.
const REPLACE: Duration = Duration::from_secs(15);

/// The store in a PostgreSQL database.
pub struct PostgresStore {
    options: PgConnectOptions,
    line: Mutex<Arc<Line>>,
    /// The log's generation, as the last fold has found it.
    epoch: AtomicU32,
}

/// Connections that stand or fall together.
struct Line {
    pool: PgPool,
    gate: Gate,
}

/// Are these settings of any use? Nothing is connected.
pub(crate) fn usable(config: &DatabaseConfig) -> Result<(), StoreError> {
    options::of(config).map(drop)
}

fn migrations() -> Migrator {
    let mut migrations = sqlx::migrate!("migrations/postgres");
    // A node of the version before still starts when a newer one has been here: migrations only add.
    migrations.set_ignore_missing(true);
    migrations
}

impl PostgresStore {
    /// What is read most, by name: in a long room no statement of these may go through all of it.
    pub const READS: &[(&str, &str)] = queries::READS;

    /// Connects, and makes or brings up to date the tables. Waits, 10 s at most, for a server that is just starting.
    ///
    /// With a CA the connection is encrypted and the server's name and chain are verified, whatever the URL says.
    /// Without one the URL's `sslmode` decides, and if it says nothing the driver's `prefer` does: encrypted if the
    /// server offers it, not verified, and in plain text if it does not.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if nobody answers, [`StoreError::Broken`] if the address, the password or the
    /// certificates do not fit.
    pub async fn connect(config: &DatabaseConfig) -> Result<Self, StoreError> {
        let options = options::of(config)?;
        let mut first = first_connection(&options).await?;
        let migrated = tokio::time::timeout(MIGRATE, async {
            migrations().run(&mut first).await?;
            first.close().await?;
            Ok(())
        });
        migrated.await.unwrap_or_else(|_| {
            Err(StoreError::Unavailable(format!("its tables were not up to date after {} s", MIGRATE.as_secs())))
        })?;
        Ok(Self::pooled(options))
    }

    /// Connects to the tables that are there, as they are.
    ///
    /// # Errors
    /// As [`PostgresStore::connect`].
    pub async fn attach(config: &DatabaseConfig) -> Result<Self, StoreError> {
        let options = options::of(config)?;
        first_connection(&options).await?.close().await?;
        Ok(Self::pooled(options))
    }

    fn pooled(options: PgConnectOptions) -> Self {
        let options = options::bounded(options);
        Self { line: Mutex::new(Arc::new(Line::new(&options, false))), options, epoch: AtomicU32::default() }
    }

    fn line(&self) -> Arc<Line> {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        if line.gate.silent_for().is_some_and(|silent| silent > REPLACE) {
            tracing::warn!("the database has been silent for long: new connections are made");
            let old = std::mem::replace(&mut *line, Arc::new(Line::new(&self.options, true)));
            tokio::spawn(async move { tokio::time::timeout(ACQUIRE, old.pool.close()).await });
        }
        line.clone()
    }

    async fn reader(&self) -> Result<PoolConnection<Postgres>, StoreError> {
        let line = self.line();
        line.gate.clone().pass(async move { line.pool.acquire().await }).await
    }

    async fn writer(&self) -> Result<PoolConnection<Postgres>, StoreError> {
        self.reader().await
    }

    /// A transaction whose reads are of one moment.
    async fn snapshot(&self) -> Result<Transaction<'static, Postgres>, StoreError> {
        let line = self.line();
        let gate = line.gate.clone();
        gate.pass(async move { line.pool.begin_with("begin isolation level repeatable read read only").await }).await
    }

    /// A transaction that writes.
    async fn begin(&self) -> Result<Transaction<'static, Postgres>, StoreError> {
        let line = self.line();
        line.gate.clone().pass(async move { line.pool.begin().await }).await
    }
}

impl Line {
    fn new(options: &PgConnectOptions, silent: bool) -> Self {
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(ACQUIRE)
            // Asking each time whether the connection still stands would double the way of a short query.
            .test_before_acquire(false)
            .before_acquire(|connection, idle| {
                Box::pin(async move {
                    if idle.idle_for > TRUSTED {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .connect_lazy_with(options.clone());
        Self { pool, gate: Gate::new(silent) }
    }
}

/// Tries again while the server is starting; anything else, such as a wrong password or certificate, is final.
async fn first_connection(options: &PgConnectOptions) -> Result<Connection, StoreError> {
    const BETWEEN: Duration = Duration::from_millis(250);
    let started = tokio::time::Instant::now();
    within(async {
        loop {
            let starting = match options.connect().await {
                Ok(connection) => return Ok(connection),
                Err(sqlx::Error::Io(e)) if e.kind() == ErrorKind::ConnectionRefused => sqlx::Error::Io(e),
                // "The database system is starting up".
                Err(e) if e.as_database_error().is_some_and(|d| d.code().as_deref() == Some("57P03")) => e,
                Err(e) => return Err(e.into()),
            };
            if started.elapsed() + 2 * BETWEEN > DEADLINE {
                return Err(starting.into());
            }
            tokio::time::sleep(BETWEEN).await;
        }
    })
    .await
}
