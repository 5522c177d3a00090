//! Measures of a body, and what is derived from them.

use super::composition;
use super::formulas::{self, BmiClass, Girths, Sex};
use crate::domains::accounts::text_block;
use crate::domains::users::{ActivityLevel, Units};
use crate::ids::BodyMetricsId;
use garde::Validate;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use time::{Date, OffsetDateTime};
use utoipa::ToSchema;

time::serde::format_description!(pub day, Date, "[year]-[month]-[day]");

/// What was measured on a day. Everything may be left out but not all of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {
    /// The day; today, if left out.
    #[garde(skip)]
    #[serde(with = "day::option")]
    #[schema(value_type = Option<String>, format = Date, example = "2026-01-31")]
    pub measured_on: Option<Date>,
    #[garde(range(min = 20.0, max = 500.0))]
    #[schema(minimum = 20, maximum = 500, example = 80.0)]
    pub weight_kg: Option<f64>,
    #[garde(range(min = 50.0, max = 272.0))]
    #[schema(minimum = 50, maximum = 272, example = 180.0)]
    pub height_cm: Option<f64>,
    #[garde(range(min = 2.0, max = 75.0))]
    #[schema(minimum = 2, maximum = 75, example = 18.5)]
    pub body_fat_pct: Option<f64>,
    #[garde(range(min = 20, max = 250))]
    #[schema(minimum = 20, maximum = 250, example = 58)]
    pub resting_heart_rate_bpm: Option<i32>,
    /// Girths in cm by name: `chest`, `waist`, `hips`, `neck`, `bicep`, `thigh`, and whatever else. Null takes one away.
    #[garde(custom(girths))]
    #[schema(value_type = BTreeMap<String, f64>, example = json!({"waist": 85.0, "neck": 38.0}))]
    pub girths_cm: BTreeMap<String, Option<f64>>,
    /// What scanners tell, by name: `skeletal_muscle_kg`, `body_fat_kg`, `visceral_fat_level`, `basal_kcal`, `score`,
    /// `body_water_l`, `protein_kg`, `mineral_kg`, `phase_angle_deg`, and of `right_arm`, `left_arm`, `trunk`,
    /// `right_leg` and `left_leg` the mass, such as `trunk_lean_kg` and `trunk_fat_kg`. Null takes one away.
    #[garde(custom(composition::check))]
    #[schema(value_type = BTreeMap<String, f64>, example = json!({"skeletal_muscle_kg": 36.1}))]
    pub composition: BTreeMap<String, Option<f64>>,
    /// From 1 (bad) to 5 (good).
    #[garde(range(min = 1, max = 5))]
    #[schema(minimum = 1, maximum = 5, example = 4)]
    pub mood: Option<i16>,
    #[garde(length(chars, max = 1000), inner(custom(text_block)))]
    #[schema(max_length = 1000, example = "after a week of rest")]
    pub notes: Option<String>,
}

/// An entry of the history.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Entry {
    pub id: BodyMetricsId,
    #[serde(flatten)]
    pub metrics: Metrics,
    #[schema(inline)]
    pub source: MetricsSource,
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

/// Who measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum MetricsSource {
    /// Told by the user.
    Manual,
    /// Read from a scale or scanner.
    Scan,
}

/// The newest of every measure, and what follows from them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Current {
    pub weight_kg: Option<f64>,
    pub target_weight_kg: Option<f64>,
    pub height_cm: Option<f64>,
    pub body_fat_pct: Option<f64>,
    pub resting_heart_rate_bpm: Option<i32>,
    pub girths_cm: BTreeMap<String, f64>,
    pub composition: BTreeMap<String, f64>,
    #[schema(example = 24.69)]
    pub bmi: Option<f64>,
    pub bmi_class: Option<BmiClass>,
    #[schema(example = 68.0)]
    pub lean_mass_kg: Option<f64>,
    /// Fat-free mass index.
    #[schema(example = 20.99)]
    pub ffmi: Option<f64>,
    /// From 0.5 on the waist is wide for the height.
    #[schema(example = 0.47)]
    pub waist_to_height: Option<f64>,
    /// From girths (US Navy), within about 3.5.
    #[schema(example = 16.1)]
    pub body_fat_by_girths_pct: Option<f64>,
    pub energy: Option<Energy>,
    /// The same for people, in the units of their preferences.
    pub display: Display,
}

/// Energy that a body needs; an estimate.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Energy {
    #[schema(inline)]
    pub method: EnergyMethod,
    /// At rest, a day.
    #[schema(example = 1780.0)]
    pub basal_kcal: f64,
    /// With the activity of the fitness profile; null while that says nothing.
    #[schema(example = 2759.0)]
    pub daily_kcal: Option<f64>,
}

/// By which formula.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EnergyMethod {
    /// Weight, height, age, and sex; between both sexes where it is neither.
    MifflinStJeor,
    /// Lean mass.
    KatchMcardle,
}

/// Numbers as they are shown.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Display {
    pub units: Units,
    #[schema(example = "80.0 kg")]
    pub weight: Option<String>,
    #[schema(example = "180 cm")]
    pub height: Option<String>,
}

/// What is known of somebody besides measures.
#[derive(Debug, Clone, Default)]
pub struct About {
    pub sex: Option<Sex>,
    pub age_years: Option<f64>,
    pub activity: Option<ActivityLevel>,
    pub target_weight_kg: Option<f64>,
    pub units: Units,
}

impl Metrics {
    pub fn is_empty(&self) -> bool {
        let about = Self { measured_on: None, ..self.clone() };
        about == Self::default()
    }

    /// Without girths and parts that were taken away.
    #[must_use]
    pub fn tidied(mut self) -> Self {
        self.girths_cm.retain(|_, cm| cm.is_some());
        self.composition.retain(|_, value| value.is_some());
        self
    }
}

impl Current {
    /// Takes in an entry; the newest come first.
    pub fn add(&mut self, metrics: &Metrics) {
        self.weight_kg = self.weight_kg.or(metrics.weight_kg);
        self.height_cm = self.height_cm.or(metrics.height_cm);
        self.body_fat_pct = self.body_fat_pct.or(metrics.body_fat_pct);
        self.resting_heart_rate_bpm =
            self.resting_heart_rate_bpm.or(metrics.resting_heart_rate_bpm);
        add_named(&mut self.girths_cm, &metrics.girths_cm);
        add_named(&mut self.composition, &metrics.composition);
    }

    /// What follows from what was taken in.
    pub fn derive(&mut self, about: &About) {
        let both = self.weight_kg.zip(self.height_cm);
        let girth = |name: &str| self.girths_cm.get(name).copied();
        self.target_weight_kg = about.target_weight_kg;
        self.bmi = both.map(|(weight, height)| formulas::bmi(weight, height));
        self.bmi_class = self.bmi.map(BmiClass::of);
        self.waist_to_height = girth("waist").zip(self.height_cm).map(|(cm, height)| cm / height);
        self.body_fat_by_girths_pct = self.fat_by_girths(about.sex);
        let fat = self.body_fat_pct.or(self.body_fat_by_girths_pct);
        let lean = self.weight_kg.zip(fat);
        self.lean_mass_kg = lean.map(|(weight, fat)| formulas::lean_mass_kg(weight, fat));
        let lean = self.lean_mass_kg.zip(self.height_cm);
        self.ffmi = lean.map(|(lean, height)| formulas::ffmi(lean, height));
        self.energy = self.energy(about);
        self.display = self.shown(about.units);
    }

    fn fat_by_girths(&self, sex: Option<Sex>) -> Option<f64> {
        let girth = |name: &str| self.girths_cm.get(name).copied();
        let (height_cm, neck_cm) = (self.height_cm?, girth("neck")?);
        let (waist_cm, hips_cm) = (girth("waist")?, girth("hips"));
        formulas::body_fat_pct(sex?, Girths { height_cm, neck_cm, waist_cm, hips_cm })
    }

    fn energy(&self, about: &About) -> Option<Energy> {
        let (method, basal_kcal) =
            if let (Some(_), Some(lean)) = (self.body_fat_pct, self.lean_mass_kg) {
                (EnergyMethod::KatchMcardle, formulas::basal_kcal_of_lean(lean))
            } else {
                let (weight, height) = self.weight_kg.zip(self.height_cm)?;
                let (sex, age) = about.sex.zip(about.age_years)?;
                (EnergyMethod::MifflinStJeor, formulas::basal_kcal(sex, weight, height, age))
            };
        let daily_kcal = about.activity.map(|activity| basal_kcal * activity.factor());
        Some(Energy { method, basal_kcal, daily_kcal })
    }

    fn shown(&self, units: Units) -> Display {
        let weight = self.weight_kg.map(|kg| match units {
            Units::Metric => format!("{kg:.1} kg"),
            Units::Imperial => format!("{:.1} lb", kg * LB_PER_KG),
        });
        let height = self.height_cm.map(|cm| match units {
            Units::Metric => format!("{cm:.0} cm"),
            Units::Imperial => {
                let inches = (cm / CM_PER_INCH).round();
                format!("{:.0} ft {:.0} in", (inches / 12.0).floor(), inches % 12.0)
            }
        });
        Display { units, weight, height }
    }
}

fn add_named(known: &mut BTreeMap<String, f64>, told: &BTreeMap<String, Option<f64>>) {
    for (name, value) in told {
        if let Some(value) = value {
            known.entry(name.clone()).or_insert(*value);
        }
    }
}

const LB_PER_KG: f64 = 2.204_622_621_8;
const CM_PER_INCH: f64 = 2.54;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "garde calls it so")]
fn girths(girths: &BTreeMap<String, Option<f64>>, (): &()) -> garde::Result {
    let is_name = |name: &str| {
        (1..=30).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
    };
    if girths.len() > 20 || !girths.keys().all(|name| is_name(name)) {
        return Err(garde::Error::new(
            "has at most 20 names of 1 to 30 characters out of a-z and _",
        ));
    }
    if girths.values().flatten().any(|cm| !(5.0..=300.0).contains(cm)) {
        return Err(garde::Error::new("has a girth that is not 5 to 300 cm"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn current(metrics: &[Metrics], about: &About) -> Current {
        let mut current = Current::default();
        for one in metrics {
            current.add(one);
        }
        current.derive(about);
        current
    }

    fn weighed(weight_kg: f64) -> Metrics {
        Metrics { weight_kg: Some(weight_kg), ..Metrics::default() }
    }

    #[test]
    fn the_newest_of_every_measure_counts() {
        let tall = Metrics { height_cm: Some(180.0), ..weighed(90.0) };

        let current = current(&[weighed(80.0), tall], &About::default());

        assert_eq!((current.weight_kg, current.height_cm), (Some(80.0), Some(180.0)));
        assert!((current.bmi.unwrap() - 24.69).abs() < 0.005);
        assert_eq!(current.energy, None);
    }

    #[test]
    fn energy_follows_from_what_is_known_best() {
        let tall = Metrics { height_cm: Some(180.0), ..weighed(80.0) };
        let about = About {
            sex: Some(Sex::Male),
            age_years: Some(30.0),
            activity: Some(ActivityLevel::Moderate),
            ..About::default()
        };
        let measured = Metrics { body_fat_pct: Some(15.0), ..tall.clone() };

        let by_age = current(&[tall], &about).energy.unwrap();
        let by_fat = current(&[measured], &about).energy.unwrap();

        assert_eq!((by_age.method, by_age.basal_kcal), (EnergyMethod::MifflinStJeor, 1780.0));
        assert!((by_age.daily_kcal.unwrap() - 2759.0).abs() < 1e-6);
        assert_eq!(by_fat.method, EnergyMethod::KatchMcardle);
    }

    #[test]
    fn what_is_kept_in_kilograms_is_shown_in_pounds_to_who_wants_it() {
        let about = About { units: Units::Imperial, ..About::default() };
        let tall = Metrics { height_cm: Some(182.88), ..weighed(80.0) };

        let display = current(&[tall], &about).display;

        assert_eq!(display.weight.as_deref(), Some("176.4 lb"));
        assert_eq!(display.height.as_deref(), Some("6 ft 0 in"));
    }
}
