//! What is going on in the branches right now, in memory. It builds no history; the table `edge_live` is
//! for other instances and for a restart.

use crate::ids::{BranchId, DeviceId, EdgeId};
use protocol::machine::Fields;
use protocol::sync::entry::DeviceState;
use protocol::sync::state::{Floor, LiveDevice, LiveState};
use std::collections::{HashMap, HashSet};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use time::{Duration, OffsetDateTime};

/// The present state of all floors.
#[derive(Debug, Default)]
pub struct LiveFloor(RwLock<HashMap<BranchId, Branch>>);

/// A branch as its edge last told of it.
#[derive(Debug)]
struct Branch {
    edge: EdgeId,
    /// Without its devices, which are below.
    state: LiveState,
    received_at: OffsetDateTime,
    devices: HashMap<DeviceId, Seen>,
    saved_at: Option<OffsetDateTime>,
    is_saved: bool,
}

#[derive(Debug)]
struct Seen {
    device: LiveDevice,
    sampled_at: Option<OffsetDateTime>,
}

/// What a device is doing, for apps.
#[derive(Debug, Clone)]
pub struct LiveView {
    pub state: DeviceState,
    /// What is wrong, in the device's own words.
    pub error: Option<String>,
    /// The last sample and when it was taken, by our clock.
    pub sample: Option<(OffsetDateTime, Fields)>,
    /// When the branch's edge was heard last; what it said may be out of date by now.
    pub heard_at: OffsetDateTime,
}

/// What became of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It counts now.
    Yes,
    /// A newer one is known.
    Stale,
    /// It only says what changed, and what it changes is not known here.
    NeedsFull,
}

/// A state to be stored.
#[derive(Debug)]
pub struct Save {
    pub branch: BranchId,
    pub edge: EdgeId,
    pub received_at: OffsetDateTime,
    pub state: LiveState,
}

impl LiveFloor {
    /// What a device is doing, if its branch's edge has told.
    pub fn device(&self, branch: BranchId, device: DeviceId) -> Option<LiveView> {
        let branches = self.read();
        let branch = branches.get(&branch)?;
        branch.devices.get(&device).map(|seen| seen.view(branch.received_at))
    }

    /// When a branch's edge told of its floor last, and what it said of itself.
    pub fn branch(&self, branch: BranchId) -> Option<(OffsetDateTime, Floor)> {
        self.read().get(&branch).map(|branch| (branch.received_at, branch.state.floor.clone()))
    }

    /// By how much a branch's wall clock was ahead when its edge told last (milliseconds), and whether it was synchronised.
    pub fn clock(&self, branch: BranchId) -> Option<(i64, bool)> {
        let branches = self.read();
        let branch = branches.get(&branch)?;
        let told_ms = i64::try_from(branch.received_at.unix_timestamp_nanos() / 1_000_000).ok()?;
        let stamp = &branch.state.stamp;
        Some((stamp.wall_ms.saturating_sub(told_ms), stamp.synced))
    }

    /// Of some devices, those that the branch has not told of yet.
    pub fn unknown(&self, branch: BranchId, devices: &[LiveDevice]) -> Vec<DeviceId> {
        let branches = self.read();
        let known = branches.get(&branch);
        let ids = devices.iter().map(|device| DeviceId::from(device.device));
        ids.filter(|id| known.is_none_or(|known| !known.devices.contains_key(id))).collect()
    }

    /// Whether a state that only says what changed has something to change.
    pub fn has_base(&self, branch: BranchId, edge: EdgeId, boot: u64) -> bool {
        self.read().get(&branch).is_some_and(|known| known.is_of(edge, boot))
    }

    /// Keeps a state if it is newer than what is known.
    pub fn keep(
        &self,
        branch: BranchId,
        edge: EdgeId,
        mut state: LiveState,
        now: OffsetDateTime,
    ) -> Kept {
        let told = std::mem::take(&mut state.machines);
        let mut branches = self.write();
        let known = branches.get(&branch);
        let is_same = known.is_some_and(|known| known.is_of(edge, state.boot));
        if is_same && known.is_some_and(|known| known.state.n >= state.n) {
            return Kept::Stale;
        }
        if !state.full && !is_same {
            return Kept::NeedsFull;
        }
        let kept = branches.entry(branch).or_insert_with(|| Branch::new(edge, &state, now));
        if state.full {
            kept.devices.clear();
        }
        for device in told {
            let sampled_at = sampled_at(&device, &state, now);
            kept.devices.insert(device.device.into(), Seen { device, sampled_at });
        }
        (kept.edge, kept.state, kept.received_at, kept.is_saved) = (edge, state, now, false);
        Kept::Yes
    }

    /// Puts back what was stored, unless something newer is known.
    pub fn restore(&self, saved: Save) {
        let is_newer = {
            let branches = self.read();
            let known = branches.get(&saved.branch);
            known.is_none_or(|known| known.received_at < saved.received_at)
        };
        if is_newer {
            let (branch, at) = (saved.branch, saved.received_at);
            self.forget(branch);
            self.keep(branch, saved.edge, LiveState { full: true, ..saved.state }, at);
            self.saved(branch, at);
        }
    }

    /// Forgets a branch, as when its edge was replaced.
    pub fn forget(&self, branch: BranchId) {
        self.write().remove(&branch);
    }

    /// Drops devices that do not belong to a branch any more.
    pub fn retain(&self, branch: BranchId, existing: &HashSet<DeviceId>) {
        if let Some(known) = self.write().get_mut(&branch) {
            known.devices.retain(|id, _| existing.contains(id));
        }
    }

    /// What has changed and was not stored within the last second: once a second is often enough.
    pub fn due(&self, now: OffsetDateTime) -> Vec<Save> {
        let branches = self.read();
        let due = branches.iter().filter(|(_, known)| {
            !known.is_saved && known.saved_at.is_none_or(|at| now - at >= Duration::SECOND)
        });
        due.map(|(branch, known)| known.save(*branch)).collect()
    }

    /// Notes that a state was stored.
    pub fn saved(&self, branch: BranchId, received_at: OffsetDateTime) {
        if let Some(known) = self.write().get_mut(&branch) {
            known.is_saved = known.received_at == received_at;
            known.saved_at = Some(received_at);
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<BranchId, Branch>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<BranchId, Branch>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Branch {
    fn new(edge: EdgeId, state: &LiveState, received_at: OffsetDateTime) -> Self {
        let (devices, state) = (HashMap::new(), state.clone());
        Self { edge, state, received_at, devices, saved_at: None, is_saved: false }
    }

    fn is_of(&self, edge: EdgeId, boot: u64) -> bool {
        self.edge == edge && self.state.boot == boot
    }

    fn save(&self, branch: BranchId) -> Save {
        let machines = self.devices.values().map(|seen| seen.device.clone()).collect();
        let state = LiveState { full: true, machines, ..self.state.clone() };
        Save { branch, edge: self.edge, received_at: self.received_at, state }
    }
}

impl Seen {
    fn view(&self, heard_at: OffsetDateTime) -> LiveView {
        let sample = self.device.sample.as_ref();
        LiveView {
            state: self.device.state,
            error: self.device.error.clone(),
            sample: self.sampled_at.zip(sample.map(protocol::sync::state::LiveSample::fields)),
            heard_at,
        }
    }
}

/// By our clock and the age of the sample on the edge's monotonic clock: right whatever the edge's wall clock
/// says.
fn sampled_at(
    device: &LiveDevice,
    state: &LiveState,
    now: OffsetDateTime,
) -> Option<OffsetDateTime> {
    let age_ms = state.stamp.mono_ms.saturating_sub(device.sample.as_ref()?.mono_ms);
    let age = Duration::milliseconds(i64::try_from(age_ms).unwrap_or(i64::MAX));
    now.checked_sub(age)
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::sync::state::{LiveSample, Position};
    use protocol::time::Stamp;

    const NOW: OffsetDateTime = time::macros::datetime!(2026-11-20 12:00 UTC);

    fn device(mono_ms: u64) -> (DeviceId, LiveDevice) {
        let id = DeviceId::new();
        let sample = Some(LiveSample { mono_ms, values: vec![(9, 2000)] });
        (id, LiveDevice { device: id.into(), state: DeviceState::InUse, error: None, sample })
    }

    fn state(n: u64, full: bool, machines: Vec<LiveDevice>) -> LiveState {
        LiveState {
            boot: 7,
            n,
            stamp: Stamp { boot: 1, mono_ms: 10_000, wall_ms: 0, synced: false },
            as_of: Position { epoch: 1, seq: 1 },
            full,
            floor: Floor::default(),
            machines,
        }
    }

    #[test]
    fn a_late_state_changes_nothing() {
        let (live, branch, edge) = (LiveFloor::default(), BranchId::new(), EdgeId::new());
        let (id, seen) = device(9_000);
        assert_eq!(live.keep(branch, edge, state(2, true, vec![seen]), NOW), Kept::Yes);

        assert_eq!(live.keep(branch, edge, state(1, true, vec![]), NOW), Kept::Stale);

        assert!(live.device(branch, id).is_some());
    }

    #[test]
    fn a_change_of_nothing_asks_for_everything() {
        let (live, branch, edge) = (LiveFloor::default(), BranchId::new(), EdgeId::new());

        assert_eq!(live.keep(branch, edge, state(2, false, vec![]), NOW), Kept::NeedsFull);
    }

    #[test]
    fn a_sample_is_dated_by_its_age() {
        let (live, branch, edge) = (LiveFloor::default(), BranchId::new(), EdgeId::new());
        let (id, seen) = device(9_000);

        live.keep(branch, edge, state(1, true, vec![seen]), NOW);

        let (at, _) = live.device(branch, id).unwrap().sample.unwrap();
        assert_eq!(at, NOW - Duration::SECOND);
    }

    #[test]
    fn what_was_stored_comes_back_whole() {
        let (live, branch, edge) = (LiveFloor::default(), BranchId::new(), EdgeId::new());
        let ((first, seen), (second, added)) = (device(9_000), device(9_500));
        live.keep(branch, edge, state(1, true, vec![seen]), NOW);
        live.keep(branch, edge, state(2, false, vec![added]), NOW);
        let other = LiveFloor::default();

        for saved in live.due(NOW) {
            other.restore(saved);
        }

        assert!(other.device(branch, first).is_some() && other.device(branch, second).is_some());
        assert_eq!(other.keep(branch, edge, state(3, false, vec![]), NOW), Kept::Yes);
    }
}
