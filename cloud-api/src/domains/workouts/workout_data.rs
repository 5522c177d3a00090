//! `/machines/workout-data`: sets and samples of machines that have no gateway at their branch.

use super::delivery::{Content, Record, Refused, Window};
use super::delivery_store as store;
use crate::app::App;
use crate::domains::activity::{self, Origin, Rows};
use crate::domains::telemetry::{self, Chunk, Delivery};
use crate::domains::{devices::DeviceCaller, sessions};
use crate::http::{Json, Problem, Refusal, Result};
use crate::ids::{DeviceId, EdgeId};
use axum::extract::State;
use axum::http::StatusCode;
use protocol::ids::SetId;
use protocol::machine::columns::{self, TimedSample};
use protocol::sync::batch::MachineTelemetry;
use protocol::sync::entry::{Body, Event, Source};
use protocol::time::Stamp;
use serde::Serialize;
use serde_json::{Map, Value};
use sqlx::PgConnection;
use std::collections::HashSet;
use time::{Duration, OffsetDateTime};
use utoipa::ToSchema;
use uuid::Uuid;

/// One record, or `{"records": […]}` with up to 500. `at` may be left out by a machine without a clock: it is now.
/// A set: `{"id", "kind": "set", "at", "reps", "weight_kg"?, "duration_s"?, "exercise"?, "rom_mm"?}`.
/// Samples: `{"id", "kind": "samples", "samples": [{"at", "distance_m"?, "power_w"?, …}]}`, 512 at most, with the fields
/// and ranges that machines have on MQTT.
#[derive(ToSchema)]
#[schema(example = json!({"records": [
    {"id": "0193a2b0-0000-7000-8000-000000000001", "kind": "set", "at": "2026-11-22T11:00:00Z",
     "exercise": "Leg press", "reps": 10, "weight_kg": 120.0, "duration_s": 41.5}]}))]
pub struct WorkoutData(#[expect(dead_code, reason = "for the document")] Map<String, Value>);

/// What became of each record, in their order.
#[derive(Debug, Serialize, ToSchema)]
pub struct WorkoutDataAnswer {
    #[schema(example = 1)]
    pub accepted: usize,
    #[schema(example = 0)]
    pub repeated: usize,
    #[schema(example = 0)]
    pub rejected: usize,
    pub records: Vec<RecordAnswer>,
}

/// What became of a record.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecordAnswer {
    /// Null where it had none that is a UUID.
    pub id: Option<Uuid>,
    #[schema(inline)]
    pub outcome: RecordOutcome,
    /// Of a rejected one: what is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "out_of_range")]
    pub code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "weight_kg")]
    pub field: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordOutcome {
    Accepted,
    /// It is stored already.
    Repeated,
    Rejected,
}

/// Deliver what a machine measured. The same record, by its id, is stored once. One that cannot be used is kept with its
/// reason and does not hinder the others; mended, it may come again under its id.
#[utoipa::path(post, path = "/machines/workout-data", tag = "workouts", security(("device" = [])),
    request_body = WorkoutData, responses(
    (status = 200, body = WorkoutDataAnswer),
    (status = 403, body = Problem, content_type = "application/problem+json",
     description = "`forbidden`: the device is no machine"),
    (status = 413, body = Problem, content_type = "application/problem+json",
     description = "`too_many_records`")))]
pub async fn deliver_workout_data(
    State(app): State<App>,
    caller: DeviceCaller,
    Json(body): Json<Map<String, Value>>,
) -> Result<Json<WorkoutDataAnswer>> {
    let machine = caller.machine()?;
    let records = match body.get("records") {
        Some(Value::Array(records)) => records.clone(),
        _ => vec![Value::Object(body)],
    };
    if records.len() > MAX_RECORDS {
        let detail = format!("a delivery has at most {MAX_RECORDS} records");
        let refusal = Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "too_many_records");
        return Err(refusal.detail(detail).into());
    }
    let (answer, has_sets) = store_records(&app, &caller, machine, &records).await?;
    if has_sets {
        // They are stored: what cannot be folded now is folded by a job.
        if let Err(error) = sessions::settle(&app, caller.organization).await {
            tracing::error!(error = format!("{error:#}"), "facts are not folded yet");
        }
    }
    Ok(Json(answer))
}

const MAX_RECORDS: usize = 500;

async fn store_records(
    app: &App,
    caller: &DeviceCaller,
    machine: DeviceId,
    records: &[Value],
) -> Result<(WorkoutDataAnswer, bool)> {
    let now = app.clock.now();
    let oldest = now - Duration::days(app.config.telemetry.retention_days.into());
    let read: Vec<_> =
        records.iter().map(|record| Record::read(record, Window { now, oldest })).collect();
    let good: Vec<_> = read.iter().filter_map(|one| one.as_ref().ok()).collect();
    let ids: Vec<_> = good.iter().map(|record| record.id).collect();
    let mut tx = app.db.begin().await?;
    let mut new = store::remember(&mut tx, machine, &ids, false, now).await?;
    // Of two with one id in the same delivery the first counts.
    let good: Vec<_> = good.into_iter().filter(|record| new.remove(&record.id)).collect();
    let first: HashSet<Uuid> = good.iter().map(|record| record.id).collect();
    let stored = store_good(&mut tx, caller, machine, &good, now).await?;
    store_bad(&mut tx, caller, &read, records, now).await?;
    tx.commit().await?;
    metrics::counter!("ingest_samples_total").increment(stored.samples);
    metrics::counter!("ingest_events_total").increment(stored.sets);
    Ok((answer(read, first, &stored.repeated), stored.sets > 0))
}

/// What was stored.
#[derive(Default)]
struct Stored {
    samples: u64,
    sets: u64,
    /// Sets that came another way before.
    repeated: HashSet<Uuid>,
}

async fn store_good(
    db: &mut PgConnection,
    caller: &DeviceCaller,
    machine: DeviceId,
    records: &[&Record],
    now: OffsetDateTime,
) -> Result<Stored> {
    let positions = store::positions(db, records.len() + 1).await?;
    let Some((&first_seq, positions)) = positions.split_first() else {
        return Ok(Stored::default());
    };
    let (edge, branch) = (EdgeId(Uuid::nil()), caller.branch);
    let delivery = Delivery { edge, branch, epoch: 0, first_seq, received_at: now };
    let mut events = Vec::new();
    let mut samples = Vec::new();
    for (record, &seq) in records.iter().zip(positions) {
        match &record.content {
            Content::Set(set, at_ms) => {
                let set = protocol::mqtt::payloads::SetPayload {
                    set_id: Some(SetId(record.id)),
                    ..set.clone()
                };
                let stamp = Stamp { mono_ms: mono_ms(*at_ms), wall_ms: *at_ms, ..UNIX };
                let (source, body) =
                    (Source::Device(machine.into()), Body::Set(set.finish(mono_ms(*at_ms))));
                let (mono_ms, at_ms) = (mono_ms(*at_ms), *at_ms);
                let origin = Origin { delivery, seq, mono_ms, at_ms, is_dated: true };
                events.push((origin, Event { stamp, source, body }, record.id));
            }
            Content::Samples(some) => samples.extend(some.iter().map(|(sample, at_ms)| {
                TimedSample { source: 0, mono_ms: mono_ms(*at_ms), sample: *sample }
            })),
        }
    }
    let mut stored = store_sets(db, &events).await?;
    stored.samples = samples.len() as u64;
    store_samples(db, delivery, machine, samples).await?;
    Ok(stored)
}

/// Such machines have no monotonic clock that anybody knows: theirs is Unix time.
const UNIX: Stamp = Stamp { boot: 0, mono_ms: 0, wall_ms: 0, synced: true };

fn mono_ms(at_ms: i64) -> u64 {
    u64::try_from(at_ms).unwrap_or(0)
}

async fn store_sets(db: &mut PgConnection, events: &[(Origin, Event, Uuid)]) -> Result<Stored> {
    let mut rows = Rows::default();
    for (origin, event, _) in events {
        rows.add(*origin, event);
    }
    let repeated: HashSet<i64> = activity::insert(db, rows).await?.into_iter().collect();
    let (old, new): (Vec<_>, Vec<_>) =
        events.iter().partition(|(origin, ..)| repeated.contains(&origin.seq));
    let facts: Vec<_> = new.iter().map(|(origin, event, _)| (*origin, event)).collect();
    sessions::note(db, &facts).await?;
    Ok(Stored {
        samples: 0,
        sets: new.len() as u64,
        repeated: old.into_iter().map(|(_, _, id)| *id).collect(),
    })
}

async fn store_samples(
    db: &mut PgConnection,
    delivery: Delivery,
    machine: DeviceId,
    mut samples: Vec<TimedSample>,
) -> Result<()> {
    samples.sort_by_key(|timed| timed.mono_ms);
    // A week between two samples is too much for one chunk.
    let parts = samples.chunk_by(|one, next| next.mono_ms - one.mono_ms < CHUNK_GAP_MS);
    let mut chunks = Vec::new();
    for (ordinal, part) in (0..).zip(parts) {
        let columns = columns::encode(part);
        let part = MachineTelemetry { machine: machine.into(), clock: UNIX, columns };
        chunks.push(Chunk::new(ordinal, part).map_err(|(error, _)| anyhow::Error::from(error))?);
    }
    Ok(telemetry::insert_chunks(db, delivery, &chunks).await?)
}

const CHUNK_GAP_MS: u64 = 3_600_000;

async fn store_bad(
    db: &mut PgConnection,
    caller: &DeviceCaller,
    read: &[Result<Record, Refused>],
    records: &[Value],
    now: OffsetDateTime,
) -> Result<()> {
    let bad = read.iter().zip(records);
    let bad = bad.filter_map(|(one, record)| Some((one.as_ref().err()?, record.to_string())));
    let bad: Vec<_> = bad.collect();
    if bad.is_empty() {
        return Ok(());
    }
    let ids: Vec<_> = bad.iter().filter_map(|(refused, _)| refused.id).collect();
    let mut new = store::remember(db, caller.device, &ids, true, now).await?;
    let bad: Vec<_> =
        bad.into_iter().filter(|(one, _)| one.id.is_none_or(|id| new.remove(&id))).collect();
    let room = store::room(db, caller.device, now).await?;
    let in_full = bad.len().min(room);
    let positions = store::positions(db, in_full).await?;
    for ((refused, payload), seq) in bad.iter().zip(positions) {
        let from = (caller.branch, caller.device);
        store::reject(db, from, seq, (refused, payload), now).await?;
    }
    let others = i64::try_from(bad.len() - in_full).unwrap_or(0);
    if others > 0 {
        store::count(db, caller.device, others).await?;
    }
    metrics::counter!("ingest_rejects_total").increment(bad.len() as u64);
    Ok(())
}

/// `new` are the ids that were not known before this delivery.
fn answer(
    read: Vec<Result<Record, Refused>>,
    mut new: HashSet<Uuid>,
    known: &HashSet<Uuid>,
) -> WorkoutDataAnswer {
    let answer = |one: Result<Record, Refused>| match one {
        Ok(Record { id, .. }) => {
            let is_new = new.remove(&id) && !known.contains(&id);
            let outcome = if is_new { RecordOutcome::Accepted } else { RecordOutcome::Repeated };
            RecordAnswer { id: Some(id), outcome, code: None, field: None, message: None }
        }
        Err(Refused { id, code, field, message }) => RecordAnswer {
            id,
            outcome: RecordOutcome::Rejected,
            code: Some(code),
            field,
            message: Some(message),
        },
    };
    let records: Vec<_> = read.into_iter().map(answer).collect();
    let count = |outcome| records.iter().filter(|one| one.outcome == outcome).count();
    WorkoutDataAnswer {
        accepted: count(RecordOutcome::Accepted),
        repeated: count(RecordOutcome::Repeated),
        rejected: count(RecordOutcome::Rejected),
        records,
    }
}
