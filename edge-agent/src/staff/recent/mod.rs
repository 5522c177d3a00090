//! What happened lately, in memory and bounded: the journal gives entries away once the cloud has them, and nobody who
//! looks at a page may disturb its writer.

mod taps;

pub use taps::TapSeen;

use super::app::Staff;
use crate::journal::{Committed, What};
use anyhow::{Result, bail};
use protocol::sync::entry::Body;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use taps::Taps;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// What happened lately.
#[derive(Default)]
pub struct Recent {
    inner: Mutex<Inner>,
    taps_seen: watch::Sender<u64>,
}

#[derive(Default)]
struct Inner {
    taps: Taps,
}

impl Recent {
    /// Takes in what was committed.
    pub fn take_in(&self, committed: &Committed) {
        let mut taps = 0;
        let mut inner = self.lock();
        for item in &committed.items {
            match &item.what {
                What::Event(Body::Tap(tap)) => inner.taps.presented(tap),
                What::Event(Body::Decision(decision)) => {
                    inner.taps.decided(decision, item.stamp);
                    taps += 1;
                }
                _ => {}
            }
        }
        drop(inner);
        if taps > 0 {
            self.taps_seen.send_modify(|count| *count += taps);
        }
    }

    /// The last taps, newest first.
    pub fn taps(&self, count: usize) -> Vec<TapSeen> {
        self.lock().taps.newest(count)
    }

    /// Counts up with every tap.
    pub fn taps_seen(&self) -> watch::Receiver<u64> {
        self.taps_seen.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Follows the journal until `stop`.
pub async fn follow(
    staff: Staff,
    mut committed: broadcast::Receiver<Arc<Committed>>,
    stop: CancellationToken,
) -> Result<()> {
    loop {
        let next = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            next = committed.recv() => next,
        };
        match next {
            Ok(commit) => staff.recent.take_in(&commit),
            Err(RecvError::Lagged(commits)) => {
                tracing::warn!(commits, "the staff page misses what was committed");
            }
            Err(RecvError::Closed) => bail!("the journal has ended"),
        }
    }
}
