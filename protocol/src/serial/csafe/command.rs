//! The commands that are sent to a console.

use serde::{Deserialize, Serialize};

/// Asks for the status only.
pub const GET_STATUS: u8 = 0x80;
/// Starts the console anew.
pub const RESET: u8 = 0x81;
/// Ends an exercise and waits for the next user.
pub const GO_IDLE: u8 = 0x82;
/// A user has identified themselves.
pub const GO_HAVE_ID: u8 = 0x83;
/// Starts or resumes an exercise.
pub const GO_IN_USE: u8 = 0x85;
/// Ends an exercise.
pub const GO_FINISHED: u8 = 0x86;
/// Leaves the console to itself.
pub const GO_READY: u8 = 0x87;
/// The user is not known.
pub const BAD_ID: u8 = 0x88;
/// Maker, class, model, version, release.
pub const GET_VERSION: u8 = 0x91;
/// Metric (0) or English (1).
pub const GET_UNITS: u8 = 0x93;
/// Nine characters.
pub const GET_SERIAL: u8 = 0x94;
/// How far up: floors, steps.
pub const GET_VERTICAL: u8 = 0xA2;
/// Programme and level.
pub const GET_PROGRAM: u8 = 0xA4;

/// A measurement that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Get {
    /// Hours, minutes, seconds since the exercise began.
    WorkTime = 0xA0,
    /// Distance covered.
    Distance = 0xA1,
    /// Energy in kilocalories.
    Calories = 0xA3,
    /// Present speed.
    Speed = 0xA5,
    /// Present pace.
    Pace = 0xA6,
    /// Turns, steps or strokes a minute.
    Cadence = 0xA7,
    /// Incline.
    Grade = 0xA8,
    /// Gear or level of resistance.
    Gear = 0xA9,
    /// Present heart rate.
    HeartRate = 0xB0,
    /// Present power.
    Power = 0xB4,
}

/// Everything that can be asked for.
pub const GETS: [Get; 10] = [
    Get::WorkTime,
    Get::Distance,
    Get::Calories,
    Get::Speed,
    Get::Pace,
    Get::Cadence,
    Get::Grade,
    Get::Gear,
    Get::HeartRate,
    Get::Power,
];

impl Get {
    /// The command's byte.
    pub const fn command(self) -> u8 {
        self as u8
    }

    /// What a command's byte asks for, if it is a measurement that a sample has.
    pub fn of_command(command: u8) -> Option<Self> {
        GETS.into_iter().find(|get| get.command() == command)
    }

    /// Its name, as quirks files write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::WorkTime => "work_time",
            Self::Distance => "distance",
            Self::Calories => "calories",
            Self::Speed => "speed",
            Self::Pace => "pace",
            Self::Cadence => "cadence",
            Self::Grade => "grade",
            Self::Gear => "gear",
            Self::HeartRate => "heart_rate",
            Self::Power => "power",
        }
    }
}
