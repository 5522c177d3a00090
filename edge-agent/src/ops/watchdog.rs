//! Tells systemd that the agent works: not a timer, but the journal's writer going round.

use crate::journal::Journal;
use anyhow::Result;
use sd_notify::NotifyState;
use tokio_util::sync::CancellationToken;

/// Without systemd this says nothing to nobody.
pub fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "no service manager was told");
    }
}

/// Passes the writer's signs of life on until `stop`. If they stay away, systemd starts the agent again.
pub async fn run(journal: Journal, stop: CancellationToken) -> Result<()> {
    if sd_notify::watchdog_enabled().is_none() {
        stop.cancelled().await;
        return Ok(());
    }
    // The writer publishes its figures every second that it goes round.
    let mut rounds = journal.stats();
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            round = rounds.changed() => {
                round?;
                notify(&[NotifyState::Watchdog]);
            }
        }
    }
}
