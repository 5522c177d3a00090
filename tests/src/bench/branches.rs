//! 100 branches at once for a while: whether the cloud keeps up, and what a branch costs it in a day.

use super::ingest::is_current;
use super::simulated::{self, Simulated};
use super::table::{Row, grouped};
use crate::cloud::Cloud;
use crate::db::Db;
use crate::site::Site;
use crate::times::Times;
use crate::wait;
use anyhow::{Context as _, Result};
use protocol::machine::{Field, Sample};
use sqlx::PgPool;
use std::fs;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

const BRANCHES: u32 = 100;
const MACHINES: u32 = 200;
/// So many of them are used at the same time, over opening hours.
const USED: u32 = 30;
/// Agents send samples twice a minute.
const EVERY: Duration = Duration::from_secs(30);
const ROUNDS: u32 = 4;
/// A branch is open for so long.
const OPEN_H: f64 = 16.0;
const CATCH_UP: Duration = Duration::from_secs(90);

/// Answers, processors and bytes.
pub async fn measure() -> Result<Vec<Row>> {
    let db = Db::durable().await?;
    let folder = tempfile::tempdir()?;
    let mut cloud = Cloud::over(&db.url(), folder.path())?;
    cloud.start().await?;
    let pool = db.pool().await?;
    let mut branches = Vec::new();
    let client = simulated::client()?;
    for number in 0..BRANCHES {
        let site = Site::open(&pool).await?;
        let codes: Vec<String> = (0..MACHINES).map(|place| format!("machine-{place:03}")).collect();
        let ids = machines(&pool, &site, &codes).await?;
        branches.push((Simulated::enrol(&client, &cloud.url(), &site, number.into()).await?, ids));
    }
    let (bytes, busy) = (size(&pool).await?, cloud.process()?.cpu_time()? + postgres(&pool).await?);
    let times = run(branches).await?;
    // Whether there is a backlog: what is out of date now is less than a minute old.
    let late =
        "SELECT count(*) FROM dirty_hours WHERE first_marked_at < now() - interval '75 seconds'";
    let late: i64 = sqlx::query_scalar(late).fetch_one(&pool).await?;
    wait::until_true("everything is worked out", CATCH_UP, || is_current(&pool)).await?;
    let busy = (cloud.process()?.cpu_time()? + postgres(&pool).await?).saturating_sub(busy);
    let bytes = size(&pool).await? - bytes;
    cloud.stop().await?;
    Ok(rows(&times, late, busy, bytes))
}

#[expect(clippy::cast_precision_loss, reason = "bytes of a measurement")]
fn rows(times: &Times, late: i64, busy: Duration, bytes: i64) -> Vec<Row> {
    let ran_s = EVERY.as_secs_f64() * f64::from(ROUNDS);
    let samples = ran_s * f64::from(USED * BRANCHES);
    let day = OPEN_H * 3_600.0 / ran_s / f64::from(BRANCHES);
    let busy_s = busy.as_secs_f64();
    let (cpu_day, mb_day) = (busy_s * day, bytes as f64 / 1e6 * day);
    let slowest = times.quantile(1.0);
    vec![
        Row::judged(
            "100 branches at once: the slowest batch, hours that wait",
            format!("{slowest:.1?}, {late}"),
            format!("at most {EVERY:?} and none (p50 {:.1?})", times.quantile(0.5)),
            slowest <= EVERY && late == 0,
        ),
        Row::told(
            "  cost of a branch-day, cloud and Postgres",
            format!("{cpu_day:.0} CPU s, {mb_day:.0} MB"),
            format!(
                "{USED} of {MACHINES} machines used over {OPEN_H} h, 1 sample/s; {} samples measured, chunks not merged",
                grouped(samples)
            ),
        ),
        Row::told(
            "  300 branches, extrapolated from that",
            format!(
                "{:.1} cores, {:.0} GB a day",
                cpu_day * 300.0 / OPEN_H / 3_600.0,
                mb_day * 0.3
            ),
            format!("while open; {:.1} cores were busy with 100", busy_s / ran_s),
        ),
    ]
}

/// Many at once.
async fn machines(db: &PgPool, site: &Site, codes: &[String]) -> Result<Vec<Uuid>> {
    let ids: Vec<Uuid> = codes.iter().map(|_| Uuid::now_v7()).collect();
    sqlx::query(
        "INSERT INTO devices (id, branch_id, code, kind, name, machine_type, topics, created_at)
         SELECT id, $1, code, 'machine', code, 'cardio', '{}', now()
         FROM UNNEST($2::uuid[], $3::text[]) AS new (id, code)",
    )
    .bind(site.branch)
    .bind(&ids)
    .bind(codes)
    .execute(db)
    .await?;
    Ok(ids)
}

/// Every branch for itself, one after the other beginning within the first half minute.
async fn run(branches: Vec<(Simulated, Vec<Uuid>)>) -> Result<Times> {
    let begun = Instant::now();
    let begun_ms = cloud_api::Clock::system().now_ms();
    let mut tasks = JoinSet::new();
    for (number, (edge, ids)) in (0_u32..).zip(branches) {
        let ids = Arc::new(ids);
        tasks.spawn(branch(edge, ids, begun + EVERY * number / BRANCHES, begun_ms));
    }
    let mut times = Times::new();
    while let Some(ended) = tasks.join_next().await {
        times.merge(&ended??);
    }
    Ok(times)
}

async fn branch(
    mut edge: Simulated,
    ids: Arc<Vec<Uuid>>,
    begin: Instant,
    begun_ms: i64,
) -> Result<Times> {
    let mut times = Times::new();
    for round in 1..=ROUNDS {
        sleep_until(begin + EVERY * round).await;
        let telemetry: Vec<_> =
            ids.iter().take(USED as usize).map(|id| (*id, ride(round - 1, begun_ms))).collect();
        let packed = edge.pack(&telemetry, &[]);
        let sent = Instant::now();
        edge.send(packed).await?;
        times.record(sent.elapsed());
    }
    Ok(times)
}

/// Half a minute of somebody on a bike.
fn ride(round: u32, begun_ms: i64) -> Vec<protocol::machine::columns::TimedSample> {
    let seconds = u32::try_from(EVERY.as_secs()).unwrap_or(30);
    let one = |second: u32| {
        let number = round * seconds + second;
        let mut sample = Sample { seq: number.into(), boot: Some(1), ..Sample::default() };
        for (field, value) in [
            (Field::ElapsedS, f64::from(number)),
            (Field::DistanceM, f64::from(number) * 6.1),
            (Field::EnergyKcal, f64::from(number / 6)),
            (Field::SpeedMps, 6.0 + f64::from(number % 7) / 10.0),
            (Field::CadenceRpm, 80.0 + f64::from(number % 9)),
            (Field::PowerW, 140.0 + f64::from(number % 23)),
            (Field::HeartRateBpm, 120.0 + f64::from(number % 31)),
        ] {
            sample.fields.set(field, value);
        }
        simulated::sample(&sample, begun_ms + i64::from(number) * 1_000)
    };
    (0..seconds).map(one).collect()
}

async fn size(db: &PgPool) -> Result<i64> {
    Ok(sqlx::query_scalar("SELECT pg_database_size(current_database())").fetch_one(db).await?)
}

/// Time that the processes of Postgres have used so far. Those of connections that ended are not in it.
async fn postgres(db: &PgPool) -> Result<Duration> {
    let pids: Vec<i32> =
        sqlx::query_scalar("SELECT pid FROM pg_stat_activity").fetch_all(db).await?;
    let mut ticks = 0;
    for pid in pids {
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        let (_, rest) = stat.rsplit_once(") ").context("/proc/PID/stat has no name")?;
        ticks += rest.split(' ').skip(11).take(2).flat_map(str::parse::<u64>).sum::<u64>();
    }
    Ok(Duration::from_millis(ticks * 10))
}
