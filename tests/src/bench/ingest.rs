//! Batches of a branch into the cloud, with everything that is made of them, beside COPY of the same samples as rows.

use super::copy::copy;
use super::simulated::{self, Simulated};
use super::table::{Row, grouped};
use crate::cloud::Cloud;
use crate::db::Db;
use crate::gym::{self, Machine, Said};
use crate::seed::Seed;
use crate::site::Site;
use crate::wait;
use anyhow::Result;
use protocol::machine::Sample;
use sqlx::PgPool;
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

const MACHINES: usize = 200;
const SAMPLES_EACH: usize = 5_000;
/// Of each machine in one batch: ten minutes.
const PART: usize = 600;
const FACTOR: f64 = 3.0;
const LIMIT: Duration = Duration::from_mins(10);

/// Ingest with its projections, and COPY.
pub async fn measure() -> Result<Vec<Row>> {
    let db = Db::durable().await?;
    let folder = tempfile::tempdir()?;
    let mut cloud = Cloud::over(&db.url(), folder.path())?;
    cloud.start().await?;
    let pool = db.pool().await?;
    let site = Site::open(&pool).await?;
    let machines = gym::machines(MACHINES, &Seed::new(1));
    let codes: Vec<String> = machines.iter().map(|machine| machine.code().to_owned()).collect();
    site.machines(&codes).await?;
    let mut ids: Vec<Uuid> = Vec::with_capacity(codes.len());
    for code in &codes {
        ids.push(site.device(code).await?.0);
    }
    let samples: Vec<Vec<Sample>> = machines.into_iter().map(samples).collect();
    let mut edge = Simulated::enrol(&simulated::client()?, &cloud.url(), &site, 1).await?;
    let batches = batches(&mut edge, &ids, &samples);

    let begun = Instant::now();
    for batch in batches {
        edge.send(batch).await?;
    }
    let stored = begun.elapsed();
    wait::until_true("everything is worked out", LIMIT, || is_current(&pool)).await?;
    let current = begun.elapsed();
    cloud.stop().await?;

    let flat: Vec<(usize, Sample)> = samples
        .iter()
        .enumerate()
        .flat_map(|(machine, samples)| samples.iter().map(move |sample| (machine, *sample)))
        .collect();
    let copied = copy(&pool, &flat).await?;
    let count = f64::from(u32::try_from(flat.len())?);
    let rate = |took: Duration| grouped(count / took.as_secs_f64());
    let factor = |took: Duration| copied.keyed.as_secs_f64() / took.as_secs_f64();
    let row = |what: &str, took: Duration| {
        Row::judged(
            what,
            format!("{}/s", rate(took)),
            format!("{:.2} x COPY of the same as rows: {}/s", factor(took), rate(copied.keyed)),
            factor(took) >= FACTOR,
        )
    };
    Ok(vec![
        row("ingest of batches, stays and sets folded", stored),
        row("  and until roll-ups and workouts are current", current),
    ])
}

/// What a machine measures, one sample a second while it is used.
fn samples(mut machine: Machine) -> Vec<Sample> {
    let mut samples = Vec::with_capacity(SAMPLES_EACH);
    while samples.len() < SAMPLES_EACH {
        let said = machine.tick(None);
        samples.extend(said.into_iter().filter_map(|said| match said {
            Said::Sample(sample) => Some(sample),
            _ => None,
        }));
    }
    samples.truncate(SAMPLES_EACH);
    samples
}

/// All machines at the same time, up to now.
fn batches(edge: &mut Simulated, ids: &[Uuid], samples: &[Vec<Sample>]) -> Vec<Vec<u8>> {
    let ms = |seconds: usize| i64::try_from(seconds).unwrap_or(0) * 1_000;
    let begin_ms = cloud_api::Clock::system().now_ms() - ms(SAMPLES_EACH);
    let at_ms = |second: usize| begin_ms + ms(second);
    let starts = (0..SAMPLES_EACH).step_by(PART);
    let batch = |start: usize| {
        let part = |samples: &Vec<Sample>| {
            let numbered = samples.iter().enumerate().skip(start).take(PART);
            numbered.map(|(second, one)| simulated::sample(one, at_ms(second))).collect()
        };
        let telemetry: Vec<_> =
            ids.iter().zip(samples).map(|(id, samples)| (*id, part(samples))).collect();
        edge.pack(&telemetry, &[])
    };
    starts.map(batch).collect()
}

/// Whether roll-ups and workouts are what the samples say.
pub async fn is_current(db: &PgPool) -> Result<bool> {
    let left = "SELECT (SELECT count(*) FROM dirty_hours) + (SELECT count(*) FROM stale_workouts)";
    let left: i64 = sqlx::query_scalar(left).fetch_one(db).await?;
    Ok(left == 0)
}
