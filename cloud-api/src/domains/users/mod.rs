//! What users tell about themselves, what they prefer and what they did. Accounts (logging in, roles) are another
//! domain. What tells of somebody's health is sealed and needs consent.

#![expect(unused_qualifications, reason = "utoipa's macro repeats the names of query types")]

mod account;
mod activity;
mod activity_store;
mod credentials;
mod dashboard;
mod dashboard_store;
mod diet_preferences;
mod feedback;
mod feedback_store;
mod fitness_profile;
mod health;
mod model;
pub mod picture;
mod preferences;
mod profile;
mod profiles;
mod qr;
mod search;
mod settings;
mod sharing;
mod sharing_store;
mod stats;
mod stats_store;
mod store;
mod streak;
mod summary;
mod upload_avatar;
mod usage;

pub use activity_store::log_activity;
pub use health::forget as forget_health;
pub use model::{Gender, NewProfile, Profile};
pub use profiles::Profiles;
pub use settings::{ActivityLevel, DietPreferences, FitnessProfile, Units};
pub use sharing::{Audience, Category, Sharing, sharing_with};
pub use sharing_store::sharing;
pub use stats::{Stats, stats};
pub use store::{keep_profile, preferences, profile};
pub use upload_avatar::PictureUpload;

use crate::app::App;
use crate::events::log::{self, Event, PreferencesChanged};
use crate::http::{Caller, Permission, Result};
use crate::ids::UserId;
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(profile::read_profile, profile::update_profile, profile::patch_profile))
        .routes(routes!(preferences::read_preferences, preferences::update_preferences))
        .routes(routes!(
            fitness_profile::read_fitness_profile,
            fitness_profile::update_fitness_profile
        ))
        .routes(routes!(
            diet_preferences::read_diet_preferences,
            diet_preferences::update_diet_preferences
        ))
        .routes(routes!(search::search_users))
        .routes(routes!(activity::list_activity))
        .routes(routes!(summary::summarize_activity))
        .routes(routes!(usage::tell_usage))
        .routes(routes!(usage::read_usage))
        .routes(routes!(feedback::give_feedback))
        .routes(routes!(feedback::list_feedback))
        .routes(routes!(credentials::list_own_credentials, credentials::add_own_credential))
        .routes(routes!(credentials::revoke_own_credential))
        .routes(routes!(qr::read_door_code))
        .routes(routes!(qr::read_door_image))
        .routes(routes!(upload_avatar::upload_avatar))
        .routes(routes!(upload_avatar::remove_avatar))
        .routes(routes!(account::read_account))
        .routes(routes!(sharing::read_sharing, sharing::update_sharing))
        .routes(routes!(stats::read_stats))
        .routes(routes!(dashboard::read_dashboard))
}

/// Tells the devices of a user that their profile or preferences are not what they were.
async fn tell_devices(
    db: &mut PgConnection,
    user: UserId,
    now: OffsetDateTime,
) -> anyhow::Result<()> {
    let event = Event::SyncPreferences(PreferencesChanged {});
    log::append(db, log::Audience::User(user), &event, now).await
}

/// What somebody told of their training.
pub async fn fitness_profile(
    app: &App,
    db: &mut PgConnection,
    user: UserId,
) -> Result<FitnessProfile> {
    health::read(app, db, user).await
}

/// What somebody told of their eating.
pub async fn diet_preferences(
    app: &App,
    db: &mut PgConnection,
    user: UserId,
) -> Result<DietPreferences> {
    health::read(app, db, user).await
}

/// Whether somebody sees another's profile: their own, a public one of the organization, and as staff every one of it.
pub async fn sees(db: &mut PgConnection, caller: &Caller, user: UserId) -> Result<bool> {
    if caller.user == user {
        return Ok(true);
    }
    let organization = caller.organization;
    Ok(if caller.has(Permission::ReadMembers) {
        store::is_of(db, organization, user).await?
    } else {
        store::is_public(db, organization, user).await?
    })
}
