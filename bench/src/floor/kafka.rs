//! Durable publishing to Kafka without a chat: what its own tool for that reaches, `kafka-producer-perf-test`.

use super::RECORD_BYTES;
use crate::{
    program::given,
    report::{self, Report},
};
use anyhow::{Context, Result, bail};
use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use uuid::Uuid;

/// As many as Partyline's topic has.
const PARTITIONS: &str = "64";
/// A second at least, so that the tool's own start does not count for much.
const RECORDS: &str = "300000";
const ENDS_WITHIN: Duration = Duration::from_secs(120);

/// Records a second that are on the broker's disk as far as Partyline's are: `acks=all`, the same size, as many
/// partitions. The tool waits for no acknowledgement before it sends the next.
///
/// # Errors
/// If the broker or the tool cannot.
pub fn measure(scenario: &str) -> Result<Report> {
    let brokers = given("PARTYLINE_TEST_KAFKA_BROKERS")?;
    let topic = format!("bench_floor_{}", Uuid::new_v4().simple());
    let with = ["--topic", &topic, "--partitions", PARTITIONS, "--replication-factor", "1"];
    topics(&brokers, &[&["--create"], &with[..]].concat())?;
    let (size, servers) = (RECORD_BYTES.to_string(), format!("bootstrap.servers={brokers}"));
    let sent = java(
        "org.apache.kafka.tools.ProducerPerformance",
        &[
            ["--topic", &topic, "--num-records", RECORDS, "--record-size", &size, "--throughput", "-1"].as_slice(),
            &["--producer-props", &servers, "acks=all"],
        ]
        .concat(),
    );
    remove_topics(&brokers, &topic)?;
    let mut report = report::base("floor: kafka-producer-perf-test, acks=all", scenario);
    report.num("acks_per_s", rate(&sent?).context("kafka-producer-perf-test says no rate")?);
    Ok(report)
}

/// Removes the topics whose names fit.
///
/// # Errors
/// If the broker does not.
pub fn remove_topics(brokers: &str, pattern: &str) -> Result<()> {
    topics(brokers, &["--delete", "--topic", pattern, "--if-exists"])
}

fn topics(brokers: &str, what: &[&str]) -> Result<()> {
    java("org.apache.kafka.tools.TopicCommand", &[&["--bootstrap-server", brokers], what].concat())?;
    Ok(())
}

/// The rate in the tool's last line: `300000 records sent, 81234.5 records/sec (48.03 MB/sec), …`.
fn rate(said: &str) -> Option<f64> {
    let line = said.lines().rev().find(|line| line.contains("records sent"))?;
    line.split(" records/sec").next()?.rsplit(' ').next()?.parse().ok()
}

/// Runs one of Kafka's own commands.
fn java(class: &str, arguments: &[&str]) -> Result<String> {
    let libs = given("PARTYLINE_TEST_KAFKA_HOME")?;
    let mut child = Command::new("java")
        .args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=4", "-cp", &format!("{libs}/*"), class])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("java")?;
    // Their few lines fit the pipes.
    let began = Instant::now();
    while child.try_wait()?.is_none() {
        if began.elapsed() > ENDS_WITHIN {
            let _ = child.kill();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!("{class}: {said} {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(said)
}

#[cfg(test)]
mod tests {
    use super::rate;

    #[test]
    fn the_rate_is_the_one_of_the_last_line() {
        let said = "5 records sent, 1.0 records/sec (0.59 MB/sec), 2.7 ms avg latency\n\
                    300000 records sent, 81234.5 records/sec (48.03 MB/sec), 99 ms 50th\n";
        assert_eq!(rate(said), Some(81234.5));
        assert_eq!(rate("nothing"), None);
    }
}
