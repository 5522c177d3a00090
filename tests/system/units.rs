//! The units of systemd: how much a service could do that is taken over.

use anyhow::{Context as _, Result, ensure};
use std::path::Path;
use std::process::Command;

/// Of 100; systemd calls up to 20 "OK".
const MOST_EXPOSURE: &str = "15";

#[test]
fn no_service_may_do_more_than_it_must() -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../systemd");
    let files = std::fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    let mut services: Vec<_> = files.into_iter().map(|file| file.path()).collect();
    services.retain(|file| file.extension().is_some_and(|extension| extension == "service"));

    assert!(services.len() >= 4, "{services:?}");
    for service in services {
        let output = Command::new("systemd-analyze")
            .args(["security", "--offline=true", "--no-pager", "--threshold", MOST_EXPOSURE])
            .arg(&service)
            .output()
            .context("systemd-analyze, of systemd, judges the units")?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "{} is exposed: {said}", service.display());
    }
    Ok(())
}
