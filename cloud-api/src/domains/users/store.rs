//! SQL of the domain.

use super::model::{FitnessLevel, Gender, NewProfile, Profile};
use crate::domains::accounts::{Plan, Role};
use crate::ids::UserId;
use sqlx::{PgConnection, query, query_as};
use time::OffsetDateTime;

/// Keeps what was told; what was left out stays as it was.
pub async fn keep_profile(
    db: &mut PgConnection,
    user: UserId,
    profile: &NewProfile,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    query!(
        "INSERT INTO user_profiles AS known
             (user_id, first_name, last_name, date_of_birth, gender, fitness_level, bio, location,
              time_zone, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         ON CONFLICT ON CONSTRAINT user_profiles_pkey DO UPDATE SET
             first_name = COALESCE($2, known.first_name),
             last_name = COALESCE($3, known.last_name),
             date_of_birth = COALESCE($4, known.date_of_birth),
             gender = COALESCE($5, known.gender),
             fitness_level = COALESCE($6, known.fitness_level),
             bio = COALESCE($7, known.bio),
             location = COALESCE($8, known.location),
             time_zone = COALESCE($9, known.time_zone),
             updated_at = $10",
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
        r#"SELECT id, email, email_verified_at IS NOT NULL AS "is_email_verified!", name,
                  role AS "role: Role",
                  CASE WHEN plan_ends_at <= $2 THEN 'free' ELSE plan END AS "plan!: Plan",
                  first_name, last_name, date_of_birth, gender AS "gender: Gender",
                  fitness_level AS "fitness_level: FitnessLevel", bio, location, time_zone,
                  created_at, last_login_at
           FROM users LEFT JOIN user_profiles ON user_id = id WHERE id = $1"#,
        user.0,
        now,
    )
    .fetch_optional(db)
    .await
}
