//! What a body is made of, as scanners tell it: numbers by name, each within what a body can be.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// What is taken, and its bounds. Segments have their lean and their fat mass each.
const PARTS: [(&str, RangeInclusive<f64>); 9] = [
    ("skeletal_muscle_kg", 1.0..=150.0),
    ("body_fat_kg", 0.5..=300.0),
    ("visceral_fat_level", 1.0..=60.0),
    ("basal_kcal", 400.0..=8_000.0),
    ("score", 0.0..=150.0),
    ("body_water_l", 5.0..=200.0),
    ("protein_kg", 1.0..=60.0),
    ("mineral_kg", 0.2..=20.0),
    ("phase_angle_deg", 1.0..=20.0),
];
const SEGMENTS: [&str; 5] = ["right_arm", "left_arm", "trunk", "right_leg", "left_leg"];
const SEGMENT_KG: RangeInclusive<f64> = 0.0..=150.0;

/// The bounds of a part; none if there is no such part.
pub fn bounds(name: &str) -> Option<RangeInclusive<f64>> {
    let segment = |kind| Some(name.strip_suffix(kind)?).filter(|part| SEGMENTS.contains(part));
    if segment("_lean_kg").or(segment("_fat_kg")).is_some() {
        return Some(SEGMENT_KG);
    }
    PARTS.iter().find(|(part, _)| *part == name).map(|(_, bounds)| bounds.clone())
}

/// Checks all of it, for garde.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "garde calls it so")]
pub fn check(parts: &BTreeMap<String, Option<f64>>, (): &()) -> garde::Result {
    for (name, value) in parts {
        let Some(bounds) = bounds(name) else {
            return Err(garde::Error::new(
                "has only parts such as skeletal_muscle_kg, body_fat_kg, trunk_lean_kg",
            ));
        };
        if value.is_some_and(|value| !bounds.contains(&value)) {
            let (least, most) = (bounds.start(), bounds.end());
            return Err(garde::Error::new(format!("{name} is not within {least} to {most}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_segments_have_bounds_and_nothing_else_is_taken() {
        assert_eq!(bounds("left_leg_fat_kg"), Some(0.0..=150.0));
        assert_eq!(bounds("score"), Some(0.0..=150.0));
        assert_eq!(
            (bounds("tail_lean_kg"), bounds("_lean_kg"), bounds("mood")),
            (None, None, None)
        );
        let of = |value| BTreeMap::from([("protein_kg".to_owned(), Some(value))]);
        assert!(check(&of(60.0), &()).is_ok() && check(&of(60.1), &()).is_err());
        assert!(check(&of(f64::NAN), &()).is_err());
    }
}
