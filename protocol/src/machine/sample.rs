//! One sample of a machine: which fields there are, their units, ranges and resolutions.

use crate::time::{Stamp, wall_at};

/// A measured quantity. The number is its place in [`Fields`] and in packed columns, so it never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "FIELDS describes each")]
pub enum Field {
    ElapsedS = 0,
    DistanceM = 1,
    EnergyKcal = 2,
    Reps = 3,
    SpeedMps = 4,
    InclinePct = 5,
    Resistance = 6,
    CadenceRpm = 7,
    StrokeRateSpm = 8,
    PowerW = 9,
    HeartRateBpm = 10,
    WeightKg = 11,
}

/// Name, range and resolution of a field.
#[derive(Debug)]
pub struct FieldSpec {
    /// Which field.
    pub field: Field,
    /// Name in JSON, with its unit.
    pub name: &'static str,
    /// Smallest accepted value, in the unit of the name.
    pub min: f64,
    /// Largest accepted value, in the unit of the name.
    pub max: f64,
    /// Stored steps per unit: 10 keeps tenths.
    pub scale: f64,
    /// Counts up over an exercise instead of telling the present value.
    pub is_counter: bool,
}

const fn spec(
    field: Field,
    name: &'static str,
    (min, max): (f64, f64),
    scale: f64,
    is_counter: bool,
) -> FieldSpec {
    FieldSpec { field, name, min, max, scale, is_counter }
}

/// Every field, in the order of [`Field`].
pub const FIELDS: [FieldSpec; 12] = [
    spec(Field::ElapsedS, "elapsed_s", (0.0, 86_400.0), 10.0, true),
    spec(Field::DistanceM, "distance_m", (0.0, 500_000.0), 10.0, true),
    spec(Field::EnergyKcal, "energy_kcal", (0.0, 20_000.0), 10.0, true),
    spec(Field::Reps, "reps", (0.0, 65_535.0), 1.0, true),
    spec(Field::SpeedMps, "speed_mps", (0.0, 40.0), 1_000.0, false),
    spec(Field::InclinePct, "incline_pct", (-30.0, 60.0), 10.0, false),
    spec(Field::Resistance, "resistance", (-100.0, 1_000.0), 10.0, false),
    spec(Field::CadenceRpm, "cadence_rpm", (0.0, 300.0), 10.0, false),
    spec(Field::StrokeRateSpm, "stroke_rate_spm", (0.0, 300.0), 10.0, false),
    spec(Field::PowerW, "power_w", (-500.0, 3_000.0), 10.0, false),
    spec(Field::HeartRateBpm, "heart_rate_bpm", (25.0, 250.0), 1.0, false),
    spec(Field::WeightKg, "weight_kg", (0.0, 1_000.0), 100.0, false),
];

/// The values of a sample: which fields are there, and each as a whole number of its resolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fields {
    present: u16,
    values: [i32; FIELDS.len()],
}

impl Fields {
    /// The scaled value of a field (tenths, thousandths … as [`FIELDS`] says), if the sample has it.
    pub fn scaled(&self, field: Field) -> Option<i32> {
        (self.present & (1 << field as u16) != 0).then(|| self.values[field as usize])
    }

    /// The value of a field in the unit of its name.
    pub fn value(&self, field: Field) -> Option<f64> {
        self.scaled(field).map(|scaled| f64::from(scaled) / FIELDS[field as usize].scale)
    }

    /// Sets the scaled value of a field.
    pub fn set_scaled(&mut self, field: Field, scaled: i32) {
        self.present |= 1 << field as u16;
        self.values[field as usize] = scaled;
    }

    /// Sets a value given in the unit of the field's name, rounded to its resolution.
    #[expect(clippy::cast_possible_truncation, reason = "every range fits an i32; others saturate")]
    pub fn set(&mut self, field: Field, value: f64) {
        self.set_scaled(field, (value * FIELDS[field as usize].scale).round() as i32);
    }

    /// Takes a field out.
    pub fn clear(&mut self, field: Field) {
        self.present &= !(1 << field as u16);
        self.values[field as usize] = 0;
    }

    /// Whether the sample measured anything at all.
    pub fn is_empty(&self) -> bool {
        self.present == 0
    }
}

/// What a machine measured at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sample {
    /// Counts up by one per device over telemetry and sets together.
    pub seq: u64,
    /// Random, new at every boot of the device.
    pub boot: Option<u32>,
    /// Unix milliseconds by the device's own clock.
    pub at_ms: Option<i64>,
    /// Milliseconds since the device's boot.
    pub uptime_ms: Option<u64>,
    /// What was measured.
    pub fields: Fields,
}

/// A device's own clock is believed up to this long before the arrival of a message.
const OLDEST_OWN_TIME_MS: i64 = 7 * 24 * 3_600_000;
/// A device's own clock is believed up to this long after the arrival of a message.
const NEWEST_OWN_TIME_MS: i64 = 2 * 60_000;

impl Sample {
    /// Unix milliseconds at which it was taken: by the device's own clock where that is credible, else by
    /// the edge's monotonic time of the sample and `clock`, a reading of the same boot.
    pub fn taken_ms(&self, mono_ms: u64, clock: &Stamp) -> i64 {
        let by_edge = wall_at(mono_ms, clock.offset_ms());
        let credible =
            by_edge.saturating_sub(OLDEST_OWN_TIME_MS)..=by_edge.saturating_add(NEWEST_OWN_TIME_MS);
        self.at_ms.filter(|at_ms| credible.contains(at_ms)).unwrap_or(by_edge)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Received at Unix time 1 000 000 000 000 ms.
    const CLOCK: Stamp =
        Stamp { boot: 1, mono_ms: 500_000, wall_ms: 1_000_000_000_000, synced: true };

    fn taken_ms(at_ms: Option<i64>) -> i64 {
        Sample { at_ms, ..Sample::default() }.taken_ms(499_000, &CLOCK)
    }

    #[test]
    fn a_device_without_a_clock_is_dated_by_the_edge() {
        assert_eq!(taken_ms(None), 999_999_999_000);
    }

    #[test]
    fn a_credible_clock_of_the_device_counts() {
        let own = [999_999_998_765, 999_999_999_000 - 7 * 86_400_000, 999_999_999_000 + 120_000];
        assert_eq!(own.map(|at_ms| taken_ms(Some(at_ms))), own);
    }

    #[test]
    fn an_incredible_clock_of_the_device_does_not() {
        let own =
            [0, i64::MIN, i64::MAX, 999_999_998_999 - 7 * 86_400_000, 999_999_999_001 + 120_000];
        assert_eq!(own.map(|at_ms| taken_ms(Some(at_ms))), [999_999_999_000; 5]);
    }
}
