//! The bytes of version 0.1 in `golden/v0.1/`: they decode to these values in every later version, and while
//! an encoding keeps its version byte, these values encode to the same bytes.
//!
//! A new file is written by `GOLDEN=write`; one that exists is never changed.

use ed25519_dalek::SigningKey;
use protocol::credential::qr::{self, QrKey, QrPayload};
use protocol::credential::{Credential, StoredCredential};
use protocol::ids::{
    BranchId, CommandId, CredentialId, DeviceId, LinkId, MemberId, SetId, TapId, UserId,
};
use protocol::machine::{Field, Sample, TimedSample, columns};
use protocol::mqtt::payloads::{DecisionAction, DecisionOutcome};
use protocol::rules::{Deed, Means};
use protocol::serial::board::{self, BoardOutcome, BoardState, FirmwareMessage};
use protocol::sync::batch::{Batch, BatchEvent, MachineTelemetry};
use protocol::sync::changes::{Change, Changes, CloudKey, DeviceRecord};
use protocol::sync::entry::{
    Body, CommandResult, Decision, DeviceKind, DeviceProposal, DeviceSecret, DeviceState,
    DeviceStatus, Event, FinishedSet, Gap, GapReason, Maintenance, Notice, Outcome, Reject,
    Severity, Source, Stream, Tap,
};
use protocol::sync::roster::CredentialKind;
use protocol::sync::staff::{Act, StaffAct};
use protocol::sync::state::{Floor, LiveDevice, LiveSample, LiveState, Position};
use protocol::time::Stamp;
use std::path::PathBuf;
use uuid::Uuid;

/// The bytes of a golden file. `encoded` only becomes one if there is none yet and it is asked for.
pub fn golden(name: &str, encoded: &[u8]) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/v0.1").join(name);
    let path = path.with_extension("hex");
    if !path.exists() && std::env::var("GOLDEN").is_ok_and(|wish| wish == "write") {
        let digits = hex::encode(encoded);
        let lines: Vec<&str> =
            digits.as_bytes().chunks(96).map(|line| str::from_utf8(line).unwrap()).collect();
        std::fs::write(&path, lines.join("\n") + "\n").unwrap();
    }
    let digits = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
    hex::decode(digits.split_whitespace().collect::<String>()).unwrap()
}

fn stamp() -> Stamp {
    Stamp {
        boot: 0x0123_4567_89ab_cdef,
        mono_ms: 3_600_000,
        wall_ms: 1_790_000_000_123,
        synced: true,
    }
}

fn machine() -> DeviceId {
    DeviceId(Uuid::from_u128(0x018f_6f6e_7c1b_7aaa_8000_0000_0000_0001))
}

fn bridge() -> DeviceId {
    DeviceId(Uuid::from_u128(0x018f_6f6e_7c1b_7aaa_8000_0000_0000_0002))
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(0x018f_6f6e_7c1b_7aaa_8000_0000_0000_0000 + number)
}

fn check_event(name: &str, source: Source, body: Body) {
    let event = Event { stamp: stamp(), source, body };
    let bytes = golden(name, &event.encode());

    assert_eq!(Event::decode(&bytes).as_ref(), Ok(&event));
    assert_eq!(event.encode(), bytes);
}

fn check_tap(name: &str, credential: StoredCredential) {
    let tap = Tap { tap_id: TapId(id(9)), credential, age_ms: 250 };
    check_event(name, Source::Bridged { device: machine(), bridge: bridge() }, Body::Tap(tap));
}

#[test]
fn taps() {
    let uid = Credential::NfcUid { uid: vec![0x04, 0xa1, 0xb2, 0xc3, 0xd4, 0xe5, 0xf6] };
    check_tap("event-tap-nfc-uid", uid.stored(&[0x11; 32]));
    let sun = StoredCredential::Sun { picc_data: [1; 16], enc: Some(vec![2; 16]), cmac: [3; 8] };
    check_tap("event-tap-sun", sun);
    check_tap("event-tap-qr", StoredCredential::Qr { code: "G1-code".to_owned() });
    let hce =
        StoredCredential::Hce { nonce: vec![4; 16], token: vec![5; 10], signature: vec![6; 64] };
    check_tap("event-tap-hce", hce);
}

#[test]
fn a_set() {
    let set = FinishedSet {
        seq: 300,
        boot: Some(0xdead_beef),
        set_id: Some(SetId(id(10))),
        exercise: Some("leg press".to_owned()),
        reps: 12,
        weight_cg: Some(8_250),
        duration_ms: Some(31_250),
        rom_mm: Some(420),
        at_ms: Some(1_790_000_000_000),
        mono_ms: 3_599_877,
    };
    check_event("event-set", Source::Device(machine()), Body::Set(set));
}

#[test]
fn a_status() {
    let status = DeviceStatus {
        state: DeviceState::OutOfOrder,
        firmware: Some("2.4.1".to_owned()),
        uptime_ms: Some(86_400_000),
        error: Some("belt".to_owned()),
    };
    check_event("event-status", Source::Device(machine()), Body::Status(status));
}

#[test]
fn a_maintenance_report() {
    let report = Maintenance {
        code: "E42".to_owned(),
        severity: Severity::Warning,
        message: "grease the belt".to_owned(),
    };
    check_event("event-maintenance", Source::Device(machine()), Body::Maintenance(report));
}

#[test]
fn a_command_result() {
    let result = CommandResult {
        id: CommandId(id(11)),
        outcome: Outcome::Expired,
        detail: Some("too late".to_owned()),
    };
    check_event("event-command-result", Source::Device(machine()), Body::CommandResult(result));
}

#[test]
fn a_reject() {
    let reject = Reject {
        topic: "gymwire/v1/machines/row-7/telemetry".to_owned(),
        code: "out_of_range".to_owned(),
        field: Some("[3].speed_mps".to_owned()),
        message: "[3].speed_mps is not between 0 and 40".to_owned(),
        payload: b"[{\"seq\":1".to_vec(),
        count: 1,
    };
    check_event("event-reject", Source::Device(machine()), Body::Reject(reject));
}

#[test]
fn a_gap() {
    let gap = Gap {
        stream: Stream::Telemetry,
        reason: GapReason::Dropped,
        first_seq: 100,
        last_seq: 199,
        count: 54_000,
    };
    check_event("event-gap", Source::Edge, Body::Gap(gap));
}

#[test]
fn a_notice() {
    let notice =
        Notice { code: "journal_set_aside".to_owned(), detail: "page 7 is damaged".to_owned() };
    check_event("event-notice", Source::Edge, Body::Notice(notice));
}

#[test]
fn a_proposed_device() {
    let proposal = DeviceProposal {
        id: machine(),
        code: "row-7".parse().unwrap(),
        kind: DeviceKind::Machine,
        secret_sha256: [7; 32],
    };
    check_event("event-device-proposed", Source::Edge, Body::DeviceProposed(proposal));
}

#[test]
fn a_secret_changed_at_the_branch() {
    let id = machine();
    let renewed = DeviceSecret { id, former_sha256: Some([7; 32]), secret_sha256: Some([8; 32]) };
    check_event("event-device-secret", Source::Edge, Body::DeviceSecret(renewed));
    let revoked = DeviceSecret { id, former_sha256: Some([8; 32]), secret_sha256: None };
    check_event("event-device-revoked", Source::Edge, Body::DeviceSecret(revoked));
}

#[test]
fn decisions() {
    let granted = Decision {
        tap_id: TapId(id(9)),
        reader: machine(),
        member: Some(MemberId(id(20))),
        credential: Some(CredentialId(id(21))),
        card: Some([0x22; 32]),
        sun_counter: Some(61),
        outcome: DecisionOutcome::Granted,
        action: DecisionAction::None,
        reason: "granted".to_owned(),
        time_uncertain: true,
    };
    check_event("event-decision-granted", Source::Edge, Body::Decision(granted.clone()));
    let unknown = Decision {
        member: None,
        credential: None,
        sun_counter: None,
        outcome: DecisionOutcome::Denied,
        reason: "unknown_card".to_owned(),
        time_uncertain: false,
        ..granted
    };
    check_event("event-decision-denied", Source::Edge, Body::Decision(unknown));
}

#[test]
fn deeds_and_acts_of_staff() {
    let (member, machine) = (MemberId(id(20)), machine());
    let deed = Deed::Link { link: LinkId(id(31)), member, machine, by: Means::Tap };
    check_event("event-deed", Source::Edge, Body::Deed(deed));
    let reason = Some("left the key at home".to_owned());
    let credential = CredentialId(id(21));
    let kind = CredentialKind::NfcUid { uid_hash: [0x22; 32] };
    let acts = vec![
        Act::CheckIn { member },
        Act::CheckOut { member },
        Act::Link { member, machine },
        Act::Unlink { machine },
        Act::Enqueue { member, machine },
        Act::Dequeue { member, machine },
        Act::OpenDoor { reader: bridge() },
        Act::LockMachine { machine },
        Act::UnlockMachine { machine },
        Act::OutOfOrder { machine, is_out: true },
        Act::Maintenance { machine },
        Act::EnrolCard { member, credential, kind },
        Act::BlockMember { member },
        Act::UnblockMember { member },
    ];
    let bytes = golden("staff-acts", &postcard::to_allocvec(&acts).unwrap());
    assert_eq!(postcard::from_bytes::<Vec<Act>>(&bytes).as_ref(), Ok(&acts));
    assert_eq!(postcard::to_allocvec(&acts).as_ref(), Ok(&bytes));
    let act = acts[6].clone();
    let act = StaffAct { staff: Some(UserId(id(22))), name: "Eva".to_owned(), act, reason };
    check_event("event-staff-act", Source::Edge, Body::StaffAct(act));
    let act = Act::Other { what: "device_rotate".to_owned(), subject: "bike-1".to_owned() };
    let act = StaffAct { staff: None, name: "Eva".to_owned(), act, reason: None };
    check_event("event-staff-act-other", Source::Edge, Body::StaffAct(act));
}

fn samples() -> Vec<TimedSample> {
    let sample = |source: u32, seq: u64, mono_ms: u64| {
        let mut sample = Sample { seq, boot: Some(77), ..Sample::default() };
        sample.uptime_ms = Some(mono_ms - 5_000);
        sample.fields.set(Field::SpeedMps, 2.5 + f64::from(source) / 100.0);
        sample.fields.set(Field::PowerW, -12.5);
        if seq.is_multiple_of(2) {
            sample.fields.set(Field::HeartRateBpm, 130.0);
            sample.at_ms = Some(1_790_000_000_000 - mono_ms.cast_signed());
        }
        TimedSample { source, mono_ms, sample }
    };
    vec![
        sample(1, 10, 100_000),
        sample(1, 11, 101_003),
        sample(1, 12, 101_998),
        sample(2, 7, 100_500),
        sample(2, 9, 101_500),
    ]
}

fn check_columns(name: &str, samples: &[TimedSample]) {
    let bytes = golden(name, &columns::encode(samples));

    assert_eq!(columns::decode(&bytes).as_deref(), Ok(samples));
    assert_eq!(columns::encode(samples), bytes);
}

#[test]
fn packed_samples() {
    check_columns("columns", &samples());
    check_columns("columns-one", &samples()[..1]);
    check_columns("columns-none", &[]);
    check_columns("columns-treadmill", &crate::gym::treadmill(1, 100));
}

/// Compressed bytes may change with the compressor, so what is inside is compared.
#[test]
fn a_batch() {
    let notice = Notice { code: "started".to_owned(), detail: String::new() };
    let event = Event { stamp: stamp(), source: Source::Edge, body: Body::Notice(notice) };
    let batch = Batch {
        epoch: u64::MAX - 1,
        first_seq: 5,
        last_seq: 8,
        telemetry: vec![MachineTelemetry {
            machine: machine(),
            clock: stamp(),
            columns: columns::encode(&samples()),
        }],
        events: vec![BatchEvent { seq: 6, event: event.encode() }],
    };
    let bytes = golden("batch", &batch.encode(3));

    assert_eq!(Batch::decode(&bytes).as_ref(), Ok(&batch));
    assert_eq!(inflated(&batch.encode(3)), inflated(&bytes));
}

fn inflated(bytes: &[u8]) -> Vec<u8> {
    zstd::bulk::decompress(bytes, 1_000_000).unwrap()
}

#[test]
fn a_live_state() {
    let state = LiveState {
        boot: 99,
        n: 1_000,
        stamp: stamp(),
        as_of: Position { epoch: 12, seq: 34 },
        full: true,
        floor: Floor {
            backlog_entries: 1,
            oldest_unsent_ms: 2,
            disk_free_bytes: 3,
            rejects: 4,
            gaps: 5,
            agent_version: "0.1.0".to_owned(),
        },
        machines: vec![LiveDevice {
            device: machine(),
            state: DeviceState::InUse,
            error: None,
            sample: Some(LiveSample::new(3_599_000, &samples()[0].sample.fields)),
        }],
    };
    let bytes = golden("live-state", &state.encode());

    assert_eq!(LiveState::decode(&bytes).as_ref(), Ok(&state));
    assert_eq!(state.encode(), bytes);
}

fn every_change() -> Vec<Change> {
    vec![
        Change::Device(DeviceRecord {
            id: machine(),
            code: "row-7".parse().unwrap(),
            kind: DeviceKind::Machine,
            name: "Rower 7".to_owned(),
            secret_sha256: Some([8; 32]),
            bridge: Some(bridge()),
            topics: vec![],
            enabled: true,
        }),
        Change::DeviceRemoved(bridge()),
        Change::Setting { key: "time_zone".to_owned(), value: "\"Europe/Berlin\"".to_owned() },
        Change::SettingRemoved("door_open_ms".to_owned()),
        Change::CloudKey(CloudKey { key_id: 2, public: [9; 32] }),
        Change::CloudKeyRemoved(1),
        Change::Roster { kind: 1, id: [10; 16], item: vec![1, 2, 3] },
    ]
}

#[test]
fn signed_changes() {
    let key = SigningKey::from_bytes(&[42; 32]);
    let public = CloudKey { key_id: 3, public: key.verifying_key().to_bytes() };
    let changes = Changes {
        branch: BranchId(id(1)),
        from: 17,
        to: 24,
        reset: false,
        more: true,
        changes: every_change(),
    };
    let bytes = golden("changes", &changes.sign(3, &key));

    assert_eq!(Changes::verify(&bytes, &[public]).as_ref(), Ok(&changes));
    assert_eq!(inflated(&changes.sign(3, &key)[67..]), inflated(&bytes[67..]));
}

fn check_frame(name: &str, message: &FirmwareMessage) {
    let bytes = golden(name, &board::encode(message).unwrap());

    assert_eq!(board::FrameReader::new().push(&bytes).as_slice(), std::slice::from_ref(message));
    assert_eq!(board::encode(message).as_ref(), Ok(&bytes));
}

#[test]
fn frames_of_a_board() {
    let hello = FirmwareMessage::Hello {
        code: "row-7".to_owned(),
        firmware: "1.0.3".to_owned(),
        boot: 0xdead_beef,
    };
    check_frame("board-hello", &hello);
    let values = vec![(4, 2_500), (9, -125)];
    check_frame("board-sample", &FirmwareMessage::Sample { seq: 300, uptime_ms: 5_000, values });
    let set = FirmwareMessage::Set {
        seq: 301,
        uptime_ms: 6_000,
        exercise: Some("row".to_owned()),
        reps: 12,
        weight_cg: Some(8_250),
        duration_ms: None,
        rom_mm: Some(420),
    };
    check_frame("board-set", &set);
    let status = FirmwareMessage::Status {
        seq: 302,
        uptime_ms: 7_000,
        state: BoardState::OutOfOrder,
        error: Some("chain".to_owned()),
    };
    check_frame("board-status", &status);
    check_frame("board-ack", &FirmwareMessage::Ack { seq: 302 });
    let command =
        FirmwareMessage::Command { id: [1; 16], command: "lock".to_owned(), ttl_ms: 5_000 };
    check_frame("board-command", &command);
    let result =
        FirmwareMessage::CommandResult { seq: 303, id: [1; 16], outcome: BoardOutcome::Done };
    check_frame("board-command-result", &result);
    let travel = FirmwareMessage::Travel {
        seq: 304,
        uptime_ms: 8_000,
        every_ms: 50,
        position_mm: vec![0, 12, -3, 410],
        weight_cg: Some(4_500),
    };
    check_frame("board-travel", &travel);
}

#[test]
fn frames_of_the_conversation_with_a_board() {
    let welcome = FirmwareMessage::Welcome { boot: 0xdead_beef, session: 0x1234_5678 };
    check_frame("board-welcome", &welcome);
    let resume = FirmwareMessage::Resume { session: 0x1234_5678, since: 0, seq: 300, lost: 2 };
    check_frame("board-resume", &resume);
    check_frame("board-held", &FirmwareMessage::Held { seq: 304 });
    check_frame("board-enquire", &FirmwareMessage::Enquire);
    let text = "Hello, Ada".to_owned();
    check_frame("board-display", &FirmwareMessage::Display { id: [2; 16], text, ttl_ms: 5_000 });
}

#[test]
fn a_qr_code() {
    let key = SigningKey::from_bytes(&[9; 32]);
    let payload = QrPayload {
        kid: 1,
        site_no: 12,
        member_no: 4_711,
        iat_s: 1_790_000_000,
        ttl: 6,
        scope: 1,
        nonce: [1, 2, 3, 4],
    };
    let code = String::from_utf8(golden("qr", qr::sign(&payload, &key).as_bytes())).unwrap();

    let keys = [QrKey { kid: 1, public: key.verifying_key() }];
    assert_eq!(qr::verify(&code, &keys), Ok(payload));
    assert_eq!(qr::sign(&payload, &key), code);
}
