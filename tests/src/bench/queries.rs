//! What apps and staff ask most: which of 200 machines are free, and how a year of visits was.

use super::simulated;
use super::table::Row;
use crate::cloud::Cloud;
use crate::db::Db;
use crate::site::Site;
use crate::staff::Staff;
use crate::times::Times;
use anyhow::{Result, ensure};
use reqwest::Client;
use serde_json::{Value, json};
use sqlx::PgPool;
use std::time::Duration;
use tokio::time::Instant;

const MACHINES: usize = 200;
const VISITS_A_DAY: i32 = 1_500;
const DAYS: i32 = 365;
const AVAILABILITY_LIMIT: Duration = Duration::from_millis(5);
const ANALYTICS_LIMIT: Duration = Duration::from_millis(200);

/// Times of answers, over HTTP by one client that keeps its connection.
pub async fn measure() -> Result<Vec<Row>> {
    let db = Db::durable().await?;
    let folder = tempfile::tempdir()?;
    let mut cloud = Cloud::over(&db.url(), folder.path())?;
    cloud.start().await?;
    let pool = db.pool().await?;
    let site = Site::open(&pool).await?;
    let codes: Vec<String> = (0..MACHINES).map(|number| format!("machine-{number:03}")).collect();
    site.machines(&codes).await?;
    visits(&pool, &site).await?;
    let (email, password) = site.staff().await?;
    // Staff are there; their token is asked for by our own client, which keeps its connection.
    Staff::log_in(&cloud.url(), &email, &password).await?;
    let asker = Asker::log_in(&cloud.url(), &email, &password).await?;

    let branch = site.branch;
    let availability = format!("/api/v1/machines/availability?branch_id={branch}");
    asker.times(&availability, 50).await?;
    let availability = asker.times(&availability, 2_000).await?;
    let (from, to) = year(&pool).await?;
    let analytics = format!("/api/v1/sessions/analytics?branch_id={branch}&from={from}&to={to}");
    let first = asker.times(&analytics, 1).await?;
    let analytics = asker.times(&analytics, 100).await?;
    cloud.stop().await?;
    Ok(vec![
        Row::p99("availability of 200 machines", &availability, AVAILABILITY_LIMIT),
        Row::p99("session analytics, a year of 1 500 visits a day", &analytics, ANALYTICS_LIMIT),
        Row::told(
            "  the first time, when its hours are summed up",
            format!("{:.1?}", first.quantile(1.0)),
            "otherwise a job does it every ten minutes".to_owned(),
        ),
    ])
}

/// A year of stays of an hour or so, and that their hours are to be summed up.
async fn visits(db: &PgPool, site: &Site) -> Result<()> {
    sqlx::query(
        "INSERT INTO gym_sessions (id, member_id, branch_id, started_at, ended_at, end_reason)
         SELECT gen_random_uuid(), gen_random_uuid(), $1, began, began + minutes * interval '1 minute',
                'checked_out'
         FROM (
             SELECT date_trunc('day', now()) - day * interval '1 day' + interval '6 hours'
                        + visit * interval '1 minute' * 960 / $2 AS began,
                    30 + (visit * 7 + day * 13) % 75 AS minutes
             FROM generate_series(1, $3) AS day, generate_series(0, $2 - 1) AS visit
         ) AS visits",
    )
    .bind(site.branch)
    .bind(VISITS_A_DAY)
    .bind(DAYS)
    .execute(db)
    .await?;
    sqlx::query(
        "INSERT INTO visit_hours_stale (branch_id, since)
         SELECT $1, min(started_at) FROM gym_sessions WHERE branch_id = $1
         ON CONFLICT (branch_id) DO UPDATE SET since = excluded.since",
    )
    .bind(site.branch)
    .execute(db)
    .await?;
    sqlx::query("ANALYZE gym_sessions").execute(db).await?;
    Ok(())
}

/// The first and the last day.
async fn year(db: &PgPool) -> Result<(String, String)> {
    let days = "SELECT (current_date - 365)::text, current_date::text";
    Ok(sqlx::query_as(days).fetch_one(db).await?)
}

struct Asker {
    client: Client,
    url: String,
    token: String,
}

impl Asker {
    async fn log_in(url: &str, email: &str, password: &str) -> Result<Self> {
        let client = simulated::client()?;
        let login = json!({"email": email, "password": password});
        let answer = client.post(format!("{url}/api/v1/auth/login")).json(&login).send().await?;
        let answer: Value = answer.error_for_status()?.json().await?;
        let token = answer["access_token"].as_str().unwrap_or_default().to_owned();
        Ok(Self { client, url: url.to_owned(), token })
    }

    /// One after the other.
    async fn times(&self, path: &str, count: u32) -> Result<Times> {
        let mut times = Times::new();
        for _ in 0..count {
            let request = self.client.get(format!("{}{path}", self.url)).bearer_auth(&self.token);
            let begun = Instant::now();
            let answer = request.send().await?;
            let status = answer.status();
            let body = answer.bytes().await?;
            times.record(begun.elapsed());
            ensure!(status.is_success(), "{path}: {status} {}", String::from_utf8_lossy(&body));
        }
        Ok(times)
    }
}
