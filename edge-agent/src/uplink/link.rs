//! What the lanes know together about the way to the cloud: whether it works, and what is wrong with each.

use super::backoff::jittered;
use super::http::Failure;
use crate::ops::clock::Clock;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// One kind of talk with the cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// The present state of the floor. It decides whether the cloud counts as reached.
    Live,
    /// History.
    Batches,
    /// Registry, settings, roster.
    Changes,
    /// Orders.
    Commands,
    /// A new key of this edge.
    Key,
}

/// The way to the cloud.
#[derive(Debug)]
pub struct Link {
    clock: Clock,
    status: watch::Sender<LinkStatus>,
    /// Counts how often the way worked again; lanes that wait are woken by it.
    recoveries: watch::Sender<u64>,
    /// Another agent uses this edge's key: nothing is sent until then.
    held_until: Mutex<Option<Instant>>,
}

/// The way to the cloud, for people and metrics.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct LinkStatus {
    /// The live lane's last call worked.
    pub online: bool,
    /// Monotonic time of the last call that worked.
    pub last_contact_mono_ms: Option<u64>,
    /// What is wrong, by lane.
    pub problems: BTreeMap<Lane, Problem>,
}

/// Why a lane does not get through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Machine-readable, e.g. `edge_conflict`.
    pub code: String,
    /// In words.
    pub detail: String,
}

impl LinkStatus {
    /// Whether some lane has this problem.
    pub fn has(&self, code: &str) -> bool {
        self.problems.values().any(|problem| problem.code == code)
    }
}

/// What staff are told about it.
pub const CONFLICT: &str = "another agent uses this edge's key: nothing is sent. If this computer or its card was \
     copied, enrol one of the two again.";

/// How long nothing is sent after the cloud found two agents with one key.
const CONFLICT_PAUSE: Duration = Duration::from_mins(1);

impl Link {
    /// Nothing is known yet.
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            status: watch::Sender::default(),
            recoveries: watch::Sender::default(),
            held_until: Mutex::default(),
        }
    }

    /// How it is going.
    pub fn status(&self) -> watch::Receiver<LinkStatus> {
        self.status.subscribe()
    }

    /// For a lane: how it waits.
    pub fn waiter(&self) -> Waiter {
        Waiter { recoveries: self.recoveries.subscribe() }
    }

    /// A call worked.
    pub fn reached(&self, lane: Lane) {
        let now_ms = self.clock.mono_ms();
        let mut is_news = false;
        self.status.send_modify(|status| {
            status.last_contact_mono_ms = Some(now_ms);
            status.problems.remove(&lane);
            is_news = lane == Lane::Live && !status.online;
            status.online |= is_news;
        });
        if is_news {
            tracing::info!("the cloud is reached");
            self.recoveries.send_modify(|count| *count += 1);
        }
    }

    /// A call did not work. Says whether the cloud has just found another agent with this edge's key.
    pub fn failed(&self, lane: Lane, failure: &Failure) -> bool {
        let mut problem = Problem { code: code(failure), detail: failure.to_string() };
        let is_conflict = problem.code == "edge_conflict";
        if is_conflict {
            CONFLICT.clone_into(&mut problem.detail);
            *self.held() = Some(Instant::now() + CONFLICT_PAUSE);
        }
        let was_known = self.status.borrow().has(&problem.code);
        if !was_known {
            tracing::warn!(
                ?lane,
                code = problem.code,
                detail = problem.detail,
                "no way to the cloud"
            );
        }
        self.status.send_modify(|status| {
            status.online &= lane != Lane::Live;
            status.problems.insert(lane, problem);
        });
        is_conflict && !was_known
    }

    /// Waits while another agent uses this edge's key.
    pub async fn hold(&self) {
        let until = *self.held();
        if let Some(until) = until {
            tokio::time::sleep_until(until).await;
        }
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.held_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn code(failure: &Failure) -> String {
    match failure {
        Failure::Unreachable(_) => "unreachable".to_owned(),
        Failure::Refused(refusal) if refusal.code.is_empty() => {
            format!("http_{}", refusal.status.as_u16())
        }
        Failure::Refused(refusal) => refusal.code.clone(),
    }
}

/// Waits between two tries of a lane.
#[derive(Debug)]
pub struct Waiter {
    recoveries: watch::Receiver<u64>,
}

impl Waiter {
    /// Waits; when the cloud could not be reached at all, not longer than until the live lane gets through again.
    pub async fn pause(&mut self, wait: Duration, failure: &Failure) {
        if let Some(asked) = failure.retry_after() {
            tokio::time::sleep(jittered(asked * 2).max(wait)).await;
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = self.recoveries.changed() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::time::Stamp;

    fn link() -> Link {
        let stamp = Stamp { boot: 1, mono_ms: 7, wall_ms: 0, synced: false };
        Link::new(Clock::manual(stamp))
    }

    fn down() -> Failure {
        Failure::Unreachable("no route".to_owned())
    }

    #[test]
    fn a_problem_of_one_lane_is_not_hidden_by_another() {
        let link = link();
        link.failed(Lane::Batches, &down());

        link.reached(Lane::Live);

        let status = link.status().borrow().clone();
        assert!(status.online && status.has("unreachable"));
        assert_eq!(status.last_contact_mono_ms, Some(7));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lane_that_waits_is_woken_when_the_cloud_is_back() {
        let link = link();
        link.reached(Lane::Live);
        let mut waiter = link.waiter();
        link.failed(Lane::Live, &down());
        let started = Instant::now();

        link.reached(Lane::Live);
        waiter.pause(Duration::from_mins(1), &down()).await;

        assert_eq!(started.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lane_waits_as_long_as_it_was_asked_to() {
        let link = link();
        let started = Instant::now();
        let busy = Failure::Refused(Box::new(super::super::http::Refusal {
            status: reqwest::StatusCode::SERVICE_UNAVAILABLE,
            code: "busy".to_owned(),
            retry_after: Some(Duration::from_secs(30)),
            problem: serde_json::Value::Null,
        }));

        link.waiter().pause(Duration::from_secs(1), &busy).await;

        assert!(started.elapsed() >= Duration::from_secs(30));
    }

    #[tokio::test(start_paused = true)]
    async fn a_conflict_is_news_once_and_holds_everything_back() {
        let link = link();
        let conflict = Failure::Refused(Box::new(super::super::http::Refusal {
            status: reqwest::StatusCode::CONFLICT,
            code: "edge_conflict".to_owned(),
            retry_after: None,
            problem: serde_json::Value::Null,
        }));
        let started = Instant::now();

        let news = (link.failed(Lane::Live, &conflict), link.failed(Lane::Batches, &conflict));
        link.hold().await;

        assert_eq!(news, (true, false));
        assert_eq!(started.elapsed(), CONFLICT_PAUSE);
    }
}
