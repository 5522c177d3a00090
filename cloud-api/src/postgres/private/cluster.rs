//! The files of one server and its process: made, started, stopped.

use super::account::Account;
use super::programs::Programs;
use super::{DATABASE, Options, socket};
use anyhow::{Context, bail, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::process::Command;
use tokio::time::sleep;

/// Everything about a server but its clients.
#[derive(Debug)]
pub(super) struct Cluster {
    pub programs: Programs,
    pub account: Account,
    pub folder: PathBuf,
    pub data: PathBuf,
    pub options: Options,
}

impl Cluster {
    /// Whether the process that the pid file names is alive and a server.
    pub fn is_running(&self) -> bool {
        let text = fs::read_to_string(self.data.join("postmaster.pid")).unwrap_or_default();
        let Some(pid) = text.lines().next().and_then(|line| line.trim().parse::<u32>().ok()) else {
            return false;
        };
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let is_dead = stat.rsplit(") ").next().is_none_or(|rest| rest.starts_with(['Z', 'X']));
        stat.contains("(postgres)") && !is_dead
    }

    /// Makes the files beside their place and moves them there, so that an interrupted attempt leaves nothing.
    pub async fn create(&self) -> anyhow::Result<()> {
        if self.data.join("PG_VERSION").exists() {
            return Ok(());
        }
        let half_made = self.data.with_extension("new");
        if half_made.exists() {
            fs::remove_dir_all(&half_made)?;
        }
        let mut initdb = self.account.command(&self.programs.initdb);
        initdb
            .arg("-D")
            .arg(&half_made)
            .args(["--username", DATABASE, "--encoding", "UTF8", "--locale", "C.UTF-8"])
            .args(["--auth-local", "trust", "--auth-host", "reject", "--no-instructions"]);
        if !self.options.fsync {
            initdb.arg("--no-sync");
        }
        run(initdb, "initdb").await?;
        fs::rename(&half_made, &self.data)
            .with_context(|| format!("{} cannot be put in its place", self.data.display()))
    }

    /// Starts the process and waits until it answers.
    pub async fn launch(&self) -> anyhow::Result<()> {
        let socket = socket::folder(&self.folder, &self.account)?;
        let settings = self.data.join("postgresql.conf");
        fs::write(&settings, self.options.server_settings(&socket))
            .with_context(|| format!("{} cannot be written", settings.display()))?;
        let log = self.folder.join("postgres.log");
        self.account.own_file(&log)?;
        for attempt in 1.. {
            let logged_before = fs::metadata(&log).map_or(0, |file| file.len());
            let mut command = self.pg_ctl("start");
            command.args(["-w", "-t", "60", "-l"]).arg(&log);
            let Err(error) = run(command, "pg_ctl start").await else { break };
            let logged = tail(&log, logged_before);
            // Children of a server that was killed need a moment to notice.
            if attempt >= LAUNCH_ATTEMPTS || !logged.contains("shared memory block") {
                let folder = self.folder.display();
                let what = format!("the private Postgres in {folder} does not start:\n{logged}");
                return Err(error.context(what));
            }
            sleep(LAUNCH_PAUSE).await;
        }
        Ok(())
    }

    /// Stops the process; transactions under way are rolled back.
    pub async fn stop(&self) -> anyhow::Result<()> {
        let mut command = self.pg_ctl("stop");
        command.args(["-m", "fast", "-w", "-t", "60"]);
        run(command, "pg_ctl stop").await
    }

    fn pg_ctl(&self, what: &str) -> Command {
        let mut command = self.account.command(&self.programs.pg_ctl);
        command.arg(what).arg("-D").arg(&self.data);
        command
    }
}

const LAUNCH_ATTEMPTS: u32 = 20;
const LAUNCH_PAUSE: Duration = Duration::from_millis(250);

async fn run(mut command: Command, what: &str) -> anyhow::Result<()> {
    let output = command.output().await.with_context(|| format!("{what} cannot be run"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    ensure!(!said.contains(NO_SPACE), "{what}: the disk is full; free some space and start again");
    bail!("{what} failed ({}):\n{}", output.status, said.trim());
}

const NO_SPACE: &str = "No space left on device";

/// The end of what the server has logged since `start`.
fn tail(log: &Path, start: u64) -> String {
    let text = fs::read(log).unwrap_or_default();
    let new = text.get(usize::try_from(start).unwrap_or(0)..).unwrap_or_default();
    let new = String::from_utf8_lossy(new);
    let lines: Vec<_> = new.lines().collect();
    let full = if new.contains(NO_SPACE) { "the disk is full\n" } else { "" };
    format!("{full}{}", lines[lines.len().saturating_sub(10)..].join("\n"))
}
