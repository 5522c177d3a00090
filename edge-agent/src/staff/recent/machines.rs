//! What each machine measured and said in the last minutes. Heart rates are not among it: they are the member's.

use protocol::ids::DeviceId;
use protocol::machine::{Field, Sample};
use protocol::sync::entry::{Maintenance, Severity};
use protocol::time::Stamp;
use std::collections::{HashMap, VecDeque};

/// A point for each of so many milliseconds.
const STEP_MS: u64 = 5_000;
/// Ten minutes.
const MAX_POINTS: usize = 120;
const MAX_REPORTS: usize = 20;
/// A branch has hardly that many; more are not kept.
const MAX_MACHINES: usize = 1_000;

/// What is drawn of a machine, the first that it has.
const DRAWN: [Field; 4] = [Field::PowerW, Field::SpeedMps, Field::CadenceRpm, Field::WeightKg];

/// A machine's last minutes.
#[derive(Debug, Clone, Default)]
pub struct Track {
    /// Monotonic time and value.
    pub points: VecDeque<(u64, f64)>,
    /// What was measured.
    pub field: Option<Field>,
    /// What it reported about itself, newest first.
    pub reports: VecDeque<Report>,
}

/// A report about a machine's condition.
#[derive(Debug, Clone)]
pub struct Report {
    /// When.
    pub stamp: Stamp,
    /// How bad.
    pub severity: Severity,
    /// The maker's code.
    pub code: String,
    /// In words.
    pub message: String,
}

/// All machines.
#[derive(Debug, Default)]
pub struct Machines(HashMap<DeviceId, Track>);

impl Machines {
    /// Samples arrived.
    pub fn measured(&mut self, machine: DeviceId, stamp: Stamp, samples: &[Sample]) {
        let Some(sample) = samples.last() else { return };
        let Some(track) = self.track(machine) else { return };
        let found = DRAWN.into_iter().find_map(|field| Some((field, sample.fields.value(field)?)));
        let Some((field, value)) = found else { return };
        if track.field != Some(field) {
            track.field = Some(field);
            track.points.clear();
        }
        let step = stamp.mono_ms / STEP_MS;
        match track.points.back_mut() {
            Some(last) if last.0 / STEP_MS == step => *last = (stamp.mono_ms, value),
            _ => track.points.push_back((stamp.mono_ms, value)),
        }
        while track.points.len() > MAX_POINTS {
            track.points.pop_front();
        }
    }

    /// It reported something about itself.
    pub fn reported(&mut self, machine: DeviceId, stamp: Stamp, said: &Maintenance) {
        let Some(track) = self.track(machine) else { return };
        track.reports.push_front(Report {
            stamp,
            severity: said.severity,
            code: said.code.clone(),
            message: said.message.clone(),
        });
        track.reports.truncate(MAX_REPORTS);
    }

    /// A machine's last minutes.
    pub fn of(&self, machine: DeviceId) -> Track {
        self.0.get(&machine).cloned().unwrap_or_default()
    }

    /// The last values of a machine, for a small line.
    pub fn values(&self, machine: DeviceId, count: usize, since_ms: u64) -> Vec<f64> {
        let Some(track) = self.0.get(&machine) else { return Vec::new() };
        let skipped = track.points.len().saturating_sub(count);
        let points = track.points.iter().skip(skipped).filter(|(at_ms, _)| *at_ms >= since_ms);
        points.map(|(_, value)| *value).collect()
    }

    fn track(&mut self, machine: DeviceId) -> Option<&mut Track> {
        if self.0.len() >= MAX_MACHINES && !self.0.contains_key(&machine) {
            return None;
        }
        Some(self.0.entry(machine).or_default())
    }
}
