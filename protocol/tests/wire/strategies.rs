//! Any value of every message.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use protocol::credential::{Credential, StoredCredential};
use protocol::ids::{
    Code, CommandId, CredentialId, DeviceId, LinkId, MemberId, SessionId, SetId, TapId, UserId,
};
use protocol::machine::{FIELDS, Fields, Sample, TimedSample};
use protocol::mqtt::payloads::{DecisionAction, DecisionOutcome, SetPayload, TapPayload};
use protocol::rules::{Deed, Means};
use protocol::sync::batch::{Batch, BatchEvent, MachineTelemetry};
use protocol::sync::changes::{Change, Changes, CloudKey, DeviceRecord};
use protocol::sync::entry::{
    Body, CommandResult, Decision, DeviceKind, DeviceProposal, DeviceSecret, DeviceState,
    DeviceStatus, Event, Gap, GapReason, Maintenance, Notice, Outcome, Reject, Severity, Source,
    Stream, Tap,
};
use protocol::sync::staff::{Act, StaffAct};
use protocol::sync::state::{Floor, LiveDevice, LiveSample, LiveState, Position};
use protocol::time::Stamp;
use uuid::Uuid;

/// 64 cases of each property, or as many as `PROPTEST_CASES` says.
pub fn cases() -> ProptestConfig {
    if std::env::var_os("PROPTEST_CASES").is_some() {
        ProptestConfig::default()
    } else {
        ProptestConfig::with_cases(64)
    }
}

fn uuid() -> impl Strategy<Value = Uuid> {
    any::<u128>().prop_map(Uuid::from_u128)
}

fn device_id() -> impl Strategy<Value = DeviceId> {
    uuid().prop_map(DeviceId)
}

pub fn code() -> impl Strategy<Value = Code> {
    "[a-z0-9-]{1,64}".prop_map(|text| text.parse().unwrap())
}

fn short(longest: usize) -> impl Strategy<Value = String> {
    vec(any::<char>(), 0..=longest).prop_map(String::from_iter)
}

fn bytes(longest: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..=longest)
}

/// Any scaled values, also such as no device may send.
fn any_fields() -> impl Strategy<Value = Fields> {
    proptest::array::uniform12(any::<Option<i32>>()).prop_map(|values| {
        let mut fields = Fields::default();
        for (spec, value) in FIELDS.iter().zip(values) {
            if let Some(value) = value {
                fields.set_scaled(spec.field, value);
            }
        }
        fields
    })
}

/// Values within their ranges.
#[expect(clippy::cast_possible_truncation, reason = "every range fits")]
fn fair_fields() -> impl Strategy<Value = Fields> {
    proptest::array::uniform12(option::of(0.0..=1.0_f64)).prop_map(|shares| {
        let mut fields = Fields::default();
        for (spec, share) in FIELDS.iter().zip(shares) {
            if let Some(share) = share {
                let value = spec.min + share * (spec.max - spec.min);
                fields.set_scaled(spec.field, (value * spec.scale).round() as i32);
            }
        }
        fields
    })
}

fn sample_of(fields: impl Strategy<Value = Fields>) -> impl Strategy<Value = Sample> {
    (any::<u64>(), any::<Option<u32>>(), any::<Option<i64>>(), any::<Option<u64>>(), fields)
        .prop_map(|(seq, boot, at_ms, uptime_ms, fields)| Sample {
            seq,
            boot,
            at_ms,
            uptime_ms,
            fields,
        })
}

/// A sample as a device may send it.
pub fn fair_sample() -> impl Strategy<Value = Sample> {
    sample_of(fair_fields())
}

pub fn timed_sample() -> impl Strategy<Value = TimedSample> {
    (any::<u32>(), any::<u64>(), sample_of(any_fields()))
        .prop_map(|(source, mono_ms, sample)| TimedSample { source, mono_ms, sample })
}

pub fn set_payload() -> impl Strategy<Value = SetPayload> {
    let ids = (any::<u64>(), any::<Option<u32>>(), option::of(uuid().prop_map(SetId)));
    let work = (
        option::of(short(64)),
        any::<u16>(),
        option::of(0..=100_000_u32),
        option::of(0..=86_400_000_u32),
        option::of(0..=5_000_u16),
    );
    (ids, work, any::<Option<i64>>(), any::<Option<u64>>()).prop_map(
        |(
            (seq, boot, set_id),
            (exercise, reps, weight_cg, duration_ms, rom_mm),
            at_ms,
            uptime_ms,
        )| {
            SetPayload {
                seq,
                boot,
                set_id,
                exercise,
                reps,
                weight_cg,
                duration_ms,
                rom_mm,
                at_ms,
                uptime_ms,
            }
        },
    )
}

pub fn credential() -> impl Strategy<Value = Credential> {
    let uid = prop_oneof![vec(any::<u8>(), 4), vec(any::<u8>(), 7), vec(any::<u8>(), 10)];
    let enc = (1..=4_usize).prop_flat_map(|blocks| vec(any::<u8>(), blocks * 16));
    prop_oneof![
        uid.prop_map(|uid| Credential::NfcUid { uid }),
        (any::<[u8; 16]>(), option::of(enc), any::<[u8; 8]>())
            .prop_map(|(picc_data, enc, cmac)| Credential::Sun { picc_data, enc, cmac }),
        "[ -~äß€]{1,512}".prop_map(|code| Credential::Qr { code }),
        (vec(any::<u8>(), 16..=32), vec(any::<u8>(), 1..=64), vec(any::<u8>(), 1..=80))
            .prop_map(|(nonce, token, signature)| Credential::Hce { nonce, token, signature }),
    ]
}

fn stored() -> impl Strategy<Value = StoredCredential> {
    credential().prop_map(|credential| credential.stored(&[7; 32]))
}

pub fn tap_payload() -> impl Strategy<Value = TapPayload> {
    (uuid(), credential(), any::<u32>()).prop_map(|(id, credential, age_ms)| TapPayload {
        tap_id: TapId(id),
        credential,
        age_ms,
    })
}

fn state() -> impl Strategy<Value = DeviceState> {
    proptest::sample::select(vec![
        DeviceState::Idle,
        DeviceState::InUse,
        DeviceState::Paused,
        DeviceState::Finished,
        DeviceState::OutOfOrder,
        DeviceState::Offline,
    ])
}

fn kind() -> impl Strategy<Value = DeviceKind> {
    proptest::sample::select(vec![
        DeviceKind::Machine,
        DeviceKind::Reader,
        DeviceKind::Bridge,
        DeviceKind::Observer,
    ])
}

pub fn status() -> impl Strategy<Value = DeviceStatus> {
    (state(), option::of(short(64)), any::<Option<u64>>(), option::of(short(100))).prop_map(
        |(state, firmware, uptime_ms, error)| DeviceStatus { state, firmware, uptime_ms, error },
    )
}

pub fn maintenance() -> impl Strategy<Value = Maintenance> {
    let severities = vec![Severity::Info, Severity::Warning, Severity::Fault];
    (short(64), proptest::sample::select(severities), short(100))
        .prop_map(|(code, severity, message)| Maintenance { code, severity, message })
}

pub fn command_result() -> impl Strategy<Value = CommandResult> {
    let outcomes = vec![Outcome::Done, Outcome::Failed, Outcome::Expired, Outcome::Unknown];
    (uuid(), proptest::sample::select(outcomes), option::of(short(100)))
        .prop_map(|(id, outcome, detail)| CommandResult { id: CommandId(id), outcome, detail })
}

fn reject() -> impl Strategy<Value = Reject> {
    (short(80), short(20), option::of(short(20)), short(60), bytes(256), any::<u32>()).prop_map(
        |(topic, code, field, message, payload, count)| Reject {
            topic,
            code,
            field,
            message,
            payload,
            count,
        },
    )
}

fn gap() -> impl Strategy<Value = Gap> {
    let streams = vec![Stream::Telemetry, Stream::Status, Stream::Reject, Stream::Fact];
    let reasons = vec![GapReason::Thinned, GapReason::Dropped, GapReason::Damaged];
    (proptest::sample::select(streams), proptest::sample::select(reasons), any::<(u64, u64, u64)>())
        .prop_map(|(stream, reason, (first_seq, last_seq, count))| Gap {
            stream,
            reason,
            first_seq,
            last_seq,
            count,
        })
}

fn body() -> impl Strategy<Value = Body> {
    prop_oneof![
        (uuid(), stored(), any::<u32>()).prop_map(|(id, credential, age_ms)| Body::Tap(Tap {
            tap_id: TapId(id),
            credential,
            age_ms
        })),
        (set_payload(), any::<u64>()).prop_map(|(set, mono_ms)| Body::Set(set.finish(mono_ms))),
        status().prop_map(Body::Status),
        maintenance().prop_map(Body::Maintenance),
        command_result().prop_map(Body::CommandResult),
        reject().prop_map(Body::Reject),
        gap().prop_map(Body::Gap),
        (short(30), short(60)).prop_map(|(code, detail)| Body::Notice(Notice { code, detail })),
        (device_id(), code(), kind(), any::<[u8; 32]>()).prop_map(
            |(id, code, kind, secret_sha256)| Body::DeviceProposed(DeviceProposal {
                id,
                code,
                kind,
                secret_sha256
            })
        ),
        (device_id(), any::<Option<[u8; 32]>>(), any::<Option<[u8; 32]>>()).prop_map(
            |(id, former_sha256, secret_sha256)| Body::DeviceSecret(DeviceSecret {
                id,
                former_sha256,
                secret_sha256
            })
        ),
        decision().prop_map(Body::Decision),
        deed().prop_map(Body::Deed),
        (option::of(uuid()), short(30), uuid(), option::of(short(60))).prop_map(
            |(staff, name, member, reason)| Body::StaffAct(StaffAct {
                staff: staff.map(UserId),
                name,
                act: Act::BlockMember { member: MemberId(member) },
                reason
            })
        ),
    ]
}

fn deed() -> impl Strategy<Value = Deed> {
    (uuid(), uuid(), device_id(), any::<bool>(), 0..4_u8).prop_map(
        |(id, member, machine, flag, kind)| {
            let (member, by) = (MemberId(member), if flag { Means::Tap } else { Means::App });
            match kind {
                0 => Deed::CheckIn { session: SessionId(id), member, by },
                1 => Deed::Link { link: LinkId(id), member, machine, by },
                2 => Deed::Enqueue { member, machine },
                _ => Deed::OutOfOrder { machine, is_out: flag },
            }
        },
    )
}

fn decision() -> impl Strategy<Value = Decision> {
    let outcomes = vec![DecisionOutcome::Granted, DecisionOutcome::Denied];
    let actions = vec![DecisionAction::None, DecisionAction::CheckIn, DecisionAction::Unlink];
    let who = (uuid(), device_id(), option::of(uuid()), option::of(uuid()));
    let what = (any::<Option<[u8; 32]>>(), any::<Option<u32>>(), short(64), any::<bool>());
    let words = (proptest::sample::select(outcomes), proptest::sample::select(actions));
    (who, what, words).prop_map(|(who, what, (outcome, action))| Decision {
        tap_id: TapId(who.0),
        reader: who.1,
        member: who.2.map(MemberId),
        credential: who.3.map(CredentialId),
        card: what.0,
        sun_counter: what.1,
        outcome,
        action,
        reason: what.2,
        time_uncertain: what.3,
    })
}

fn stamp() -> impl Strategy<Value = Stamp> {
    any::<(u64, u64, i64, bool)>().prop_map(|(boot, mono_ms, wall_ms, synced)| Stamp {
        boot,
        mono_ms,
        wall_ms,
        synced,
    })
}

pub fn event() -> impl Strategy<Value = Event> {
    let source = prop_oneof![
        Just(Source::Edge),
        device_id().prop_map(Source::Device),
        (device_id(), device_id()).prop_map(|(device, bridge)| Source::Bridged { device, bridge }),
    ];
    (stamp(), source, body()).prop_map(|(stamp, source, body)| Event { stamp, source, body })
}

pub fn batch() -> impl Strategy<Value = Batch> {
    let telemetry = (device_id(), stamp(), bytes(200))
        .prop_map(|(machine, clock, columns)| MachineTelemetry { machine, clock, columns });
    let events = (any::<u64>(), bytes(100)).prop_map(|(seq, event)| BatchEvent { seq, event });
    (any::<u64>(), 1..u64::MAX / 2, 0..u64::MAX / 2, vec(telemetry, 0..5), vec(events, 0..5))
        .prop_map(|(epoch, first_seq, more, telemetry, events)| Batch {
            epoch,
            first_seq,
            last_seq: first_seq + more,
            telemetry,
            events,
        })
}

pub fn live_state() -> impl Strategy<Value = LiveState> {
    let sample = (any::<u64>(), any_fields()).prop_map(|(mono, f)| LiveSample::new(mono, &f));
    let device = (device_id(), state(), option::of(short(20)), option::of(sample))
        .prop_map(|(device, state, error, sample)| LiveDevice { device, state, error, sample });
    let floor = (any::<[u64; 5]>(), short(20)).prop_map(|(numbers, agent_version)| Floor {
        backlog_entries: numbers[0],
        oldest_unsent_ms: numbers[1],
        disk_free_bytes: numbers[2],
        rejects: numbers[3],
        gaps: numbers[4],
        agent_version,
    });
    (any::<[u64; 4]>(), any::<bool>(), stamp(), floor, vec(device, 0..5)).prop_map(
        |([boot, n, epoch, seq], full, stamp, floor, machines)| LiveState {
            boot,
            n,
            stamp,
            as_of: Position { epoch, seq },
            full,
            floor,
            machines,
        },
    )
}

fn device_record() -> impl Strategy<Value = DeviceRecord> {
    (
        (device_id(), code(), kind(), short(30)),
        (any::<Option<[u8; 32]>>(), option::of(device_id())),
        vec(short(40), 0..3),
        any::<bool>(),
    )
        .prop_map(|((id, code, kind, name), (secret_sha256, bridge), topics, enabled)| {
            DeviceRecord { id, code, kind, name, secret_sha256, bridge, topics, enabled }
        })
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        device_record().prop_map(Change::Device),
        device_id().prop_map(Change::DeviceRemoved),
        (short(20), short(20)).prop_map(|(key, value)| Change::Setting { key, value }),
        short(20).prop_map(Change::SettingRemoved),
        (any::<u16>(), any::<[u8; 32]>())
            .prop_map(|(key_id, public)| Change::CloudKey(CloudKey { key_id, public })),
        any::<u16>().prop_map(Change::CloudKeyRemoved),
        (any::<u8>(), any::<[u8; 16]>(), bytes(60)).prop_map(|(kind, id, item)| Change::Roster {
            kind,
            id,
            item
        }),
    ]
}

pub fn changes() -> impl Strategy<Value = Changes> {
    (uuid(), any::<[u64; 2]>(), any::<[bool; 2]>(), vec(change(), 0..6)).prop_map(
        |(branch, [from, to], [reset, more], changes)| Changes {
            branch: protocol::ids::BranchId(branch),
            from,
            to,
            reset,
            more,
            changes,
        },
    )
}
