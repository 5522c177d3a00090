//! Configuration: defaults, then the file, then the environment, then flags. Unknown keys are refused.

mod check;
mod defaults;
mod load;

pub use load::Flags;

use serde::Deserialize;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub service: Service,
    pub http: Http,
    pub database: Database,
    pub auth: Auth,
    pub limits: Limits,
    pub mail: Mail,
    pub files: Files,
    pub google: Provider,
    pub apple: Provider,
    pub external: ExternalIssuer,
    pub redis: Redis,
    pub edges: Edges,
    pub machines: Machines,
    pub telemetry: Telemetry,
    pub realtime: Realtime,
    pub privacy: Privacy,
    pub retention: Retention,
    pub watch: Watch,
    pub log: Log,
}

/// `[service]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Service {
    pub environment: Environment,
    /// Where development keeps everything.
    pub state_dir: PathBuf,
    /// Seals secrets in the database: 64 hexadecimal digits. Unset, a key file in `state_dir`.
    pub secrets_key: Option<Secret>,
    /// Keys that sealed before; they still open.
    pub former_secrets_keys: Vec<Secret>,
}

/// Bytes of a key that seals secrets.
pub const SECRETS_KEY_BYTES: usize = 32;

/// Where it runs; also taken from `APP_ENV`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    Development,
    Test,
    Staging,
    Production,
}

/// `[http]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    pub bind: SocketAddr,
    /// Where browsers reach it. Providers send them back there.
    pub public_url: String,
    /// Origins whose pages may call the API (CORS); also taken from `ALLOWED_ORIGINS`.
    pub allowed_origins: Vec<String>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
    pub max_connections: usize,
    pub max_body_bytes: usize,
    /// For the head of a request to arrive, the first one or the next on a connection that is kept open.
    pub header_timeout_s: u64,
    pub request_timeout_s: u64,
    /// How long requests that are under way may take to end after SIGTERM.
    pub drain_s: u64,
}

/// `[database]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    /// Also taken from `DATABASE_URL`; unset, the service runs a private Postgres.
    pub url: Option<Secret>,
    pub max_connections: u32,
    pub connect_timeout_s: u64,
    pub idle_timeout_s: u64,
    pub statement_timeout_s: u64,
    /// Folder of the private Postgres; unset, below the state folder.
    pub private_dir: Option<PathBuf>,
    /// Whether the private Postgres syncs to disk. Only tests switch it off.
    pub private_fsync: bool,
}

/// `[auth]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    pub access_token_s: u32,
    /// A login ends when it was not used for so long.
    pub refresh_token_s: u32,
    /// Whether an account can be used only once its address is confirmed.
    pub require_verified_email: bool,
    /// Pages and apps to which a sign-in by way of Google or Apple may return, whole addresses.
    pub return_urls: Vec<String>,
    /// Argon2id: memory and passes per password.
    pub hash_memory_kib: u32,
    pub hash_passes: u32,
    /// Passwords hashed at the same time; others wait.
    pub hash_concurrency: usize,
    /// Failed logins per account and address within `failure_window_s`.
    pub max_failures: u32,
    /// Failed logins per account, from wherever.
    pub max_failures_per_account: u32,
    /// Failed logins per address alone; high, since a gym's members share one.
    pub max_failures_per_address: u32,
    pub failure_window_s: u64,
    /// A login that fails is answered after so long at least, so that the time tells nothing.
    pub failed_login_ms: u64,
    /// Users whose profile is remembered, so that it is not read from the database each time; 0 remembers none.
    pub remembered_profiles: usize,
}

/// `[limits]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    pub window_s: u64,
    /// Calls without a valid token, per address; high, since a gym's members share one.
    pub anonymous: u32,
    /// Calls of a user, by plan.
    pub user: u32,
    pub premium: u32,
    /// Calls of a moderator, a member of staff or an admin.
    pub admin: u32,
    /// Calls of a device that proved itself.
    pub device: u32,
}

/// `[mail]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mail {
    pub carrier: MailCarrier,
    /// Who writes: an address, or `Name <address>`.
    pub from: String,
    /// Pages of the app that links in letters lead to.
    pub link_base: String,
    /// `smtps://user:password@host` (465), or `smtp://…?tls=required` (587).
    pub smtp_url: Option<Secret>,
    pub sendgrid_key: Option<Secret>,
    pub sendgrid_url: String,
}

/// How letters travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailCarrier {
    /// They stay in `mail` below the state folder.
    Folder,
    Smtp,
    Sendgrid,
}

/// `[files]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Files {
    pub store: FileStore,
    /// Of S3, or of what is compatible with it.
    pub bucket: Option<String>,
    pub region: String,
    /// Where it is not Amazon's.
    pub endpoint: Option<String>,
    pub access_key: Option<String>,
    pub secret_key: Option<Secret>,
}

/// Where files are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileStore {
    /// `files` below the state folder.
    Folder,
    S3,
}

/// `[google]` and `[apple]`
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Provider {
    /// Apps that id tokens may be made for.
    pub client_ids: Vec<String>,
    /// Where the provider publishes its keys, if not where it always does.
    pub keys_url: Option<String>,
    pub web: WebSignIn,
}

/// `[google.web]` and `[apple.web]`: signing in by way of the provider's own page.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebSignIn {
    /// Unset, it is not offered. At Apple it is a "services id".
    pub client_id: Option<String>,
    /// Of Google.
    pub client_secret: Option<Secret>,
    /// Of Apple, which takes a token that is signed with a key instead: who owns the key, and which one it is.
    pub team_id: Option<String>,
    pub key_id: Option<String>,
    /// The key, as PEM (`AuthKey_….p8`).
    pub private_key_file: Option<PathBuf>,
    /// The provider's page and where codes are exchanged, if not where they always are.
    pub authorize_url: Option<String>,
    pub token_url: Option<String>,
}

/// `[external]`: an issuer whose access tokens count as ours, such as Supabase Auth.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExternalIssuer {
    /// As its tokens name it; unset, there is none.
    pub issuer: Option<String>,
    pub audience: String,
    /// Where it publishes its keys, if not below `issuer`.
    pub keys_url: Option<String>,
    /// Signs its tokens (HS256), if it publishes no keys.
    pub secret: Option<Secret>,
    /// Whether it confirms addresses. Only then its users get the account here that has theirs.
    pub confirms_email: bool,
}

/// `[redis]`
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Redis {
    /// Also taken from `REDIS_URL`; unset, every instance counts and remembers for itself.
    pub url: Option<Secret>,
}

/// `[edges]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Edges {
    pub access_token_s: u32,
    /// An agent that was not heard for this long has gone; until then a second one with its key is refused.
    pub conflict_silence_s: u32,
    /// After a restart, messages of the agent before it may arrive late by this much.
    pub handover_s: u32,
    /// Batches that are unpacked and applied at the same time; others wait.
    pub batch_concurrency: usize,
    /// Minutes without a word after which a branch counts as silent and its staff are written to; 0 writes to nobody.
    pub silent_after_min: u32,
}

/// `[machines]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Machines {
    /// How often machines without a gateway tell of themselves.
    pub heartbeat_s: u32,
    /// After so many missed beats such a machine is offline.
    pub missed_beats: u32,
    /// So many members who report a fault within a day put a machine out of use until staff have looked.
    pub reports_before_out_of_use: u32,
}

/// `[realtime]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Realtime {
    /// `WebSockets` and streams of events of this process; others are refused.
    pub max_connections: usize,
    pub max_connections_per_user: usize,
    /// Channels of one connection.
    pub max_channels: usize,
    /// What a client sends in one message.
    pub max_frame_bytes: usize,
    /// Messages that wait for a client; one that does not read them is dropped.
    pub max_waiting: usize,
    /// For the first frame of a client that has not said yet who it is.
    pub auth_timeout_s: u64,
    /// How often clients are asked whether they are there; who does not answer until the next time is dropped.
    pub ping_s: u64,
}

/// `[telemetry]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Telemetry {
    pub retention_days: u32,
}

/// `[privacy]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Privacy {
    /// For thinking better of it, before an account is erased.
    pub deletion_grace_days: u32,
    /// How long an archive can be fetched.
    pub export_days: u32,
}

/// `[retention]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    pub activity_days: u32,
    pub usage_days: u32,
    pub feedback_days: u32,
    pub security_events_days: u32,
    /// Of the audit log only the addresses that requests came from: of everybody, and of who was erased.
    pub audit_addresses_days: u32,
    pub erased_audit_addresses_days: u32,
}

/// `[watch]`: what is unusual about an account.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Watch {
    pub login_window_s: u64,
    /// Logins within the window, and addresses that they come from. One more locks the account.
    pub max_logins: u32,
    pub max_addresses: u32,
    /// Used refresh tokens that come again within a day; the last of them locks the account.
    pub max_token_reuses: u32,
    /// Archives within a day. One more locks the account.
    pub max_exports: u32,
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// Also taken from `LOG_LEVEL`: a level, or `target=level` directives.
    pub level: String,
    pub format: LogFormat,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Text in development, JSON elsewhere.
    Auto,
    Json,
    Text,
}

/// A text that never shows in logs.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

/// A configuration that cannot be used; the message names the key.
#[derive(Debug, thiserror::Error)]
#[error("configuration: {0}")]
pub struct ConfigError(String);

impl ConfigError {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl Config {
    /// Where the private Postgres is kept.
    pub fn private_postgres_dir(&self) -> PathBuf {
        let below_state = || self.service.state_dir.join("postgres");
        self.database.private_dir.clone().unwrap_or_else(below_state)
    }
}

impl Machines {
    /// How long a machine may be silent.
    pub fn silence(&self) -> time::Duration {
        time::Duration::seconds(i64::from(self.heartbeat_s) * i64::from(self.missed_beats))
    }
}

impl Database {
    pub fn connect_timeout(&self) -> Duration {
        Duration::from_secs(self.connect_timeout_s)
    }

    pub fn idle_timeout(&self) -> Duration {
        Duration::from_secs(self.idle_timeout_s)
    }
}

impl Secret {
    /// The text itself; not for logs.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}
