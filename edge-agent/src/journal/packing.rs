//! Packed samples as they lie in the file: compressed when that makes them shorter.

use protocol::machine::TimedSample;
use protocol::machine::columns::{self, ColumnsError};
use protocol::sync::entry::MAX_ENTRY_BYTES;
use std::io::Read;

/// A compressed payload starts so; a plain one starts with its version, 1.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const LEVEL: i32 = 1;
/// No block of samples of an entry inflates beyond this.
const MAX_INFLATED: u64 = 16 * MAX_ENTRY_BYTES as u64;

/// Packs samples into payloads of at most [`MAX_ENTRY_BYTES`], each with the number of its samples.
pub fn pack(samples: &[TimedSample]) -> Vec<(Vec<u8>, usize)> {
    samples.chunks(columns::MAX_SAMPLES).flat_map(pack_block).collect()
}

fn pack_block(samples: &[TimedSample]) -> Vec<(Vec<u8>, usize)> {
    let plain = columns::encode(samples);
    let packed = match zstd::bulk::compress(&plain, LEVEL) {
        Ok(packed) if packed.len() < plain.len() => packed,
        _ => plain,
    };
    if packed.len() <= MAX_ENTRY_BYTES || samples.len() < 2 {
        return vec![(packed, samples.len())];
    }
    let (first, second) = samples.split_at(samples.len() / 2);
    [pack_block(first), pack_block(second)].concat()
}

/// The inverse of [`pack`], for one payload.
pub fn unpack(payload: &[u8]) -> Result<Vec<TimedSample>, UnpackError> {
    if !payload.starts_with(&ZSTD_MAGIC) {
        return Ok(columns::decode(payload)?);
    }
    let mut plain = Vec::new();
    let mut decoder = zstd::stream::read::Decoder::with_buffer(payload)?;
    decoder.by_ref().take(MAX_INFLATED).read_to_end(&mut plain)?;
    Ok(columns::decode(&plain)?)
}

/// Why a payload is no packed samples.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// Not compressed as it claims.
    #[error("the compressed samples are damaged")]
    Compression(#[from] std::io::Error),
    /// No samples inside.
    #[error(transparent)]
    Columns(#[from] ColumnsError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::machine::{Field, Sample};

    fn samples(count: u32, noise: impl Fn(u32) -> i32) -> Vec<TimedSample> {
        let sample = |n: u32| {
            let mut sample = Sample { seq: u64::from(n), boot: Some(7), ..Sample::default() };
            sample.fields.set_scaled(Field::PowerW, noise(n));
            TimedSample { source: n % 50, mono_ms: u64::from(n), sample }
        };
        (0..count).map(sample).collect()
    }

    #[test]
    fn samples_round_trip() {
        let samples = samples(1000, |n| 2000 + (n % 7).cast_signed());

        let packed = pack(&samples);

        assert_eq!(packed.len(), 1);
        assert_eq!(unpack(&packed[0].0).unwrap(), samples);
    }

    #[test]
    fn what_is_too_large_for_an_entry_is_split() {
        let samples = samples(60_000, |n| {
            let mixed = (n ^ (n >> 7)).wrapping_mul(0x85eb_ca6b);
            ((mixed ^ (mixed >> 13)).wrapping_mul(0xc2b2_ae35) >> 1).cast_signed()
        });

        let packed = pack(&samples);

        assert!(packed.len() > 1);
        assert!(packed.iter().all(|(payload, _)| payload.len() <= MAX_ENTRY_BYTES));
        let unpacked: Vec<_> =
            packed.iter().flat_map(|(payload, _)| unpack(payload).unwrap()).collect();
        assert_eq!(unpacked, samples);
    }

    #[test]
    fn a_bomb_is_not_inflated() {
        let bomb = zstd::bulk::compress(&vec![1; 64 << 20], 1).unwrap();

        assert!(unpack(&bomb).is_err());
    }
}
