//! The health of a branch's edge, in words.

use crate::clock::unix_ms;
use crate::domains::edges::{Health, Troubles};
use askama::Template;
use page_kit::times;
use protocol::access::LocalTime;
use time::OffsetDateTime;

/// Something that somebody should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    pub bad: Bad,
    pub words: String,
}

/// Whether the branch itself is in trouble, or only something in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bad {
    Yes,
    NotYet,
}

/// A backlog this old does not drain as it should.
const OLD_BACKLOG_MS: u64 = 5 * 60_000;
/// A clock that is off by more dates things wrongly.
const MAX_SKEW_MS: i64 = 60_000;

impl Alert {
    /// All there are about an edge.
    pub fn all(health: Option<&Health>, zone: &LocalTime, now: OffsetDateTime) -> Vec<Self> {
        let Some(health) = health else {
            return vec![Self::new(Bad::NotYet, "No gateway is enrolled yet.")];
        };
        if !health.is_heard(now) {
            let words = match health.last_heard_at() {
                None => "The gateway was never heard.".to_owned(),
                Some(at) => format!("Silent since {}.", times::moment(zone, unix_ms(at))),
            };
            return vec![Self::new(Bad::Yes, words)];
        }
        let mut alerts = Vec::new();
        if let Some((_, floor)) = &health.told {
            if floor.oldest_unsent_ms > OLD_BACKLOG_MS {
                let age = times::span(floor.oldest_unsent_ms);
                let words =
                    format!("{} entries wait, the oldest for {age}.", floor.backlog_entries);
                alerts.push(Self::new(Bad::NotYet, words));
            }
            if floor.gaps > 0 {
                alerts.push(Self::new(Bad::NotYet, "Data was lost: see the gaps."));
            }
        }
        if let Some(words) = clock_trouble(health.clock) {
            alerts.push(Self::new(Bad::NotYet, words));
        }
        alerts
    }

    fn new(bad: Bad, words: impl Into<String>) -> Self {
        Self { bad, words: words.into() }
    }

    /// A class of the style sheet.
    pub fn look(&self) -> &'static str {
        if self.bad == Bad::Yes { "bad" } else { "warn" }
    }
}

fn clock_trouble(clock: Option<(i64, bool)>) -> Option<String> {
    let (skew_ms, is_synced) = clock?;
    if !is_synced {
        return Some("Its clock is not synchronised.".to_owned());
    }
    let off = times::span(skew_ms.unsigned_abs());
    (skew_ms.abs() > MAX_SKEW_MS).then(|| format!("Its clock is off by {off}."))
}

/// What is told of an edge.
#[derive(Template)]
#[template(path = "console/edge.html")]
pub struct Edge {
    pub alerts: Vec<Alert>,
    pub lines: Vec<(&'static str, String)>,
    pub is_update: bool,
}

impl Edge {
    pub fn of(
        health: Option<&Health>,
        zone: &LocalTime,
        now: OffsetDateTime,
        is_update: bool,
    ) -> Self {
        let moment = |at| times::moment(zone, unix_ms(at));
        let mut lines = Vec::new();
        if let Some(health) = health {
            let heard = health.last_heard_at();
            lines.push(("Last contact", heard.map_or_else(|| "never".to_owned(), moment)));
            lines.push(("Version", health.agent_version.clone()));
            lines.push(("Computer", health.hostname.clone()));
            lines.push(("Enrolled", moment(health.enrolled_at)));
        }
        if let Some((_, floor)) = health.and_then(|health| health.told.as_ref()) {
            let oldest = times::span(floor.oldest_unsent_ms);
            lines.push((
                "Backlog",
                match floor.backlog_entries {
                    0 => "nothing waits".to_owned(),
                    entries => format!("{entries} entries, the oldest for {oldest}"),
                },
            ));
            lines.push(("Free on its disk", mebibytes(floor.disk_free_bytes)));
            lines.push((
                "Since its start",
                format!("{} gaps, {} refused messages", floor.gaps, floor.rejects),
            ));
        }
        if let Some((skew_ms, is_synced)) = health.and_then(|health| health.clock) {
            let synced = if is_synced { "synchronised" } else { "not synchronised" };
            let off = if skew_ms.abs() < 2_000 {
                String::new()
            } else {
                format!(
                    ", {} {}",
                    times::span(skew_ms.unsigned_abs()),
                    if skew_ms > 0 { "ahead" } else { "behind" }
                )
            };
            lines.push(("Clock", format!("{synced}{off}")));
        }
        Self { alerts: Alert::all(health, zone, now), lines, is_update }
    }
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes / (1024 * 1024))
}

/// What went wrong lately: what, where, in words, how often, when last.
pub fn told(troubles: &Troubles, zone: &LocalTime) -> Vec<[String; 5]> {
    let moment = |at| times::moment(zone, unix_ms(at));
    let rejects = troubles.rejects.iter().map(|one| {
        let device = one.device.clone().unwrap_or_default();
        [
            format!("Refused: {}", one.code),
            device,
            one.message.clone(),
            one.count.to_string(),
            moment(one.last_at),
        ]
    });
    let gaps = troubles.gaps.iter().map(|one| {
        let count = if one.count == 0 { "unknown".to_owned() } else { one.count.to_string() };
        [
            format!("Missing: {}", one.stream),
            String::new(),
            one.reason.replace('_', " "),
            count,
            moment(one.last_at),
        ]
    });
    let aside = (troubles.set_aside > 0).then(|| {
        let words = "could not be read, and is kept".to_owned();
        [
            "Set aside".to_owned(),
            String::new(),
            words,
            troubles.set_aside.to_string(),
            String::new(),
        ]
    });
    rejects.chain(gaps).chain(aside).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{BranchId, EdgeId};
    use protocol::sync::state::Floor;
    use time::Duration;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-11-22 10:00 UTC);

    fn health(told: Option<(Duration, Floor)>) -> Health {
        Health {
            branch: BranchId::new(),
            edge: EdgeId::new(),
            hostname: "pi".to_owned(),
            agent_version: "0.1.0".to_owned(),
            enrolled_at: NOW - Duration::DAY,
            last_contact_at: None,
            told: told.map(|(ago, floor)| (NOW - ago, floor)),
            clock: None,
        }
    }

    fn words(health: Option<&Health>) -> Vec<String> {
        let alerts = Alert::all(health, &LocalTime::utc(), NOW);
        alerts.into_iter().map(|alert| alert.words).collect()
    }

    #[test]
    fn a_branch_that_is_heard_and_keeps_up_needs_nobody() {
        assert!(words(Some(&health(Some((Duration::SECOND, Floor::default()))))).is_empty());
    }

    #[test]
    fn silence_is_said_with_its_begin() {
        let silent = health(Some((Duration::minutes(12), Floor::default())));

        assert_eq!(words(Some(&silent)), ["Silent since 2026-11-22 09:48."]);
        assert_eq!(words(Some(&health(None))), ["The gateway was never heard."]);
        assert_eq!(words(None), ["No gateway is enrolled yet."]);
    }

    #[test]
    fn a_backlog_that_is_old_a_gap_and_a_clock_that_is_off_are_said() {
        let floor =
            Floor { backlog_entries: 7, oldest_unsent_ms: 600_000, gaps: 1, ..Floor::default() };
        let mut health = health(Some((Duration::SECOND, floor)));
        health.clock = Some((-180_000, true));

        let words = words(Some(&health));

        assert_eq!(words[0], "7 entries wait, the oldest for 10 min.");
        assert_eq!(words[1..], ["Data was lost: see the gaps.", "Its clock is off by 3 min."]);
    }
}
