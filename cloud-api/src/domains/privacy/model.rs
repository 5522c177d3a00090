//! What people agree to.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

/// What somebody may agree to, each for itself. Nothing is given until somebody says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum ConsentKind {
    /// Keep conditions and allergies. Without it they are forgotten.
    HealthData,
    /// Count what of the app is used. Without it the counts are forgotten.
    Usage,
    /// Let services of artificial intelligence see training and goals.
    AiSharing,
    /// Show training to others, as the preferences say.
    SocialSharing,
    /// Write about offers.
    Marketing,
}

impl ConsentKind {
    pub const ALL: [Self; 5] =
        [Self::HealthData, Self::Usage, Self::AiSharing, Self::SocialSharing, Self::Marketing];
}

/// How somebody decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Consent {
    pub kind: ConsentKind,
    pub is_given: bool,
    /// Of the text that was shown; null while nothing was decided.
    #[schema(example = "2026-11")]
    pub version: Option<String>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub decided_at: Option<OffsetDateTime>,
}

/// A decision of the past or the present.
#[derive(Debug, Serialize, ToSchema)]
pub struct Decision {
    pub id: i64,
    pub kind: ConsentKind,
    pub is_given: bool,
    #[schema(example = "2026-11")]
    pub version: String,
    #[serde(with = "time::serde::rfc3339")]
    pub decided_at: OffsetDateTime,
}
