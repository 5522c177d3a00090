//! The demo, in short: nothing missing, nothing doubled, and everything is stopped. And what it says where it cannot run.

use anyhow::{Context as _, Result};
use std::process::{Command, Output};
use std::time::Duration;
use tests::demo::{self, Options};
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn the_demo_counts_everything_once_over_an_outage() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let options = Options {
        folder: folder.path().to_owned(),
        duration: Duration::from_secs(9),
        keep: false,
        free_ports: true,
    };

    let report = demo::run(options, CancellationToken::new()).await?;

    report.judge()?;
    let hardware = report.hardware();
    let decided = |reason: &str| hardware.decisions.get(reason).copied().unwrap_or(0);
    assert!(hardware.openings > 0 && decided("granted") > 0, "{hardware:?}");
    assert!(decided("unknown_card") > 0, "{hardware:?}");
    // A stranger, a card, a card that proves itself and a phone; a code comes between them.
    assert!(hardware.taps_of_cards >= 4, "{hardware:?}");
    assert!(report.lending().links() > 0, "{report}");
    assert!(!hardware.of_consoles.is_empty() && !hardware.of_board.is_empty(), "{hardware:?}");
    Ok(())
}

/// Runs it in an empty folder, after a preparation that only this run sees.
fn demo_after(prepare: &str) -> Result<Output> {
    let folder = tempfile::tempdir()?;
    let script = format!(
        "cd '{0}' && {prepare} && cd '{0}' && exec '{1}'",
        folder.path().display(),
        env!("CARGO_BIN_EXE_demo")
    );
    Command::new("unshare")
        .args(["--mount", "--map-root-user", "sh", "-c", &script])
        .env("RUST_BACKTRACE", "0")
        .output()
        .context("unshare, of util-linux, gives the demo a computer of its own")
}

#[test]
fn without_postgres_the_demo_says_what_to_install() -> Result<()> {
    let output =
        demo_after("mount -t tmpfs tmpfs /usr/lib/postgresql && export PATH=/usr/bin:/bin")?;

    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("no Postgres server is installed"), "{said}");
    assert!(said.contains("apt-get install postgresql"), "{said}");
    Ok(())
}

#[test]
fn on_a_full_disk_the_demo_says_how_much_it_needs() -> Result<()> {
    let output = demo_after("mount -t tmpfs -o size=64m tmpfs .")?;

    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("the disk is full: 64 MB are free"), "{said}");
    assert!(said.contains("the demo needs 512 MB"), "{said}");
    Ok(())
}
