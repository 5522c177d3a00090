//! Sealed documents about somebody's health, and the rule that they need consent.

use super::settings::{DietPreferences, FitnessProfile, Health};
use super::store;
use crate::app::App;
use crate::audit::{self, Entry};
use crate::domains::accounts;
use crate::domains::privacy::{self, ConsentKind};
use crate::http::{Caller, Error, Origin, Patch, Result};
use crate::ids::UserId;
use garde::Validate;
use sqlx::PgConnection;

/// What somebody told; empty where they did not.
pub async fn read<T: Health>(app: &App, db: &mut PgConnection, user: UserId) -> Result<T> {
    match store::health(db, user, T::KIND).await? {
        None => Ok(T::default()),
        Some(sealed) => {
            let plain = app.secrets.open(&purpose::<T>(user), &sealed)?;
            Ok(serde_json::from_slice(&plain).map_err(anyhow::Error::from)?)
        }
    }
}

/// Moved to somebody else's row it does not open.
fn purpose<T: Health>(user: UserId) -> String {
    format!("{}:{user}", T::KIND)
}

async fn keep<T: Health>(app: &App, db: &mut PgConnection, user: UserId, told: &T) -> Result<()> {
    let json = serde_json::to_vec(told).map_err(anyhow::Error::from)?;
    let sealed = app.secrets.seal(&purpose::<T>(user), &json)?;
    Ok(store::keep_health(db, user, T::KIND, &sealed, app.clock.now()).await?)
}

/// Changes what somebody told.
pub async fn change<T: Health + Validate<Context = ()>>(
    app: &App,
    caller: &Caller,
    origin: &Origin,
    patch: Patch<T>,
) -> Result<T> {
    let mut tx = app.db.begin().await?;
    accounts::hold(&mut tx, caller.user).await?;
    let before: T = read(app, &mut tx, caller.user).await?;
    let after = patch.applied_to(&before)?;
    if after.is_of_health()
        && !privacy::has_consent(&mut tx, caller.user, ConsentKind::HealthData).await?
    {
        return Err(Error::Conflict("consent_needed"));
    }
    keep(app, &mut tx, caller.user, &after).await?;
    // Not even digests of it go into the log.
    let entry = Entry::asked("health.changed", caller, origin).on(caller.user);
    audit::record(&mut tx, &entry, app.clock.now()).await?;
    super::tell_devices(&mut tx, caller.user, app.clock.now()).await?;
    tx.commit().await?;
    Ok(after)
}

/// Forgets what may be kept with consent only, when that is withdrawn.
pub async fn forget(app: &App, db: &mut PgConnection, user: UserId) -> Result<()> {
    let mut fitness: FitnessProfile = read(app, db, user).await?;
    let mut diet: DietPreferences = read(app, db, user).await?;
    fitness.forget_health();
    diet.forget_health();
    keep(app, db, user, &fitness).await?;
    keep(app, db, user, &diet).await
}
