//! 200 devices that lost their connection and come back over TLS at the same moment.

use super::table::Row;
use crate::mqtt::{Connection, Login};
use anyhow::Result;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

const DEVICES: usize = 200;
const LIMIT: Duration = Duration::from_secs(2);

/// The time until the last of them is in.
pub async fn measure() -> Result<Vec<Row>> {
    let (mut edge, logins) = super::alone(DEVICES).await?;
    edge.start().await?;
    let connector = connector(&edge.ca().await?)?;
    let first = all_connect(&connector, edge.ports().mqtts, &logins).await?;
    // The connections are gone now, and all come back.
    let again = all_connect(&connector, edge.ports().mqtts, &logins).await?;
    edge.stop().await?;
    Ok(vec![Row::judged(
        "200 devices reconnect at once over TLS",
        format!("{:.2} s", again.as_secs_f64()),
        format!("at most {LIMIT:?} (first time {:.2} s; full handshakes)", first.as_secs_f64()),
        again <= LIMIT,
    )])
}

async fn all_connect(
    connector: &TlsConnector,
    mqtts: SocketAddr,
    logins: &[Login],
) -> Result<Duration> {
    let start = Instant::now();
    let mut connecting = JoinSet::new();
    for login in logins {
        connecting.spawn(connect(connector.clone(), mqtts, login.clone()));
    }
    let mut connections = Vec::new();
    while let Some(connected) = connecting.join_next().await {
        connections.push(connected??);
    }
    Ok(start.elapsed())
}

async fn connect(
    connector: TlsConnector,
    mqtts: SocketAddr,
    login: Login,
) -> Result<Connection<tokio_rustls::client::TlsStream<TcpStream>>> {
    let stream = TcpStream::connect(mqtts).await?;
    stream.set_nodelay(true)?;
    let stream = connector.connect(ServerName::from(mqtts.ip()), stream).await?;
    Connection::over(stream, &login).await
}

/// Trusts the branch's authority, and resumes nothing.
fn connector(ca: &str) -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca.as_bytes()) {
        roots.add(certificate?)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = rustls::client::Resumption::disabled();
    Ok(TlsConnector::from(Arc::new(config)))
}
