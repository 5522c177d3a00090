//! Notifications of the Bluetooth Fitness Machine Service (FTMS), decoded into what a sample has.
//!
//! A record may come in several notifications; each is decoded on its own, with what it has. Two widths are in use for
//! resistance and for a treadmill's pace: the length tells which, and what fits no layout is refused, never guessed at.

mod layout;

use super::sample::{FIELDS, Field, Fields};
use layout::{Bytes, Part, parts};

/// Which kind of machine speaks: the characteristic that notified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Characteristic {
    /// Treadmill Data, 2ACD.
    Treadmill,
    /// Cross Trainer Data, 2ACE: ellipticals. Its flags have 24 bits.
    CrossTrainer,
    /// Step Climber Data, 2ACF: steppers.
    StepClimber,
    /// Stair Climber Data, 2AD0: revolving stairs.
    StairClimber,
    /// Rower Data, 2AD1.
    Rower,
    /// Indoor Bike Data, 2AD2.
    IndoorBike,
}

/// Every kind there is.
pub const CHARACTERISTICS: [Characteristic; 6] = [
    Characteristic::Treadmill,
    Characteristic::CrossTrainer,
    Characteristic::StepClimber,
    Characteristic::StairClimber,
    Characteristic::Rower,
    Characteristic::IndoorBike,
];

impl Characteristic {
    /// The characteristic with this 16-bit UUID.
    pub fn of_uuid(uuid: u16) -> Option<Self> {
        CHARACTERISTICS.into_iter().find(|known| known.uuid() == uuid)
    }

    /// Its 16-bit UUID.
    pub const fn uuid(self) -> u16 {
        match self {
            Self::Treadmill => 0x2ACD,
            Self::CrossTrainer => 0x2ACE,
            Self::StepClimber => 0x2ACF,
            Self::StairClimber => 0x2AD0,
            Self::Rower => 0x2AD1,
            Self::IndoorBike => 0x2AD2,
        }
    }

    const fn flag_bytes(self) -> usize {
        if matches!(self, Self::CrossTrainer) { 3 } else { 2 }
    }
}

/// One notification, decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notification {
    /// What it measured; nothing where the machine says "not available".
    pub fields: Fields,
    /// More of the same record comes in another notification.
    pub has_more: bool,
    /// The layout it was in: some ellipticals send that of a bike.
    pub layout: Characteristic,
}

/// Why a notification cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FtmsError {
    /// Shorter than its flags.
    #[error("the notification is shorter than its flags")]
    TooShort,
    /// Not the length that the flags ask for, in any known width.
    #[error("the flags {flags:#06x} ask for {expected} bytes, it has {found}")]
    Length {
        /// As sent.
        flags: u32,
        /// Length with the usual widths.
        expected: usize,
        /// Length it has.
        found: usize,
    },
    /// Flags of a later version stand beside a field of doubtful width, so no length decides.
    #[error("the flags {flags:#06x} have unknown bits")]
    UnknownFlags {
        /// As sent.
        flags: u32,
    },
    /// A value that no machine can mean: the notification as a whole is not to be trusted.
    #[error("{} is not between {} and {}", FIELDS[*.0 as usize].name, FIELDS[*.0 as usize].min, FIELDS[*.0 as usize].max)]
    OutOfRange(Field),
}

/// Decodes the value of a notification.
///
/// What does not fit under [`Characteristic::CrossTrainer`] but fits exactly as a bike is taken as one. Where both fit
/// (rarely: the third byte of a bike is the low byte of its speed, and has to be 0 for that), only the owner of the
/// machine can tell, by decoding its notifications as [`Characteristic::IndoorBike`].
pub fn decode(characteristic: Characteristic, value: &[u8]) -> Result<Notification, FtmsError> {
    let plain = decode_as(characteristic, value);
    let is_misfit = matches!(plain, Err(FtmsError::Length { .. } | FtmsError::UnknownFlags { .. }));
    if characteristic == Characteristic::CrossTrainer && is_misfit {
        let bike = Characteristic::IndoorBike;
        let knows_all = flags_of(bike, value).is_some_and(|flags| unknown(bike, flags) == 0);
        if let (true, Ok(notification)) = (knows_all, decode_as(bike, value)) {
            return Ok(notification);
        }
    }
    plain
}

fn decode_as(layout: Characteristic, value: &[u8]) -> Result<Notification, FtmsError> {
    let flags = flags_of(layout, value).ok_or(FtmsError::TooShort)?;
    let widths = widths(layout, flags, value.len())?;
    let mut rest = &value[layout.flag_bytes()..];
    let mut fields = Fields::default();
    for part in present(layout, flags) {
        let Some((raw, after)) = rest.split_at_checked(widths.of(part.bytes)) else {
            return Err(FtmsError::TooShort);
        };
        rest = after;
        if let Some((field, value)) = part.value(raw) {
            put(&mut fields, field, value)?;
        }
    }
    Ok(Notification { fields, has_more: flags & 1 != 0, layout })
}

fn flags_of(layout: Characteristic, value: &[u8]) -> Option<u32> {
    value.get(..layout.flag_bytes()).map(little_endian)
}

/// The fields that the flags announce, in order. Bit 0 is the other way round: set, it says "the rest comes later".
fn present(layout: Characteristic, flags: u32) -> impl Iterator<Item = &'static Part> {
    parts(layout).iter().filter(move |part| ((flags ^ 1) >> part.bit) & 1 != 0)
}

/// The bits that no field of the layout belongs to.
fn unknown(layout: Characteristic, flags: u32) -> u32 {
    let direction = if layout == Characteristic::CrossTrainer { 1 << 15 } else { 0 };
    flags & !parts(layout).iter().fold(direction, |known, part| known | 1 << part.bit)
}

/// The widths of one notification, in bytes.
#[derive(Clone, Copy)]
struct Widths {
    resistance: usize,
    pace: usize,
}

impl Widths {
    fn of(self, bytes: Bytes) -> usize {
        match bytes {
            Bytes::Fixed(bytes) => bytes,
            Bytes::Resistance => self.resistance,
            Bytes::Pace => self.pace,
        }
    }
}

/// Resistance has two bytes in version 1.0 of the service and on real bikes, one byte in newer tables of the
/// Bluetooth SIG; a treadmill's pace the other way round.
fn widths(layout: Characteristic, flags: u32, length: usize) -> Result<Widths, FtmsError> {
    let usual = Widths { resistance: 2, pace: 1 };
    let expected = layout.flag_bytes()
        + present(layout, flags).map(|part| usual.of(part.bytes)).sum::<usize>();
    let has = |bytes| present(layout, flags).filter(|part| part.bytes == bytes).count();
    let (resistances, paces) = (has(Bytes::Resistance), has(Bytes::Pace));
    if unknown(layout, flags) != 0 {
        // What a later version adds stands behind the fields known here.
        return match resistances + paces {
            0 if length >= expected && layout != Characteristic::CrossTrainer => Ok(usual),
            0 if length < expected => Err(FtmsError::Length { flags, expected, found: length }),
            _ => Err(FtmsError::UnknownFlags { flags }),
        };
    }
    if length == expected {
        Ok(usual)
    } else if resistances == 1 && length + 1 == expected {
        Ok(Widths { resistance: 1, ..usual })
    } else if paces > 0 && length == expected + paces {
        Ok(Widths { pace: 2, ..usual })
    } else {
        Err(FtmsError::Length { flags, expected, found: length })
    }
}

fn put(fields: &mut Fields, field: Field, value: f64) -> Result<(), FtmsError> {
    let spec = &FIELDS[field as usize];
    if field == Field::HeartRateBpm && value == 0.0 {
        return Ok(());
    }
    if !(spec.min..=spec.max).contains(&value) {
        return Err(FtmsError::OutOfRange(field));
    }
    fields.set(field, value);
    Ok(())
}

fn little_endian(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte))
}
