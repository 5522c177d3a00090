//! A block that is read column by column, strictly and within bounds.

use super::mode::{KIND, Kind, RELATIVE, SPARSE, is_set, number, ones, unzigzag};
use super::{COLUMNS, COLUMNS_VERSION, ColumnsError, MAX_SAMPLES};

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
