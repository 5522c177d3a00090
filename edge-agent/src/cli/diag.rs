//! `edge-agent diag`: one text file with what helps to find a fault. No secret and no member data goes in.

use crate::config::Config;
use crate::journal::{self, JournalConfig};
use crate::ops::actions::Ask;
use crate::ops::control;
use crate::ops::durable::write_private;
use crate::registry;
use anyhow::{Context as _, Result};
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;
use tokio::time::timeout;

const FACTS: [&str; 6] = [
    "/proc/version",
    "/proc/uptime",
    "/proc/loadavg",
    "/proc/meminfo",
    "/etc/os-release",
    "/proc/device-tree/model",
];
const CHECK_TIMEOUT: Duration = Duration::from_secs(30);
/// Lines of the system's log; it is asked for ours only.
const LOG_LINES: &str = "500";

pub(super) async fn perform(config: &Config, file: &Path) -> Result<()> {
    let mut text = String::new();
    part(&mut text, "agent", &versions());
    let status = match control::ask(&config.agent.state_dir, &Ask::Status).await {
        Ok(Some(status)) => serde_json::to_string_pretty(&status)?,
        Ok(None) => "not running".to_owned(),
        Err(error) => format!("{error:#}"),
    };
    part(&mut text, "status", &status);
    part(&mut text, "releases", &super::update::listing(config));
    part(&mut text, "configuration", &shown(config));
    part(&mut text, "certificates", &certificates(&config.agent.state_dir.join("ca")));
    part(&mut text, "check of the journal", &check(config).await);
    part(&mut text, "state folder", &listing(&config.agent.state_dir));
    for fact in FACTS {
        if let Ok(content) = std::fs::read_to_string(fact) {
            part(&mut text, fact, content.trim_matches(['\0', '\n']));
        }
    }
    part(&mut text, "log", &log().await);
    let file = std::path::absolute(file)?;
    // The folder is the caller's; only the file is private.
    let folder = file.parent().context("FILE names no file")?;
    anyhow::ensure!(folder.is_dir(), "there is no folder {}", folder.display());
    write_private(&file, text.as_bytes())?;
    super::say(&format!("wrote {}", file.display()))
}

fn versions() -> String {
    format!(
        "edge-agent {}, SQLite {}, {} {}, journal schema {}, registry schema {}",
        env!("CARGO_PKG_VERSION"),
        rusqlite::version(),
        std::env::consts::OS,
        std::env::consts::ARCH,
        journal::SCHEMA_VERSION,
        registry::SCHEMA_VERSION,
    )
}

/// Whose they are and how long they are good: what is public about them anyway.
fn certificates(folder: &Path) -> String {
    let describe = |name: &str| {
        let pem = std::fs::read(folder.join(name)).ok()?;
        let (_, pem) = x509_parser::pem::parse_x509_pem(&pem).ok()?;
        let certificate = pem.parse_x509().ok()?;
        let (subject, issuer) = (certificate.subject(), certificate.issuer());
        Some(format!("{name}: {subject} by {issuer} until {}", certificate.validity().not_after))
    };
    let files = ["root.pem", "former-root.pem", "server.pem"];
    files.into_iter().filter_map(describe).collect::<Vec<_>>().join("\n")
}

/// A large journal on a slow card takes longer than somebody waits.
async fn check(config: &Config) -> String {
    let path = JournalConfig::new(&config.agent.state_dir).path();
    let verifying = tokio::task::spawn_blocking(move || journal::verify(&path));
    match timeout(CHECK_TIMEOUT, verifying).await {
        Ok(Ok(Ok(report))) => report.to_string(),
        Ok(Ok(Err(error))) => format!("{error:#}"),
        Ok(Err(error)) => format!("it panicked: {error}"),
        Err(_) => "not finished in time; try `edge-agent journal verify`".to_owned(),
    }
}

fn part(text: &mut String, title: &str, content: &str) {
    let _ = writeln!(text, "==== {title}\n{content}\n");
}

/// A proxy's address may hold a password.
fn shown(config: &Config) -> String {
    let mut config = config.clone();
    if config.cloud.proxy.is_some() {
        config.cloud.proxy = Some("(set)".to_owned());
    }
    format!("{config:#?}")
}

fn listing(folder: &Path) -> String {
    let mut lines = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                folders.push(entry.path());
            }
            lines.push(format!("{:>14} {}", metadata.len(), entry.path().display()));
        }
    }
    lines.sort();
    lines.join("\n")
}

async fn log() -> String {
    let arguments = [
        "-u",
        "gymwire-edge-agent",
        "-u",
        "gymwire-firmware-bridge",
        "-n",
        LOG_LINES,
        "--no-pager",
        "-o",
        "short-iso",
    ];
    match tokio::process::Command::new("journalctl").args(arguments).output().await {
        Ok(output) => String::from_utf8_lossy(&output.stdout).into_owned(),
        Err(error) => format!("journalctl cannot be run: {error}"),
    }
}
