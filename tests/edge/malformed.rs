//! Every payload of the branch, wrong in every field: acked as such, journaled with its reason, told to the device,
//! and nothing else is hurt.

use crate::door::client::Client;
use crate::door::{Door, device_id, record, soon};
use protocol::machine::{FIELDS, Field};
use protocol::mqtt::payloads::RawFrame;
use protocol::sync::entry::{Body, DeviceKind, Event, Reject};
use serde_json::{Value, json};

/// What is sent, and what it has to be called.
struct Wrong {
    payload: Vec<u8>,
    code: &'static str,
    field: Option<String>,
}

/// A member of a payload, whether it must be there, and values that it cannot have.
type Member = (&'static str, bool, Vec<(Value, &'static str)>);

fn number(name: &'static str, must: bool, min: f64, max: f64) -> Member {
    let wrong = vec![
        (json!(min - 1.0), "out_of_range"),
        (json!(max + 1.0), "out_of_range"),
        (json!("12"), "wrong_type"),
        (json!(true), "wrong_type"),
        (json!([1]), "wrong_type"),
        (json!({}), "wrong_type"),
    ];
    (name, must, wrong)
}

fn integer(name: &'static str, must: bool, beyond: Value) -> Member {
    let mut wrong = vec![
        (beyond, "out_of_range"),
        (json!(1.5), "wrong_type"),
        (json!("1"), "wrong_type"),
        (json!(false), "wrong_type"),
        (json!([]), "wrong_type"),
    ];
    if name != "at_ms" {
        wrong.push((json!(-1), "out_of_range"));
    }
    (name, must, wrong)
}

fn text(name: &'static str, must: bool, longest: usize) -> Member {
    let wrong = vec![
        (json!("x".repeat(longest + 1)), "too_long"),
        (json!(5), "wrong_type"),
        (json!(["x"]), "wrong_type"),
    ];
    (name, must, wrong)
}

fn word(name: &'static str) -> Member {
    let wrong = vec![
        (json!("something"), "unknown_value"),
        (json!(""), "unknown_value"),
        (json!(1), "wrong_type"),
    ];
    (name, true, wrong)
}

fn uuid(name: &'static str, must: bool) -> Member {
    let wrong = vec![
        (json!("0190a1b2"), "wrong_type"),
        (json!("g190a1b2-0000-7000-8000-000000000001"), "wrong_type"),
        (json!(7), "wrong_type"),
    ];
    (name, must, wrong)
}

/// Beyond 64 bits.
const HUGE: f64 = 4e19;

fn numbering() -> Vec<Member> {
    let beyond = json!(HUGE);
    vec![
        integer("seq", true, beyond.clone()),
        integer("boot", false, json!(u64::from(u32::MAX) + 1)),
        integer("at_ms", false, beyond.clone()),
        integer("uptime_ms", false, beyond),
    ]
}

fn sample() -> (Value, Vec<Member>) {
    let mut members = numbering();
    for spec in &FIELDS {
        members.push(match spec.field {
            Field::Reps => integer(spec.name, false, json!(65_536)),
            _ => number(spec.name, false, spec.min, spec.max),
        });
    }
    (json!({"seq": 1, "boot": 2, "uptime_ms": 3}), members)
}

fn set() -> (Value, Vec<Member>) {
    let mut members = numbering();
    members.extend([
        uuid("set_id", false),
        text("exercise", false, 64),
        integer("reps", true, json!(65_536)),
        number("weight_kg", false, 0.0, 1_000.0),
        number("duration_s", false, 0.0, 86_400.0),
        number("rom_mm", false, 0.0, 5_000.0),
    ]);
    (json!({"seq": 1, "boot": 2, "reps": 10}), members)
}

fn status() -> (Value, Vec<Member>) {
    let members = vec![
        word("state"),
        text("firmware", false, 64),
        integer("uptime_ms", false, json!(HUGE)),
        text("error", false, 512),
    ];
    (json!({"state": "idle"}), members)
}

fn maintenance() -> (Value, Vec<Member>) {
    let members = vec![text("code", true, 64), word("severity"), text("message", true, 512)];
    (json!({"code": "E7", "severity": "fault", "message": "belt"}), members)
}

fn result() -> (Value, Vec<Member>) {
    let members = vec![uuid("id", true), word("outcome"), text("detail", false, 512)];
    (json!({"id": "0190a1b2-0000-7000-8000-000000000001", "outcome": "done"}), members)
}

fn tap() -> (Value, Vec<Member>) {
    let members = vec![
        uuid("tap_id", true),
        integer("age_ms", true, json!(u64::from(u32::MAX) + 1)),
        ("credential", true, vec![(json!("04a1b2c3"), "wrong_type"), (json!([]), "wrong_type")]),
    ];
    let credential = json!({"kind": "nfc_uid", "uid": "04a1b2c3"});
    let tap_id = "0190a1b2-0000-7000-8000-000000000001";
    (json!({"tap_id": tap_id, "age_ms": 5, "credential": credential}), members)
}

fn challenge() -> (Value, Vec<Member>) {
    (json!({"request_id": "x"}), vec![text("request_id", true, 64)])
}

/// All ways to get one of the members wrong.
fn each_member((good, members): (Value, Vec<Member>)) -> Vec<Wrong> {
    let mut all = Vec::new();
    for (name, must, values) in members {
        let mut with = |value: Option<Value>, code| {
            let mut payload = good.clone();
            let object = payload.as_object_mut().unwrap();
            object.remove(name);
            object.extend(value.map(|value| (name.to_owned(), value)));
            let payload = payload.to_string().into_bytes();
            all.push(Wrong { payload, code, field: Some(name.to_owned()) });
        };
        for (value, code) in values {
            with(Some(value), code);
        }
        if must {
            with(None, "missing");
            with(Some(Value::Null), "missing");
        }
    }
    all
}

/// What is wrong with any payload of JSON.
fn no_json(good: &Value) -> Vec<Wrong> {
    let wrong = |payload: &[u8], code, field: Option<&str>| Wrong {
        payload: payload.to_vec(),
        code,
        field: field.map(str::to_owned),
    };
    let good = good.to_string();
    let (key, _) = good[1..].split_once(':').unwrap();
    let twice = format!("{{{key}:1,{}", &good[1..]);
    vec![
        wrong(b"", "malformed", None),
        wrong(b"{", "malformed", None),
        wrong(&good.as_bytes()[..good.len() - 1], "malformed", None),
        wrong(format!("{good}x").as_bytes(), "malformed", None),
        wrong(b"{\"seq\":1e999}", "malformed", None),
        wrong(b"{\"state\":\"\xFF\"}", "malformed", None),
        wrong(twice.as_bytes(), "malformed", None),
        wrong(b"\x00\x01\x02", "malformed", None),
        wrong(b"5", "wrong_type", None),
        wrong(b"\"idle\"", "wrong_type", None),
        wrong(b"null", "wrong_type", None),
        wrong(&[b' '; 64 * 1024 + 1], "too_large", None),
    ]
}

fn credentials() -> Vec<Wrong> {
    let qr = "x".repeat(513);
    [
        (json!({}), "missing", "credential.kind"),
        (json!({"kind": "key"}), "unknown_value", "credential.kind"),
        (json!({"kind": "nfc_uid"}), "missing", "credential.uid"),
        (json!({"kind": "nfc_uid", "uid": "04a"}), "wrong_type", "credential.uid"),
        (json!({"kind": "nfc_uid", "uid": "zz"}), "wrong_type", "credential.uid"),
        (json!({"kind": "nfc_uid", "uid": "0102"}), "out_of_range", "credential.uid"),
        (json!({"kind": "sun", "cmac": "00"}), "missing", "credential.picc_data"),
        (json!({"kind": "sun", "picc_data": "00"}), "out_of_range", "credential.picc_data"),
        (json!({"kind": "qr"}), "missing", "credential.code"),
        (json!({"kind": "qr", "code": ""}), "out_of_range", "credential.code"),
        (json!({"kind": "qr", "code": "\u{7}"}), "out_of_range", "credential.code"),
        (json!({"kind": "qr", "code": qr}), "too_long", "credential.code"),
        (json!({"kind": "hce", "token": "00"}), "missing", "credential.nonce"),
        (json!({"kind": "hce", "nonce": "00"}), "out_of_range", "credential.nonce"),
    ]
    .into_iter()
    .map(|(credential, code, field)| {
        let mut payload = tap().0;
        payload["credential"] = credential;
        Wrong { payload: payload.to_string().into_bytes(), code, field: Some(field.to_owned()) }
    })
    .collect()
}

fn arrays() -> Vec<Wrong> {
    let many = Value::Array(vec![json!({"seq": 1}); 513]);
    [
        (json!([]), "missing", None),
        (many, "too_many", None),
        (json!([5]), "wrong_type", Some("[0]")),
        (json!([{"seq": 1}, {"seq": 2, "power_w": 1e6}]), "out_of_range", Some("[1].power_w")),
        (json!([{"seq": 1}, {"boot": 2}]), "missing", Some("[1].seq")),
    ]
    .into_iter()
    .map(|(payload, code, field): (Value, _, Option<&str>)| Wrong {
        payload: payload.to_string().into_bytes(),
        code,
        field: field.map(str::to_owned),
    })
    .collect()
}

/// What is wrong with any raw frame.
fn headers() -> Vec<Wrong> {
    let wrong = |payload: Vec<u8>, code| Wrong { payload, code, field: None };
    vec![
        wrong(Vec::new(), "malformed"),
        wrong(vec![1; 15], "malformed"),
        wrong(vec![1; 16], "malformed"),
        wrong(vec![1; 64 * 1024 + 1], "too_large"),
    ]
}

/// Bodies behind a right header.
fn frames(bodies: &[(&[u8], &'static str, Option<&str>)]) -> Vec<Wrong> {
    let mut all = headers();
    all.extend(bodies.iter().map(|(body, code, field)| Wrong {
        payload: RawFrame { boot: 1, seq: 2, uptime_ms: 3, body }.encode(),
        code,
        field: field.map(str::to_owned),
    }));
    all
}

fn ftms() -> Vec<Wrong> {
    frames(&[
        (&[0xD2], "malformed", None),
        (&[0xD2, 0x2A], "malformed", None),
        (&[0xD2, 0x2A, 0x44], "malformed", None),
        (&[0xD2, 0x2A, 0x44, 0x00, 0x18, 0x01, 0x14], "malformed", None),
        (&[0xD2, 0x2A, 0x44, 0x00, 0x18, 0x01, 0x14, 0, 6, 0, 0x99], "malformed", None),
        (&[0xCE, 0x2A, 0x00, 0x88], "malformed", None),
        (&[0xDA, 0x2A, 0x01], "unsupported", None),
        (&[0x37, 0x2A, 0x00, 0x48], "unsupported", None),
        (&[0xD2, 0x2A, 0x60, 0x20, 0, 0, 1, 0, 200, 0, 9], "unsupported", None),
        (&[0xCD, 0x2A, 0x00, 0x00, 0x40, 0x9C], "out_of_range", Some("speed_mps")),
        (&[0xCD, 0x2A, 0x09, 0x00, 0x59, 0x02, 0, 0], "out_of_range", Some("incline_pct")),
        (&[0xD2, 0x2A, 0x41, 0x00, 0xB9, 0x0B], "out_of_range", Some("power_w")),
        (&[0xD2, 0x2A, 0x05, 0x00, 0x59, 0x02], "out_of_range", Some("cadence_rpm")),
        (&[0xD2, 0x2A, 0x01, 0x02, 24], "out_of_range", Some("heart_rate_bpm")),
        (&[0xD2, 0x2A, 0x11, 0x00, 0x21, 0xA1, 0x07], "out_of_range", Some("distance_m")),
        (&[0xD1, 0x2A, 0x81, 0x00, 0xE9, 0x03], "out_of_range", Some("resistance")),
    ])
}

fn csafe() -> Vec<Wrong> {
    // An answer of a console in use.
    let answer = |contents: &[u8]| {
        let sum = contents.iter().fold(0x85, |sum, byte| sum ^ byte);
        [&[0xF1, 0x85], contents, &[sum, 0xF2]].concat()
    };
    frames(&[
        (&[0x85], "malformed", None),
        (&[0xF1, 0x85, 0x85], "malformed", None),
        (&[0xF1, 0x85, 0x84, 0xF2], "malformed", None),
        (&[0xF1, 0x85, 0xF3, 0x07, 0x85, 0xF2], "malformed", None),
        (&[0xF1, 0x00, 0xF2], "malformed", None),
        (&[0xF1, 0x85, 0x85, 0xF2, 0xF1, 0x05, 0x05, 0xF2], "malformed", None),
        (&[0x11; 300], "malformed", None),
        (&answer(&[0xA1]), "malformed", None),
        (&answer(&[0xA1, 3, 1, 0]), "malformed", None),
        (&answer(&[0xA1, 2, 1, 0]), "malformed", None),
        (&answer(&[0xA5, 3, 1, 0, 0x99]), "unknown_value", None),
        (&answer(&[0xA5, 3, 1, 0, 0x24]), "unknown_value", None),
        (&answer(&[0xA0, 3, 25, 0, 0]), "out_of_range", Some("elapsed_s")),
        (&answer(&[0xA0, 3, 0, 60, 0]), "out_of_range", Some("elapsed_s")),
        (&answer(&[0xA5, 3, 0xFF, 0x0F, 0x30]), "out_of_range", Some("speed_mps")),
        (&answer(&[0xA3, 2, 0xFF, 0xFF]), "out_of_range", Some("energy_kcal")),
        (&answer(&[0xB0, 1, 251]), "out_of_range", Some("heart_rate_bpm")),
        (&answer(&[0xB4, 3, 0xB9, 0x0B, 0x58]), "out_of_range", Some("power_w")),
    ])
}

/// All cases, by the topic's folder and leaf.
fn all() -> Vec<(&'static str, &'static str, Vec<Wrong>)> {
    let json = |kind: (Value, Vec<Member>)| {
        let mut all = no_json(&kind.0);
        all.extend(each_member(kind));
        all
    };
    let no_array = |mut all: Vec<Wrong>| {
        let payload = b"[]".to_vec();
        all.push(Wrong { payload, code: "wrong_type", field: None });
        all
    };
    let mut taps = no_array(json(tap()));
    taps.extend(credentials());
    vec![
        ("machines", "telemetry", no_json(&sample().0)),
        ("machines", "telemetry", arrays()),
        ("machines", "telemetry", each_member(sample())),
        ("machines", "set", no_array(json(set()))),
        ("machines", "status", no_array(json(status()))),
        ("machines", "maintenance", no_array(json(maintenance()))),
        ("machines", "results", no_array(json(result()))),
        ("machines", "ftms", ftms()),
        ("machines", "csafe", csafe()),
        ("readers", "tap", taps),
        ("readers", "status", json(status())),
        ("readers", "results", json(result())),
        ("readers", "challenge", no_array(json(challenge()))),
        ("bridges", "status", json(status())),
        ("bridges", "results", json(result())),
    ]
}

async fn send(client: &mut Client, topic: &str, wrong: &[Wrong]) {
    let mut all = Vec::new();
    for (id, wrong) in (1..).zip(wrong) {
        all.extend(client.publish_packet(0x32, id, topic, &wrong.payload));
    }
    client.send(&all).await;
    let (mut acked, mut told) = (Vec::new(), 0);
    soon(async {
        while acked.len() < wrong.len() || told < wrong.len() {
            match client.receive().await.expect("the connection ended") {
                (0x40, body) => acked.push((u16::from_be_bytes([body[0], body[1]]), body[2])),
                (0x32 | 0x30, body) => {
                    let id_at = 2 + usize::from(u16::from_be_bytes([body[0], body[1]]));
                    client.send(&[0x40, 2, body[id_at], body[id_at + 1]]).await;
                    told += 1;
                }
                other => panic!("{other:?}"),
            }
        }
    })
    .await;
    let expected: Vec<_> = (1..).zip(wrong).map(|(id, _)| (id, 0x99)).collect();
    assert_eq!(acked, expected, "{topic}");
}

fn rejects(events: &[Event], code: &str) -> Vec<Reject> {
    let of = |event: &&Event| event.source.device() == Some(device_id(code));
    let reject = |event: &Event| match &event.body {
        Body::Reject(reject) => Some(reject.clone()),
        _ => None,
    };
    events.iter().filter(of).filter_map(reject).collect()
}

#[tokio::test]
async fn every_payload_wrong_in_every_field_is_among_the_rejects_and_hurts_nobody() {
    let cases = all();
    let name = |at: usize| format!("device-{at}");
    let kind = |folder| match folder {
        "machines" => DeviceKind::Machine,
        "readers" => DeviceKind::Reader,
        _ => DeviceKind::Bridge,
    };
    let mut devices: Vec<_> =
        cases.iter().enumerate().map(|(at, case)| record(&name(at), kind(case.0))).collect();
    devices.push(record("witness", DeviceKind::Machine));
    let door = Door::of(devices, "").await;
    let mut witness = door.v5("witness").await;

    for (at, (folder, leaf, wrong)) in cases.iter().enumerate() {
        let code = name(at);
        let mut device = door.v5(&code).await;
        device.subscribe(&[&format!("gymwire/v1/{folder}/{code}/errors")]).await;
        // The full records of an hour; more would only be counted.
        assert!(wrong.len() <= 100, "{folder}/{leaf}: {}", wrong.len());
        send(&mut device, &format!("gymwire/v1/{folder}/{code}/{leaf}"), wrong).await;
        let seq = format!(r#"{{"seq":{at},"boot":1,"power_w":100}}"#);
        let topic = "gymwire/v1/machines/witness/telemetry";
        assert_eq!(witness.ask(1, topic, seq.as_bytes()).await, Some(0));
    }

    let (events, samples) = door.stop_and_read().await;
    assert_eq!(usize::try_from(samples).unwrap(), cases.len(), "samples of the witness");
    for (at, (folder, leaf, wrong)) in cases.iter().enumerate() {
        let found = rejects(&events, &name(at));
        assert_eq!(found.len(), wrong.len(), "{folder}/{leaf}");
        for (reject, wrong) in found.iter().zip(wrong) {
            let payload = String::from_utf8_lossy(&wrong.payload[..wrong.payload.len().min(90)]);
            let expected = (wrong.code, wrong.field.as_deref());
            assert_eq!(
                (reject.code.as_str(), reject.field.as_deref()),
                expected,
                "{leaf} {payload}"
            );
            assert_eq!(reject.payload, wrong.payload[..wrong.payload.len().min(256)]);
        }
    }
}
