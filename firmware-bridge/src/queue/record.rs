//! The bytes of the queue's file: `magic 4 | length u32 | crc32 u32 | body`, little-endian.
//!
//! The crc covers length and body. The magic lets a reader find the next whole record behind a damaged one.

use super::{Class, Entry, MAX_PAYLOAD};
use crate::clock::Moment;
use std::ops::Range;
use uuid::Uuid;

const MAGIC: [u8; 4] = *b"GWq1";
const HEADER: usize = 12;
const MAX_BODY: usize = FIXED_BODY + MAX_TOPIC + MAX_PAYLOAD;
const FIXED_BODY: usize = 1 + 8 + 16 + 8 + 2;
/// Topics are `gymwire/v1/<folder>/<code of 64>/<leaf>`.
pub(super) const MAX_TOPIC: usize = 256;

const TAP: u8 = 1;
const OTHER: u8 = 2;
const DONE: u8 = 3;

/// One record of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Record {
    /// A message was taken in.
    Kept(Entry),
    /// The message with this number needs no more keeping.
    Done(u64),
}

/// Bytes a message takes in the file.
pub(super) fn size(topic: &str, payload: &[u8]) -> u64 {
    (HEADER + FIXED_BODY + topic.len() + payload.len()) as u64
}

pub(super) fn write_kept(file: &mut Vec<u8>, entry: &Entry) {
    let mut body = Vec::with_capacity(FIXED_BODY + entry.topic.len() + entry.payload.len());
    body.push(match entry.class {
        Class::Tap => TAP,
        // What is lent is not written; were it, the agent would take it for a repeat.
        Class::Other | Class::Lent => OTHER,
    });
    body.extend_from_slice(&entry.seq.to_le_bytes());
    body.extend_from_slice(entry.taken.boot.as_bytes());
    body.extend_from_slice(&entry.taken.at_ms.to_le_bytes());
    let topic_len = u16::try_from(entry.topic.len()).unwrap_or(u16::MAX);
    body.extend_from_slice(&topic_len.to_le_bytes());
    body.extend_from_slice(entry.topic.as_bytes());
    body.extend_from_slice(&entry.payload);
    write(file, &body);
}

pub(super) fn write_done(file: &mut Vec<u8>, seq: u64) {
    let mut body = vec![DONE];
    body.extend_from_slice(&seq.to_le_bytes());
    write(file, &body);
}

fn write(file: &mut Vec<u8>, body: &[u8]) {
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes();
    file.extend_from_slice(&MAGIC);
    file.extend_from_slice(&length);
    file.extend_from_slice(&checksum(length, body).to_le_bytes());
    file.extend_from_slice(body);
}

fn checksum(length: [u8; 4], body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length);
    hasher.update(body);
    hasher.finalize()
}

/// Everything whole in a file, in order, and the stretches of bytes that are not.
pub(super) fn read_all(file: &[u8]) -> (Vec<Record>, Vec<Range<usize>>) {
    let mut records = Vec::new();
    let mut damage: Vec<Range<usize>> = Vec::new();
    let mut at = 0;
    while at < file.len() {
        if let Some((record, length)) = read(&file[at..]) {
            records.push(record);
            at += length;
            continue;
        }
        let next = next_magic(file, at + 1);
        match damage.last_mut() {
            Some(last) if last.end == at => last.end = next,
            _ => damage.push(at..next),
        }
        at = next;
    }
    (records, damage)
}

fn next_magic(file: &[u8], from: usize) -> usize {
    file[from..]
        .windows(MAGIC.len())
        .position(|four| four == MAGIC)
        .map_or(file.len(), |at| from + at)
}

fn read(bytes: &[u8]) -> Option<(Record, usize)> {
    let rest = bytes.strip_prefix(&MAGIC)?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    let body_length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    if body_length > MAX_BODY {
        return None;
    }
    let body = rest.get(..body_length)?;
    if checksum(*length, body) != u32::from_le_bytes(*crc) {
        return None;
    }
    Some((read_body(body)?, HEADER + body_length))
}

fn read_body(body: &[u8]) -> Option<Record> {
    let (&kind, rest) = body.split_first()?;
    let (seq, rest) = rest.split_first_chunk::<8>()?;
    let seq = u64::from_le_bytes(*seq);
    let class = match kind {
        TAP => Class::Tap,
        OTHER => Class::Other,
        DONE => return Some(Record::Done(seq)),
        _ => return None,
    };
    let (boot, rest) = rest.split_first_chunk::<16>()?;
    let (at_ms, rest) = rest.split_first_chunk::<8>()?;
    let (topic_length, rest) = rest.split_first_chunk::<2>()?;
    let (topic, payload) = rest.split_at_checked(usize::from(u16::from_le_bytes(*topic_length)))?;
    Some(Record::Kept(Entry {
        seq,
        class,
        topic: String::from_utf8(topic.to_vec()).ok()?,
        taken: Moment { boot: Uuid::from_bytes(*boot), at_ms: u64::from_le_bytes(*at_ms) },
        payload: payload.to_vec(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry() -> impl Strategy<Value = Entry> {
        (
            any::<u64>(),
            any::<bool>(),
            "[a-z/]{0,40}",
            any::<(u128, u64)>(),
            prop::collection::vec(any::<u8>(), 0..300),
        )
            .prop_map(|(seq, tap, topic, (boot, at_ms), payload)| Entry {
                seq,
                class: if tap { Class::Tap } else { Class::Other },
                topic,
                taken: Moment { boot: Uuid::from_u128(boot), at_ms },
                payload,
            })
    }

    fn record() -> impl Strategy<Value = Record> {
        prop_oneof![entry().prop_map(Record::Kept), any::<u64>().prop_map(Record::Done)]
    }

    fn written(records: &[Record]) -> Vec<Vec<u8>> {
        let write = |record: &Record| {
            let mut bytes = Vec::new();
            match record {
                Record::Kept(entry) => write_kept(&mut bytes, entry),
                Record::Done(seq) => write_done(&mut bytes, *seq),
            }
            bytes
        };
        records.iter().map(write).collect()
    }

    #[test]
    fn the_format_of_the_first_release_stays_readable() {
        let kept = Entry {
            seq: 6,
            class: Class::Tap,
            topic: "t".into(),
            taken: Moment {
                boot: Uuid::from_u128(0x0001_0203_0405_0607_0809_0a0b_0c0d_0e0f),
                at_ms: 1000,
            },
            payload: b"{}".to_vec(),
        };
        let golden = concat!(
            "47577131260000007a04934b010600000000000000000102030405060708090a0b0c0d0e0fe8030000000000000100747b7d",
            "4757713109000000b679a9bb030700000000000000",
        );

        let records = [Record::Kept(kept), Record::Done(7)];

        assert_eq!(hex(&written(&records).concat()), golden);
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
    }

    proptest! {
        #[test]
        fn records_come_back_as_written(records in prop::collection::vec(record(), 0..10)) {
            let file = written(&records).concat();

            prop_assert_eq!(read_all(&file), (records, vec![]));
        }

        #[test]
        fn a_size_is_what_is_written(entry in entry()) {
            let mut file = Vec::new();
            write_kept(&mut file, &entry);

            prop_assert_eq!(size(&entry.topic, &entry.payload), file.len() as u64);
        }

        #[test]
        fn a_torn_tail_costs_only_the_torn_record(
            records in prop::collection::vec(record(), 1..8), cut in any::<prop::sample::Index>(),
        ) {
            let parts = written(&records);
            let file = parts.concat();
            let cut = cut.index(file.len() + 1);
            let mut whole = 0;
            let mut end = 0;
            while whole < parts.len() && end + parts[whole].len() <= cut {
                end += parts[whole].len();
                whole += 1;
            }

            let (found, _) = read_all(&file[..cut]);

            prop_assert_eq!(&found, &records[..whole]);
        }

        #[test]
        fn a_damaged_record_does_not_take_the_others_along(
            records in prop::collection::vec(record(), 2..8),
            victim in any::<prop::sample::Index>(), place in any::<prop::sample::Index>(), flip in 1..=255_u8,
        ) {
            let mut parts = written(&records);
            let victim = victim.index(parts.len());
            let place = place.index(parts[victim].len());
            parts[victim][place] ^= flip;

            let (found, damage) = read_all(&parts.concat());

            let mut expected = records;
            expected.remove(victim);
            prop_assert_eq!(found, expected);
            prop_assert!(!damage.is_empty());
        }

        #[test]
        fn no_bytes_panic(file in prop::collection::vec(any::<u8>(), 0..2000)) {
            read_all(&file);
        }
    }
}
