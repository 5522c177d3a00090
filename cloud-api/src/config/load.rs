//! Reads the configuration: the file, then the environment, then flags.

use super::{Config, ConfigError, Secret};
use figment::{
    Figment,
    providers::{Env, Format, Toml},
};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// What flags say; the last word.
#[derive(Debug, Default)]
pub struct Flags {
    pub config: Option<PathBuf>,
    pub bind: Option<SocketAddr>,
    pub database_url: Option<String>,
}

impl Config {
    /// Reads the file, the environment and the flags.
    pub fn load(flags: Flags) -> Result<Self, ConfigError> {
        let mut figment = Figment::new();
        if let Some(path) = &flags.config {
            check_readable(path)?;
            figment = figment.merge(Toml::file_exact(path));
        }
        let mut config: Self = figment
            .merge(short_names())
            .merge(environment())
            .extract()
            .map_err(|error| ConfigError(describe(error)))?;
        if let Some(bind) = flags.bind {
            config.http.bind = bind;
        }
        if let Some(url) = flags.database_url {
            config.database.url = Some(Secret::from(url));
        }
        config.check()?;
        Ok(config)
    }
}

fn check_readable(path: &Path) -> Result<(), ConfigError> {
    std::fs::File::open(path)
        .map(drop)
        .map_err(|error| ConfigError(format!("--config {}: {error}", path.display())))
}

/// Programs of Gymwire may share an environment: the sections of the others are theirs.
fn environment() -> Env {
    Env::prefixed("GYMWIRE_")
        .filter(|key| {
            let section = key.as_str().split("__").next().unwrap_or_default();
            !OTHERS.iter().any(|other| other.eq_ignore_ascii_case(section))
        })
        .split("__")
}

/// Sections of edge-agent and firmware-bridge.
const OTHERS: [&str; 7] = ["agent", "cloud", "mqtt", "journal", "ops", "scanner", "queue"];

/// The names that other platforms give these keys.
fn short_names() -> Figment {
    let mut figment = Figment::new();
    for (name, key) in [
        ("DATABASE_URL", "database.url"),
        ("REDIS_URL", "redis.url"),
        ("SENDGRID_API_KEY", "mail.sendgrid_key"),
        ("SMTP_URL", "mail.smtp_url"),
        ("LOG_LEVEL", "log.level"),
        ("APP_ENV", "service.environment"),
    ] {
        if let Ok(value) = std::env::var(name) {
            figment = figment.merge((key, value));
        }
    }
    if let Ok(origins) = std::env::var("ALLOWED_ORIGINS") {
        let origins: Vec<_> = origins.split(',').map(|o| o.trim().to_owned()).collect();
        figment = figment.merge(("http.allowed_origins", origins));
    }
    figment
}

/// The key first, then what is wrong with it; values stay out, since one may be a secret.
fn describe(error: figment::Error) -> String {
    use figment::error::Kind;
    let Some(error) = error.into_iter().next() else {
        return "cannot be read".to_owned();
    };
    let inside = |field: &str| {
        let mut keys: Vec<_> = error.path.iter().map(String::as_str).collect();
        // Environment variables bring the key in their path, files do not.
        if keys.last() != Some(&field) {
            keys.push(field);
        }
        keys.join(".")
    };
    let place = error.metadata.as_ref().map_or_else(String::new, |source| {
        source
            .source
            .as_ref()
            .map_or_else(|| format!(" (in {})", source.name), |place| format!(" (in {place})"))
    });
    match &error.kind {
        Kind::UnknownField(field, expected) => {
            let expected = expected.join(", ");
            format!("{}: unknown key, known are: {expected}{place}", inside(field))
        }
        Kind::InvalidType(actual, expected) => {
            let actual = match actual {
                figment::error::Actual::Str(_) => "text".to_owned(),
                other => other.to_string(),
            };
            format!("{}: needs {expected}, not {actual}{place}", error.path.join("."))
        }
        kind => format!("{}: {kind}{place}", error.path.join(".")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Database;

    #[test]
    fn the_example_file_shows_the_defaults() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/config/cloud-api.toml");

        let example: Config = Figment::from(Toml::file_exact(path)).extract().unwrap();

        assert_eq!(example, Config::default());
    }

    #[test]
    fn a_secret_does_not_show() {
        let url = Some(Secret::from("postgres://u:geheim@h/d".to_owned()));
        let config = Database { url, ..Database::default() };

        assert!(!format!("{config:?}").contains("geheim"));
    }

    #[test]
    fn an_unknown_key_is_named_with_its_section() {
        let error =
            Figment::from(Toml::string("[http]\nbund = 1")).extract::<Config>().unwrap_err();

        let text = describe(error);
        assert!(text.starts_with("http.bund: unknown key"), "{text}");
    }

    #[test]
    fn an_address_that_is_none_is_named_with_its_key() {
        for (key, toml) in [
            ("http.public_url", "[http]\npublic_url = \"api.example.com\""),
            ("http.public_url", "[http]\npublic_url = \"ftp://example.com\""),
            ("auth.return_urls", "[auth]\nreturn_urls = [\"signed-in\"]"),
        ] {
            let config: Config = Figment::from(Toml::string(toml)).extract().unwrap();

            let error = config.check().unwrap_err().to_string();
            assert!(error.contains(key), "{error}");
        }
    }

    #[test]
    fn a_wrong_value_is_not_repeated() {
        let toml = "[database]\nmax_connections = \"geheim\"";
        let error = Figment::from(Toml::string(toml)).extract::<Config>().unwrap_err();

        let text = describe(error);
        assert!(text.starts_with("database.max_connections: "), "{text}");
        assert!(!text.contains("geheim"), "{text}");
    }
}
