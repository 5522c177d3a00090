//! A computer on which the launcher starts the agent, as systemd would, and releases for it.

use crate::agent::{Agent, Systemd, stderr};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(40);

/// Agent, launcher, makers and their key.
pub struct Machine {
    pub agent: Agent,
}

/// A started launcher, or what it became; it is killed with this value.
pub struct Started {
    child: Child,
    systemd: Systemd,
}

/// A release to be made: by default this very agent, under a higher number.
pub struct Release {
    version: &'static str,
    script: Option<String>,
    databases: Vec<String>,
}

impl Release {
    pub fn of(version: &'static str) -> Self {
        Self { version, script: None, databases: Vec::new() }
    }

    /// Its agent is a script that knows its version.
    pub fn doing(mut self, script: &str) -> Self {
        self.script = Some(format!("#!/bin/sh\n[ \"$1\" = --version ] && exit 0\n{script}\n"));
        self
    }

    /// Its agent is this text.
    pub fn being(mut self, text: &str) -> Self {
        self.script = Some(text.to_owned());
        self
    }

    /// It writes other schema versions.
    pub fn with(mut self, option: &str, version: i64) -> Self {
        self.databases.extend([option.to_owned(), version.to_string()]);
        self
    }
}

impl Machine {
    /// A computer that trusts the makers.
    pub async fn new() -> Self {
        let agent = Agent::new().with("update.window_s", "20").with("update.settle_s", "0");
        let keys = agent.folder().join("release-keys");
        let machine = Self { agent: agent.with("update.keys", keys.to_str().unwrap()) };
        let key = machine.maker().to_str().unwrap().to_owned();
        let made = machine.done(&["update", "key", &key]).await;
        fs::write(keys, format!("{made}# of the makers\n")).unwrap();
        machine
    }

    fn maker(&self) -> PathBuf {
        self.agent.folder().join("maker.pem")
    }

    pub fn state(&self) -> PathBuf {
        self.agent.state()
    }

    /// The folder of a release.
    pub fn release(&self, version: &str) -> PathBuf {
        self.state().join("releases").join(version)
    }

    /// Makes a release and says where its manifest is.
    pub async fn make(&self, release: &Release) -> String {
        let programs = self.agent.folder().join(format!("programs-{}", release.version));
        fs::create_dir_all(&programs).unwrap();
        let program = programs.join("edge-agent");
        if let Some(script) = &release.script {
            fs::write(&program, script).unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        } else {
            let own = env!("CARGO_BIN_EXE_edge-agent");
            let mut strip = Command::new("strip");
            let stripped = strip.arg("-o").arg(&program).arg(own).status().await.unwrap();
            assert!(stripped.success());
        }
        let (key, out) = (self.maker(), self.agent.folder().join("out"));
        let programs = format!("{}={}", std::env::consts::ARCH, programs.display());
        let (key, out) = (key.to_str().unwrap(), out.to_str().unwrap());
        let mut arguments = vec!["update", "sign", "--key", key, "--out", out, "--level", "1"];
        arguments.extend(["--version", release.version]);
        arguments.extend(release.databases.iter().map(String::as_str));
        arguments.push(&programs);
        self.done(&arguments).await;
        format!("{out}/gymwire-{}.json", release.version)
    }

    /// Runs a command of the package's agent that has to work.
    pub async fn done(&self, arguments: &[&str]) -> String {
        let output = self.agent.output(arguments).await;
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command that has to be refused, and says why it was.
    pub async fn refused(&self, arguments: &[&str]) -> String {
        let output = self.agent.output(arguments).await;
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        stderr(&output)
    }

    /// Runs a command that may die at this point.
    pub async fn dying_at(&self, point: &str, arguments: &[&str]) -> Output {
        self.agent.clone().with_variable("GYMWIRE_TEST_DIE_AT", point).output(arguments).await
    }

    /// One start by systemd; at this point it dies.
    pub fn start_dying_at(&self, point: &str) -> Started {
        let packaged = Path::new(env!("CARGO_BIN_EXE_edge-agent")).parent().unwrap();
        let (systemd, socket) = self.agent.systemd();
        let mut command = Command::new(env!("CARGO_BIN_EXE_gymwire-launch"));
        command.arg("--state-dir").arg(self.state()).arg("--packaged").arg(packaged);
        command.arg("--keys").arg(self.agent.folder().join("release-keys"));
        command.args(["edge-agent", "run"]).env("NOTIFY_SOCKET", socket);
        command.env("GYMWIRE_TEST_DIE_AT", point).envs(self.agent.environment());
        let child = command.stdin(Stdio::null()).kill_on_drop(true).spawn().unwrap();
        Started { child, systemd }
    }

    /// One start by systemd.
    pub fn start(&self) -> Started {
        self.start_dying_at("")
    }

    /// What systemd does until an agent serves, which it must do within so many starts.
    pub async fn start_until_it_serves(&self, most: usize) -> Started {
        for _ in 0..most {
            let mut started = self.start();
            if started.is_ready().await {
                return started;
            }
        }
        panic!("after {most} starts no agent serves")
    }

    /// The release that the running agent says it is of; `package` if of none.
    pub async fn running(&self) -> String {
        let status = self.done(&["status", "--json"]).await;
        let status: serde_json::Value = serde_json::from_str(&status).unwrap();
        status["release"].as_str().unwrap_or("package").to_owned()
    }

    /// Waits until so many entries wait for the cloud.
    pub async fn has_journaled(&self, entries: u64) {
        timeout(PATIENCE, async {
            loop {
                let status = self.done(&["status", "--json"]).await;
                let status: serde_json::Value = serde_json::from_str(&status).unwrap();
                if status["backlog_entries"] == entries {
                    break;
                }
            }
        })
        .await
        .unwrap();
    }

    /// Waits until the release that runs needs no proof any more.
    pub async fn is_proven(&self, version: &str) {
        let trial = self.release(version).join("trial.json");
        timeout(PATIENCE, async {
            while trial.exists() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await
        .unwrap();
    }
}

impl Started {
    /// Whether it becomes ready, rather than ending.
    pub async fn is_ready(&mut self) -> bool {
        tokio::select! {
            said = self.systemd.next() => said == "READY=1",
            ended = timeout(PATIENCE, self.child.wait()) => {
                ended.unwrap().unwrap();
                false
            }
        }
    }

    /// Waits until it ends.
    pub async fn end(mut self) -> std::process::ExitStatus {
        timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap()
    }
}
