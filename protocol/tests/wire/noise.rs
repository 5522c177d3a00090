//! Bytes from outside never panic a decoder, never inflate beyond a limit, and never pass for signed.

use crate::round_trips::key;
use crate::strategies as any_of;
use proptest::collection::vec;
use proptest::prelude::*;
use protocol::credential::qr;
use protocol::ids::DeviceId;
use protocol::machine::columns::TimedSample;
use protocol::machine::{Field, columns, csafe, ftms};
use protocol::mqtt::{Topic, payloads};
use protocol::serial::board;
use protocol::sync::WireError;
use protocol::sync::batch::{
    Batch, BatchEvent, MAX_BATCH_EVENTS, MAX_BATCH_INFLATED, MAX_BATCH_SAMPLES, MachineTelemetry,
};
use protocol::sync::changes::{Changes, MAX_CHANGES_BYTES};
use protocol::sync::entry::Event;
use protocol::sync::state::LiveState;
use protocol::time::Stamp;

/// Every decoder there is.
fn feed(bytes: &[u8]) {
    let summary = columns::summary(bytes);
    assert_eq!(
        columns::decode(bytes).map(|samples| samples.len()),
        summary.map(|s| s.count as usize)
    );
    let _ = columns::without(bytes, Field::HeartRateBpm);
    let _ = Event::decode(bytes);
    let _ = Batch::decode(bytes);
    let _ = LiveState::decode(bytes);
    let _ = Changes::verify(bytes, &[key().1]);
    let _ = payloads::parse_telemetry(bytes);
    let _ = payloads::parse_set(bytes);
    let _ = payloads::parse_status(bytes);
    let _ = payloads::parse_maintenance(bytes);
    let _ = payloads::parse_tap(bytes);
    let _ = payloads::parse_result(bytes);
    let _ = payloads::parse_raw_frame(bytes);
    let _ = csafe::decode(bytes, csafe::Dialect::default());
    for characteristic in ftms::CHARACTERISTICS {
        let _ = ftms::decode(characteristic, bytes);
    }
    let _ = payloads::parse_challenge(bytes);
    let _ = board::decode(bytes);
    let text = String::from_utf8_lossy(bytes);
    let _ = Topic::parse(&text);
    let _ = qr::parse(&text);
}

/// A good message with some bytes changed, and cut somewhere.
fn damaged(good: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let hits = vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    (good, hits, any::<prop::sample::Index>(), any::<bool>()).prop_map(
        |(mut bytes, hits, end, is_cut)| {
            for (at, value) in hits {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            if is_cut {
                bytes.truncate(end.index(bytes.len()));
            }
            bytes
        },
    )
}

proptest! {
    #![proptest_config(crate::strategies::cases())]

    #[test]
    fn any_bytes(bytes in vec(any::<u8>(), 0..300)) {
        feed(&bytes);
    }

    #[test]
    fn any_bytes_behind_a_version(bytes in vec(any::<u8>(), 0..300)) {
        feed(&[&[1], bytes.as_slice()].concat());
    }

    #[test]
    fn json_of_any_shape(text in r#"[\[\]{}",:0-9eE.\-+ntruefalsqboi_mpz \\u]{0,80}"#) {
        feed(text.as_bytes());
    }

    #[test]
    fn damaged_blocks(bytes in damaged(vec(any_of::timed_sample(), 1..10).prop_map(|s| columns::encode(&s)))) {
        feed(&bytes);
    }

    #[test]
    fn damaged_events(bytes in damaged(any_of::event().prop_map(|event| event.encode()))) {
        feed(&bytes);
    }

    #[test]
    fn damaged_batches(bytes in damaged(any_of::batch().prop_map(|batch| batch.encode(1)))) {
        feed(&bytes);
    }

    #[test]
    fn damaged_states(bytes in damaged(any_of::live_state().prop_map(|state| state.encode()))) {
        feed(&bytes);
    }

    #[test]
    fn damaged_telemetry(bytes in damaged(vec(any_of::fair_sample(), 1..4).prop_map(|s| payloads::telemetry_json(&s)))) {
        feed(&bytes);
    }

    #[test]
    fn damaged_taps(bytes in damaged(any_of::tap_payload().prop_map(|tap| serde_json::to_vec(&tap).unwrap()))) {
        feed(&bytes);
    }

    #[test]
    fn one_flipped_bit_in_signed_changes_is_refused(
        changes in any_of::changes(),
        at in any::<prop::sample::Index>(),
        bit in 0..8,
    ) {
        let (key, public) = key();
        let mut message = changes.sign(3, &key);
        let at = at.index(message.len());
        message[at] ^= 1_u8 << bit;

        prop_assert!(Changes::verify(&message, &[public]).is_err());
    }

    #[test]
    fn a_block_that_is_cut_anywhere_is_refused(
        samples in vec(any_of::timed_sample(), 1..10),
        end in any::<prop::sample::Index>(),
    ) {
        let block = columns::encode(&samples);
        let end = end.index(block.len());

        prop_assert!(columns::decode(&block[..end]).is_err());
        prop_assert!(columns::summary(&block[..end]).is_err());
    }
}

#[test]
fn a_bomb_is_not_inflated() {
    let bomb = zstd::bulk::compress(&vec![1; MAX_BATCH_INFLATED + 1], 3).unwrap();

    assert!(bomb.len() < 10_000);
    assert_eq!(Batch::decode(&bomb), Err(WireError::TooLarge { limit: MAX_BATCH_INFLATED }));
}

#[test]
fn a_batch_of_very_many_empty_events_is_refused() {
    let batch = |events: usize| Batch {
        epoch: 1,
        first_seq: 1,
        last_seq: 1,
        telemetry: vec![],
        events: vec![BatchEvent { seq: 1, event: vec![] }; events],
    };

    assert!(Batch::decode(&batch(MAX_BATCH_EVENTS).encode(1)).is_ok());
    assert!(Batch::decode(&batch(MAX_BATCH_EVENTS + 1).encode(1)).is_err());
}

#[test]
fn a_batch_of_very_many_equal_samples_is_refused() {
    let columns = columns::encode(&vec![TimedSample::default(); columns::MAX_SAMPLES]);
    assert_eq!(columns::claimed_count(&columns), Ok(columns::MAX_SAMPLES));
    let machine = DeviceId(uuid::Uuid::nil());
    let clock = Stamp { boot: 1, mono_ms: 0, wall_ms: 0, synced: false };
    let block = MachineTelemetry { machine, clock, columns };
    let batch = |blocks: usize| Batch {
        epoch: 1,
        first_seq: 1,
        last_seq: 1,
        telemetry: vec![block.clone(); blocks],
        events: vec![],
    };
    let most = MAX_BATCH_SAMPLES / columns::MAX_SAMPLES;

    assert!(Batch::decode(&batch(most).encode(1)).is_ok());
    let limit = MAX_BATCH_SAMPLES;
    assert_eq!(Batch::decode(&batch(most + 1).encode(1)), Err(WireError::TooMany { limit }));
}

#[test]
fn a_signed_bomb_is_not_inflated() {
    use ed25519_dalek::Signer;
    let (key, public) = key();
    let packed = zstd::bulk::compress(&vec![0; MAX_CHANGES_BYTES + 1], 3).unwrap();
    let signed = [b"gymwire-changes-v1".as_slice(), &[1, 3, 0], &packed].concat();
    let message = [[1, 3, 0].as_slice(), &key.sign(&signed).to_bytes(), packed.as_slice()].concat();

    let limit = MAX_CHANGES_BYTES;
    assert_eq!(Changes::verify(&message, &[public]), Err(WireError::TooLarge { limit }));
}

#[test]
fn a_frame_that_wants_a_large_window_is_refused() {
    // Header of a zstd frame: magic, no content size, window descriptor for 2 GiB.
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x01, 0x00, 0x00];

    assert!(matches!(Batch::decode(&frame), Err(WireError::Malformed(_))));
}

#[test]
fn a_count_beyond_the_limit_is_refused() {
    // version, varint 65 537, no columns
    assert_eq!(columns::decode(&[1, 0x81, 0x80, 0x04, 0]), Err(columns::ColumnsError::TooMany));
    // version, varint 65 536, column seq, constant 5
    let constant = [1, 0x80, 0x80, 0x04, 0b10, 0, 10];
    assert_eq!(columns::decode(&constant).unwrap().len(), columns::MAX_SAMPLES);
}

#[test]
fn bytes_behind_a_block_are_refused() {
    let block = [columns::encode(&[]), vec![0]].concat();

    assert_eq!(columns::decode(&block), Err(columns::ColumnsError::Trailing(1)));
    assert_eq!(columns::summary(&block), Err(columns::ColumnsError::Trailing(1)));
}

#[test]
fn a_delta_column_is_not_reserved_without_its_bytes() {
    // 65 536 samples claimed, seq as deltas, but hardly any bytes
    assert_eq!(
        columns::decode(&[1, 0x80, 0x80, 0x04, 0b10, 2, 0, 0]),
        Err(columns::ColumnsError::CutOff)
    );
}
