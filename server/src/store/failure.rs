//! What a database's error means for the caller.

use super::StoreError;
use sqlx::{
    error::DatabaseError,
    migrate::MigrateError,
    postgres::{PgDatabaseError, PgSeverity},
};
use std::{future::Future, time::Duration};

/// No call to a store takes longer.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);

/// Gives a call up at the deadline.
pub(super) async fn within<T, E: From<StoreError>>(call: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    match tokio::time::timeout(DEADLINE, call).await {
        Ok(done) => done,
        Err(_) => Err(StoreError::Unavailable(format!("no answer within {} s", DEADLINE.as_secs())).into()),
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(e: sqlx::Error) -> Self {
        match &e {
            sqlx::Error::Database(database) => of_database(database.as_ref()),
            // rustls reports a certificate that it does not accept as an input/output error.
            sqlx::Error::Io(io) if io.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) => {
                Self::Broken(format!("TLS to the database failed: {e}"))
            }
            // A connection that is out of step is thrown away; the next one may be good.
            sqlx::Error::Io(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::BeginFailed => Self::Unavailable(e.to_string()),
            _ => Self::Broken(e.to_string()),
        }
    }
}

impl From<MigrateError> for StoreError {
    fn from(e: MigrateError) -> Self {
        match e {
            MigrateError::Execute(e) | MigrateError::ExecuteMigration(e, _) => e.into(),
            other => Self::Broken(format!("its tables cannot be brought up to date: {other}")),
        }
    }
}

fn of_database(e: &dyn DatabaseError) -> StoreError {
    match e.try_downcast_ref::<PgDatabaseError>() {
        Some(postgres) => of_postgres(postgres.code(), postgres.severity(), e.message()),
        None => of_sqlite(sqlite_code(e), e.message()),
    }
}

/// By SQLSTATE: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn of_postgres(code: &str, severity: PgSeverity, message: &str) -> StoreError {
    let text = format!("{message} ({code})");
    match code {
        "53100" => StoreError::Full,
        // Serialization failure, deadlock, lock not available, read-only (a standby, until it is promoted).
        "40001" | "40P01" | "55P03" | "25006" => StoreError::Unavailable(text),
        // Connection, resources, an operator's intervention (shutting down, starting up, statement_timeout).
        _ if ["08", "53", "57"].contains(&code.get(..2).unwrap_or_default()) => StoreError::Unavailable(text),
        // The server has ended the session for a reason not named above, which is not about signing in.
        _ if severity == PgSeverity::Fatal && !code.starts_with("28") && !code.starts_with("3D") => {
            StoreError::Unavailable(text)
        }
        _ => StoreError::Broken(text),
    }
}

/// By result code: <https://www.sqlite.org/rescode.html>.
fn of_sqlite(code: i32, message: &str) -> StoreError {
    const IOERR_SHMSIZE: i32 = 4874;
    match (code, code & 0xff) {
        // 13 is SQLITE_FULL; the other is a full disk too, met while the WAL's index grows.
        (_, 13) | (IOERR_SHMSIZE, _) => StoreError::Full,
        // Busy, locked.
        (_, 5 | 6) => StoreError::Unavailable(format!("{message} ({code})")),
        _ => StoreError::Broken(format!("{message} ({code})")),
    }
}

fn sqlite_code(e: &dyn DatabaseError) -> i32 {
    e.code().and_then(|code| code.parse().ok()).unwrap_or(1)
}

/// Why the database will never take this row, whenever it is tried; `None`: it is not the row's fault.
pub(super) fn refusal(e: &sqlx::Error) -> Option<String> {
    let sqlx::Error::Database(database) = e else { return None };
    let of_the_row = match database.try_downcast_ref::<PgDatabaseError>() {
        // Class 22 is data that a type cannot hold, class 23 a constraint.
        Some(postgres) => ["22", "23"].contains(&postgres.code().get(..2).unwrap_or_default()),
        // Too big, constraint, mismatch.
        None => matches!(sqlite_code(database.as_ref()) & 0xff, 18..=20),
    };
    of_the_row.then(|| match database.constraint() {
        Some(constraint) => format!("{} ({constraint})", database.message()),
        None => database.message().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(e: StoreError) -> &'static str {
        match e {
            StoreError::Unavailable(_) => "unavailable",
            StoreError::Full => "full",
            StoreError::Broken(_) => "broken",
        }
    }

    #[test]
    fn a_caller_learns_whether_to_retry_to_make_room_or_to_call_an_operator() {
        for (code, expected) in [
            ("53100", "full"),
            ("53300", "unavailable"),
            ("57P01", "unavailable"),
            ("57P03", "unavailable"),
            ("57014", "unavailable"),
            ("40001", "unavailable"),
            ("28P01", "broken"),
            ("3D000", "broken"),
            ("42P01", "broken"),
        ] {
            let severity = if code.starts_with(['2', '3']) { PgSeverity::Fatal } else { PgSeverity::Error };
            assert_eq!(kind(of_postgres(code, severity, "")), expected, "{code}");
        }
        for (code, expected) in
            [(13, "full"), (4874, "full"), (5, "unavailable"), (517, "unavailable"), (11, "broken"), (787, "broken")]
        {
            assert_eq!(kind(of_sqlite(code, "")), expected, "{code}");
        }
    }
}
