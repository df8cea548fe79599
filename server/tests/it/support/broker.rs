//! A Kafka of one's own, that can be killed and stopped.

use super::{PATIENCE, setting};
use std::{
    fs,
    process::{Child, Command, Stdio},
    time::Instant,
};
use tempfile::TempDir;

/// Broker and controller in one process; killed when dropped.
pub struct Broker {
    pub address: String,
    dir: TempDir,
    child: Child,
}

impl Broker {
    pub async fn start() -> Self {
        let [port, controller] = [0; 2].map(|_| super::installation::free_address().port());
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let properties = format!(
            "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:{controller}\n\
             listeners=PLAIN://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
             advertised.listeners=PLAIN://127.0.0.1:{port}\n\
             listener.security.protocol.map=PLAIN:PLAINTEXT,CONTROLLER:PLAINTEXT\n\
             controller.listener.names=CONTROLLER\ninter.broker.listener.name=PLAIN\nlog.dirs={}\n\
             offsets.topic.replication.factor=1\noffsets.topic.num.partitions=2\n\
             transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n\
             transaction.state.log.num.partitions=2\nauto.create.topics.enable=false\n\
             group.initial.rebalance.delay.ms=0\nlog.cleaner.dedupe.buffer.size=16777216\n",
            data.display()
        );
        fs::write(dir.path().join("properties"), properties).unwrap();
        let mut format = java(&dir, "kafka.tools.StorageTool");
        // An id that began with a dash would be taken for an option.
        let id = [&[0], &uuid::Uuid::new_v4().as_bytes()[1..]].concat();
        let id = base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, id);
        format.args(["format", "-t", &id, "-c"]).arg(dir.path().join("properties")).stdout(Stdio::null());
        let formatted = tokio::task::spawn_blocking(move || format.status().unwrap()).await.unwrap();
        assert!(formatted.success());
        let child = launch(&dir);
        let broker = Self { address: format!("127.0.0.1:{port}"), dir, child };
        broker.is_there().await;
        broker
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// After [`Self::kill`]; returns once it takes connections.
    pub async fn start_again(&mut self) {
        self.child = launch(&self.dir);
        self.is_there().await;
    }

    /// `STOP` or `CONT`.
    pub fn signal(&self, name: &str) {
        super::signal(&self.child, name);
    }

    async fn is_there(&self) {
        let since = Instant::now();
        super::until("the broker takes connections", async || {
            tokio::net::TcpStream::connect(&self.address).await.is_ok()
        })
        .await;
        assert!(since.elapsed() < PATIENCE);
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn java(dir: &TempDir, class: &str) -> Command {
    let mut java = Command::new("java");
    java.args(["-Xmx384m", "-Xms128m", "-XX:+UseSerialGC", "-cp"])
        .arg(format!("{}/*", setting("PARTYLINE_TEST_KAFKA_HOME")))
        .arg(class)
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    java
}

fn launch(dir: &TempDir) -> Child {
    java(dir, "kafka.Kafka").arg(dir.path().join("properties")).stdout(Stdio::null()).spawn().unwrap()
}
