//! What each machine measured and said in the last minutes. Heart rates are not among it: they are the member's.

use protocol::ids::DeviceId;
use protocol::machine::{Field, Sample};
use protocol::sync::entry::{Maintenance, Severity};
use protocol::time::Stamp;
use serde::{Deserialize, Serialize};
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

/// What was said about a machine's condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// When.
    pub stamp: Stamp,
    /// What kind of thing it is.
    pub said: Said,
    /// Who said it: the maker's code of it, or a name of the staff.
    pub by: String,
    /// In words.
    pub message: String,
}

/// Kinds of what is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Said {
    /// By the machine: nothing is wrong.
    Info,
    /// By the machine: something soon will be.
    Warning,
    /// By the machine: something is.
    Fault,
    /// Staff wrote it down.
    Note,
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
    pub fn reported(&mut self, machine: DeviceId, stamp: Stamp, report: &Maintenance) {
        let said = match report.severity {
            Severity::Info => Said::Info,
            Severity::Warning => Said::Warning,
            Severity::Fault => Said::Fault,
        };
        let (by, message) = (report.code.clone(), report.message.clone());
        self.said(machine, Report { stamp, said, by, message });
    }

    /// Something was said about it. What is known already is not said again.
    pub fn said(&mut self, machine: DeviceId, report: Report) {
        let Some(track) = self.track(machine) else { return };
        if track.reports.contains(&report) {
            return;
        }
        track.reports.push_front(report);
        track.reports.truncate(MAX_REPORTS);
    }

    /// All reports, the oldest of each machine first.
    pub fn reports(&self) -> Vec<(DeviceId, Report)> {
        let of = |(id, track): (&DeviceId, &Track)| {
            let (id, reports) = (*id, track.reports.clone());
            reports.into_iter().rev().map(move |report| (id, report)).collect::<Vec<_>>()
        };
        self.0.iter().flat_map(of).collect()
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
