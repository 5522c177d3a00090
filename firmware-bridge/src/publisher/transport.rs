//! The connection under MQTT: TCP, with our own TLS where it is set.

use crate::config::AgentConfig;
use anyhow::{Context, Result, anyhow, bail};
use rustix::net::sockopt::set_tcp_user_timeout;
use rustls::client::ClientConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{DEFAULT_VERSIONS, RootCertStore};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// A tap says its age when it is written. What the network holds back for longer than this is dropped with the
/// connection and sent anew with its true age, so that a stalled network cannot open a door late.
const STALLED_MS: u32 = 4_000;

/// What MQTT runs over.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Connects to the agent.
pub(super) async fn connect(agent: &AgentConfig) -> Result<Box<dyn Stream>> {
    let tcp = TcpStream::connect((agent.host.as_str(), agent.port())).await.context("connect")?;
    tcp.set_nodelay(true)?;
    set_tcp_user_timeout(&tcp, STALLED_MS)?;
    let Some(ca_file) = &agent.ca_file else { return Ok(Box::new(tcp)) };
    let name = agent.server_name.as_ref().unwrap_or(&agent.host).clone();
    let name = ServerName::try_from(name).context("agent.server_name")?;
    let connector = TlsConnector::from(Arc::new(client_config(ca_file)?));
    Ok(Box::new(connector.connect(name, tcp).await.context("TLS")?))
}

/// Read anew for every connection: the branch's authority may have got a second root meanwhile.
fn client_config(ca_file: &Path) -> Result<ClientConfig> {
    let in_file = || format!("agent.ca_file {}", ca_file.display());
    let mut roots = RootCertStore::empty();
    for certificate in
        CertificateDer::pem_file_iter(ca_file).map_err(|e| anyhow!(e)).with_context(in_file)?
    {
        roots
            .add(certificate.map_err(|e| anyhow!(e)).with_context(in_file)?)
            .with_context(in_file)?;
    }
    if roots.is_empty() {
        bail!("{}: has no certificate", in_file());
    }
    let clock = Arc::new(NotBefore(written(ca_file)));
    let config = ClientConfig::builder_with_details(Arc::new(ring::default_provider()), clock)
        .with_protocol_versions(DEFAULT_VERSIONS)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

fn written(file: &Path) -> Duration {
    std::fs::metadata(file)
        .and_then(|metadata| metadata.modified())
        .ok()
        .and_then(|at| at.duration_since(UNIX_EPOCH).ok())
        .unwrap_or_default()
}

/// A computer without a battery may start in 1970, when no certificate was valid yet. It is certainly not
/// earlier than the file with the authority's certificate was written.
#[derive(Debug)]
struct NotBefore(Duration);

impl TimeProvider for NotBefore {
    fn current_time(&self) -> Option<UnixTime> {
        let floor = UnixTime::since_unix_epoch(self.0);
        Some(UnixTime::now().max(floor))
    }
}
