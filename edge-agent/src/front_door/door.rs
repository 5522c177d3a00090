//! What all connections share.

use super::config::Config;
use super::counters::Counters;
use super::fan_out::FanOut;
use super::intake::Intake;
use super::limits::FailedLogins;
use super::sessions::Sessions;
use super::urgent::Urgently;
use super::waiting_room::WaitingRoom;
use crate::access::Access;
use crate::journal::{Answer, Journal};
use crate::ops::clock::Clock;
use crate::registry::Registry;
use crate::uplink::board::Board;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub struct Door {
    pub config: Config,
    pub registry: Registry,
    pub journal: Journal,
    pub clock: Clock,
    pub access: Access,
    pub intake: Intake,
    pub fan_out: FanOut,
    pub sessions: Sessions,
    pub waiting_room: WaitingRoom,
    pub counters: Counters,
    /// The agent is stopping.
    pub stop: CancellationToken,
    failed_logins: Mutex<FailedLogins>,
    origin: Instant,
}

/// What a door is made of.
pub struct Parts {
    pub config: Config,
    pub registry: Registry,
    pub journal: Journal,
    pub clock: Clock,
    pub access: Access,
    pub board: Board,
    pub fan_out: FanOut,
    pub sessions: Sessions,
}

impl Door {
    pub fn new(parts: Parts) -> Self {
        let Parts { config, registry, journal, clock, access, board, fan_out, sessions } = parts;
        let intake = Intake::new(registry.clone(), clock.clone(), access.clone(), board);
        let waiting_room = WaitingRoom::new(config.max_waiting, config.max_waiting_per_address);
        Self {
            config,
            registry,
            journal,
            clock,
            access,
            intake,
            fan_out,
            sessions,
            waiting_room,
            counters: Counters::new(),
            stop: CancellationToken::new(),
            failed_logins: Mutex::default(),
            origin: Instant::now(),
        }
    }

    /// Time since the start, for limits.
    pub fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    /// Tells a reader and the bridge that speaks for it, those of them that are connected now.
    pub fn answer(&self, answer: &Answer) {
        let Answer { reader, topic, payload, until_mono_ms } = answer;
        let bridge = self.registry.by_id(*reader).and_then(|reader| reader.bridge);
        for device in [Some(*reader), bridge].into_iter().flatten() {
            let message = Urgently {
                topic: topic.clone(),
                payload: payload.clone(),
                until_mono_ms: *until_mono_ms,
            };
            let dropped = self.sessions.tell(device, message);
            self.counters.missed.increment(dropped as u64);
        }
    }

    /// Counts a failed login, and says how long its answer is to wait.
    pub fn login_failed(&self, address: IpAddr) -> Duration {
        let mut failed = self.failed_logins.lock().unwrap_or_else(PoisonError::into_inner);
        failed.failed(address, self.now())
    }
}
