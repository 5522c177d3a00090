//! Devices as peers on a pseudo terminal, for tests and the demonstration.
//!
//! An emulator owns a [`Pty`](pty::Pty) whose other end has a stable name, as udev would give it. A program opens
//! that name like a real port. Typical use, with the feature `emulators`:
//! `let mut scanner = Scanner::plug_in(&link, Style::default())?; scanner.opened().await; scanner.scan("G1…").await?;`

pub mod board;
pub mod csafe;
pub mod keyboard;
pub mod pn532;
pub mod pty;
pub mod relay;
pub mod scanner;

use clap::Subcommand;
use std::path::PathBuf;

/// What `emulate` can play.
#[derive(Debug, Subcommand)]
pub enum Device {
    /// A QR scanner that scans each line of standard input; `!unplug` and `!plug` pull and put back its cable.
    Scanner {
        /// Where the port appears.
        #[arg(long, value_name = "PATH")]
        link: PathBuf,
        /// What it sends after a code.
        #[arg(long, value_enum, default_value = "crlf")]
        ending: scanner::Suffix,
        /// Sends `]Q1` before a code.
        #[arg(long)]
        aim: bool,
    },
    /// A card reader to which is held what is typed: `card UID`, `tag UID ADDRESS`, `ntag424`, `phone MEMBER_NO`,
    /// `remove`; `!unplug` and `!plug` pull and put back its cable.
    Nfc {
        /// Where the port appears.
        #[arg(long, value_name = "PATH")]
        link: PathBuf,
    },
    /// A relay that says `on` and `off`.
    Relay {
        /// Where its socket appears.
        #[arg(long, value_name = "PATH")]
        socket: PathBuf,
    },
    /// One of our boards; each line of standard input is a deed: `lift 10 40`, `row 60`, `set 8`, `state in_use`,
    /// `!unplug`, `!plug`, `!reboot`.
    Board {
        /// Where the port appears.
        #[arg(long, value_name = "PATH")]
        link: PathBuf,
        /// The code of the machine that it is in.
        #[arg(long, value_name = "CODE")]
        code: String,
    },
    /// A CSAFE console. What happens to it is typed: begin, press, pause, finish, leave, drop, corrupt, stall,
    /// garbage, vanish, reenumerate, !unplug, !plug.
    Csafe {
        /// Where the port appears.
        #[arg(long, value_name = "PATH")]
        link: PathBuf,
        /// What it belongs to.
        #[arg(long, value_enum)]
        kind: csafe::Kind,
        /// Which units it tells.
        #[arg(long, value_enum, default_value = "metric")]
        units: csafe::Units,
        /// Members come and go by themselves.
        #[arg(long)]
        busy: bool,
    },
}

impl Device {
    /// Plays it until standard input ends.
    pub async fn play(self) -> anyhow::Result<()> {
        match self {
            Self::Scanner { link, ending, aim } => scanner::play(&link, ending, aim).await,
            Self::Nfc { link } => pn532::play(&link).await,
            Self::Relay { socket } => relay::play(&socket).await,
            Self::Board { link, code } => board::play(&link, &code).await,
            Self::Csafe { link, kind, units, busy } => {
                let make = csafe::Make { units, ..csafe::Make::of(kind) };
                csafe::play(&link, make, busy).await
            }
        }
    }
}
