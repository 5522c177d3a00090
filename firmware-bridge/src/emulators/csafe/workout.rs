//! An exercise as a person does it: warm-up, effort that goes up and down, a heart that follows.

use std::time::Duration;

/// What kind of machine a console belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Kind {
    /// Speed and incline.
    Treadmill,
    /// Turns, power and a gear.
    Bike,
    /// Strides, power and a gear.
    Elliptical,
    /// Strokes, pace and power.
    Rower,
    /// Steps and floors; no distance.
    Climber,
    /// A rower's monitor like Concept2's: no speed, no incline, frames of its own size.
    Pm,
}

/// Every kind.
pub const KINDS: [Kind; 6] =
    [Kind::Treadmill, Kind::Bike, Kind::Elliptical, Kind::Rower, Kind::Climber, Kind::Pm];

/// What has been done so far, and what is being done now.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Workout {
    /// Seconds of exercise, pauses left out.
    pub elapsed_s: f64,
    /// Metres.
    pub distance_m: f64,
    /// Kilocalories.
    pub energy_kcal: f64,
    /// Floors.
    pub floors: f64,
    /// Metres a second.
    pub speed_mps: f64,
    /// Turns, strides, strokes or steps a minute.
    pub cadence: f64,
    /// Watts.
    pub power_w: f64,
    /// Percent.
    pub grade_pct: f64,
    /// Level of resistance.
    pub gear: u8,
    /// Beats a minute.
    pub heart_rate_bpm: f64,
}

/// The speed, cadence and power of a moderate effort.
const fn moderate(kind: Kind) -> (f64, f64, f64) {
    match kind {
        Kind::Treadmill => (2.9, 165.0, 230.0),
        Kind::Bike => (8.2, 85.0, 170.0),
        Kind::Elliptical => (2.4, 62.0, 140.0),
        Kind::Rower | Kind::Pm => (4.1, 26.0, 190.0),
        Kind::Climber => (0.0, 74.0, 180.0),
    }
}

impl Workout {
    /// Exercises for so long.
    pub fn advance(&mut self, kind: Kind, time: Duration) {
        let seconds = time.as_secs_f64();
        self.elapsed_s += seconds;
        let t = self.elapsed_s;
        let warm_up = 0.6 + 0.4 * (t / 90.0).min(1.0);
        let effort = warm_up * (1.0 + 0.12 * (t / 41.0).sin() + 0.03 * (t / 2.3).sin());
        let (speed, cadence, power) = moderate(kind);
        self.speed_mps = speed * effort;
        self.cadence = cadence * (0.5 + 0.5 * effort);
        self.power_w = power * effort * effort;
        self.grade_pct =
            if kind == Kind::Treadmill { ((t / 60.0).floor() % 5.0) * 0.5 } else { 0.0 };
        self.gear = if effort > 0.9 { 8 } else { 6 };
        let strain = 70.0 + 85.0 * effort.min(1.15);
        let start = if self.heart_rate_bpm < 50.0 { 72.0 } else { self.heart_rate_bpm };
        self.heart_rate_bpm = start + (strain - start) * (1.0 - (-seconds / 25.0).exp());
        self.distance_m += self.speed_mps * seconds;
        self.energy_kcal += (self.power_w * 4.0 + 80.0) * seconds / 4184.0;
        self.floors +=
            if kind == Kind::Climber { self.cadence / 60.0 / 16.0 * seconds } else { 0.0 };
    }

    /// Stops moving; what has been done stays.
    pub fn rest(&mut self) {
        self.speed_mps = 0.0;
        self.cadence = 0.0;
        self.power_w = 0.0;
    }
}
