//! Rows as they go into the tables: JSON objects whose keys are the columns, one list per table.

use crate::clock::at_ms;
use crate::domains::telemetry::Delivery;
use crate::ids::CommandId;
use protocol::credential::StoredCredential;
use protocol::sync::entry::{Body, CommandResult, Decision, Event, Outcome, Source};
use serde::Serialize;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

/// Where and when an entry came from.
#[derive(Debug, Clone, Copy)]
pub struct Origin {
    pub delivery: Delivery,
    pub seq: i64,
    /// When it happened, by the edge's monotonic clock and by the best knowledge there is now.
    pub mono_ms: u64,
    pub at_ms: i64,
    pub is_dated: bool,
}

/// Everything of a batch that goes into this domain's tables.
#[derive(Debug, Default)]
pub struct Rows {
    pub(super) taps: Vec<Value>,
    pub(super) decisions: Vec<Value>,
    pub(super) sets: Vec<Value>,
    pub(super) statuses: Vec<Value>,
    pub(super) maintenance: Vec<Value>,
    pub(super) command_results: Vec<Value>,
    pub(super) rejects: Vec<Value>,
    pub(super) gaps: Vec<Value>,
    pub(super) notices: Vec<Value>,
    results: Vec<(CommandId, CommandResult)>,
    done_ms: Vec<i64>,
}

impl Rows {
    /// Adds an event to the table it belongs to.
    pub fn add(&mut self, origin: Origin, event: &Event) {
        if origin.is_dated && matches!(event.body, Body::Tap(_) | Body::Set(_)) {
            self.done_ms.push(origin.at_ms);
        }
        let (table, mut row) = match &event.body {
            Body::Tap(tap) => (&mut self.taps, tap_row(tap)),
            Body::Set(set) => (&mut self.sets, set_row(set)),
            Body::Status(status) => (&mut self.statuses, object(status)),
            Body::Maintenance(report) => (&mut self.maintenance, object(report)),
            Body::CommandResult(result) => {
                self.results.push((result.id.into(), result.clone()));
                (&mut self.command_results, result_row(result))
            }
            Body::Reject(reject) => (&mut self.rejects, reject_row(reject)),
            Body::Gap(gap) => (&mut self.gaps, with_id(object(gap))),
            Body::Notice(notice) => (&mut self.notices, with_id(object(notice))),
            Body::Decision(decision) => (&mut self.decisions, decision_row(decision)),
            // Taken over or refused before; or kept by `sessions`.
            Body::DeviceProposed(_) | Body::DeviceSecret(_) | Body::Deed(_) | Body::StaffAct(_) => {
                return;
            }
        };
        row.extend(origin.columns(event));
        let mut row = Value::Object(row);
        make_storable(&mut row);
        table.push(row);
    }

    /// When what people did (taps and sets) was done, where that is certain.
    pub fn done_at(&self) -> impl Iterator<Item = OffsetDateTime> {
        self.done_ms.iter().copied().map(at_ms)
    }

    /// How commands ended.
    pub fn results(&self) -> impl Iterator<Item = &(CommandId, CommandResult)> {
        self.results.iter()
    }
}

impl Origin {
    /// What all tables have. Columns that a table has not are ignored by the database.
    fn columns(&self, event: &Event) -> Map<String, Value> {
        let Delivery { edge, branch, epoch, received_at, .. } = self.delivery;
        let bridge = match event.source {
            Source::Bridged { bridge, .. } => Some(bridge),
            Source::Edge | Source::Device(_) => None,
        };
        let at = at_ms(self.at_ms);
        let rfc3339 = &time::format_description::well_known::Rfc3339;
        let columns = json!({
            "edge_id": edge,
            "epoch": epoch.cast_signed(),
            "seq": self.seq,
            "branch_id": branch,
            "device_id": event.source.device(),
            "bridge_id": bridge,
            "boot": event.stamp.boot.cast_signed(),
            "mono_ms": self.mono_ms.cast_signed(),
            "at": at.format(rfc3339).unwrap_or_default(),
            "is_dated": self.is_dated,
            "received_at": received_at.format(rfc3339).unwrap_or_default(),
        });
        into_object(columns)
    }
}

fn tap_row(tap: &protocol::sync::entry::Tap) -> Map<String, Value> {
    let kind = match tap.credential {
        StoredCredential::NfcUid { .. } => "nfc_uid",
        StoredCredential::Sun { .. } => "sun",
        StoredCredential::Qr { .. } => "qr",
        StoredCredential::Hce { .. } => "hce",
    };
    let packed = postcard::to_extend(&tap.credential, vec![CREDENTIAL_VERSION]).unwrap_or_default();
    into_object(json!({
        "tap_id": tap.tap_id,
        "credential_kind": kind,
        "credential": bytea(&packed),
        "age_ms": tap.age_ms,
    }))
}

fn decision_row(decision: &Decision) -> Map<String, Value> {
    into_object(json!({
        "tap_id": decision.tap_id,
        "reader_id": decision.reader,
        "member_id": decision.member,
        "credential_id": decision.credential,
        "card": decision.card.map(|card| bytea(&card)),
        "sun_counter": decision.sun_counter,
        "outcome": decision.outcome,
        "action": decision.action,
        "reason": decision.reason,
        "time_uncertain": decision.time_uncertain,
    }))
}

/// First byte of `taps.credential`.
const CREDENTIAL_VERSION: u8 = 1;

fn set_row(set: &protocol::sync::entry::FinishedSet) -> Map<String, Value> {
    into_object(json!({
        "set_id": set.set_id,
        "device_seq": set.seq.cast_signed(),
        "device_boot": set.boot,
        "exercise": set.exercise,
        "reps": set.reps,
        "weight_cg": set.weight_cg,
        "duration_ms": set.duration_ms,
        "rom_mm": set.rom_mm,
    }))
}

fn result_row(result: &CommandResult) -> Map<String, Value> {
    let outcome: Outcome = result.outcome;
    into_object(json!({"command_id": result.id, "outcome": outcome, "detail": result.detail}))
}

fn reject_row(reject: &protocol::sync::entry::Reject) -> Map<String, Value> {
    into_object(json!({
        "topic": reject.topic,
        "code": reject.code,
        "field": reject.field,
        "message": reject.message,
        "payload": bytea(&reject.payload),
        "count": reject.count,
    }))
}

fn object(body: &impl Serialize) -> Map<String, Value> {
    into_object(serde_json::to_value(body).unwrap_or_default())
}

fn with_id(mut row: Map<String, Value>) -> Map<String, Value> {
    row.insert("id".to_owned(), json!(Uuid::now_v7()));
    row
}

fn into_object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn bytea(bytes: &[u8]) -> String {
    format!("\\x{}", hex::encode(bytes))
}

/// Postgres has no NUL in texts and no integers beyond 64 bits with a sign; devices may send both.
fn make_storable(value: &mut Value) {
    match value {
        Value::String(text) if text.contains('\0') => *text = text.replace('\0', "\u{fffd}"),
        Value::Number(number) => {
            if let (Some(large), None) = (number.as_u64(), number.as_i64()) {
                *value = large.cast_signed().into();
            }
        }
        Value::Object(map) => map.values_mut().for_each(make_storable),
        _ => {}
    }
}
