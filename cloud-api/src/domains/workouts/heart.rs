//! Heart rates: their mean, maximum and time in zones. Zones are parts of the highest rate, which is estimated from the
//! age (Tanaka 2001: 208 − 0.7 × age); without an age there are none.

use protocol::machine::Field;
use protocol::machine::segments::Reading;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A rate stands for at most this long after it.
const HOLD_MS: i64 = 10_000;
/// Zones begin at these hundredths of the highest rate; the last has no end.
const ZONES_BEGIN: [f64; 5] = [50.0, 60.0, 70.0, 80.0, 90.0];

/// What a heart did.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Heart {
    #[schema(example = 142)]
    pub average_bpm: i32,
    #[schema(example = 171)]
    pub maximum_bpm: i32,
    /// Seconds in the zones 1 to 5, which begin at 50, 60, 70, 80 and 90 % of the highest rate; null where the age is not
    /// known. The highest rate is estimated: 208 − 0.7 × age.
    #[schema(example = json!([60, 240, 600, 300, 0]))]
    pub zones_s: Option<[i32; 5]>,
    /// How long it was measured.
    #[schema(example = 1200)]
    pub measured_s: i32,
}

/// The highest rate of somebody of this age.
pub fn highest_bpm(age_years: i32) -> f64 {
    208.0 - 0.7 * f64::from(age_years)
}

/// Sums up the rates of readings that come in order; none without any.
pub fn sum_up(readings: &[Reading], highest_bpm: Option<f64>) -> Option<Heart> {
    let (mut weighted, mut measured_ms, mut maximum) = (0_i64, 0_i64, 0);
    let mut zones_ms = [0_i64; 5];
    for (place, reading) in readings.iter().enumerate() {
        let Some(bpm) = reading.fields.scaled(Field::HeartRateBpm) else { continue };
        let next_ms = readings.get(place + 1).map_or(reading.at_ms, |next| next.at_ms);
        // The last one, too, was measured.
        let held_ms = (next_ms - reading.at_ms).clamp(1, HOLD_MS);
        weighted += i64::from(bpm) * held_ms;
        measured_ms += held_ms;
        maximum = bpm.max(maximum);
        if let Some(zone) = highest_bpm.and_then(|highest| zone(bpm, highest)) {
            zones_ms[zone] += held_ms;
        }
    }
    (measured_ms > 0).then(|| Heart {
        average_bpm: whole(weighted, measured_ms),
        maximum_bpm: maximum,
        zones_s: highest_bpm.map(|_| zones_ms.map(|ms| whole(ms, 1_000))),
        measured_s: whole(measured_ms, 1_000),
    })
}

fn zone(bpm: i32, highest_bpm: f64) -> Option<usize> {
    let hundredths = f64::from(bpm) * 100.0 / highest_bpm;
    ZONES_BEGIN.iter().rposition(|begin| hundredths >= *begin)
}

/// What several stretches come to.
pub fn together(hearts: impl Iterator<Item = Heart>) -> Option<Heart> {
    hearts.reduce(|one, other| {
        let measured_s = one.measured_s + other.measured_s;
        let weighted = i64::from(one.average_bpm) * i64::from(one.measured_s)
            + i64::from(other.average_bpm) * i64::from(other.measured_s);
        let zones = one.zones_s.zip(other.zones_s);
        Heart {
            average_bpm: whole(weighted, i64::from(measured_s).max(1)),
            maximum_bpm: one.maximum_bpm.max(other.maximum_bpm),
            zones_s: zones.map(|(one, other)| std::array::from_fn(|zone| one[zone] + other[zone])),
            measured_s,
        }
    })
}

/// A quotient, rounded.
fn whole(sum: i64, parts: i64) -> i32 {
    i32::try_from((sum + parts / 2) / parts).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::machine::Fields;

    fn readings(rates: &[(i64, i32)]) -> Vec<Reading> {
        let reading = |&(second, bpm): &(i64, i32)| {
            let mut fields = Fields::default();
            fields.set_scaled(Field::HeartRateBpm, bpm);
            Reading { at_ms: second * 1_000, fields }
        };
        rates.iter().map(reading).collect()
    }

    #[test]
    fn at_forty_the_highest_rate_is_180() {
        assert!((highest_bpm(40) - 180.0).abs() < 1e-9);
    }

    #[test]
    fn zones_begin_at_half_of_the_highest_rate_and_are_tenths_of_it() {
        let rates =
            [(0, 89), (1, 90), (2, 107), (3, 108), (4, 126), (5, 144), (6, 162), (7, 200), (8, 60)];

        let heart = sum_up(&readings(&rates), Some(180.0)).unwrap();

        assert_eq!(heart.zones_s, Some([2, 1, 1, 1, 2]));
        assert_eq!(heart.maximum_bpm, 200);
    }

    #[test]
    fn a_mean_counts_time_and_a_gap_counts_ten_seconds() {
        let heart = sum_up(&readings(&[(0, 100), (1, 100), (2, 160), (3_602, 100)]), None).unwrap();

        assert_eq!((heart.average_bpm, heart.measured_s, heart.zones_s), (150, 12, None));
        assert_eq!(sum_up(&[], Some(180.0)), None);
    }

    #[test]
    fn stretches_are_added_by_their_length() {
        let one =
            Heart { average_bpm: 100, maximum_bpm: 120, zones_s: Some([10; 5]), measured_s: 50 };
        let other =
            Heart { average_bpm: 160, maximum_bpm: 170, zones_s: Some([1; 5]), measured_s: 150 };

        let both = together([one, other].into_iter()).unwrap();

        assert_eq!((both.average_bpm, both.maximum_bpm, both.measured_s), (145, 170, 200));
        assert_eq!(both.zones_s, Some([11; 5]));
    }
}
