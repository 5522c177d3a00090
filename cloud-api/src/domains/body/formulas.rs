//! What measures of a body say, in SI units and years. Estimates for training, never medical ones.

use serde::Serialize;
use utoipa::ToSchema;

/// Whose formula it is. Between both lies what is neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sex {
    Male,
    Female,
    Other,
}

/// Where a body-mass index lies, by the WHO.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BmiClass {
    Underweight,
    Normal,
    Overweight,
    Obese,
}

impl BmiClass {
    pub fn of(bmi: f64) -> Self {
        match bmi {
            bmi if bmi < 18.5 => Self::Underweight,
            bmi if bmi < 25.0 => Self::Normal,
            bmi if bmi < 30.0 => Self::Overweight,
            _ => Self::Obese,
        }
    }
}

/// Body-mass index in kg/m².
pub fn bmi(weight_kg: f64, height_cm: f64) -> f64 {
    weight_kg / (height_cm / 100.0).powi(2)
}

/// Mass without fat in kg.
pub fn lean_mass_kg(weight_kg: f64, body_fat_pct: f64) -> f64 {
    weight_kg * (1.0 - body_fat_pct / 100.0)
}

/// Fat-free mass index in kg/m².
pub fn ffmi(lean_mass_kg: f64, height_cm: f64) -> f64 {
    bmi(lean_mass_kg, height_cm)
}

/// Energy at rest in kcal a day, by Mifflin and St Jeor (1990).
pub fn basal_kcal(sex: Sex, weight_kg: f64, height_cm: f64, age_years: f64) -> f64 {
    let base = 10.0 * weight_kg + 6.25 * height_cm - 5.0 * age_years;
    base + match sex {
        Sex::Male => 5.0,
        Sex::Female => -161.0,
        Sex::Other => f64::midpoint(5.0, -161.0),
    }
}

/// Energy at rest in kcal a day where the lean mass is known, by Katch and `McArdle`.
pub fn basal_kcal_of_lean(lean_mass_kg: f64) -> f64 {
    370.0 + 21.6 * lean_mass_kg
}

/// Girths that body fat is estimated from, in cm.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_field_names, reason = "units are in names")]
pub struct Girths {
    pub height_cm: f64,
    pub neck_cm: f64,
    pub waist_cm: f64,
    /// Women's formula needs it.
    pub hips_cm: Option<f64>,
}

/// Body fat in percent by the US Navy's girths (Hodgdon and Beckett 1984, metric form; standard error 3.5). None where
/// they cannot be those of one body.
pub fn body_fat_pct(sex: Sex, girths: Girths) -> Option<f64> {
    let Girths { height_cm, neck_cm, waist_cm, hips_cm } = girths;
    let percent = match sex {
        Sex::Male => {
            let girth = positive(waist_cm - neck_cm)?;
            495.0 / (1.0324 - 0.19077 * girth.log10() + 0.15456 * height_cm.log10()) - 450.0
        }
        Sex::Female => {
            let girth = positive(waist_cm + hips_cm? - neck_cm)?;
            495.0 / (1.29579 - 0.35004 * girth.log10() + 0.22100 * height_cm.log10()) - 450.0
        }
        Sex::Other => return None,
    };
    (2.0..=75.0).contains(&percent).then_some(percent)
}

fn positive(girth_cm: f64) -> Option<f64> {
    (girth_cm > 0.0).then_some(girth_cm)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 0.005, "{found} is not {expected}");
    }

    #[test]
    fn the_index_of_mass_and_its_classes() {
        close(bmi(80.0, 180.0), 24.69);
        assert_eq!(BmiClass::of(18.49), BmiClass::Underweight);
        assert_eq!(BmiClass::of(18.5), BmiClass::Normal);
        assert_eq!(BmiClass::of(25.0), BmiClass::Overweight);
        assert_eq!(BmiClass::of(30.0), BmiClass::Obese);
    }

    #[test]
    fn energy_at_rest_has_the_published_values() {
        close(basal_kcal(Sex::Male, 80.0, 180.0, 30.0), 1780.0);
        close(basal_kcal(Sex::Female, 60.0, 165.0, 30.0), 1320.25);
        close(basal_kcal(Sex::Other, 80.0, 180.0, 30.0), 1697.0);
        close(basal_kcal_of_lean(68.0), 1838.8);
    }

    #[test]
    fn body_fat_has_the_values_of_the_metric_form() {
        let girths = |height_cm, neck_cm, waist_cm, hips_cm| Girths {
            height_cm,
            neck_cm,
            waist_cm,
            hips_cm,
        };
        close(body_fat_pct(Sex::Male, girths(180.0, 38.0, 85.0, None)).unwrap(), 16.107);
        close(body_fat_pct(Sex::Female, girths(165.0, 33.0, 75.0, Some(97.0))).unwrap(), 27.932);
        assert_eq!(body_fat_pct(Sex::Male, girths(180.0, 85.0, 85.0, None)), None);
        assert_eq!(body_fat_pct(Sex::Female, girths(165.0, 33.0, 75.0, None)), None);
    }

    #[test]
    fn lean_mass_and_its_index() {
        close(lean_mass_kg(80.0, 15.0), 68.0);
        close(ffmi(68.0, 180.0), 20.99);
    }
}
