//! The agent ends so that systemd starts it again, perhaps as another release.

use anyhow::Result;
use tokio_util::sync::CancellationToken;

/// Whoever holds it can order the end; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Restart(CancellationToken);

/// Why the agent ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a restart was ordered")]
pub struct Ordered;

/// Exit status of an agent that wants to be started again (`EX_TEMPFAIL`).
pub const EXIT_CODE: u8 = 75;

impl Restart {
    /// Ends the agent.
    pub fn order(&self) {
        self.0.cancel();
    }

    /// Fails when the end is ordered.
    pub async fn run(self, stop: CancellationToken) -> Result<()> {
        tokio::select! {
            () = stop.cancelled() => Ok(()),
            () = self.0.cancelled() => Err(Ordered.into()),
        }
    }
}
