//! Everything that a device may publish; what is accepted survives another round trip.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::credential::qr;
use protocol::mqtt::Topic;
use protocol::mqtt::payloads;

fuzz_target!(|payload: &[u8]| {
    if let Ok(samples) = payloads::parse_telemetry(payload) {
        assert_eq!(payloads::parse_telemetry(&payloads::telemetry_json(&samples)), Ok(samples));
    }
    if let Ok(set) = payloads::parse_set(payload) {
        assert_eq!(payloads::parse_set(set.to_json().to_string().as_bytes()), Ok(set));
    }
    if let Ok(tap) = payloads::parse_tap(payload) {
        assert_eq!(payloads::parse_tap(tap.to_json().to_string().as_bytes()), Ok(tap));
    }
    let _ = payloads::parse_status(payload);
    let _ = payloads::parse_maintenance(payload);
    let _ = payloads::parse_result(payload);
    let _ = payloads::parse_challenge(payload);
    let _ = payloads::parse_raw_frame(payload);
    if let Ok(text) = std::str::from_utf8(payload) {
        let _ = qr::parse(text);
        if let Some(topic) = Topic::parse(text) {
            assert_eq!(topic.to_string(), text);
        }
    }
});
