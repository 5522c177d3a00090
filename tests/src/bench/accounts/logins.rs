//! Whether the time of a refusal tells that there is an account: medians of both, in turn.

use super::gym::{EMAIL, Gym};
use crate::bench::table::Row;
use crate::http;
use crate::times::Times;
use anyhow::{Result, ensure};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

const LOGINS: u32 = 100;
/// Each about another account: an address gets three letters an hour.
const LETTERS: u32 = 300;

/// Login and forgot, with an account and without. The floor of failed logins is off: it would hide what they differ by.
pub async fn measure(gym: &Gym) -> Result<Vec<Row>> {
    let mut cloud = super::gym::cloud(&gym.db, &gym.folder)?;
    cloud.env("GYMWIRE_AUTH__FAILED_LOGIN_MS", &0);
    cloud.start().await?;
    copy_accounts(gym).await?;
    let (mut logins, mut letters) = (Both::default(), Both::default());
    for number in 0..LOGINS {
        let [known, unknown] = addresses(number).map(|email| {
            let guess = json!({"email": email, "password": "no password of anybody"});
            took(cloud.url() + "/api/v1/auth/login", guess, 401)
        });
        logins.known.record(known.await?);
        logins.unknown.record(unknown.await?);
    }
    for number in 0..LETTERS {
        let [known, unknown] = addresses(number).map(|email| {
            took(cloud.url() + "/api/v1/auth/forgot-password", json!({"email": email}), 202)
        });
        letters.known.record(known.await?);
        letters.unknown.record(unknown.await?);
    }
    cloud.stop().await?;
    Ok(vec![logins.row("failed login"), letters.row("forgotten password")])
}

#[derive(Default)]
struct Both {
    known: Times,
    unknown: Times,
}

impl Both {
    fn row(&self, what: &str) -> Row {
        let median = |times: &Times| times.quantile(0.5).as_secs_f64() * 1_000.0;
        let (known, unknown) = (median(&self.known), median(&self.unknown));
        Row::told(
            &format!("{what}: median with an account, without"),
            format!("{known:.2}, {unknown:.2} ms"),
            format!("they differ by {:.2} ms", (known - unknown).abs()),
        )
    }
}

/// Somebody with an account, and nobody.
fn addresses(number: u32) -> [String; 2] {
    [format!("known{number:04}@example.com"), format!("other{number:04}@example.com")]
}

/// Accounts like the one that there is.
async fn copy_accounts(gym: &Gym) -> Result<()> {
    let copy = "INSERT INTO users (id, organization_id, email, name, password_hash, role, status, created_at)
         SELECT gen_random_uuid(), organization_id, 'known' || lpad(n::text, 4, '0') || '@example.com', name,
                password_hash, role, status, created_at
         FROM users, generate_series(0, $2) n WHERE email = $1";
    let count = i32::try_from(LETTERS.max(LOGINS))?;
    sqlx::query(copy).bind(EMAIL).bind(count).execute(&gym.db.pool().await?).await?;
    Ok(())
}

async fn took(url: String, body: Value, status: u16) -> Result<Duration> {
    let begun = Instant::now();
    let answer = http::client().post(url).json(&body).send().await?;
    ensure!(answer.status() == status, "{}", answer.status());
    Ok(begun.elapsed())
}
