//! What a console of each kind can tell, in metric or English units.

use super::console::Make;
use super::workout::{Kind, Workout};
use protocol::serial::csafe::command::{
    GET_PROGRAM, GET_SERIAL, GET_UNITS, GET_VERSION, GET_VERTICAL, Get,
};

/// Which units a console was set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Units {
    /// Metres and kilometres.
    #[default]
    Metric,
    /// Miles.
    English,
}

const MILE_M: f64 = 1609.344;

/// The answer to a question; none if this kind of console does not know it.
pub(super) fn data(make: Make, workout: &Workout, command: u8) -> Option<Vec<u8>> {
    let Make { kind, units, .. } = make;
    let is_pm = kind == Kind::Pm;
    let Some(get) = Get::of_command(command) else {
        return match command {
            GET_VERSION if is_pm => Some(vec![22, 2, 5, 100, 0, 165, 0]),
            GET_VERSION => Some(vec![14, 1, 42, 1, 3]),
            GET_UNITS => Some(vec![u8::from(units == Units::English)]),
            GET_SERIAL => Some(b"430123456".to_vec()),
            GET_VERTICAL if kind == Kind::Climber => Some(number(workout.floors, 0x41)),
            GET_PROGRAM if !is_pm => Some(vec![1, workout.gear]),
            _ => None,
        };
    };
    knows(kind, get).then(|| measured(kind, units, workout, get))
}

fn knows(kind: Kind, get: Get) -> bool {
    match get {
        Get::WorkTime | Get::Calories | Get::HeartRate => true,
        Get::Distance => kind != Kind::Climber,
        Get::Speed => matches!(kind, Kind::Treadmill | Kind::Bike | Kind::Elliptical),
        Get::Pace => matches!(kind, Kind::Rower | Kind::Pm),
        Get::Cadence => kind != Kind::Treadmill,
        Get::Grade => kind == Kind::Treadmill,
        Get::Gear => matches!(kind, Kind::Bike | Kind::Elliptical | Kind::Climber),
        Get::Power => matches!(kind, Kind::Bike | Kind::Elliptical | Kind::Rower | Kind::Pm),
    }
}

fn measured(kind: Kind, units: Units, workout: &Workout, get: Get) -> Vec<u8> {
    let is_metric = units == Units::Metric;
    match get {
        Get::WorkTime => {
            let seconds = whole(workout.elapsed_s);
            let byte = |number: u16| u8::try_from(number).unwrap_or(u8::MAX);
            vec![byte(seconds / 3600), byte(seconds / 60 % 60), byte(seconds % 60)]
        }
        Get::Distance if is_metric => number(workout.distance_m, 0x24),
        Get::Distance => number(workout.distance_m / MILE_M * 100.0, 0x03),
        Get::Calories => whole(workout.energy_kcal).to_le_bytes().to_vec(),
        Get::Speed if is_metric => number(workout.speed_mps * 36.0, 0x31),
        Get::Speed => number(workout.speed_mps * 36_000.0 / MILE_M, 0x11),
        // A pace of nobody who moves is 0.
        Get::Pace if workout.speed_mps < 0.1 => number(0.0, if is_metric { 0x39 } else { 0x3A }),
        Get::Pace if is_metric => number(1000.0 / workout.speed_mps, 0x39),
        Get::Pace => number(MILE_M / workout.speed_mps, 0x3A),
        Get::Cadence => {
            let unit = match kind {
                Kind::Rower | Kind::Pm => 0x54,
                Kind::Elliptical => 0x53,
                Kind::Climber => 0x51,
                Kind::Treadmill | Kind::Bike => 0x52,
            };
            number(workout.cadence, unit)
        }
        Get::Grade => number(workout.grade_pct * 10.0, 0x4C),
        Get::Gear => vec![workout.gear],
        Get::HeartRate => vec![u8::try_from(whole(workout.heart_rate_bpm)).unwrap_or(u8::MAX)],
        Get::Power => number(workout.power_w, 0x58),
    }
}

fn number(value: f64, unit: u8) -> Vec<u8> {
    let [low, high] = whole(value).to_le_bytes();
    vec![low, high, unit]
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "held within the range just before"
)]
fn whole(value: f64) -> u16 {
    value.clamp(0.0, f64::from(u16::MAX)) as u16
}
