//! What a branch was like: through the day and the week, the last visits, and how its machines are used.

use super::Place;
use crate::domains::branches;
use crate::domains::floor::{self, HourOfWeek, SessionAnalytics, Span, Use};
use crate::http::Result;
use page_kit::{chart, times};
use sqlx::PgConnection;
use std::collections::HashMap;
use time::{Duration, OffsetDateTime};

/// What is usual is taken from so many days; today is the last.
const USUAL: Duration = Duration::days(89);
const USE: Duration = Duration::days(30);
const VISIT_DAYS: usize = 14;

/// Figures as they are shown; each chart comes with its numbers.
#[derive(Default)]
pub struct Figures {
    pub day_svg: String,
    /// Hour, today, usual.
    pub day: Vec<[String; 3]>,
    pub week_svg: String,
    /// When, inside, arrivals.
    pub week: Vec<[String; 3]>,
    pub visits: i64,
    pub stay: String,
    /// Day, visits, most inside.
    pub days: Vec<[String; 3]>,
    /// Machine, hours, times.
    pub used: Vec<[String; 3]>,
    /// Machines that nobody took.
    pub unused: String,
}

impl Figures {
    pub async fn read(db: &mut PgConnection, place: &Place, now: OffsetDateTime) -> Result<Self> {
        let id = place.branch.id;
        let today = branches::today(db, Some(id), now).await?;
        let from = today.checked_sub(USUAL).unwrap_or(today);
        let analytics = floor::of_span(db, &Span { branch: id, from, to: today }, now).await?;
        let (weekday, hour) = floor::hour_now(db, id, now).await?;
        let so_far = floor::hours_of_day(db, id, today).await?;
        let so_far: HashMap<i32, f64> = so_far.iter().map(|one| (one.hour, one.inside)).collect();
        let machines = floor::use_of_machines(db, id, now - USE, now).await?;
        let mut figures = Self::default();
        figures.day(&analytics.hours, weekday, hour, &so_far);
        figures.week(&analytics.hours);
        figures.visits(&analytics);
        figures.machines(&machines);
        Ok(figures)
    }

    fn day(&mut self, hours: &[HourOfWeek], weekday: i32, now: i32, so_far: &HashMap<i32, f64>) {
        let usual: HashMap<i32, f64> = hours
            .iter()
            .filter(|one| one.weekday == weekday)
            .map(|one| (one.hour, one.inside))
            .collect();
        if usual.is_empty() && so_far.is_empty() {
            return;
        }
        let at = |figures: &HashMap<i32, f64>, hour| figures.get(&hour).copied().unwrap_or(0.0);
        let place = |hour: i32| f64::from(hour) / 23.0;
        let points: Vec<_> = (0..=now).map(|hour| (place(hour), at(so_far, hour))).collect();
        let beside: Vec<_> = (0..24).map(|hour| (place(hour), at(&usual, hour))).collect();
        let ticks: Vec<_> =
            [0, 6, 12, 18, 23].map(|hour| (place(hour), format!("{hour}:00"))).into();
        let label = "Members inside through the day: today, and what such a day is like";
        let line = chart::Line { points: &points, beside: &beside, ticks: &ticks, label };
        self.day_svg = line.svg();
        let row = |hour| {
            let today = if hour <= now { one(at(so_far, hour)) } else { String::new() };
            [format!("{hour:02}:00"), today, one(at(&usual, hour))]
        };
        self.day = (0..24).map(row).collect();
    }

    fn week(&mut self, hours: &[HourOfWeek]) {
        const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
        let mut inside = [[0.0; 24]; 7];
        for hour in hours {
            let day = usize::try_from(hour.weekday - 1).unwrap_or(0) % 7;
            inside[day][usize::try_from(hour.hour).unwrap_or(0) % 24] = hour.inside;
            let when = format!("{} {:02}:00", DAYS[day], hour.hour);
            self.week.push([when, one(hour.inside), one(hour.arrivals)]);
        }
        if !hours.is_empty() {
            let label = "Members inside by hour of the week: the darker, the fuller";
            self.week_svg = chart::week(&inside, label);
        }
    }

    fn visits(&mut self, analytics: &SessionAnalytics) {
        self.visits = analytics.sessions;
        let stay_s = u64::try_from(analytics.average_duration_s).unwrap_or(0);
        self.stay = times::span(stay_s * 1_000);
        let days = analytics.days.iter().rev().take(VISIT_DAYS);
        self.days = days
            .map(|day| [day.day.to_string(), day.sessions.to_string(), one(day.peak_inside)])
            .collect();
    }

    fn machines(&mut self, machines: &[Use]) {
        let (used, unused): (Vec<&Use>, Vec<&Use>) = machines.iter().partition(|one| one.times > 0);
        let hours = |one: &Use| {
            format!(
                "{:.1}",
                std::time::Duration::from_secs(one.used_s.unsigned_abs()).as_secs_f64() / 3_600.0
            )
        };
        self.used =
            used.iter().map(|one| [one.name.clone(), hours(one), one.times.to_string()]).collect();
        let names: Vec<_> = unused.iter().map(|one| one.name.as_str()).collect();
        self.unused = names.join(", ");
    }
}

/// With one place after the point, where it says something.
fn one(value: f64) -> String {
    if value < 0.05 { "0".to_owned() } else { format!("{value:.1}") }
}
