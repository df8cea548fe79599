//! A Redis of one's own, which may be killed and put back to what it was.

use super::installation::free_address;
use std::{
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

pub struct OwnRedis {
    dir: TempDir,
    address: SocketAddr,
    process: Option<Child>,
}

impl OwnRedis {
    pub fn start() -> Self {
        let mut redis = Self { dir: tempfile::tempdir().unwrap(), address: free_address(), process: None };
        redis.start_again();
        redis
    }

    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("dump.rdb")
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// With what its file has.
    #[expect(clippy::disallowed_methods, reason = "a process is waited for, and nothing else runs meanwhile")]
    pub fn start_again(&mut self) {
        let process = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dbfilename", "dump.rdb"])
            .arg("--port")
            .arg(self.address.port().to_string())
            .arg("--dir")
            .arg(self.dir.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is on the path");
        self.process = Some(process);
        let deadline = Instant::now() + super::PATIENCE;
        while TcpStream::connect(self.address).is_err() {
            assert!(Instant::now() < deadline, "Redis does not start");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Writes what it has now to its file.
    pub async fn save(&self) {
        let mut connection = self.operator().await;
        let _: String = redis::cmd("SAVE").query_async(&mut connection).await.unwrap();
    }

    /// A connection of an operator.
    pub async fn operator(&self) -> redis::aio::MultiplexedConnection {
        redis::Client::open(self.url()).unwrap().get_multiplexed_async_connection().await.unwrap()
    }

    /// Forgets its file: it comes back empty.
    pub fn lose_everything(&self) {
        let _ = std::fs::remove_file(self.file());
    }
}

impl Drop for OwnRedis {
    fn drop(&mut self) {
        self.kill();
    }
}
