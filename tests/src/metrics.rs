//! Reads a program's metrics (Prometheus text).

use crate::http;
use anyhow::{Context as _, Result};
use std::net::SocketAddr;

/// The edge's gauge of journal entries that the cloud does not have yet.
pub const BACKLOG: &str = "gymwire_journal_backlog_entries";

/// The edge's count of samples that were journaled since its start.
pub const SAMPLES: &str = "gymwire_journal_samples";

/// The edge's count of decisions at doors since its start.
pub const DECISIONS: &str = "gymwire_decisions_total";

/// The edge's gauge of stays that are open.
pub const SESSIONS: &str = "gymwire_floor_sessions";

/// The edge's gauge of machines that are lent.
pub const LINKS: &str = "gymwire_floor_links";

/// A metric's value, summed over its labels.
pub async fn read(address: SocketAddr, name: &str) -> Result<f64> {
    let text = http::client()
        .get(format!("http://{address}/metrics"))
        .send()
        .await?
        .error_for_status()?
        .text()
        .await?;
    sum(&text, name).with_context(|| format!("there is no metric {name}"))
}

fn sum(text: &str, name: &str) -> Option<f64> {
    let values: Vec<f64> = text
        .lines()
        .filter_map(|line| line.strip_prefix(name))
        .filter(|rest| rest.starts_with(['{', ' ']))
        .filter_map(|rest| rest.rsplit(' ').next()?.parse().ok())
        .collect();
    if values.is_empty() { None } else { Some(values.iter().sum()) }
}

#[cfg(test)]
mod tests {
    use super::sum;

    #[test]
    fn labels_are_summed_and_longer_names_are_others() {
        let text = "# TYPE a gauge\na{x=\"1\"} 2\na{x=\"2\"} 3\na_total 7\n";

        assert_eq!((sum(text, "a"), sum(text, "b")), (Some(5.0), None));
    }
}
