//! The unit byte of CSAFE: what a number is a number of. English consoles send miles, so it is never guessed.

/// What a unit measures, and how one step converts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Quantity {
    /// Metres.
    Length(f64),
    /// Metres a second.
    Speed(f64),
    /// Time for a distance: so many metres a second divided by the number.
    Pace(f64),
    /// Turns, steps or strides a minute.
    Turns,
    /// Strokes a minute.
    Strokes,
    /// Percent.
    Grade(f64),
    /// Watts.
    Power,
    /// Known, but nothing that a sample has: floors, beats, torque, masses, currents, calories an hour …
    Other,
}

const MILE_M: f64 = 1609.344;
const FOOT_M: f64 = 0.3048;
const MPH_MPS: f64 = MILE_M / 3600.0;
const KMH_MPS: f64 = 1.0 / 3.6;

/// What a unit byte means; none if it is not in the table of the standard.
pub fn quantity(unit: u8) -> Option<Quantity> {
    Some(match unit {
        0x01 => Quantity::Length(MILE_M),
        0x02 => Quantity::Length(MILE_M / 10.0),
        0x03 => Quantity::Length(MILE_M / 100.0),
        0x04 => Quantity::Length(MILE_M / 1000.0),
        0x05 => Quantity::Length(FOOT_M),
        0x06 => Quantity::Length(FOOT_M / 12.0),
        0x0A => Quantity::Length(FOOT_M * 10.0),
        0x10 => Quantity::Speed(MPH_MPS),
        0x11 => Quantity::Speed(MPH_MPS / 10.0),
        0x12 => Quantity::Speed(MPH_MPS / 100.0),
        0x13 => Quantity::Speed(FOOT_M / 60.0),
        0x21 => Quantity::Length(1000.0),
        0x22 => Quantity::Length(100.0),
        0x23 => Quantity::Length(10.0),
        0x24 => Quantity::Length(1.0),
        0x25 => Quantity::Length(0.1),
        0x26 => Quantity::Length(0.01),
        0x30 => Quantity::Speed(KMH_MPS),
        0x31 => Quantity::Speed(KMH_MPS / 10.0),
        0x32 => Quantity::Speed(KMH_MPS / 100.0),
        0x33 => Quantity::Speed(1.0 / 60.0),
        0x37 => Quantity::Pace(MILE_M / 60.0),
        0x38 => Quantity::Pace(1000.0 / 60.0),
        0x39 => Quantity::Pace(1000.0),
        0x3A => Quantity::Pace(MILE_M),
        0x4A => Quantity::Grade(1.0),
        0x4B => Quantity::Grade(0.01),
        0x4C => Quantity::Grade(0.1),
        0x51..=0x53 => Quantity::Turns,
        0x54 => Quantity::Strokes,
        0x58 => Quantity::Power,
        0x07
        | 0x08
        | 0x27
        | 0x28
        | 0x41..=0x49
        | 0x4F
        | 0x50
        | 0x55..=0x57
        | 0x59..=0x5C
        | 0x61..=0x64 => Quantity::Other,
        _ => return None,
    })
}
