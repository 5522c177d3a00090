//! What the lanes know together about the way to the cloud: whether it works, and why not.

use super::backoff::jittered;
use super::http::Failure;
use crate::ops::clock::Clock;
use serde::Serialize;
use std::sync::Mutex;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

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
    /// The last call worked.
    pub online: bool,
    /// Monotonic time of the last call that worked.
    pub last_contact_mono_ms: Option<u64>,
    /// Machine-readable reason why it does not work, e.g. `edge_conflict`.
    pub problem: Option<String>,
    /// The reason in words.
    pub detail: Option<String>,
}

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
    pub fn reached(&self) {
        let was_online = self.status.borrow().online;
        let last_contact_mono_ms = Some(self.clock.mono_ms());
        self.status.send_replace(LinkStatus {
            online: true,
            last_contact_mono_ms,
            ..LinkStatus::default()
        });
        if !was_online {
            tracing::info!("the cloud is reached");
            self.recoveries.send_modify(|count| *count += 1);
        }
    }

    /// A call did not work. Says whether the cloud found another agent with this edge's key for the first time.
    pub fn failed(&self, failure: &Failure) -> bool {
        let code = match failure {
            Failure::Unreachable(_) => "unreachable".to_owned(),
            Failure::Refused(refusal) if refusal.code.is_empty() => {
                format!("http_{}", refusal.status.as_u16())
            }
            Failure::Refused(refusal) => refusal.code.clone(),
        };
        let former = self.status.borrow().clone();
        let is_news = former.problem.as_deref() != Some(&code);
        if is_news {
            tracing::warn!(problem = code, detail = %failure, "the cloud is not reached");
        }
        let is_conflict = code == "edge_conflict";
        if is_conflict {
            *self.held() = Some(Instant::now() + CONFLICT_PAUSE);
        }
        self.status.send_replace(LinkStatus {
            online: false,
            problem: Some(code),
            detail: Some(failure.to_string()),
            ..former
        });
        is_conflict && is_news
    }

    /// Waits while another agent uses this edge's key.
    pub async fn hold(&self) {
        let until = *self.held();
        if let Some(until) = until {
            tokio::time::sleep_until(until).await;
        }
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.held_until.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Waits between two tries of a lane.
#[derive(Debug)]
pub struct Waiter {
    recoveries: watch::Receiver<u64>,
}

impl Waiter {
    /// Waits, but not longer than until another lane got through again.
    pub async fn pause(&mut self, wait: Duration, failure: &Failure) {
        let wait = failure.retry_after().map_or(wait, |asked| jittered(asked * 2).max(wait));
        if failure.retry_after().is_some() {
            tokio::time::sleep(wait).await;
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = self.recoveries.changed() => {}
        }
    }
}
