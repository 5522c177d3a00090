//! What happened lately, in memory and bounded: the journal gives entries away once the cloud has them, and nobody who
//! looks at a page may disturb its writer.

mod faults;
mod machines;
mod occupancy;
mod taps;

pub use faults::Fault;
pub use machines::Track;
pub use occupancy::SLOT_MS;
pub use taps::TapSeen;

use super::app::Staff;
use crate::journal::{Committed, Item, What};
use anyhow::{Result, bail};
use faults::Faults;
use machines::Machines;
use occupancy::Occupancy;
use protocol::ids::DeviceId;
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
    machines: Machines,
    faults: Faults,
    occupancy: Occupancy,
}

impl Recent {
    /// Takes in what was committed.
    pub fn take_in(&self, committed: &Committed) {
        let mut taps = 0;
        let mut inner = self.lock();
        for item in &committed.items {
            inner.take_in(item);
            taps += u64::from(matches!(item.what, What::Event(Body::Decision(_))));
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

    /// A machine's last minutes.
    pub fn track(&self, machine: DeviceId) -> Track {
        self.lock().machines.of(machine)
    }

    /// The last values of machines since a moment (monotonic), for small lines.
    pub fn lines(&self, machines: &[DeviceId], count: usize, since_ms: u64) -> Vec<Vec<f64>> {
        let inner = self.lock();
        machines.iter().map(|id| inner.machines.values(*id, count, since_ms)).collect()
    }

    /// What went wrong lately, newest first.
    pub fn faults(&self) -> Vec<Fault> {
        self.lock().faults.newest()
    }

    /// How many were inside, by ten minutes.
    pub fn occupancy(&self, from_ms: i64, until_ms: i64) -> Vec<(i64, usize)> {
        self.lock().occupancy.between(from_ms, until_ms)
    }

    /// So many are inside now.
    pub fn counted(&self, now_ms: i64, people: usize) {
        self.lock().occupancy.counted(now_ms, people);
    }

    /// Counts up with every tap.
    pub fn taps_seen(&self) -> watch::Receiver<u64> {
        self.taps_seen.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn take_in(&mut self, item: &Item) {
        let device = item.source.device();
        let body = match &item.what {
            What::Telemetry(samples) => {
                if let Some(machine) = device {
                    self.machines.measured(machine, item.stamp, samples);
                }
                return;
            }
            What::Event(body) => body,
            What::FanOut => return,
        };
        match (body, device) {
            (Body::Tap(tap), _) => self.taps.presented(tap),
            (Body::Decision(decision), _) => self.taps.decided(decision, item.stamp),
            (Body::Maintenance(said), Some(machine)) => {
                self.machines.reported(machine, item.stamp, said);
            }
            (Body::Reject(reject), _) => self.faults.rejected(device, item.stamp, reject),
            (Body::Gap(gap), _) => self.faults.gap(item.stamp, gap),
            (Body::Notice(notice), _) => self.faults.notice(item.stamp, notice),
            _ => {}
        }
    }
}

/// Follows the journal and the floor until `stop`.
pub async fn follow(
    staff: Staff,
    mut committed: broadcast::Receiver<Arc<Committed>>,
    stop: CancellationToken,
) -> Result<()> {
    let mut floor = staff.floor.watch();
    loop {
        let next = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            changed = floor.changed() => {
                changed?;
                let view = Arc::clone(&floor.borrow_and_update());
                staff.recent.counted(staff.watched.clock.wall_ms(), view.occupancy());
                continue;
            }
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
