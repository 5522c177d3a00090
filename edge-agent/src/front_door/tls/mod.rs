//! TLS of the front door: certificates that change without a restart, and client certificates where there are some.

mod book;
mod ca;
mod names;
mod verifier;

pub use book::{Given, Shown};
pub use ca::{BranchCa, Certified};
pub use names::server_names;

use crate::config::Config;
use crate::ops::clock::Clock;
use crate::ops::durable::write_private;
use anyhow::{Context as _, Result, bail};
use book::{Book, Counting};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::time_provider::TimeProvider;
use rustls::{RootCertStore, ServerConfig};
use std::fs;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::info;
use verifier::ByTheBook;

/// The present certificates; clones share them.
#[derive(Clone)]
pub struct Tls(Arc<Shared>);

struct Shared {
    ca: RwLock<BranchCa>,
    book: Mutex<Book>,
    counting: watch::Receiver<Counting>,
    clock: Clock,
    configured_names: Vec<String>,
    configs: RwLock<Configs>,
}

/// The same certificate for both kinds of clients.
struct Configs {
    devices: Arc<ServerConfig>,
    /// Browsers are not asked for certificates.
    web: Arc<ServerConfig>,
    /// The server's own certificate.
    shown: CertificateDer<'static>,
}

const UNUSABLE: &str = "the server certificate cannot be used";
const SERVER: &str = "server.pem";
const SERVER_KEY: &str = "server.key";
/// Names the server certificate was made for, one a line.
const SERVER_NAMES: &str = "server.names";
/// The server certificate is made anew when it has less than this left.
const RENEW: Duration = Duration::from_hours(24 * 60);

impl Tls {
    /// Certificates out of the branch CA; they are made where they are missing.
    pub fn open(ca: BranchCa, configured_names: Vec<String>, clock: Clock) -> Result<Self> {
        let book = Book::open(ca.folder());
        let counting = book.counting();
        let configs = Configs::read(&ca, &configured_names, &clock, counting.clone())?;
        let (ca, book, configs) = (RwLock::new(ca), Mutex::new(book), RwLock::new(configs));
        Ok(Self(Arc::new(Shared { ca, book, counting, clock, configured_names, configs })))
    }

    /// Certificates in the state folder.
    pub fn of(config: &Config, clock: &Clock) -> Result<Self> {
        let ca = BranchCa::open(&config.agent.state_dir.join("ca"), clock.latest_ms())?;
        Self::open(ca, config.mqtt.server_names.clone(), clock.clone())
    }

    /// Makes a new server certificate if this one is about to expire or the computer has new names, and reads all
    /// files again. Connections that are there already stay as they are.
    pub fn refresh(&self) -> Result<()> {
        let shared = &self.0;
        let (names, counting) = (&shared.configured_names, shared.counting.clone());
        let configs = Configs::read(&self.ca(), names, &shared.clock, counting)?;
        *shared.configs.write().unwrap_or_else(PoisonError::into_inner) = configs;
        Ok(())
    }

    /// For devices.
    fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.configs.read().unwrap_or_else(PoisonError::into_inner).devices)
    }

    /// For browsers: the same certificate, and nobody is asked for one.
    pub fn web_config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.configs.read().unwrap_or_else(PoisonError::into_inner).web)
    }

    /// The certificate that the server shows (DER).
    pub fn server_certificate(&self) -> CertificateDer<'static> {
        self.0.configs.read().unwrap_or_else(PoisonError::into_inner).shown.clone()
    }

    /// The roots that devices are to trust.
    pub fn export(&self) -> String {
        self.ca().export()
    }

    /// Makes a new root. The former one stays trusted, and the server's certificate stays one of it, until it is
    /// dropped: devices have to learn of the new one first.
    pub fn rotate(&self) -> Result<()> {
        let mut ca = self.0.ca.write().unwrap_or_else(PoisonError::into_inner);
        ca.rotate(self.0.clock.latest_ms())?;
        drop(ca);
        self.refresh()
    }

    /// Trusts the former root no more; the server gets a certificate of the present one.
    pub fn drop_former(&self) -> Result<()> {
        self.ca().drop_former()?;
        self.refresh()
    }

    /// A certificate with which a device can log in.
    pub fn certify(&self, code: &str) -> Result<Certified> {
        let now_ms = self.0.clock.latest_ms();
        let certified = self.ca().issue_device(code, now_ms)?;
        self.book().enter(code, &certified.certificate, now_ms)?;
        Ok(certified)
    }

    /// The certificates that devices were given, by code, the newest first.
    pub fn certificates(&self) -> Vec<Given> {
        self.book().list()
    }

    /// Refuses a certificate from now on; whoever is connected by it is not any more.
    pub fn revoke(&self, serial: &str) -> Result<Given> {
        self.book().revoke(serial, self.0.clock.latest_ms())
    }

    /// The same with all certificates that a device was given so far; how many there were.
    pub fn revoke_all_of(&self, code: &str) -> Result<usize> {
        self.book().revoke_all_of(code, self.0.clock.latest_ms())
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ca(&self) -> RwLockReadGuard<'_, BranchCa> {
        self.0.ca.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shakes hands, and tells what the client has shown if it has a certificate of this branch.
    pub async fn accept(
        &self,
        stream: TcpStream,
    ) -> std::io::Result<(TlsStream<TcpStream>, Option<Shown>)> {
        let stream = TlsAcceptor::from(self.config()).accept(stream).await?;
        let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let counting = || self.0.counting.clone();
        let shown = certificate.and_then(|certificate| Shown::read(certificate, counting()));
        Ok((stream, shown))
    }
}

impl Configs {
    fn read(
        ca: &BranchCa,
        configured: &[String],
        clock: &Clock,
        counting: watch::Receiver<Counting>,
    ) -> Result<Self> {
        let (chain, key) = match kept_server(ca, configured, clock) {
            Ok(kept) => kept,
            Err(reason) => {
                info!(reason = %reason, "a server certificate is made");
                make_server(ca, configured, clock)?;
                kept_server(ca, configured, clock)?
            }
        };
        let shown = chain.first().cloned().context(UNUSABLE)?;
        let provider = Arc::new(ring::default_provider());
        let by_roots = WebPkiClientVerifier::builder_with_provider(
            Arc::new(roots(&ca.export())?),
            Arc::clone(&provider),
        )
        .allow_unauthenticated()
        .build()
        .context("the branch's roots cannot be used")?;
        let verifier = Arc::new(ByTheBook { roots: by_roots, counting });
        let time = Arc::new(BranchTime(clock.clone()));
        let mut devices = with_provider(Arc::clone(&provider), Arc::clone(&time))?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain.clone(), key.clone_key())
            .context(UNUSABLE)?;
        // A device that reconnects has no session to resume: the agent keeps no state for it.
        devices.send_tls13_tickets = 1;
        let mut web = with_provider(provider, time)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .context(UNUSABLE)?;
        web.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { devices: Arc::new(devices), web: Arc::new(web), shown })
    }
}

fn with_provider(
    provider: Arc<CryptoProvider>,
    time: Arc<BranchTime>,
) -> Result<rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier>> {
    ServerConfig::builder_with_details(provider, time)
        .with_safe_default_protocol_versions()
        .context("no TLS version is left")
}

fn make_server(ca: &BranchCa, configured: &[String], clock: &Clock) -> Result<()> {
    let names = server_names(configured);
    let made = ca.issue_server(&names, clock.latest_ms())?;
    let folder = ca.folder();
    write_private(&folder.join(SERVER_KEY), made.key.as_bytes())?;
    write_private(&folder.join(SERVER), made.certificate.as_bytes())?;
    write_private(&folder.join(SERVER_NAMES), names.join("\n").as_bytes())
}

type Kept = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// The server certificate on disk, unless it has to be made anew.
fn kept_server(ca: &BranchCa, configured: &[String], clock: &Clock) -> Result<Kept> {
    let folder = ca.folder();
    let names = fs::read_to_string(folder.join(SERVER_NAMES)).context("there is none")?;
    if names != server_names(configured).join("\n") {
        bail!("the computer has other names now");
    }
    let chain = fs::read(folder.join(SERVER)).context("there is none")?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&chain).collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(&fs::read(folder.join(SERVER_KEY))?)?;
    let leaf = chain.first().context("the file is empty")?;
    let (_, parsed) = x509_parser::parse_x509_certificate(leaf)?;
    let left_ms = parsed.validity().not_after.timestamp() * 1_000 - clock.latest_ms();
    if left_ms < i64::try_from(RENEW.as_millis())? {
        bail!("it is about to expire");
    }
    let root = roots(&ca.export())?;
    let is_ours = root.roots.iter().any(|root| root.subject.as_ref() == issuer_of(&parsed));
    if !is_ours {
        bail!("its root has been replaced");
    }
    Ok((chain, key))
}

/// The issuer's name as a trust anchor has it: without the outer SEQUENCE.
fn issuer_of<'a>(certificate: &'a x509_parser::certificate::X509Certificate<'_>) -> &'a [u8] {
    let raw = certificate.issuer().as_raw();
    let header = if raw.get(1).is_some_and(|len| *len < 0x80) { 2 } else { 3 };
    raw.get(header..).unwrap_or_default()
}

fn roots(pem: &str) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        roots.add(root?)?;
    }
    Ok(roots)
}

/// The latest of clock, floor and build date: an edge that woke up in 1970 still checks certificates sensibly.
#[derive(Debug)]
struct BranchTime(Clock);

impl TimeProvider for BranchTime {
    fn current_time(&self) -> Option<UnixTime> {
        let since_1970 = u64::try_from(self.0.latest_ms()).unwrap_or(0);
        Some(UnixTime::since_unix_epoch(Duration::from_millis(since_1970)))
    }
}
