//! The parts of an agent around the uplink, over a temporary folder.

use crate::cloud::{CODE, FakeCloud, NOW_MS};
use anyhow::Result;
use edge_agent::access::Access;
use edge_agent::config;
use edge_agent::front_door::tls::{BranchCa, Tls};
use edge_agent::front_door::{Config, Inside, Server};
use edge_agent::journal::{Ack, AckSink, Journal, JournalConfig, Limits, Received, What};
use edge_agent::ops::clock::Clock;
use edge_agent::registry::Registry;
use edge_agent::registry::local::NewCredential;
use edge_agent::uplink::board::Board;
use edge_agent::uplink::link::LinkStatus;
use edge_agent::uplink::{Uplink, enroll};
use protocol::ids::{CommandId, DeviceId};
use protocol::machine::{Field, Fields, Sample};
use protocol::sync::changes::DeviceRecord;
use protocol::sync::commands::{Command, Target};
use protocol::sync::entry::{Body, DeviceKind, DeviceState, DeviceStatus, Notice, Source};
use protocol::time::Stamp;
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Long enough for a busy computer; a test that works never waits so long.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Between batches of samples.
const PROMPT_MS: u64 = 50;

pub struct Edge {
    pub registry: Registry,
    pub journal: Journal,
    pub clock: Clock,
    uplink: Arc<Uplink>,
    url: String,
    config: config::Cloud,
    epoch: u64,
    _folder: TempDir,
    mqtt: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Edge {
    pub async fn new(cloud: &FakeCloud) -> Self {
        let now = Stamp { boot: 1, mono_ms: 60_000, wall_ms: NOW_MS, synced: true };
        Self::with_clock(cloud, Clock::manual(now), PROMPT_MS).await
    }

    /// Enrolled, and in no hurry with samples.
    pub async fn slow(cloud: &FakeCloud) -> Self {
        let now = Stamp { boot: 1, mono_ms: 60_000, wall_ms: NOW_MS, synced: true };
        let edge = Self::with_clock(cloud, Clock::manual(now), 600_000).await;
        edge.enrol().await;
        edge
    }

    pub async fn in_1970(cloud: &FakeCloud) -> Self {
        let then = Stamp { boot: 1, mono_ms: 60_000, wall_ms: 60_000, synced: false };
        Self::with_clock(cloud, Clock::manual(then), PROMPT_MS).await
    }

    pub async fn enrolled(cloud: &FakeCloud) -> Self {
        let edge = Self::new(cloud).await;
        edge.enrol().await;
        edge
    }

    async fn with_clock(cloud: &FakeCloud, clock: Clock, telemetry_interval_ms: u64) -> Self {
        // Reqwest looks for the process's default; another test may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::open(folder.path(), &clock).await.unwrap().registry;
        let limits = Limits { group_ms: 5, min_free_bytes: 0, ..Limits::default() };
        let journal_config =
            JournalConfig { limits, check_after: None, ..JournalConfig::new(folder.path()) };
        let (journal, opened) = Journal::open(journal_config, clock.clone()).unwrap();
        let door = door(&folder, &registry, &journal, &clock);
        let config = config::Cloud { telemetry_interval_ms, ..config::Cloud::default() };
        let parts = (registry.clone(), journal.clone(), clock.clone());
        let board = Board::new(opened.epoch);
        let uplink =
            Uplink::new(config.clone(), parts.0, parts.1, parts.2, door.publisher(), board);
        let uplink = Arc::new(uplink.unwrap());
        let mqtt = door.addresses().unwrap().0;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { door.run(CancellationToken::new()).await.unwrap() });
        let (to, committed) = mpsc::channel(64);
        tasks.spawn(forward(journal.events(), to));
        let running = Arc::clone(&uplink);
        tasks.spawn(async move {
            Box::pin(running.run(committed, CancellationToken::new())).await.unwrap();
        });
        Self {
            registry,
            journal,
            clock,
            uplink,
            url: cloud.url(),
            config,
            epoch: opened.epoch,
            _folder: folder,
            mqtt,
            _tasks: tasks,
        }
    }

    /// Adds a machine and connects as it.
    pub async fn connect(&self, code: &str) -> (AsyncClient, EventLoop) {
        let new = self.add(code).await;
        let mut options = MqttOptions::new(code, self.mqtt.ip().to_string(), self.mqtt.port());
        options.set_credentials(code, new.secret);
        let (client, mut incoming) = AsyncClient::new(options, 10);
        client
            .subscribe(format!("gymwire/v1/machines/{code}/commands"), QoS::AtLeastOnce)
            .await
            .unwrap();
        while !matches!(incoming.poll().await.unwrap(), Event::Incoming(Packet::SubAck(_))) {}
        (client, incoming)
    }

    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    pub async fn enrol(&self) {
        self.try_enrol(CODE).await.unwrap();
    }

    pub async fn try_enrol(&self, code: &str) -> Result<()> {
        enroll::enroll(&self.registry, &self.config, &self.clock, &self.url, code).await.map(drop)
    }

    pub fn link(&self) -> watch::Receiver<LinkStatus> {
        self.uplink.status()
    }

    /// Journals a notice of this text.
    pub async fn tell(&self, text: &str) {
        let notice = Notice { code: "test".to_owned(), detail: text.to_owned() };
        self.commit(Source::Edge, What::Event(Body::Notice(notice))).await;
    }

    /// Waits until this many entries are not in the cloud.
    pub async fn until_backlog(&self, entries: u64) {
        let mut stats = self.journal.stats();
        let enough = stats.wait_for(|stats| stats.backlog_entries == entries);
        timeout(PATIENCE, enough).await.unwrap().unwrap();
    }

    pub async fn machine(&self, code: &str) -> DeviceId {
        self.add(code).await.id
    }

    async fn add(&self, code: &str) -> NewCredential {
        let new = self.registry.prepare_device(DeviceKind::Machine, code.parse().unwrap()).unwrap();
        self.registry.keep(&new).await.unwrap();
        new
    }

    pub async fn status(&self, device: DeviceId, state: DeviceState) {
        let status = DeviceStatus { state, firmware: None, uptime_ms: None, error: None };
        self.commit(Source::Device(device), What::Event(Body::Status(status))).await;
    }

    pub async fn samples(&self, machine: DeviceId, numbers: std::ops::RangeInclusive<u64>) {
        let sample = |seq| {
            let mut fields = Fields::default();
            fields.set(Field::SpeedMps, 2.5);
            Sample { seq, boot: Some(1), fields, ..Sample::default() }
        };
        let samples: Vec<_> = numbers.map(sample).collect();
        for some in samples.chunks(500) {
            self.commit(Source::Device(machine), What::Telemetry(some.to_vec())).await;
        }
    }

    async fn commit(&self, source: Source, what: What) {
        let (sender, committed) = oneshot::channel();
        let connection = Arc::new(Waiting(Mutex::new(Some(sender))));
        let mut received = Received::new(source, what);
        received.ack = Some(Ack { connection, packet_id: 1, reason: 0 });
        self.journal.submit(vec![received]).await.unwrap();
        timeout(PATIENCE, committed).await.expect("a commit in time").unwrap();
    }

    /// Until the cloud has everything.
    pub async fn drained(&self) {
        let mut stats = self.journal.stats();
        let empty = stats.wait_for(|stats| stats.entries > 0 && stats.backlog_entries == 0);
        timeout(PATIENCE, empty).await.expect("drained in time").unwrap();
    }

    /// Until the registry has a device of this code.
    pub async fn knows(&self, code: &str) {
        let mut changed = self.registry.changed();
        let known = changed.wait_for(|_| self.registry.by_code(code).is_some());
        timeout(PATIENCE, known).await.expect("known in time").unwrap();
    }
}

fn door(folder: &TempDir, registry: &Registry, journal: &Journal, clock: &Clock) -> Server {
    let local = "127.0.0.1:0".parse().unwrap();
    let config = Config { listen: local, tls_listen: local, ..Config::default() };
    let ca = BranchCa::open(&folder.path().join("ca"), NOW_MS).unwrap();
    let tls = Tls::open(ca, Vec::new(), clock.clone()).unwrap();
    let inside = Inside {
        access: Access::new(registry.clone(), clock.clone()),
        board: Board::new(0),
        registry: registry.clone(),
        journal: journal.clone(),
        clock: clock.clone(),
        retained: Vec::new(),
    };
    Server::bind(config, inside, tls).unwrap()
}

async fn forward<T: Clone>(mut from: broadcast::Receiver<T>, to: mpsc::Sender<T>) {
    while let Ok(item) = from.recv().await {
        if to.send(item).await.is_err() {
            return;
        }
    }
}

pub fn record(number: u128, code: &str) -> DeviceRecord {
    DeviceRecord {
        id: DeviceId(Uuid::from_u128(number)),
        code: code.parse().unwrap(),
        kind: DeviceKind::Machine,
        name: code.to_owned(),
        secret_sha256: None,
        bridge: None,
        topics: Vec::new(),
        enabled: true,
    }
}

/// An order to a machine, or to the edge itself.
pub fn lock(number: u128, code: Option<&str>, ttl_ms: u64) -> Command {
    Command {
        id: CommandId(Uuid::from_u128(number)),
        target: code.map(|code| Target { kind: DeviceKind::Machine, code: code.parse().unwrap() }),
        command: "lock".to_owned(),
        args: serde_json::Map::new(),
        ttl_ms,
    }
}

struct Waiting(Mutex<Option<oneshot::Sender<()>>>);

impl AckSink for Waiting {
    fn committed(&self, _: &[(u16, u8)]) {
        if let Some(sender) = self.0.lock().unwrap().take() {
            let _ = sender.send(());
        }
    }
}
