//! Certificates.

use super::client::{Client, Login};
use super::{Branch, secret};
use crate::front_door::tls::{BranchCa, Certified, Tls};
use crate::ops::clock::Clock;
use protocol::time::Stamp;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub(super) fn client(roots: &str, identity: Option<&Certified>) -> TlsConnector {
    let mut store = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(roots.as_bytes()) {
        store.add(root.unwrap()).unwrap();
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(store);
    let config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let chain = CertificateDer::pem_slice_iter(identity.certificate.as_bytes());
            let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
            builder.with_client_auth_cert(chain.map(Result::unwrap).collect(), key).unwrap()
        }
    };
    TlsConnector::from(Arc::new(config))
}

pub(super) async fn connect(
    address: SocketAddr,
    connector: &TlsConnector,
) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    connector.connect(ServerName::try_from("localhost").unwrap(), stream).await
}

#[tokio::test]
async fn a_device_logs_in_over_tls_with_its_secret() {
    let branch = Branch::open().await;
    let stream = connect(branch.encrypted, &client(&branch.ca, None)).await.unwrap();

    let mut bike = Client::over(stream, 5);
    bike.send(&Login::new(5, "bike", &secret("bike")).packet()).await;

    assert_eq!(bike.receive().await.unwrap().1[1], 0);
    branch.close().await;
}

#[tokio::test]
async fn a_certificate_of_the_branch_stands_for_the_secret_of_its_device_only() {
    let branch = Branch::open().await;
    let ca = BranchCa::open(&branch.folder.path().join("ca"), 0).unwrap();
    let identity = ca.issue_device("bike", Clock::system().wall_ms()).unwrap();
    let connector = client(&branch.ca, Some(&identity));

    let mut answers = Vec::new();
    for user in [None, Some("bike"), Some("rack")] {
        let stream = connect(branch.encrypted, &connector).await.unwrap();
        let mut device = Client::over(stream, 5);
        let login = Login { user, password: None, ..Login::new(5, "", "") };
        device.send(&login.packet()).await;
        answers.push(device.receive().await.unwrap().1[1]);
    }

    assert_eq!(answers, [0, 0, 0x87]);
    branch.close().await;
}

#[tokio::test]
async fn a_foreign_certificate_is_refused() {
    let branch = Branch::open().await;
    let elsewhere = tempfile::tempdir().unwrap();
    let now_ms = Clock::system().wall_ms();
    let foreign = BranchCa::open(elsewhere.path(), now_ms).unwrap();
    let identity = foreign.issue_device("bike", now_ms).unwrap();

    let mut refused = true;
    if let Ok(stream) = connect(branch.encrypted, &client(&branch.ca, Some(&identity))).await {
        // In TLS 1.3 the client learns of it with its first read.
        let mut device = Client::over(stream, 5);
        refused = device.is_closed().await;
    }

    assert!(refused);
    branch.close().await;
}

#[test]
fn certificates_outlive_a_restart_and_two_roots_overlap() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::system();
    let now_ms = clock.latest_ms();
    let first = BranchCa::open(folder.path(), now_ms).unwrap().export();
    Tls::open(BranchCa::open(folder.path(), now_ms).unwrap(), Vec::new(), clock.clone()).unwrap();
    let server = std::fs::read(folder.path().join("server.pem")).unwrap();

    let mut ca = BranchCa::open(folder.path(), now_ms).unwrap();
    let again = ca.export();
    Tls::open(BranchCa::open(folder.path(), now_ms).unwrap(), Vec::new(), clock).unwrap();
    let kept = std::fs::read(folder.path().join("server.pem")).unwrap();
    ca.rotate(now_ms).unwrap();
    let both = ca.export();
    ca.drop_former().unwrap();

    assert_eq!((&first, &server), (&again, &kept));
    assert!(both.contains(&first) && both.len() > first.len());
    assert!(!ca.export().contains(&first));
}

#[tokio::test]
async fn who_is_connected_stays_while_roots_and_certificates_are_replaced() {
    let branch = Branch::open().await;
    let old_roots = client(&branch.ca, None);
    let mut early = Client::over(connect(branch.encrypted, &old_roots).await.unwrap(), 5);
    early.send(&Login::new(5, "bike", &secret("bike")).packet()).await;
    early.receive().await.unwrap();

    branch.tls.rotate().unwrap();
    let both_roots = client(&branch.tls.export(), None);
    let by_old_roots = connect(branch.encrypted, &old_roots).await.is_ok();
    let again = branch.tls.rotate().unwrap_err();
    branch.tls.drop_former().unwrap();
    let too_late = connect(branch.encrypted, &old_roots).await.is_ok();
    let by_both_roots = connect(branch.encrypted, &both_roots).await.is_ok();

    assert!(again.to_string().contains("drop-former"), "{again}");
    assert_eq!((by_old_roots, too_late, by_both_roots), (true, false, true));
    early.ping().await;
    branch.close().await;
}

#[test]
fn a_new_name_or_a_near_end_makes_a_new_server_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let ca = || BranchCa::open(folder.path(), 0).unwrap();
    let read = || std::fs::read(folder.path().join("server.pem")).unwrap();
    let now = Clock::system().stamp();
    let clock = Clock::manual(now);
    Tls::open(ca(), Vec::new(), clock.clone()).unwrap();
    let first = read();

    let tls = Tls::open(ca(), vec!["gym.example".to_owned()], clock.clone()).unwrap();
    let named = read();
    clock.set(Stamp { wall_ms: now.wall_ms + 800 * 86_400_000, ..now });
    tls.refresh().unwrap();

    assert_ne!(first, named);
    assert_ne!(named, read());
}

#[test]
fn a_broken_ca_is_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let now_ms = Clock::system().latest_ms();
    BranchCa::open(folder.path(), now_ms).unwrap();
    std::fs::write(folder.path().join("root.key"), b"\0\0\0").unwrap();

    let ca = BranchCa::open(folder.path(), now_ms).unwrap();

    ca.issue_device("bike", now_ms).unwrap();
    assert!(folder.path().join("root.key.broken").exists());
}
