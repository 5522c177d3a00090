//! A journal on a disk that is really full: a small memory disk of its own.

use anyhow::{Context as _, Result, ensure};
use std::process::Command;

#[test]
fn a_full_disk_costs_telemetry_and_no_tap() -> Result<()> {
    let folder = tempfile::tempdir()?;
    // In a mount namespace of its own, so nobody else sees the disk and nothing is left behind.
    let script = format!(
        "mount -t tmpfs -o size=64m tmpfs '{0}' && exec '{1}' '{0}'",
        folder.path().display(),
        env!("CARGO_BIN_EXE_small-disk-writer")
    );

    let output = Command::new("unshare")
        .args(["--mount", "--map-root-user", "sh", "-c", &script])
        .output()
        .context("unshare, of util-linux, gives the test a disk of its own")?;

    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{error}");
    Ok(())
}
