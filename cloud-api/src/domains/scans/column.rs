//! What columns of scanners' tables are called, and in which units they are.

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    MeasuredAt,
    /// Whose scan it is: name or number.
    Person,
    Weight,
    Height,
    BodyFatPct,
    /// A part of the composition.
    Part(&'static str),
}

/// How a column's numbers become ours.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Unit(f64);

impl Unit {
    pub fn to_ours(self, value: f64) -> f64 {
        value * self.0
    }
}

const AS_IT_IS: Unit = Unit(1.0);
/// In the order in which they are looked for.
const UNITS: [(&str, Unit); 6] = [
    ("lbs", Unit(0.453_592_37)),
    ("lb", Unit(0.453_592_37)),
    ("kj", Unit(1.0 / 4.184)),
    ("in", Unit(2.54)),
    ("m", Unit(100.0)),
    ("g", Unit(0.001)),
];

/// Names in lower case, letters and digits only.
const ALIASES: [(&str, Column); 57] = [
    ("date", Column::MeasuredAt),
    ("testdate", Column::MeasuredAt),
    ("testdatetime", Column::MeasuredAt),
    ("datetime", Column::MeasuredAt),
    ("measuredat", Column::MeasuredAt),
    ("measurementdate", Column::MeasuredAt),
    ("name", Column::Person),
    ("id", Column::Person),
    ("userid", Column::Person),
    ("memberid", Column::Person),
    ("phonenumber", Column::Person),
    ("weight", Column::Weight),
    ("wt", Column::Weight),
    ("bodyweight", Column::Weight),
    ("height", Column::Height),
    ("ht", Column::Height),
    ("percentbodyfat", Column::BodyFatPct),
    ("pbf", Column::BodyFatPct),
    ("bodyfatpercentage", Column::BodyFatPct),
    ("bodyfat", Column::BodyFatPct),
    ("skeletalmusclemass", Column::Part("skeletal_muscle_kg")),
    ("smm", Column::Part("skeletal_muscle_kg")),
    ("bodyfatmass", Column::Part("body_fat_kg")),
    ("bfm", Column::Part("body_fat_kg")),
    ("visceralfatlevel", Column::Part("visceral_fat_level")),
    ("vfl", Column::Part("visceral_fat_level")),
    ("basalmetabolicrate", Column::Part("basal_kcal")),
    ("bmr", Column::Part("basal_kcal")),
    ("inbodyscore", Column::Part("score")),
    ("score", Column::Part("score")),
    ("totalbodywater", Column::Part("body_water_l")),
    ("tbw", Column::Part("body_water_l")),
    ("protein", Column::Part("protein_kg")),
    ("mineral", Column::Part("mineral_kg")),
    ("minerals", Column::Part("mineral_kg")),
    ("phaseangle", Column::Part("phase_angle_deg")),
    ("wholebodyphaseangle", Column::Part("phase_angle_deg")),
    ("rightarmleanmass", Column::Part("right_arm_lean_kg")),
    ("leftarmleanmass", Column::Part("left_arm_lean_kg")),
    ("trunkleanmass", Column::Part("trunk_lean_kg")),
    ("rightlegleanmass", Column::Part("right_leg_lean_kg")),
    ("leftlegleanmass", Column::Part("left_leg_lean_kg")),
    ("leanmassofrightarm", Column::Part("right_arm_lean_kg")),
    ("leanmassofleftarm", Column::Part("left_arm_lean_kg")),
    ("leanmassoftrunk", Column::Part("trunk_lean_kg")),
    ("leanmassofrightleg", Column::Part("right_leg_lean_kg")),
    ("leanmassofleftleg", Column::Part("left_leg_lean_kg")),
    ("rightarmfatmass", Column::Part("right_arm_fat_kg")),
    ("leftarmfatmass", Column::Part("left_arm_fat_kg")),
    ("trunkfatmass", Column::Part("trunk_fat_kg")),
    ("rightlegfatmass", Column::Part("right_leg_fat_kg")),
    ("leftlegfatmass", Column::Part("left_leg_fat_kg")),
    ("bfmofrightarm", Column::Part("right_arm_fat_kg")),
    ("bfmofleftarm", Column::Part("left_arm_fat_kg")),
    ("bfmoftrunk", Column::Part("trunk_fat_kg")),
    ("bfmofrightleg", Column::Part("right_leg_fat_kg")),
    ("bfmofleftleg", Column::Part("left_leg_fat_kg")),
];

/// What a header names: `Weight(kg)`, `15. Weight (lb)`, `BFM (Body Fat Mass)`.
pub fn column(header: &str) -> Option<(Column, Unit)> {
    let header = header.trim().to_lowercase();
    let (number, rest) = header.split_once('.').unwrap_or(("", &header));
    let is_numbered = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let header = if is_numbered { rest } else { &header };
    let (name, inside) = match header.split_once(['(', '[']) {
        Some((name, inside)) => (name, inside.trim_end_matches([')', ']', ' '])),
        None => (header, ""),
    };
    let unit = UNITS.iter().find(|(unit, _)| *unit == inside).map_or(AS_IT_IS, |(_, unit)| *unit);
    let names = [letters(name), letters(inside)];
    let found = names.iter().find_map(|name| ALIASES.iter().find(|(alias, _)| alias == name));
    found.map(|(_, column)| (*column, unit))
}

fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domains::body::part_bounds;

    #[test]
    fn numbers_units_and_explanations_do_not_hide_a_name() {
        assert_eq!(column("15. Weight (lb)"), Some((Column::Weight, Unit(0.453_592_37))));
        assert_eq!(
            column("SMM (Skeletal Muscle Mass)").unwrap().0,
            Column::Part("skeletal_muscle_kg")
        );
        assert_eq!(column(" Test Date / Time ").unwrap().0, Column::MeasuredAt);
        assert_eq!(column("Soft Lean Mass(kg)"), None);
    }

    #[test]
    fn every_part_that_is_read_can_be_kept() {
        for (alias, column) in ALIASES {
            let Column::Part(name) = column else { continue };
            assert!(part_bounds(name).is_some(), "{alias}: {name}");
        }
    }
}
