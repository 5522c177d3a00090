//! What users prefer, and what they tell of their training, eating and health.

use crate::domains::accounts::plain_text;
use garde::Validate;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// How numbers are shown. They are kept in SI units.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Units {
    #[default]
    Metric,
    Imperial,
}

/// Who finds somebody and sees their profile. Staff always do.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Visibility {
    /// Everybody of the organization.
    Public,
    Friends,
    #[default]
    Private,
}

/// What somebody prefers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema, Validate)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Preferences {
    #[garde(skip)]
    #[schema(inline)]
    pub units: Units,
    /// Between two sets.
    #[garde(range(min = 0, max = 3600))]
    #[schema(minimum = 0, maximum = 3600, example = 90)]
    pub default_rest_s: i32,
    /// Notices that are wanted.
    #[garde(skip)]
    pub workout_reminders: bool,
    #[garde(skip)]
    pub progress_updates: bool,
    #[garde(skip)]
    pub social_activity: bool,
    #[garde(skip)]
    pub coach_recommendations: bool,
    #[garde(skip)]
    #[schema(inline)]
    pub profile_visibility: Visibility,
    /// Whether others see own training.
    #[garde(skip)]
    pub workout_sharing: bool,
    /// Whether others see own progress.
    #[garde(skip)]
    pub progress_sharing: bool,
    /// The app's own, 16 KiB of JSON at most.
    #[garde(custom(small))]
    #[schema(value_type = Object, example = json!({"theme": "dark"}))]
    pub app: Map<String, Value>,
}

impl Default for Preferences {
    /// Nothing is shared until somebody says so.
    fn default() -> Self {
        Self {
            units: Units::default(),
            default_rest_s: 90,
            workout_reminders: true,
            progress_updates: true,
            social_activity: true,
            coach_recommendations: true,
            profile_visibility: Visibility::default(),
            workout_sharing: false,
            progress_sharing: false,
            app: Map::new(),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "garde calls it so")]
fn small(app: &Map<String, Value>, (): &()) -> garde::Result {
    let text = serde_json::to_string(app).unwrap_or_default();
    // Postgres keeps no NUL in text.
    if text.len() <= 16 * 1024 && !text.contains("\\u0000") {
        Ok(())
    } else {
        Err(garde::Error::new("is longer than 16 KiB, or holds U+0000"))
    }
}

/// How much somebody moves besides training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActivityLevel {
    Sedentary,
    Light,
    Moderate,
    VeryActive,
    Extra,
}

impl ActivityLevel {
    /// Energy of a day, by that at rest.
    pub fn factor(self) -> f64 {
        match self {
            Self::Sedentary => 1.2,
            Self::Light => 1.375,
            Self::Moderate => 1.55,
            Self::VeryActive => 1.725,
            Self::Extra => 1.9,
        }
    }
}

/// What somebody trains for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TrainingGoal {
    LoseWeight,
    BuildMuscle,
    GetStronger,
    Endurance,
    Mobility,
    Health,
    Rehabilitation,
}

/// How somebody trains and what stands in their way. Kept sealed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub struct FitnessProfile {
    #[garde(skip)]
    pub activity_level: Option<ActivityLevel>,
    #[garde(length(max = 7))]
    #[schema(max_items = 7)]
    pub goals: Vec<TrainingGoal>,
    #[garde(range(min = 0, max = 14))]
    #[schema(minimum = 0, maximum = 14, example = 3)]
    pub sessions_per_week: Option<i32>,
    #[garde(range(min = 20.0, max = 500.0))]
    #[schema(minimum = 20, maximum = 500, example = 75.0)]
    pub target_weight_kg: Option<f64>,
    /// In own words. Needs the consent `health_data`.
    #[garde(length(max = 30), inner(length(chars, min = 1, max = 200), custom(plain_text)))]
    #[schema(max_items = 30, example = json!(["asthma"]))]
    pub health_conditions: Vec<String>,
}

/// How somebody eats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DietKind {
    Omnivore,
    Pescatarian,
    Vegetarian,
    Vegan,
    Keto,
    LowCarb,
    Halal,
    Kosher,
}

/// What somebody eats and must not eat. Kept sealed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub struct DietPreferences {
    #[garde(skip)]
    pub diet: Option<DietKind>,
    #[garde(length(max = 30), inner(length(chars, min = 1, max = 60), custom(plain_text)))]
    #[schema(max_items = 30, example = json!(["thai"]))]
    pub cuisines: Vec<String>,
    #[garde(length(max = 30), inner(length(chars, min = 1, max = 60), custom(plain_text)))]
    #[schema(max_items = 30, example = json!(["okra"]))]
    pub dislikes: Vec<String>,
    /// Need the consent `health_data`.
    #[garde(length(max = 30), inner(length(chars, min = 1, max = 60), custom(plain_text)))]
    #[schema(max_items = 30, example = json!(["peanuts"]))]
    pub allergies: Vec<String>,
}

/// Something that is kept sealed.
pub trait Health: Default + Serialize + serde::de::DeserializeOwned {
    const KIND: &'static str;

    /// Whether it tells of somebody's health, which needs consent.
    fn is_of_health(&self) -> bool;

    /// Forgets what needs consent.
    fn forget_health(&mut self);
}

impl Health for FitnessProfile {
    const KIND: &'static str = "fitness_profile";

    fn is_of_health(&self) -> bool {
        !self.health_conditions.is_empty()
    }

    fn forget_health(&mut self) {
        self.health_conditions.clear();
    }
}

impl Health for DietPreferences {
    const KIND: &'static str = "diet_preferences";

    fn is_of_health(&self) -> bool {
        !self.allergies.is_empty()
    }

    fn forget_health(&mut self) {
        self.allergies.clear();
    }
}
