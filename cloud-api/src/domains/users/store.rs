//! SQL of profiles, preferences and what is kept sealed.

use super::model::{FitnessLevel, Gender, NewProfile, Profile};
use super::settings::{Preferences, Units, Visibility};
use crate::domains::accounts::{Plan, Role, Status};
use crate::http::Place;
use crate::ids::{FileId, OrganizationId, UserId};
use serde::Serialize;
use serde_json::{Map, Value};
use sqlx::types::Json;
use sqlx::{PgConnection, query, query_as, query_scalar};
use time::OffsetDateTime;
use utoipa::ToSchema;

/// Keeps what was told, whole.
pub async fn keep_profile(
    db: &mut PgConnection,
    user: UserId,
    profile: &NewProfile,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    query!(
        "INSERT INTO user_profiles
             (user_id, first_name, last_name, date_of_birth, gender, fitness_level, bio, location,
              time_zone, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         ON CONFLICT ON CONSTRAINT user_profiles_pkey DO UPDATE SET
             first_name = $2, last_name = $3, date_of_birth = $4, gender = $5, fitness_level = $6,
             bio = $7, location = $8, time_zone = $9, updated_at = $10",
        user.0,
        profile.first_name,
        profile.last_name,
        profile.date_of_birth,
        profile.gender as Option<Gender>,
        profile.fitness_level as Option<FitnessLevel>,
        profile.bio,
        profile.location,
        profile.time_zone,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn profile(
    db: &mut PgConnection,
    user: UserId,
    now: OffsetDateTime,
) -> sqlx::Result<Option<Profile>> {
    query_as!(
        Profile,
        r#"SELECT users.id, email, email_verified_at IS NOT NULL AS "is_email_verified!", name,
                  role AS "role: Role",
                  CASE WHEN plan_ends_at <= $2 THEN 'free' ELSE plan END AS "plan!: Plan",
                  first_name, last_name, date_of_birth, gender AS "gender: Gender",
                  fitness_level AS "fitness_level: FitnessLevel", bio, location, time_zone,
                  (SELECT files.id FROM files WHERE owner_id = users.id AND files.kind = 'avatar')
                      AS "avatar_id: FileId",
                  users.created_at, last_login_at
           FROM users LEFT JOIN user_profiles ON user_id = users.id WHERE users.id = $1"#,
        user.0,
        now,
    )
    .fetch_optional(db)
    .await
}

/// The usual ones, where somebody has said nothing.
pub async fn preferences(db: &mut PgConnection, user: UserId) -> sqlx::Result<Preferences> {
    let row = query!(
        r#"SELECT units AS "units: Units", default_rest_s, workout_reminders, progress_updates,
                  social_activity, coach_recommendations,
                  profile_visibility AS "profile_visibility: Visibility", workout_sharing,
                  progress_sharing, app AS "app: Json<Map<String, Value>>"
           FROM user_preferences WHERE user_id = $1"#,
        user.0,
    );
    Ok(row.fetch_optional(db).await?.map_or_else(Preferences::default, |row| Preferences {
        units: row.units,
        default_rest_s: row.default_rest_s,
        workout_reminders: row.workout_reminders,
        progress_updates: row.progress_updates,
        social_activity: row.social_activity,
        coach_recommendations: row.coach_recommendations,
        profile_visibility: row.profile_visibility,
        workout_sharing: row.workout_sharing,
        progress_sharing: row.progress_sharing,
        app: row.app.0,
    }))
}

pub async fn keep_preferences(
    db: &mut PgConnection,
    user: UserId,
    preferences: &Preferences,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    query!(
        "INSERT INTO user_preferences
             (user_id, units, default_rest_s, workout_reminders, progress_updates, social_activity,
              coach_recommendations, profile_visibility, workout_sharing, progress_sharing, app,
              updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
         ON CONFLICT ON CONSTRAINT user_preferences_pkey DO UPDATE SET
             units = $2, default_rest_s = $3, workout_reminders = $4, progress_updates = $5,
             social_activity = $6, coach_recommendations = $7, profile_visibility = $8,
             workout_sharing = $9, progress_sharing = $10, app = $11, updated_at = $12",
        user.0,
        preferences.units as Units,
        preferences.default_rest_s,
        preferences.workout_reminders,
        preferences.progress_updates,
        preferences.social_activity,
        preferences.coach_recommendations,
        preferences.profile_visibility as Visibility,
        preferences.workout_sharing,
        preferences.progress_sharing,
        Json(&preferences.app) as _,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Sealed.
pub async fn health(
    db: &mut PgConnection,
    user: UserId,
    kind: &str,
) -> sqlx::Result<Option<Vec<u8>>> {
    query_scalar!("SELECT sealed FROM user_health WHERE user_id = $1 AND kind = $2", user.0, kind)
        .fetch_optional(db)
        .await
}

pub async fn keep_health(
    db: &mut PgConnection,
    user: UserId,
    kind: &str,
    sealed: &[u8],
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    query!(
        "INSERT INTO user_health (user_id, kind, sealed, updated_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT ON CONSTRAINT user_health_pkey DO UPDATE SET sealed = $3, updated_at = $4",
        user.0,
        kind,
        sealed,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// How an account stands.
pub struct Standing {
    pub status: Status,
    pub plan: Plan,
    pub plan_ends_at: Option<OffsetDateTime>,
    pub erase_at: Option<OffsetDateTime>,
}

pub async fn standing(
    db: &mut PgConnection,
    user: UserId,
    now: OffsetDateTime,
) -> sqlx::Result<Standing> {
    query_as!(
        Standing,
        r#"SELECT status AS "status: Status",
                  CASE WHEN plan_ends_at <= $2 THEN 'free' ELSE plan END AS "plan!: Plan",
                  plan_ends_at, erase_at
           FROM users WHERE id = $1"#,
        user.0,
        now,
    )
    .fetch_one(db)
    .await
}

/// Somebody of the organization who is found by others.
#[derive(Debug, Serialize, ToSchema)]
pub struct Person {
    pub id: UserId,
    #[schema(example = "Ada Lovelace")]
    pub name: String,
    /// The picture, for `GET /files/{id}`.
    pub avatar_id: Option<FileId>,
    pub fitness_level: Option<FitnessLevel>,
}

/// People whose names have this in them. Whose profile is not public is found by staff only.
pub async fn search(
    db: &mut PgConnection,
    organization: OrganizationId,
    sees_all: bool,
    text: &str,
    after: Option<Place>,
    rows: i64,
) -> sqlx::Result<Vec<Person>> {
    query_as!(
        Person,
        r#"SELECT users.id, name,
                  (SELECT files.id FROM files WHERE owner_id = users.id AND files.kind = 'avatar')
                      AS "avatar_id: FileId",
                  fitness_level AS "fitness_level: FitnessLevel"
           FROM users LEFT JOIN user_profiles ON user_profiles.user_id = users.id
               LEFT JOIN user_preferences ON user_preferences.user_id = users.id
           WHERE organization_id = $1 AND status IN ('active', 'pending')
               AND ($2 OR profile_visibility = 'public')
               AND strpos(lower(name), lower($3)) > 0
               AND ($4::text IS NULL OR (lower(name), users.id) > ($4, $5))
           ORDER BY lower(name), users.id LIMIT $6"#,
        organization.0,
        sees_all,
        text,
        after.as_ref().map(|place| place.key.as_str()),
        after.as_ref().map(|place| place.id),
        rows,
    )
    .fetch_all(db)
    .await
}

/// Whether a user's profile is public in an organization.
pub async fn is_public(
    db: &mut PgConnection,
    organization: OrganizationId,
    user: UserId,
) -> sqlx::Result<bool> {
    query_scalar!(
        r#"SELECT EXISTS (
               SELECT FROM users JOIN user_preferences ON user_id = id
               WHERE id = $1 AND organization_id = $2 AND profile_visibility = 'public'
           ) AS "public!""#,
        user.0,
        organization.0,
    )
    .fetch_one(db)
    .await
}

pub async fn is_of(
    db: &mut PgConnection,
    organization: OrganizationId,
    user: UserId,
) -> sqlx::Result<bool> {
    query_scalar!(
        r#"SELECT EXISTS (SELECT FROM users WHERE id = $1 AND organization_id = $2) AS "of!""#,
        user.0,
        organization.0,
    )
    .fetch_one(db)
    .await
}
