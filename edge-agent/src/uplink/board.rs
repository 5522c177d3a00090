//! The present state of every device, conflated: only the last of each is kept until it is sent.

use crate::journal::{Committed, Item, Position, What};
use protocol::ids::DeviceId;
use protocol::machine::Sample;
use protocol::sync::entry::{Body, DeviceState, DeviceStatus};
use protocol::sync::state::{LiveDevice, LiveSample};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Handle to the board; clones share it.
#[derive(Debug, Clone)]
pub struct Board(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    inner: Mutex<Inner>,
    changed: Notify,
}

#[derive(Debug)]
struct Inner {
    devices: HashMap<DeviceId, LiveDevice>,
    changed: HashSet<DeviceId>,
    as_of: Position,
}

impl Board {
    /// An empty board over a journal that was just opened.
    pub fn new(epoch: u64) -> Self {
        let as_of = Position { epoch, seq: 0 };
        let inner = Inner { devices: HashMap::new(), changed: HashSet::new(), as_of };
        Self(Arc::new(Shared { inner: Mutex::new(inner), changed: Notify::new() }))
    }

    /// Takes in what was committed.
    pub fn take_in(&self, committed: &Committed) {
        let mut inner = self.lock();
        inner.as_of = committed.position;
        for item in &committed.items {
            inner.take_in(item);
        }
        let is_changed = !inner.changed.is_empty();
        drop(inner);
        if is_changed {
            self.0.changed.notify_one();
        }
    }

    /// Takes in what a device said before the agent's start.
    pub fn remember(&self, device: DeviceId, status: &DeviceStatus) {
        self.lock().status(device, status);
    }

    /// Until something changed since the last [`changes`](Self::changes).
    pub async fn changed(&self) {
        self.0.changed.notified().await;
    }

    /// Every device.
    pub fn all(&self) -> (Position, Vec<LiveDevice>) {
        let mut inner = self.lock();
        inner.changed.clear();
        (inner.as_of, inner.devices.values().cloned().collect())
    }

    /// The devices that changed since this was last asked.
    pub fn changes(&self) -> (Position, Vec<LiveDevice>) {
        let mut inner = self.lock();
        let changed = std::mem::take(&mut inner.changed);
        let devices = changed.iter().filter_map(|id| inner.devices.get(id).cloned());
        (inner.as_of, devices.collect())
    }

    /// How many devices are in use or ready.
    pub fn online(&self) -> usize {
        let is_online = |device: &&LiveDevice| device.state != DeviceState::Offline;
        self.lock().devices.values().filter(is_online).count()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn take_in(&mut self, item: &Item) {
        let Some(device) = item.source.device() else { return };
        match &item.what {
            What::Telemetry(samples) => {
                if let Some(sample) = samples.last() {
                    self.sample(device, item.stamp.mono_ms, sample);
                }
            }
            What::Event(Body::Status(status)) => self.status(device, status),
            _ => {}
        }
    }

    fn sample(&mut self, device: DeviceId, mono_ms: u64, sample: &Sample) {
        let entry = self.entry(device);
        entry.sample = Some(LiveSample::new(mono_ms, &sample.fields));
        // What sends samples is there, whatever its last will said.
        if entry.state == DeviceState::Offline {
            entry.state = DeviceState::InUse;
        }
        self.changed.insert(device);
    }

    fn status(&mut self, device: DeviceId, status: &DeviceStatus) {
        let entry = self.entry(device);
        entry.state = status.state;
        entry.error.clone_from(&status.error);
        self.changed.insert(device);
    }

    fn entry(&mut self, device: DeviceId) -> &mut LiveDevice {
        self.devices.entry(device).or_insert(LiveDevice {
            device,
            state: DeviceState::Offline,
            error: None,
            sample: None,
        })
    }
}
