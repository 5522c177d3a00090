//! The live lane: the present state of the floor, ahead of any backlog. It builds no history.

use super::Uplink;
use super::backoff::{Backoff, jittered};
use super::http::{Failure, json};
use super::link::Lane;
use super::token::Cloud;
use anyhow::Result;
use protocol::sync::state::{Floor, LiveState, STATE_MEDIA_TYPE, StateAnswer};
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE};
use reqwest::{Response, StatusCode};
use std::convert::Infallible;
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout_at};

/// At most ten states a second, while somebody watches. Else news wait for the next sign of life.
const PACE: Duration = Duration::from_millis(100);
/// What has only measured something since, and is as it was otherwise, is told once a second.
const SAMPLES_PACE: Duration = Duration::from_secs(1);
/// While nobody watches, it is told this often.
const UNWATCHED_PACE: Duration = Duration::from_secs(15);
/// Without news a state is sent this often, so that the cloud knows that the branch is there.
const HEARTBEAT: Duration = Duration::from_secs(3);
/// A cloud that cannot be reached is tried this often, so that the floor is seen soon after any outage.
const PROBE: Duration = Duration::from_secs(1);
/// After this long the tries become rarer, to [`SLOW_PROBE`].
const PATIENCE: Duration = Duration::from_mins(5);
const SLOW_PROBE: Duration = Duration::from_millis(1_900);

/// Sends the state of the floor for as long as the edge is enrolled this way.
pub(super) async fn run(uplink: &Uplink, cloud: &Cloud) -> Infallible {
    let now = Instant::now();
    let mut lane = LiveLane { n: 0, needs_full: true, is_watched: false, samples_from: now };
    let mut refusals = Backoff::new(PROBE, Duration::from_mins(1));
    let mut failing_since: Option<Instant> = None;
    let mut waiter = uplink.link.waiter();
    loop {
        uplink.link.hold().await;
        let started = Instant::now();
        match lane.send(uplink, cloud).await {
            Ok(()) => {
                uplink.link.reached(Lane::Live);
                refusals.reset();
                failing_since = None;
                sleep_until(started + if lane.is_watched { PACE } else { HEARTBEAT }).await;
                // Either way it is time: for news, or for a sign of life.
                let news = uplink.board.changed(lane.samples_from);
                let _ = timeout_at(started + HEARTBEAT, news).await;
            }
            // The cloud has no state that this one could add to.
            Err(failure) if failure.code() == "full_state_needed" => {
                sleep_until(started + PACE).await;
            }
            Err(failure) => {
                uplink.failed(Lane::Live, &failure).await;
                let since = *failing_since.get_or_insert(started);
                let wait = match failure {
                    Failure::Unreachable(_) if since.elapsed() < PATIENCE => jittered(PROBE),
                    Failure::Unreachable(_) => jittered(SLOW_PROBE),
                    Failure::Refused(_) => refusals.next_wait(),
                };
                waiter.pause(wait, &failure).await;
            }
        }
    }
}

struct LiveLane {
    n: u64,
    /// The cloud may have missed something: everything is told again.
    needs_full: bool,
    is_watched: bool,
    /// Samples that nothing else came with wait until then.
    samples_from: Instant,
}

impl LiveLane {
    async fn send(&mut self, uplink: &Uplink, cloud: &Cloud) -> Result<(), Failure> {
        let (full, now) = (self.needs_full, Instant::now());
        let has_samples = full || now >= self.samples_from;
        let (as_of, machines) = match (full, has_samples) {
            (true, _) => uplink.board.all(),
            (false, true) => uplink.board.changes(),
            (false, false) => uplink.board.pressing(),
        };
        self.n += 1;
        self.needs_full = true;
        let state = LiveState {
            boot: cloud.agent_boot(),
            n: self.n,
            stamp: uplink.clock.stamp(),
            as_of,
            full,
            floor: floor(uplink),
            machines,
        };
        let packed = state.pack();
        let url = cloud.url("/state");
        let put = |clients: &super::http::Clients| {
            clients
                .live
                .put(&url)
                .header(CONTENT_TYPE, STATE_MEDIA_TYPE)
                .header(CONTENT_ENCODING, "zstd")
                .body(packed.clone())
        };
        let answer = answer(cloud.call(put).await?).await?;
        self.is_watched = answer.watched;
        uplink.board.follow(answer.followed);
        metrics::counter!("gymwire_uplink_states_total").increment(1);
        metrics::counter!("gymwire_uplink_state_bytes_total").increment(packed.len() as u64);
        self.needs_full = false;
        self.pace(has_samples.then_some(now));
        Ok(())
    }

    /// `told` is when samples were told just now. Once somebody watches, they are not waited for.
    fn pace(&mut self, told: Option<Instant>) {
        let pace = if self.is_watched { SAMPLES_PACE } else { UNWATCHED_PACE };
        match told {
            Some(told) => self.samples_from = told + pace,
            None if self.is_watched => {
                self.samples_from = self.samples_from.min(Instant::now() + pace);
            }
            None => {}
        }
    }
}

/// A cloud that does not say may have somebody who watches.
async fn answer(answer: Response) -> Result<StateAnswer, Failure> {
    if answer.status() == StatusCode::NO_CONTENT {
        return Ok(StateAnswer { watched: true, followed: Vec::new() });
    }
    json(answer).await
}

fn floor(uplink: &Uplink) -> Floor {
    let stats = uplink.journal.stats().borrow().clone();
    Floor {
        backlog_entries: uplink.journal.backlog_entries(),
        oldest_unsent_ms: crate::ops::status::age_ms(&uplink.clock, stats.oldest_unsent),
        disk_free_bytes: stats.disk_free_bytes,
        rejects: stats.rejects,
        gaps: stats.gaps,
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}
