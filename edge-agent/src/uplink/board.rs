//! The present state of every device, conflated: only the last of each is kept until it is sent.

use crate::journal::{Committed, Item, Position, What};
use protocol::ids::DeviceId;
use protocol::machine::Sample;
use protocol::sync::entry::{Body, DeviceState, DeviceStatus};
use protocol::sync::state::{LiveDevice, LiveSample};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

/// Handle to the board; clones share it.
#[derive(Debug, Clone)]
pub struct Board(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    inner: Mutex<Inner>,
    changed: Notify,
    /// Counts up when something did more than to measure.
    pressed: watch::Sender<u64>,
}

#[derive(Debug)]
struct Inner {
    devices: HashMap<DeviceId, LiveDevice>,
    changed: HashSet<DeviceId>,
    /// Those of them with more than samples.
    pressing: HashSet<DeviceId>,
    /// Known from before the agent's start only.
    unheard: HashSet<DeviceId>,
    /// Devices whose samples do not wait.
    followed: HashSet<DeviceId>,
    as_of: Position,
    presses: u64,
}

impl Board {
    /// An empty board over a journal that was just opened.
    pub fn new(epoch: u64) -> Self {
        let as_of = Position { epoch, seq: 0 };
        let inner = Inner {
            devices: HashMap::new(),
            changed: HashSet::new(),
            pressing: HashSet::new(),
            unheard: HashSet::new(),
            followed: HashSet::new(),
            as_of,
            presses: 0,
        };
        let (inner, changed, pressed) =
            (Mutex::new(inner), Notify::new(), watch::Sender::default());
        Self(Arc::new(Shared { inner, changed, pressed }))
    }

    /// Takes in what was committed.
    pub fn take_in(&self, committed: &Committed) {
        let mut inner = self.lock();
        inner.as_of = committed.position;
        for item in &committed.items {
            inner.take_in(item);
        }
        let (is_changed, presses) = (!inner.changed.is_empty(), inner.presses);
        drop(inner);
        if is_changed {
            self.0.changed.notify_one();
        }
        self.tell(presses);
    }

    fn tell(&self, presses: u64) {
        self.0.pressed.send_if_modified(|told| std::mem::replace(told, presses) != presses);
    }

    /// Changes when something did more than to measure.
    pub fn pressed(&self) -> watch::Receiver<u64> {
        self.0.pressed.subscribe()
    }

    /// Takes in what a device said before the agent's start.
    pub fn remember(&self, device: DeviceId, status: &DeviceStatus) {
        let mut inner = self.lock();
        inner.status(device, status);
        inner.unheard.insert(device);
    }

    /// Devices that were there before the agent's start, were not heard since and are not connected have gone:
    /// nobody was here to publish their last will.
    pub fn doubt(&self, is_online: impl Fn(DeviceId) -> bool) {
        let mut inner = self.lock();
        let unheard = std::mem::take(&mut inner.unheard);
        for device in unheard.into_iter().filter(|device| !is_online(*device)) {
            inner.entry(device).state = DeviceState::Offline;
            inner.press(device);
        }
        let presses = inner.presses;
        drop(inner);
        self.0.changed.notify_one();
        self.tell(presses);
    }

    /// Until something changed since the last [`changes`](Self::changes). If it is only samples, they wait until
    /// `samples_from`.
    pub async fn changed(&self, samples_from: Instant) {
        loop {
            let (is_changed, is_pressing) = {
                let inner = self.lock();
                (!inner.changed.is_empty(), !inner.pressing.is_empty())
            };
            if is_pressing {
                return;
            }
            tokio::select! {
                () = self.0.changed.notified() => {}
                () = sleep_until(samples_from), if is_changed => return,
            }
        }
    }

    /// Every device, for whoever only looks.
    pub fn seen(&self) -> Vec<LiveDevice> {
        self.lock().devices.values().cloned().collect()
    }

    /// Every device.
    pub fn all(&self) -> (Position, Vec<LiveDevice>) {
        let mut inner = self.lock();
        inner.changed.clear();
        inner.pressing.clear();
        (inner.as_of, inner.devices.values().cloned().collect())
    }

    /// The devices that changed since this was last asked.
    pub fn changes(&self) -> (Position, Vec<LiveDevice>) {
        let mut inner = self.lock();
        inner.pressing.clear();
        let changed = std::mem::take(&mut inner.changed);
        (inner.as_of, inner.of(&changed))
    }

    /// Of these, the devices that did more than to measure something.
    pub fn pressing(&self) -> (Position, Vec<LiveDevice>) {
        let mut inner = self.lock();
        let pressing = std::mem::take(&mut inner.pressing);
        inner.changed.retain(|device| !pressing.contains(device));
        (inner.as_of, inner.of(&pressing))
    }

    /// Takes in a sample that is not on disk yet, if its machine is followed.
    pub fn glimpse(&self, device: DeviceId, mono_ms: u64, sample: &Sample) {
        let mut inner = self.lock();
        if inner.followed.contains(&device) {
            inner.sample(device, mono_ms, sample);
            inner.pressing.insert(device);
            drop(inner);
            self.0.changed.notify_one();
        }
    }

    /// From now on the samples of these devices do not wait for their time.
    pub fn follow(&self, devices: Vec<DeviceId>) {
        self.lock().followed = devices.into_iter().collect();
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
                // What is followed was seen before it came here.
                if let Some(sample) = samples.last()
                    && !self.followed.contains(&device)
                {
                    self.sample(device, item.stamp.mono_ms, sample);
                }
            }
            What::Event(Body::Status(status)) => self.status(device, status),
            _ => {}
        }
    }

    fn sample(&mut self, device: DeviceId, mono_ms: u64, sample: &Sample) {
        self.unheard.remove(&device);
        let entry = self.entry(device);
        entry.sample = Some(LiveSample::new(mono_ms, &sample.fields));
        // What sends samples is there, whatever its last will said.
        let is_back = entry.state == DeviceState::Offline;
        if is_back {
            entry.state = DeviceState::InUse;
            self.press(device);
        }
        self.changed.insert(device);
    }

    fn status(&mut self, device: DeviceId, status: &DeviceStatus) {
        self.unheard.remove(&device);
        let entry = self.entry(device);
        entry.state = status.state;
        entry.error.clone_from(&status.error);
        self.press(device);
    }

    fn press(&mut self, device: DeviceId) {
        self.presses += 1;
        self.pressing.insert(device);
        self.changed.insert(device);
    }

    fn of(&self, devices: &HashSet<DeviceId>) -> Vec<LiveDevice> {
        devices.iter().filter_map(|id| self.devices.get(id).cloned()).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::machine::{Field, Fields};
    use protocol::sync::entry::Source;
    use protocol::time::Stamp;
    use std::time::Duration;
    use tokio::time::sleep;
    use uuid::Uuid;

    const BIKE: DeviceId = DeviceId(Uuid::from_u128(1));
    const ROWER: DeviceId = DeviceId(Uuid::from_u128(2));

    fn status(state: DeviceState) -> DeviceStatus {
        DeviceStatus { state, firmware: None, uptime_ms: None, error: None }
    }

    fn committed(seq: u64, device: DeviceId, what: What) -> Committed {
        let stamp = Stamp { boot: 1, mono_ms: seq * 10, wall_ms: 0, synced: false };
        let item =
            Item { source: Source::Device(device), stamp, what, publish: None, answer: None };
        Committed { position: Position { epoch: 5, seq }, items: vec![item] }
    }

    fn sample(speed_mps: f64) -> What {
        let mut fields = Fields::default();
        fields.set(Field::SpeedMps, speed_mps);
        What::Telemetry(vec![Sample { fields, ..Sample::default() }])
    }

    #[test]
    fn only_the_last_word_of_each_device_is_told_and_once() {
        let board = Board::new(5);
        board.take_in(&committed(1, BIKE, sample(1.0)));
        board.take_in(&committed(2, BIKE, sample(2.0)));

        let (as_of, changes) = board.changes();

        assert_eq!(as_of, Position { epoch: 5, seq: 2 });
        assert_eq!(changes.len(), 1);
        let last = changes[0].sample.as_ref().unwrap();
        assert_eq!(last.fields().value(Field::SpeedMps), Some(2.0));
        assert_eq!(changes[0].state, DeviceState::InUse);
        assert!(board.changes().1.is_empty());
        assert_eq!(board.all().1.len(), 1);
    }

    #[test]
    fn who_draws_the_floor_is_called_for_more_than_a_measurement() {
        let board = Board::new(5);
        let mut pressed = board.pressed();

        board.take_in(&committed(1, BIKE, sample(1.0)));
        let is_back = pressed.has_changed().unwrap();
        pressed.mark_unchanged();
        board.take_in(&committed(2, BIKE, sample(2.0)));
        let measured = pressed.has_changed().unwrap();
        let idle = What::Event(Body::Status(status(DeviceState::Idle)));
        board.take_in(&committed(3, BIKE, idle));

        assert_eq!((is_back, measured, pressed.has_changed().unwrap()), (true, false, true));
    }

    #[tokio::test(start_paused = true)]
    async fn samples_alone_wait_for_their_time_and_a_state_waits_for_nothing() {
        let board = Board::new(5);
        board.take_in(&committed(1, BIKE, sample(1.0)));
        board.changes();
        let begun = Instant::now();
        let samples_from = begun + Duration::from_secs(1);

        board.take_in(&committed(2, BIKE, sample(2.0)));
        board.changed(samples_from).await;
        assert_eq!(Instant::now(), samples_from);
        board.changes();

        let tell = async {
            board.take_in(&committed(3, BIKE, sample(3.0)));
            sleep(Duration::from_millis(300)).await;
            let idle = What::Event(Body::Status(status(DeviceState::Idle)));
            board.take_in(&committed(4, BIKE, idle));
        };
        tokio::join!(board.changed(samples_from + Duration::from_secs(1)), tell);
        assert_eq!(samples_from.elapsed(), Duration::from_millis(300));
    }

    #[test]
    fn what_is_pressing_leaves_the_samples_of_others_for_later() {
        let board = Board::new(5);
        let used = What::Event(Body::Status(status(DeviceState::InUse)));
        board.take_in(&committed(1, BIKE, sample(1.0)));
        board.changes();
        board.take_in(&committed(2, BIKE, sample(2.0)));
        board.take_in(&committed(3, ROWER, used));

        let ids = |told: (Position, Vec<LiveDevice>)| -> Vec<_> {
            told.1.iter().map(|device| device.device).collect()
        };
        assert_eq!(ids(board.pressing()), [ROWER]);
        assert_eq!(ids(board.changes()), [BIKE]);
        assert!(ids(board.changes()).is_empty() && ids(board.pressing()).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_followed_waits_neither_for_its_time_nor_for_the_disk() {
        let board = Board::new(5);
        let mut fields = Fields::default();
        fields.set(Field::SpeedMps, 3.0);
        let seen = Sample { fields, ..Sample::default() };
        board.glimpse(ROWER, 7, &seen);
        board.follow(vec![BIKE]);

        board.glimpse(BIKE, 8, &seen);
        board.changed(Instant::now() + Duration::from_secs(1)).await;
        let (_, told) = board.pressing();
        board.take_in(&committed(1, BIKE, sample(3.0)));

        let ids: Vec<_> = told.iter().map(|device| device.device).collect();
        assert_eq!(ids, [BIKE]);
        assert!(board.pressing().1.is_empty() && board.changes().1.is_empty());
    }

    #[test]
    fn who_did_not_come_back_after_a_restart_is_offline() {
        let board = Board::new(5);
        board.remember(BIKE, &status(DeviceState::InUse));
        board.remember(ROWER, &status(DeviceState::InUse));
        board.take_in(&committed(1, ROWER, What::Event(Body::Status(status(DeviceState::Idle)))));

        board.doubt(|_| false);

        let (_, devices) = board.all();
        let state = |id| devices.iter().find(|device| device.device == id).unwrap().state;
        assert_eq!((state(BIKE), state(ROWER)), (DeviceState::Offline, DeviceState::Idle));
        assert_eq!(board.online(), 1);
    }
}
