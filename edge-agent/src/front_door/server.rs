//! The front door as the rest of the agent sees it.

use super::config::Config;
use super::door::{Door, Parts};
use super::fan_out::FanOut;
use super::listener;
use super::sessions::Sessions;
use super::tls::Tls;
use crate::access::Access;
use crate::journal::{Committed, Journal, Publish};
use crate::ops::clock::Clock;
use crate::ops::pulse::Pulse;
use crate::registry::Registry;
use crate::uplink::board::Board;
use anyhow::{Context as _, Result, anyhow, bail};
use bytes::Bytes;
use protocol::ids::DeviceId;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

/// Both listeners, bound but not serving yet.
pub struct Server {
    door: Arc<Door>,
    plain: TcpListener,
    encrypted: TcpListener,
    tls: Tls,
    pulses: [Pulse; 2],
    committed: broadcast::Receiver<Arc<Committed>>,
    decided: broadcast::Receiver<Arc<Committed>>,
    router_died: oneshot::Receiver<anyhow::Error>,
}

/// Sends messages to devices and observers; clones share it.
#[derive(Clone)]
pub struct Publisher {
    fan_out: FanOut,
    sessions: Sessions,
}

/// What the front door needs of the rest of the agent.
pub struct Inside {
    pub registry: Registry,
    pub journal: Journal,
    pub clock: Clock,
    pub access: Access,
    /// Shows what machines measure that somebody follows, before it is on disk.
    pub board: Board,
    /// Retained values out of the journal.
    pub retained: Vec<(String, Bytes)>,
}

/// How often the certificates are looked at.
const CERTIFICATE_CHECK: Duration = Duration::from_mins(10);
/// Connections get this long to write what they still have to.
const GRACE: Duration = Duration::from_secs(2);

impl Server {
    /// Starts the fan-out with the retained values, then opens both ports.
    pub fn bind(config: Config, inside: Inside, tls: Tls) -> Result<Self> {
        let Inside { registry, journal, clock, access, board, retained } = inside;
        let (committed, decided) = (journal.events(), journal.events());
        let retained = retained
            .into_iter()
            .map(|(topic, payload)| Publish { topic, payload, retain: true })
            .collect();
        let (fan_out, router_died) = FanOut::start(config.max_connections, retained)?;
        if !config.listen.ip().is_loopback() {
            warn!(listen = %config.listen, "MQTT without TLS is open to the network: secrets can be read there");
        }
        allow_open_files();
        let plain = listener::bind(config.listen).context("configuration key `mqtt.listen`")?;
        let encrypted =
            listener::bind(config.tls_listen).context("configuration key `mqtt.tls_listen`")?;
        let sessions = Sessions::default();
        let parts = Parts { config, registry, journal, clock, access, board, fan_out, sessions };
        let door = Arc::new(Door::new(parts));
        let pulses = Default::default();
        Ok(Self { door, plain, encrypted, tls, pulses, committed, decided, router_died })
    }

    /// The addresses of the listener without and of the one with TLS.
    pub fn addresses(&self) -> Result<(SocketAddr, SocketAddr)> {
        Ok((self.plain.local_addr()?, self.encrypted.local_addr()?))
    }

    /// For whoever wants to tell devices something.
    pub fn publisher(&self) -> Publisher {
        Publisher { fan_out: self.door.fan_out.clone(), sessions: self.door.sessions.clone() }
    }

    /// The signs of life of the loops that accept connections.
    pub fn pulses(&self) -> [Pulse; 2] {
        self.pulses.clone()
    }

    /// Serves until `stop`. Ends with an error if the router dies: without it, nobody gets commands.
    pub async fn run(self, stop: CancellationToken) -> Result<()> {
        let Self { door, plain, encrypted, tls, pulses, committed, decided, router_died } = self;
        let [beats, tls_beats] = pulses;
        let (plain_at, tls_at) = (plain.local_addr()?, encrypted.local_addr()?);
        info!(listen = %plain_at, tls_listen = %tls_at, "front door is open");
        let connections = TaskTracker::new();
        let accepting = async {
            tokio::try_join!(
                listener::accept(Arc::clone(&door), plain, None, beats, connections.clone()),
                listener::accept(
                    Arc::clone(&door),
                    encrypted,
                    Some(tls.clone()),
                    tls_beats,
                    connections.clone()
                ),
            )
        };
        let end = tokio::select! {
            () = stop.cancelled() => Ok(()),
            ended = accepting => ended.and_then(|_| bail!("the listeners ended unasked")),
            ended = pass_on(&door, committed) => ended,
            ended = answer(&door, decided) => ended,
            () = keep_certificates(tls.clone()) => Ok(()),
            died = router_died => Err(died.unwrap_or_else(|_| anyhow!("the fan-out panicked"))),
        };
        door.stop.cancel();
        connections.close();
        if tokio::time::timeout(GRACE, connections.wait()).await.is_err() {
            warn!("some connections did not end in time");
        }
        end
    }
}

impl Publisher {
    /// Sends a message to whoever subscribed its topic.
    pub async fn publish(&self, message: Publish) -> Result<()> {
        self.fan_out.publish(vec![message]).await
    }

    /// Whether a device is connected now.
    pub fn online(&self, device: DeviceId) -> bool {
        self.sessions.is_online(device)
    }

    /// Whether a device is connected now and has subscribed to this topic.
    pub fn hears(&self, device: DeviceId, topic: &str) -> bool {
        self.sessions.hears(device, topic)
    }

    /// How many devices are connected now.
    pub fn connected(&self) -> usize {
        self.sessions.count()
    }
}

/// Every connection is an open file, and the usual soft limit of 1024 is meant for programs that use `select`.
fn allow_open_files() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        warn!(%error, "the limit of open files cannot be raised");
    }
}

/// Passes on what the journal has committed.
async fn pass_on(door: &Door, mut committed: broadcast::Receiver<Arc<Committed>>) -> Result<()> {
    loop {
        let commit = match committed.recv().await {
            Ok(commit) => commit,
            Err(RecvError::Lagged(commits)) => {
                warn!(commits, "subscribers miss messages: the fan-out cannot keep up");
                door.counters.missed.increment(commits);
                continue;
            }
            Err(RecvError::Closed) => bail!("the journal has stopped"),
        };
        let messages: Vec<_> =
            commit.items.iter().filter_map(|item| item.publish.clone()).collect();
        if !messages.is_empty() {
            door.fan_out.publish(messages).await?;
        }
    }
}

/// Tells readers what was decided, apart from what waits for the router.
async fn answer(door: &Door, mut decided: broadcast::Receiver<Arc<Committed>>) -> Result<()> {
    loop {
        match decided.recv().await {
            Ok(commit) => {
                commit.items.iter().filter_map(|item| item.answer.as_ref()).for_each(|answer| {
                    door.answer(answer);
                });
            }
            Err(RecvError::Lagged(commits)) => {
                warn!(commits, "readers miss decisions: there were too many commits at once");
                door.counters.missed.increment(commits);
            }
            Err(RecvError::Closed) => bail!("the journal has stopped"),
        }
    }
}

/// New certificates in time, and when the computer gets other names or addresses.
async fn keep_certificates(tls: Tls) {
    loop {
        tokio::time::sleep(CERTIFICATE_CHECK).await;
        let tls = tls.clone();
        match tokio::task::spawn_blocking(move || tls.refresh()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => error!(?error, "the certificates cannot be renewed"),
            Err(error) => error!(%error, "renewing the certificates panicked"),
        }
    }
}
