//! `edge-agent device`: what staff can do to devices without the cloud.

use super::{ask, say, text};
use crate::config::Config;
use crate::front_door::tls::Given;
use crate::ops::actions::{Ask, Listed};
use anyhow::Result;
use clap::{Subcommand, ValueEnum};
use protocol::ids::Code;
use protocol::sync::entry::DeviceKind;
use time::OffsetDateTime;

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum DeviceCommand {
    /// Adds a device and prints its secret, once. The cloud takes it over when it is reached.
    Add {
        /// What it is.
        kind: Kind,
        /// Its short name: a-z, 0-9 and -; unique in the branch.
        code: Code,
    },
    /// Lists the devices of the branch, with the certificates that they were given.
    List,
    /// Gives a device a new secret and prints it, once. The old one is void at once.
    Rotate {
        /// Its short name.
        code: Code,
    },
    /// Prints a certificate with which a device can log in instead of its secret (PEM), with its key, once.
    Certify {
        /// Its short name.
        code: Code,
    },
    /// Refuses one certificate of a device from now on; whoever is connected by it is not any more.
    RevokeCertificate {
        /// Its serial number, as `device list` shows it.
        serial: String,
    },
    /// Locks a device out, until it is given a new secret. Its certificates stay void.
    Revoke {
        /// Its short name.
        code: Code,
    },
}

/// Kinds of devices.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Kind {
    Machine,
    Reader,
    Bridge,
    Observer,
}

impl From<Kind> for DeviceKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Machine => Self::Machine,
            Kind::Reader => Self::Reader,
            Kind::Bridge => Self::Bridge,
            Kind::Observer => Self::Observer,
        }
    }
}

pub(super) async fn perform(config: &Config, command: DeviceCommand) -> Result<()> {
    match command {
        DeviceCommand::Add { kind, code } => {
            credential(config, Ask::DeviceAdd { kind: kind.into(), code }).await
        }
        DeviceCommand::Rotate { code } => {
            credential(config, Ask::DeviceRotate { code: code.into() }).await
        }
        DeviceCommand::Certify { code } => super::certificates::certify(config, code.into()).await,
        DeviceCommand::Revoke { code } => {
            let done = ask(config, Ask::DeviceRevoke { code: code.into() }).await?;
            say(&format!("{} is locked out", text(&done, "code")))
        }
        DeviceCommand::List => {
            let listed: Vec<Listed> = serde_json::from_value(ask(config, Ask::DeviceList).await?)?;
            if listed.is_empty() {
                return say("there is no device yet: `edge-agent device add` adds one");
            }
            listed.iter().try_for_each(|device| {
                say(&line(device))?;
                device.certificates.iter().try_for_each(|given| say(&certificate_line(given)))
            })
        }
        DeviceCommand::RevokeCertificate { serial } => {
            let done = ask(config, Ask::CertificateRevoke { serial }).await?;
            let (serial, code) = (text(&done, "serial"), text(&done, "code"));
            say(&format!("certificate {serial} of {code} is refused from now on"))
        }
    }
}

async fn credential(config: &Config, wanted: Ask) -> Result<()> {
    let done = ask(config, wanted).await?;
    say(&format!("user name  {}\npassword   {}", text(&done, "code"), text(&done, "secret")))
}

fn line(device: &Listed) -> String {
    let kind = format!("{:?}", device.kind).to_lowercase();
    let access = match (device.enabled, device.has_secret) {
        (false, _) => "locked out",
        (true, false) => "no secret",
        (true, true) => "",
    };
    format!("{:<24} {kind:<9} {access:<10} {}", device.code, device.name).trim_end().to_owned()
}

fn certificate_line(given: &Given) -> String {
    let state = match given.revoked_ms {
        Some(since_ms) => format!("revoked {}", day(since_ms)),
        None => format!("until {}", day(given.until_ms)),
    };
    format!("  certificate {} {state}", given.serial)
}

fn day(ms: i64) -> String {
    let moment = OffsetDateTime::from_unix_timestamp(ms.div_euclid(1_000));
    moment.map_or_else(|_| "?".to_owned(), |moment| moment.date().to_string())
}
