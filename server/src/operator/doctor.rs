//! `partyline doctor`: looks at everything that a node needs, one by one, and says
//! what it means and what to do. Each look has a deadline; none shows a secret,
//! and none changes anything.

use super::epoch::{self, FitError};
use crate::{
    config::{Config, Mode},
    fanout,
    log::{self, Log, LogError, Record, kafka},
    pipeline::{persist, relay},
    store::{self, StoreError, Upkeep},
    time::now,
};
use serde::Serialize;
use std::{fmt, future::Future, time::Duration};

mod embedded;
mod settings;

/// No look takes longer.
const DEADLINE: Duration = Duration::from_secs(20);
/// Clocks that differ by more are worth a word: tokens have a leeway of 5 s.
const CLOCK_WARNING_MS: i64 = 2_000;
/// A store that is so far behind is worth a word.
const LAG_WARNING: u64 = 10_000;
/// PostgreSQL of this version is what the tests run on; older ones may do.
const OLDEST_POSTGRES: i32 = 130_000;

/// How bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As it should be.
    Ok,
    /// It works, but.
    Warning,
    /// It does not work, or will lose something.
    Problem,
}

/// One look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad.
    pub level: Level,
    /// What was looked at.
    pub check: &'static str,
    /// What was found, and what it means.
    pub found: String,
    /// What to do; empty if nothing.
    pub todo: String,
}

/// All looks.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// In the order in which they were taken.
    pub findings: Vec<Finding>,
}

impl Report {
    /// No problem; there may be warnings.
    pub fn is_healthy(&self) -> bool {
        self.findings.iter().all(|finding| finding.level < Level::Problem)
    }

    /// Settings that do not even fit together.
    pub fn of_bad_settings(what: &str) -> Self {
        let mut report = Self::default();
        report.problem(
            "settings",
            what,
            "give what is missing, or take away what does not fit; see `partyline serve --help`",
        );
        report
    }

    fn ok(&mut self, check: &'static str, found: impl Into<String>) {
        self.add(Level::Ok, check, found.into(), String::new());
    }

    fn warn(&mut self, check: &'static str, found: impl Into<String>, todo: impl Into<String>) {
        self.add(Level::Warning, check, found.into(), todo.into());
    }

    fn problem(&mut self, check: &'static str, found: impl Into<String>, todo: impl Into<String>) {
        self.add(Level::Problem, check, found.into(), todo.into());
    }

    fn add(&mut self, level: Level, check: &'static str, found: String, todo: String) {
        self.findings.push(Finding { level, check, found, todo });
    }
}

/// For people.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Finding { level, check, found, todo } in &self.findings {
            let word = match level {
                Level::Ok => "ok",
                Level::Warning => "warning",
                Level::Problem => "PROBLEM",
            };
            writeln!(f, "{word:<8} {check:<22} {found}")?;
            if !todo.is_empty() {
                writeln!(f, "{:<8} {:<22} → {todo}", "", "")?;
            }
        }
        let count = |level| self.findings.iter().filter(|finding| finding.level == level).count();
        write!(f, "{} ok, {} warnings, {} problems", count(Level::Ok), count(Level::Warning), count(Level::Problem))
    }
}

/// Looks at everything.
pub async fn run(config: &Config) -> Report {
    let mut report = Report::default();
    settings::look(config, &mut report);
    match &config.mode {
        Mode::Embedded { data_dir } => embedded::look(data_dir, config, &mut report).await,
        Mode::Cluster { .. } => cluster(config, &mut report).await,
    }
    report
}

/// A look that ends.
async fn within<T, E: fmt::Display>(look: impl Future<Output = Result<T, E>>) -> Result<T, String> {
    match tokio::time::timeout(DEADLINE, look).await {
        Ok(done) => done.map_err(|e| e.to_string()),
        Err(_) => Err(format!("no answer within {} s", DEADLINE.as_secs())),
    }
}

async fn cluster(config: &Config, report: &mut Report) {
    let Mode::Cluster { kafka, redis, database } = &config.mode else { return };
    let log = look_at_kafka(kafka, report).await;
    look_at_redis(redis, report).await;
    let store = look_at_postgres(database, report).await;
    if let Some(store) = &store {
        look_at_store(store, report).await;
        if let Some(log) = &log {
            look_at_both(&log.log, store, log.retention_ms, report).await;
            look_at_groups(kafka, &log.log, store, report).await;
        }
    }
    if let Some(log) = log {
        log.log.close().await;
    }
}

/// The log, and how long it keeps what it has.
struct Kept {
    log: kafka::KafkaLog,
    retention_ms: Option<i64>,
}

async fn look_at_kafka(config: &crate::config::KafkaConfig, report: &mut Report) -> Option<Kept> {
    let facts = match within(kafka::facts::facts(config)).await {
        Ok(facts) => facts,
        Err(e) => {
            report.problem(
                "kafka",
                e,
                "check KAFKA_BROKERS, the network and, with TLS or a password, KAFKA_CA and KAFKA_USERNAME",
            );
            return None;
        }
    };
    report.ok("kafka", format!("{} brokers answer", facts.brokers));
    match (config.ca.is_some(), config.sasl.is_some()) {
        (true, _) => report.ok("kafka tls", "encrypted, and the brokers' certificates are verified"),
        (false, _) if is_local(&config.brokers) => report.ok("kafka tls", "plain text, on this machine"),
        (false, sasl) => {
            let word = if sasl { ", the password is hashed but the messages are not" } else { "" };
            report.warn("kafka tls", format!("plain text over the network{word}"), "give KAFKA_CA");
        }
    }
    let Some(topic) = facts.found else {
        match facts.may_create {
            Some(false) => report.problem(
                "kafka topic",
                format!("{} is not there, and we may not make it", facts.topic),
                "make it, or allow CREATE to this user",
            ),
            _ => report.ok("kafka topic", format!("{} is not there yet: the first node makes it", facts.topic)),
        }
        return None;
    };
    look_at_topic(&facts.topic, &topic, facts.brokers, report);
    match within(kafka::KafkaLog::attach(config)).await {
        Ok(log) => Some(Kept { log, retention_ms: topic.retention_ms }),
        Err(e) => {
            report.problem("kafka topic", e, "");
            None
        }
    }
}

fn look_at_topic(name: &str, topic: &kafka::facts::Topic, brokers: usize, report: &mut Report) {
    let kafka::facts::Topic { partitions, replicas, in_sync, leaderless, .. } = topic;
    if *leaderless > 0 {
        report.problem(
            "kafka topic",
            format!("{leaderless} partitions of {name} have no leader"),
            "see to the brokers",
        );
    } else {
        report.ok("kafka topic", format!("{name} has {partitions} partitions"));
    }
    match topic.may_append {
        Some(true) => report.ok("kafka rights", "we may append"),
        Some(false) => report.problem("kafka rights", "we may not append", "allow WRITE on the topic to this user"),
        None => report.ok("kafka rights", "we may read; whether we may append shows at the first message"),
    }
    if *replicas < 2 {
        let word = "one copy: with the broker's disk, everything since the last backup is lost";
        let todo = if brokers > 1 { "give the topic 3 copies" } else { "fine for a trial; else run 3 brokers" };
        report.warn("kafka copies", word, todo);
    } else if in_sync < replicas {
        report.warn("kafka copies", format!("{in_sync} of {replicas} copies are in step"), "see to the brokers");
    } else {
        report.ok("kafka copies", format!("{replicas} copies, all in step"));
    }
    match topic.min_insync {
        Some(1) if *replicas > 1 => report.warn(
            "kafka min.insync",
            "1: a message may be acknowledged that only one broker has",
            "set min.insync.replicas to 2",
        ),
        Some(n) if n >= *replicas && *replicas > 1 => report.warn(
            "kafka min.insync",
            format!("{n} of {replicas}: without one broker nothing can be posted"),
            "set it lower than the number of copies",
        ),
        Some(n) => report.ok("kafka min.insync", n.to_string()),
        None => {
            report.warn("kafka min.insync", "not told to us", "allow DESCRIBE_CONFIGS to this user to have it checked")
        }
    }
    match topic.cleanup.as_deref() {
        Some(policy) if policy.contains("compact") => report.problem(
            "kafka cleanup",
            format!("{policy}: all but a room's last record will be forgotten"),
            "set cleanup.policy to delete",
        ),
        Some(policy) => report.ok("kafka cleanup", policy),
        None => {}
    }
    const DAY_MS: i64 = 24 * 3600 * 1000;
    match topic.retention_ms {
        Some(ms) if (0..DAY_MS).contains(&ms) => report.warn(
            "kafka retention",
            format!("{} h: if the store is away for longer, messages are lost", ms / 3_600_000),
            "set retention.ms to some days (604800000 is 7)",
        ),
        Some(ms) if ms < 0 => report.ok("kafka retention", "for ever: deleted texts stay in the log"),
        Some(ms) => report.ok("kafka retention", format!("{} days", ms / DAY_MS)),
        None => {}
    }
}

async fn look_at_redis(config: &crate::config::RedisConfig, report: &mut Report) {
    let facts = match within(fanout::redis::facts::facts(config)).await {
        Ok(facts) => facts,
        Err(e) => return report.problem("redis", e, "check REDIS_URL, the network and, with TLS, REDIS_CA"),
    };
    let major: u32 = facts.version.split('.').next().and_then(|v| v.parse().ok()).unwrap_or(0);
    match major {
        0..6 => report.problem("redis", format!("version {}", facts.version), "6 or later is needed"),
        _ => report.ok("redis", format!("version {}", facts.version)),
    }
    match (facts.tls, is_local(config.url.expose())) {
        (true, _) => report.ok("redis tls", "encrypted, and its certificate is verified"),
        (false, true) => report.ok("redis tls", "plain text, on this machine"),
        (false, false) => report.warn("redis tls", "plain text over the network", "use rediss:// and give REDIS_CA"),
    }
    if facts.may_write {
        report.ok("redis rights", "we may write and publish");
    } else {
        report.problem(
            "redis rights",
            "we may not write or publish",
            "allow this user set, xadd, expire, eval, publish, subscribe",
        );
    }
    clock("redis clock", facts.clock, report);
    if facts.eviction.as_deref().is_some_and(|policy| policy.starts_with("allkeys") || policy.starts_with("volatile")) {
        let policy = facts.eviction.unwrap_or_default();
        report.warn(
            "redis eviction",
            format!(
                "{policy}: a ring that goes costs the store queries, a claim that goes may answer a retry differently"
            ),
            "set maxmemory-policy to noeviction, and give it memory enough",
        );
    }
}

async fn look_at_postgres(
    config: &crate::config::DatabaseConfig,
    report: &mut Report,
) -> Option<store::postgres::PostgresStore> {
    let asked = async {
        let store = store::postgres::PostgresStore::attach(config).await?;
        let facts = store.facts().await?;
        Ok::<_, StoreError>((store, facts))
    };
    let (store, facts) = match within(asked).await {
        Ok(found) => found,
        Err(e) => {
            report.problem("postgresql", e, "check DATABASE_URL, the network and, with TLS, DATABASE_CA");
            return None;
        }
    };
    let version = format!("version {}.{}", facts.version / 10_000, facts.version % 10_000);
    if facts.version < OLDEST_POSTGRES {
        report.warn("postgresql", version, "13 or later is what is tested");
    } else {
        report.ok("postgresql", version);
    }
    match (facts.tls, config.ca.is_some(), is_local(config.url.expose())) {
        (true, true, _) => report.ok("postgresql tls", "encrypted, and its name and certificate are verified"),
        (true, false, _) => report.warn("postgresql tls", "encrypted, but not verified", "give DATABASE_CA"),
        (false, _, true) => report.ok("postgresql tls", "plain text, on this machine"),
        (false, _, false) => report.warn("postgresql tls", "plain text over the network", "give DATABASE_CA"),
    }
    if facts.standby {
        report.problem("postgresql rights", "it is a copy that cannot be written to", "give the primary's address");
    } else if facts.may_create {
        report.ok("postgresql rights", "we may read, write and make tables");
    } else {
        report.problem("postgresql rights", "we may not make tables", "grant create on the schema to this user");
    }
    if facts.durable {
        report.ok("postgresql durability", "fsync and synchronous_commit are on");
    } else {
        report.problem(
            "postgresql durability",
            "fsync or synchronous_commit is off: accounts and progress may be lost with the power",
            "turn both on",
        );
    }
    if facts.encoding != "UTF8" {
        report.problem("postgresql encoding", facts.encoding, "make the database with encoding UTF8");
    }
    if facts.connections < 50 {
        report.warn("postgresql connections", format!("{} in all", facts.connections), "each node takes up to 16");
    }
    Some(store)
}

async fn look_at_store(store: &dyn Upkeep, report: &mut Report) {
    match within(store.schema()).await {
        Ok(schema) if schema.there < schema.known => report.warn(
            "schema",
            format!("version {}, and this program knows {}", schema.there, schema.known),
            "the next node that starts brings it up to date, or `partyline migrate` does",
        ),
        Ok(schema) if schema.there > schema.known => report.warn(
            "schema",
            format!("version {}, of a later program than this one, which knows {}", schema.there, schema.known),
            "finish the upgrade; going on like this works, since migrations only add",
        ),
        Ok(schema) => report.ok("schema", format!("version {}", schema.there)),
        Err(e) => return report.warn("schema", format!("there are no tables yet: {e}"), "the first node makes them"),
    }
    match within(store.clock()).await {
        Ok(there) => clock("store clock", there, report),
        Err(e) => report.problem("store clock", e, ""),
    }
    match within(store.dead_letters(None, 1)).await {
        Ok(letters) if letters.is_empty() => report.ok("dead letters", "none"),
        Ok(_) => report.warn(
            "dead letters",
            "there are records that could not be folded",
            "`partyline admin dead-letters list` shows them, `retry` tries again",
        ),
        Err(e) => report.problem("dead letters", e, "`partyline migrate` makes missing tables"),
    }
}

fn clock(check: &'static str, there: i64, report: &mut Report) {
    let apart = there - now();
    if apart.abs() > CLOCK_WARNING_MS {
        let found = format!("{} s apart from this machine's: people will see wrong times", apart / 1000);
        report.warn(check, found, "let all machines follow a time server");
    } else {
        report.ok(check, "the same as this machine's");
    }
}

/// Store and log together: do they fit, how far is one behind, and will the log wait for it?
async fn look_at_both(log: &dyn Log, store: &dyn Upkeep, retention_ms: Option<i64>, report: &mut Report) {
    let fits = tokio::time::timeout(DEADLINE, epoch::fits(log, store)).await;
    match fits.unwrap_or_else(|_| Err(FitError::Unknown("no answer in time".into()))) {
        Ok(()) => report.ok("store and log", "belong together"),
        Err(e) => return report.problem("store and log", e.to_string(), ""),
    }
    match within(behind(log, store)).await {
        Ok((lag, oldest_ms)) => {
            let waits = oldest_ms.map_or(String::new(), |ms| format!(", the oldest for {} s", ms / 1000));
            let found = format!("{lag} records are not folded yet{waits}");
            let half = retention_ms.filter(|ms| *ms > 0).map(|ms| ms / 2);
            match (oldest_ms, half) {
                (Some(ms), Some(half)) if ms > half => report.problem(
                    "persist",
                    format!("{found}: the log forgets them soon"),
                    "start a node with the role persist, see what its log lines say, and raise retention.ms meanwhile",
                ),
                _ if lag > LAG_WARNING => report.warn("persist", found, "is a node with the role persist running?"),
                _ => report.ok("persist", found),
            }
        }
        Err(e) => report.problem("persist", e, ""),
    }
}

/// How many records are not folded, and since when the oldest of them waits.
async fn behind(log: &dyn Log, store: &dyn Upkeep) -> anyhow::Result<(u64, Option<i64>)> {
    let (mut lag, mut oldest) = (0, None);
    for partition in 0..log.partitions() {
        let (progress, end) = (store.progress(partition).await?, log.end(partition).await?);
        let here = end.saturating_sub(progress);
        lag += here;
        if here > 0
            && let Some(entry) = log.read(partition, progress, 1).await?.first()
            && let Ok(record) = Record::decode(&entry.payload)
        {
            let waits = now() - record.accepted_at;
            oldest = oldest.max(Some(waits));
        }
    }
    Ok((lag, oldest))
}

async fn look_at_groups(config: &crate::config::KafkaConfig, log: &dyn Log, store: &dyn Upkeep, report: &mut Report) {
    let epoch = within(store.epoch()).await.unwrap_or(1);
    for (check, group) in [("group persist", persist::PART.to_owned()), ("group relay", relay::group(epoch))] {
        match within(kafka::facts::lag(config, &group, log.partitions())).await {
            Ok(Some(lag)) if lag > LAG_WARNING => {
                report.warn(check, format!("{lag} records behind"), "is a node with this role running?");
            }
            Ok(Some(lag)) => report.ok(check, format!("{lag} records behind")),
            Ok(None) => report.warn(check, "it has never committed anything", "has a node with this role run yet?"),
            Err(e) => report.problem(check, e, "allow READ on the groups to this user"),
        }
    }
}

/// Is the address this machine's?
fn is_local(address: &str) -> bool {
    let after_user = address.rsplit('@').next().unwrap_or(address);
    let host = after_user.split("://").last().unwrap_or(after_user);
    host.split(',').all(|host| ["localhost", "127.", "[::1]", "::1"].iter().any(|local| host.starts_with(local)))
}

/// For embedded mode.
async fn attach_log(data_dir: &std::path::Path) -> Result<log::sqlite::SqliteLogReader, LogError> {
    log::sqlite::SqliteLogReader::open(data_dir, 1).await
}
