//! Samples packed by column: one codec for a journal group, a batch and a stored chunk.
//!
//! Layout: version, varint count, varint mask of the columns that are there, then each of these columns:
//! a mode byte, a presence bitmap if not every sample has a value, and byte-aligned varints which zstd
//! packs well. A column that is not there is absent, or 0 where there is no absence (source, seq, mono).

mod mode;
mod read;
mod write;

use super::sample::{FIELDS, Field, Sample};
use read::Read;
use write::Column;

/// The version byte of a block.
pub const COLUMNS_VERSION: u8 = 1;
/// A block has at most this many samples.
pub const MAX_SAMPLES: usize = 65_536;

/// A sample and when it was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TimedSample {
    /// In a journal: the local number of the device. On the wire and in the cloud: 0.
    pub source: u32,
    /// Monotonic time of the edge at which the sample was taken, in milliseconds.
    pub mono_ms: u64,
    /// The sample.
    pub sample: Sample,
}

/// What a block holds, without its samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Number of samples.
    pub count: u32,
    /// Smallest `mono_ms`; 0 without samples.
    pub first_mono_ms: u64,
    /// Largest `mono_ms`; 0 without samples.
    pub last_mono_ms: u64,
}

/// Why bytes are no block of samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ColumnsError {
    /// A version this build does not read.
    #[error("version {0} of packed samples is not supported")]
    Version(u8),
    /// It ends too early.
    #[error("the packed samples are cut off")]
    CutOff,
    /// More samples than a block may have.
    #[error("a block has at most {MAX_SAMPLES} samples")]
    TooMany,
    /// A mode, mask, number or bitmap that no encoder writes.
    #[error("column {0} of the packed samples is malformed")]
    Malformed(u8),
    /// Bytes after the last column.
    #[error("{0} bytes follow the packed samples")]
    Trailing(usize),
}

const SOURCE: usize = 0;
const SEQ: usize = 1;
const BOOT: usize = 2;
const MONO: usize = 3;
const AT: usize = 4;
const UPTIME: usize = 5;
const FIRST_FIELD: usize = 6;
const COLUMNS: usize = FIRST_FIELD + FIELDS.len();

/// Packs samples, in their order. At most [`MAX_SAMPLES`]; further ones are the caller's mistake.
///
/// # Panics
/// With more than [`MAX_SAMPLES`] samples.
pub fn encode(samples: &[TimedSample]) -> Vec<u8> {
    assert!(samples.len() <= MAX_SAMPLES, "a block has at most {MAX_SAMPLES} samples");
    let mut body = Vec::with_capacity(samples.len() * 16 + 64);
    let mut mask = 0;
    let mono: Vec<u64> = samples.iter().map(|timed| timed.mono_ms).collect();
    let mut scratch = Column::with_capacity(samples.len());
    for index in 0..COLUMNS {
        scratch.clear();
        gather(index, samples, &mut scratch);
        let base = is_relative(index).then_some(mono.as_slice());
        if scratch.write(is_optional(index), base, &mut body) {
            mask |= 1_u64 << index;
        }
    }
    seal(samples.len() as u64, mask, &body)
}

fn seal(count: u64, mask: u64, body: &[u8]) -> Vec<u8> {
    let mut block = Vec::with_capacity(body.len() + 8);
    block.push(COLUMNS_VERSION);
    mode::put_varint(&mut block, count);
    mode::put_varint(&mut block, mask);
    block.extend_from_slice(body);
    block
}

/// Unpacks a block.
pub fn decode(block: &[u8]) -> Result<Vec<TimedSample>, ColumnsError> {
    let mut read = Read::open(block)?;
    let mut samples = vec![TimedSample::default(); read.count];
    let mut mono = Vec::new();
    let mut values = Vec::new();
    for index in read.columns() {
        let base = is_relative(index).then_some(mono.as_slice());
        let presence = read.column(index, is_optional(index), base, &mut values)?;
        check_range(index, &values)?;
        scatter(index, &mut samples, presence, &values);
        if index == MONO {
            mono.clone_from(&values);
        }
    }
    read.finish()?;
    Ok(samples)
}

/// What a block holds. Checks every column as [`decode`] does, but builds no samples.
pub fn summary(block: &[u8]) -> Result<Summary, ColumnsError> {
    let mut read = Read::open(block)?;
    let (mut first_mono_ms, mut last_mono_ms) = (0, 0);
    let mut mono = Vec::new();
    let mut values = Vec::new();
    for index in read.columns() {
        let base = is_relative(index).then_some(mono.as_slice());
        read.column(index, is_optional(index), base, &mut values)?;
        check_range(index, &values)?;
        if index == MONO {
            first_mono_ms = values.iter().copied().min().unwrap_or(0);
            last_mono_ms = values.iter().copied().max().unwrap_or(0);
            mono.clone_from(&values);
        }
    }
    let count = u32::try_from(read.count).map_err(|_| ColumnsError::TooMany)?;
    read.finish()?;
    Ok(Summary { count, first_mono_ms, last_mono_ms })
}

/// How many samples a block claims to have: reads its head only, and checks nothing behind it.
pub fn claimed_count(block: &[u8]) -> Result<usize, ColumnsError> {
    Ok(Read::open(block)?.count)
}

/// The same block without a field.
pub fn without(block: &[u8], field: Field) -> Result<Vec<u8>, ColumnsError> {
    let mut samples = decode(block)?;
    for timed in &mut samples {
        timed.sample.fields.clear(field);
    }
    Ok(encode(&samples))
}

fn is_optional(index: usize) -> bool {
    !matches!(index, SOURCE | SEQ | MONO)
}

/// Times that may be packed as their distance to `mono_ms`.
fn is_relative(index: usize) -> bool {
    matches!(index, AT | UPTIME)
}

/// Whether every value fits the type it is decoded into.
fn check_range(index: usize, values: &[u64]) -> Result<(), ColumnsError> {
    let fits = match index {
        SOURCE | BOOT => values.iter().all(|&value| u32::try_from(value).is_ok()),
        SEQ | MONO | AT | UPTIME => true,
        _ => values.iter().all(|&value| i32::try_from(value.cast_signed()).is_ok()),
    };
    if fits { Ok(()) } else { Err(ColumnsError::Malformed(mode::number(index))) }
}

fn gather(index: usize, samples: &[TimedSample], into: &mut Column) {
    let of = |timed: &TimedSample| match index {
        SOURCE => Some(u64::from(timed.source)),
        SEQ => Some(timed.sample.seq),
        BOOT => timed.sample.boot.map(u64::from),
        MONO => Some(timed.mono_ms),
        AT => timed.sample.at_ms.map(i64::cast_unsigned),
        UPTIME => timed.sample.uptime_ms,
        _ => {
            let scaled = timed.sample.fields.scaled(FIELDS[index - FIRST_FIELD].field);
            scaled.map(|scaled| i64::from(scaled).cast_unsigned())
        }
    };
    for timed in samples {
        into.push(of(timed));
    }
}

#[expect(clippy::cast_possible_truncation, reason = "check_range was here before")]
fn scatter(index: usize, samples: &mut [TimedSample], presence: Option<&[u8]>, values: &[u64]) {
    let set = |timed: &mut TimedSample, value: u64| match index {
        SOURCE => timed.source = value as u32,
        SEQ => timed.sample.seq = value,
        BOOT => timed.sample.boot = Some(value as u32),
        MONO => timed.mono_ms = value,
        AT => timed.sample.at_ms = Some(value.cast_signed()),
        UPTIME => timed.sample.uptime_ms = Some(value),
        _ => timed.sample.fields.set_scaled(FIELDS[index - FIRST_FIELD].field, value as i32),
    };
    let Some(bitmap) = presence else {
        samples.iter_mut().zip(values).for_each(|(timed, &value)| set(timed, value));
        return;
    };
    let mut values = values.iter();
    for (at, timed) in samples.iter_mut().enumerate() {
        if mode::is_set(bitmap, at)
            && let Some(&value) = values.next()
        {
            set(timed, value);
        }
    }
}
