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
/// A picture is shown for at least this long, if only measurements have changed.
const FRAME: Duration = Duration::from_millis(100);
/// And this long otherwise: somebody may wait for it, but a rush at the door is not drawn tap by tap.
const QUICK_FRAME: Duration = Duration::from_millis(20);

/// When the next picture is due.
struct Easel {
    drawn: Instant,
    due: Option<Instant>,
}

impl Easel {
    /// Something changed that may wait until the last picture was shown so long.
    fn wants(&mut self, frame: Duration) {
        let at = self.drawn + frame;
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }
}

impl Floor {
    /// Runs until `stop`.
    pub async fn run(self, stop: CancellationToken) -> Result<()> {
        let mut committed = self.0.journal.events();
        let (mut pictures, mut pressed) = (self.0.pictures.clone(), self.0.board.pressed());
        let mut pass = interval(PASS);
        pass.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let now = Instant::now();
        let mut easel = Easel { drawn: now, due: Some(now) };
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                _ = pass.tick() => {
                    if self.0.journal.let_time_pass().await.is_err() {
                        bail!("the journal has ended");
                    }
                    easel.wants(FRAME);
                }
                commit = committed.recv() => match commit {
                    Ok(commit) => {
                        self.0.orders.take_in(&commit.items);
                        easel.wants(FRAME);
                    }
                    // Orders whose answers are missed are answered with "no answer".
                    Err(RecvError::Lagged(_)) => easel.wants(FRAME),
                    Err(RecvError::Closed) => bail!("the journal has ended"),
                },
                // Both may be told of a commit later than we are.
                changed = pictures.changed() => {
                    changed?;
                    easel.wants(QUICK_FRAME);
                }
                changed = pressed.changed() => {
                    changed?;
                    easel.wants(QUICK_FRAME);
                }
                () = sleep_until(easel.due.unwrap_or(easel.drawn)), if easel.due.is_some() => {
                    let picture = Arc::clone(&pictures.borrow_and_update());
                    let view = FloorView::of(&self.0, &picture);
                    measure(&view);
                    self.0.view.send_replace(Arc::new(view));
                    easel = Easel { drawn: Instant::now(), due: None };
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
