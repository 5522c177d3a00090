//! Members who show their phone to the scanner at the door.

use super::tally::Tally;
use crate::gym;
use crate::seed::Seed;
use anyhow::{Context as _, Result};
use firmware_bridge::emulators::scanner::Scanner;
use std::time::Duration;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Somebody comes every 0.4 to 2.5 s until the gym closes; that is a busy evening.
pub async fn come(
    scanner: &Scanner,
    mut seed: Seed,
    tally: &Tally,
    closed: &CancellationToken,
) -> Result<()> {
    loop {
        let pause = Duration::from_millis(seed.between(400, 2_500));
        tokio::select! {
            () = closed.cancelled() => return Ok(()),
            () = sleep(pause) => {}
        }
        let code = gym::qr_code(&mut seed);
        tally.presented(code.clone());
        scanner.scan(&code).await.context("the scanner is gone")?;
    }
}
