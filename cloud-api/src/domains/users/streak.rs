//! Streaks: days, or weeks from Monday, one after the other.

use serde::Serialize;
use time::{Date, Duration};
use utoipa::ToSchema;

/// How long somebody kept on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Streak {
    /// Up to now. What is not over yet does not end it: 0 only after one that was missed.
    #[schema(example = 3)]
    pub current: u32,
    /// Ever.
    #[schema(example = 12)]
    pub longest: u32,
}

impl Streak {
    /// Of days in their order, each once.
    pub fn of_days(days: &[Date], today: Date) -> Self {
        Self::of(days.iter().copied(), today, Duration::DAY)
    }

    /// Of the weeks in which they are.
    pub fn of_weeks(days: &[Date], today: Date) -> Self {
        let mut weeks: Vec<Date> = days.iter().copied().map(monday).collect();
        weeks.dedup();
        Self::of(weeks.into_iter(), monday(today), Duration::WEEK)
    }

    fn of(steps: impl Iterator<Item = Date>, now: Date, step: Duration) -> Self {
        let (mut longest, mut run, mut last) = (0, 0, None);
        for one in steps {
            let goes_on = last.is_some_and(|last| one - last == step);
            run = if goes_on { run + 1 } else { 1 };
            longest = run.max(longest);
            last = Some(one);
        }
        let is_alive = last.is_some_and(|last| now - last <= step);
        Self { current: if is_alive { run } else { 0 }, longest }
    }
}

fn monday(day: Date) -> Date {
    let since = Duration::days(day.weekday().number_days_from_monday().into());
    day.checked_sub(since).unwrap_or(day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    #[test]
    fn a_day_that_is_not_over_does_not_end_a_streak() {
        let days = [date!(2026 - 01 - 01), date!(2026 - 01 - 05), date!(2026 - 01 - 06)];

        let of = |today| Streak::of_days(&days, today);

        assert_eq!(of(date!(2026 - 01 - 06)), Streak { current: 2, longest: 2 });
        assert_eq!(of(date!(2026 - 01 - 07)), Streak { current: 2, longest: 2 });
        assert_eq!(of(date!(2026 - 01 - 08)), Streak { current: 0, longest: 2 });
        assert_eq!(Streak::of_days(&[], date!(2026 - 01 - 08)), Streak::default());
    }

    #[test]
    fn weeks_begin_on_monday_and_go_on_over_the_new_year() {
        // Sunday, Monday of the next week, Friday of the one after.
        let days = [date!(2025 - 12 - 28), date!(2025 - 12 - 29), date!(2026 - 01 - 09)];

        let of = |today| Streak::of_weeks(&days, today);

        assert_eq!(of(date!(2026 - 01 - 18)), Streak { current: 3, longest: 3 });
        assert_eq!(of(date!(2026 - 01 - 19)), Streak { current: 0, longest: 3 });
    }
}
