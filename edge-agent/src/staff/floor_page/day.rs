//! How many were inside through the day.

use crate::staff::app::Staff;
use crate::staff::recent::SLOT_MS;
use page_kit::chart::Line;
use page_kit::times;

/// The day so far.
pub struct Day {
    /// The chart.
    pub svg: String,
    /// The same by hours: from when, and the most in it.
    pub hours: Vec<(String, usize)>,
}

const DAY_MS: f64 = 86_400_000.0;

impl Day {
    /// Of the local day that a moment lies in.
    pub fn of(staff: &Staff, now_ms: i64) -> Self {
        let zone = staff.access.zone();
        let today = zone.span(zone.date_at(now_ms), 0, 1_440);
        let slots = staff.recent.occupancy(today.start, now_ms);
        let place = |at_ms: i64| precise(at_ms - today.start) / DAY_MS;
        let points: Vec<_> =
            slots.iter().map(|(at_ms, people)| (place(*at_ms), people_of(*people))).collect();
        let ticks: Vec<_> = (0..=24)
            .step_by(4)
            .map(|hour| (precise(hour) / 24.0, format!("{hour:02}:00")))
            .collect();
        let most = slots.iter().map(|(_, people)| *people).max().unwrap_or(0);
        let label =
            format!("People inside today by time; at most {most}. The table has the numbers.");
        let mut hours: Vec<(String, usize)> = Vec::new();
        for (at_ms, people) in &slots {
            let hour = times::minute(&zone, at_ms.div_euclid(SLOT_MS * 6) * SLOT_MS * 6);
            match hours.last_mut() {
                Some((last, most)) if *last == hour => *most = (*most).max(*people),
                _ => hours.push((hour, *people)),
            }
        }
        Self {
            svg: Line { points: &points, beside: &[], ticks: &ticks, label: &label }.svg(),
            hours,
        }
    }
}

fn people_of(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[expect(clippy::cast_precision_loss, reason = "a place in a chart")]
fn precise(ms: i64) -> f64 {
    ms as f64
}
