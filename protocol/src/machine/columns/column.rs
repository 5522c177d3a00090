//! One column: which samples have a value, and the values as deltas in the mode that is shortest.

use super::{COLUMNS, COLUMNS_VERSION, ColumnsError, MAX_SAMPLES};

/// How the numbers of a column follow from its varints. Arithmetic wraps, so every u64 survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    /// One number for all.
    Constant = 0,
    /// The smallest number, then what each is above it.
    Offset = 1,
    /// The first number, then signed steps.
    Delta = 2,
    /// The first number, the first step, then signed changes of the step.
    DeltaOfDelta = 3,
}

const KIND: u8 = 0b0000_0011;
/// A presence bitmap follows the mode.
const SPARSE: u8 = 0b0000_0100;
/// The numbers are distances to `mono_ms`.
const RELATIVE: u8 = 0b0000_1000;

/// Values of one column on their way into a block.
pub(super) struct Column {
    count: usize,
    bitmap: Vec<u8>,
    values: Vec<u64>,
}

impl Column {
    pub(super) fn with_capacity(count: usize) -> Self {
        Self {
            count: 0,
            bitmap: Vec::with_capacity(count.div_ceil(8)),
            values: Vec::with_capacity(count),
        }
    }

    pub(super) fn clear(&mut self) {
        self.count = 0;
        self.bitmap.clear();
        self.values.clear();
    }

    pub(super) fn push(&mut self, value: u64) {
        self.push_option(Some(value));
    }

    pub(super) fn push_option(&mut self, value: Option<u64>) {
        if self.count.is_multiple_of(8) {
            self.bitmap.push(0);
        }
        if let Some(value) = value {
            self.bitmap[self.count / 8] |= 1 << (self.count % 8);
            self.values.push(value);
        }
        self.count += 1;
    }

    /// Appends the column to a block; `false` if it needs no place there.
    pub(super) fn write(
        &mut self,
        is_optional: bool,
        base: Option<&[u64]>,
        block: &mut Vec<u8>,
    ) -> bool {
        if self.values.is_empty() || (!is_optional && self.values.iter().all(|&value| value == 0)) {
            return false;
        }
        let is_sparse = self.values.len() < self.count;
        let mut plan = Plan::of(&self.values);
        let mut flags = if is_sparse { SPARSE } else { 0 };
        if let Some(base) = base {
            let distances = self.distances(base);
            let relative = Plan::of(&distances);
            if relative.cost < plan.cost {
                plan = relative;
                flags |= RELATIVE;
                self.values = distances;
            }
        }
        block.push(plan.kind as u8 | flags);
        if is_sparse {
            block.extend_from_slice(&self.bitmap);
        }
        put_values(plan, &self.values, block);
        true
    }

    fn distances(&self, base: &[u64]) -> Vec<u64> {
        let present = base.iter().enumerate().filter(|&(at, _)| is_set(&self.bitmap, at));
        present.zip(&self.values).map(|((_, base), value)| value.wrapping_sub(*base)).collect()
    }
}

/// The cheapest way to write some numbers.
#[derive(Clone, Copy)]
struct Plan {
    kind: Kind,
    min: u64,
    cost: usize,
}

impl Plan {
    /// `values` is not empty.
    fn of(values: &[u64]) -> Self {
        let first = values[0];
        if values.iter().all(|&value| value == first) {
            return Self { kind: Kind::Constant, min: first, cost: length(zigzag(first)) };
        }
        let min = values.iter().copied().map(u64::cast_signed).min().unwrap_or(0).cast_unsigned();
        let (mut offset, mut delta, mut second) = (length(zigzag(min)), 0, 0);
        let (mut last, mut step) = (0_u64, 0_u64);
        for &value in values {
            let new_step = value.wrapping_sub(last);
            offset += length(value.wrapping_sub(min));
            delta += length(zigzag(new_step));
            second += length(zigzag(new_step.wrapping_sub(step)));
            (last, step) = (value, new_step);
        }
        let (kind, cost) = [(Kind::Offset, offset), (Kind::DeltaOfDelta, second)]
            .into_iter()
            .fold((Kind::Delta, delta), |best, next| if next.1 < best.1 { next } else { best });
        Self { kind, min, cost }
    }
}

fn put_values(plan: Plan, values: &[u64], block: &mut Vec<u8>) {
    let (mut last, mut step) = (0_u64, 0_u64);
    match plan.kind {
        Kind::Constant => put_varint(block, zigzag(plan.min)),
        Kind::Offset => {
            put_varint(block, zigzag(plan.min));
            values.iter().for_each(|value| put_varint(block, value.wrapping_sub(plan.min)));
        }
        Kind::Delta => {
            for &value in values {
                put_varint(block, zigzag(value.wrapping_sub(last)));
                last = value;
            }
        }
        Kind::DeltaOfDelta => {
            for &value in values {
                let new_step = value.wrapping_sub(last);
                put_varint(block, zigzag(new_step.wrapping_sub(step)));
                (last, step) = (value, new_step);
            }
        }
    }
}

/// A block that is being read, column after column.
pub(super) struct Read<'a> {
    rest: &'a [u8],
    mask: u64,
    pub(super) count: usize,
}

impl<'a> Read<'a> {
    pub(super) fn open(block: &'a [u8]) -> Result<Self, ColumnsError> {
        let (&version, rest) = block.split_first().ok_or(ColumnsError::CutOff)?;
        if version != COLUMNS_VERSION {
            return Err(ColumnsError::Version(version));
        }
        let mut read = Self { rest, mask: 0, count: 0 };
        read.count = usize::try_from(read.varint(0)?).map_err(|_| ColumnsError::TooMany)?;
        if read.count > MAX_SAMPLES {
            return Err(ColumnsError::TooMany);
        }
        read.mask = read.varint(0)?;
        if read.mask >> COLUMNS != 0 || (read.count == 0 && read.mask != 0) {
            return Err(ColumnsError::Malformed(0));
        }
        Ok(read)
    }

    /// The columns that follow, in order.
    pub(super) fn columns(&self) -> impl Iterator<Item = usize> + use<> {
        let mask = self.mask;
        (0..COLUMNS).filter(move |index| mask & (1 << index) != 0)
    }

    /// Reads the next column into `values`; the answer is the bitmap of a sparse one.
    pub(super) fn column(
        &mut self,
        index: usize,
        is_optional: bool,
        base: Option<&[u64]>,
        values: &mut Vec<u64>,
    ) -> Result<Option<&'a [u8]>, ColumnsError> {
        let malformed = ColumnsError::Malformed(number(index));
        let mode = self.bytes(1)?[0];
        let is_known = mode & !(KIND | SPARSE | RELATIVE) == 0;
        if !is_known
            || (mode & SPARSE != 0 && !is_optional)
            || (mode & RELATIVE != 0 && base.is_none())
        {
            return Err(malformed);
        }
        let bitmap = if mode & SPARSE == 0 { None } else { Some(self.bitmap(malformed)?) };
        let present = bitmap.map_or(self.count, ones);
        values.clear();
        self.values(mode & KIND, present, number(index), values)?;
        if mode & RELATIVE != 0 {
            add_base(values, base.unwrap_or_default(), bitmap);
        }
        Ok(bitmap)
    }

    /// A bitmap of some, but not all samples, with nothing behind the last.
    fn bitmap(&mut self, malformed: ColumnsError) -> Result<&'a [u8], ColumnsError> {
        let bitmap = self.bytes(self.count.div_ceil(8))?;
        let has_excess = (self.count..bitmap.len() * 8).any(|at| is_set(bitmap, at));
        let present = ones(bitmap);
        if has_excess || present == 0 || present == self.count {
            Err(malformed)
        } else {
            Ok(bitmap)
        }
    }

    fn values(
        &mut self,
        kind: u8,
        present: usize,
        index: u8,
        values: &mut Vec<u64>,
    ) -> Result<(), ColumnsError> {
        if kind == Kind::Constant as u8 {
            let value = unzigzag(self.varint(index)?);
            values.resize(present, value);
            return Ok(());
        }
        // Every number takes a byte at least, so nothing is reserved that the input does not pay for.
        if self.rest.len() < present {
            return Err(ColumnsError::CutOff);
        }
        values.reserve(present);
        let (mut last, mut step) = (0_u64, 0_u64);
        if kind == Kind::Offset as u8 {
            let min = unzigzag(self.varint(index)?);
            for _ in 0..present {
                values.push(min.wrapping_add(self.varint(index)?));
            }
        } else if kind == Kind::Delta as u8 {
            for _ in 0..present {
                last = last.wrapping_add(unzigzag(self.varint(index)?));
                values.push(last);
            }
        } else {
            for _ in 0..present {
                step = step.wrapping_add(unzigzag(self.varint(index)?));
                last = last.wrapping_add(step);
                values.push(last);
            }
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<(), ColumnsError> {
        if self.rest.is_empty() { Ok(()) } else { Err(ColumnsError::Trailing(self.rest.len())) }
    }

    fn bytes(&mut self, count: usize) -> Result<&'a [u8], ColumnsError> {
        let (bytes, rest) = self.rest.split_at_checked(count).ok_or(ColumnsError::CutOff)?;
        self.rest = rest;
        Ok(bytes)
    }

    fn varint(&mut self, index: u8) -> Result<u64, ColumnsError> {
        let mut value = 0_u64;
        for (place, &byte) in self.rest.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * place);
            if byte < 0x80 {
                self.rest = &self.rest[place + 1..];
                let is_shortest = byte != 0 || place == 0;
                let is_u64 = place < 9 || byte == 1;
                return if is_shortest && is_u64 {
                    Ok(value)
                } else {
                    Err(ColumnsError::Malformed(index))
                };
            }
        }
        if self.rest.len() < 10 {
            Err(ColumnsError::CutOff)
        } else {
            Err(ColumnsError::Malformed(index))
        }
    }
}

fn add_base(values: &mut [u64], base: &[u64], bitmap: Option<&[u8]>) {
    let is_present = |at: usize| bitmap.is_none_or(|bitmap| is_set(bitmap, at));
    let present = base.iter().enumerate().filter(|&(at, _)| is_present(at));
    for (value, (_, base)) in values.iter_mut().zip(present) {
        *value = value.wrapping_add(*base);
    }
}

fn ones(bitmap: &[u8]) -> usize {
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
fn zigzag(value: u64) -> u64 {
    (value << 1) ^ (value.cast_signed() >> 63).cast_unsigned()
}

fn unzigzag(value: u64) -> u64 {
    (value >> 1) ^ (value & 1).wrapping_neg()
}

/// Bytes of a varint.
fn length(value: u64) -> usize {
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
