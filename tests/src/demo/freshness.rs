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
    let mut seen: HashMap<String, OffsetDateTime> = HashMap::new();
    let clock = Clock::system();
    loop {
        sleep(PAUSE).await;
        let Ok(machines) = staff.availability(branch).await else { continue };
        let now_ms = clock.stamp().wall_ms;
        // The last sample of a machine that nobody uses any more may be old, and is not late.
        let used = machines.iter().filter(|machine| machine["availability"] == "in_use");
        for (id, sampled_at) in used.filter_map(sampled) {
            if seen.insert(id, sampled_at).is_some_and(|former| former < sampled_at) {
                let sampled_ms = sampled_at.unix_timestamp_nanos() / 1_000_000;
                let age = u64::try_from(i128::from(now_ms) - sampled_ms).unwrap_or(0);
                ages.lock()
                    .expect("nobody panics while counting")
                    .record(Duration::from_millis(age));
            }
        }
    }
}

fn sampled(machine: &Value) -> Option<(String, OffsetDateTime)> {
    let at = OffsetDateTime::parse(machine["sampled_at"].as_str()?, &Rfc3339).ok()?;
    Some((machine["id"].as_str()?.to_owned(), at))
}
