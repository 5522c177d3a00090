//! Every message: its name, its schema and examples of it. This file is a table.

use super::sample;
use crate::credential::Credential;
use crate::ids::{CommandId, SetId, TapId};
use crate::machine::{Field, Sample};
use crate::mqtt::payloads::{
    Challenge, CommandMessage, DecisionAction, DecisionMessage, DecisionOutcome, ErrorReport,
    LinkMessage, SetJson, SetPayload, TapPayload,
};
use crate::sync::entry::{
    CommandResult, DeviceState, DeviceStatus, Maintenance, Outcome, Severity,
};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

/// A kind of message.
pub(super) struct Message {
    /// Name of the schema file and of the component.
    pub(super) name: &'static str,
    /// For people.
    pub(super) title: &'static str,
    /// The JSON Schema; raw bytes have none.
    schema: Option<fn() -> Value>,
    /// Examples; raw bytes have none.
    pub(super) examples: fn() -> Vec<Value>,
}

impl Message {
    /// Raw bytes instead of JSON.
    pub(super) fn is_raw(&self) -> bool {
        self.schema.is_none()
    }

    /// The JSON Schema under the message's own title.
    pub(super) fn schema(&self) -> Option<Value> {
        let mut schema = self.schema?();
        schema["title"] = json!(self.title);
        Some(schema)
    }
}

pub(super) const MESSAGES: &[Message] = &[
    json("telemetry", "One sample or an array of samples", sample::telemetry, telemetry),
    json("set", "A finished strength set", of_type::<SetJson>, set),
    json("status", "What a device is doing", of_type::<DeviceStatus>, status),
    json("maintenance", "A machine reports on itself", of_type::<Maintenance>, maintenance),
    raw("ftms", "A raw FTMS notification"),
    raw("csafe", "A raw CSAFE frame"),
    json("link", "To whom the machine is lent", of_type::<LinkMessage>, link),
    json("command", "An order to a device", of_type::<CommandMessage>, command),
    json("result", "How an order ended", of_type::<CommandResult>, result),
    json("tap", "A credential was presented", of_type::<TapPayload>, tap),
    json("challenge", "A nonce for a phone, asked for and given", of_type::<Challenge>, challenge),
    json("decision", "The answer to a tap", of_type::<DecisionMessage>, decision),
    json("error", "What was wrong with a message", of_type::<ErrorReport>, error),
];

const fn json(
    name: &'static str,
    title: &'static str,
    schema: fn() -> Value,
    examples: fn() -> Vec<Value>,
) -> Message {
    Message { name, title, schema: Some(schema), examples }
}

const fn raw(name: &'static str, title: &'static str) -> Message {
    Message { name, title, schema: None, examples: Vec::new }
}

/// Draft 7, which is what `AsyncAPI` understands; no references, so that each schema stands alone.
fn of_type<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<T>().into()
}

fn telemetry() -> Vec<Value> {
    let mut sample = Sample { seq: 4_711, boot: Some(2_882_400_001), ..Sample::default() };
    sample.uptime_ms = Some(86_400_000);
    sample.fields.set(Field::ElapsedS, 61.5);
    sample.fields.set(Field::DistanceM, 170.8);
    sample.fields.set(Field::SpeedMps, 2.777);
    sample.fields.set(Field::InclinePct, 1.5);
    sample.fields.set(Field::HeartRateBpm, 131.0);
    let next = Sample { seq: 4_712, uptime_ms: Some(86_401_000), ..sample };
    vec![sample.to_json(), json!([sample, next])]
}

fn set() -> Vec<Value> {
    let set = SetPayload {
        seq: 4_713,
        boot: Some(2_882_400_001),
        set_id: Some(SetId(id(1))),
        exercise: Some("leg press".to_owned()),
        reps: 12,
        weight_cg: Some(8_250),
        duration_ms: Some(31_200),
        rom_mm: Some(420),
        at_ms: None,
        uptime_ms: Some(86_432_000),
    };
    vec![set.to_json()]
}

fn status() -> Vec<Value> {
    let status = DeviceStatus {
        state: DeviceState::InUse,
        firmware: Some("2.4.1".to_owned()),
        uptime_ms: Some(86_400_000),
        error: None,
    };
    let will =
        DeviceStatus { state: DeviceState::Offline, firmware: None, uptime_ms: None, error: None };
    vec![status.to_json(), will.to_json()]
}

fn maintenance() -> Vec<Value> {
    let report = Maintenance {
        code: "E42".to_owned(),
        severity: Severity::Warning,
        message: "The belt needs grease.".to_owned(),
    };
    vec![report.to_json()]
}

fn link() -> Vec<Value> {
    let message = LinkMessage {
        linked: true,
        link_id: Some(id(2).to_string()),
        display_name: Some("Kim".to_owned()),
        since_ms: Some(1_790_000_000_000),
    };
    let free = LinkMessage { linked: false, link_id: None, display_name: None, since_ms: None };
    vec![to_json(&message), to_json(&free)]
}

fn command() -> Vec<Value> {
    vec![json!({ "id": id(3), "command": "lock", "args": {}, "ttl_ms": 5_000 })]
}

fn result() -> Vec<Value> {
    let result = CommandResult { id: CommandId(id(3)), outcome: Outcome::Done, detail: None };
    vec![result.to_json()]
}

fn tap() -> Vec<Value> {
    let tap = |credential| TapPayload { tap_id: TapId(id(4)), credential, age_ms: 35 }.to_json();
    vec![
        tap(Credential::NfcUid { uid: vec![0x04, 0xa1, 0xb2, 0xc3, 0xd4, 0xe5, 0xf6] }),
        tap(Credential::Sun { picc_data: [0xa1; 16], enc: None, cmac: [0xc3; 8] }),
        tap(Credential::Qr { code: "4006381333931".to_owned() }),
        tap(Credential::Hce {
            nonce: vec![0x11; 16],
            token: vec![0x22; 10],
            signature: vec![0x33; 64],
        }),
    ]
}

fn challenge() -> Vec<Value> {
    let asked =
        Challenge { request_id: "7".to_owned(), nonce: None, valid_ms: None, site_no: None };
    let given = Challenge {
        nonce: Some([0x11; 16]),
        valid_ms: Some(3_000),
        site_no: Some(12),
        ..asked.clone()
    };
    vec![to_json(&asked), to_json(&given)]
}

fn decision() -> Vec<Value> {
    let decision = DecisionMessage {
        tap_id: TapId(id(4)),
        outcome: DecisionOutcome::Granted,
        action: DecisionAction::CheckIn,
        reason: "ok".to_owned(),
        display: "Welcome, Kim".to_owned(),
        open_door_ms: Some(3_000),
        valid_ms: 2_000,
    };
    vec![to_json(&decision)]
}

fn error() -> Vec<Value> {
    let report = ErrorReport {
        topic: "gymwire/v1/machines/row-7/telemetry".to_owned(),
        seq: Some(4_711),
        code: "out_of_range".to_owned(),
        field: Some("speed_mps".to_owned()),
        message: "speed_mps is not between 0 and 40".to_owned(),
    };
    vec![to_json(&report)]
}

fn to_json(message: &impl Serialize) -> Value {
    serde_json::to_value(message).expect("messages have nothing that JSON lacks")
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(0x018f_6f6e_7c1b_7aaa_8000_0000_0000_0000 + number)
}
