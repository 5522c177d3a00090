//! `edge-agent device`: what staff can do to devices without the cloud.

use super::{ask, say, text};
use crate::config::Config;
use crate::ops::actions::{Ask, Listed};
use anyhow::Result;
use clap::{Subcommand, ValueEnum};
use protocol::ids::Code;
use protocol::sync::entry::DeviceKind;

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
    /// Lists the devices of the branch.
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
    /// Locks a device out, until it is given a new secret.
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
            listed.iter().try_for_each(|device| say(&line(device)))
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
