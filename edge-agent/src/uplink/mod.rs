//! The way to the cloud: enrolment, tokens, live state, batches, changes, commands. Each lane goes its own pace
//! over its own connection; none of them ever holds up a device.

mod ahead;
pub mod backoff;
mod batches;
pub mod board;
mod changes;
mod commands;
pub mod enroll;
pub mod http;
pub mod link;
mod live;
mod next_key;
mod outgoing;
mod pending;
mod prepared;
mod requests;
pub mod token;

use crate::config;
use crate::floor::Floor;
use crate::front_door::Publisher;
use crate::journal::{Committed, Journal, What};
use crate::ops::clock::Clock;
use crate::ops::orders::Orders;
use crate::registry::{Enrolled, Registry};
use anyhow::{Context as _, Result};
use board::Board;
use http::{Clients, Failure};
use link::{Lane, Link};
use outgoing::Outgoing;
use protocol::sync::entry::{Body, Notice};
use std::convert::Infallible;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use token::Cloud;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

const TIME_TO_RECONNECT: Duration = Duration::from_mins(1);

/// What the lanes work with.
pub struct Uplink {
    /// Base URL, instead of the one the edge was enrolled at.
    url: Option<String>,
    clients: Clients,
    registry: Registry,
    journal: Journal,
    clock: Clock,
    publisher: Publisher,
    board: Board,
    floor: Option<Floor>,
    link: Link,
    outgoing: Outgoing,
    agent_boot: u64,
    orders: OnceLock<Orders>,
}

impl Uplink {
    /// An uplink that was not started yet.
    pub fn new(
        config: config::Cloud,
        registry: Registry,
        journal: Journal,
        clock: Clock,
        publisher: Publisher,
        board: Board,
    ) -> Result<Self> {
        let mut boot = [0; 8];
        getrandom::fill(&mut boot).context("the system has no random numbers")?;
        Ok(Self {
            link: Link::new(clock.clone()),
            outgoing: Outgoing::new(config.telemetry_interval()),
            agent_boot: u64::from_le_bytes(boot),
            orders: OnceLock::new(),
            clients: Clients::new(&config, &clock)?,
            url: config.url,
            registry,
            journal,
            clock,
            publisher,
            board,
            floor: None,
        })
    }

    /// From now on, commands to the branch itself are requests to its floor.
    #[must_use]
    pub fn with_floor(self, floor: Floor) -> Self {
        Self { floor: Some(floor), ..self }
    }

    /// How the way to the cloud is.
    pub fn status(&self) -> watch::Receiver<link::LinkStatus> {
        self.link.status()
    }

    /// From now on, what the cloud orders the edge itself is carried out by these.
    pub fn obey(&self, orders: Orders) {
        let _ = self.orders.set(orders);
    }

    /// Works until it is stopped. `committed` is everything that the journal commits.
    pub async fn run(
        self: Arc<Self>,
        committed: mpsc::Receiver<Arc<Committed>>,
        stop: CancellationToken,
    ) -> Result<()> {
        // Full: answers are dropped here and reach the cloud by the batch.
        let (answered, mut answers) = mpsc::channel(256);
        tokio::select! {
            () = stop.cancelled() => Ok(()),
            () = self.follow(committed, answered) => {
                // The journal ends while the agent is stopping.
                stop.cancelled().await;
                Ok(())
            }
            end = self.lanes(&mut answers) => end,
            never = self.doubt() => match never {},
        }
    }

    /// What was known before the start is doubted once everybody had time to connect again.
    async fn doubt(&self) -> Infallible {
        tokio::time::sleep(TIME_TO_RECONNECT).await;
        self.board.doubt(|id| {
            let bridge = self.registry.by_id(id).and_then(|device| device.bridge);
            self.publisher.online(id) || bridge.is_some_and(|bridge| self.publisher.online(bridge))
        });
        std::future::pending().await
    }

    async fn follow(
        &self,
        mut committed: mpsc::Receiver<Arc<Committed>>,
        answered: mpsc::Sender<commands::Answered>,
    ) {
        while let Some(commit) = committed.recv().await {
            self.board.take_in(&commit);
            self.outgoing.note(&commit);
            for item in &commit.items {
                if let (What::Event(Body::CommandResult(result)), Some(device)) =
                    (&item.what, item.source.device())
                {
                    let _ = answered.try_send((device, result.clone()));
                }
            }
        }
    }

    async fn lanes(&self, answers: &mut mpsc::Receiver<commands::Answered>) -> Result<()> {
        let mut enrolments = self.registry.enrolments();
        loop {
            let enrolled = enrolments.borrow_and_update().clone();
            let Some(enrolled) = enrolled else {
                enrolments.changed().await?;
                continue;
            };
            let base = self.url.as_ref().unwrap_or(&enrolled.enrolment.cloud_url);
            let (clients, clock) = (self.clients.clone(), self.clock.clone());
            let (edge, registry) = (enrolled.enrolment.answer.edge_id, self.registry.clone());
            let cloud = Cloud::new(base, clients, edge, registry, clock, self.agent_boot);
            tokio::select! {
                never = live::run(self, &cloud) => match never {},
                never = batches::run(self, &cloud) => match never {},
                never = changes::run(self, &cloud) => match never {},
                never = next_key::run(self, &cloud) => match never {},
                () = commands::run(self, &cloud, answers) => {}
                end = another(&mut enrolments, &enrolled) => end?,
            }
        }
    }

    /// Notes that a call failed; a conflict of two agents is news for staff.
    async fn failed(&self, lane: Lane, failure: &Failure) {
        if self.link.failed(lane, failure) {
            self.notice("edge_conflict", link::CONFLICT.to_owned()).await;
        }
    }

    async fn notice(&self, code: &str, detail: String) {
        let notice = Body::Notice(Notice { code: code.to_owned(), detail });
        if self.journal.note(notice).await.is_err() {
            tracing::warn!(code, "a notice came while the journal was closing");
        }
    }
}

/// Until the edge is enrolled otherwise than `present`; new keys, of the cloud or of the edge, are no new enrolment.
async fn another(
    enrolments: &mut watch::Receiver<Option<Arc<Enrolled>>>,
    present: &Enrolled,
) -> Result<()> {
    loop {
        enrolments.changed().await?;
        let enrolled = enrolments.borrow_and_update().clone();
        let edge = present.enrolment.answer.edge_id;
        let is_same = enrolled.is_some_and(|enrolled| enrolled.enrolment.answer.edge_id == edge);
        if !is_same {
            return Ok(());
        }
    }
}
