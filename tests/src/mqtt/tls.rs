//! The same connection over TLS, trusting a branch's own authority.

use super::{Connection, Login};
use anyhow::Result;
use rustls::client::WantsClientCert;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Makes connections over TLS.
#[derive(Clone)]
pub struct TlsDoor {
    address: SocketAddr,
    connector: TlsConnector,
}

impl TlsDoor {
    /// Trusts `ca` (PEM), and resumes nothing.
    pub fn new(address: SocketAddr, ca: &str) -> Result<Self> {
        Ok(Self::of(address, trusting(ca)?.with_no_client_auth()))
    }

    /// The same for a device that has a certificate with its key (both PEM) in place of a secret.
    pub fn by_certificate(address: SocketAddr, ca: &str, identity: &str) -> Result<Self> {
        let chain = CertificateDer::pem_slice_iter(identity.as_bytes());
        let chain = chain.collect::<Result<Vec<_>, _>>()?;
        let key = PrivateKeyDer::from_pem_slice(identity.as_bytes())?;
        Ok(Self::of(address, trusting(ca)?.with_client_auth_cert(chain, key)?))
    }

    fn of(address: SocketAddr, mut config: ClientConfig) -> Self {
        config.resumption = rustls::client::Resumption::disabled();
        Self { address, connector: TlsConnector::from(Arc::new(config)) }
    }

    /// Connects a device.
    pub async fn connect(&self, login: &Login) -> Result<Connection<TlsStream<TcpStream>>> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let stream = self.connector.connect(ServerName::from(self.address.ip()), stream).await?;
        Connection::over(stream, login).await
    }
}

fn trusting(ca: &str) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca.as_bytes()) {
        roots.add(certificate?)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    Ok(builder.with_safe_default_protocol_versions()?.with_root_certificates(roots))
}
