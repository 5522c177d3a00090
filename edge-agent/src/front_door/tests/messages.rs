//! Messages on their way in and out.

use super::Branch;
use super::device_id;
use crate::journal::What;
use protocol::machine::Field;
use protocol::sync::entry::{Body, DeviceState, Source};

const TELEMETRY: &str = "gymwire/v1/machines/bike/telemetry";
const STATUS: &str = "gymwire/v1/machines/bike/status";

#[tokio::test]
async fn a_sample_is_committed_and_acked() {
    let mut branch = Branch::open().await;
    let mut bike = branch.v311("bike").await;

    let answer = bike.ask(1, TELEMETRY, br#"{"seq":1,"boot":7,"speed_mps":2.5}"#).await;

    assert_eq!(answer, Some(0));
    let (source, seq) = branch
        .committed(|item| match &item.what {
            What::Telemetry(samples) => Some((item.source, samples[0].seq)),
            _ => None,
        })
        .await;
    assert_eq!((source, seq), (Source::Device(device_id("bike")), 1));
    branch.close().await;
}

#[tokio::test]
async fn a_wrong_payload_is_acked_as_such_and_told_to_the_device() {
    let mut branch = Branch::open().await;
    let mut bike = branch.v5("bike").await;
    bike.subscribe(&["gymwire/v1/machines/bike/errors"]).await;

    let answer = bike.ask(1, TELEMETRY, br#"{"seq":1,"speed_mps":1e9}"#).await;

    assert_eq!(answer, Some(0x99));
    let (_, topic, report) = bike.message().await;
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    assert_eq!(topic, "gymwire/v1/machines/bike/errors");
    assert_eq!(report["field"], "speed_mps");
    assert_eq!((&report["code"], &report["seq"]), (&"out_of_range".into(), &1.into()));
    let field = branch
        .committed(|item| match &item.what {
            What::Event(Body::Reject(reject)) => Some(reject.field.clone()),
            _ => None,
        })
        .await;
    assert_eq!(field.as_deref(), Some("speed_mps"));
    branch.close().await;
}

#[tokio::test]
async fn too_large_a_payload_is_a_reject_and_far_too_large_a_one_ends_the_connection() {
    let branch = Branch::open().await;
    let mut bike = branch.v5("bike").await;

    let large = bike.ask(1, TELEMETRY, &vec![b' '; 64 * 1024 + 1]).await;
    let larger = bike.ask(2, TELEMETRY, &vec![b' '; 1024 * 1024]).await;
    bike.publish(3, TELEMETRY, &vec![b' '; 1024 * 1024 + 1]).await;

    assert_eq!((large, larger), (Some(0x99), Some(0x99)));
    assert_eq!(bike.receive().await, Some((0xE0, vec![0x95, 0])));
    assert!(bike.is_closed().await);
    branch.close().await;
}

#[tokio::test]
async fn observers_get_samples_live_and_the_last_status_when_they_come() {
    let branch = Branch::open().await;
    let mut bike = branch.v5("bike").await;
    let retained = bike.publish_packet(0x33, 1, STATUS, br#"{"state":"idle"}"#);
    bike.send(&retained).await;
    bike.receive().await.unwrap();
    let mut screen = branch.v311("screen").await;

    let granted = screen.subscribe(&super::OBSERVED[..2]).await;
    let (first, topic, status) = screen.message().await;
    bike.ask(2, TELEMETRY, br#"{"seq":1,"boot":7,"power_w":250}"#).await;
    let (live, sample_topic, sample) = screen.message().await;

    assert_eq!(granted, [1, 1]);
    assert_eq!((first & 1, topic.as_str()), (1, STATUS));
    assert_eq!(status, br#"{"state":"idle"}"#);
    assert_eq!((live & 1, sample_topic.as_str()), (0, TELEMETRY));
    assert_eq!(sample, br#"{"seq":1,"boot":7,"power_w":250}"#);
    branch.close().await;
}

#[tokio::test]
async fn qos_0_is_journaled_too() {
    let mut branch = Branch::open().await;
    let mut bike = branch.v311("bike").await;

    let packet = bike.publish_packet(0x30, 0, STATUS, br#"{"state":"in_use"}"#);
    bike.send(&packet).await;

    let state = branch
        .committed(|item| match &item.what {
            What::Event(Body::Status(status)) => Some(status.state),
            _ => None,
        })
        .await;
    assert_eq!(state, DeviceState::InUse);
    branch.close().await;
}

#[tokio::test]
async fn a_message_to_a_device_reaches_it() {
    let branch = Branch::open().await;
    let mut gate = branch.v5("gate").await;
    gate.subscribe(&["gymwire/v1/readers/gate/commands"]).await;

    let message = crate::journal::Publish {
        topic: "gymwire/v1/readers/gate/commands".to_owned(),
        payload: "open".into(),
        retain: false,
    };
    branch.publisher.publish(message).await.unwrap();

    let (first, _, payload) = gate.message().await;
    assert_eq!((first & 0x06, payload.as_slice()), (0x02, &b"open"[..]));
    assert!(branch.publisher.online(device_id("gate")));
    assert!(!branch.publisher.online(device_id("bike")));
    branch.close().await;
}

/// `boot` 7, `uptime_ms` 9 000, and what comes behind.
fn raw(seq: u64, body: &[u8]) -> Vec<u8> {
    protocol::mqtt::payloads::RawFrame { boot: 7, seq, uptime_ms: 9_000, body }.encode()
}

#[tokio::test]
async fn raw_frames_become_samples_with_the_numbers_of_their_header() {
    let mut branch = Branch::open().await;
    let mut bike = branch.v5("bike").await;
    let notification = raw(41, &[0xD2, 0x2A, 0x44, 0x00, 0x18, 0x01, 0x14, 0x00, 0x06, 0x00]);
    let answer = raw(42, &[0xF1, 0x85, 0xB4, 0x03, 0xFA, 0x00, 0x58, 0x90, 0xF2]);

    let answers = [
        bike.ask(1, "gymwire/v1/machines/bike/ftms", &notification).await,
        bike.ask(2, "gymwire/v1/machines/bike/ftms", &notification).await,
        bike.ask(3, "gymwire/v1/machines/bike/csafe", &answer).await,
    ];

    // The notification that came again is known by its number.
    assert_eq!(answers, [Some(0); 3]);
    for (seq, cadence, power) in [(41, Some(10.0), 6.0), (42, None, 250.0)] {
        let sample = branch
            .committed(|item| match &item.what {
                What::Telemetry(samples) => Some(samples[0]),
                _ => None,
            })
            .await;
        assert_eq!((sample.boot, sample.seq, sample.uptime_ms), (Some(7), seq, Some(9_000)));
        assert_eq!(sample.fields.value(Field::CadenceRpm), cadence);
        assert_eq!(sample.fields.value(Field::PowerW), Some(power));
    }
    branch.close().await;
}

#[tokio::test]
async fn a_raw_frame_that_cannot_be_decoded_is_kept_as_a_reject_and_told_with_its_number() {
    let mut branch = Branch::open().await;
    let mut bike = branch.v5("bike").await;
    bike.subscribe(&["gymwire/v1/machines/bike/errors"]).await;

    let answer = bike.ask(1, "gymwire/v1/machines/bike/csafe", &raw(41, &[0xF1, 1, 2, 0xF2])).await;

    assert_eq!(answer, Some(0x99));
    let (_, _, report) = bike.message().await;
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    assert_eq!((&report["code"], &report["seq"]), (&"malformed".into(), &41.into()));
    let code = branch
        .committed(|item| match &item.what {
            What::Event(Body::Reject(reject)) => Some(reject.code.clone()),
            _ => None,
        })
        .await;
    assert_eq!(code, "malformed");
    branch.close().await;
}
