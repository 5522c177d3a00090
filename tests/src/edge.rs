//! An edge agent as a real process with a folder of its own, on ports that it keeps over restarts.

use crate::mqtt::{Connection, Login};
use crate::process::{self, Process};
use crate::{metrics, ports, wait};
use anyhow::{Context as _, Result, ensure};
use edge_agent::ops::clock::Clock;
use edge_agent::registry::Registry;
use protocol::sync::changes::{Change, Changes, DeviceRecord};
use protocol::sync::entry::DeviceKind;
use sha2::{Digest as _, Sha256};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::TcpStream;

/// How long an agent may take until its door is open.
const START_LIMIT: Duration = Duration::from_secs(10);

/// An agent, running or not.
#[derive(Debug)]
pub struct Edge {
    folder: PathBuf,
    ports: Ports,
    env: Vec<(&'static str, String)>,
    process: Option<Process>,
    // Removed with this value, unless the folder was given.
    own_folder: Option<tempfile::TempDir>,
}

/// Where it listens.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    /// MQTT.
    pub mqtt: SocketAddr,
    /// MQTT over TLS.
    pub mqtts: SocketAddr,
    /// Health and metrics.
    pub ops: SocketAddr,
    /// The staff page.
    pub staff: SocketAddr,
}

impl Edge {
    /// An agent with an empty folder that is removed with this value.
    pub fn new() -> Result<Self> {
        let own = tempfile::tempdir()?;
        let mut edge = Self::in_folder(own.path())?;
        edge.own_folder = Some(own);
        Ok(edge)
    }

    /// The same in memory, if there is a tmpfs: for stories with very many commits.
    pub fn in_memory() -> Result<Self> {
        let own = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir())?;
        let mut edge = Self::in_folder(own.path())?;
        edge.own_folder = Some(own);
        Ok(edge)
    }

    /// An agent on a folder that is there, or will be made, and stays.
    pub fn in_folder(folder: &Path) -> Result<Self> {
        let ports = Ports {
            mqtt: ports::free()?,
            mqtts: ports::free()?,
            ops: ports::free()?,
            staff: ports::free()?,
        };
        Self::on_ports(folder, ports)
    }

    /// An agent on a folder that is there, or will be made, and stays; on certain ports.
    pub fn on_ports(folder: &Path, ports: Ports) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let folder = folder.to_owned();
        let edge = Self { folder, ports, env: Vec::new(), process: None, own_folder: None };
        edge.configure("")?;
        Ok(edge)
    }

    /// Writes its configuration, with more lines of TOML at the end.
    pub fn configure(&self, more: &str) -> Result<()> {
        let Ports { mqtt, mqtts, ops, staff } = self.ports;
        let state = self.state();
        let state = state.display();
        let text = format!(
            "agent.state_dir = \"{state}\"\nmqtt.listen = \"{mqtt}\"\nmqtt.tls_listen = \"{mqtts}\"\n\
             ops.listen = \"{ops}\"\nstaff.listen = \"{staff}\"\n{more}"
        );
        Ok(fs::write(self.config(), text)?)
    }

    /// Sets an environment variable for later starts, e.g. `GYMWIRE_JOURNAL__GROUP_MS`.
    pub fn env(&mut self, name: &'static str, value: &(impl ToString + ?Sized)) {
        self.env.retain(|(known, _)| *known != name);
        self.env.push((name, value.to_string()));
    }

    /// Its state folder.
    pub fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// Where it listens.
    pub fn ports(&self) -> Ports {
        self.ports
    }

    /// The process, while it runs.
    pub fn process(&mut self) -> Result<&mut Process> {
        self.process.as_mut().context("the agent does not run")
    }

    /// Enrols it (`edge-agent enroll`), while it does not run.
    pub async fn enroll(&self, cloud: &str, code: &str) -> Result<String> {
        let config = self.config();
        let config = config.to_str().context("the path is UTF-8")?;
        let arguments = ["enroll", "--config", config, "--cloud", cloud, "--code", code];
        process::output("edge-agent", arguments, &self.env).await
    }

    /// Adds devices as staff do at the branch, while it does not run; their logins.
    pub async fn add_devices(&self, kind: DeviceKind, codes: &[String]) -> Result<Vec<Login>> {
        fs::create_dir_all(self.state())?;
        let registry = Registry::open(&self.state(), &Clock::system()).await?.registry;
        let mut logins = Vec::new();
        for code in codes {
            let new = registry.prepare_device(kind, code.parse()?)?;
            registry.keep(&new).await?;
            let secret = new.secret;
            logins.push(Login { user: code.clone(), password: Some(secret) });
        }
        Ok(logins)
    }

    /// Makes it know an observer of all machines as if the cloud had told, while it does not run; its login.
    pub async fn add_observer(&self, code: &str) -> Result<Login> {
        fs::create_dir_all(self.state())?;
        let registry = Registry::open(&self.state(), &Clock::system()).await?.registry;
        let secret = uuid::Uuid::now_v7().to_string();
        let record = DeviceRecord {
            id: protocol::ids::DeviceId(uuid::Uuid::now_v7()),
            code: code.parse()?,
            kind: DeviceKind::Observer,
            name: code.to_owned(),
            secret_sha256: Some(Sha256::digest(&secret).into()),
            bridge: None,
            topics: vec!["gymwire/v1/machines/+/telemetry".to_owned()],
            enabled: true,
        };
        let from = registry.ask_from().await?;
        registry
            .apply(Changes {
                branch: protocol::ids::BranchId(uuid::Uuid::nil()),
                from,
                to: from + 1,
                reset: false,
                more: false,
                changes: vec![Change::Device(record)],
            })
            .await?;
        Ok(Login { user: code.to_owned(), password: Some(secret) })
    }

    /// The certificates that its devices have to trust (`edge-agent ca export`).
    pub async fn ca(&self) -> Result<String> {
        let config = self.config();
        let config = config.to_str().context("the path is UTF-8")?;
        process::output("edge-agent", ["ca", "export", "--config", config], &self.env).await
    }

    /// Gives a device a certificate (`edge-agent device certify`); it and its key, PEM.
    pub async fn certify(&self, code: &str) -> Result<String> {
        let config = self.config();
        let config = config.to_str().context("the path is UTF-8")?;
        let arguments = ["device", "certify", code, "--config", config];
        process::output("edge-agent", arguments, &self.env).await
    }

    /// Starts it and waits until its door is open.
    pub async fn start(&mut self) -> Result<()> {
        let process = self.spawn()?;
        self.opened(process).await
    }

    /// The same by another program, which is given it as its last arguments and becomes it.
    pub async fn start_by(&mut self, program: &[&str]) -> Result<()> {
        let (program, arguments) = program.split_first().context("a program")?;
        let (agent, config) = (process::binary("edge-agent")?, self.config());
        let own = [agent.as_os_str(), "run".as_ref(), "--config".as_ref(), config.as_os_str()];
        let arguments = arguments.iter().map(AsRef::as_ref).chain(own);
        let process = Process::start_other(Path::new(program), arguments, &self.env, &self.log())?;
        self.opened(process).await
    }

    /// Starts it by the launcher, as systemd does: the agent of the newest release that proves itself.
    pub async fn start_launched(&mut self, keys: &Path) -> Result<()> {
        let (launcher, state, config) =
            (process::binary("gymwire-launch")?, self.state(), self.config());
        let packaged = launcher.parent().context("a program lies in a folder")?.to_owned();
        let options = ["--state-dir".as_ref(), state.as_os_str(), "--packaged".as_ref()];
        let more = [packaged.as_os_str(), "--keys".as_ref(), keys.as_os_str()];
        let own = ["edge-agent".as_ref(), "run".as_ref(), "--config".as_ref(), config.as_os_str()];
        let arguments = options.into_iter().chain(more).chain(own);
        let process = Process::start_other(&launcher, arguments, &self.env, &self.log())?;
        self.opened(process).await
    }

    /// Starts it on a state folder that it cannot write, see [`Edge::make_writable`].
    pub async fn start_read_only(&mut self) -> Result<()> {
        let state = self.state();
        let state = state.display();
        let script = format!(
            "mount --bind '{state}' '{state}' && mount -o remount,ro,bind '{state}' && exec \"$@\""
        );
        self.start_by(&["unshare", "--mount", "--map-root-user", "sh", "-c", &script, "sh"]).await
    }

    /// Lets it write its state folder again, while it runs.
    pub async fn make_writable(&mut self) -> Result<()> {
        let pid = self.process()?.pid()?.to_string();
        let state = self.state();
        let enter = ["--user", "--mount", "--preserve-credentials", "--target", &pid];
        let remount = ["mount", "-o", "remount,rw,bind"];
        let mut command = tokio::process::Command::new("nsenter");
        let status = command.args(enter).args(remount).arg(&state).status().await?;
        ensure!(status.success(), "{} stays read-only: {status}", state.display());
        Ok(())
    }

    async fn opened(&mut self, mut process: Process) -> Result<()> {
        let door = self.ports.mqtt;
        wait::until_true("the agent's door opened", START_LIMIT, || {
            let alive = process.ensure_alive();
            async move {
                alive?;
                Ok(TcpStream::connect(door).await.is_ok())
            }
        })
        .await
        .with_context(|| format!("log of the agent: {}", process.tail()))?;
        self.process = Some(process);
        Ok(())
    }

    /// Starts the process and waits for nothing.
    pub fn spawn(&self) -> Result<Process> {
        let config = self.config();
        let config = config.to_str().context("the path is UTF-8")?;
        Process::start("edge-agent", ["run", "--config", config], &self.env, &self.log())
    }

    /// Takes over a process that [`Edge::spawn`] has started.
    pub fn adopt(&mut self, process: Process) {
        self.process = Some(process);
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

    /// Connects a device.
    pub async fn connect(&self, login: &Login) -> Result<Connection> {
        Connection::open(self.ports.mqtt, login).await
    }

    /// A value of its metrics, summed over labels.
    pub async fn metric(&self, name: &str) -> Result<f64> {
        metrics::read(self.ports.ops, name).await
    }

    /// What its health says.
    pub async fn health(&self) -> Result<serde_json::Value> {
        let url = format!("http://{}/health", self.ports.ops);
        let health: serde_json::Value = crate::http::client().get(url).send().await?.json().await?;
        Ok(health["detail"].clone())
    }

    /// Waits until nothing is left to send to the cloud.
    pub async fn drained(&self, limit: Duration) -> Result<()> {
        wait::until_true_at_last("the journal is drained", limit, || async {
            Ok(self.metric(metrics::BACKLOG).await? == 0.0)
        })
        .await
    }

    /// The end of what it has logged.
    pub fn log_tail(&self) -> String {
        let text = self.log_text();
        let lines: Vec<&str> = text.lines().collect();
        format!("log of the agent: {}", lines[lines.len().saturating_sub(20)..].join("\n"))
    }

    /// What it has logged.
    pub fn log_text(&self) -> String {
        fs::read_to_string(self.log()).unwrap_or_default()
    }

    pub fn config(&self) -> PathBuf {
        self.folder.join("edge-agent.toml")
    }

    fn log(&self) -> PathBuf {
        self.folder.join("edge-agent.log")
    }
}
