//! Tells systemd that the agent works. No timer says so: the journal's writer and the loops that accept connections
//! must have gone round, and this task of the runtime with them.

use super::pulse::Pulses;
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

/// Passes the signs of life of the writer and of `loops` on until `stop`. If those of one stay away, systemd starts
/// the agent again.
pub async fn run(journal: Journal, mut loops: Pulses, stop: CancellationToken) -> Result<()> {
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
                if loops.all_beat() {
                    notify(&[NotifyState::Watchdog]);
                }
            }
        }
    }
}
