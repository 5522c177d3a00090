//! How samples are kept: chunks become one an hour, heart rates can be erased for good, analysts get files without either.

use crate::workouts::{Piece, World, ride};
use anyhow::{Context, Result, ensure};
use cloud_api::domains::accounts::Role;
use cloud_api::domains::telemetry::{Every, series};
use cloud_api::ids::DeviceId;
use cloud_api::jobs::run_due_jobs;
use protocol::machine::columns;
use protocol::machine::{Field, columns::TimedSample};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

/// What was measured in the two hours from noon on, in steps of 10 s.
async fn fine(world: &World) -> Result<Vec<Value>> {
    let from = OffsetDateTime::from_unix_timestamp(crate::edge::NOON_MS / 1_000)?;
    let mut db = world.api.app.db.acquire().await?;
    let to = from + Duration::hours(2);
    let points = series(&mut db, world.bike, from, to, Every::TenSeconds).await?;
    Ok(points.into_iter().map(|point| json!([point.at.unix_timestamp(), point.values])).collect())
}

/// How many stored samples have a heart rate, and how many there are.
async fn hearts(world: &World) -> Result<(usize, usize)> {
    let blocks: Vec<Vec<u8>> = sqlx::query_scalar("SELECT columns FROM telemetry_chunks")
        .fetch_all(&world.api.app.db)
        .await?;
    let (mut with, mut all) = (0, 0);
    for block in blocks {
        let samples = columns::decode(&block)?;
        let has_heart =
            |timed: &&TimedSample| timed.sample.fields.scaled(Field::HeartRateBpm).is_some();
        with += samples.iter().filter(has_heart).count();
        all += samples.len();
    }
    Ok((with, all))
}

const CHUNKS: &str = "SELECT count(*) FROM telemetry_chunks";

fn parts(bike: DeviceId) -> Vec<Piece> {
    ride(5 * 60, 1_200).chunks(30).map(|part| Piece::Measured(bike, part.to_vec())).collect()
}

#[tokio::test]
async fn chunks_of_an_hour_become_one_and_say_the_same() -> Result<()> {
    let world = World::open().await?;
    world.send_all(parts(world.bike)).await?;
    let (before, chunks) = (fine(&world).await?, world.count(CHUNKS).await?);

    world.api.app.clock.advance(Duration::hours(4));
    run_due_jobs(&world.api.app).await?;
    let merged = world.count(CHUNKS).await?;
    sqlx::query("INSERT INTO dirty_hours SELECT machine_id, date_trunc('hour', from_at), branch_id, 1, timestamptz '2026-01-01', timestamptz '2026-01-01' FROM telemetry_chunks")
        .execute(&world.api.app.db)
        .await?;
    run_due_jobs(&world.api.app).await?;

    assert_eq!((chunks, merged), (40, 1));
    assert_eq!(world.count("SELECT sum(count) FROM telemetry_chunks").await?, 1_200);
    assert_eq!(fine(&world).await?, before);
    Ok(())
}

#[tokio::test]
async fn what_comes_after_an_hour_was_merged_is_merged_into_it() -> Result<()> {
    let (plain, world) = (World::open().await?, World::open().await?);
    plain.send_all(parts(plain.bike)).await?;
    let mut pieces = parts(world.bike);
    let late = pieces.split_off(20);
    world.send_all(pieces).await?;
    world.api.app.clock.advance(Duration::minutes(61));
    run_due_jobs(&world.api.app).await?;

    world.api.app.clock.advance(Duration::minutes(-61));
    // The first of them comes twice.
    world.send_all(late.iter().take(1).cloned().chain(late.clone())).await?;
    let apart = world.count(CHUNKS).await?;
    world.api.app.clock.advance(Duration::minutes(70));
    run_due_jobs(&world.api.app).await?;

    assert_eq!((apart, world.count(CHUNKS).await?), (22, 1));
    assert_eq!(fine(&world).await?, fine(&plain).await?);
    assert_eq!(world.count("SELECT sum(count) FROM telemetry_chunks").await?, 1_200);
    Ok(())
}

#[tokio::test]
async fn a_member_erases_the_heart_rate_of_a_workout_for_good() -> Result<()> {
    let world = World::open().await?;
    world.agrees(true).await?;
    let mut pieces = world.visit();
    let late = pieces.pop().context("nothing was measured")?;
    // What somebody else measured at the same machine stays.
    pieces.push(Piece::Measured(world.bike, ride(100 * 60, 60)));
    world.send_all(pieces).await?;
    let before = hearts(&world).await?;
    let path = format!("/api/v1/workouts/machine/{}", uuid::Uuid::from_u128(0x51));

    let answer = world.api.delete(&format!("{path}/heart-rate"), Some(&world.app)).await?;
    run_due_jobs(&world.api.app).await?;
    let erased = hearts(&world).await?;
    world.send_all([late]).await?;

    assert_eq!(answer.status, 204);
    assert_eq!((before, erased), ((960, 960), (60, 960)));
    // Also what comes late has none.
    assert_eq!(hearts(&world).await?, (60, 1_260));
    let rolled = "SELECT COALESCE(sum(heart_rate_bpm_n), 0)::bigint FROM telemetry_rollups_1m";
    assert_eq!(world.count(rolled).await?, 60);
    let detail = world.api.get(&path, Some(&world.app)).await?.json()?;
    assert_eq!((&detail["heart"], &detail["distance_m"]), (&Value::Null, &json!(3_594.0)));
    Ok(())
}

#[tokio::test]
async fn heart_rates_go_with_the_consent() -> Result<()> {
    let world = World::open().await?;
    world.agrees(true).await?;
    world.send_all(world.visit()).await?;
    let before = hearts(&world).await?;

    world.agrees(false).await?;
    run_due_jobs(&world.api.app).await?;

    assert_eq!((before, hearts(&world).await?), ((1_200, 1_200), (0, 1_200)));
    let left = "SELECT count(*) FROM machine_exercises WHERE heart IS NOT NULL";
    assert_eq!(world.count(left).await?, 0);
    Ok(())
}

#[tokio::test]
async fn with_an_account_its_workouts_and_heart_rates_go_and_what_machines_did_stays() -> Result<()>
{
    let world = World::open().await?;
    world.agrees(true).await?;
    world.send_all(world.visit()).await?;

    sqlx::query(
        "UPDATE users SET erase_at = $1, erase_asked_by = 'owner' WHERE id = (SELECT user_id FROM members WHERE id = $2)",
    )
    .bind(world.api.app.clock.now())
    .bind(world.ada)
    .execute(&world.api.app.db)
    .await?;
    world.api.app.clock.advance(Duration::hours(2));
    run_due_jobs(&world.api.app).await?;

    assert_eq!(hearts(&world).await?, (0, 1_200));
    for left in [
        "SELECT count(*) FROM machine_workouts",
        "SELECT count(*) FROM machine_exercises",
        "SELECT count(*) FROM machine_records",
        "SELECT count(*) FROM told_records",
        "SELECT count(*) FROM workout_assignments WHERE member_id IS NOT NULL",
        // Nobody is asked whose it was.
        "SELECT count(*) FROM workout_orphans",
    ] {
        assert_eq!(world.count(left).await?, 0, "{left}");
    }
    Ok(())
}

#[tokio::test]
async fn analysts_get_a_file_without_hearts_and_members() -> Result<()> {
    let world = World::open().await?;
    world.send_all(world.visit()).await?;
    let path = |every: &str| {
        format!(
            "/api/v1/admin/telemetry/export?branch_id={}&from=2026-11-20T12:00:00Z&to=2026-11-20T13:00:00Z{every}",
            world.gym.branch.id
        )
    };

    let fine = world.api.get(&path(""), Some(&world.staff)).await?;
    let minutes = world.api.get(&path("&every=1m"), Some(&world.staff)).await?;

    ensure!(fine.status == 200, "{:?}", fine.json());
    assert_eq!(fine.headers["content-type"], "text/csv; charset=utf-8");
    let text = String::from_utf8(fine.body.to_vec())?;
    assert_eq!(text.lines().count(), 121);
    assert!(!text.contains("heart") && !text.contains(&world.ada.to_string()));
    let minutes = String::from_utf8(minutes.body.to_vec())?;
    let mut lines = minutes.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let head = lines.next().context("no head")?;
    let place = head.iter().position(|name| *name == "distance_m_gain").context("no distance")?;
    let sum: f64 = lines.filter_map(|line| line[place].parse::<f64>().ok()).sum();
    assert!((sum - 3_594.0).abs() < 1e-6, "{sum}");
    let log = "SELECT count(*) FROM audit_log WHERE action = 'telemetry.exported'";
    assert_eq!(world.count(log).await?, 2);
    Ok(())
}

#[tokio::test]
async fn only_staff_of_the_branch_export_and_not_too_much_at_once() -> Result<()> {
    let world = World::open().await?;
    let elsewhere = world.gym.token(&world.api, Role::Staff, &[world.gym.other.id]).await?;
    let path = |from: &str, every: &str| {
        let branch = world.gym.branch.id;
        format!(
            "/api/v1/admin/telemetry/export?branch_id={branch}&from={from}&to=2026-11-20T13:00:00Z{every}"
        )
    };
    let day = path("2026-11-20T00:00:00Z", "");

    let member = world.api.get(&day, Some(&world.app)).await?;
    let foreign = world.api.get(&day, Some(&elsewhere)).await?;
    let long =
        world.api.get(&path("2026-11-01T00:00:00Z", "&every=10s"), Some(&world.staff)).await?;

    let statuses = [member, foreign, long].map(|answer| answer.status.as_u16());
    assert_eq!(statuses, [403, 404, 422]);
    Ok(())
}

#[tokio::test]
async fn partitions_are_there_before_they_are_needed() -> Result<()> {
    let world = World::open().await?;

    run_due_jobs(&world.api.app).await?;
    world.api.app.clock.advance(Duration::days(20));
    run_due_jobs(&world.api.app).await?;

    let made = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'telemetry_chunks'::regclass
                AND inhrelid IN ('telemetry_chunks_2026_11'::regclass, 'telemetry_chunks_2026_12'::regclass,
                                 'telemetry_chunks_2027_01'::regclass)";
    assert_eq!(world.count(made).await?, 3);
    Ok(())
}
