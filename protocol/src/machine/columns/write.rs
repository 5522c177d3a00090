//! One column on its way into a block, in the mode that is shortest.

use super::mode::{Kind, RELATIVE, SPARSE, is_set, length, put_varint, zigzag};

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

    pub(super) fn push(&mut self, value: Option<u64>) {
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
            for value in values {
                put_varint(block, value.wrapping_sub(plan.min));
            }
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
