//! PostgreSQL by `psql`, which is there where its server is.

use anyhow::{Context, Result, bail};
use std::{
    io::Write,
    process::{Command, Stdio},
};

/// Runs one statement and says what it answered: a line a row, `|` between the columns.
///
/// # Errors
/// If `psql` or the database refuses.
pub fn psql(address: &str, statement: &str) -> Result<String> {
    script(address, statement)
}

/// Runs statements one after another, each a transaction, with `psql`'s own commands among them. Stops at the first that
/// fails.
///
/// # Errors
/// If one fails.
pub fn script(address: &str, statements: &str) -> Result<String> {
    let mut child = Command::new("psql")
        .args(["--quiet", "--no-psqlrc", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", address])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("psql")?;
    let mut input = child.stdin.take().context("no input")?;
    let statements = statements.to_owned();
    // Beside: whoever does not read while they write may wait for ever.
    let writing =
        std::thread::spawn(move || input.write_all(statements.as_bytes()).and_then(|()| input.write_all(b"\n")));
    let output = child.wait_with_output()?;
    let _ = writing.join();
    if !output.status.success() {
        bail!("psql: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
