//! The fields of each characteristic in the order of their flag bits, from the Fitness Machine Service 1.0.

use super::{Characteristic, little_endian};
use crate::machine::Field;

/// How many bytes a part takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bytes {
    /// Always so many.
    Fixed(usize),
    /// 1 or 2.
    Resistance,
    /// 1 or 2.
    Pace,
}

/// What a part means to a sample.
#[derive(Debug, Clone, Copy)]
enum Meaning {
    /// Nothing: averages, rates and remaining time follow from the rest.
    Nothing,
    /// A field; one step of the part is so much of its unit.
    Of(Field, f64),
    /// Seconds for 500 m: the speed of a rower, who tells none.
    Pace,
}

/// One field of a characteristic. Several may share a flag bit.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) bit: u8,
    pub(super) bytes: Bytes,
    is_signed: bool,
    meaning: Meaning,
}

impl Part {
    /// The measured value; none where the machine says "not available" or a sample has no place for it.
    pub(super) fn value(&self, raw: &[u8]) -> Option<(Field, f64)> {
        let number = self.number(raw)?;
        match self.meaning {
            Meaning::Nothing => None,
            Meaning::Of(field, step) => Some((field, f64::from(number) * step)),
            // Slower than an hour for 500 m, or faster than a car: nobody rows.
            Meaning::Pace => {
                (13..=3600).contains(&number).then(|| (Field::SpeedMps, 500.0 / f64::from(number)))
            }
        }
    }

    /// All bits set, or the largest signed number, mean "not available".
    fn number(&self, raw: &[u8]) -> Option<i32> {
        let number = little_endian(raw);
        let bits = 8 * u32::try_from(raw.len()).unwrap_or(4);
        let all = u32::MAX >> (32 - bits);
        // Resistance of one byte has no sign.
        let is_signed = self.is_signed && bits == 16;
        let absent = if is_signed { all >> 1 } else { all };
        if number == absent {
            return None;
        }
        if is_signed {
            return u16::try_from(number).ok().map(|number| i32::from(number.cast_signed()));
        }
        i32::try_from(number).ok()
    }
}

const KMH_HUNDREDTH: f64 = 0.01 / 3.6;

const fn part(bit: u8, bytes: usize, is_signed: bool, meaning: Meaning) -> Part {
    Part { bit, bytes: Bytes::Fixed(bytes), is_signed, meaning }
}

const fn unsigned(bit: u8, bytes: usize, field: Field, step: f64) -> Part {
    part(bit, bytes, false, Meaning::Of(field, step))
}

const fn signed(bit: u8, field: Field, step: f64) -> Part {
    part(bit, 2, true, Meaning::Of(field, step))
}

const fn skip(bit: u8, bytes: usize) -> Part {
    part(bit, bytes, false, Meaning::Nothing)
}

const fn speed(bit: u8) -> Part {
    unsigned(bit, 2, Field::SpeedMps, KMH_HUNDREDTH)
}

const fn distance(bit: u8) -> Part {
    unsigned(bit, 3, Field::DistanceM, 1.0)
}

const fn steps_per_minute(bit: u8) -> Part {
    unsigned(bit, 2, Field::CadenceRpm, 1.0)
}

const fn power(bit: u8) -> Part {
    signed(bit, Field::PowerW, 1.0)
}

/// The console's own scale: the number as it is.
const fn resistance(bit: u8) -> Part {
    Part {
        bit,
        bytes: Bytes::Resistance,
        is_signed: true,
        meaning: Meaning::Of(Field::Resistance, 1.0),
    }
}

/// A treadmill's pace repeats its speed.
const fn pace(bit: u8) -> Part {
    Part { bit, bytes: Bytes::Pace, is_signed: false, meaning: Meaning::Nothing }
}

/// Total energy; the rates behind it are [`rates`].
const fn energy(bit: u8) -> Part {
    unsigned(bit, 2, Field::EnergyKcal, 1.0)
}

/// Energy an hour (2) and a minute (1).
const fn rates(bit: u8) -> Part {
    skip(bit, 3)
}

const fn heart_rate(bit: u8) -> Part {
    unsigned(bit, 1, Field::HeartRateBpm, 1.0)
}

const fn elapsed(bit: u8) -> Part {
    unsigned(bit, 2, Field::ElapsedS, 1.0)
}

pub(super) fn parts(layout: Characteristic) -> &'static [Part] {
    match layout {
        Characteristic::Treadmill => &TREADMILL,
        Characteristic::CrossTrainer => &CROSS_TRAINER,
        Characteristic::StepClimber => &STEP_CLIMBER,
        Characteristic::StairClimber => &STAIR_CLIMBER,
        Characteristic::Rower => &ROWER,
        Characteristic::IndoorBike => &INDOOR_BIKE,
    }
}

static TREADMILL: [Part; 17] = [
    speed(0),
    skip(1, 2), // average speed
    distance(2),
    signed(3, Field::InclinePct, 0.1),
    skip(3, 2), // ramp angle
    skip(4, 4), // elevation gained and lost
    pace(5),
    pace(6), // average pace
    energy(7),
    rates(7),
    heart_rate(8),
    skip(9, 1), // metabolic equivalent
    elapsed(10),
    skip(11, 2), // remaining time
    skip(12, 2), // force on the belt
    power(12),
    skip(13, 3), // steps
];

static CROSS_TRAINER: [Part; 18] = [
    speed(0),
    skip(1, 2), // average speed
    distance(2),
    steps_per_minute(3),
    skip(3, 2), // average step rate
    skip(4, 2), // strides
    skip(5, 4), // elevation gained and lost
    signed(6, Field::InclinePct, 0.1),
    skip(6, 2), // ramp angle
    resistance(7),
    power(8),
    skip(9, 2), // average power
    energy(10),
    rates(10),
    heart_rate(11),
    skip(12, 1), // metabolic equivalent
    elapsed(13),
    skip(14, 2), // remaining time
];

static STEP_CLIMBER: [Part; 10] = [
    skip(0, 4), // floors and steps
    steps_per_minute(1),
    skip(2, 2), // average step rate
    skip(3, 2), // elevation gained
    energy(4),
    rates(4),
    heart_rate(5),
    skip(6, 1), // metabolic equivalent
    elapsed(7),
    skip(8, 2), // remaining time
];

static STAIR_CLIMBER: [Part; 11] = [
    skip(0, 2), // floors
    steps_per_minute(1),
    skip(2, 2), // average step rate
    skip(3, 2), // elevation gained
    skip(4, 2), // strides
    energy(5),
    rates(5),
    heart_rate(6),
    skip(7, 1), // metabolic equivalent
    elapsed(8),
    skip(9, 2), // remaining time
];

static ROWER: [Part; 15] = [
    unsigned(0, 1, Field::StrokeRateSpm, 0.5),
    skip(0, 2), // strokes
    skip(1, 1), // average stroke rate
    distance(2),
    part(3, 2, false, Meaning::Pace),
    skip(4, 2), // average pace
    power(5),
    skip(6, 2), // average power
    resistance(7),
    energy(8),
    rates(8),
    heart_rate(9),
    skip(10, 1), // metabolic equivalent
    elapsed(11),
    skip(12, 2), // remaining time
];

static INDOOR_BIKE: [Part; 14] = [
    speed(0),
    skip(1, 2), // average speed
    unsigned(2, 2, Field::CadenceRpm, 0.5),
    skip(3, 2), // average cadence
    distance(4),
    resistance(5),
    power(6),
    skip(7, 2), // average power
    energy(8),
    rates(8),
    heart_rate(9),
    skip(10, 1), // metabolic equivalent
    elapsed(11),
    skip(12, 2), // remaining time
];
