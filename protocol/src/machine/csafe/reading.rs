//! From the answers of a console to the fields of a sample: by command id and unit byte, never by position.

use super::unit::{Quantity, quantity};
use crate::machine::{FIELDS, Field, Fields};
use crate::serial::csafe::answer::Item;
use crate::serial::csafe::command::Get;
use serde::{Deserialize, Serialize};

/// How a console tells its pace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaceFormat {
    /// A number and its unit. Where the unit byte is 0 it is hours, minutes and seconds for a kilometre.
    #[default]
    Unit,
    /// Hours, minutes, seconds for a kilometre.
    HmsPerKm,
    /// Hours, minutes, seconds for a mile.
    HmsPerMile,
}

/// What a console means by cadence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cadence {
    /// What the unit says.
    #[default]
    Unit,
    /// Turns of a crank, whatever the unit says.
    Turns,
    /// Steps, whatever the unit says.
    Steps,
    /// Strokes, whatever the unit says.
    Strokes,
}

/// How a console differs in what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dialect {
    /// How it tells its pace.
    pub pace: PaceFormat,
    /// What it means by cadence.
    pub cadence: Cadence,
}

/// Why one answer of several was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Trouble {
    /// The unit is not in the standard.
    #[error("{} has the unknown unit {unit:#04x}", .get.name())]
    UnknownUnit {
        /// What was asked for.
        get: Get,
        /// The unit byte.
        unit: u8,
    },
    /// The unit is known, but is none of this quantity.
    #[error("{} is in {unit:#04x}, which is no unit of that", .get.name())]
    UnfitUnit {
        /// What was asked for.
        get: Get,
        /// The unit byte.
        unit: u8,
    },
    /// The answer is not as long as it has to be.
    #[error("{} has {length} bytes", .get.name())]
    WrongLength {
        /// What was asked for.
        get: Get,
        /// Bytes it has.
        length: usize,
    },
    /// No machine can mean this value.
    #[error("{} gives {}, which is not between {} and {}", .get.name(), FIELDS[*.field as usize].name,
        FIELDS[*.field as usize].min, FIELDS[*.field as usize].max)]
    OutOfRange {
        /// What was asked for.
        get: Get,
        /// The field of the sample.
        field: Field,
    },
}

/// What a console said in one go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reading {
    /// What it measures.
    pub fields: Fields,
    /// What had to be left out.
    pub troubles: Vec<Trouble>,
}

impl Reading {
    /// Takes in the answers of one frame. Answers that a sample has no place for are passed over.
    pub fn add(&mut self, items: &[Item<'_>], dialect: Dialect) {
        for item in items {
            let Some(get) = Get::of_command(item.command) else { continue };
            match value(get, item.data, dialect) {
                Ok(Some((field, value))) => self.put(get, field, value),
                Ok(None) => {}
                Err(trouble) => self.troubles.push(trouble),
            }
        }
    }

    fn put(&mut self, get: Get, field: Field, value: f64) {
        let spec = &FIELDS[field as usize];
        // A speed that was told counts more than one worked out of the pace.
        if get == Get::Pace && self.fields.scaled(field).is_some() {
            return;
        }
        if (spec.min..=spec.max).contains(&value) {
            self.fields.set(field, value);
        } else {
            self.troubles.push(Trouble::OutOfRange { get, field });
        }
    }
}

fn value(get: Get, data: &[u8], dialect: Dialect) -> Result<Option<(Field, f64)>, Trouble> {
    let wrong = Trouble::WrongLength { get, length: data.len() };
    Ok(match (get, data) {
        (Get::WorkTime, &[h, m, s]) => Some((Field::ElapsedS, hms(get, [h, m, s])?)),
        (Get::Pace, &[low, high, unit]) => {
            pace([low, high, unit], dialect.pace)?.map(|mps| (Field::SpeedMps, mps))
        }
        (Get::Calories, &[low, high]) => Some((Field::EnergyKcal, number(low, high))),
        (Get::HeartRate, &[0]) => None,
        (Get::HeartRate, &[bpm]) => Some((Field::HeartRateBpm, f64::from(bpm))),
        (Get::Gear, &[gear]) => Some((Field::Resistance, f64::from(gear))),
        (Get::Grade, &[low, high, unit]) => {
            // Downhill is negative, in two's complement.
            let steps = f64::from(i16::from_le_bytes([low, high]));
            Some(measured(get, steps, unit, dialect)?)
        }
        (Get::Distance | Get::Speed | Get::Cadence | Get::Power, &[low, high, unit]) => {
            Some(measured(get, number(low, high), unit, dialect)?)
        }
        _ => return Err(wrong),
    })
}

fn number(low: u8, high: u8) -> f64 {
    f64::from(u16::from_le_bytes([low, high]))
}

/// A damaged answer whose checksum fits by chance shows here: no clock has 60 seconds.
fn hms(get: Get, [h, m, s]: [u8; 3]) -> Result<f64, Trouble> {
    if m > 59 || s > 59 {
        return Err(Trouble::OutOfRange { get, field: Field::ElapsedS });
    }
    Ok(f64::from(h) * 3600.0 + f64::from(m) * 60.0 + f64::from(s))
}

fn measured(get: Get, steps: f64, unit: u8, dialect: Dialect) -> Result<(Field, f64), Trouble> {
    let quantity = quantity(unit).ok_or(Trouble::UnknownUnit { get, unit })?;
    Ok(match (get, quantity) {
        (Get::Distance, Quantity::Length(metres)) => (Field::DistanceM, steps * metres),
        (Get::Speed, Quantity::Speed(mps)) => (Field::SpeedMps, steps * mps),
        (Get::Grade, Quantity::Grade(percent)) => (Field::InclinePct, steps * percent),
        (Get::Power, Quantity::Power) => (Field::PowerW, steps),
        (Get::Cadence, Quantity::Turns | Quantity::Strokes) => {
            let field = match (dialect.cadence, quantity) {
                (Cadence::Strokes, _) | (Cadence::Unit, Quantity::Strokes) => Field::StrokeRateSpm,
                _ => Field::CadenceRpm,
            };
            (field, steps)
        }
        _ => return Err(Trouble::UnfitUnit { get, unit }),
    })
}

/// The speed that a pace means; none while nothing moves.
fn pace(data: [u8; 3], format: PaceFormat) -> Result<Option<f64>, Trouble> {
    let get = Get::Pace;
    let [low, high, unit] = data;
    let (steps, per_step) = match format {
        PaceFormat::HmsPerKm => (hms(get, data)?, 1000.0),
        PaceFormat::HmsPerMile => (hms(get, data)?, 1609.344),
        PaceFormat::Unit if unit == 0 => (hms(get, data)?, 1000.0),
        PaceFormat::Unit => match quantity(unit) {
            Some(Quantity::Pace(per_step)) => (number(low, high), per_step),
            Some(_) => return Err(Trouble::UnfitUnit { get, unit }),
            None => return Err(Trouble::UnknownUnit { get, unit }),
        },
    };
    Ok((steps > 0.0).then(|| per_step / steps))
}
