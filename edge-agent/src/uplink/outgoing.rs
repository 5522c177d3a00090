//! When a batch is due: events go up at once, samples when there are many of them or after a while.

use crate::journal::{Committed, What};
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

impl Outgoing {
    pub(super) fn new(interval: Duration) -> Self {
        Self { samples: AtomicU64::new(0), event: Notify::new(), enough: Notify::new(), interval }
    }

    pub(super) fn note(&self, committed: &Committed) {
        for item in &committed.items {
            match &item.what {
                What::Event(_) => self.event.notify_one(),
                What::FanOut => {}
                What::Telemetry(samples) => {
                    let count = samples.len() as u64;
                    if self.samples.fetch_add(count, Relaxed) + count >= ENOUGH_SAMPLES {
                        self.enough.notify_one();
                    }
                }
            }
        }
    }

    /// Until a batch is due.
    pub(super) async fn due(&self) {
        let latest = Instant::now() + self.interval;
        tokio::select! {
            () = self.event.notified() => sleep(TOGETHER).await,
            () = self.enough.notified() => {}
            () = sleep_until(latest) => {}
        }
        self.samples.store(0, Relaxed);
    }
}
