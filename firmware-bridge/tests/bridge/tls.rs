//! TLS to the agent: only an authority that is configured counts.

use crate::broker::{Broker, OK};
use crate::{agent, until};
use firmware_bridge::clock::Clock;
use firmware_bridge::config::AgentConfig;
use firmware_bridge::desk::Desk;
use firmware_bridge::publisher::{Patience, Publisher};
use firmware_bridge::queue::{Outbox, Queue, QueueConfig};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// A branch's authority: its certificate as PEM, and a server that has one of its certificates for `localhost`.
fn authority() -> (String, TlsAcceptor) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let server_key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec!["localhost".into()]).unwrap();
    let server = server.signed_by(&server_key, &issuer).unwrap();
    let chain = vec![CertificateDer::from(server.der().to_vec())];
    let private = PrivateKeyDer::try_from(server_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .unwrap();
    (root.pem(), TlsAcceptor::from(Arc::new(config)))
}

struct Running {
    folder: TempDir,
    _task: JoinSet<anyhow::Result<()>>,
}

fn bridge(port: u16, ca_pem: &str, change: impl FnOnce(&mut AgentConfig)) -> Running {
    let folder = TempDir::new().unwrap();
    let ca_file: PathBuf = folder.path().join("ca.pem");
    std::fs::write(&ca_file, ca_pem).unwrap();
    let mut agent = AgentConfig { ca_file: Some(ca_file), ..agent(folder.path(), port) };
    change(&mut agent);
    let config = QueueConfig { path: folder.path().join("queue"), max_bytes: 1 << 20 };
    let outbox = Outbox::start(Queue::open(&config).unwrap()).unwrap();
    let patience = Patience { longest_pause: Duration::from_millis(10), ..Patience::default() };
    let publisher = Publisher { agent, desk: Desk::new(Clock::system(), outbox), patience };
    let mut task = JoinSet::new();
    task.spawn(publisher.run(CancellationToken::new()));
    Running { folder, _task: task }
}

fn connections(broker: &Broker) -> usize {
    broker.log.lock().unwrap().connections
}

#[tokio::test]
async fn the_branchs_own_authority_is_trusted() {
    let (root, acceptor) = authority();
    let broker = Broker::start_at(0, Some(acceptor), |_| OK).await;

    let _bridge = bridge(broker.port, &root, |_| {});

    until("the bridge is logged in", || connections(&broker) == 1).await;
}

#[tokio::test]
async fn another_name_than_the_certificates_can_be_connected_to() {
    let (root, acceptor) = authority();
    let broker = Broker::start_at(0, Some(acceptor), |_| OK).await;

    let _bridge = bridge(broker.port, &root, |agent| {
        agent.host = "127.0.0.1".into();
        agent.server_name = Some("localhost".into());
    });

    until("the bridge is logged in", || connections(&broker) == 1).await;
}

#[tokio::test]
async fn another_authority_is_not_trusted_until_it_is_added() {
    let (root, acceptor) = authority();
    let (stranger, _) = authority();
    let broker = Broker::start_at(0, Some(acceptor), |_| OK).await;
    let bridge = bridge(broker.port, &stranger, |_| {});
    tokio::time::timeout(Duration::from_millis(300), until("login", || connections(&broker) > 0))
        .await
        .expect_err("a stranger's certificate was accepted");

    std::fs::write(bridge.folder.path().join("ca.pem"), format!("{stranger}{root}")).unwrap();

    until("the bridge is logged in", || connections(&broker) == 1).await;
}
