//! Profiles.

use crate::domains::accounts::{Plan, Role, plain_text, text_block};
use crate::http::{Error, Result};
use crate::ids::{FileId, UserId};
use garde::Validate;
use serde::{Deserialize, Serialize};
use time::{Date, OffsetDateTime};
use utoipa::ToSchema;

/// What somebody says they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Gender {
    Male,
    Female,
    Other,
}

/// How much somebody has trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum FitnessLevel {
    Beginner,
    Intermediate,
    Advanced,
}

/// A profile as it is told. Everything may be left out.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub struct NewProfile {
    #[garde(length(chars, min = 1, max = 60), inner(custom(plain_text)))]
    #[schema(min_length = 1, max_length = 60, example = "Ada")]
    pub first_name: Option<String>,
    #[garde(length(chars, min = 1, max = 60), inner(custom(plain_text)))]
    #[schema(min_length = 1, max_length = 60, example = "Lovelace")]
    pub last_name: Option<String>,
    #[garde(skip)]
    #[schema(value_type = Option<String>, format = Date, example = "1990-12-10")]
    #[serde(with = "day")]
    pub date_of_birth: Option<Date>,
    #[garde(skip)]
    pub gender: Option<Gender>,
    #[garde(skip)]
    pub fitness_level: Option<FitnessLevel>,
    /// A few words about oneself.
    #[garde(length(chars, max = 500), inner(custom(text_block)))]
    #[schema(max_length = 500)]
    pub bio: Option<String>,
    /// As text; nothing is computed from it.
    #[garde(length(chars, max = 100), inner(custom(text_block)))]
    #[schema(max_length = 100, example = "London")]
    pub location: Option<String>,
    /// IANA name.
    #[garde(length(chars, min = 1, max = 60), inner(custom(plain_text)))]
    #[schema(min_length = 1, max_length = 60, example = "Europe/London")]
    pub time_zone: Option<String>,
}

/// Somebody, complete.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Profile {
    pub id: UserId,
    #[schema(example = "ada@example.com")]
    pub email: String,
    pub is_email_verified: bool,
    pub name: String,
    pub role: Role,
    pub plan: Plan,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    #[serde(with = "day")]
    #[schema(value_type = Option<String>, format = Date)]
    pub date_of_birth: Option<Date>,
    pub gender: Option<Gender>,
    pub fitness_level: Option<FitnessLevel>,
    pub bio: Option<String>,
    pub location: Option<String>,
    pub time_zone: Option<String>,
    /// The picture, for `GET /files/{id}`.
    pub avatar_id: Option<FileId>,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_login_at: Option<OffsetDateTime>,
}

impl NewProfile {
    /// What a profile tells.
    pub fn of(profile: &Profile) -> Self {
        Self {
            first_name: profile.first_name.clone(),
            last_name: profile.last_name.clone(),
            date_of_birth: profile.date_of_birth,
            gender: profile.gender,
            fitness_level: profile.fitness_level,
            bio: profile.bio.clone(),
            location: profile.location.clone(),
            time_zone: profile.time_zone.clone(),
        }
    }

    /// Refuses days on which nobody who is alive was born.
    pub fn check(&self, today: Date) -> Result<()> {
        match self.date_of_birth {
            Some(born) if born > today || born.year() < 1900 => {
                let message = "is in the future, or before 1900".to_owned();
                Err(Error::Field { field: "date_of_birth", code: "invalid", message })
            }
            _ => Ok(()),
        }
    }
}

time::serde::format_description!(date_format, Date, "[year]-[month]-[day]");
use date_format::option as day;
