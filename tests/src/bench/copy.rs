//! The peer of the drain: the same samples as rows, by COPY into the same Postgres.

use anyhow::Result;
use protocol::machine::{FIELDS, Sample};
use sqlx::PgPool;
use std::fmt::Write as _;
use std::time::Duration;
use tokio::time::Instant;

/// Bytes given to COPY at a time.
const PORTION: usize = 1 << 20;

/// What finds a row again and refuses it when it comes twice, as the chunks' keys do.
const KEY: &str = ", PRIMARY KEY (machine_id, boot, seq)";

/// How long COPY took.
#[derive(Debug, Clone, Copy)]
pub struct Copied {
    /// Into a table with a primary key.
    pub keyed: Duration,
    /// Into a table without any: rows that may be doubled and are found by reading all of them.
    pub bare: Duration,
}

/// Copies samples of machines into tables with a column per field.
pub async fn copy(db: &PgPool, samples: &[(usize, Sample)]) -> Result<Copied> {
    let keyed = copy_into(db, samples, "rows_with_key", KEY).await?;
    let bare = copy_into(db, samples, "rows_without_key", "").await?;
    Ok(Copied { keyed, bare })
}

async fn copy_into(
    db: &PgPool,
    samples: &[(usize, Sample)],
    table: &str,
    key: &str,
) -> Result<Duration> {
    let fields: Vec<String> = FIELDS.iter().map(|spec| format!("{} real", spec.name)).collect();
    let create = format!(
        "CREATE TABLE {table} (machine_id uuid NOT NULL, at timestamptz NOT NULL,
         boot bigint NOT NULL, seq bigint NOT NULL, {}{key})",
        fields.join(", ")
    );
    sqlx::query(sqlx::AssertSqlSafe(create)).execute(db).await?;
    let start = Instant::now();
    let mut rows = db.acquire().await?;
    let mut copy = rows.copy_in_raw(&format!("COPY {table} FROM STDIN")).await?;
    let mut text = String::with_capacity(PORTION + 1024);
    for (machine, sample) in samples {
        row(&mut text, *machine, sample);
        if text.len() >= PORTION {
            copy.send(text.as_bytes()).await?;
            text.clear();
        }
    }
    copy.send(text.as_bytes()).await?;
    copy.finish().await?;
    Ok(start.elapsed())
}

fn row(text: &mut String, machine: usize, sample: &Sample) {
    let at_s = 1_800_000_000 + sample.uptime_ms.unwrap_or(0) / 1_000 % 1_000_000;
    let (boot, seq) = (sample.boot.unwrap_or(0), sample.seq);
    // Writing to memory does not fail.
    let _ = write!(
        text,
        "00000000-0000-7000-8000-{machine:012x}\t2026-11-20 {:02}:{:02}:{:02}+00\t{boot}\t{seq}",
        at_s / 3_600 % 24,
        at_s / 60 % 60,
        at_s % 60
    );
    for spec in &FIELDS {
        let _ = match sample.fields.value(spec.field) {
            Some(value) => write!(text, "\t{value}"),
            None => write!(text, "\t\\N"),
        };
    }
    text.push('\n');
}
