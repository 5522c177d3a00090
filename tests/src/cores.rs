//! Which processors a process may run on, by `taskset`, so that a service and who measures it do not share one.

use anyhow::{Result, ensure};
use std::num::NonZero;
use std::process::Stdio;
use std::thread::available_parallelism;
use tokio::process::Command;

/// Where the measured service runs.
pub const FIRST: usize = 0;

/// Where everything else runs: the last core, which is the first one where there is only one.
pub fn last() -> usize {
    available_parallelism().map_or(1, NonZero::get) - 1
}

/// All of them, as `taskset` names them.
pub fn all() -> String {
    format!("0-{}", last())
}

/// Lets all threads of a process, and what they start from now on, run only there.
pub async fn bind(pid: u32, cores: &str) -> Result<()> {
    let mut command = Command::new("taskset");
    command.args(["--all-tasks", "--cpu-list", "--pid", cores, &pid.to_string()]);
    let status = command.stdout(Stdio::null()).status().await?;
    ensure!(status.success(), "taskset cannot bind {pid} to {cores}");
    Ok(())
}
