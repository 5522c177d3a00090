//! Roll-ups: the same as computing them plainly, whenever and however often the samples come.

use crate::edge::{NOON_MS, Scene, sample, stamp, telemetry};
use anyhow::Result;
use cloud_api::domains::telemetry::{Every, Point, series};
use cloud_api::jobs::run_due_jobs;
use protocol::machine::columns::TimedSample;
use std::ops::Range;
use time::{Duration, OffsetDateTime};

/// Two hours of a ride from noon on, one sample every 5 s: distance grows by 3 m each, and is reset halfway.
fn ride() -> Vec<TimedSample> {
    let one = |n: u64| {
        let distance = i32::try_from(n % 720).unwrap_or(0) * 30;
        let power = 1_000 + i32::try_from(n % 7).unwrap_or(0);
        sample(n * 5_000, n + 1, distance, power)
    };
    (0..1_440).map(one).collect()
}

fn noon() -> Result<OffsetDateTime> {
    Ok(OffsetDateTime::from_unix_timestamp(NOON_MS / 1_000)?)
}

async fn points(scene: &Scene, every: Every) -> Result<Vec<Point>> {
    let mut db = scene.api.app.db.acquire().await?;
    let from = noon()? - Duration::HOUR;
    Ok(series(&mut db, scene.machine, from, from + Duration::hours(5), every).await?)
}

fn sum(points: &[Point], column: &str) -> f64 {
    points.iter().filter_map(|point| point.values[column].as_f64()).sum()
}

async fn deliver(scene: &Scene, seq: u64, samples: &[TimedSample]) -> Result<()> {
    let batch = telemetry(1, seq, scene.machine, stamp(0), samples);
    let answer = scene.send(&batch).await?;
    anyhow::ensure!(answer.status == 200, "{answer:?}");
    Ok(())
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-6
}

#[tokio::test]
async fn they_equal_what_a_plain_sum_says() -> Result<()> {
    let scene = Scene::open().await?;
    let ride = ride();

    deliver(&scene, 1, &ride).await?;
    run_due_jobs(&scene.api.app).await?;

    let (fine, minutes, hours) = (
        points(&scene, Every::TenSeconds).await?,
        points(&scene, Every::Minute).await?,
        points(&scene, Every::Hour).await?,
    );
    assert_eq!((fine.len(), minutes.len(), hours.len()), (720, 120, 2));
    // 719 steps of 3 m in each of two rides.
    let expected_m = 2.0 * 719.0 * 3.0;
    for points in [&fine, &minutes, &hours] {
        assert!(close(sum(points, "distance_m_gain"), expected_m));
    }
    let first_hour = ride
        .iter()
        .take(720)
        .map(|timed| timed.sample.fields.value(protocol::machine::Field::PowerW).unwrap_or(0.0));
    let average = first_hour.sum::<f64>() / 720.0;
    assert!(close(hours[0].values["power_w_avg"].as_f64().unwrap_or(0.0), average));
    assert_eq!(hours[0].samples, 720);
    assert_eq!(hours[0].at, noon()?);
    Ok(())
}

#[tokio::test]
async fn the_order_of_delivery_does_not_matter() -> Result<()> {
    let (one, other) = (Scene::open().await?, Scene::open().await?);
    let ride = ride();
    let parts: [Range<usize>; 4] = [900..1_440, 0..300, 700..900, 300..700];

    deliver(&one, 1, &ride).await?;
    for (seq, part) in (1..).zip(parts) {
        deliver(&other, seq, &ride[part]).await?;
        run_due_jobs(&other.api.app).await?;
    }
    run_due_jobs(&one.api.app).await?;

    assert_eq!(points(&one, Every::TenSeconds).await?, points(&other, Every::TenSeconds).await?);
    assert_eq!(points(&one, Every::Hour).await?, points(&other, Every::Hour).await?);
    Ok(())
}

#[tokio::test]
async fn samples_that_come_twice_count_once() -> Result<()> {
    let scene = Scene::open().await?;
    let ride = ride();
    deliver(&scene, 1, &ride).await?;
    run_due_jobs(&scene.api.app).await?;
    let once = points(&scene, Every::TenSeconds).await?;

    deliver(&scene, 2, &ride[100..1_000]).await?;
    run_due_jobs(&scene.api.app).await?;

    assert_eq!(points(&scene, Every::TenSeconds).await?, once);
    Ok(())
}

#[tokio::test]
async fn late_data_finds_its_hour() -> Result<()> {
    let scene = Scene::open().await?;
    let ride = ride();
    deliver(&scene, 1, &ride[720..]).await?;
    run_due_jobs(&scene.api.app).await?;
    scene.api.app.clock.advance(Duration::days(5));
    let (token, edge) = (scene.edge.start(&scene.api, "first").await?, &scene.edge);
    let late = telemetry(1, 2, scene.machine, stamp(0), &ride[..720]);

    crate::edge::send_packed(&scene.api, &token, late.encode(3)).await?;
    run_due_jobs(&scene.api.app).await?;

    assert_eq!(edge.enrolment.branch_id, scene.gym.branch.id.into());
    let hours = points(&scene, Every::Hour).await?;
    assert_eq!(hours.iter().map(|hour| hour.samples).collect::<Vec<_>>(), [720, 720]);
    Ok(())
}

#[tokio::test]
async fn nothing_stays_out_of_date() -> Result<()> {
    let scene = Scene::open().await?;
    deliver(&scene, 1, &ride()).await?;
    assert!(scene.count("SELECT count(*) FROM dirty_hours").await? > 0);

    run_due_jobs(&scene.api.app).await?;

    assert_eq!(scene.count("SELECT count(*) FROM dirty_hours").await?, 0);
    assert_eq!(scene.count("SELECT count(*) FROM jobs").await?, 0);
    Ok(())
}

#[tokio::test]
async fn chunks_past_the_retention_time_go_away_with_their_partition() -> Result<()> {
    let scene = Scene::open().await?;
    deliver(&scene, 1, &ride()).await?;
    run_due_jobs(&scene.api.app).await?;
    scene.api.app.clock.advance(Duration::days(500));

    run_due_jobs(&scene.api.app).await?;

    assert_eq!(scene.count("SELECT count(*) FROM telemetry_chunks").await?, 0);
    Ok(())
}
