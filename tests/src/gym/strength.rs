//! Somebody on a strength machine: one set of repetitions that get slower, at a load in plates.

use crate::seed::Seed;
use protocol::ids::SetId;
use protocol::machine::{Field, Fields};
use protocol::mqtt::payloads::SetPayload;

/// A plate of the stack.
const PLATE_CG: u32 = 500;
/// Each repetition takes so much longer than the one before.
const FATIGUE: f64 = 1.035;
const EXERCISES: [&str; 6] =
    ["chest_press", "lat_pulldown", "leg_press", "leg_curl", "shoulder_press", "seated_row"];

/// A set from its first repetition on.
#[derive(Debug, Clone)]
pub struct Set {
    exercise: &'static str,
    weight_cg: u32,
    reps_planned: u32,
    rep_s: f64,
    reps: u16,
    into_rep_s: f64,
    elapsed_s: u32,
    rom_mm: u32,
}

impl Set {
    /// Somebody sits down.
    pub fn new(seed: &mut Seed) -> Self {
        Self {
            exercise: seed.one_of::<&'static str>(&EXERCISES),
            weight_cg: seed.between_u32(2, 24) * PLATE_CG,
            reps_planned: seed.between_u32(6, 16),
            rep_s: seed.real(1.8, 3.2),
            reps: 0,
            into_rep_s: 0.0,
            elapsed_s: 0,
            rom_mm: seed.between_u32(380, 720),
        }
    }

    /// One second passes; what the console shows after it.
    pub fn tick(&mut self, seed: &mut Seed) -> Fields {
        self.elapsed_s += 1;
        self.into_rep_s += seed.real(0.9, 1.1);
        if self.into_rep_s >= self.rep_s {
            self.into_rep_s -= self.rep_s;
            self.rep_s *= FATIGUE;
            self.reps += 1;
        }
        let mut fields = Fields::default();
        fields.set(Field::ElapsedS, f64::from(self.elapsed_s));
        fields.set(Field::Reps, f64::from(self.reps));
        fields.set(Field::WeightKg, f64::from(self.weight_cg) / 100.0);
        fields
    }

    /// Whether the last repetition is done.
    pub fn is_done(&self) -> bool {
        u32::from(self.reps) >= self.reps_planned
    }

    /// What the machine tells of it at the end.
    pub fn finished(&self, seq: u64, boot: u32, uptime_ms: u64, seed: &mut Seed) -> SetPayload {
        let id =
            uuid::Builder::from_random_bytes(u128::from(seed.bits()).to_le_bytes()).into_uuid();
        SetPayload {
            seq,
            boot: Some(boot),
            set_id: Some(SetId(id)),
            exercise: Some(self.exercise.to_owned()),
            reps: self.reps,
            weight_cg: Some(self.weight_cg),
            duration_ms: Some(self.elapsed_s * 1_000),
            rom_mm: u16::try_from(self.rom_mm).ok(),
            at_ms: None,
            uptime_ms: Some(uptime_ms),
        }
    }
}
