//! The demo, in short: nothing missing, nothing doubled, and everything is stopped.

use anyhow::Result;
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

    report.judge()
}
