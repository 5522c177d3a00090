//! One program of the workspace as a real process: started, killed, stopped, measured, by its pid and nothing else.

use crate::wait;
use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

/// How long a program may take to stop when asked.
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// Linux counts processor time in this unit (`USER_HZ`) towards programs.
const TICKS_PER_S: u64 = 100;

/// A program has ended, so that waiting for what it does is in vain.
#[derive(Debug, Clone)]
pub struct Ended(String);

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Ended {}

/// A running program. It is killed when this value goes away.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program of the workspace with its output in `log` (appended).
    pub fn start<A, S>(
        program: &str,
        arguments: A,
        env: &[(&str, String)],
        log: &Path,
    ) -> Result<Self>
    where
        A: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        Self::start_other(&binary(program)?, arguments, env, log)
    }

    /// Starts any program with its output in `log` (appended).
    pub fn start_other<A, S>(
        program: &Path,
        arguments: A,
        env: &[(&str, String)],
        log: &Path,
    ) -> Result<Self>
    where
        A: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let output = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("cannot write the log {}", log.display()))?;
        let name =
            program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
        // In a group of its own, Ctrl-C reaches only us, who stop everything in order. And should we be killed, the
        // kernel kills it.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .arg(program)
            .args(arguments)
            .process_group(0)
            .envs(env.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        Ok(Self { name, child, log: log.to_owned() })
    }

    /// Its process id.
    pub fn pid(&self) -> Result<u32> {
        self.child.id().with_context(|| format!("{} has ended", self.name))
    }

    /// `kill -9`; returns when it is gone.
    pub async fn kill(&mut self) -> Result<()> {
        self.child.kill().await.with_context(|| format!("cannot kill {}", self.name))
    }

    /// SIGTERM; fails unless it ends with status 0 in time.
    pub async fn stop(&mut self) -> Result<()> {
        self.signal(Signal::TERM)?;
        let status = tokio::time::timeout(STOP_LIMIT, self.child.wait())
            .await
            .with_context(|| format!("{} does not stop; its log: {}", self.name, self.tail()))??;
        ensure!(status.success(), "{} ended with {status}; its log: {}", self.name, self.tail());
        Ok(())
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = i32::try_from(self.pid()?)?;
        kill_process(Pid::from_raw(pid).context("a pid is not 0")?, signal)?;
        Ok(())
    }

    /// Lets it hang (SIGSTOP) until [`Process::resume`].
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on after [`Process::pause`].
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// Fails with the end of its log if it is not running any more.
    pub fn ensure_alive(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => {
                Err(Ended(format!("{} ended with {status}; its log: {}", self.name, self.tail()))
                    .into())
            }
        }
    }

    /// Waits until it ends by itself, and gives its exit status.
    pub async fn ended(&mut self, limit: Duration) -> Result<std::process::ExitStatus> {
        Ok(tokio::time::timeout(limit, self.child.wait())
            .await
            .with_context(|| format!("{} still runs after {limit:?}", self.name))??)
    }

    /// Waits for a file that the program writes when it is ready, and gives its text.
    pub async fn file(&mut self, path: &Path, limit: Duration) -> Result<String> {
        wait::until(&format!("{} wrote {}", self.name, path.display()), limit, || {
            let alive = self.ensure_alive();
            async move {
                alive?;
                Ok(fs::read_to_string(path).ok().filter(|text| !text.is_empty()))
            }
        })
        .await
    }

    /// Where its output goes.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Resident memory in bytes (`VmRSS`).
    pub fn rss_bytes(&self) -> Result<u64> {
        status_kib(self.pid()?, "VmRSS:")
    }

    /// Peak of the resident memory in bytes (`VmHWM`).
    pub fn peak_rss_bytes(&self) -> Result<u64> {
        status_kib(self.pid()?, "VmHWM:")
    }

    /// Time it has used on processors so far, in steps of 10 ms.
    pub fn cpu_time(&self) -> Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid()?))?;
        // The name, in parentheses, may hold anything; the rest is numbers. In user and in kernel mode:
        let (_, rest) = stat.rsplit_once(") ").context("/proc/PID/stat has no name")?;
        let ticks: Vec<u64> = rest.split(' ').skip(11).take(2).flat_map(str::parse).collect();
        Ok(Duration::from_millis(ticks.iter().sum::<u64>() * 1_000 / TICKS_PER_S))
    }

    /// Bytes it caused to be written to disk so far (`write_bytes` of `/proc/PID/io`).
    pub fn written_bytes(&self) -> Result<u64> {
        let io = fs::read_to_string(format!("/proc/{}/io", self.pid()?))?;
        let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
        Ok(line.context("/proc/PID/io has no write_bytes")?.parse()?)
    }

    /// The last lines of its output.
    pub fn tail(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }
}

/// A command that runs a program of the workspace.
pub fn command(program: &str) -> Result<Command> {
    Ok(Command::new(binary(program)?))
}

/// Runs a program of the workspace to its end and gives what it printed.
pub async fn output<A, S>(program: &str, arguments: A, env: &[(&str, String)]) -> Result<String>
where
    A: IntoIterator<Item = S>,
    S: AsRef<OsStr>,
{
    let mut command = command(program)?;
    command.args(arguments).envs(env.iter().map(|(key, value)| (key, value)));
    let output = command.stdin(Stdio::null()).output().await?;
    ensure!(
        output.status.success(),
        "{:?} ended with {}: {}",
        command.as_std(),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}

/// Where a program of the workspace was built: beside this one.
pub fn binary(program: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own.parent().context("a program lies in a folder")?;
    // Tests lie one folder deeper than programs.
    let folder = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    let path = folder.join(program);
    ensure!(
        path.exists(),
        "{} is not built; type: cargo build --workspace --all-features --all-targets",
        path.display()
    );
    Ok(path)
}

/// A value of `/proc/PID/status` in bytes.
fn status_kib(pid: u32, key: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(key)).context("no such line")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib * 1024)
}
