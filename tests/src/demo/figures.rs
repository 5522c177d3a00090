//! What the whole system says of itself in this second.

use super::system::System;
use super::tally::Tally;
use crate::metrics;
use serde_json::Value;
use std::time::Duration;

/// Figures of one moment; what cannot be asked just then is missing.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// Messages sent by machines.
    pub sent: u64,
    /// Messages acked by the edge.
    pub acked: u64,
    /// Machines in use.
    pub in_use: u64,
    /// Codes presented.
    pub presented: u64,
    /// Finished sets acked.
    pub sets: u64,
    /// 99th percentile from publish to ack of telemetry.
    pub ack_p99: Duration,
    /// Journal entries that the cloud does not have.
    pub backlog: Option<u64>,
    /// Samples in the cloud's database.
    pub stored_samples: Option<i64>,
    /// Taps in the cloud's database.
    pub stored_taps: Option<i64>,
    /// Cards and phones held to the reader.
    pub held: u64,
    /// How often the door was opened.
    pub openings: usize,
    /// Granted and denied, as the cloud knows it.
    pub decisions: Option<(i64, i64)>,
    /// Members inside, machines lent and sets of members, as the cloud knows it.
    pub floor: Option<(i64, i64, i64)>,
    /// Machines in use, as the cloud's API tells it.
    pub cloud_in_use: Option<u64>,
}

impl Figures {
    /// Asks everybody.
    pub async fn read(system: &System, tally: &Tally) -> Self {
        let known = tally.look(|counts| Self {
            sent: counts.sent,
            acked: counts.acked,
            in_use: counts.in_use,
            presented: counts.presented.len() as u64,
            sets: counts.sets,
            held: counts.held,
            ack_p99: counts.grouped_acks.quantile(0.99),
            ..Self::default()
        });
        let samples = "SELECT coalesce(sum(count), 0)::bigint FROM telemetry_chunks";
        let decisions = "SELECT count(*) FILTER (WHERE outcome = 'granted'),
                                count(*) FILTER (WHERE outcome = 'denied') FROM decisions";
        let floor = "SELECT (SELECT count(*) FROM gym_sessions WHERE ended_at IS NULL),
                            (SELECT count(*) FROM links WHERE ended_at IS NULL),
                            (SELECT count(*) FROM finished_sets WHERE member_id IS NOT NULL)";
        let (backlog, stored_samples, stored_taps, decisions, floor, machines) = tokio::join!(
            metrics::read(system.edge.ports().ops, metrics::BACKLOG),
            sqlx::query_scalar(samples).fetch_one(&system.database),
            sqlx::query_scalar("SELECT count(*) FROM taps").fetch_one(&system.database),
            sqlx::query_as(decisions).fetch_one(&system.database),
            sqlx::query_as(floor).fetch_one(&system.database),
            system.staff.availability(&system.seeded.branch.id),
        );
        Self {
            backlog: backlog.ok().map(whole),
            stored_samples: stored_samples.ok(),
            stored_taps: stored_taps.ok(),
            openings: system.hardware.openings(),
            decisions: decisions.ok(),
            floor: floor.ok(),
            cloud_in_use: machines.ok().map(|machines| in_use(&machines)),
            ..known
        }
    }
}

fn in_use(machines: &[Value]) -> u64 {
    machines.iter().filter(|machine| machine["availability"] == "in_use").count() as u64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
fn whole(value: f64) -> u64 {
    value as u64
}
