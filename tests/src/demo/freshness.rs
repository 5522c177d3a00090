//! How old a sample is when the cloud's API shows it: asks for the floor over and over while the gym is open.

use crate::staff::Staff;
use crate::times::Times;
use edge_agent::ops::clock::Clock;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::sleep;

/// Between two questions; the measure is that coarse.
const PAUSE: Duration = Duration::from_millis(100);

/// Records the age of every sample that is newer than the last one of its machine; runs until it is dropped.
pub async fn watch(staff: &Staff, branch: &str, ages: &Mutex<Times>) {
    let mut seen = Seen::default();
    let clock = Clock::system();
    loop {
        sleep(PAUSE).await;
        let Ok(machines) = staff.availability(branch).await else { continue };
        let fresh = seen.look(&machines, clock.stamp().wall_ms);
        let mut ages = ages.lock().expect("nobody panics while counting");
        for age in fresh {
            ages.record(age);
        }
    }
}

/// When each machine measured what was shown last.
#[derive(Debug, Default)]
struct Seen(HashMap<String, OffsetDateTime>);

impl Seen {
    /// The ages of samples that are shown for the first time, of machines that are used.
    ///
    /// A last sample may come together with the word that nobody uses the machine any more. When the next set
    /// begins there, that sample is still the last one: it was shown before, and is old but not late.
    fn look(&mut self, machines: &[Value], now_ms: i64) -> Vec<Duration> {
        let mut fresh = Vec::new();
        for (machine, (id, sampled_at)) in
            machines.iter().filter_map(|machine| Some((machine, sampled(machine)?)))
        {
            let former = self.0.insert(id, sampled_at);
            let is_new = former.is_some_and(|former| former < sampled_at);
            if is_new && machine["availability"] == "in_use" {
                let age_ms = i128::from(now_ms) - sampled_at.unix_timestamp_nanos() / 1_000_000;
                fresh.push(Duration::from_millis(u64::try_from(age_ms).unwrap_or(0)));
            }
        }
        fresh
    }
}

fn sampled(machine: &Value) -> Option<(String, OffsetDateTime)> {
    let at = OffsetDateTime::parse(machine["sampled_at"].as_str()?, &Rfc3339).ok()?;
    Some((machine["id"].as_str()?.to_owned(), at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(availability: &str, second: u8) -> Vec<Value> {
        let sampled_at = format!("2026-11-20T12:00:{second:02}Z");
        vec![json!({ "id": "press", "availability": availability, "sampled_at": sampled_at })]
    }

    /// 12:00:00 and some seconds.
    fn at(second: i64) -> i64 {
        time::macros::datetime!(2026-11-20 12:00 UTC).unix_timestamp() * 1_000 + second * 1_000
    }

    #[test]
    fn a_new_sample_of_a_used_machine_has_an_age() {
        let mut seen = Seen::default();
        seen.look(&shown("in_use", 1), at(1));

        assert_eq!(seen.look(&shown("in_use", 2), at(3)), [Duration::from_secs(1)]);
        assert!(seen.look(&shown("in_use", 2), at(4)).is_empty());
    }

    #[test]
    fn the_last_sample_of_a_set_is_not_late_when_the_next_begins() {
        let mut seen = Seen::default();
        seen.look(&shown("in_use", 1), at(1));
        seen.look(&shown("available", 2), at(3));

        assert!(seen.look(&shown("in_use", 2), at(25)).is_empty());
        assert_eq!(seen.look(&shown("in_use", 26), at(27)), [Duration::from_secs(1)]);
    }
}
