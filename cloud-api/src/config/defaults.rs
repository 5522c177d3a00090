//! What counts where nothing is said.

use super::{
    Auth, Database, Edges, Environment, ExternalIssuer, FileStore, Files, Http, Limits, Log,
    LogFormat, Machines, Mail, MailCarrier, Privacy, Realtime, Retention, Service, Telemetry,
    Watch,
};
use std::net::SocketAddr;
use std::path::PathBuf;

impl Default for Service {
    fn default() -> Self {
        Self {
            environment: Environment::Development,
            state_dir: PathBuf::from(".gymwire"),
            secrets_key: None,
            former_secrets_keys: Vec::new(),
        }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from(([127, 0, 0, 1], 8080)),
            public_url: "http://127.0.0.1:8080".to_owned(),
            allowed_origins: vec!["http://localhost:3000".to_owned()],
            trusted_proxies: Vec::new(),
            max_connections: 10_000,
            max_body_bytes: 1024 * 1024,
            header_timeout_s: 30,
            request_timeout_s: 60,
            drain_s: 10,
        }
    }
}

impl Default for Database {
    fn default() -> Self {
        Self {
            url: None,
            max_connections: 20,
            connect_timeout_s: 2,
            idle_timeout_s: 30,
            statement_timeout_s: 30,
            private_dir: None,
            private_fsync: true,
        }
    }
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            access_token_s: 15 * 60,
            refresh_token_s: 7 * 24 * 60 * 60,
            require_verified_email: false,
            return_urls: Vec::new(),
            hash_memory_kib: 19_456,
            hash_passes: 2,
            hash_concurrency: 2,
            max_failures: 5,
            max_failures_per_account: 50,
            max_failures_per_address: 300,
            failure_window_s: 15 * 60,
            failed_login_ms: 400,
            remembered_profiles: 20_000,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            window_s: 15 * 60,
            anonymous: 3_000,
            user: 100,
            premium: 500,
            admin: 1_000,
            device: 3_000,
        }
    }
}

impl Default for Mail {
    fn default() -> Self {
        Self {
            carrier: MailCarrier::Folder,
            from: "Gymwire <gymwire@localhost.localdomain>".to_owned(),
            link_base: "http://localhost:3000".to_owned(),
            smtp_url: None,
            sendgrid_key: None,
            sendgrid_url: "https://api.sendgrid.com".to_owned(),
        }
    }
}

impl Default for Files {
    fn default() -> Self {
        Self {
            store: FileStore::Folder,
            bucket: None,
            region: "us-east-1".to_owned(),
            endpoint: None,
            access_key: None,
            secret_key: None,
        }
    }
}

impl Default for ExternalIssuer {
    fn default() -> Self {
        Self {
            issuer: None,
            audience: "authenticated".to_owned(),
            keys_url: None,
            secret: None,
            confirms_email: false,
        }
    }
}

impl Default for Edges {
    fn default() -> Self {
        Self {
            access_token_s: 15 * 60,
            conflict_silence_s: 15,
            handover_s: 2,
            batch_concurrency: 4,
            silent_after_min: 10,
        }
    }
}

impl Default for Machines {
    fn default() -> Self {
        Self { heartbeat_s: 30, missed_beats: 3, reports_before_out_of_use: 2 }
    }
}

impl Default for Realtime {
    fn default() -> Self {
        Self {
            max_connections: 20_000,
            max_connections_per_user: 20,
            max_channels: 50,
            max_frame_bytes: 16 * 1024,
            max_waiting: 256,
            auth_timeout_s: 10,
            ping_s: 30,
        }
    }
}

impl Default for Telemetry {
    fn default() -> Self {
        Self { retention_days: 400 }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Auto }
    }
}

impl Default for Privacy {
    fn default() -> Self {
        Self { deletion_grace_days: 30, export_days: 7 }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            activity_days: 3 * 365,
            usage_days: 400,
            feedback_days: 3 * 365,
            security_events_days: 365,
            audit_addresses_days: 180,
            erased_audit_addresses_days: 30,
        }
    }
}

impl Default for Watch {
    /// A phone that changes between networks has two or three addresses.
    fn default() -> Self {
        Self {
            login_window_s: 600,
            max_logins: 30,
            max_addresses: 8,
            max_token_reuses: 3,
            max_exports: 4,
        }
    }
}
