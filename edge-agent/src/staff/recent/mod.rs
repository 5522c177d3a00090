//! What happened lately, in memory and bounded: the journal gives entries away once the cloud has them, and nobody who
//! looks at a page may disturb its writer.

mod faults;
mod kept;
mod machines;
mod occupancy;
mod taps;

pub use faults::Fault;
pub use machines::{Said, Track};
pub use occupancy::SLOT_MS;
pub use taps::TapSeen;

use super::app::Staff;
use crate::journal::{Committed, Item, What};
use anyhow::{Result, bail};
use faults::Faults;
use kept::Kept;
use machines::{Machines, Report};
use occupancy::Occupancy;
use protocol::ids::DeviceId;
use protocol::sync::entry::{Body, Event};
use protocol::sync::staff::{Act, StaffAct};
use protocol::time::Stamp;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use taps::Taps;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The file is not written for every tap: the journal has what is newer, until the cloud has it too. Batches go up every
/// 30 s, so a kill costs the page what was told in the last of them at most.
const KEEP_EVERY: Duration = Duration::from_secs(30);

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

    fn restore(&self, kept: Kept, events: &[Event]) {
        let mut inner = self.lock();
        kept.restore(&mut inner);
        for event in events {
            inner.happened(event.source.device(), event.stamp, &event.body);
        }
        drop(inner);
        self.taps_seen.send_modify(|count| *count += 1);
    }

    fn kept(&self) -> Result<Vec<u8>> {
        Kept::of(&self.lock()).encode()
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
        match &item.what {
            What::Telemetry(samples) => {
                if let Some(machine) = device {
                    self.machines.measured(machine, item.stamp, samples);
                }
            }
            What::Event(body) => self.happened(device, item.stamp, body),
            What::FanOut => {}
        }
    }

    fn happened(&mut self, device: Option<DeviceId>, stamp: Stamp, body: &Body) {
        match (body, device) {
            (Body::Tap(tap), _) => self.taps.presented(tap),
            (Body::Decision(decision), _) => self.taps.decided(decision, stamp),
            (Body::Maintenance(said), Some(machine)) => {
                self.machines.reported(machine, stamp, said);
            }
            (Body::StaffAct(act), _) => self.written(act, stamp),
            (Body::Reject(reject), _) => self.faults.rejected(device, stamp, reject),
            (Body::Gap(gap), _) => self.faults.gap(stamp, gap),
            (Body::Notice(notice), _) => self.faults.notice(stamp, notice),
            _ => {}
        }
    }
}

impl Inner {
    /// Staff wrote something down about a machine.
    fn written(&mut self, act: &StaffAct, stamp: Stamp) {
        let (Act::Maintenance { machine }, Some(note)) = (&act.act, &act.reason) else { return };
        let (by, message) = (act.name.clone(), note.clone());
        self.machines.said(*machine, Report { stamp, said: Said::Note, by, message });
    }
}

/// Follows the journal and the floor until `stop`. What was known before the start comes first.
pub async fn follow(
    staff: Staff,
    committed: broadcast::Receiver<Arc<Committed>>,
    stop: CancellationToken,
) -> Result<()> {
    let path = staff.watched.journal.path();
    let known = path.clone();
    let (kept, events) = tokio::task::spawn_blocking(move || kept::read(&known)).await?;
    staff.recent.restore(kept, &events);
    let end = tokio::select! {
        () = stop.cancelled() => Ok(()),
        end = news(&staff, committed) => end,
        end = dismissals(&staff) => end,
        end = keep(&staff, &path) => end,
    };
    kept::write(&path, &staff.recent.kept()?);
    end
}

async fn news(staff: &Staff, mut committed: broadcast::Receiver<Arc<Committed>>) -> Result<()> {
    let mut floor = staff.floor.watch();
    loop {
        let next = tokio::select! {
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

/// Whoever the cloud has switched off is signed out as soon as the branch knows it.
async fn dismissals(staff: &Staff) -> Result<()> {
    let mut changed = staff.watched.registry.changed();
    loop {
        changed.changed().await?;
        if let Err(error) = staff.accounts.sign_out_dismissed().await {
            tracing::error!(?error, "who was switched off in the cloud may still be signed in");
        }
    }
}

/// Writes what is known now and then, if it is something new.
async fn keep(staff: &Staff, path: &Path) -> Result<()> {
    let mut written = Vec::new();
    loop {
        tokio::time::sleep(KEEP_EVERY).await;
        let bytes = staff.recent.kept()?;
        if bytes != written {
            let (path, content) = (path.to_owned(), bytes.clone());
            tokio::task::spawn_blocking(move || kept::write(&path, &content)).await?;
            written = bytes;
        }
    }
}
