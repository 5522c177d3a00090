//! Bodies: what was measured on which day, what follows from it, and where it goes. Their owner sees them, and staff of
//! a branch what of it is shared with them; notes are sealed and never shared. One entry a day and source.

#![expect(unused_qualifications, reason = "utoipa's macro repeats the names of query types")]

mod collection;
mod composition;
mod formulas;
mod history;
mod item;
mod model;
mod photo_store;
mod photos;
mod shared;
mod store;
mod trend;

pub use composition::bounds as part_bounds;
pub use model::{Entry, Metrics, MetricsSource, day};
pub use photo_store::all as all_photos;
pub use photos::shows_photo;
use store::Wanted;

use crate::app::App;
use crate::domains::users::{self, Gender};
use crate::http::{Error, Result};
use crate::ids::{BodyMetricsId, UserId};
use formulas::Sex;
use model::About;
use sqlx::PgConnection;
use time::{Date, Duration, OffsetDateTime};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(
            collection::read_body_metrics,
            collection::set_body_metrics,
            collection::add_body_metrics
        ))
        .routes(routes!(history::read_body_history))
        .routes(routes!(item::update_body_metrics, item::delete_body_metrics))
        .routes(routes!(
            photos::list_body_photos,
            photos::add_body_photo,
            photos::delete_body_photos
        ))
        .routes(routes!(shared::read_shared_body))
}

/// Everything that was measured of somebody, the newest first.
pub async fn all(app: &App, db: &mut PgConnection, user: UserId) -> anyhow::Result<Vec<Entry>> {
    let wanted = Wanted { rows: i64::MAX, ..Wanted::default() };
    store::list(db, &app.secrets, user, wanted).await
}

async fn add(
    app: &App,
    db: &mut PgConnection,
    user: UserId,
    metrics: &Metrics,
) -> Result<Option<BodyMetricsId>> {
    let (source, now) = (MetricsSource::Manual, app.clock.now());
    let made = store::insert(db, &app.secrets, user, metrics, source, now).await?;
    if made.is_some() {
        users::log_activity(db, user, "body_measured", now).await?;
    }
    Ok(made)
}

/// Takes in what a scanner measured, in place of what one measured on the same day.
pub async fn keep_scan(
    app: &App,
    db: &mut PgConnection,
    user: UserId,
    metrics: Metrics,
) -> Result<Date> {
    let now = app.clock.now();
    let metrics = check(metrics, now)?;
    let day = metrics.measured_on.unwrap_or(now.date());
    match scans(app, db, user, day, day).await?.first() {
        Some(known) => store::update(db, &app.secrets, known.id, &metrics, now).await?,
        None => {
            store::insert(db, &app.secrets, user, &metrics, MetricsSource::Scan, now).await?;
        }
    }
    Ok(day)
}

/// What scanners measured from a day to another one, the newest first.
pub async fn scans(
    app: &App,
    db: &mut PgConnection,
    user: UserId,
    from: Date,
    until: Date,
) -> anyhow::Result<Vec<Entry>> {
    let (from, until) = (Some(from), Some(until));
    let wanted = Wanted { from, until, rows: i64::MAX, ..Wanted::default() };
    let entries = store::list(db, &app.secrets, user, wanted).await?.into_iter();
    Ok(entries.filter(|entry| entry.source == MetricsSource::Scan).collect())
}

async fn one(app: &App, db: &mut PgConnection, user: UserId, id: BodyMetricsId) -> Result<Entry> {
    let wanted = Wanted { id: Some(id), rows: 1, ..Wanted::default() };
    store::list(db, &app.secrets, user, wanted).await?.pop().ok_or(Error::NotFound)
}

/// What fields do not say by themselves; the day is today where none is told.
fn check(metrics: Metrics, now: OffsetDateTime) -> Result<Metrics> {
    let mut metrics = metrics.tidied();
    if metrics.is_empty() {
        let message = "nothing was measured".to_owned();
        return Err(Error::Field { field: "weight_kg", code: "required", message });
    }
    let day = *metrics.measured_on.get_or_insert(now.date());
    // Where it is tomorrow already, it may be.
    if day > now.date() + Duration::DAY || day.year() < 1900 {
        let message = "is in the future, or before 1900".to_owned();
        return Err(Error::Field { field: "measured_on", code: "invalid", message });
    }
    Ok(metrics)
}

/// What formulas need to know besides measures.
async fn about(app: &App, db: &mut PgConnection, user: UserId) -> Result<About> {
    let now = app.clock.now();
    let profile = users::profile(db, user, now).await?.ok_or(Error::NotFound)?;
    let fitness = users::fitness_profile(app, db, user).await?;
    Ok(About {
        sex: profile.gender.map(|gender| match gender {
            Gender::Male => Sex::Male,
            Gender::Female => Sex::Female,
            Gender::Other => Sex::Other,
        }),
        age_years: profile.date_of_birth.map(|born| age_years(born, now.date()).into()),
        activity: fitness.activity_level,
        target_weight_kg: fitness.target_weight_kg,
        units: users::preferences(db, user).await?.units,
    })
}

/// Whole years.
pub fn age_years(born: Date, today: Date) -> i32 {
    let had_birthday = (today.month() as u8, today.day()) >= (born.month() as u8, born.day());
    today.year() - born.year() - i32::from(!had_birthday)
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    #[test]
    fn an_age_grows_on_the_birthday() {
        let born = date!(1990 - 12 - 10);

        assert_eq!(age_years(born, date!(2026 - 12 - 09)), 35);
        assert_eq!(age_years(born, date!(2026 - 12 - 10)), 36);
    }
}
