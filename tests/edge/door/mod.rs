//! An agent as a process with a small branch: machine `bike`; machine `rack` and reader `door` behind bridge `box`;
//! reader `gate`; observer `screen`. The raw client is the one of the agent's own tests.

#[path = "../../../edge-agent/src/front_door/tests/devices.rs"]
mod branch;
#[path = "../../../edge-agent/src/front_door/tests/client.rs"]
pub mod client;

pub use branch::{device_id, record, secret};
use client::Client;
use edge_agent::journal::{BatchLimits, Journal, JournalConfig};
use edge_agent::ops::clock::Clock;
use edge_agent::registry::Registry;
use protocol::ids::BranchId;
use protocol::sync::changes::{Change, Changes, DeviceRecord};
use protocol::sync::entry::Event;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tests::edge::Edge;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use uuid::Uuid;

/// What the observer may read.
pub const OBSERVED: &str = "gymwire/v1/machines/+/telemetry";
pub const OBSERVED_STATUS: &str = "gymwire/v1/machines/bike/status";

/// A running agent.
pub struct Door {
    pub edge: Edge,
    pub plain: SocketAddr,
    pub encrypted: SocketAddr,
}

impl Door {
    pub async fn open() -> Self {
        Self::with("").await
    }

    /// With more configuration.
    pub async fn with(more: &str) -> Self {
        Self::of(devices(), more).await
    }

    /// With these devices.
    pub async fn of(devices: Vec<DeviceRecord>, more: &str) -> Self {
        let mut edge = Edge::new().unwrap();
        edge.configure(more).unwrap();
        std::fs::create_dir_all(edge.state()).unwrap();
        let registry = Registry::open(&edge.state(), &Clock::system()).await.unwrap().registry;
        let branch = BranchId(Uuid::nil());
        let changes = devices.into_iter().map(Change::Device).collect();
        let changes = Changes { branch, from: 0, to: 1, reset: true, more: false, changes };
        registry.apply(changes).await.unwrap();
        drop(registry);
        edge.start().await.unwrap();
        let ports = edge.ports();
        Self { edge, plain: ports.mqtt, encrypted: ports.mqtts }
    }

    pub async fn v311(&self, code: &str) -> Client {
        Client::log_in(self.plain, 4, code).await
    }

    pub async fn v5(&self, code: &str) -> Client {
        Client::log_in(self.plain, 5, code).await
    }

    /// A TLS connection that trusts the branch CA.
    pub async fn tls(&self) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.encrypted).await?;
        self.connector().connect(ServerName::try_from("localhost").unwrap(), stream).await
    }

    fn connector(&self) -> TlsConnector {
        let pem = std::fs::read(self.edge.state().join("ca/root.pem")).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(&pem).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        TlsConnector::from(Arc::new(config))
    }

    /// Stops the agent, and gives the events of its journal and how many samples are in it.
    pub async fn stop_and_read(mut self) -> (Vec<Event>, u32) {
        self.edge.stop().await.unwrap();
        let config = JournalConfig::new(self.edge.state());
        let (journal, _) = Journal::open(config, Clock::system()).unwrap();
        let (mut events, mut samples) = (Vec::new(), 0);
        while let Some(batch) = journal.read_batch(BatchLimits::default()).await.unwrap() {
            for telemetry in &batch.telemetry {
                samples += protocol::machine::columns::summary(&telemetry.columns).unwrap().count;
            }
            events.extend(batch.events.iter().map(|event| Event::decode(&event.event).unwrap()));
            journal.acked(batch.epoch, batch.last_seq).await;
        }
        (events, samples)
    }
}

/// All devices.
pub fn devices() -> Vec<DeviceRecord> {
    branch::devices(&[OBSERVED, OBSERVED_STATUS])
}

/// Fails the test if it takes too long.
pub async fn soon<F: Future>(future: F) -> F::Output {
    timeout(Duration::from_secs(20), future).await.expect("it should have happened by now")
}
