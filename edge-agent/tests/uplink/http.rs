//! Ways to the cloud: certificates with a clock in 1970, own authorities, proxies.

use edge_agent::config;
use edge_agent::ops::clock::Clock;
use edge_agent::uplink::http::{Clients, Failure, send};
use protocol::time::Stamp;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use std::net::SocketAddr;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

const IN_1970: Stamp = Stamp { boot: 1, mono_ms: 1, wall_ms: 1, synced: false };
const TEAPOT: &[u8] = b"HTTP/1.1 418 Teapot\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// A server with a certificate of its own authority, valid from 2025 on.
struct Secure {
    address: SocketAddr,
    folder: TempDir,
    _serving: JoinSet<()>,
}

impl Secure {
    async fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2025, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &ca).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), ca.pem()).unwrap();
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Ok(stream) = acceptor.accept(stream).await {
                    answer(stream).await;
                }
            }
        });
        Self { address, folder, _serving: serving }
    }

    fn config(&self) -> config::Cloud {
        let ca_file = Some(self.folder.path().join("ca.pem"));
        config::Cloud { ca_file, ..config::Cloud::default() }
    }

    async fn get(&self, config: &config::Cloud) -> Failure {
        let clients = Clients::new(config, &Clock::manual(IN_1970)).unwrap();
        let url = format!("https://localhost:{}/", self.address.port());
        send(clients.live.get(url)).await.unwrap_err()
    }
}

/// Answers one request; what it was.
async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> String {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.unwrap());
    }
    stream.write_all(TEAPOT).await.unwrap();
    stream.shutdown().await.unwrap();
    String::from_utf8(request).unwrap()
}

#[tokio::test]
async fn a_certificate_of_our_own_authority_is_good_even_in_1970() {
    let server = Secure::start().await;

    let answered = server.get(&server.config()).await;

    assert_eq!(answered.status().map(|status| status.as_u16()), Some(418), "{answered}");
}

#[tokio::test]
async fn a_certificate_of_nobody_we_know_is_refused() {
    let server = Secure::start().await;

    let refused = server.get(&config::Cloud::default()).await;

    assert!(
        matches!(&refused, Failure::Unreachable(why) if why.contains("certificate")),
        "{refused}"
    );
}

#[tokio::test]
async fn the_configured_proxy_is_used() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Some(format!("http://{}", proxy.local_addr().unwrap()));
    let config = config::Cloud { proxy: url, ..config::Cloud::default() };
    let clients = Clients::new(&config, &Clock::manual(IN_1970)).unwrap();

    let asked = send(clients.live.get("http://cloud.example/edge/v1/changes"));
    let proxied = async { answer(proxy.accept().await.unwrap().0).await };
    let (_, request) = tokio::join!(asked, proxied);

    assert!(request.starts_with("GET http://cloud.example/edge/v1/changes HTTP/1.1"), "{request}");
}

#[tokio::test]
async fn an_authority_file_that_cannot_be_used_is_named() {
    let config = config::Cloud { ca_file: Some("/no/such.pem".into()), ..config::Cloud::default() };

    let error = Clients::new(&config, &Clock::manual(IN_1970)).unwrap_err();

    assert!(format!("{error:#}").contains("`cloud.ca_file`"));
}
