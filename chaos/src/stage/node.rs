//! A node: the program itself, in a process that can be killed and held.

use super::Signal;
use anyhow::{Context, bail};
use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};
use tokio::time::Instant;

/// How long a node may take to start while everything that it needs is there.
const START: Duration = Duration::from_secs(90);
/// How long it may take to end when it is asked to: it gives its clients two seconds, and its requests ten.
const END: Duration = Duration::from_secs(40);
const POLL: Duration = Duration::from_millis(20);

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Everything.
    All,
    /// Serves people.
    Web,
    /// Folds the log into the store.
    Persist,
    /// Passes the log to the fan-out.
    Relay,
}

impl Role {
    const fn roles(self) -> &'static str {
        match self {
            Self::All => "web,persist,relay",
            Self::Web => "web",
            Self::Persist => "persist",
            Self::Relay => "relay",
        }
    }

    /// People can come to it.
    pub const fn serves_people(self) -> bool {
        matches!(self, Self::All | Self::Web)
    }
}

/// A node; killed when dropped.
pub struct Node {
    /// For people: `node 2`, `persister`.
    pub name: String,
    /// What it does.
    pub role: Role,
    /// `http://host:port`, the same over all its lives.
    pub base: String,
    program: PathBuf,
    settings: Vec<(String, String)>,
    /// Where it writes what it has to say.
    pub log: PathBuf,
    child: Option<Child>,
    held: bool,
}

impl Node {
    /// A node that does not run yet.
    pub fn new(
        name: &str,
        role: Role,
        port: u16,
        program: &Path,
        mut settings: Vec<(String, String)>,
        dir: &Path,
    ) -> Self {
        settings.push(("PARTYLINE_LISTEN".into(), format!("127.0.0.1:{port}")));
        settings.push(("PARTYLINE_ROLES".into(), role.roles().into()));
        Self {
            name: name.to_owned(),
            role,
            base: format!("http://127.0.0.1:{port}"),
            program: program.to_owned(),
            settings,
            log: dir.join(format!("{}.log", name.replace(' ', "-"))),
            child: None,
            held: false,
        }
    }

    /// Another build of the program, from the next start on.
    pub fn use_program(&mut self, program: &Path) {
        program.clone_into(&mut self.program);
    }

    /// Starts it, and waits until it answers.
    ///
    /// # Errors
    /// It ends by itself, or does not answer.
    pub async fn start(&mut self, http: &reqwest::Client) -> anyhow::Result<()> {
        let deadline = Instant::now() + START;
        loop {
            self.spawn()?;
            match self.until_it_answers(http, deadline).await {
                Ok(()) => return Ok(()),
                // Just healed, a service may still refuse: a node that finds it so ends, as it should.
                Err(e) if Instant::now() > deadline => return Err(e),
                Err(_) => self.kill()?,
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    fn spawn(&mut self) -> anyhow::Result<()> {
        let log = File::options().create(true).append(true).open(&self.log).context("the node's log")?;
        let mut command = Command::new(&self.program);
        for name in ["KAFKA_BROKERS", "REDIS_URL", "DATABASE_URL"] {
            command.env_remove(name);
        }
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
        let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn();
        self.child = Some(child.with_context(|| format!("{} does not start", self.program.display()))?);
        Ok(())
    }

    async fn until_it_answers(&mut self, http: &reqwest::Client, deadline: Instant) -> anyhow::Result<()> {
        let url = format!("{}/livez", self.base);
        loop {
            if let Some(child) = &mut self.child
                && let Some(status) = child.try_wait()?
            {
                self.child = None;
                bail!("{} ended by itself ({status}): see {}", self.name, self.log.display());
            }
            let answer = http.get(&url).timeout(Duration::from_secs(2)).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("{} does not answer: see {}", self.name, self.log.display());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Whether its process is there.
    pub fn runs(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// SIGKILL.
    ///
    /// # Errors
    /// The process cannot be waited for.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.held = false;
        if let Some(mut child) = self.child.take() {
            // Gone already: then there is nothing to kill.
            let _ = child.kill();
            child.wait().context("waiting for a killed node")?;
        }
        Ok(())
    }

    /// SIGTERM, and waits until it has ended.
    ///
    /// # Errors
    /// It does not end in time, or with an error.
    pub async fn end(&mut self) -> anyhow::Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        Signal::Term.send(child.id())?;
        let deadline = Instant::now() + END;
        loop {
            if let Some(status) = child.try_wait()? {
                anyhow::ensure!(status.success(), "{} ended with {status}", self.name);
                return Ok(());
            }
            if Instant::now() > deadline {
                self.child = Some(child);
                bail!("{} does not end within {END:?}", self.name);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// SIGSTOP.
    ///
    /// # Errors
    /// It does not run.
    pub fn pause(&mut self) -> anyhow::Result<()> {
        let child = self.child.as_ref().with_context(|| format!("{} does not run", self.name))?;
        Signal::Stop.send(child.id())?;
        self.held = true;
        Ok(())
    }

    /// SIGCONT.
    ///
    /// # Errors
    /// It is gone.
    pub fn resume(&mut self) -> anyhow::Result<()> {
        if let (true, Some(child)) = (self.held, &self.child) {
            Signal::Cont.send(child.id())?;
        }
        self.held = false;
        Ok(())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Err(e) = self.kill() {
            eprintln!("{e:#}");
        }
    }
}
