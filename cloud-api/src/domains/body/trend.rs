//! Where a series of measures goes.

use serde::Serialize;
use time::Date;
use utoipa::ToSchema;

/// What became of one measure in a span of time.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Trend {
    /// Days with a value.
    #[schema(example = 12)]
    pub entries: usize,
    #[schema(example = 82.4)]
    pub first: f64,
    #[schema(example = 80.1)]
    pub last: f64,
    /// From the first to the last.
    #[schema(example = -2.3)]
    pub change: f64,
    /// By least squares; null where all values are of one day.
    #[schema(example = -0.4)]
    pub slope_per_week: Option<f64>,
    /// Of the seven days that end with the last value.
    #[schema(example = 80.4)]
    pub mean_of_7_days: f64,
}

impl Trend {
    /// Of values in the order of their days; none without any.
    pub fn of(series: &[(Date, f64)]) -> Option<Self> {
        let (&(_, first), &(last_day, last)) = (series.first()?, series.last()?);
        let is_recent = |day: Date| (last_day - day).whole_days() < 7;
        let recent: Vec<_> = series.iter().filter(|(day, _)| is_recent(*day)).collect();
        let sum: f64 = recent.iter().map(|(_, value)| value).sum();
        Some(Self {
            entries: series.len(),
            first,
            last,
            change: last - first,
            slope_per_week: slope_per_day(series).map(|slope| slope * 7.0),
            mean_of_7_days: sum / count(recent.len()),
        })
    }
}

fn slope_per_day(series: &[(Date, f64)]) -> Option<f64> {
    let (begin, _) = series.first()?;
    let point = |(day, value): &(Date, f64)| (day_number(*begin, *day), *value);
    let points: Vec<(f64, f64)> = series.iter().map(point).collect();
    let n = count(points.len());
    let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / n;
    let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / n;
    let spread: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    let together: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    (spread > 0.0).then(|| together / spread)
}

#[expect(clippy::cast_precision_loss, reason = "days of a life")]
fn day_number(begin: Date, day: Date) -> f64 {
    (day - begin).whole_days() as f64
}

#[expect(clippy::cast_precision_loss, reason = "entries of a history")]
fn count(entries: usize) -> f64 {
    entries as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::Duration;
    use time::macros::date;

    const BEGIN: Date = date!(2026 - 01 - 01);

    fn series(values: &[(i64, f64)]) -> Vec<(Date, f64)> {
        values.iter().map(|(day, value)| (BEGIN + Duration::days(*day), *value)).collect()
    }

    #[test]
    fn a_straight_line_has_its_own_slope() {
        let trend = Trend::of(&series(&[(0, 82.0), (7, 81.0), (14, 80.0)])).unwrap();

        assert_eq!((trend.first, trend.last, trend.change), (82.0, 80.0, -2.0));
        assert!((trend.slope_per_week.unwrap() + 1.0).abs() < 1e-9);
        assert!((trend.mean_of_7_days - 80.0).abs() < 1e-9);
    }

    #[test]
    fn the_mean_is_that_of_the_last_seven_days() {
        let trend = Trend::of(&series(&[(0, 90.0), (4, 80.0), (10, 82.0)])).unwrap();

        assert!((trend.mean_of_7_days - 81.0).abs() < 1e-9);
    }

    #[test]
    fn one_day_has_no_slope_and_nothing_has_no_trend() {
        assert_eq!(Trend::of(&series(&[(3, 80.0)])).unwrap().slope_per_week, None);
        assert_eq!(Trend::of(&[]), None);
    }
}
