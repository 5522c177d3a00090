//! What devices send, and what they are told when it is wrong.

use protocol::machine::Field;
use protocol::mqtt::payloads::{
    MAX_PAYLOAD_BYTES, Refusal, parse_challenge, parse_maintenance, parse_raw_frame, parse_result,
    parse_set, parse_status, parse_tap, parse_telemetry,
};
use protocol::sync::entry::DeviceState;
use std::fmt::Debug;

type Why = (&'static str, Option<String>);

fn why<T: Debug>(answer: Result<T, Refusal>) -> Why {
    let refusal = answer.unwrap_err();
    (refusal.code, refusal.field)
}

fn is(code: &'static str, field: &str) -> Why {
    (code, Some(field.to_owned()))
}

fn telemetry(payload: &str) -> Why {
    why(parse_telemetry(payload.as_bytes()))
}

fn set(payload: &str) -> Why {
    why(parse_set(payload.as_bytes()))
}

fn status(payload: &str) -> Why {
    why(parse_status(payload.as_bytes()))
}

fn maintenance(payload: &str) -> Why {
    why(parse_maintenance(payload.as_bytes()))
}

fn result(payload: &str) -> Why {
    why(parse_result(payload.as_bytes()))
}

fn tap(credential: &str) -> Why {
    let tap_id = "018f6f6e-7c1b-7aaa-8000-000000000001";
    why(parse_tap(
        format!(r#"{{"tap_id":"{tap_id}","credential":{credential},"age_ms":5}}"#).as_bytes(),
    ))
}

const MALFORMED: Why = ("malformed", None);

#[test]
fn a_sample_is_read_and_rounded() {
    let payload = br#" {"seq":7,"boot":1,"uptime_ms":5000,"speed_mps":2.77777,"reps":12,
        "power_w":-3.26,"vendor_thing":{"a":[1,2]},"incline_pct":null} "#;

    let samples = parse_telemetry(payload).unwrap();

    let [sample] = samples.as_slice() else { panic!("{samples:?}") };
    assert_eq!((sample.seq, sample.boot, sample.uptime_ms), (7, Some(1), Some(5000)));
    assert_eq!(sample.fields.scaled(Field::SpeedMps), Some(2778));
    assert_eq!(sample.fields.scaled(Field::Reps), Some(12));
    assert_eq!(sample.fields.scaled(Field::PowerW), Some(-33));
    assert_eq!(sample.fields.scaled(Field::InclinePct), None);
}

#[test]
fn no_contact_is_no_heart_rate() {
    let samples = parse_telemetry(br#"[{"seq":1,"heart_rate_bpm":0},{"seq":2.0}]"#).unwrap();

    assert_eq!(samples.len(), 2);
    assert!(samples.iter().all(|sample| sample.fields.is_empty()));
}

#[test]
fn a_wrong_sample_is_refused_with_its_field() {
    assert_eq!(telemetry(r#"{"boot":1}"#), is("missing", "seq"));
    assert_eq!(telemetry(r#"{"seq":null}"#), is("missing", "seq"));
    assert_eq!(telemetry(r#"{"seq":-1}"#), is("out_of_range", "seq"));
    assert_eq!(telemetry(r#"{"seq":1.5}"#), is("wrong_type", "seq"));
    assert_eq!(telemetry(r#"{"seq":"1"}"#), is("wrong_type", "seq"));
    assert_eq!(telemetry(r#"{"seq":18446744073709551616}"#), is("out_of_range", "seq"));
    assert_eq!(telemetry(r#"{"seq":1,"boot":4294967296}"#), is("out_of_range", "boot"));
    assert_eq!(telemetry(r#"{"seq":1,"boot":"a"}"#), is("wrong_type", "boot"));
}

#[test]
fn every_field_of_a_sample_has_its_range() {
    let beyond = |field: &str, low: &str, high: &str| {
        let code = is("out_of_range", field);
        assert_eq!(telemetry(&format!(r#"{{"seq":1,"{field}":{low}}}"#)), code, "{field}");
        assert_eq!(telemetry(&format!(r#"{{"seq":1,"{field}":{high}}}"#)), code, "{field}");
        let text = telemetry(&format!(r#"{{"seq":1,"{field}":"1"}}"#));
        assert_eq!(text, is("wrong_type", field));
    };
    beyond("elapsed_s", "-0.1", "86400.1");
    beyond("distance_m", "-0.1", "500000.1");
    beyond("energy_kcal", "-0.1", "20000.1");
    beyond("reps", "-1", "65536");
    beyond("speed_mps", "-0.001", "40.001");
    beyond("incline_pct", "-30.1", "60.1");
    beyond("resistance", "-100.1", "1000.1");
    beyond("cadence_rpm", "-0.1", "300.1");
    beyond("stroke_rate_spm", "-0.1", "300.1");
    beyond("power_w", "-500.1", "3000.1");
    beyond("heart_rate_bpm", "24.9", "250.1");
    beyond("weight_kg", "-0.01", "1000.01");
}

#[test]
fn one_wrong_sample_refuses_its_whole_message() {
    assert_eq!(
        telemetry(r#"[{"seq":1},{"seq":2},{"seq":3},{"seq":4,"speed_mps":41}]"#),
        is("out_of_range", "[3].speed_mps")
    );
    assert_eq!(telemetry(r#"[{"seq":1},7]"#), is("wrong_type", "[1]"));
    assert_eq!(telemetry("[[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]]"), is("wrong_type", "[0]"));
    assert_eq!(telemetry("[]"), ("missing", None));
}

#[test]
fn a_message_has_at_most_512_samples() {
    let many = |count: usize| format!("[{}]", vec![r#"{"seq":1}"#; count].join(","));

    assert_eq!(parse_telemetry(many(512).as_bytes()).unwrap().len(), 512);
    assert_eq!(telemetry(&many(513)), ("too_many", None));
}

#[test]
fn what_is_no_json_is_malformed() {
    assert_eq!(telemetry(""), MALFORMED);
    assert_eq!(telemetry("{"), MALFORMED);
    assert_eq!(telemetry(r#"{"seq":1}x"#), MALFORMED);
    assert_eq!(telemetry(r#"{"seq":NaN}"#), MALFORMED);
    assert_eq!(telemetry(r#"{"seq":1,"seq":2}"#), MALFORMED);
    assert_eq!(telemetry(r#"{"seq":1,"power_w":1,"power_w":2}"#), MALFORMED);
    assert_eq!(telemetry("5"), ("wrong_type", None));
    assert_eq!(telemetry(&"[".repeat(5_000)), MALFORMED);
    assert_eq!(why(parse_telemetry(b"{\"seq\":1,\"x\":\"\xff\"}")), MALFORMED);
    assert_eq!(set(r#"{"seq":1,"reps":1,"reps":1}"#), MALFORMED);
}

#[test]
fn a_payload_has_at_most_64_kib() {
    let padded = |length: usize| {
        let mut payload = br#"{"seq":1}"#.to_vec();
        payload.resize(length, b' ');
        payload
    };

    assert!(parse_telemetry(&padded(MAX_PAYLOAD_BYTES)).is_ok());
    assert_eq!(why(parse_telemetry(&padded(MAX_PAYLOAD_BYTES + 1))), ("too_large", None));
    assert_eq!(why(parse_status(&padded(MAX_PAYLOAD_BYTES + 1))), ("too_large", None));
    assert_eq!(why(parse_raw_frame(&padded(MAX_PAYLOAD_BYTES + 1))), ("too_large", None));
}

#[test]
fn a_set_is_read() {
    let payload = br#"{"seq":9,"boot":3,"set_id":"018F6F6E-7C1B-7AAA-8000-000000000001",
        "exercise":"leg press","reps":10,"weight_kg":82.5,"duration_s":31.25,"rom_mm":420}"#;

    let set = parse_set(payload).unwrap().finish(77);

    assert_eq!((set.seq, set.boot, set.reps, set.mono_ms), (9, Some(3), 10, 77));
    assert_eq!(
        (set.weight_cg, set.duration_ms, set.rom_mm),
        (Some(8_250), Some(31_250), Some(420))
    );
    assert_eq!(set.exercise.as_deref(), Some("leg press"));
    assert!(set.set_id.is_some());
}

#[test]
fn a_wrong_set_is_refused_with_its_field() {
    assert_eq!(set(r#"{"reps":1}"#), is("missing", "seq"));
    assert_eq!(set(r#"{"seq":1}"#), is("missing", "reps"));
    assert_eq!(set(r#"{"seq":1,"reps":65536}"#), is("out_of_range", "reps"));
    assert_eq!(set(r#"{"seq":1,"reps":1.5}"#), is("wrong_type", "reps"));
    assert_eq!(set(r#"{"seq":1,"reps":1,"set_id":"x"}"#), is("wrong_type", "set_id"));
    assert_eq!(set(r#"{"seq":1,"reps":1,"weight_kg":1000.1}"#), is("out_of_range", "weight_kg"));
    assert_eq!(set(r#"{"seq":1,"reps":1,"duration_s":-1}"#), is("out_of_range", "duration_s"));
    assert_eq!(set(r#"{"seq":1,"reps":1,"rom_mm":5001}"#), is("out_of_range", "rom_mm"));
    assert_eq!(set(r#"{"seq":1,"reps":1,"exercise":5}"#), is("wrong_type", "exercise"));
    let long = "x".repeat(65);
    assert_eq!(
        set(&format!(r#"{{"seq":1,"reps":1,"exercise":"{long}"}}"#)),
        is("too_long", "exercise")
    );
    assert_eq!(set("[]"), ("wrong_type", None));
}

#[test]
fn a_wrong_status_is_refused_with_its_field() {
    assert_eq!(parse_status(br#"{"state":"in_use"}"#).unwrap().state, DeviceState::InUse);
    assert_eq!(status("{}"), is("missing", "state"));
    assert_eq!(status(r#"{"state":"asleep"}"#), is("unknown_value", "state"));
    assert_eq!(status(r#"{"state":1}"#), is("wrong_type", "state"));
    assert_eq!(status(r#"{"state":"idle","uptime_ms":-1}"#), is("out_of_range", "uptime_ms"));
    assert_eq!(status(r#"{"state":"idle","firmware":[]}"#), is("wrong_type", "firmware"));
    let long = "x".repeat(513);
    assert_eq!(status(&format!(r#"{{"state":"idle","error":"{long}"}}"#)), is("too_long", "error"));
}

#[test]
fn a_wrong_maintenance_report_is_refused_with_its_field() {
    assert_eq!(maintenance(r#"{"severity":"info","message":""}"#), is("missing", "code"));
    assert_eq!(maintenance(r#"{"code":"E1","message":""}"#), is("missing", "severity"));
    assert_eq!(
        maintenance(r#"{"code":"E1","severity":"bad","message":""}"#),
        is("unknown_value", "severity")
    );
    assert_eq!(maintenance(r#"{"code":"E1","severity":"fault"}"#), is("missing", "message"));
    assert_eq!(
        maintenance(r#"{"code":"E1","severity":"fault","message":false}"#),
        is("wrong_type", "message")
    );
}

#[test]
fn a_wrong_result_is_refused_with_its_field() {
    let id = r#""id":"018f6f6e-7c1b-7aaa-8000-000000000001""#;
    assert_eq!(result(r#"{"outcome":"done"}"#), is("missing", "id"));
    assert_eq!(result(r#"{"id":"1","outcome":"done"}"#), is("wrong_type", "id"));
    assert_eq!(result(&format!("{{{id}}}")), is("missing", "outcome"));
    assert_eq!(result(&format!(r#"{{{id},"outcome":"maybe"}}"#)), is("unknown_value", "outcome"));
    assert_eq!(
        result(&format!(r#"{{{id},"outcome":"done","detail":{{}}}}"#)),
        is("wrong_type", "detail")
    );
}

#[test]
fn a_wrong_tap_is_refused_with_its_field() {
    assert_eq!(why(parse_tap(b"{}")), is("missing", "tap_id"));
    assert_eq!(tap("5"), is("wrong_type", "credential"));
    assert_eq!(tap("{}"), is("missing", "credential.kind"));
    assert_eq!(tap(r#"{"kind":"pin"}"#), is("unknown_value", "credential.kind"));
    assert_eq!(tap(r#"{"kind":"nfc_uid"}"#), is("missing", "credential.uid"));
    assert_eq!(tap(r#"{"kind":"nfc_uid","uid":"zz"}"#), is("wrong_type", "credential.uid"));
    assert_eq!(tap(r#"{"kind":"nfc_uid","uid":"0102"}"#), is("out_of_range", "credential.uid"));
    assert_eq!(
        tap(r#"{"kind":"sun","picc_data":"00","cmac":"00"}"#),
        is("out_of_range", "credential.picc_data")
    );
    assert_eq!(tap(r#"{"kind":"qr","code":""}"#), is("out_of_range", "credential.code"));
    assert_eq!(tap(r#"{"kind":"qr","code":"a\u0000b"}"#), is("out_of_range", "credential.code"));
    let long = "x".repeat(513);
    assert_eq!(
        tap(&format!(r#"{{"kind":"qr","code":"{long}"}}"#)),
        is("too_long", "credential.code")
    );
    let nonce = "00".repeat(15);
    assert_eq!(
        tap(&format!(r#"{{"kind":"hce","nonce":"{nonce}","token":"00","signature":"00"}}"#)),
        is("out_of_range", "credential.nonce")
    );
}

#[test]
fn hexadecimal_digits_may_be_of_either_case() {
    let payload = |uid: &str| {
        let tap_id = "018f6f6e-7c1b-7aaa-8000-000000000001";
        format!(
            r#"{{"tap_id":"{tap_id}","credential":{{"kind":"nfc_uid","uid":"{uid}"}},"age_ms":0}}"#
        )
    };

    assert_eq!(
        parse_tap(payload("04A1B2C3").as_bytes()).unwrap(),
        parse_tap(payload("04a1b2c3").as_bytes()).unwrap()
    );
}

#[test]
fn a_tap_has_an_age() {
    let tap = |age: &str| {
        let tap_id = "018f6f6e-7c1b-7aaa-8000-000000000001";
        let credential = r#"{"kind":"qr","code":"1"}"#;
        format!(r#"{{"tap_id":"{tap_id}","credential":{credential}{age}}}"#)
    };

    assert_eq!(why(parse_tap(tap("").as_bytes())), is("missing", "age_ms"));
    assert_eq!(why(parse_tap(tap(r#","age_ms":-1"#).as_bytes())), is("out_of_range", "age_ms"));
    assert_eq!(parse_tap(tap(r#","age_ms":250"#).as_bytes()).unwrap().age_ms, 250);
}

#[test]
fn a_raw_frame_needs_its_header_and_a_body() {
    assert_eq!(why(parse_raw_frame(&[0; 16])), MALFORMED);
    assert_eq!(parse_raw_frame(&[0; 17]).unwrap().body, [0]);
}

#[test]
fn an_ftms_notification_names_its_characteristic() {
    let notification = [[0; 16].as_slice(), &[0xcd, 0x2a, 7, 8]].concat();

    let frame = parse_raw_frame(&notification).unwrap();

    assert_eq!(frame.ftms(), Ok((0x2acd, [7, 8].as_slice())));
    assert_eq!(why(parse_raw_frame(&notification[..18]).unwrap().ftms()), MALFORMED);
}

#[test]
fn a_question_for_a_nonce_is_read() {
    let asked = parse_challenge(br#"{"request_id":"a"}"#).unwrap();

    assert_eq!((asked.request_id.as_str(), asked.nonce, asked.valid_ms), ("a", None, None));
    assert_eq!(why(parse_challenge(b"{}")), is("missing", "request_id"));
    assert_eq!(
        why(parse_challenge(br#"{"request_id":"a","nonce":"00"}"#)),
        is("out_of_range", "nonce")
    );
}
