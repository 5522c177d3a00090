//! `/users/stats`: what came of one's training so far. What later domains will count is not there yet, rather than zero.

use super::stats_store as store;
use super::streak::Streak;
use crate::app::App;
use crate::domains::branches;
use crate::http::{Caller, IfNoneMatch, Result};
use crate::ids::UserId;
use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa::ToSchema;

/// What somebody did, counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Stats {
    pub visits: i64,
    /// Seconds in the gym, of visits that are over.
    #[schema(example = 5400)]
    pub visit_s: i64,
    #[serde(with = "time::serde::rfc3339::option")]
    pub first_visit_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_visit_at: Option<OffsetDateTime>,
    /// Days with a visit, one after the other, by the clocks of the branches.
    pub streak_days: Streak,
    /// Weeks from Monday with a visit.
    pub streak_weeks: Streak,
    /// Different ones.
    pub machines: i64,
    /// Sets that machines counted, and their repetitions.
    pub sets: i64,
    pub reps: i64,
    /// Entries of body measures.
    pub measures: i64,
    /// Thresholds that were reached.
    pub achievements: Vec<Achievement>,
    /// Of each kind, the next one.
    pub next: Vec<Goal>,
}

/// A threshold that was reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Achievement {
    /// Of what.
    pub of: Counted,
    #[schema(example = 10)]
    pub threshold: i64,
}

/// A threshold that is not reached yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Goal {
    pub of: Counted,
    #[schema(example = 50)]
    pub threshold: i64,
    #[schema(example = 12)]
    pub have: i64,
}

/// What achievements are of: visits (1, 10, 50, 100, 250, 500, 1000), the longest streak of weeks (4, 12, 26, 52),
/// different machines (5, 10, 20), sets (100, 1000, 10000), and measures (1, 10, 50, 100).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Counted {
    Visits,
    StreakWeeks,
    Machines,
    Sets,
    Measures,
}

const THRESHOLDS: [(Counted, &[i64]); 5] = [
    (Counted::Visits, &[1, 10, 50, 100, 250, 500, 1_000]),
    (Counted::StreakWeeks, &[4, 12, 26, 52]),
    (Counted::Machines, &[5, 10, 20]),
    (Counted::Sets, &[100, 1_000, 10_000]),
    (Counted::Measures, &[1, 10, 50, 100]),
];

/// Read what came of the own training.
#[utoipa::path(get, path = "/users/stats", tag = "users", security(("bearer" = ["read:progress"])),
    responses(
    (status = 200, body = Stats),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn read_stats(
    State(app): State<App>,
    caller: Caller,
    known: IfNoneMatch,
) -> Result<Response> {
    let mut db = app.db.acquire().await?;
    known.answer(&stats(&mut db, caller.user, app.clock.now()).await?)
}

/// What somebody did up to now.
pub async fn stats(db: &mut PgConnection, user: UserId, now: OffsetDateTime) -> Result<Stats> {
    let counts = store::counts(db, user).await?;
    let days = store::visit_days(db, user).await?;
    // It is the day of where they were last.
    let place = store::last_branch(db, user).await?;
    let today = branches::today(db, place, now).await?;
    let streak_weeks = Streak::of_weeks(&days, today);
    let have = |of: Counted| match of {
        Counted::Visits => counts.visits,
        Counted::StreakWeeks => streak_weeks.longest.into(),
        Counted::Machines => counts.machines,
        Counted::Sets => counts.sets,
        Counted::Measures => counts.measures,
    };
    let (achievements, next) = judged(have);
    Ok(Stats {
        visits: counts.visits,
        visit_s: counts.visit_s,
        first_visit_at: counts.first_visit_at,
        last_visit_at: counts.last_visit_at,
        streak_days: Streak::of_days(&days, today),
        streak_weeks,
        machines: counts.machines,
        sets: counts.sets,
        reps: counts.reps,
        measures: counts.measures,
        achievements,
        next,
    })
}

fn judged(have: impl Fn(Counted) -> i64) -> (Vec<Achievement>, Vec<Goal>) {
    let (mut achievements, mut next) = (Vec::new(), Vec::new());
    for (of, thresholds) in THRESHOLDS {
        let have = have(of);
        let reached = thresholds.iter().take_while(|threshold| **threshold <= have);
        achievements.extend(reached.map(|threshold| Achievement { of, threshold: *threshold }));
        let missing = thresholds.iter().find(|threshold| **threshold > have);
        next.extend(missing.map(|threshold| Goal { of, threshold: *threshold, have }));
    }
    (achievements, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_is_reached_when_there_are_as_many() {
        let (reached, next) = judged(|of| if of == Counted::Visits { 10 } else { 0 });

        let of = Counted::Visits;
        let expected = [Achievement { of, threshold: 1 }, Achievement { of, threshold: 10 }];
        assert_eq!(reached, expected);
        assert_eq!(next[0], Goal { of, threshold: 50, have: 10 });
        assert_eq!(next.len(), THRESHOLDS.len());
    }

    #[test]
    fn who_reached_everything_has_no_next() {
        assert_eq!(judged(|_| 10_000).1, []);
    }
}
