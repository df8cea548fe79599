//! What can be told from the settings alone.

use super::Report;
use crate::config::{Config, Mode, Secret};

pub(super) fn look(config: &Config, report: &mut Report) {
    match &config.mode {
        Mode::Embedded { .. } => report.ok("mode", "embedded: files of one process"),
        Mode::Cluster { .. } => report.ok("mode", "cluster: Kafka, Redis and PostgreSQL"),
    }
    match &config.jwt_secret {
        Some(secret) => strength("JWT_SECRET", secret, report),
        None if matches!(config.mode, Mode::Cluster { .. }) => report.problem(
            "JWT_SECRET",
            "not given: no node starts without it",
            "`head -c 48 /dev/urandom | base64` makes one; the same for all nodes",
        ),
        // The file is looked at with the others.
        None => {}
    }
    if let Some(secret) = &config.jwt_secret_previous {
        strength("JWT_SECRET_PREVIOUS", secret, report);
    }
    public_url(config, report);
}

pub(super) fn strength(name: &'static str, secret: &Secret, report: &mut Report) {
    match weakness(secret.expose()) {
        None => report.ok(name, "long and varied enough"),
        Some(why) => report.warn(
            name,
            format!("{why}: who guesses it is anybody they like"),
            "`head -c 48 /dev/urandom | base64` makes a good one; the old one goes into JWT_SECRET_PREVIOUS",
        ),
    }
}

/// Why somebody could guess it. A secret of 32 random bytes, however written, passes.
fn weakness(secret: &str) -> Option<&'static str> {
    let mut bytes: Vec<u8> = secret.bytes().collect();
    let length = bytes.len();
    bytes.sort_unstable();
    bytes.dedup();
    let lower = secret.to_ascii_lowercase();
    if length < 32 {
        Some("it is short")
    } else if bytes.len() < 10 {
        Some("it is made of few different characters")
    } else if ["secret", "password", "changeme", "change-me", "example", "partyline", "development"]
        .iter()
        .any(|w| lower.contains(w))
    {
        Some("it has words in it that everybody tries")
    } else {
        None
    }
}

fn public_url(config: &Config, report: &mut Report) {
    const CHECK: &str = "PARTYLINE_PUBLIC_URL";
    if config.public_urls.is_empty() {
        if config.listen.ip().is_loopback() {
            return report.ok(CHECK, "not given: browsers on this machine");
        }
        return report.problem(
            CHECK,
            format!("not given, though {} is for other machines: their browsers will be refused", config.listen),
            "give the address that people open, https://chat.example.org",
        );
    }
    for url in &config.public_urls {
        let host = url.split("://").nth(1).unwrap_or_default();
        if url.starts_with("https://") {
            report.ok(CHECK, url);
        } else if ["localhost", "127.", "[::1]"].iter().any(|local| host.starts_with(local)) {
            report.ok(CHECK, format!("{url}, on this machine"));
        } else {
            report.warn(
                CHECK,
                format!("{url}: passwords and messages travel in the open"),
                "put a proxy with a certificate in front, and give its https:// address",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::weakness;

    #[test]
    fn a_random_secret_passes_and_what_can_be_guessed_does_not() {
        assert_eq!(weakness("q5cG0y8mHq1lY1cH9lU3W2Jm0p4w7Zx6T8R1v5N2k3s"), None);
        assert_eq!(weakness("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"), None);
        assert!(weakness(&"a".repeat(64)).is_some());
        assert!(weakness("short").is_some());
        assert!(weakness("this is my secret for the chat of the office").is_some());
    }
}
