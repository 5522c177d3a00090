//! `/edge/v1/batches`: whole, once, in order, and nothing lost.

use crate::edge::{Edge, NOON_MS, Scene, event, events, sample, send_packed, stamp, telemetry};
use crate::gym::Gym;
use anyhow::Result;
use axum::body::Body as HttpBody;
use axum::http::Request;
use cloud_api::ids::DeviceId;
use cloud_api::jobs::run_due_jobs;
use protocol::credential::StoredCredential;
use protocol::ids::{SetId, TapId};
use protocol::machine::columns::{MAX_SAMPLES, TimedSample};
use protocol::sync::batch::{Batch, BatchEvent, MAX_BATCH_SAMPLES};
use protocol::sync::entry::{
    Body, DeviceKind, DeviceProposal, DeviceState, DeviceStatus, Event, FinishedSet, Gap,
    GapReason, Maintenance, Notice, Reject, Severity, Source, Stream, Tap,
};
use protocol::time::Stamp;
use tests::api::Answer;
use tests::seed::Seed;

fn idle() -> Body {
    let state = DeviceState::Idle;
    Body::Status(DeviceStatus { state, firmware: None, uptime_ms: None, error: None })
}

fn tap(tap_id: TapId) -> Body {
    let credential = StoredCredential::NfcUid { uid_hash: [7; 32] };
    Body::Tap(Tap { tap_id, credential, age_ms: 250 })
}

fn set(set_id: Option<SetId>, mono_ms: u64) -> Body {
    Body::Set(FinishedSet {
        seq: 1,
        boot: Some(1),
        set_id,
        exercise: Some("chest press".to_owned()),
        reps: 12,
        weight_cg: Some(4_000),
        duration_ms: Some(30_000),
        rom_mm: None,
        at_ms: None,
        mono_ms,
    })
}

fn statuses(epoch: u64, first_seq: u64, machine: DeviceId, count: u64) -> Batch {
    let all = (0..count).map(|n| event(machine, n, idle())).collect();
    events(epoch, first_seq, all)
}

fn acked(answer: &Answer) -> Result<u64> {
    anyhow::ensure!(answer.status == 200, "{} {:?}", answer.status, answer.body);
    Ok(answer.json()?["acked_seq"].as_u64().unwrap_or(0))
}

fn code(answer: &Answer) -> Result<(u16, String)> {
    let code = answer.json()?["code"].as_str().unwrap_or_default().to_owned();
    Ok((answer.status.as_u16(), code))
}

const STATUSES: &str = "SELECT count(*) FROM device_statuses";
const SET_ASIDE: &str = "SELECT count(*) FROM set_aside";

#[tokio::test]
async fn every_kind_of_entry_finds_its_table() -> Result<()> {
    let scene = Scene::open().await?;
    let (edge, now) = (Source::Edge, stamp(9_000));
    let own = |body| Event { stamp: now, source: edge, body };
    let reject = Reject {
        topic: "t".to_owned(),
        code: "malformed".to_owned(),
        field: None,
        message: "no JSON".to_owned(),
        payload: vec![0, 255],
        count: 1,
    };
    let report = Maintenance {
        code: "E7".to_owned(),
        severity: Severity::Fault,
        message: "belt".to_owned(),
    };
    let (stream, reason) = (Stream::Telemetry, GapReason::Dropped);
    let gap = Gap { stream, reason, first_seq: 3, last_seq: 4, count: 17 };
    let notice = Notice { code: "journal_set_aside".to_owned(), detail: "…".to_owned() };
    let batch = events(
        1,
        1,
        vec![
            event(scene.machine, 1_000, tap(TapId(uuid::Uuid::now_v7()))),
            event(scene.machine, 2_000, set(Some(SetId(uuid::Uuid::now_v7())), 2_000)),
            event(scene.machine, 3_000, idle()),
            event(scene.machine, 4_000, Body::Maintenance(report)),
            event(scene.machine, 5_000, Body::Reject(reject)),
            own(Body::Gap(gap)),
            own(Body::Notice(notice)),
        ],
    );

    assert_eq!(acked(&scene.send(&batch).await?)?, 7);

    let rows = "SELECT (SELECT count(*) FROM taps) + (SELECT count(*) FROM finished_sets)
                + (SELECT count(*) FROM device_statuses) + (SELECT count(*) FROM maintenance_reports)
                + (SELECT count(*) FROM ingest_rejects) + (SELECT count(*) FROM gaps)
                + (SELECT count(*) FROM notices)";
    assert_eq!(scene.count(rows).await?, 7);
    assert_eq!(scene.count(SET_ASIDE).await?, 0);
    let tapped = "SELECT (extract(epoch FROM at) * 1000)::bigint FROM taps";
    assert_eq!(scene.count(tapped).await?, NOON_MS + 1_000 - 250);
    Ok(())
}

#[tokio::test]
async fn a_batch_whose_answer_was_lost_is_answered_again_and_stored_once() -> Result<()> {
    let scene = Scene::open().await?;
    let batch = statuses(1, 1, scene.machine, 3);

    let (first, again) = (scene.send(&batch).await?, scene.send(&batch).await?);

    assert_eq!((acked(&first)?, acked(&again)?), (3, 3));
    assert_eq!(scene.count(STATUSES).await?, 3);
    Ok(())
}

#[tokio::test]
async fn identical_batches_at_the_same_time_are_stored_once() -> Result<()> {
    let scene = Scene::open().await?;
    let batch = statuses(1, 1, scene.machine, 50);

    let (a, b, c) = tokio::join!(scene.send(&batch), scene.send(&batch), scene.send(&batch));

    assert_eq!((acked(&a?)?, acked(&b?)?, acked(&c?)?), (50, 50, 50));
    assert_eq!(scene.count(STATUSES).await?, 50);
    Ok(())
}

#[tokio::test]
async fn a_batch_that_comes_too_early_is_sent_back_with_the_number_that_is_expected() -> Result<()>
{
    let scene = Scene::open().await?;
    acked(&scene.send(&statuses(1, 1, scene.machine, 2)).await?)?;

    let early = scene.send(&statuses(1, 4, scene.machine, 2)).await?;

    assert_eq!(code(&early)?, (409, "out_of_order".to_owned()));
    assert_eq!(early.json()?["expected_seq"], 3);
    assert_eq!(scene.count(STATUSES).await?, 2);
    Ok(())
}

#[tokio::test]
async fn a_batch_that_overlaps_is_cut_anew() -> Result<()> {
    let scene = Scene::open().await?;
    acked(&scene.send(&statuses(1, 1, scene.machine, 5)).await?)?;

    let overlap = scene.send(&statuses(1, 4, scene.machine, 4)).await?;

    assert_eq!(overlap.json()?["expected_seq"], 6);
    assert_eq!(scene.count(STATUSES).await?, 5);
    Ok(())
}

#[tokio::test]
async fn epochs_are_counted_each_for_itself() -> Result<()> {
    let scene = Scene::open().await?;
    acked(&scene.send(&statuses(1, 1, scene.machine, 2)).await?)?;

    let other = scene.send(&statuses(u64::MAX, 1, scene.machine, 2)).await?;

    assert_eq!(acked(&other)?, 2);
    assert_eq!(scene.count(STATUSES).await?, 4);
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_read_is_set_aside_and_blocks_nothing() -> Result<()> {
    let scene = Scene::open().await?;
    let mut batch = statuses(1, 1, scene.machine, 3);
    batch.events[1].event = vec![1, 99, 99];
    batch.events.push(BatchEvent { seq: 99, event: vec![] });

    assert_eq!(acked(&scene.send(&batch).await?)?, 3);

    assert_eq!(scene.count(STATUSES).await?, 2);
    assert_eq!(scene.count(SET_ASIDE).await?, 2);
    Ok(())
}

#[tokio::test]
async fn an_edge_speaks_for_its_own_branch_only() -> Result<()> {
    let scene = Scene::open().await?;
    let kind = cloud_api::domains::devices::MachineType::Cardio;
    let foreign = scene.gym.machine(&scene.api, &scene.gym.other, "bike-02", kind).await?;
    let mut batch = telemetry(1, 1, foreign, stamp(0), &[sample(0, 1, 0, 0)]);
    batch.last_seq = 2;
    batch.events.extend(events(1, 2, vec![event(foreign, 1, idle())]).events);

    assert_eq!(acked(&scene.send(&batch).await?)?, 2);

    assert_eq!(scene.count(STATUSES).await?, 0);
    assert_eq!(scene.count("SELECT count(*) FROM telemetry_chunks").await?, 0);
    let reasons = "SELECT count(*) FROM set_aside WHERE reason = 'foreign_device'";
    assert_eq!(scene.count(reasons).await?, 2);
    Ok(())
}

#[tokio::test]
async fn a_tap_that_comes_again_in_another_epoch_counts_once() -> Result<()> {
    let scene = Scene::open().await?;
    let (taps, sets) = (TapId(uuid::Uuid::now_v7()), SetId(uuid::Uuid::now_v7()));
    let both =
        || vec![event(scene.machine, 1, tap(taps)), event(scene.machine, 2, set(Some(sets), 2))];
    acked(&scene.send(&events(1, 1, both())).await?)?;

    acked(&scene.send(&events(2, 1, both())).await?)?;

    assert_eq!(scene.count("SELECT count(*) FROM taps").await?, 1);
    assert_eq!(scene.count("SELECT count(*) FROM finished_sets").await?, 1);
    assert_eq!(scene.count("SELECT count(*) FROM set_aside WHERE reason = 'repeat'").await?, 2);
    Ok(())
}

#[tokio::test]
async fn damaged_samples_are_set_aside_and_the_others_stored() -> Result<()> {
    let scene = Scene::open().await?;
    let mut batch = telemetry(1, 1, scene.machine, stamp(0), &[sample(0, 1, 0, 0)]);
    let mut damaged = batch.telemetry[0].clone();
    damaged.columns.truncate(3);
    batch.telemetry.push(damaged);

    acked(&scene.send(&batch).await?)?;

    assert_eq!(scene.count("SELECT count(*) FROM telemetry_chunks").await?, 1);
    let reasons = "SELECT count(*) FROM set_aside WHERE reason = 'unusable_telemetry'";
    assert_eq!(scene.count(reasons).await?, 1);
    Ok(())
}

#[tokio::test]
async fn texts_that_postgres_cannot_hold_block_nothing() -> Result<()> {
    let scene = Scene::open().await?;
    let status = DeviceStatus {
        state: DeviceState::OutOfOrder,
        firmware: Some("\0".to_owned()),
        uptime_ms: Some(u64::MAX),
        error: Some("a\0b \\u0000".to_owned()),
    };

    let batch = events(1, 1, vec![event(scene.machine, u64::MAX, Body::Status(status))]);
    acked(&scene.send(&batch).await?)?;

    let error: String = sqlx::query_scalar("SELECT error FROM device_statuses")
        .fetch_one(&scene.api.app.db)
        .await?;
    assert_eq!(error, "a\u{fffd}b \\u0000");
    Ok(())
}

#[tokio::test]
async fn a_bomb_is_refused_before_it_unfolds() -> Result<()> {
    let scene = Scene::open().await?;
    let bomb = zstd::bulk::compress(&vec![0; 17 * 1024 * 1024], 3)?;

    let answer = send_packed(&scene.api, &scene.edge.token, bomb).await?;

    assert_eq!(code(&answer)?, (413, "payload_too_large".to_owned()));
    Ok(())
}

#[tokio::test]
async fn a_batch_of_few_bytes_and_very_many_samples_is_refused() -> Result<()> {
    let scene = Scene::open().await?;
    let block = vec![TimedSample::default(); MAX_SAMPLES];
    let mut batch = telemetry(1, 1, scene.machine, stamp(0), &block);
    let blocks = MAX_BATCH_SAMPLES / MAX_SAMPLES + 1;
    batch.telemetry = vec![batch.telemetry.remove(0); blocks];
    assert!(batch.encode(3).len() < 1_000);

    let answer = scene.send(&batch).await?;

    assert_eq!(code(&answer)?, (413, "payload_too_large".to_owned()));
    assert_eq!(scene.count("SELECT count(*) FROM telemetry_chunks").await?, 0);
    Ok(())
}

#[tokio::test]
async fn how_long_taps_and_sets_took_to_arrive_is_measured() -> Result<()> {
    let scene = Scene::open().await?;
    let batch = events(1, 1, vec![event(scene.machine, 2_000, set(None, 2_000))]);
    acked(&scene.send(&batch).await?)?;

    let metrics = scene.api.get("/metrics", None).await?;

    let metrics = String::from_utf8(metrics.body.to_vec())?;
    let count = "ingest_latency_duration_seconds_count{kind=\"event\"} 1";
    assert!(metrics.contains(count), "{metrics}");
    Ok(())
}

#[tokio::test]
async fn a_batch_over_four_megabytes_is_refused() -> Result<()> {
    let scene = Scene::open().await?;

    let answer = send_packed(&scene.api, &scene.edge.token, vec![0; 4 * 1024 * 1024 + 1]).await?;

    assert_eq!(code(&answer)?, (413, "payload_too_large".to_owned()));
    Ok(())
}

#[tokio::test]
async fn noise_is_a_malformed_batch() -> Result<()> {
    let scene = Scene::open().await?;

    let answer = send_packed(&scene.api, &scene.edge.token, b"noise".to_vec()).await?;

    assert_eq!(code(&answer)?, (400, "malformed_batch".to_owned()));
    Ok(())
}

#[tokio::test]
async fn a_version_of_tomorrow_is_told_which_ones_are_read() -> Result<()> {
    let scene = Scene::open().await?;
    let packed = zstd::bulk::compress(&[99, 0, 0], 3)?;

    let answer = send_packed(&scene.api, &scene.edge.token, packed).await?;

    assert_eq!(code(&answer)?, (415, "unsupported_version".to_owned()));
    assert_eq!(answer.json()?["supported"], serde_json::json!([1]));
    Ok(())
}

#[tokio::test]
async fn another_media_type_is_refused() -> Result<()> {
    let scene = Scene::open().await?;
    let request = Request::post("/edge/v1/batches")
        .header("authorization", format!("Bearer {}", scene.edge.token))
        .header("content-type", "application/json")
        .body(HttpBody::from("{}"))?;

    let answer = scene.api.call(request).await?;

    assert_eq!(code(&answer)?, (415, "unsupported_media_type".to_owned()));
    Ok(())
}

#[tokio::test]
async fn a_replaced_edge_delivers_nothing_more() -> Result<()> {
    let scene = Scene::open().await?;
    Edge::enrol(&scene.api, scene.gym.branch.id).await?;

    let answer = scene.send(&statuses(1, 1, scene.machine, 1)).await?;

    assert_eq!(code(&answer)?, (401, "invalid_client".to_owned()));
    assert_eq!(scene.count(STATUSES).await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_clock_that_was_synced_late_dates_what_came_before() -> Result<()> {
    let scene = Scene::open().await?;
    let lost = Stamp { boot: 1, mono_ms: 1_000, wall_ms: 5_000, synced: false };
    let mut batch = telemetry(1, 1, scene.machine, lost, &[sample(1_000, 1, 0, 0)]);
    let source = Source::Device(scene.machine.into());
    let early = Event { stamp: lost, source, body: idle() };
    batch.last_seq = 2;
    batch.events.push(BatchEvent { seq: 2, event: early.encode() });
    acked(&scene.send(&batch).await?)?;
    let undated = "SELECT count(*) FROM device_statuses WHERE NOT is_dated";
    assert_eq!(scene.count(undated).await?, 1);

    acked(&scene.send(&events(1, 3, vec![event(scene.machine, 60_000, idle())])).await?)?;
    run_due_jobs(&scene.api.app).await?;

    assert_eq!(scene.count(undated).await?, 0);
    let at = "SELECT (extract(epoch FROM min(at)) * 1000)::bigint FROM device_statuses";
    assert_eq!(scene.count(at).await?, NOON_MS + 1_000);
    let from = "SELECT (extract(epoch FROM from_at) * 1000)::bigint FROM telemetry_chunks";
    assert_eq!(scene.count(from).await?, NOON_MS + 1_000);
    let hour = "SELECT (extract(epoch FROM at) * 1000)::bigint FROM telemetry_rollups_1h";
    assert_eq!(scene.count(hour).await?, NOON_MS);
    Ok(())
}

#[tokio::test]
async fn telemetry_older_than_the_retention_time_leaves_a_gap_record() -> Result<()> {
    let scene = Scene::open().await?;
    let old = Stamp { boot: 5, mono_ms: 0, wall_ms: NOON_MS - 500 * 86_400_000, synced: true };

    let batch = telemetry(1, 1, scene.machine, old, &[sample(0, 1, 0, 0), sample(1, 2, 0, 0)]);
    acked(&scene.send(&batch).await?)?;

    assert_eq!(scene.count("SELECT count(*) FROM telemetry_chunks").await?, 0);
    assert_eq!(scene.count("SELECT count FROM gaps WHERE reason = 'too_late'").await?, 2);
    Ok(())
}

fn proposal(code: &str) -> Result<(DeviceId, Event)> {
    let id = DeviceId::new();
    let code = code.parse()?;
    let proposal =
        DeviceProposal { id: id.into(), code, kind: DeviceKind::Machine, secret_sha256: [1; 32] };
    let body = Body::DeviceProposed(proposal);
    Ok((id, Event { stamp: stamp(0), source: Source::Edge, body }))
}

#[tokio::test]
async fn a_device_added_at_the_branch_is_adopted_with_its_id_and_may_speak() -> Result<()> {
    let scene = Scene::open().await?;
    let (id, proposed) = proposal("rower-01")?;

    acked(&scene.send(&events(1, 1, vec![proposed, event(id, 1, idle())])).await?)?;

    assert_eq!(scene.count(STATUSES).await?, 1);
    assert_eq!(scene.count("SELECT count(*) FROM devices WHERE code = 'rower-01'").await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_device_whose_code_is_taken_is_refused_and_staff_are_told() -> Result<()> {
    let scene = Scene::open().await?;
    let (_, proposed) = proposal("bike-01")?;

    acked(&scene.send(&events(1, 1, vec![proposed])).await?)?;

    let notices = "SELECT count(*) FROM notices WHERE code = 'device_refused'";
    assert_eq!(scene.count(notices).await?, 1);
    assert_eq!(scene.count("SELECT count(*) FROM devices").await?, 1);
    Ok(())
}

#[tokio::test]
async fn whatever_the_network_makes_of_it_each_entry_is_stored_once_and_in_order() -> Result<()> {
    let scene = Scene::open().await?;
    let mut seed = Seed::announced("whatever the network makes of it");
    let mut applied = 0;

    for _ in 0..80 {
        // Anything an edge may have sent at some time, and in any order.
        let first = seed.between(1, 61).min(applied + seed.between(0, 4));
        let first = first.max(1);
        let count = seed.between(1, 13);
        let answer = scene.send(&statuses(9, first, scene.machine, count)).await?;
        let last = first + count - 1;
        if last <= applied || first == applied + 1 {
            applied = applied.max(last);
            assert_eq!(acked(&answer)?, applied);
        } else {
            assert_eq!(answer.json()?["expected_seq"], applied + 1);
        }
    }

    let distinct = "SELECT count(DISTINCT seq) FROM device_statuses";
    assert_eq!(scene.count(STATUSES).await?, applied.cast_signed());
    assert_eq!(scene.count(distinct).await?, applied.cast_signed());
    Ok(())
}

#[tokio::test]
async fn a_clock_at_the_end_of_time_stops_nothing() -> Result<()> {
    let scene = Scene::open().await?;

    for (seq, wall_ms) in (1..).zip([i64::MIN, i64::MAX, 253_402_300_799_000]) {
        let clock = Stamp { boot: seq, mono_ms: 0, wall_ms, synced: true };
        let batch = telemetry(1, seq, scene.machine, clock, &[sample(0, seq, 0, 0)]);
        acked(&scene.send(&batch).await?)?;
    }
    run_due_jobs(&scene.api.app).await?;

    assert_eq!(scene.count("SELECT count(*) FROM dirty_hours").await?, 0);
    Ok(())
}

#[tokio::test]
async fn an_edge_that_was_enrolled_again_goes_on_where_its_journal_was() -> Result<()> {
    let scene = Scene::open().await?;
    acked(&scene.send(&statuses(9, 1, scene.machine, 5)).await?)?;
    let again = Edge::enrol(&scene.api, scene.gym.branch.id).await?;

    let unsent = again.send(&scene.api, &statuses(9, 6, scene.machine, 2)).await?;
    let sent_before = again.send(&scene.api, &statuses(9, 4, scene.machine, 2)).await?;
    let new_epoch = again.send(&scene.api, &statuses(10, 1, scene.machine, 1)).await?;

    assert_eq!((acked(&unsent)?, acked(&sent_before)?, acked(&new_epoch)?), (7, 7, 1));
    assert_eq!(scene.count(STATUSES).await?, 8);
    Ok(())
}

#[tokio::test]
async fn positions_of_other_branches_mean_nothing() -> Result<()> {
    let scene = Scene::open().await?;
    acked(&scene.send(&statuses(9, 1, scene.machine, 5)).await?)?;
    let elsewhere = Gym::open(&scene.api, "Elsewhere").await?;
    let other = Edge::enrol(&scene.api, elsewhere.branch.id).await?;

    let answer = other.send(&scene.api, &statuses(9, 6, scene.machine, 1)).await?;

    assert_eq!(answer.json()?["expected_seq"], 1);
    Ok(())
}
