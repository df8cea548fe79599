//! What an operator sets: flags before environment before defaults.

use clap::Args;
use std::{collections::BTreeSet, fmt, net::SocketAddr, path::PathBuf, str::FromStr};

/// A value that no log and no error message shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The value, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(s: String) -> Self {
        Self(s)
    }
}

impl FromStr for Secret {
    type Err = std::convert::Infallible;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Ok(Self(s.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// A part of the work that a process can take on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Pages, API and sockets.
    Web,
    /// Log to store.
    Persist,
    /// Log to fan-out.
    Relay,
}

impl FromStr for Part {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        match s.trim() {
            "web" => Ok(Self::Web),
            "persist" => Ok(Self::Persist),
            "relay" => Ok(Self::Relay),
            other => Err(format!("{other:?} is not one of web, persist, relay")),
        }
    }
}

/// The settings as they come in, not yet checked against each other.
#[derive(Args, Clone, Debug)]
pub struct Settings {
    /// Address to listen on.
    #[arg(long, env = "PARTYLINE_LISTEN", default_value = "127.0.0.1:3000")]
    pub listen: SocketAddr,
    /// What browsers see; decides the allowed Origin and Secure cookies. Several, with commas between them, are fine.
    /// Not given: http://localhost and http://127.0.0.1 at the port that is listened on.
    #[arg(long, env = "PARTYLINE_PUBLIC_URL", value_delimiter = ',')]
    pub public_url: Vec<String>,
    /// Embedded mode: where the files are.
    #[arg(long, env = "PARTYLINE_DATA_DIR", default_value = "./data")]
    pub data_dir: PathBuf,
    /// Which parts this process takes on.
    #[arg(long, env = "PARTYLINE_ROLES", value_delimiter = ',', default_value = "web,persist,relay")]
    pub roles: Vec<Part>,
    /// Cluster mode: prefix of the topic, the groups and the Redis keys.
    #[arg(long, env = "PARTYLINE_NAMESPACE", default_value = "partyline")]
    pub namespace: String,
    /// An account's messages a second, with bursts of three times as many; 0 is off.
    #[arg(long, env = "PARTYLINE_MESSAGES_PER_SECOND", default_value_t = 20)]
    pub messages_per_second: u32,
    /// Signs tokens and cookies: 32 bytes at least. Embedded mode makes one if none is given.
    #[arg(long, env = "JWT_SECRET", hide_env_values = true)]
    pub jwt_secret: Option<Secret>,
    /// The secret before this one: still verifies.
    #[arg(long, env = "JWT_SECRET_PREVIOUS", hide_env_values = true)]
    pub jwt_secret_previous: Option<Secret>,
    /// Cluster mode: PostgreSQL, postgres://user:password@host/database.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<Secret>,
    /// Cluster mode: Redis, redis://… or rediss://… for TLS.
    #[arg(long, env = "REDIS_URL", hide_env_values = true)]
    pub redis_url: Option<Secret>,
    /// Cluster mode: Kafka, host:port with commas between them.
    #[arg(long, env = "KAFKA_BROKERS")]
    pub kafka_brokers: Option<String>,
    /// TLS to Kafka: the authority's certificate (PEM text).
    #[arg(long, env = "KAFKA_CA", hide_env_values = true)]
    pub kafka_ca: Option<Secret>,
    /// Mutual TLS to Kafka: our certificate (PEM text).
    #[arg(long, env = "KAFKA_CERTIFICATE", hide_env_values = true)]
    pub kafka_certificate: Option<Secret>,
    /// Mutual TLS to Kafka: our key (PEM text).
    #[arg(long, env = "KAFKA_PRIVATE_KEY", hide_env_values = true)]
    pub kafka_private_key: Option<Secret>,
    /// SASL to Kafka (SCRAM-SHA-512): user name.
    #[arg(long, env = "KAFKA_USERNAME")]
    pub kafka_username: Option<String>,
    /// SASL to Kafka: password.
    #[arg(long, env = "KAFKA_PASSWORD", hide_env_values = true)]
    pub kafka_password: Option<Secret>,
    /// TLS to PostgreSQL: the authority's certificate (PEM text).
    #[arg(long, env = "DATABASE_CA", hide_env_values = true)]
    pub database_ca: Option<Secret>,
    /// Mutual TLS to PostgreSQL: our certificate (PEM text).
    #[arg(long, env = "DATABASE_CERTIFICATE", hide_env_values = true)]
    pub database_certificate: Option<Secret>,
    /// Mutual TLS to PostgreSQL: our key (PEM text).
    #[arg(long, env = "DATABASE_PRIVATE_KEY", hide_env_values = true)]
    pub database_private_key: Option<Secret>,
    /// TLS to Redis: the authority's certificate (PEM text).
    #[arg(long, env = "REDIS_CA", hide_env_values = true)]
    pub redis_ca: Option<Secret>,
}

/// How to reach Kafka.
#[derive(Clone, Debug)]
pub struct KafkaConfig {
    /// host:port, with commas between them.
    pub brokers: String,
    /// Prefix of topic and groups.
    pub namespace: String,
    /// PEM text of the authority; given: TLS with full verification.
    pub ca: Option<Secret>,
    /// PEM text of our certificate and its key.
    pub identity: Option<(Secret, Secret)>,
    /// SASL user name and password (SCRAM-SHA-512).
    pub sasl: Option<(String, Secret)>,
}

/// How to reach Redis.
#[derive(Clone, Debug)]
pub struct RedisConfig {
    /// redis:// or rediss://
    pub url: Secret,
    /// Prefix of keys and channels.
    pub namespace: String,
    /// PEM text of the authority.
    pub ca: Option<Secret>,
}

/// How to reach PostgreSQL.
#[derive(Clone, Debug)]
pub struct DatabaseConfig {
    /// postgres://
    pub url: Secret,
    /// PEM text of the authority; given: full verification, no plain text.
    pub ca: Option<Secret>,
    /// PEM text of our certificate and its key.
    pub identity: Option<(Secret, Secret)>,
}

/// Where log, store and fan-out are.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one in a process")]
pub enum Mode {
    /// Files in a folder, one process.
    Embedded {
        /// The folder.
        data_dir: PathBuf,
    },
    /// Services, any number of nodes.
    Cluster {
        /// The log.
        kafka: KafkaConfig,
        /// The fan-out.
        redis: RedisConfig,
        /// The store.
        database: DatabaseConfig,
    },
}

/// The settings, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Address to listen on; port 0: any.
    pub listen: SocketAddr,
    /// Allowed origins, if given; else those of the listening port on this machine.
    pub public_urls: Vec<String>,
    /// Embedded or cluster.
    pub mode: Mode,
    /// Which parts this process takes on.
    pub parts: BTreeSet<Part>,
    /// An account's messages a second; 0: no limit.
    pub messages_per_second: u32,
    /// Signs; `None` in embedded mode: made and kept in the data folder.
    pub jwt_secret: Option<Secret>,
    /// Still verifies.
    pub jwt_secret_previous: Option<Secret>,
}

/// The settings do not fit together.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadConfig(pub String);

impl Settings {
    /// Checks the settings against each other.
    ///
    /// # Errors
    /// [`BadConfig`] names what is missing or does not fit.
    pub fn check(self) -> Result<Config, BadConfig> {
        let mode = self.mode()?;
        for (name, secret) in [("JWT_SECRET", &self.jwt_secret), ("JWT_SECRET_PREVIOUS", &self.jwt_secret_previous)] {
            if secret.as_ref().is_some_and(|s| s.expose().len() < 32) {
                return Err(BadConfig(format!("{name} needs 32 bytes at least: try `openssl rand -base64 48`")));
            }
        }
        if matches!(mode, Mode::Cluster { .. }) && self.jwt_secret.is_none() {
            return Err(BadConfig(
                "JWT_SECRET is required in cluster mode, the same on every node: try `openssl rand -base64 48`".into(),
            ));
        }
        let mut public_urls = Vec::new();
        for url in self.public_url.iter().map(|u| u.trim().trim_end_matches('/')).filter(|u| !u.is_empty()) {
            let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
            if !host.is_some_and(|h| !h.is_empty() && !h.contains(['/', '?', '#', ' '])) {
                return Err(BadConfig(format!("PARTYLINE_PUBLIC_URL: {url:?} is not like https://chat.example.org")));
            }
            public_urls.push(url.to_ascii_lowercase());
        }
        let parts: BTreeSet<Part> = self.roles.iter().copied().collect();
        if parts.is_empty() {
            return Err(BadConfig("PARTYLINE_ROLES is empty: give some of web, persist, relay".into()));
        }
        if matches!(mode, Mode::Embedded { .. }) && parts.len() < 3 {
            return Err(BadConfig(
                "PARTYLINE_ROLES splits a cluster; embedded mode is one process with all of them".into(),
            ));
        }
        Ok(Config {
            listen: self.listen,
            public_urls,
            mode,
            parts,
            messages_per_second: self.messages_per_second,
            jwt_secret: self.jwt_secret,
            jwt_secret_previous: self.jwt_secret_previous,
        })
    }

    fn mode(&self) -> Result<Mode, BadConfig> {
        let given = [
            ("KAFKA_BROKERS", self.kafka_brokers.is_some()),
            ("REDIS_URL", self.redis_url.is_some()),
            ("DATABASE_URL", self.database_url.is_some()),
        ];
        let (Some(brokers), Some(redis), Some(database)) = (&self.kafka_brokers, &self.redis_url, &self.database_url)
        else {
            if given.iter().all(|(_, there)| !there) {
                return Ok(Mode::Embedded { data_dir: self.data_dir.clone() });
            }
            let list = |there: bool| given.iter().filter(|g| g.1 == there).map(|g| g.0).collect::<Vec<_>>().join(", ");
            return Err(BadConfig(format!(
                "{} given, {} missing: cluster mode needs all three, embedded mode none",
                list(true),
                list(false)
            )));
        };
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if self.namespace.is_empty() || self.namespace.len() > 100 || !self.namespace.chars().all(good) {
            return Err(BadConfig("PARTYLINE_NAMESPACE takes letters, digits, '-', '_' and '.'".into()));
        }
        let kafka_identity =
            pair("KAFKA_CERTIFICATE", &self.kafka_certificate, "KAFKA_PRIVATE_KEY", &self.kafka_private_key)?;
        let sasl = pair("KAFKA_USERNAME", &self.kafka_username, "KAFKA_PASSWORD", &self.kafka_password)?;
        let database_identity = pair(
            "DATABASE_CERTIFICATE",
            &self.database_certificate,
            "DATABASE_PRIVATE_KEY",
            &self.database_private_key,
        )?;
        for (name, identity, ca) in [
            ("KAFKA", kafka_identity.is_some(), &self.kafka_ca),
            ("DATABASE", database_identity.is_some(), &self.database_ca),
        ] {
            if identity && ca.is_none() {
                return Err(BadConfig(format!("{name}_CERTIFICATE is given, {name}_CA is missing")));
            }
        }
        Ok(Mode::Cluster {
            kafka: KafkaConfig {
                brokers: brokers.clone(),
                namespace: self.namespace.clone(),
                ca: self.kafka_ca.clone(),
                identity: kafka_identity,
                sasl,
            },
            redis: RedisConfig { url: redis.clone(), namespace: self.namespace.clone(), ca: self.redis_ca.clone() },
            database: DatabaseConfig {
                url: database.clone(),
                ca: self.database_ca.clone(),
                identity: database_identity,
            },
        })
    }
}

fn pair<A: Clone, B: Clone>(
    a_name: &str,
    a: &Option<A>,
    b_name: &str,
    b: &Option<B>,
) -> Result<Option<(A, B)>, BadConfig> {
    match (a, b) {
        (Some(a), Some(b)) => Ok(Some((a.clone(), b.clone()))),
        (None, None) => Ok(None),
        (Some(_), None) => Err(BadConfig(format!("{a_name} is given, {b_name} is missing"))),
        (None, Some(_)) => Err(BadConfig(format!("{b_name} is given, {a_name} is missing"))),
    }
}
