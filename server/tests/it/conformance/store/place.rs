//! Where a store under test is: a folder or a database of its own.

use crate::support::PATIENCE;
use server::{
    config::{DatabaseConfig, Secret},
    store::{Store, Upkeep, postgres::PostgresStore, sqlite::SqliteStore},
};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, SqliteConnection};
use std::{str::FromStr, sync::Arc};

/// One store's place. Opening it twice gives the same store.
pub enum Place {
    /// A folder.
    Sqlite(tempfile::TempDir),
    /// A database.
    Postgres(TestDatabase),
}

impl Place {
    pub fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().expect("a folder for the test"))
    }

    pub async fn postgres() -> Self {
        Self::Postgres(TestDatabase::create().await)
    }

    pub async fn open(&self) -> Arc<dyn Store> {
        match self {
            Self::Sqlite(dir) => Arc::new(SqliteStore::open(dir.path()).await.expect("a store opens")),
            Self::Postgres(database) => {
                Arc::new(PostgresStore::connect(&database.config()).await.expect("a store opens"))
            }
        }
    }

    /// The same as an operator's commands see it.
    pub async fn upkeep(&self) -> Arc<dyn Upkeep> {
        match self {
            Self::Sqlite(dir) => Arc::new(SqliteStore::open(dir.path()).await.expect("a store opens")),
            Self::Postgres(database) => {
                Arc::new(PostgresStore::connect(&database.config()).await.expect("a store opens"))
            }
        }
    }

    /// What the store itself would not do.
    pub async fn execute(&self, sql: &'static str) {
        match self {
            Self::Sqlite(dir) => drop(beside(dir).await.execute(sql).await.expect("done")),
            Self::Postgres(database) => drop(connect(&database.url).await.execute(sql).await.expect("done")),
        }
    }

    /// Holds what writing an account needs until the answer is dropped.
    pub async fn block(&self) -> Block {
        match self {
            Self::Sqlite(dir) => {
                let mut connection = beside(dir).await;
                connection.execute("begin immediate").await.expect("the write lock");
                Block::Sqlite(connection)
            }
            Self::Postgres(database) => {
                let mut connection = connect(&database.url).await;
                connection.execute("begin; lock table accounts in exclusive mode").await.expect("the table's lock");
                Block::Postgres(connection)
            }
        }
    }

    /// A failed test leaves its database behind, to be looked at.
    pub async fn remove(self) {
        if let Self::Postgres(database) = self {
            database.remove().await;
        }
    }
}

pub async fn beside(dir: &tempfile::TempDir) -> SqliteConnection {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(dir.path().join("store.db"));
    options.connect().await.expect("a second connection")
}

/// A lock that is held by somebody else.
pub enum Block {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Block {
    pub async fn release(self) {
        match self {
            Self::Sqlite(connection) => connection.close().await.expect("closed"),
            Self::Postgres(connection) => connection.close().await.expect("closed"),
        }
    }
}

/// A database of its own in the tests' server.
pub struct TestDatabase {
    pub name: String,
    pub url: String,
}

impl TestDatabase {
    pub async fn create() -> Self {
        let server = setting("PARTYLINE_TEST_DATABASE_URL");
        let name = format!("test_{}", uuid::Uuid::new_v4().simple());
        let mut admin = connect(&server).await;
        // template1 cannot be copied while somebody else looks at it, template0 always.
        let create = format!("create database {name} template template0");
        admin.execute(AssertSqlSafe(create)).await.expect("a database for the test");
        admin.close().await.expect("closed");
        let url = in_database(&server, &name);
        Self { name, url }
    }

    pub fn config(&self) -> DatabaseConfig {
        DatabaseConfig { url: Secret::from(self.url.clone()), ca: None, identity: None }
    }

    pub async fn remove(self) {
        let mut admin = connect(&setting("PARTYLINE_TEST_DATABASE_URL")).await;
        let drop = format!("drop database {} with (force)", self.name);
        // PostgreSQL's own housekeeping may be at work in it, and cannot be ended by us.
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while let Err(e) = admin.execute(AssertSqlSafe(drop.clone())).await {
            assert!(tokio::time::Instant::now() < deadline, "the test's database does not go: {e}");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        admin.close().await.expect("closed");
    }
}

/// The same server's other database.
pub fn in_database(url: &str, name: &str) -> String {
    let (address, parameters) = url.split_once('?').unwrap_or((url, ""));
    let (server, _) = address.rsplit_once('/').expect("postgres://…/database");
    if parameters.is_empty() { format!("{server}/{name}") } else { format!("{server}/{name}?{parameters}") }
}

pub async fn connect(url: &str) -> PgConnection {
    let options = sqlx::postgres::PgConnectOptions::from_str(url).expect("an address of PostgreSQL");
    options.connect().await.expect("PostgreSQL for the tests answers")
}

/// A setting that `make test` makes.
pub fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run through `make test`"))
}
