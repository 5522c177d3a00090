//! What a configuration has to keep to and its types cannot say.

use super::{Config, ConfigError, SECRETS_KEY_BYTES, Secret, Service};
use url::Url;

impl Config {
    /// What cannot be 0.
    fn positive(&self) -> impl IntoIterator<Item = (&'static str, u64)> {
        [
            ("http.max_connections", self.http.max_connections as u64),
            ("http.max_body_bytes", self.http.max_body_bytes as u64),
            ("http.header_timeout_s", self.http.header_timeout_s),
            ("http.request_timeout_s", self.http.request_timeout_s),
            ("database.max_connections", self.database.max_connections.into()),
            ("database.connect_timeout_s", self.database.connect_timeout_s),
            ("database.statement_timeout_s", self.database.statement_timeout_s),
            ("auth.access_token_s", self.auth.access_token_s.into()),
            ("auth.refresh_token_s", self.auth.refresh_token_s.into()),
            ("auth.hash_passes", self.auth.hash_passes.into()),
            ("auth.hash_concurrency", self.auth.hash_concurrency as u64),
            ("auth.max_failures", self.auth.max_failures.into()),
            ("auth.max_failures_per_account", self.auth.max_failures_per_account.into()),
            ("auth.max_failures_per_address", self.auth.max_failures_per_address.into()),
            ("auth.failure_window_s", self.auth.failure_window_s),
            ("limits.window_s", self.limits.window_s),
            ("limits.anonymous", self.limits.anonymous.into()),
            ("limits.user", self.limits.user.into()),
            ("limits.premium", self.limits.premium.into()),
            ("limits.admin", self.limits.admin.into()),
            ("limits.device", self.limits.device.into()),
            ("edges.access_token_s", self.edges.access_token_s.into()),
            ("edges.conflict_silence_s", self.edges.conflict_silence_s.into()),
            ("edges.batch_concurrency", self.edges.batch_concurrency as u64),
            ("machines.heartbeat_s", self.machines.heartbeat_s.into()),
            ("machines.missed_beats", self.machines.missed_beats.into()),
            ("machines.reports_before_out_of_use", self.machines.reports_before_out_of_use.into()),
            ("realtime.max_connections", self.realtime.max_connections as u64),
            ("realtime.max_connections_per_user", self.realtime.max_connections_per_user as u64),
            ("realtime.max_channels", self.realtime.max_channels as u64),
            ("realtime.max_frame_bytes", self.realtime.max_frame_bytes as u64),
            ("realtime.max_waiting", self.realtime.max_waiting as u64),
            ("realtime.auth_timeout_s", self.realtime.auth_timeout_s),
            ("realtime.ping_s", self.realtime.ping_s),
            ("telemetry.retention_days", self.telemetry.retention_days.into()),
            ("privacy.export_days", self.privacy.export_days.into()),
            ("retention.activity_days", self.retention.activity_days.into()),
            ("retention.usage_days", self.retention.usage_days.into()),
            ("retention.feedback_days", self.retention.feedback_days.into()),
            ("retention.security_events_days", self.retention.security_events_days.into()),
            ("retention.audit_addresses_days", self.retention.audit_addresses_days.into()),
            (
                "retention.erased_audit_addresses_days",
                self.retention.erased_audit_addresses_days.into(),
            ),
            ("watch.login_window_s", self.watch.login_window_s),
            ("watch.max_logins", self.watch.max_logins.into()),
            ("watch.max_addresses", self.watch.max_addresses.into()),
            ("watch.max_token_reuses", self.watch.max_token_reuses.into()),
            ("watch.max_exports", self.watch.max_exports.into()),
        ]
    }

    /// What types cannot say.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if let Some((key, _)) = self.positive().into_iter().find(|(_, value)| *value == 0) {
            return Err(ConfigError(format!("{key}: must be greater than 0")));
        }
        if self.auth.hash_memory_kib < MIN_HASH_MEMORY_KIB {
            return Err(ConfigError(format!(
                "auth.hash_memory_kib: must be at least {MIN_HASH_MEMORY_KIB}"
            )));
        }
        self.check_secrets()?;
        let is_origin = |origin: &String| {
            (origin.starts_with("http://") || origin.starts_with("https://"))
                && origin.bytes().all(|b| b.is_ascii_graphic())
        };
        if let Some(origin) = self.http.allowed_origins.iter().find(|origin| !is_origin(origin)) {
            let text = format!("http.allowed_origins: {origin:?} is no http(s) origin");
            return Err(ConfigError(text));
        }
        self.check_addresses()
    }

    fn check_addresses(&self) -> Result<(), ConfigError> {
        let public = Url::parse(&self.http.public_url).ok();
        if public.is_none_or(|url| !matches!(url.scheme(), "http" | "https")) {
            let text = format!("http.public_url: {:?} is no http(s) address", self.http.public_url);
            return Err(ConfigError(text));
        }
        match self.auth.return_urls.iter().find(|url| Url::parse(url).is_err()) {
            Some(url) => Err(ConfigError(format!("auth.return_urls: {url:?} is no address"))),
            None => Ok(()),
        }
    }

    fn check_secrets(&self) -> Result<(), ConfigError> {
        let Service { secrets_key, former_secrets_keys, .. } = &self.service;
        let is_key = |key: &Secret| {
            key.expose().len() == 2 * SECRETS_KEY_BYTES
                && key.expose().bytes().all(|digit| digit.is_ascii_hexdigit())
        };
        let wrong = |key: &str| Err(ConfigError(format!("{key}: must be 64 hexadecimal digits")));
        if secrets_key.as_ref().is_some_and(|key| !is_key(key)) {
            return wrong("service.secrets_key");
        }
        if !former_secrets_keys.iter().all(is_key) {
            return wrong("service.former_secrets_keys");
        }
        if secrets_key.is_none() && !former_secrets_keys.is_empty() {
            let text = "service.former_secrets_keys: need a service.secrets_key";
            return Err(ConfigError(text.to_owned()));
        }
        Ok(())
    }
}

/// Below this argon2id is no obstacle; tests are allowed to go down to it.
const MIN_HASH_MEMORY_KIB: u32 = 8;
