//! When something is due: urgent events go up at once, a batch when there are many samples or after a while.

use crate::journal::{Committed, What};
use protocol::sync::entry::Body;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

/// What was committed since the last batch.
#[derive(Debug)]
pub(super) struct Outgoing {
    samples: AtomicU64,
    event: Notify,
    enough: Notify,
    interval: Duration,
}

/// About 256 KiB of packed samples.
const ENOUGH_SAMPLES: u64 = 16_384;
/// Events that come together travel together.
const TOGETHER: Duration = Duration::from_millis(150);

/// What has to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// Urgent events; the rest may wait.
    Events,
    /// All there is.
    Everything,
}

/// Whether somebody may wait for it. What a device does now is told by the live lane, and gaps and rejects stand
/// for what is late or useless anyway.
pub(super) fn is_urgent(body: &Body) -> bool {
    !matches!(body, Body::Status(_) | Body::Gap(_) | Body::Reject(_))
}

impl Outgoing {
    pub(super) fn new(interval: Duration) -> Self {
        Self { samples: AtomicU64::new(0), event: Notify::new(), enough: Notify::new(), interval }
    }

    pub(super) fn note(&self, committed: &Committed) {
        for item in &committed.items {
            match &item.what {
                // With no samples around it, nothing is gained by waiting.
                What::Event(body) if is_urgent(body) || self.samples.load(Relaxed) == 0 => {
                    self.event.notify_one();
                }
                What::Event(_) | What::FanOut => {}
                What::Telemetry(samples) => {
                    let count = samples.len() as u64;
                    if self.samples.fetch_add(count, Relaxed) + count >= ENOUGH_SAMPLES {
                        self.enough.notify_one();
                    }
                }
            }
        }
    }

    /// When everything is due at the latest, if a batch was sent just now.
    pub(super) fn latest(&self) -> Instant {
        Instant::now() + self.interval
    }

    /// Until something is due; at `latest`, everything is.
    pub(super) async fn due(&self, latest: Instant) -> Due {
        tokio::select! {
            () = self.event.notified(), if Instant::now() < latest => {
                sleep(TOGETHER).await;
                return Due::Events;
            }
            () = self.enough.notified() => {}
            () = sleep_until(latest) => {}
        }
        self.samples.store(0, Relaxed);
        Due::Everything
    }
}
