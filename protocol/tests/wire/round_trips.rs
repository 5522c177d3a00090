//! What is encoded comes back as it was.

use crate::strategies as any_of;
use ed25519_dalek::SigningKey;
use proptest::collection::vec;
use proptest::prelude::*;
use protocol::machine::{FIELDS, columns};
use protocol::mqtt::payloads;
use protocol::sync::batch::Batch;
use protocol::sync::changes::{Changes, CloudKey};
use protocol::sync::entry::Event;
use protocol::sync::state::LiveState;
use serde_json::Value;

fn text(json: &Value) -> Vec<u8> {
    serde_json::to_vec(json).unwrap()
}

pub fn key() -> (SigningKey, CloudKey) {
    let key = SigningKey::from_bytes(&[42; 32]);
    let public = key.verifying_key().to_bytes();
    (key, CloudKey { key_id: 3, public })
}

proptest! {
    #![proptest_config(crate::strategies::cases())]

    #[test]
    fn packed_samples(samples in vec(any_of::timed_sample(), 0..40)) {
        let block = columns::encode(&samples);
        let summary = columns::summary(&block).unwrap();

        prop_assert_eq!(columns::decode(&block).unwrap(), samples.clone());
        prop_assert_eq!(summary.count as usize, samples.len());
        let times = || samples.iter().map(|timed| timed.mono_ms);
        prop_assert_eq!(summary.first_mono_ms, times().min().unwrap_or(0));
        prop_assert_eq!(summary.last_mono_ms, times().max().unwrap_or(0));
    }

    #[test]
    fn an_erased_field_is_gone_and_all_else_stays(
        samples in vec(any_of::timed_sample(), 0..20),
        field in 0..FIELDS.len(),
    ) {
        let field = FIELDS[field].field;
        let erased = columns::without(&columns::encode(&samples), field).unwrap();

        let expected = samples.into_iter().map(|mut timed| {
            timed.sample.fields.clear(field);
            timed
        });
        prop_assert_eq!(columns::decode(&erased).unwrap(), expected.collect::<Vec<_>>());
    }

    #[test]
    fn events(event in any_of::event()) {
        prop_assert_eq!(Event::decode(&event.encode()), Ok(event));
    }

    #[test]
    fn batches(batch in any_of::batch()) {
        prop_assert_eq!(Batch::decode(&batch.encode(1)), Ok(batch));
    }

    #[test]
    fn live_states(state in any_of::live_state()) {
        prop_assert_eq!(LiveState::decode(&state.encode()), Ok(state));
    }

    #[test]
    fn signed_changes(changes in any_of::changes()) {
        let (key, public) = key();
        prop_assert_eq!(Changes::verify(&changes.sign(3, &key), &[public]), Ok(changes));
    }

    #[test]
    fn telemetry(samples in vec(any_of::fair_sample(), 1..10)) {
        let sent = payloads::telemetry_json(&samples);
        prop_assert_eq!(payloads::parse_telemetry(&sent), Ok(samples));
    }

    #[test]
    fn finished_sets(set in any_of::set_payload()) {
        prop_assert_eq!(payloads::parse_set(&text(&set.to_json())), Ok(set));
    }

    #[test]
    fn statuses(status in any_of::status()) {
        prop_assert_eq!(payloads::parse_status(&text(&status.to_json())), Ok(status));
    }

    #[test]
    fn maintenance_reports(report in any_of::maintenance()) {
        prop_assert_eq!(payloads::parse_maintenance(&text(&report.to_json())), Ok(report));
    }

    #[test]
    fn command_results(result in any_of::command_result()) {
        prop_assert_eq!(payloads::parse_result(&text(&result.to_json())), Ok(result));
    }

    #[test]
    fn taps(tap in any_of::tap_payload()) {
        prop_assert_eq!(payloads::parse_tap(&text(&tap.to_json())), Ok(tap));
    }

    #[test]
    fn raw_frames(header in any::<(u32, u64, u32)>(), body in vec(any::<u8>(), 1..100)) {
        let (boot, seq, uptime_ms) = header;
        let frame = payloads::RawFrame { boot, seq, uptime_ms, body: &body };
        let sent = frame.encode();
        prop_assert_eq!(payloads::parse_raw_frame(&sent), Ok(frame));
    }
}
