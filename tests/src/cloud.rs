//! The cloud as a real process over a database.

use crate::process::{self, Process};
use crate::{http, ports, wait};
use anyhow::{Context as _, Result};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::TcpStream;

/// How long it may take until it answers; the first start makes its own Postgres, if it is to have one.
const START_LIMIT: Duration = Duration::from_mins(1);

/// A cloud, running or not, on a port that it keeps over restarts.
#[derive(Debug)]
pub struct Cloud {
    address: SocketAddr,
    env: Vec<(&'static str, String)>,
    log: PathBuf,
    /// The processor that it is bound to.
    core: Option<usize>,
    process: Option<Process>,
}

impl Cloud {
    /// Over a database; its log goes into `folder`.
    pub fn over(database_url: &str, folder: &Path) -> Result<Self> {
        let mut cloud = Self::at(ports::free()?, folder);
        cloud.env("DATABASE_URL", database_url);
        Ok(cloud)
    }

    /// At an address, with what `env` will say; its log goes into `folder`.
    pub fn at(address: SocketAddr, folder: &Path) -> Self {
        let log = folder.join("cloud-api.log");
        let mut cloud = Self { address, env: Vec::new(), log, core: None, process: None };
        cloud.env("GYMWIRE_HTTP__BIND", &address);
        // Tests ask again and again until something has happened.
        cloud.env("GYMWIRE_LIMITS__ADMIN", "1000000");
        // Else a key file would be made in the folder of the tests.
        cloud.env("GYMWIRE_SERVICE__SECRETS_KEY", &"ab".repeat(32));
        cloud
    }

    /// Sets an environment variable for later starts and commands.
    pub fn env(&mut self, name: &'static str, value: &(impl ToString + ?Sized)) {
        self.env.retain(|(known, _)| *known != name);
        self.env.push((name, value.to_string()));
    }

    /// Binds later starts to one processor.
    pub fn bind(&mut self, core: usize) {
        self.core = Some(core);
    }

    /// Starts `cloud-api serve` and waits until it is ready.
    pub async fn start(&mut self) -> Result<()> {
        let mut process = self.serve()?;
        let ready = format!("{}/health/ready", self.url());
        wait::until_true("the cloud is ready", START_LIMIT, || {
            let alive = process.ensure_alive();
            let ready = ready.clone();
            async move {
                alive?;
                Ok(http::client().get(ready).send().await?.status().is_success())
            }
        })
        .await
        .with_context(|| format!("log of the cloud: {}", process.tail()))?;
        self.process = Some(process);
        Ok(())
    }

    fn serve(&self) -> Result<Process> {
        let Some(core) = self.core else {
            return Process::start("cloud-api", ["serve"], &self.env, &self.log);
        };
        let (core, program) = (core.to_string(), process::binary("cloud-api")?);
        let bound = ["--cpu-list".as_ref(), core.as_ref(), program.as_os_str(), "serve".as_ref()];
        Process::start_other("taskset".as_ref(), bound, &self.env, &self.log)
    }

    /// Runs `cloud-api admin …` and gives what it printed.
    pub async fn admin(&self, arguments: &[&str]) -> Result<String> {
        process::output("cloud-api", ["admin"].iter().chain(arguments), &self.env).await
    }

    /// Runs any command of `cloud-api` and gives what it printed.
    pub async fn run(&self, arguments: &[&str]) -> Result<String> {
        process::output("cloud-api", arguments, &self.env).await
    }

    /// The process, while it runs.
    pub fn process(&mut self) -> Result<&mut Process> {
        self.process.as_mut().context("the cloud does not run")
    }

    /// `kill -9`.
    pub async fn kill(&mut self) -> Result<()> {
        self.process()?.kill().await?;
        self.process = None;
        Ok(())
    }

    /// SIGTERM, and a clean end.
    pub async fn stop(&mut self) -> Result<()> {
        self.process()?.stop().await?;
        self.process = None;
        Ok(())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Whether somebody accepts connections at its address.
    pub async fn is_reachable(&self) -> bool {
        TcpStream::connect(self.address).await.is_ok()
    }
}
