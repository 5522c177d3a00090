//! SQL of the domain. Notes are sealed.

use super::model::{Entry, Metrics, MetricsSource};
use crate::ids::{BodyMetricsId, UserId};
use crate::secrets::Secrets;
use anyhow::Context;
use sqlx::types::Json;
use sqlx::{PgConnection, query, query_as, query_scalar};
use std::collections::BTreeMap;
use time::{Date, OffsetDateTime};

/// A row as it is kept.
struct Row {
    id: BodyMetricsId,
    measured_on: Date,
    weight_kg: Option<f64>,
    height_cm: Option<f64>,
    body_fat_pct: Option<f64>,
    resting_heart_rate_bpm: Option<i32>,
    girths_cm: Json<BTreeMap<String, Option<f64>>>,
    composition: Json<BTreeMap<String, Option<f64>>>,
    mood: Option<i16>,
    notes: Option<Vec<u8>>,
    source: MetricsSource,
    updated_at: OffsetDateTime,
}

impl Row {
    fn open(self, secrets: &Secrets) -> anyhow::Result<Entry> {
        let open = |sealed: Vec<u8>| {
            let plain = secrets.open(NOTES, &sealed)?;
            String::from_utf8(plain.to_vec()).context("notes are no text")
        };
        let metrics = Metrics {
            measured_on: Some(self.measured_on),
            weight_kg: self.weight_kg,
            height_cm: self.height_cm,
            body_fat_pct: self.body_fat_pct,
            resting_heart_rate_bpm: self.resting_heart_rate_bpm,
            girths_cm: self.girths_cm.0,
            composition: self.composition.0,
            mood: self.mood,
            notes: self.notes.map(open).transpose()?,
        };
        let Self { id, source, updated_at, .. } = self;
        Ok(Entry { id, metrics, source, updated_at })
    }
}

const NOTES: &str = "body_notes";

/// Which entries.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted {
    pub from: Option<Date>,
    pub until: Option<Date>,
    /// Older than this one, in the order of the list.
    pub before: Option<(Date, BodyMetricsId)>,
    pub id: Option<BodyMetricsId>,
    pub rows: i64,
}

/// Entries of somebody, the newest first.
pub async fn list(
    db: &mut PgConnection,
    secrets: &Secrets,
    user: UserId,
    wanted: Wanted,
) -> anyhow::Result<Vec<Entry>> {
    let rows = query_as!(
        Row,
        r#"SELECT id, measured_on, weight_kg, height_cm, body_fat_pct, resting_heart_rate_bpm,
                  girths_cm AS "girths_cm: Json<BTreeMap<String, Option<f64>>>",
                  composition AS "composition: Json<BTreeMap<String, Option<f64>>>", mood, notes,
                  source AS "source: MetricsSource", updated_at
         FROM body_metrics
         WHERE user_id = $1 AND ($2::date IS NULL OR measured_on >= $2)
             AND ($3::date IS NULL OR measured_on <= $3)
             AND ($4::date IS NULL OR (measured_on, id) < ($4, $5))
             AND ($6::uuid IS NULL OR id = $6)
         ORDER BY measured_on DESC, id DESC LIMIT $7"#,
        user.0,
        wanted.from,
        wanted.until,
        wanted.before.map(|(day, _)| day),
        wanted.before.map(|(_, id)| id.0),
        wanted.id.map(|id| id.0),
        wanted.rows,
    );
    let rows = rows.fetch_all(db).await?.into_iter();
    rows.map(|row| row.open(secrets)).collect()
}

/// Makes an entry; `None` if the day has one of that source.
pub async fn insert(
    db: &mut PgConnection,
    secrets: &Secrets,
    user: UserId,
    metrics: &Metrics,
    source: MetricsSource,
    now: OffsetDateTime,
) -> anyhow::Result<Option<BodyMetricsId>> {
    let notes = metrics.notes.as_ref().map(|text| secrets.seal(NOTES, text.as_bytes()));
    let made = query_scalar!(
        "INSERT INTO body_metrics (id, user_id, measured_on, weight_kg, height_cm, body_fat_pct,
             resting_heart_rate_bpm, girths_cm, mood, notes, source, created_at, updated_at,
             composition)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12, $13)
         ON CONFLICT ON CONSTRAINT body_metrics_day_key DO NOTHING RETURNING id",
        BodyMetricsId::new().0,
        user.0,
        metrics.measured_on.context("no day")?,
        metrics.weight_kg,
        metrics.height_cm,
        metrics.body_fat_pct,
        metrics.resting_heart_rate_bpm,
        Json(&metrics.girths_cm) as _,
        metrics.mood,
        notes.transpose()?,
        source as MetricsSource,
        now,
        Json(&metrics.composition) as _,
    );
    Ok(made.fetch_optional(db).await?)
}

/// Replaces what an entry says.
pub async fn update(
    db: &mut PgConnection,
    secrets: &Secrets,
    id: BodyMetricsId,
    metrics: &Metrics,
    now: OffsetDateTime,
) -> anyhow::Result<()> {
    let notes = metrics.notes.as_ref().map(|text| secrets.seal(NOTES, text.as_bytes()));
    let changed = query!(
        "UPDATE body_metrics SET measured_on = $2, weight_kg = $3, height_cm = $4,
             body_fat_pct = $5, resting_heart_rate_bpm = $6, girths_cm = $7, mood = $8, notes = $9,
             updated_at = $10, composition = $11
         WHERE id = $1",
        id.0,
        metrics.measured_on.context("no day")?,
        metrics.weight_kg,
        metrics.height_cm,
        metrics.body_fat_pct,
        metrics.resting_heart_rate_bpm,
        Json(&metrics.girths_cm) as _,
        metrics.mood,
        notes.transpose()?,
        now,
        Json(&metrics.composition) as _,
    );
    changed.execute(db).await?;
    Ok(())
}

/// Its pictures are to be taken first.
pub async fn delete(db: &mut PgConnection, user: UserId, id: BodyMetricsId) -> sqlx::Result<()> {
    query!("DELETE FROM body_metrics WHERE user_id = $1 AND id = $2", user.0, id.0)
        .execute(db)
        .await?;
    Ok(())
}
