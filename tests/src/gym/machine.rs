//! A machine over a day: idle, used by somebody, idle again; it counts its messages and its uptime.

use super::Kind;
use super::cardio::Exercise;
use super::strength::Set;
use crate::seed::Seed;
use protocol::machine::{Fields, Sample};
use protocol::mqtt::payloads::{SetPayload, telemetry_json};
use protocol::sync::entry::{DeviceState, DeviceStatus};

/// Version of the simulated firmware.
const FIRMWARE: &str = "sim-1";

/// What a machine publishes.
#[derive(Debug, Clone)]
pub enum Said {
    /// One sample.
    Sample(Sample),
    /// A finished set.
    Set(SetPayload),
    /// A new state.
    Status(DeviceStatus),
}

impl Said {
    /// The last part of its topic.
    pub fn leaf(&self) -> &'static str {
        match self {
            Self::Sample(_) => "telemetry",
            Self::Set(_) => "set",
            Self::Status(_) => "status",
        }
    }

    /// Its JSON.
    pub fn json(&self) -> Vec<u8> {
        match self {
            Self::Sample(sample) => telemetry_json(&[*sample]),
            Self::Set(set) => set.to_json().to_string().into_bytes(),
            Self::Status(status) => status.to_json().to_string().into_bytes(),
        }
    }

    /// Its JSON if it is a sample.
    pub fn telemetry(&self) -> Option<Vec<u8>> {
        matches!(self, Self::Sample(_)).then(|| self.json())
    }

    /// Its JSON if it is a set.
    pub fn set(&self) -> Option<Vec<u8>> {
        matches!(self, Self::Set(_)).then(|| self.json())
    }
}

/// What it is doing.
#[derive(Debug, Clone)]
enum Doing {
    Idle { left_s: u64 },
    Cardio { exercise: Box<Exercise>, left_s: u64 },
    Lifting(Set),
}

/// One machine.
#[derive(Debug, Clone)]
pub struct Machine {
    code: String,
    kind: Kind,
    boot: u32,
    seq: u64,
    uptime_ms: u64,
    doing: Doing,
    seed: Seed,
}

impl Machine {
    /// Switched on, and somebody comes within some seconds.
    pub fn new(code: &str, kind: Kind, mut seed: Seed) -> Self {
        let boot = seed.next_u32();
        let doing = Doing::Idle { left_s: seed.between(0, 6) };
        // Consoles have been on for a while.
        let uptime_ms = seed.between(60_000, 500_000_000);
        Self { code: code.to_owned(), kind, boot, seq: 0, uptime_ms, doing, seed }
    }

    /// Its code.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Random number of its boot.
    pub fn boot(&self) -> u32 {
        self.boot
    }

    /// One second passes; what it publishes. `now_ms` for a machine that has a clock.
    pub fn tick(&mut self, now_ms: Option<i64>) -> Vec<Said> {
        self.uptime_ms += 1_000;
        match &mut self.doing {
            Doing::Idle { left_s: 0 } => self.begin(),
            Doing::Idle { left_s } => {
                *left_s -= 1;
                Vec::new()
            }
            Doing::Cardio { left_s: 0, .. } => self.pause(60, 120),
            Doing::Cardio { exercise, left_s } => {
                *left_s -= 1;
                let fields = exercise.tick(&mut self.seed);
                vec![self.sample(fields, now_ms)]
            }
            Doing::Lifting(set) if set.is_done() => self.finish_set(),
            Doing::Lifting(set) => {
                let fields = set.tick(&mut self.seed);
                vec![self.sample(fields, now_ms)]
            }
        }
    }

    fn begin(&mut self) -> Vec<Said> {
        self.doing = if self.kind == Kind::Strength {
            Doing::Lifting(Set::new(&mut self.seed))
        } else {
            let exercise = Box::new(Exercise::new(self.kind, &mut self.seed));
            Doing::Cardio { exercise, left_s: self.seed.between(600, 2_400) }
        };
        vec![self.status(DeviceState::InUse)]
    }

    fn finish_set(&mut self) -> Vec<Said> {
        let Doing::Lifting(set) = self.doing.clone() else { return Vec::new() };
        self.seq += 1;
        let finished = set.finished(self.seq, self.boot, self.uptime_ms, &mut self.seed);
        let mut said = vec![Said::Set(finished)];
        said.extend(self.pause(8, 25));
        said
    }

    fn pause(&mut self, at_least_s: u64, below_s: u64) -> Vec<Said> {
        self.doing = Doing::Idle { left_s: self.seed.between(at_least_s, below_s) };
        vec![self.status(DeviceState::Idle)]
    }

    fn sample(&mut self, fields: Fields, at_ms: Option<i64>) -> Said {
        self.seq += 1;
        let (boot, uptime_ms) = (Some(self.boot), Some(self.uptime_ms));
        Said::Sample(Sample { seq: self.seq, boot, at_ms, uptime_ms, fields })
    }

    fn status(&self, state: DeviceState) -> Said {
        let (firmware, uptime_ms) = (Some(FIRMWARE.to_owned()), Some(self.uptime_ms));
        Said::Status(DeviceStatus { state, firmware, uptime_ms, error: None })
    }
}
