//! How one column is written: its mode byte, presence bitmap and varints.

/// How the numbers of a column follow from its varints. Arithmetic wraps, so every u64 survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// One number for all.
    Constant = 0,
    /// The smallest number, then what each is above it.
    Offset = 1,
    /// The first number, then signed steps.
    Delta = 2,
    /// The first number, the first step, then signed changes of the step.
    DeltaOfDelta = 3,
}

pub(super) const KIND: u8 = 0b0000_0011;
/// A presence bitmap follows the mode.
pub(super) const SPARSE: u8 = 0b0000_0100;
/// The numbers are distances to `mono_ms`.
pub(super) const RELATIVE: u8 = 0b0000_1000;

pub(super) fn ones(bitmap: &[u8]) -> usize {
    bitmap.iter().map(|byte| byte.count_ones() as usize).sum()
}

pub(super) fn is_set(bitmap: &[u8], at: usize) -> bool {
    bitmap.get(at / 8).is_some_and(|byte| byte & (1 << (at % 8)) != 0)
}

/// The number of a column in an error.
#[expect(clippy::cast_possible_truncation, reason = "there are 18 columns")]
pub(super) fn number(index: usize) -> u8 {
    index as u8
}

/// Small numbers of either sign become small numbers.
pub(super) fn zigzag(value: u64) -> u64 {
    (value << 1) ^ (value.cast_signed() >> 63).cast_unsigned()
}

pub(super) fn unzigzag(value: u64) -> u64 {
    (value >> 1) ^ (value & 1).wrapping_neg()
}

/// Bytes of a varint.
pub(super) fn length(value: u64) -> usize {
    (70 - (value | 1).leading_zeros() as usize) / 7
}

#[expect(clippy::cast_possible_truncation, reason = "seven bits at a time")]
pub(super) fn put_varint(block: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        block.push(value as u8 | 0x80);
        value >>= 7;
    }
    block.push(value as u8);
}
