//! HTTP to the cloud: TLS checked against a time that cannot be 1970, proxies, one connection per lane.

use crate::config::{self, ConfigError};
use crate::ops::clock::Clock;
use anyhow::Result;
use reqwest::{Client, ClientBuilder, Proxy, RequestBuilder, Response, StatusCode};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The clients. Each lane has its own connection, so that a long batch never delays the live state.
#[derive(Debug, Clone)]
pub struct Clients {
    /// Live state and tokens: small and urgent.
    pub live: Client,
    /// Batches.
    pub bulk: Client,
    /// Long polls.
    pub poll: Client,
}

/// Why a call brought nothing.
#[derive(Debug, Clone, PartialEq)]
pub enum Failure {
    /// No answer.
    Unreachable(String),
    /// An answer that says no.
    Refused(Box<Refusal>),
}

/// An answer that says no (RFC 9457).
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// HTTP status.
    pub status: StatusCode,
    /// The problem's `code`; empty if the answer is none of the cloud's.
    pub code: String,
    /// Wait at least this long.
    pub retry_after: Option<Duration>,
    /// All members.
    pub problem: serde_json::Value,
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Sent bytes that nobody acknowledges end the connection after this.
const USER_TIMEOUT: Duration = Duration::from_secs(10);
const LIVE_TIMEOUT: Duration = Duration::from_secs(4);
const POLL_TIMEOUT: Duration = Duration::from_secs(40);

impl Clients {
    /// Clients for the configured way to the cloud.
    pub fn new(config: &config::Cloud, clock: &Clock) -> Result<Self> {
        let tls = tls(config.ca_file.as_deref(), clock)?;
        let client = || builder(config, tls.clone());
        Ok(Self {
            live: client()?.timeout(LIVE_TIMEOUT).build()?,
            bulk: client()?.build()?,
            poll: client()?.timeout(POLL_TIMEOUT).build()?,
        })
    }
}

fn builder(config: &config::Cloud, tls: ClientConfig) -> Result<ClientBuilder> {
    // HTTP/1.1: a call that is given up takes its stalled connection with it, and no lane shares one anyway.
    let mut builder = Client::builder()
        .tls_backend_preconfigured(tls)
        .http1_only()
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_user_timeout(USER_TIMEOUT)
        .pool_idle_timeout(Duration::from_secs(50))
        .user_agent(concat!("gymwire-edge/", env!("CARGO_PKG_VERSION")));
    if let Some(proxy) = &config.proxy {
        let unusable = |error| ConfigError(format!("configuration key `cloud.proxy`: {error}"));
        let proxy = Proxy::all(proxy).map_err(unusable)?;
        builder = builder.proxy(proxy);
    }
    Ok(builder)
}

fn tls(ca_file: Option<&Path>, clock: &Clock) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = ClientConfig::builder_with_details(provider, Arc::new(LatestTime(clock.clone())))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots(ca_file)?)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(tls)
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let Some(file) = ca_file else { return Ok(roots) };
    add_file(&mut roots, file).map_err(|error| {
        let file = file.display();
        ConfigError(format!("configuration key `cloud.ca_file`: cannot use {file}: {error:#}"))
    })?;
    Ok(roots)
}

fn add_file(roots: &mut RootCertStore, file: &Path) -> Result<()> {
    for certificate in CertificateDer::pem_file_iter(file)? {
        roots.add(certificate?)?;
    }
    anyhow::ensure!(!roots.is_empty(), "there is no certificate in it");
    Ok(())
}

/// The latest of clock, floor on disk and build date.
#[derive(Debug)]
struct LatestTime(Clock);

impl TimeProvider for LatestTime {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.latest_ms() / 1_000).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

/// Sends; anything but a success is a failure.
pub async fn send(request: RequestBuilder) -> Result<Response, Failure> {
    let answer = request.send().await.map_err(|error| unreachable(&error))?;
    if answer.status().is_success() {
        return Ok(answer);
    }
    let status = answer.status();
    let retry_after = answer
        .headers()
        .get(reqwest::header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .map(|seconds: u64| Duration::from_secs(seconds.min(MAX_RETRY_AFTER_S)));
    let problem: serde_json::Value = answer.json().await.unwrap_or_default();
    let code = problem["code"].as_str().unwrap_or_default().to_owned();
    Err(Failure::Refused(Box::new(Refusal { status, code, retry_after, problem })))
}

const MAX_RETRY_AFTER_S: u64 = 600;

/// The answer's body, up to `limit` bytes.
pub async fn body(mut answer: Response, limit: usize) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| unreachable(&error))? {
        if body.len() + chunk.len() > limit {
            return Err(Failure::Unreachable(format!("the answer is larger than {limit} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The answer's JSON.
pub async fn json<T: serde::de::DeserializeOwned>(answer: Response) -> Result<T, Failure> {
    let body = body(answer, 4 << 20).await?;
    serde_json::from_slice(&body)
        .map_err(|error| Failure::Unreachable(format!("the answer cannot be read: {error}")))
}

/// With its causes: reqwest's own text hides whether it was the name, the port or the certificate.
fn unreachable(error: &reqwest::Error) -> Failure {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    Failure::Unreachable(text)
}

impl Failure {
    /// The problem's code, if the cloud answered with one.
    pub fn code(&self) -> &str {
        match self {
            Self::Refused(refusal) => &refusal.code,
            Self::Unreachable(_) => "",
        }
    }

    /// The HTTP status, if there was an answer.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Refused(refusal) => Some(refusal.status),
            Self::Unreachable(_) => None,
        }
    }

    /// How long the cloud asked to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused(refusal) => refusal.retry_after,
            Self::Unreachable(_) => None,
        }
    }

    /// The members that this problem has besides the usual ones.
    pub fn members<T: serde::de::DeserializeOwned>(&self) -> Option<T> {
        match self {
            Self::Refused(refusal) => serde_json::from_value(refusal.problem.clone()).ok(),
            Self::Unreachable(_) => None,
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreachable(why) => f.write_str(why),
            Self::Refused(refusal) => {
                write!(f, "{} {}", refusal.status, refusal.code)?;
                match refusal.problem["detail"].as_str() {
                    Some(detail) => write!(f, ": {detail}"),
                    None => Ok(()),
                }
            }
        }
    }
}

impl std::error::Error for Failure {}
