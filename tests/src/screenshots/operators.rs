//! Pictures of the operators' page: a chain of branches of which one trains, with two weeks behind it.

use super::each;
use crate::browser::Chain;
use anyhow::Result;
use serde_json::json;
use sqlx::PgPool;
use std::path::Path;

const NAMES: [&str; 6] = ["Nordend", "Hafen", "Altstadt", "Westpark", "Ostbahnhof", "Am Stadion"];

/// Takes them into a folder.
pub(super) async fn take(folder: &Path) -> Result<()> {
    let chain = Chain::open("Ada Lovelace").await?;
    for _ in 2..NAMES.len() {
        chain.scene.site.beside().await?;
    }
    name(&chain.scene.pool).await?;
    let mut machines = Vec::new();
    for (code, status) in [
        ("treadmill-1", json!({"state": "in_use"})),
        ("bike-1", json!({"state": "idle"})),
        ("rower-1", json!({"state": "out_of_order", "error": "belt"})),
    ] {
        machines.push(chain.machine(code, &status).await?);
    }
    past(&chain).await?;
    chain.check_in().await?;
    let browser = chain.browser().await?;
    each(&browser, folder, "operators-sign-in", "/console/sign-in").await?;
    let browser = chain.signed_in().await?;
    browser.sees("1 inside").await?;
    let branch = chain.branch();
    for (picture, path) in [
        ("operators-branches", "/console"),
        ("operators-branch", branch.as_str()),
        ("operators-machine", format!("{branch}/machines/rower-1").as_str()),
    ] {
        each(&browser, folder, picture, path).await?;
    }
    Ok(())
}

async fn name(pool: &PgPool) -> Result<()> {
    for (number, name) in (1_i32..).zip(NAMES) {
        let rename = "UPDATE branches SET name = $1 WHERE site_no = $2";
        sqlx::query(rename).bind(name).bind(number).execute(pool).await?;
    }
    Ok(())
}

/// Visits of two weeks: few in the morning, many in the evening.
async fn past(chain: &Chain) -> Result<()> {
    let (pool, branch) = (&chain.scene.pool, chain.scene.site.branch);
    sqlx::query(
        "INSERT INTO gym_sessions (id, member_id, branch_id, started_at, ended_at, end_reason)
         SELECT gen_random_uuid(), gen_random_uuid(), $1, began, began + interval '70 minutes',
                'checked_out'
         FROM (SELECT date_trunc('day', now()) - day * interval '1 day' + hour * interval '1 hour'
                      + visit * interval '7 minutes' AS began
               FROM generate_series(0, 13) AS day, generate_series(6, 21) AS hour,
                    generate_series(1, (2 + hour % 7 + (CASE WHEN hour > 16 THEN 5 ELSE 0 END)
                                        - day % 3)::integer) AS visit) AS visits
         WHERE began < now() - interval '80 minutes'",
    )
    .bind(branch.0)
    .execute(pool)
    .await?;
    sqlx::query(
        "INSERT INTO visit_hours_stale (branch_id, since) VALUES ($1, now() - interval '15 days')
         ON CONFLICT (branch_id) DO UPDATE SET since = excluded.since",
    )
    .bind(branch.0)
    .execute(pool)
    .await?;
    sqlx::query(
        "INSERT INTO links (id, member_id, machine_id, branch_id, started_at, ended_at, end_reason)
         SELECT gen_random_uuid(), gen_random_uuid(), id, $1, now() - day * interval '1 day',
                now() - day * interval '1 day' + length(code) * interval '4 minutes', 'unlinked'
         FROM devices, generate_series(1, 20) AS day
         WHERE branch_id = $1 AND kind = 'machine' AND code <> 'bike-2'",
    )
    .bind(branch.0)
    .execute(pool)
    .await?;
    Ok(())
}
