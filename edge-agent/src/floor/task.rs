//! Keeps the picture of the floor fresh, and lets the time pass there.

use super::handle::Floor;
use super::view::FloorView;
use anyhow::{Result, bail};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;

/// What falls due happens that exactly.
const PASS: Duration = Duration::from_secs(1);
/// A picture is shown for at least this long.
const FRAME: Duration = Duration::from_millis(100);

impl Floor {
    /// Runs until `stop`.
    pub async fn run(self, stop: CancellationToken) -> Result<()> {
        let mut committed = self.0.journal.events();
        let mut pictures = self.0.pictures.clone();
        let mut pass = interval(PASS);
        pass.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut is_old, mut next_frame) = (true, Instant::now());
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                _ = pass.tick() => {
                    if self.0.journal.let_time_pass().await.is_err() {
                        bail!("the journal has ended");
                    }
                    is_old = true;
                }
                commit = committed.recv() => match commit {
                    Ok(commit) => {
                        self.0.orders.take_in(&commit.items);
                        is_old = true;
                    }
                    // Orders whose answers are missed are answered with "no answer".
                    Err(RecvError::Lagged(_)) => is_old = true,
                    Err(RecvError::Closed) => bail!("the journal has ended"),
                },
                () = sleep_until(next_frame), if is_old => {
                    let picture = Arc::clone(&pictures.borrow_and_update());
                    let view = FloorView::of(&self.0, &picture);
                    measure(&view);
                    self.0.view.send_replace(Arc::new(view));
                    (is_old, next_frame) = (false, Instant::now() + FRAME);
                }
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a few hundred")]
fn measure(view: &FloorView) {
    metrics::gauge!("gymwire_floor_sessions").set(view.sessions.len() as f64);
    let lent = view.machines.iter().filter(|machine| machine.link.is_some()).count();
    metrics::gauge!("gymwire_floor_links").set(lent as f64);
}
