//! Somebody on a treadmill, bike, elliptical or rower: effort in intervals, and what the console shows of it.
//!
//! Effort (0 to 1) changes every 45 to 180 s and is followed with a lag of 8 s; the heart follows effort with 45 s.
//! Cadence and stroke rate wander by 2 to 3 %, belts by 0.5 %; consoles round as real ones do.

use super::Kind;
use super::noise::{Contact, Lag, Wander};
use crate::seed::Seed;
use protocol::machine::{Field, Fields};

/// Muscles turn about a quarter of their energy into work.
const EFFICIENCY: f64 = 0.24;
const JOULE_PER_KCAL: f64 = 4_184.0;

/// One exercise from its first second on.
#[derive(Debug, Clone)]
pub struct Exercise {
    kind: Kind,
    weight_kg: f64,
    effort_target: f64,
    next_change_s: u32,
    effort: Lag,
    heart: Lag,
    wander: Wander,
    grip: Option<Contact>,
    elapsed_s: u32,
    distance_m: f64,
    energy_kcal: f64,
}

impl Exercise {
    /// Somebody steps on.
    pub fn new(kind: Kind, seed: &mut Seed) -> Self {
        let deviation = if kind == Kind::Treadmill { 0.005 } else { 0.025 };
        Self {
            kind,
            weight_kg: seed.real(52.0, 105.0),
            effort_target: 0.35,
            next_change_s: 60,
            effort: Lag::new(0.15, 8.0),
            heart: Lag::new(seed.real(78.0, 100.0), 45.0),
            wander: Wander::new(0.85, deviation),
            grip: seed.chance(0.7).then(Contact::default),
            elapsed_s: 0,
            distance_m: 0.0,
            energy_kcal: 0.0,
        }
    }

    /// One second passes; what the console shows after it.
    pub fn tick(&mut self, seed: &mut Seed) -> Fields {
        if self.elapsed_s >= self.next_change_s {
            self.effort_target = seed.real(0.3, 0.9);
            self.next_change_s = self.elapsed_s + seed.between_u32(45, 180);
        }
        let effort = self.effort.follow(self.effort_target);
        let wander = 1.0 + self.wander.next(seed);
        let mut fields = Fields::default();
        let (speed_mps, power_w) = match self.kind {
            Kind::Treadmill => self.run(&mut fields, effort, wander),
            Kind::Rower => Self::row(&mut fields, effort, wander),
            _ => self.pedal(&mut fields, effort, wander),
        };
        self.elapsed_s += 1;
        self.distance_m += speed_mps;
        self.energy_kcal += power_w / EFFICIENCY / JOULE_PER_KCAL;
        fields.set(Field::ElapsedS, f64::from(self.elapsed_s));
        fields.set(Field::DistanceM, self.distance_m);
        fields.set(Field::EnergyKcal, self.energy_kcal);
        self.beat(&mut fields, effort, seed);
        fields
    }

    /// A belt of 4 to 16 km/h, set in steps of 0.1 km/h; incline in whole percents.
    fn run(&self, fields: &mut Fields, effort: f64, wander: f64) -> (f64, f64) {
        let set_kmh = ((4.0 + 12.0 * effort) * 10.0).round() / 10.0;
        let speed_mps = set_kmh / 3.6 * wander;
        let incline_pct = (self.effort_target * 4.0).floor();
        fields.set(Field::SpeedMps, speed_mps);
        fields.set(Field::InclinePct, incline_pct);
        // Oxygen cost of running (ACSM): 0.2 ml/kg/min per m/min, 0.9 with the slope, 3.5 at rest; 20.9 J per ml.
        let m_per_min = speed_mps * 60.0;
        let oxygen = 0.2 * m_per_min + 0.9 * m_per_min * incline_pct / 100.0 + 3.5;
        (speed_mps, oxygen * self.weight_kg / 60.0 * 20.9 * EFFICIENCY)
    }

    /// A bike or an elliptical: resistance in levels, cadence by the legs, power by both.
    fn pedal(&self, fields: &mut Fields, effort: f64, wander: f64) -> (f64, f64) {
        let is_bike = self.kind == Kind::Bike;
        let cadence = if is_bike { 62.0 + 36.0 * effort } else { 48.0 + 24.0 * effort } * wander;
        let level = (3.0 + 14.0 * self.effort_target).round();
        let power_w = (cadence * level * if is_bike { 0.21 } else { 0.3 }).min(900.0);
        fields.set(Field::CadenceRpm, cadence.round());
        fields.set(Field::Resistance, level);
        fields.set(Field::PowerW, power_w.round());
        let speed_mps = (power_w / 0.42).cbrt();
        fields.set(Field::SpeedMps, speed_mps);
        (speed_mps, power_w)
    }

    /// A rower's flywheel: power goes with the cube of the pace (2.8 W per (m/s)³).
    fn row(fields: &mut Fields, effort: f64, wander: f64) -> (f64, f64) {
        let stroke_rate = (18.0 + 14.0 * effort) * wander;
        let power_w = (60.0 + 240.0 * effort) * wander * wander;
        let speed_mps = (power_w / 2.8).cbrt();
        fields.set(Field::StrokeRateSpm, stroke_rate.round());
        fields.set(Field::PowerW, power_w.round());
        fields.set(Field::SpeedMps, speed_mps);
        (speed_mps, power_w)
    }

    /// The heart, as far as the hands are on the grips; consoles say 0 without contact.
    fn beat(&mut self, fields: &mut Fields, effort: f64, seed: &mut Seed) {
        let heart = self.heart.follow(75.0 + 110.0 * effort) + seed.normal();
        if let Some(grip) = &mut self.grip {
            let shown = if grip.holds(seed) { heart.clamp(45.0, 210.0).round() } else { 0.0 };
            fields.set(Field::HeartRateBpm, shown);
        }
    }
}
